"""Claiming on SQLite: the permits of limited lanes, then each lane up to its quota.

Functions on a connection whose transaction is already begun: it holds the file's one write lock, so
whatever is read here stays as it is until the claim is committed, for every process.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence

import msgspec

from homing.core.lifecycle import Delivery, State
from homing.core.limits import Permits, Quota, limited
from homing.core.records import Change, Claimed
from homing.store.queries import load_queries
from homing.store.rows import delivery_of
from homing.store.sqlite.bulk import fetch_packed
from homing.store.sqlite.reads import messages_by_ids
from homing.store.sqlite.writes import settle

_SQL = load_queries("sqlite")


def claim(
    db: sqlite3.Connection,
    decide: Callable[[Delivery], Change],
    at_us: int,
    quotas: Sequence[Quota],
) -> list[Claimed]:
    """Decide on what is due, write it, and read the messages of what became leased."""
    permits = _permits(db, quotas, at_us)
    changes: list[Change] = []
    for quota in quotas:
        due = list(_due(db, quota, permits.left(quota), at_us))
        permits.take(quota, len(due))
        changes += [decide(delivery) for delivery in due]
    written = settle(db, changes)
    db.executemany(_SQL["keep_allowances"], permits.tats_us().items())
    leased = [
        change.after
        for change, is_written in zip(changes, written, strict=True)
        if is_written and change.after.state is State.LEASED
    ]
    messages = messages_by_ids(db, list({delivery.message_id for delivery in leased}))
    # Without its message (somebody deleted rows) one is left to its lease, and in the end dead.
    return [
        Claimed(delivery, messages[delivery.message_id])
        for delivery in leased
        if delivery.message_id in messages
    ]


def _due(db: sqlite3.Connection, quota: Quota, count: int, at_us: int) -> Iterator[Delivery]:
    """The lapsed leases of a lane, then what waits, `count` in all."""
    for state in (State.LEASED, State.WAITING):
        if count <= 0:
            return
        which = {
            "state": str(state),
            "app_id": quota.app_id,
            "endpoint_id": quota.endpoint_id,
            "at_us": at_us,
            "count": count,
        }
        rows = fetch_packed(db, "due_deliveries", which)
        count -= len(rows)
        yield from map(delivery_of, rows)


def _permits(db: sqlite3.Connection, quotas: Sequence[Quota], at_us: int) -> Permits:
    names = limited(quotas)
    if not names:
        return Permits({}, {}, at_us=at_us)
    known = db.execute(_SQL["allowances"], (msgspec.json.encode(list(names)).decode(),)).fetchall()
    leased: dict[str, int] = {}
    for quota in quotas:
        for name, limits in quota.limits:
            if limits.concurrency is not None and name not in leased:
                which = {"app_id": quota.app_id, "at_us": at_us, "most": limits.concurrency}
                of_app = name == quota.app_id
                sql = _SQL["leases_of_app" if of_app else "leases_of_endpoint"]
                endpoint = {} if of_app else {"endpoint_id": quota.endpoint_id}
                leased[name] = db.execute(sql, which | endpoint).fetchone()[0]
    return Permits(dict.fromkeys(names, 0) | dict(known), leased, at_us=at_us)
