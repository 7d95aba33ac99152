"""Statements for many rows at a time.

Each step of a statement lets go of the interpreter's lock, and beside a busy event loop it takes
up to a switch interval to get it back. A statement for 256 rows does that once where `executemany`
does it 256 times: accepting and settling beside a busy loop became several times faster.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import chain
from typing import Any

import msgspec

from homing.store.queries import load_queries

#: rows in one statement: few sizes, so that few statements are prepared. The largest keeps the
#: widest table (24 columns) within SQLite's 32,766 parameters.
_SIZES = (256, 64, 16, 4, 1)

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
    start = 0
    for size in _SIZES:
        while len(rows) - start >= size:
            yield _widened(name, size), tuple(chain.from_iterable(rows[start : start + size]))
            start += size


@cache
def _widened(name: str, size: int) -> str:
    """The named statement with its row of VALUES written `size` times."""
    sql = _SQL[name]
    found = _VALUES.search(sql)
    assert found is not None, name
    values = ", ".join([found[1]] * size)
    return f"{sql[: found.start(1)]}{values}{sql[found.end(1) :]}"
