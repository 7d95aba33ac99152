"""Statements for many rows at a time; each ends in `SELECT … * FROM (VALUES (…))`.

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

#: rows from which on it is no accident that all of them agree: there are few shapes of statements
_AGREEING_MIN = 16
#: where a column's values come from: each row has its own, all rows share one, or there is none
_OWN, _SHARED, _NULL = "osn"

_SQL = load_queries("sqlite")
_rows = msgspec.json.Decoder(list[Sequence[Any]])
_VALUES = re.compile(r"\* FROM \(VALUES\s*\([^()]*\)\)")


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
    begin with NULL: few sizes, so that every statement is prepared once. A column in which all rows
    agree is bound once for all of them, and one that is empty is written NULL: to bind a value
    takes about as long as to store it, and most columns of most rows are one or the other.
    """
    for start in range(0, len(rows), _ROWS_MAX):
        piece = rows[start : start + _ROWS_MAX]
        count = len(piece)
        size = 1 << (count - 1).bit_length()
        shape: list[str] = []
        shared: list[Any] = []
        kept: list[Sequence[Any]] = []
        for column in zip(*piece, strict=True):
            first = column[0]
            if not kept or (first is not None and count < _AGREEING_MIN):
                is_shared = False  # the first tells which rows are ignored
            else:
                is_shared = column.count(first) == count
            if not is_shared:
                shape.append(_OWN)
                kept.append(column)
            elif first is None:
                shape.append(_NULL)
            else:
                shape.append(_SHARED)
                shared.append(first)
        ignored = (None, *(0,) * (len(kept) - 1)) * (size - count)
        yield (
            _widened(name, size, "".join(shape)),
            (*shared, *chain.from_iterable(zip(*kept, strict=True)), *ignored),
        )


@lru_cache(maxsize=512)
def _widened(name: str, size: int, shape: str) -> str:
    """The named statement with its row of VALUES written `size` times.

    Args:
        shape: a letter for each value of a row: where it comes from.
    """
    sql = _SQL[name]
    found = _VALUES.search(sql)
    assert found is not None, name
    number = 0
    columns = []
    for letter in shape:
        number += letter == _OWN
        columns.append({_OWN: f"column{number}", _SHARED: "?", _NULL: "NULL"}[letter])
    row = f"({', '.join('?' * number)})"
    values = f"{', '.join(columns)} FROM (VALUES {', '.join([row] * size)})"
    return f"{sql[: found.start()]}{values}{sql[found.end() :]}"
