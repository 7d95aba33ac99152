"""How SQLite tells how endpoints are: along an index, and no further than the bound."""

from __future__ import annotations

import sqlite3

import pytest

from homing.store.queries import load_queries

SQL = load_queries("sqlite")
GIVEN = {
    "state": "waiting",
    "app_id": "app_1",
    "endpoint_id": "ep_1",
    "low": "a",
    "high": "b",
    "most": 9,
}


@pytest.mark.parametrize(
    ("name", "walk"),
    [
        ("count_lane", "COVERING INDEX deliveries_lane (state=? AND app_id=? AND endpoint_id=?"),
        ("count_parked", "INDEX deliveries_parked (app_id=? AND endpoint_id=?)"),
        ("count_dead_since", "INDEX history_dead_endpoint (endpoint_id=? AND message_id>?)"),
        (
            "count_newest_attempts",
            "COVERING INDEX attempts_endpoint (endpoint_id=? AND id>? AND id<?)",
        ),
        ("sample_attempts", "INDEX attempts_endpoint (endpoint_id=? AND id>? AND id<?)"),
        ("count_failures", "COVERING INDEX attempts_failed (endpoint_id=? AND id>?)"),
    ],
)
def test_it_walks_one_index_and_stops(database: sqlite3.Connection, name: str, walk: str) -> None:
    how = [step[3] for step in database.execute(f"EXPLAIN QUERY PLAN {SQL[name]}", GIVEN)]
    tables = ("deliveries", "history", "attempts")
    walks = [step for step in how if any(f" {table}" in step for table in tables)]
    assert len(walks) == 1, how
    assert walk in walks[0], how
    assert "LIMIT :most" in SQL[name]
    # What was found, at most the bound, may be grouped; nothing is sorted to find the newest.
    assert "USE TEMP B-TREE FOR ORDER BY" not in how, how
