"""Sharing, limits and breakers at work: the dispatcher and the intake over the memory store."""

from __future__ import annotations

import asyncio
import logging

import msgspec
import pytest
from support.making import SECOND_US, make_acceptance
from support.scripted import OK, status
from support.world import LIMITS, World, make_world, running

from homing.core.lifecycle import State
from homing.core.outcome import Outcome, Reason
from homing.core.ports import NoMeters, Request
from homing.core.queries import Page
from homing.core.resources import Application, Endpoint
from homing.dispatch.breaker import BreakerRules
from homing.dispatch.loop import DispatchLimits
from homing.dispatch.planner import Shares

SHARED = msgspec.structs.replace(LIMITS, sends_max=20, shares=Shares())
SILENT = Outcome(reason=Reason.FIRST_BYTE_TIMEOUT)


def asked(world: World, payload: bytes) -> int:
    return sum(request.body == payload for request in world.sender.requests)


async def until(world: World, payload: bytes, count: int) -> None:
    async with asyncio.timeout(60):
        while asked(world, payload) < count:
            await asyncio.sleep(0.002)


async def come(world: World, count: int) -> None:
    """Until so many requests have been made in all."""
    async with asyncio.timeout(60):
        while len(world.sender.requests) < count:
            await asyncio.sleep(0.002)


async def backlog(world: World, application: Application, count: int, payload: bytes) -> None:
    """So many deliveries, due and nobody's, of the application's one endpoint."""
    [endpoint] = await world.store.list(Endpoint, application.id, Page(limit=10))
    [application] = await world.store.by_ids(Application, [application.id])
    items = [
        make_acceptance(
            application,
            (endpoint.id,),
            state=State.WAITING,
            payload=payload,
            accepted_at_us=world.clock.now_us() - 60 * SECOND_US,
        )
        for _ in range(count)
    ]
    await world.store.accept(items)


async def test_a_backlog_of_one_tenant_does_not_hold_up_what_another_is_due() -> None:
    async with running(make_world(limits=SHARED)) as world:
        await world.begin()
        hog, victim = await world.add_tenant(), await world.add_tenant()
        held = world.sender.hold()
        await backlog(world, hog, 2_000, b'"hog"')
        world.dispatcher.wake()
        await until(world, b'"hog"', 10)
        await backlog(world, victim, 1, b'"victim"')
        world.dispatcher.wake()
        await until(world, b'"victim"', 1)
        assert asked(world, b'"hog"') == 10, "half of the places, however much is due"
        held.set()


async def test_a_hanging_endpoint_leaves_places_for_messages_of_others() -> None:
    async with running(make_world(limits=SHARED)) as world:
        await world.begin()
        victim = await world.add_tenant()
        held = world.sender.hold()
        await asyncio.gather(*(world.send(b'"hog"') for _ in range(100)))
        await until(world, b'"hog"', 10)
        await world.send_as(victim, b'"victim"')
        await until(world, b'"victim"', 1)
        held.set()


async def test_a_limit_on_concurrency_is_kept_and_all_is_sent() -> None:
    async with running(make_world()) as world:
        await world.begin(concurrency_limit=3)
        held = world.sender.hold()
        messages = await asyncio.gather(*(world.send() for _ in range(20)))
        await until(world, b"{}", 3)
        await asyncio.sleep(0.05)
        held.set()
        await world.settle()
        assert world.sender.most_at_once == 3
        for message in messages:
            assert (await world.delivery(message)).state is State.DELIVERED


async def test_a_limit_on_concurrency_of_an_application_is_kept() -> None:
    world = make_world()
    world.application = msgspec.structs.replace(world.application, concurrency_limit=2)
    async with running(world):
        await world.begin(3)
        await asyncio.gather(*(world.send() for _ in range(6)))
        await world.settle()
        assert world.sender.most_at_once <= 2
        assert len(world.sender.requests) == 18


