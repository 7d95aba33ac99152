"""When processes die often, what was only there each time is not set aside as what kills."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from support.making import make_delivery
from support.world import World

from homing.core.lifecycle import Delivery, State
from homing.core.outcome import Reason
from homing.core.queries import AttemptFilter, DeliveryFilter, Page
from homing.dispatch.suspects import Suspects, pause_us
from homing.store.memory.store import MemoryStore

_COUNT = 60


@asynccontextmanager
async def living(world: World) -> AsyncIterator[None]:
    """A process whose receiver does not answer, and that is killed: it writes nothing more."""
    world.sender.hold()
    run = asyncio.create_task(world.dispatcher.run())
    yield
    dead = [run, *world.dispatcher._sending.values()]
    for task in dead:
        task.cancel()
    with suppress(asyncio.CancelledError):
        await asyncio.gather(*dead, return_exceptions=True)


async def in_flight(world: World, count: int) -> None:
    async with asyncio.timeout(60):
        while world.dispatcher.in_flight < count:
            await asyncio.sleep(0.001)


async def deliveries_of(world: World) -> list[Delivery]:
    return await world.store.deliveries(
        DeliveryFilter(endpoint_id=world.endpoints[0].id), Page(limit=1_000)
    )


async def test_of_many_that_two_processes_died_with_the_third_takes_only_a_few() -> None:
    store = MemoryStore()
    first = World(store, name="first")
    await first.begin()
    async with living(first):
        await asyncio.gather(*(first.send() for _ in range(_COUNT)))
        await in_flight(first, _COUNT)
    first.clock.advance(61)
    second = World(store, clock=first.clock, name="second")
    async with living(second):
        await in_flight(second, _COUNT)
    first.clock.advance(61)
    third = World(store, clock=first.clock, name="third")
    third.endpoints = first.endpoints
    async with living(third):
        await in_flight(third, 8)
        async with asyncio.timeout(60):
            while any(d.holder == "second" for d in await deliveries_of(first)):
                await asyncio.sleep(0.001)
        assert third.dispatcher.in_flight == 8
        found = await deliveries_of(first)
        waiting = [d for d in found if d.state is State.WAITING]
        assert len(waiting) == _COUNT - 8
        assert {d.unanswered for d in waiting} == {2}, "what they are suspected for is kept"
        now_us = first.clock.now_us()
        assert all(now_us < (d.ready_at_us or 0) <= now_us + 60_000_000 for d in waiting)
    attempts = await store.attempts(AttemptFilter(app_id=first.application.id), Page(limit=1_000))
    lapsed = [one for one in attempts if one.reason is Reason.NO_OUTCOME]
    assert len(lapsed) == 2 * _COUNT, "each lapsed lease is an attempt that nobody answered for"


async def test_a_place_that_is_free_again_is_given_to_the_next_suspect() -> None:
    suspects = Suspects()
    suspect = make_delivery(unanswered=2, leases=2)
    leased = make_delivery(unanswered=3, leases=3)
    suspects.begin_claim()
    assert [suspects.admit(suspect) for _ in range(9)] == [True] * 8 + [False]
    for _ in range(8):
        suspects.started(leased)
    suspects.begin_claim()
    assert not suspects.admit(suspect)
    suspects.ended(leased)
    assert suspects.admit(suspect)
    assert not suspects.admit(suspect)


def test_of_those_that_three_processes_died_with_one_is_attempted_at_a_time() -> None:
    suspects = Suspects()
    grave = make_delivery(unanswered=3, leases=3)
    leased = make_delivery(unanswered=4, leases=4)
    suspects.begin_claim()
    assert [suspects.admit(grave), suspects.admit(grave)] == [True, False]
    assert suspects.admit(make_delivery(unanswered=2, leases=2)), "lighter ones go on beside it"
    suspects.started(leased)
    suspects.begin_claim()
    assert not suspects.admit(grave)
    suspects.ended(leased)
    assert suspects.admit(grave)


def test_one_lapsed_lease_is_what_any_restart_costs() -> None:
    suspects = Suspects()
    suspects.begin_claim()
    assert all(suspects.admit(make_delivery(unanswered=1)) for _ in range(1_000))


def test_a_suspect_waits_for_between_a_tenth_and_six_tenths_of_a_lease() -> None:
    assert pause_us(60.0, 0.0) == 6_000_000
    assert pause_us(60.0, 0.999_999_999) == 36_000_000
