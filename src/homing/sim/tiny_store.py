"""What a tiny world's database does with a change: what `store.memory` does, on one delivery."""

from __future__ import annotations

from collections.abc import Coroutine
from functools import cache
from typing import Any, TypeVar

import msgspec

from homing.core.lifecycle import Delivery
from homing.core.outcome import Reason
from homing.core.records import Attempt, Change, Trigger
from homing.sim.tiny_world import Recorded, Tables, Write
from homing.store.memory.store import MemoryStore

T = TypeVar("T")


def write_change(tables: Tables, change: Change, *, is_fenced: bool) -> Write:
    """One transaction.

    Args:
        is_fenced: whether a row that has moved on is left as it is.
    """
    before = change.before
    assert before is not None
    row = tables.row
    if not is_fenced and row is not None and row.version != before.version:
        after = change.after
        hot, history = (after, None) if after.is_unfinished else (None, after)
        return Write(tables, tables._replace(hot=hot, history=history), change, True)
    store = MemoryStore()
    if tables.hot is not None:
        store.hot[tables.hot.id] = tables.hot
    if tables.history is not None:
        store.history[tables.history.id] = tables.history
    for one in tables.attempts:
        reason = Reason.OK if one.is_heard else Reason.NO_OUTCOME
        stored = msgspec.structs.replace(
            attempt_of(before, reason), id=_attempt_id(one), late=one.is_late
        )
        store.attempted[stored.message_id, stored.id] = stored
    [answer] = _now(store.settle([change]))
    attempts = tables.attempts
    if len(store.attempted) != len(attempts):
        *_, last = store.attempted.values()
        is_heard = last.reason is not Reason.NO_OUTCOME
        attempts |= {Recorded(last.number, is_heard, last.late)}
    left = Tables(store.hot.get(before.id), store.history.get(before.id), attempts)
    return Write(tables, left, change, answer)


def _now(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that never waits, as those of the memory store."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    raise AssertionError("it waits")


@cache
def attempt_of(delivery: Delivery, reason: Reason) -> Attempt:
    """The record of the request made under this lease."""
    return Attempt(
        id=_attempt_id(Recorded(delivery.leases, reason is not Reason.NO_OUTCOME, False)),
        message_id=delivery.message_id,
        endpoint_id=delivery.endpoint_id,
        app_id=delivery.app_id,
        number=delivery.leases,
        trigger=Trigger.MANUAL if delivery.manual else Trigger.SCHEDULED,
        at_us=0,
        url="",
        reason=reason,
    )


def _attempt_id(attempt: Recorded) -> str:
    return f"atmpt_{attempt.lease}_{'heard' if attempt.is_heard else 'none'}"
