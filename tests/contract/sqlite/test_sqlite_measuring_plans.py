"""How SQLite counts what objectives are about: along the log, and by primary keys."""

from __future__ import annotations

import sqlite3

from homing.store.queries import load_queries

SQL = load_queries("sqlite")


def plan(database: sqlite3.Connection, name: str, **given: object) -> list[str]:
    return [step[3] for step in database.execute(f"EXPLAIN QUERY PLAN {SQL[name]}", given)]


def test_a_piece_of_the_log_is_read_along_its_lines_and_looked_up_by_keys(
    database: sqlite3.Connection,
) -> None:
    how = plan(database, "seen", line=1, end=2, first_us=1, delivered_us=1, retry_us=1)
    searches = [step for step in how if step.startswith(("SEARCH", "SCAN"))]
    assert "SEARCH line USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)" in searches
    by_key = "(message_id=? AND endpoint_id=?)"
    for walk in (
        f"SEARCH done USING PRIMARY KEY {by_key}",
        f"SEARCH hot USING PRIMARY KEY {by_key}",
        "SEARCH messages USING INDEX sqlite_autoindex_messages_1 (id=?)",
        "SEARCH attempts USING INDEX sqlite_autoindex_attempts_1 (message_id=?)",
        f"SEARCH born USING INDEX delivery_log_born {by_key}",
        f"SEARCH revived USING INDEX delivery_log_life {by_key}",
    ):
        assert [step for step in searches if step.startswith(walk)], (walk, how)
    # What was found, at most a piece, is grouped; no table is scanned, and nothing looked up twice.
    scanned = {step.removeprefix("SCAN ") for step in searches if step.startswith("SCAN")}
    assert scanned <= {"lines", "timed", "marked"}, how
    assert len([step for step in searches if step.startswith("SEARCH attempts")]) == 1, how


def test_what_most_lines_are_is_counted_in_one_walk(database: sqlite3.Connection) -> None:
    how = plan(database, "seen_plain", line=1, end=2, first_us=1, delivered_us=1)
    assert [step for step in how if step.startswith(("SEARCH", "SCAN"))] == [
        "SEARCH line USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)",
        "SEARCH done USING PRIMARY KEY (message_id=? AND endpoint_id=?)",
    ]


def test_the_end_of_a_piece_and_the_counts_of_a_stretch_are_ranges_of_an_index(
    database: sqlite3.Connection,
) -> None:
    end = plan(database, "seen_end", line=1, limit=10)
    assert "SEARCH delivery_log USING INTEGER PRIMARY KEY (rowid>?)" in end
    counts = plan(database, "tallied", scope="", grain_s=60, since_us=1, until_us=2)
    assert any("PRIMARY KEY (scope=? AND grain_s=? AND at_us>? AND at_us<?)" in s for s in counts)
    series = plan(
        database, "tally_series", scope="", grain_s=60, since_us=1, until_us=2, sli="audit"
    )
    assert any("PRIMARY KEY (scope=? AND grain_s=? AND at_us>? AND at_us<?)" in s for s in series)
    forget = plan(database, "forget_tallies", grain_s=60, until_us=1)
    assert any("tallies_age (grain_s=? AND at_us<?)" in step for step in forget), forget