async def test_a_rate_is_kept_as_time_goes_by() -> None:
    async with running(make_world()) as world:
        await world.begin(rate_limit=10)
        for number in range(30):
            await world.send(b'"%d"' % number)
        await come(world, 5)
        await asyncio.sleep(0.2)
        assert len(world.sender.requests) == 5
        for step in range(1, 11):
            world.clock.advance(0.25)
            allowed = 5 + 2.5 * step
            await come(world, int(allowed) - 1)
            assert len(world.sender.requests) <= allowed + 1
        world.clock.advance(10)
        await world.settle()
        assert len(world.sender.requests) == 30


class Watching(NoMeters):
    def __init__(self) -> None:
        self.changes: list[tuple[str, int]] = []

    def breaker_changed(self, change: str, open_now: int) -> None:
        self.changes.append((change, open_now))


async def test_an_endpoint_that_is_silent_is_probed_and_nothing_is_spent_on_the_rest(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "homing.dispatch")
    answers = {"now": SILENT}

    def answer(_: Request) -> Outcome:
        return answers["now"]

    rules = BreakerRules(failures=3, cool_down_max_s=60)
    limits = msgspec.structs.replace(LIMITS, breakers=rules)
    async with running(make_world(answer, limits=limits)) as world:
        world.dispatcher._meters = meters = Watching()  # type: ignore[assignment]
        await world.begin()
        for _ in range(3):
            await world.send()
            await world.dispatcher.flush()
        assert meters.changes == [("opened", 1)]
        waiting = [await world.send() for _ in range(20)]
        await asyncio.sleep(0.1)
        assert len(world.sender.requests) == 3
        assert world.dispatcher.late_since_us == world.clock.now_us(), "held back is not late"
        for message in waiting:
            delivery = await world.delivery(message)
            assert (delivery.state, delivery.leases) == (State.WAITING, 0)
        world.clock.advance(1.1)
        async with asyncio.timeout(60):
            while len(world.sender.requests) < 4:
                await asyncio.sleep(0.005)
        await asyncio.sleep(0.1)
        assert len(world.sender.requests) == 4, "one probe"
        answers["now"] = OK
        world.clock.advance(2.1)
        await world.settle()
        assert meters.changes == [("opened", 1), ("closed", 0)]
        for message in waiting:
            assert (await world.delivery(message)).state in (State.DELIVERED, State.WAITING)
        assert sum("does not answer" in line for line in caplog.messages) == 1
        assert sum("answers again" in line for line in caplog.messages) == 1


async def test_a_receiver_that_answers_errors_keeps_its_retry_schedule() -> None:
    limits = msgspec.structs.replace(LIMITS, breakers=BreakerRules(failures=1))
    async with running(make_world(lambda _: status(503), limits=limits)) as world:
        await world.begin()
        for _ in range(10):
            await world.send()
        await world.settle()
        assert len(world.sender.requests) == 10


async def test_what_is_due_and_could_be_sent_is_late() -> None:
    limits: DispatchLimits = msgspec.structs.replace(LIMITS, sends_max=1)
    async with running(make_world(limits=limits)) as world:
        await world.begin()
        held = world.sender.hold()
        await world.send()
        began_us = world.clock.now_us()
        async with asyncio.timeout(60):
            while world.dispatcher.late_since_us is None:  # until it has looked once
                await asyncio.sleep(0.002)
        await world.send()
        world.clock.advance(100)
        await asyncio.sleep(0.05)
        late_since_us = world.dispatcher.late_since_us
        assert late_since_us is not None
        assert late_since_us <= began_us
        held.set()
        await world.settle()


async def test_weights_decide_who_gets_more_of_what_is_scarce() -> None:
    async with running(make_world(limits=SHARED)) as world:
        await world.begin()
        heavy, light = await world.add_tenant(weight=3), await world.add_tenant()
        await backlog(world, heavy, 300, b'"heavy"')
        await backlog(world, light, 300, b'"light"')
        held = world.sender.hold()
        world.dispatcher.wake()
        await come(world, 15)  # three quarters of the places: as many as are given
        assert asked(world, b'"heavy"') > asked(world, b'"light"') > 0
        held.set()
