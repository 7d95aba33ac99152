"""What Home reads from SQLite: ranges of indexes, never a whole table."""

from __future__ import annotations

import sqlite3

import pytest

from homing.store.queries import load_queries

SQL = load_queries("sqlite")


@pytest.mark.parametrize("name", ["next_book", "count_born", "count_placed"])
def test_a_slice_of_the_books_is_a_range_of_an_index(
    database: sqlite3.Connection, name: str
) -> None:
    given = {"low": "msg_1", "high": "msg_2"}
    steps = [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {SQL[name]}", given)]
    walks = [one for one in steps if one.startswith(("SEARCH", "SCAN"))]
    # `placed` and subqueries are what the walks before them have found.
    tables = [one for one in walks if one != "SCAN placed" and one.split()[1][0] != "("]
    assert tables
    assert all(one.startswith("SEARCH") and "message_id>?" in one for one in tables), steps
