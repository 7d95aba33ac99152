"""Statements for many rows at a time.

Each step of a statement lets go of the interpreter's lock, and beside a busy event loop it takes
up to a switch interval to get it back. A statement for 256 rows does that once where `executemany`
does it 256 times: beside a busy loop that is several times faster, alone it costs the same.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

import msgspec

from homing.store.queries import load_queries

#: rows in one statement: keeps the widest table (24 columns) within SQLite's 32,766 parameters
_ROWS_MAX = 256

_SQL = load_queries("sqlite")
_rows = msgspec.json.Decoder(list[Sequence[Any]])
_VALUES = re.compile(r"VALUES\s*(\([^()]*\))")


def execute_bulk(db: sqlite3.Connection, name: str, rows: Sequence[Sequence[Any]]) -> int:
    """Run a statement that ends in a list of VALUES over all rows; how many it changed."""
    return sum(db.execute(sql, values).rowcount for sql, values in _pieces(name, rows))


def fetch_bulk(
    db: sqlite3.Connection, name: str, rows: Sequence[Sequence[Any]]
) -> Iterator[Sequence[Any]]:
    """Run a query that looks up a list of VALUES; everything that it finds."""
    for sql, values in _pieces(name, rows):
        yield from db.execute(sql, values).fetchall()


def fetch_packed(
    db: sqlite3.Connection, name: str, given: Mapping[str, object]
) -> list[Sequence[Any]]:
    """The rows of a query that returns them all as one JSON list of lists, in one step."""
    [packed] = db.execute(_SQL[name], given).fetchone()
    return _rows.decode(packed)


def _pieces(name: str, rows: Sequence[Sequence[Any]]) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Statements for so many rows each, with their parameters.

    The last one is filled up to a power of two with rows that its statement ignores, because they
    begin with NULL: few sizes, so that every statement is prepared once. Columns in which no row
    has a value are written NULL in the statement: Python takes five times as long to bind None as
    to bind a number (it asks whether anybody adapts it), and most columns of most rows are empty.
    """
    for start in range(0, len(rows), _ROWS_MAX):
        piece = rows[start : start + _ROWS_MAX]
        size = 1 << (len(piece) - 1).bit_length()
        columns = list(zip(*piece, strict=True))
        is_empty = tuple([column.count(None) == len(piece) for column in columns])
        kept = [column for column, nothing in zip(columns, is_empty, strict=True) if not nothing]
        ignored = (None, *(0,) * (len(kept) - 1)) * (size - len(piece))
        yield (
            _widened(name, size, is_empty),
            (*chain.from_iterable(zip(*kept, strict=True)), *ignored),
        )


@lru_cache(maxsize=512)
def _widened(name: str, size: int, is_empty: tuple[bool, ...]) -> str:
    """The named statement with its row of VALUES written `size` times.

    Args:
        is_empty: for each value of a row, whether it is NULL instead of a parameter.
    """
    sql = _SQL[name]
    found = _VALUES.search(sql)
    assert found is not None, name
    row = f"({', '.join(['NULL' if nothing else '?' for nothing in is_empty])})"
    values = ", ".join([row] * size)
    return f"{sql[: found.start(1)]}{values}{sql[found.end(1) :]}"
