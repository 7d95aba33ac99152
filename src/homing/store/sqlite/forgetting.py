"""What the index of payloads knows of messages goes with them, on SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import msgspec

from homing.store.queries import load_queries

_SQL = load_queries("sqlite")


def forget_words(db: sqlite3.Connection, message_ids: Sequence[str]) -> None:
    """Remove the entries of the segments that these messages are in."""
    if not message_ids:
        return
    given = {"ids": msgspec.json.encode(message_ids).decode()}
    for (number,) in db.execute(_SQL["segments_with"], given).fetchall():
        db.execute(_SQL["delete_entries"], {"number": number})
        db.execute(_SQL["mark_stale"], (number,))
