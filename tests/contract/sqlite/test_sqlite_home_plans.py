"""What Home reads from SQLite: ranges of indexes, never a whole table."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest

from homing.store.queries import load_migrations, load_queries

SQL = load_queries("sqlite")


@pytest.fixture
def database() -> Iterator[sqlite3.Connection]:
    database = sqlite3.connect(":memory:")
    for _, script in load_migrations("sqlite"):
        database.executescript(script)
    yield database
    database.close()


@pytest.mark.parametrize("name", ["next_book", "count_born", "count_placed"])
def test_a_slice_of_the_books_is_a_range_of_an_index(
    database: sqlite3.Connection, name: str
) -> None:
    given = {"low": "msg_1", "high": "msg_2"}
    steps = [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {SQL[name]}", given)]
    searches = [one for one in steps if one.startswith("SEARCH")]
    assert searches
    assert all(" KEY " in one or " INDEX " in one for one in searches), steps
    # What is scanned is what those have found.
    scanned = {one.split()[1] for one in steps if one.startswith("SCAN")}
    assert all(one == "placed" or one.startswith("(subquery-") for one in scanned), steps
