"""What several processes on one database may rely on."""

from __future__ import annotations

import asyncio

import msgspec
from support.claiming import claim_due
from support.making import (
    HOLDER,
    LEASE_US,
    ORG_ID,
    START_US,
    make_acceptance,
    make_application,
    make_change,
    make_key,
)

from homing.core.errors import Stale
from homing.core.lifecycle import Delivery, Leased, State, Succeeded, step
from homing.core.queries import LogCursor, LoggedEntry
from homing.core.records import Accepted, Change, Repeated
from homing.core.resources import Application
from homing.core.retry import RetryPolicy
from homing.core.store import Store


def lease(delivery: Delivery) -> Change:
    fact = Leased(at_us=START_US, holder=HOLDER, until_us=START_US + LEASE_US)
    return make_change(delivery, step(delivery, fact, RetryPolicy()))


async def test_what_one_process_accepted_another_sees(stores: tuple[Store, Store]) -> None:
    one, other = stores
    application = make_application()
    await one.put(application)
    item = make_acceptance(application)
    assert await other.accept([item]) == [Accepted()]
    assert await one.message(application.id, item.message.id) == item.message


async def test_two_processes_never_claim_the_same_delivery(stores: tuple[Store, Store]) -> None:
    application = make_application()
    await stores[0].put(application)
    items = [make_acceptance(application, ("ep_1",), state=State.WAITING) for _ in range(200)]
    await stores[0].accept(items)

    async def drain(store: Store) -> list[Delivery]:
        mine = []
        for _ in range(100):
            claimed = await claim_due(store, lease, at_us=START_US, count=9)
            if not claimed:
                return mine
            mine += [found.delivery for found in claimed]
        raise AssertionError("there is no end to what can be claimed")

    drained = await asyncio.gather(*(drain(store) for store in (*stores, *stores)))
    taken = sorted(delivery.id for found in drained for delivery in found)
    assert taken == sorted(item.deliveries[0].id for item in items)


async def test_of_two_processes_settling_the_same_delivery_one_wins(
    stores: tuple[Store, Store],
) -> None:
    application = make_application()
    await stores[0].put(application)
    items = [make_acceptance(application) for _ in range(20)]
    await stores[0].accept(items)

    def decided(at_us: int) -> list[Change]:
        befores = [item.deliveries[0] for item in items]
        return [
            make_change(before, step(before, Succeeded(at_us=at_us), RetryPolicy()))
            for before in befores
        ]

    one, other = await asyncio.gather(
        stores[0].settle(decided(START_US)), stores[1].settle(decided(START_US + 1))
    )
    assert [first != second for first, second in zip(one, other, strict=True)] == [True] * 20


async def test_of_two_processes_accepting_the_same_key_one_wins(
    stores: tuple[Store, Store],
) -> None:
    application = make_application()
    await stores[0].put(application)
    for number in range(10):
        key = make_key(f"key {number}")
        items = [make_acceptance(application, keys=(key,)) for _ in stores]
        results = await asyncio.gather(
            *(store.accept([item]) for store, item in zip(stores, items, strict=True))
        )
        found = [result for [result] in results]
        assert Accepted() in found
        assert len([result for result in found if isinstance(result, Repeated)]) == 1


async def test_of_two_processes_writing_the_same_resource_one_wins(
    stores: tuple[Store, Store],
) -> None:
    application = make_application()
    await stores[0].put(application)
    versions = [
        msgspec.structs.replace(application, name=name, version=2) for name in ("one", "other")
    ]
    results = await asyncio.gather(
        *(store.put(version) for store, version in zip(stores, versions, strict=True)),
        return_exceptions=True,
    )
    lost = [version for version, result in zip(versions, results, strict=True) if result]
    assert len(lost) == 1
    assert [type(result) for result in results if result] == [Stale]
    found = await stores[0].get(Application, ORG_ID, application.id)
    assert found in versions
    assert found not in lost


async def test_the_log_is_followed_without_missing_a_line(stores: tuple[Store, Store]) -> None:
    application = make_application()
    await stores[0].put(application)

    async def write(store: Store) -> None:
        for _ in range(20):
            await store.accept([make_acceptance(application) for _ in range(3)])

    async def follow(writing: asyncio.Future[object]) -> list[LoggedEntry]:
        seen: list[LoggedEntry] = []
        for _ in range(1_000_000):
            was_done = writing.done()
            lines = await stores[0].log(seen[-1].cursor if seen else LogCursor(), limit=7)
            seen += lines
            if was_done and not lines:
                return seen
        raise AssertionError("the log has no end")

    seen = await follow(asyncio.gather(write(stores[0]), write(stores[1])))
    assert len(seen) == 120
    assert seen == await stores[1].log(LogCursor(), limit=1_000)
