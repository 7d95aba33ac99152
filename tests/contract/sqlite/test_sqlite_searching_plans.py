"""How SQLite looks: along an index, as far as a look goes, and never over a table."""

from __future__ import annotations

import sqlite3

import pytest

from homing.store.queries import load_queries

SQL = load_queries("sqlite")
_NAMES = (
    "low high looks app_id endpoint_id ids app_ids event_id event_types channel tags limit states "
    "message_high endpoint_high message_id"
)


def steps(database: sqlite3.Connection, name: str) -> list[str]:
    given = dict.fromkeys(_NAMES.split(), "1")
    rows = database.execute(f"EXPLAIN QUERY PLAN {SQL[name]}", given)
    return [row[3] for row in rows]


@pytest.mark.parametrize(
    ("name", "walks"),
    [
        ("walk_messages", ["messages USING COVERING INDEX sqlite_autoindex_messages_1 (id>? AND"]),
        ("walk_messages_of_app", ["messages USING COVERING INDEX messages_app (app_id=? AND id>?"]),
        ("walk_endpoint", ["deliveries USING COVERING INDEX deliveries_endpoint (endpoint_id=? AND",
            "history USING COVERING INDEX history_endpoint (endpoint_id=? AND message_id>?"]),
        ("walk_dead", ["history USING INDEX history_dead (message_id>? AND"]),
        ("walk_dead_of_app", ["history USING INDEX history_dead_app (app_id=? AND mess"]),
        ("walk_dead_of_endpoint", ["INDEX history_dead_endpoint (endpoint_id=? AND message_id>?"]),
        ("walk_unfinished", ["deliveries USING PRIMARY KEY (message_id>? AND message_id<?)"]),
        ("walk_unfinished_of_endpoint", ["INDEX deliveries_endpoint (endpoint_id=? AND mes"]),
        ("sift_messages", ["messages USING INDEX sqlite_autoindex_messages_1 (id=?)"]),
        ("sift_deliveries", ["placed USING PRIMARY KEY (message_id=?"]),
        ("life", ["delivery_log USING INDEX delivery_log_born (message_id=? AND endpoint_id=?)",
            "delivery_log USING INDEX delivery_log_life (message_id=? AND endpoint_id=?)"]),
    ],
)  # fmt: skip
def test_a_look_goes_along_an_index(
    database: sqlite3.Connection, name: str, walks: list[str]
) -> None:
    how = steps(database, name)
    for walk in walks:
        assert any(walk in step for step in how), how
    cheap = ("json_each", "one", "(subquery", "CONSTANT", "SCAN (")
    scans = [step for step in how if step.startswith("SCAN")]
    assert not [step for step in scans if not any(word in step for word in cheap)], how
    # What a look has walked past is sorted, at most its bound; what it walks along is not.
    if not name.startswith("sift"):
        assert not [step for step in how if "TEMP B-TREE" in step], how


def test_a_delivery_that_goes_well_is_not_in_the_index_of_lives(
    database: sqlite3.Connection,
) -> None:
    """The hot path pays nothing for it: neither acceptance, nor claim, nor success."""
    columns = (
        "at_us, mono_us, holder, sequence, op, message_id, endpoint_id, app_id, from_state, "
        "to_state, version_before, version_after, rows_written, lease_epoch"
    )
    for op, before, after in (
        ("accepted", None, "leased"),
        ("leased", "waiting", "leased"),
        ("succeeded", "leased", "delivered"),
        ("failed", "leased", "waiting"),
    ):
        database.execute(
            f"INSERT INTO delivery_log ({columns}) "
            "VALUES (1, 1, 'h', 1, ?, 'msg_1', 'ep_1', 'app_1', ?, ?, 1, 2, 1, 1)",
            (op, before, after),
        )
    entries = database.execute(
        "SELECT op FROM delivery_log INDEXED BY delivery_log_life WHERE from_state IS NOT NULL "
        "AND (op NOT IN ('leased', 'succeeded') OR from_state = 'leased' AND op = 'leased' "
        "OR rows_written = 0)"
    ).fetchall()
    assert entries == [("failed",)]
