"""Fills the database of a running Homing with many rows, as a long life would have."""

from __future__ import annotations

import asyncio

from homing.core.lifecycle import State
from homing.core.outcome import Reason
from homing.core.resources import Application, Endpoint
from homing.service.tokens import DEFAULT_ORG_ID
from homing.store import open_store
from homing.system import SystemClock
from support.making import aged, make_acceptance, make_attempt, make_change, make_endpoint

_BATCH = 1_000
#: all of them younger than a lease, or the dispatcher of the running Homing would take them up
_STEP_US = 500


async def fill(url: str, app: str, endpoint_id: str, *, deliveries: int, endpoints: int) -> None:
    """Finished deliveries of an endpoint, one in ten dead, in the last minutes; more endpoints.

    Args:
        url: of the database.
        app: an application's uid.
    """
    store = await open_store(url)
    try:
        application = await store.get(Application, DEFAULT_ORG_ID, app)
        assert application is not None
        for first in range(0, deliveries, _BATCH):
            now_us = SystemClock().now_us()  # of each batch: however long those before it took
            numbers = range(first, min(first + _BATCH, deliveries))
            batch = [
                make_acceptance(
                    application, (endpoint_id,), accepted_at_us=now_us - number * _STEP_US
                )
                for number in numbers
            ]
            await store.accept(batch)
            changes = []
            for number, item in zip(numbers, batch, strict=True):
                [before] = item.deliveries
                is_dead = number % 10 == 0
                made = make_attempt(
                    before,
                    reason=Reason.STATUS if is_dead else Reason.OK,
                    status=500 if is_dead else 200,
                    total_us=1_000 + number,
                )
                after = aged(
                    before,
                    state=State.DEAD if is_dead else State.DELIVERED,
                    holder=None,
                    unanswered=0,
                    ready_at_us=None,
                    finished_at_us=before.accepted_at_us,
                    reason="attempts_exhausted" if is_dead else None,
                )
                changes.append(make_change(before, after, attempt=made))
            await store.settle(changes)
        for first in range(0, endpoints, _BATCH):
            numbers = range(first, min(first + _BATCH, endpoints))
            await asyncio.gather(*(store.put(_endpoint(application, n)) for n in numbers))
    finally:
        await store.close()


def _endpoint(application: Application, number: int) -> Endpoint:
    return make_endpoint(
        application.id,
        org_id=DEFAULT_ORG_ID,
        url=f"https://receiver-{number}.example.com/hook",
        description=f"Receiver {number}",
        disabled=True,
    )
