"""Words of payloads on SQLite: segments of the index, and what they are made of."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import msgspec

from homing.core.errors import Stale
from homing.core.searching import Indexing, Segment, Text
from homing.store.queries import load_queries
from homing.store.rows import segment_of, segment_row
from homing.store.sqlite.writes import put

_SQL = load_queries("sqlite")


def texts(
    db: sqlite3.Connection,
    name: str,
    after: str,
    end: str,
    limit: int,
    bytes_max: int,
    app_id: str | None,
) -> list[Text]:
    """By the statement `name`, which says whose.

    Args:
        end: the last id, or the one below which they are, as the statement says.
    """
    given = {"after": after, "last": end, "below": end, "limit": limit, "bytes_max": bytes_max}
    rows = db.execute(_SQL[name], given | {"app_id": app_id}).fetchall()
    return [Text(*row) for row in rows]


def put_segment(
    db: sqlite3.Connection,
    progress: Indexing,
    segment: Segment | None,
    entries: Sequence[tuple[int, bytes]],
) -> None:
    put(db, progress, None, None, None, ())
    if segment is None:
        return
    number = segment.number
    if entries:
        given = {"after": segment.after, "last": segment.last}
        if db.execute(_SQL["count_texts"], given).fetchone()[0] != segment.messages:
            raise Stale("the messages of the segment have changed since they were read")
    db.execute(_SQL["delete_entries"], {"number": number})
    if not entries:
        db.execute(_SQL["delete_segment"], (number,))
        return
    row = segment_row(segment)
    db.execute(_SQL["put_segment"], row)
    places = [(number * 256 + bucket, content) for bucket, content in entries]
    db.executemany(_SQL["insert_entries"], places)


def segments(db: sqlite3.Connection, below: str, limit: int) -> list[Segment]:
    rows = db.execute(_SQL["segments"], {"below": below, "limit": limit})
    return [segment_of(row) for row in rows]


def stale_segments(db: sqlite3.Connection, limit: int) -> list[Segment]:
    return [segment_of(row) for row in db.execute(_SQL["stale_segments"], {"limit": limit})]


def entries(db: sqlite3.Connection, bucket: int, numbers: Sequence[int]) -> dict[int, bytes]:
    given = {"bucket": bucket, "numbers": msgspec.json.encode(numbers).decode()}
    return dict(db.execute(_SQL["entries"], given).fetchall())
