"""Many dead letters at once, written straight into a database that a Homing serves from."""

from __future__ import annotations

from pathlib import Path

from homing.core.lifecycle import Failed, step
from homing.core.resources import Application
from homing.core.retry import RetryPolicy
from homing.store.sqlite import open_sqlite
from homing.system import SystemClock
from support.making import make_acceptance, make_change, make_id

_ONCE = RetryPolicy(delays_s=())
_BATCH = 500


async def bury(
    path: Path, app_id: str, endpoint_id: str, count: int, *, error: str = "status 500"
) -> None:
    """So many deliveries of one endpoint, a millisecond apart, each given up by its only attempt.

    Args:
        path: of the SQLite file.
    """
    store = await open_sqlite(str(path))
    [application] = await store.by_ids(Application, [app_id])
    now_us = SystemClock().now_us()
    for start in range(0, count, _BATCH):
        times = [now_us - (count - n) * 1_000 for n in range(start, min(start + _BATCH, count))]
        items = [
            make_acceptance(
                application, (endpoint_id,), id=make_id("msg_", at_us), accepted_at_us=at_us
            )
            for at_us in times
        ]
        await store.accept(items)
        changes = []
        for item, at_us in zip(items, times, strict=True):
            fact = Failed(at_us=at_us, chance=0.5, error=error)
            before = item.deliveries[0]
            after = step(before, fact, _ONCE)
            changes.append(make_change(before, after, op="failed", at_us=at_us))
        assert all(await store.settle(changes))
    await store.close()
