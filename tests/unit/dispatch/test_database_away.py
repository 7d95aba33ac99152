"""A database that fails in the middle of things: what was begun is finished, no room is lost."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from support.making import ORG_ID, SECOND_US
from support.scripted import OK, status
from support.world import LIMITS, World, running

from homing.core.errors import Unavailable
from homing.core.lifecycle import State
from homing.core.outcome import Reason
from homing.core.records import Acceptance, AcceptResult, RequestKey
from homing.dispatch.settler import BATCH_MAX
from homing.service.intake import Draft
from homing.store.memory.store import MemoryStore


class FailingStore(MemoryStore):
    """The methods named in `away` fail; how often each was asked for is in `asked`."""

    def __init__(self) -> None:
        super().__init__()
        self.away: set[str] = set()
        self.asked: Counter[str] = Counter()

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("_") or name in ("away", "asked"):
            return super().__getattribute__(name)
        self.asked[name] += 1
        return self._fail if name in self.away else super().__getattribute__(name)

    async def _fail(self, *_: object, **__: object) -> Any:
        raise Unavailable("the database is away")


KEY = RequestKey(digest=b"k" * 16, fingerprint=b"f" * 16, expires_at_us=2**62)
DRAFT = Draft(event_type="payment.captured", payload=b"{}")


async def test_a_repeat_that_cannot_be_answered_costs_nobody_room_or_an_answer() -> None:
    store = FailingStore()
    async with running(World(store)) as world:
        await world.begin()
        create = world.intake.create_message
        app = world.application.id
        rooms = world.room()
        await create(ORG_ID, app, DRAFT, keys=(KEY,))
        await world.settle()
        store.away = {"messages_by_ids"}
        repeat, other = await asyncio.gather(
            create(ORG_ID, app, DRAFT, keys=(KEY,)),
            create(ORG_ID, app, DRAFT),
            return_exceptions=True,
        )
        assert isinstance(repeat, Unavailable)
        assert not isinstance(other, BaseException)
        await world.settle()
        assert (await world.delivery(other[0])).state is State.DELIVERED
        assert world.room() == rooms


async def test_an_answer_of_410_is_written_down_though_the_endpoint_cannot_be() -> None:
    store = FailingStore()
    answers = [status(410), OK]
    async with running(World(store, lambda _: answers.pop(0))) as world:
        await world.begin()
        store.away = {"put"}
        message = await world.send()
        await world.settle()
        (attempt,) = await world.attempts(message)
        assert attempt.status == 410
        assert (await world.delivery(message)).state is State.PARKED
        # Its endpoint is still enabled, so it is tried again: the receiver will say so once more.
        await world.sweeper.sweep()
        await world.settle()
        assert (await world.delivery(message)).state is State.DELIVERED


async def test_what_cannot_be_begun_is_not_claimed() -> None:
    store = FailingStore()
    limits = msgspec.structs.replace(LIMITS, sends_max=1, unanswered_max=1)
    async with running(World(store, limits=limits)) as world:
        await world.begin()
        held = world.sender.hold()
        await world.send()
        waiting = await world.send()  # there is no room for it: it has to be claimed
        asked = store.asked["by_ids"]
        store.away = {"by_ids"}
        held.set()
        async with asyncio.timeout(60):
            while store.asked["by_ids"] < asked + 2:
                await asyncio.sleep(0.01)
        store.away = set()
        await world.settle()
        assert (await world.delivery(waiting)).state is State.DELIVERED
        assert [a.reason for a in await world.attempts(waiting)] == [Reason.OK]


async def test_outcomes_that_cannot_be_written_keep_more_work_from_being_taken() -> None:
    store = FailingStore()
    limits = msgspec.structs.replace(LIMITS, sends_max=100)
    async with running(World(store, limits=limits)) as world:
        await world.begin()
        store.away = {"settle"}
        many = 4 * BATCH_MAX
        drafts = [DRAFT] * limits.sends_max
        for _ in range(many // len(drafts)):
            await world.intake.create_messages(ORG_ID, world.application.id, drafts)
            while world.dispatcher.in_flight:
                await asyncio.sleep(0)
        assert len(world.sender.requests) <= 3 * BATCH_MAX + limits.sends_max
        store.away = set()
        await world.settle()
        assert len(world.sender.requests) == many


async def test_a_success_that_could_not_be_written_down_still_counts() -> None:
    store = FailingStore()
    answers = [status(500), OK, status(500), status(500), status(500)]
    async with running(World(store, lambda _: answers.pop(0))) as world:
        await world.begin()
        for after_s in (0, 1_000, 1_000, 1_700):
            world.clock.advance(after_s)
            store.away = {"by_ids"} if after_s == 1_000 else set()
            await world.send()
            await world.dispatcher.flush()
            await world.health.flush()
        known = await world.known_health()
        assert known is not None
        assert known.failing_since_us == world.clock.now_us() - 1_700 * SECOND_US


class HangingStore(MemoryStore):
    """Accepts when told to go on."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = asyncio.Event()

    async def accept(self, batch: Sequence[Acceptance]) -> list[AcceptResult]:
        await self.go_on.wait()
        return await super().accept(batch)


async def test_messages_do_not_pile_up_in_memory_while_the_database_hangs() -> None:
    store = HangingStore()
    async with running(World(store)) as world:
        await world.begin()
        first = asyncio.create_task(world.send())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        other = await world.add_tenant()
        gone = asyncio.create_task(world.send(b'"nobody waits for it"'))
        waiting = [asyncio.create_task(world.send(b"x" * 2**20)) for _ in range(60)]
        await asyncio.sleep(0)
        gone.cancel()
        with pytest.raises(Unavailable, match="does not keep up"):
            await world.send()
        beside = asyncio.create_task(world.send_as(other))
        await asyncio.sleep(0)
        store.go_on.set()
        results = await asyncio.gather(first, beside, *waiting, return_exceptions=True)
        accepted = [result for result in results if not isinstance(result, BaseException)]
        # Four fifths of 64 MiB, and then no more; but room for others.
        assert len(accepted) - 2 == 52
        assert beside.exception() is None
        await world.send()
        await world.settle()
        assert len(world.sender.requests) == len(accepted) + 1
