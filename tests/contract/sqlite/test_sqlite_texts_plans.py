"""How SQLite reads and forgets the words of payloads: by keys, and along one index."""

from __future__ import annotations

import sqlite3

import pytest

from homing.store.queries import load_queries

SQL = load_queries("sqlite")
_NAMES = "after last below limit bytes_max app_id number bucket numbers ids"


@pytest.mark.parametrize(
    ("name", "walk"),
    [
        ("texts_of_all", "messages USING INDEX sqlite_autoindex_messages_1 (id>? AND id<?)"),
        ("texts_of_app", "messages USING INDEX messages_app (app_id=? AND id>? AND id<?)"),
        ("newest_of_all", "messages USING INDEX sqlite_autoindex_messages_1 (id>? AND id<?)"),
        ("newest_of_app", "messages USING INDEX messages_app (app_id=? AND id>? AND id<?)"),
        ("count_texts", "messages USING INDEX sqlite_autoindex_messages_1 (id>? AND id<?)"),
        ("segments", "text_segments USING INTEGER PRIMARY KEY (rowid<?)"),
        ("segments", "text_segments USING COVERING INDEX text_segments_last (last>?)"),
        ("stale_segments", "text_segments USING INDEX text_segments_stale"),
        ("entries", "text_entries USING INTEGER PRIMARY KEY (rowid=?)"),
        ("delete_entries", "text_entries USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
        ("segments_with", "text_segments USING INTEGER PRIMARY KEY (rowid=?)"),
        ("segments_with", "text_segments USING COVERING INDEX text_segments_last (last>?)"),
    ],
)
def test_payloads_and_their_words_are_found_by_keys(
    database: sqlite3.Connection, name: str, walk: str
) -> None:
    given = dict.fromkeys(_NAMES.split(), 1)
    rows = database.execute(f"EXPLAIN QUERY PLAN {SQL[name]}", given)
    how = [row[3] for row in rows]
    assert any(walk in step for step in how), how
    cheap = ("one", "json_each", "CONSTANT", "USING INDEX text_segments_stale")
    scans = [step for step in how if step.startswith("SCAN")]
    assert not [step for step in scans if not any(word in step for word in cheap)], how
    assert not [step for step in how if "ORDER BY" in step], how
