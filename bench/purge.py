"""What a large purge does to traffic beside it: the time to accept and to settle, with and without.

    python -m bench.purge                                a SQLite file in a temporary folder
    python -m bench.purge --store postgresql://…         a database whose contents may be lost
    python -m bench.purge --messages 100000              more to purge

The store is filled with finished messages that are beyond their retention. Then batches of ten are
accepted and settled, one after the other with a short pause, first alone and then beside the keeper
until it is done; the books are balanced again and again meanwhile, and at the end.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import sys
import tempfile
import time
from pathlib import Path
from statistics import quantiles

import uvloop

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from support.making import make_acceptance, make_application, make_attempt, make_change, make_id

from homing.core.lifecycle import Succeeded, step
from homing.core.records import Acceptance, Change
from homing.core.resources import Application
from homing.core.retention import DAY_US, Retention
from homing.core.retry import RetryPolicy
from homing.core.store import Store
from homing.service.books import audit
from homing.service.retention import Keeper
from homing.store import open_store
from homing.system import SystemClock

_BATCH = 10
_PAUSE_S = 0.005
_PAYLOAD = b"x" * 600
_KEPT = Retention(payload_d=30, attempts_d=30, log_d=30, dead_d=30)


def _acceptances(application: Application, count: int, at_us: int) -> list[Acceptance]:
    endpoints = [make_id("ep_") for _ in range(5)]
    return [
        make_acceptance(
            application,
            (endpoints[number % 5],),
            accepted_at_us=at_us + number * 1_000,
            payload=_PAYLOAD,
        )
        for number in range(count)
    ]


def succeeded(items: list[Acceptance], at_us: int) -> list[Change]:
    changes = []
    for item in items:
        [before] = item.deliveries
        after = step(before, Succeeded(at_us=at_us), RetryPolicy())
        attempt = make_attempt(before, response_body=b"y" * 200)
        changes.append(make_change(before, after, attempt=attempt))
    return changes


async def _fill(store: Store, application: Application, count: int, at_us: int) -> None:
    for start in range(0, count, 1_000):
        some = _acceptances(application, min(1_000, count - start), at_us + start * 1_000)
        await store.accept(some)
        await store.settle(succeeded(some, at_us))


async def _traffic(
    store: Store, application: Application, until: asyncio.Event
) -> list[list[float]]:
    """Milliseconds that accepting and settling took, until told to end."""
    accepts: list[float] = []
    settles: list[float] = []
    while not until.is_set():
        items = _acceptances(application, _BATCH, SystemClock().now_us())
        changes = succeeded(items, SystemClock().now_us())
        marks = [time.perf_counter()]
        await store.accept(items)
        marks.append(time.perf_counter())
        await store.settle(changes)
        marks.append(time.perf_counter())
        for found, (begun, ended) in zip(
            (accepts, settles), itertools.pairwise(marks), strict=True
        ):
            found.append((ended - begun) * 1_000)
        await asyncio.sleep(_PAUSE_S)
    return [accepts, settles]


async def _audits(store: Store, until: asyncio.Event) -> int:
    """Balance the books until told to end; how often."""
    times = 0
    while not until.is_set():
        report = await audit(store, SystemClock())
        assert report.is_balanced, report.misfits
        times += 1
        await asyncio.sleep(1.0)
    return times


def _show(when: str, found: list[list[float]]) -> None:
    for what, each in zip(("accept", "settle"), found, strict=True):
        cuts = quantiles(each, n=100)
        print(
            f"{when:>14} {what}: p50 {cuts[49]:6.1f} ms  p99 {cuts[98]:6.1f} ms  "
            f"longest {max(each):6.1f} ms  of {len(each)}"
        )


async def _measure(store: Store, count: int, alone_s: float) -> None:
    application = make_application()
    await store.put(application)
    clock = SystemClock()
    await _fill(store, application, count, clock.now_us() - 60 * DAY_US)
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(alone_s, stop.set)
    _show("alone", await _traffic(store, application, stop))
    stop = asyncio.Event()
    busy = asyncio.create_task(_traffic(store, application, stop))
    watch = asyncio.create_task(_audits(store, stop))
    keeper = Keeper(store, clock, "bench", kept=_KEPT)
    began_s = time.perf_counter()
    purged = await keeper.round()
    took_s = time.perf_counter() - began_s
    stop.set()
    _show("beside a purge", await busy)
    assert purged is not None
    assert purged.messages == count, purged
    report = await audit(store, clock)
    assert report.is_balanced, report.misfits
    print(
        f"{count:,} messages purged in {took_s:.1f} s, {count / took_s:,.0f}/s; "
        f"{await watch} audits meanwhile, all balanced"
    )


async def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--store", default="", help="URL; default: a temporary SQLite file")
    parser.add_argument("--messages", type=int, default=30_000, help="to be purged")
    parser.add_argument("--alone-s", type=float, default=5.0, help="length of the run without")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = await open_store(options.store or f"sqlite:///{folder}/bench.db", migrate=True)
        await _measure(store, options.messages, options.alone_s)
        await store.close()


if __name__ == "__main__":
    uvloop.run(_main())
