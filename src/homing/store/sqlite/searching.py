"""Looking for messages and deliveries on SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

import msgspec

from homing.core.identifiers import DeliveryId
from homing.core.lifecycle import Delivery
from homing.core.records import LogEntry
from homing.core.searching import Head, Looked, Sought
from homing.store.looking import (
    Walk,
    bounds,
    looked,
    place_below,
    walk_for_deliveries,
    walk_for_messages,
    walked_by,
)
from homing.store.queries import load_queries
from homing.store.rows import delivery_of, entry_of, head_of

_SQL = load_queries("sqlite")
_ids = msgspec.json.Decoder(list[str])


def look_for_messages(
    db: sqlite3.Connection, which: Sought, looks: int, limit: int
) -> Looked[Head]:
    walked = _walk(db, walk_for_messages(which), which, looks)
    found = _sift(db, walked, which, limit + 1)
    return looked(walked, found, _place, looks=looks, limit=limit)


def _place(head: Head) -> DeliveryId:
    return DeliveryId(head.id, "")


def look_for_deliveries(
    db: sqlite3.Connection, which: Sought, looks: int, limit: int
) -> Looked[Delivery]:
    walked = _walk(db, walk_for_deliveries(which), which, looks)
    ids = list(dict.fromkeys(walked))
    if which.asks_of_message:
        ids = [head.id for head in _sift(db, ids, which, len(ids))]
    below = place_below(which)
    given = {
        "ids": _texts(ids) or "[]",
        "message_high": below.message_id,
        "endpoint_high": below.endpoint_id,
        "app_ids": _texts(which.app_ids),
        "endpoint_id": which.endpoint_id,
        "states": _texts(which.states),
        "limit": limit + 1,
    }
    found = [delivery_of(row) for row in db.execute(_SQL["sift_deliveries"], given).fetchall()]
    return looked(walked, found, lambda delivery: delivery.id, looks=looks, limit=limit)


def heads(db: sqlite3.Connection, ids: Sequence[str]) -> dict[str, Head]:
    return {head.id: head for head in _sift(db, ids, Sought(), len(ids))}


def life(db: sqlite3.Connection, which: DeliveryId, limit: int) -> list[LogEntry]:
    given = {"message_id": which.message_id, "endpoint_id": which.endpoint_id, "limit": limit}
    rows = sorted(db.execute(_SQL["life"], given).fetchall())  # by line, which comes first
    return [entry_of(row[1:]) for row in rows]


def _walk(db: sqlite3.Connection, walk: Walk, which: Sought, looks: int) -> list[str]:
    ids = walked_by(which, looks)
    if ids is not None:
        return ids
    low, high = bounds(which)
    given = {"low": low, "high": high, "looks": looks, "app_id": walk.of, "endpoint_id": walk.of}
    [packed] = db.execute(_SQL[walk.name], given).fetchone()
    return _ids.decode(packed)


def _sift(db: sqlite3.Connection, ids: Sequence[str], which: Sought, limit: int) -> list[Head]:
    given: dict[str, Any] = {
        "ids": _texts(ids) or "[]",
        "app_ids": _texts(which.app_ids),
        "event_id": which.event_id,
        "event_types": _texts(which.event_types),
        "channel": which.channel,
        "tags": _texts(which.tags),
        "limit": limit,
    }
    return [head_of(row) for row in db.execute(_SQL["sift_messages"], given).fetchall()]


def _texts(values: Sequence[str]) -> str | None:
    return msgspec.json.encode(values).decode() if values else None
