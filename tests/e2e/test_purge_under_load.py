"""Killed while it purges and delivers: nothing unfinished is lost, and the books always balance."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from support.making import aged, make_acceptance, make_attempt, make_change
from support.processes import Homing, Shop, audit, run, serving, shop
from support.receiver import Receiver, respond

from homing.core.lifecycle import Delivery, State
from homing.core.queries import Page
from homing.core.records import Acceptance
from homing.core.resources import Application
from homing.core.retention import DAY_US
from homing.core.store import Store
from homing.service import books
from homing.store import open_store
from homing.system import SystemClock

OLD = 4_000
UNFINISHED = 200
DEAD = 50
KILLS = 3
SETTINGS = {
    "retain_payload_d": 20,
    "retain_attempts_d": 20,
    "retain_log_d": 30,
    "retain_dead_d": 300,
    "retain_every_s": 1,
    "audit_every_s": 1,
}


def ended(before: Delivery, state: State) -> Delivery:
    return aged(
        before,
        state=state,
        ready_at_us=None,
        holder=None,
        leases=1,
        finished_at_us=before.accepted_at_us,
        reason="attempts_exhausted" if state is State.DEAD else None,
    )


async def plant(store: Store, endpoint_id: str, state: State, count: int) -> list[Acceptance]:
    """Messages of a hundred days ago, for the one endpoint of the only application."""
    [application] = await store.list(Application, None, Page(limit=10))
    at_us = SystemClock().now_us() - 100 * DAY_US
    items = [
        make_acceptance(
            application,
            (endpoint_id,),
            state=State.WAITING,
            accepted_at_us=at_us + number * 1_000,
        )
        for number in range(count)
    ]
    for start in range(0, count, 500):
        some = items[start : start + 500]
        await store.accept(some)
        if state is not State.WAITING:
            changes = []
            for item in some:
                [before] = item.deliveries
                attempt = make_attempt(before)
                changes.append(make_change(before, ended(before, state), attempt=attempt))
            assert all(await store.settle(changes))
    return items


async def publish(publisher: Shop, accepted: set[str]) -> None:
    """Send messages until this is cancelled or the service is gone."""
    number = 0
    with suppress(httpx.HTTPError):
        while True:
            accepted.add(await publisher.send(number))
            number += 1
            await asyncio.sleep(0.01)


async def balance(store: Store) -> None:
    """Audit until this is cancelled."""
    while True:
        report = await books.audit(store, SystemClock())
        assert report.is_balanced, (report.misfits, report.rows)
        await asyncio.sleep(0.5)


async def kept(store: Store, items: list[Acceptance]) -> int:
    return len(await store.messages_by_ids([item.message.id for item in items]))


async def until_purged(store: Store, items: list[Acceptance], at_most: int) -> None:
    """Until no more than so many are left, as one in twenty of them tells."""
    some = items[::20]
    async with asyncio.timeout(120):
        while await kept(store, some) * 20 > at_most:
            await asyncio.sleep(0.02)
        while not at_most and await kept(store, items):
            await asyncio.sleep(0.02)


async def begin(folder: Path, receiver: Receiver, database_url: str) -> str:
    """The application and its endpoint; the endpoint's id."""
    async with serving(folder, database_url=database_url) as homing, shop(homing, folder) as who:
        endpoint = await who.add_endpoint(receiver.url("/hook"))
        homing.signal(signal.SIGTERM)
        await homing.wait()
    return str(endpoint["id"])


async def kill_while_purging(
    folder: Path, store: Store, old: list[Acceptance], accepted: set[str], database_url: str
) -> None:
    async with (
        serving(folder, database_url=database_url, **SETTINGS) as homing,
        shop(homing, folder) as publisher,
    ):
        busy = asyncio.create_task(publish(publisher, accepted))
        await until_purged(store, old, max(await kept(store, old) - 200, 0))
        homing.signal(signal.SIGKILL)
        await homing.process.wait()
        await busy


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_empty_url"))
    return f"sqlite:///{tmp_path}/homing.db"


@pytest.mark.slow
async def test_a_purge_that_is_killed_again_and_again_loses_nothing_unfinished(
    tmp_path: Path, database_url: str
) -> None:
    accepted: set[str] = set()
    async with Receiver() as receiver:
        receiver.script("/hook", respond(200))
        endpoint_id = await begin(tmp_path, receiver, database_url)
        store = await open_store(database_url, migrate=False)
        dead = await plant(store, endpoint_id, State.DEAD, DEAD)
        unfinished = await plant(store, endpoint_id, State.WAITING, UNFINISHED)
        watch = asyncio.create_task(balance(store))
        old: list[Acceptance] = []
        left: list[int] = []
        # A purge that was quicker than its kill is followed by another.
        while len(left) < KILLS or not (any(left) or len(left) > 3 * KILLS):
            if not any(left[-1:]):
                old += await plant(store, endpoint_id, State.DELIVERED, OLD)
            await kill_while_purging(tmp_path, store, old, accepted, database_url)
            left.append(await kept(store, old))
            assert not watch.done(), watch.exception()
        assert any(left), "no kill hit the purge: plant more"
        async with serving(tmp_path, database_url=database_url, **SETTINGS) as homing:
            await until_purged(store, old, 0)
            await finished(store, homing)
        watch.cancel()
        with suppress(asyncio.CancelledError):
            await watch
        received = {request.headers["webhook-id"] for request in receiver.requests}
    ids = {item.message.id for item in unfinished}
    assert ids | accepted <= received
    assert not {item.message.id for item in old} & received
    # what has just finished, and the dead letters, are kept whole
    for items in (unfinished, dead):
        assert await kept(store, items) == len(items)
        assert all(
            message.payload is not None
            for message in (
                await store.messages_by_ids([item.message.id for item in items])
            ).values()
        )
    await store.close()
    # The planted rows have no lives to read: nothing led to where they are.
    report = await audit(tmp_path, "--books", database_url=database_url)
    assert report["balanced"]
    # a kill may leave one chunk out of the count
    assert len(old) - len(left) * 1_000 <= report["purged"]["messages"] <= len(old)
    assert report["total"]["dead"] == DEAD
    code, out, _ = await run(tmp_path, "audit", "--books", database_url=database_url)
    assert code == 0
    assert "beyond retention and on neither side" in " ".join(out.split())


async def finished(store: Store, homing: Homing) -> None:
    """Until nothing waits."""
    async with asyncio.timeout(120):
        while await store.next_ready_at_us() is not None:
            assert homing.process.returncode is None
            await asyncio.sleep(0.1)
