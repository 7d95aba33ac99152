"""How endpoints are, on SQLite: functions on a connection, each within one snapshot."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from homing.core.identifiers import first_id
from homing.core.lifecycle import State
from homing.core.outcome import Reason
from homing.core.watching import Failure, Load, Slice, Tried
from homing.store.queries import load_queries
from homing.store.watching import ATTEMPTS_END, in_order

_SQL = load_queries("sqlite")


def loads(
    db: sqlite3.Connection,
    endpoints: Sequence[tuple[str, str]],
    since_us: int,
    accepted_us: int,
    most: int,
) -> dict[str, Load]:
    low, accepted = first_id("atmpt_", since_us), first_id("msg_", accepted_us)
    return {
        endpoint_id: _load(
            db, {"app_id": app_id, "endpoint_id": endpoint_id, "most": most}, low, accepted
        )
        for app_id, endpoint_id in endpoints
    }


def _load(db: sqlite3.Connection, which: dict[str, Any], low: str, accepted: str) -> Load:
    def one(name: str, **more: object) -> Any:
        return db.execute(_SQL[name], which | more).fetchone()

    waiting, next_at_us = one("count_lane", state=str(State.WAITING))
    return Load(
        endpoint_id=which["endpoint_id"],
        attempts=_counts(db, which | {"low": low, "high": ATTEMPTS_END}),
        waiting=waiting,
        leased=one("count_lane", state=str(State.LEASED))[0],
        parked=one("count_parked")[0],
        dead=one("count_dead_since", low="")[0],
        dead_recent=one("count_dead_since", low=accepted)[0],
        next_at_us=next_at_us,
    )


def _counts(db: sqlite3.Connection, which: dict[str, Any]) -> dict[Reason, int]:
    rows = db.execute(_SQL["count_newest_attempts"], which)
    return {Reason(reason): count for reason, count in rows}


def slices(
    db: sqlite3.Connection, endpoint_id: str, edges: Sequence[int], counted: int, sampled: int
) -> list[Slice]:
    found = []
    for since_us, until_us in pairwise(edges):
        which = {
            "endpoint_id": endpoint_id,
            "low": first_id("atmpt_", since_us),
            "high": first_id("atmpt_", until_us),
        }
        counts = _counts(db, which | {"most": counted})
        rows = db.execute(_SQL["sample_attempts"], which | {"most": sampled}) if counts else ()
        tried = [Tried(Reason(reason), *more) for reason, *more in rows]
        found.append(Slice(since_us=since_us, until_us=until_us, counts=counts, tried=tried))
    return found


def failures(db: sqlite3.Connection, endpoint_id: str, since_us: int, most: int) -> list[Failure]:
    which = {"endpoint_id": endpoint_id, "low": first_id("atmpt_", since_us), "most": most}
    return in_order(db.execute(_SQL["count_failures"], which))
