"""How fast a store takes messages in and writes outcomes down, with nothing else around it.

    python -m bench.store                                   a SQLite file in a temporary folder
    python -m bench.store --store postgresql://…            a database whose contents may be lost
    python -m bench.store --busy                            beside an event loop that is never idle

A message here is one message to one endpoint with one key, 600 bytes: accepting it writes four
rows, settling it deletes one and writes three, claiming it rewrites one, adds one and reads it.
Batches are submitted `--parallel` at a time. The wall clock counts commits, and everybody else.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import uvloop

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from support.claiming import claim_due
from support.making import (
    START_US,
    make_acceptance,
    make_application,
    make_attempt,
    make_change,
    make_id,
    make_key,
)

from homing.core.lifecycle import Delivery, Leased, State, Succeeded, step
from homing.core.records import Acceptance, Change
from homing.core.resources import Application
from homing.core.retry import RetryPolicy
from homing.core.store import Store
from homing.store import open_store

_BATCHES = (1, 10, 100, 1_000)
_PAYLOAD = b"x" * 600


def _acceptances(
    application: Application, count: int, run: str, state: State = State.LEASED
) -> list[Acceptance]:
    endpoint_ids = [make_id("ep_") for _ in range(5)]
    return [
        make_acceptance(
            application,
            (endpoint_ids[number % 5],),
            state=state,
            accepted_at_us=START_US + number * 100,
            payload=_PAYLOAD,
            keys=(make_key(f"{run}{number}"),),
        )
        for number in range(count)
    ]


def _changes(items: list[Acceptance]) -> list[Change]:
    made = []
    for item in items:
        [before] = item.deliveries
        after = step(before, Succeeded(at_us=START_US), RetryPolicy())
        made.append(make_change(before, after, attempt=make_attempt(before)))
    return made


def _lease(before: Delivery) -> Change:
    fact = Leased(at_us=START_US, holder="bench", until_us=3 * START_US)
    return make_change(before, step(before, fact, RetryPolicy()))


async def _timed(
    verb: Callable[[list[Any]], Awaitable[object]], rows: list[Any], batch: int, parallel: int
) -> tuple[float, float]:
    """Seconds on the clock and on the processor, for all rows in batches."""
    batches = iter([rows[start : start + batch] for start in range(0, len(rows), batch)])

    async def work() -> None:
        for some in batches:
            await verb(some)

    wall_s, cpu_s = time.perf_counter(), time.process_time()
    await asyncio.gather(*(work() for _ in range(parallel)))
    return time.perf_counter() - wall_s, time.process_time() - cpu_s


async def _never_idle() -> None:
    """What a busy service looks like to the store's thread: a loop that always has work."""
    while True:
        sum(range(2_000))
        await asyncio.sleep(0)


async def _measure(store: Store, count: int, parallel: int) -> None:
    print(f"{'batch':>6} {'':>8} {'rows/s':>9} {'µs each':>9} {'CPU µs each':>12}")
    for batch in _BATCHES:
        application = make_application()
        await store.put(application)
        total = min(count, batch * 200) if batch < 100 else count
        items = _acceptances(application, total, f"{batch}-")
        due = _acceptances(application, total, f"{batch}-due-", State.WAITING)
        for start in range(0, total, 1_000):
            await store.accept(due[start : start + 1_000])

        async def claim(wanted: list[Acceptance]) -> None:
            await claim_due(store, _lease, at_us=2 * START_US, count=len(wanted))

        for name, verb, rows in (
            ("claim", claim, due),
            ("accept", store.accept, items),
            ("settle", store.settle, _changes(items)),
        ):
            wall_s, cpu_s = await _timed(verb, rows, batch, parallel)
            each_us, cpu_us = wall_s / total * 1e6, cpu_s / total * 1e6
            print(f"{batch:>6} {name:>8} {total / wall_s:>9,.0f} {each_us:>9.1f} {cpu_us:>12.1f}")


async def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--store", default="", help="URL; default: a temporary SQLite file")
    parser.add_argument("--count", type=int, default=20_000, help="messages at the large batches")
    parser.add_argument("--parallel", type=int, default=2, help="batches submitted at a time")
    parser.add_argument("--busy", action="store_true", help="with an event loop never idle")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = await open_store(options.store or f"sqlite:///{folder}/bench.db")
        noise = asyncio.ensure_future(_never_idle()) if options.busy else None
        await _measure(store, options.count, options.parallel)
        if noise is not None:
            noise.cancel()
        await store.close()


if __name__ == "__main__":
    uvloop.run(_main())
