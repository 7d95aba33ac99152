"""The dispatcher, the intake and the sweep together, over the memory store."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import msgspec
import pytest
from support.making import ORG_ID, SECOND_US
from support.scripted import OK, status
from support.tasks import service_of
from support.world import LIMITS, World, make_world, running

from homing.core.errors import Conflict, NotFound, Unavailable
from homing.core.lifecycle import DeadReason, State
from homing.core.limits import Lane
from homing.core.outcome import Outcome, Reason
from homing.core.ports import Request
from homing.core.queries import LogCursor
from homing.core.records import Change, RequestKey, Trigger
from homing.core.resources import Application, Endpoint
from homing.service.deliveries import discard, redrive, resend
from homing.service.endpoints import patch_endpoint
from homing.service.intake import Draft
from homing.service.tokens import Caller
from homing.store.memory.store import MemoryStore


async def operations(world: World) -> list[str]:
    lines = await world.store.log(LogCursor(), limit=1000)
    return [line.entry.op for line in lines]


async def test_an_accepted_message_is_born_leased_and_delivered_without_a_claim() -> None:
    async with running(make_world()) as world:
        await world.begin()
        message = await world.send(b'{"amount": 1.50}')
        await world.settle()
        delivery = await world.delivery(message)
        assert (delivery.state, delivery.leases) == (State.DELIVERED, 1)
        assert [r.body for r in world.sender.requests] == [b'{"amount": 1.50}']
        assert await operations(world) == ["accepted", "succeeded"]
        (attempt,) = await world.attempts(message)
        assert (attempt.number, attempt.reason, attempt.trigger) == (
            1,
            Reason.OK,
            Trigger.SCHEDULED,
        )


async def test_messages_that_arrive_together_share_commits() -> None:
    async with running(make_world()) as world:
        await world.begin()
        await asyncio.gather(*(world.send() for _ in range(200)))
        await world.settle()
        assert len(world.sender.requests) == 200
        assert isinstance(world.store, MemoryStore)
        assert world.store.commits < 50


async def test_attempts_handed_over_together_leave_others_their_turn() -> None:
    async with running(make_world()) as world:
        await world.begin()
        begun_before: list[int] = []
        watching = True

        def look() -> None:  # what the event loop gets to do between attempts
            begun_before.append(len(world.sender.requests))
            if watching:
                asyncio.get_running_loop().call_soon(look)

        asyncio.get_running_loop().call_soon(look)
        await asyncio.gather(*(world.send() for _ in range(60)))
        await world.settle()
        watching = False
        assert len(world.sender.requests) == 60
        steps = [after - before for before, after in pairwise(begun_before)]
        assert max(steps) <= 16


async def test_draining_begins_and_ends_what_was_handed_over() -> None:
    async with running(make_world()) as world:
        await world.begin()
        sending = [asyncio.ensure_future(world.send()) for _ in range(60)]
        while not world.dispatcher.in_flight:
            await asyncio.sleep(0)
        assert len(world.sender.requests) < world.dispatcher.in_flight == 60
        assert await world.dispatcher.drain(5.0)
        assert len(world.sender.requests) == 60
        for message in await asyncio.gather(*sending):
            assert (await world.delivery(message)).state is State.DELIVERED


async def test_a_refusal_is_retried_when_the_schedule_says_and_then_delivered() -> None:
    answers = iter([status(503), status(500), OK])
    async with running(make_world(lambda _: next(answers))) as world:
        await world.begin()
        message = await world.send()
        await world.settle()
        waiting = await world.delivery(message)
        assert waiting.state is State.WAITING
        assert waiting.ready_at_us == world.clock.now_us() + 5 * SECOND_US
        world.clock.advance(5)
        await world.settle()
        world.clock.advance(299)
        await world.settle()
        assert len(world.sender.requests) == 2  # not a moment early
        world.clock.advance(1)
        await world.settle()
        assert (await world.delivery(message)).state is State.DELIVERED
        assert [a.reason for a in await world.attempts(message)] == [
            Reason.STATUS,
            Reason.STATUS,
            Reason.OK,
        ]


async def test_the_end_of_the_schedule_is_a_dead_letter_and_a_redrive_brings_it_back() -> None:
    well = False
    async with running(make_world(lambda _: OK if well else status(500))) as world:
        await world.begin()
        message = await world.send()
        for pause_s in (0, 5, 300):
            world.clock.advance(pause_s)
            await world.settle()
        dead = await world.delivery(message)
        assert (dead.state, dead.reason) == (State.DEAD, DeadReason.ATTEMPTS_EXHAUSTED)
        well = True
        await redrive(service_of(world), world.application.id, dead.id, actor="ann")
        await world.settle()
        assert (await world.delivery(message)).state is State.DELIVERED
        with pytest.raises(Conflict, match="not dead but delivered"):
            await redrive(service_of(world), world.application.id, dead.id, actor="ann")


async def test_a_discarded_dead_letter_stays_in_the_books_with_who_and_why() -> None:
    limits = msgspec.structs.replace(
        LIMITS, policy=msgspec.structs.replace(LIMITS.policy, delays_s=())
    )
    async with running(make_world(lambda _: status(500), limits=limits)) as world:
        await world.begin()
        message = await world.send()
        await world.settle()
        service = service_of(world)
        dead = await world.delivery(message)
        await discard(service, world.application.id, dead.id, actor="ann", why="test data")
        after = await world.delivery(message)
        assert (after.state, after.reason) == (State.CANCELLED, "ann: test data")


async def test_a_failed_resend_keeps_the_retry_that_was_due() -> None:
    async with running(make_world(lambda _: status(500))) as world:
        await world.begin()
        message = await world.send()
        await world.settle()
        due_us = (await world.delivery(message)).ready_at_us
        await resend(
            service_of(world), world.application.id, message.id, world.endpoints[0].id, actor="ann"
        )
        await world.settle()
        after = await world.delivery(message)
        assert (after.state, after.ready_at_us, after.failures) == (State.WAITING, due_us, 1)
        assert [a.trigger for a in await world.attempts(message)] == [
            Trigger.SCHEDULED,
            Trigger.MANUAL,
        ]


async def test_a_failed_resend_of_a_delivered_message_leaves_it_delivered() -> None:
    answers = iter([OK, status(500)])
    async with running(make_world(lambda _: next(answers))) as world:
        await world.begin()
        message = await world.send()
        await world.settle()
        await resend(
            service_of(world), world.application.id, message.id, world.endpoints[0].id, actor="ann"
        )
        await world.settle()
        assert (await world.delivery(message)).state is State.DELIVERED
        assert len(world.sender.requests) == 2


async def test_a_resend_to_an_endpoint_that_never_had_the_message_adds_a_delivery() -> None:
    async with running(make_world()) as world:
        await world.begin()
        message = await world.send()
        late = await world.add_endpoint()
        await resend(service_of(world), world.application.id, message.id, late.id, actor="ann")
        await world.settle()
        assert (await world.delivery(message, late)).state is State.DELIVERED


async def test_an_endpoint_made_before_a_message_gets_it_however_warm_the_cache_is() -> None:
    async with running(make_world()) as world:
        await world.begin()
        await world.send()
        for _ in range(5):
            added = await world.add_endpoint()
            message = await world.send()
            await world.settle()
            assert (await world.delivery(message, added)).state is State.DELIVERED


async def test_a_disabled_endpoint_parks_and_gets_everything_when_enabled_again() -> None:
    async with running(make_world()) as world:
        await world.begin()
        endpoint = await world.change_endpoint(
            world.endpoints[0], disabled=True, disabled_reason="by ann"
        )
        messages = [await world.send() for _ in range(3)]
        await world.settle()
        assert not world.sender.requests
        assert [(await world.delivery(m)).state for m in messages] == [State.PARKED] * 3
        assert await world.sweeper.sweep() == 0
        await world.change_endpoint(endpoint, disabled=False, disabled_reason=None)
        assert await world.sweeper.sweep() == 3
        await world.settle()
        assert [(await world.delivery(m)).state for m in messages] == [State.DELIVERED] * 3


async def test_a_retry_that_comes_due_for_a_disabled_endpoint_is_parked_not_sent() -> None:
    async with running(make_world(lambda _: status(500))) as world:
        await world.begin()
        message = await world.send()
        await world.settle()
        await world.change_endpoint(world.endpoints[0], disabled=True, disabled_reason="by ann")
        world.clock.advance(5)
        await world.settle()
        parked = await world.delivery(message)
        assert (parked.state, parked.reason) == (State.PARKED, "by ann")
        assert len(world.sender.requests) == 1


async def test_410_disables_the_endpoint_and_parks_the_delivery() -> None:
    async with running(make_world(lambda _: status(410))) as world:
        await world.begin()
        message = await world.send()
        await world.settle()
        assert (await world.delivery(message)).state is State.PARKED
        (endpoint,) = await world.store.by_ids(Endpoint, [world.endpoints[0].id])
        assert endpoint.disabled
        assert endpoint.disabled_reason == "the receiver answered 410 Gone"
        assert await world.sweeper.sweep() == 0


async def test_deliveries_of_a_deleted_endpoint_are_cancelled_by_name() -> None:
    async with running(make_world(lambda _: status(500))) as world:
        await world.begin(2)
        message = await world.send()
        await world.settle()
        await world.store.delete(world.endpoints[0], touch=world.application.id)
        world.clock.advance(5)
        await world.settle()
        gone = await world.delivery(message)
        assert (gone.state, gone.reason) == (State.CANCELLED, "the endpoint was deleted")
        assert (await world.delivery(message, world.endpoints[1])).state is State.WAITING


async def test_nothing_but_failure_disables_an_endpoint_and_one_success_prevents_it() -> None:
    well = False
    async with running(make_world(lambda _: OK if well else status(500))) as world:
        await world.begin()
        await world.send()
        await world.settle()
        await world.health.flush()
        world.clock.advance(1_800)
        well = True
        await world.send()
        await world.settle()
        await world.health.flush()
        well = False
        for _ in range(3):
            world.clock.advance(1_700)
            await world.send()
            await world.settle()
            await world.health.flush()
        (endpoint,) = await world.store.by_ids(Endpoint, [world.endpoints[0].id])
        assert not endpoint.disabled
        world.clock.advance(1_000)
        await world.send()
        await world.settle()
        await world.health.flush()
        (endpoint,) = await world.store.by_ids(Endpoint, [world.endpoints[0].id])
        assert endpoint.disabled
        assert "nothing but failures since" in (endpoint.disabled_reason or "")


async def test_an_endpoint_is_not_disabled_because_we_cannot_sign_for_it() -> None:
    async with running(make_world(lambda _: Outcome(reason=Reason.SIGN_FAILED))) as world:
        await world.begin()
        for _ in range(4):
            await world.send()
            await world.settle()
            await world.health.flush()
            world.clock.advance(2_000)  # disabled after 3,600 s
        (endpoint,) = await world.store.by_ids(Endpoint, [world.endpoints[0].id])
        assert not endpoint.disabled
        assert await world.known_health() is None


async def test_enabling_an_endpoint_forgets_how_long_it_had_failed() -> None:
    async with running(make_world(lambda _: status(500))) as world:
        await world.begin()
        service, caller = service_of(world), Caller(ORG_ID)
        which = (world.application.id, world.endpoints[0].id)
        for _ in range(2):
            await world.send()
            await world.settle()
            await world.health.flush()
            world.clock.advance(2_000)  # disabled after 3,600 s, announced at half of it
        await patch_endpoint(service, caller, *which, {"disabled": True})
        world.clock.advance(7_200)
        await patch_endpoint(service, caller, *which, {"disabled": False})
        await world.send()
        await world.settle()
        await world.health.flush()
        (endpoint,) = await world.store.by_ids(Endpoint, [world.endpoints[0].id])
        assert not endpoint.disabled
        known = await world.known_health()
        assert known is not None
        assert known.failing_since_us == world.clock.now_us()


async def test_a_lease_whose_holder_died_is_taken_over_and_its_attempt_is_on_record() -> None:
    store = MemoryStore()
    dead = World(store, name="dead:1:a")
    await dead.begin()
    held = dead.sender.hold()
    message = await dead.send()
    await asyncio.sleep(0)
    async with running(World(store, clock=dead.clock, name="alive:2:b")) as alive:
        alive.endpoints, alive.application = dead.endpoints, dead.application
        await alive.settle()
        assert not alive.sender.requests
        dead.clock.advance(61)
        await alive.settle()
        assert (await alive.delivery(message)).state is State.DELIVERED
        assert [(a.number, a.reason) for a in await alive.attempts(message)] == [
            (1, Reason.NO_OUTCOME),
            (2, Reason.OK),
        ]
        held.set()  # the dead come back: too late to decide anything, but it is written down
        await dead.dispatcher.flush()
        late = [a for a in await alive.attempts(message) if a.late]
        assert [a.number for a in late] == [1]
        assert await alive.delivery(message) == await dead.delivery(message)
        await dead.dispatcher.drain(1.0)


async def test_a_delivery_that_kills_every_dispatcher_is_quarantined() -> None:
    store = MemoryStore()
    first = World(store)
    await first.begin()
    first.sender.hold()
    message = await first.send()
    await asyncio.sleep(0)
    worlds = [first]
    bound = first.dispatcher.limits.unanswered_max

    async def is_dead() -> bool:
        return (await first.delivery(message)).state is State.DEAD

    for number in range(bound + 1):
        first.clock.advance(61)
        world = World(store, clock=first.clock, name=f"victim:{number}:x")
        world.endpoints, world.application = first.endpoints, first.application
        world.sender.hold()
        task = asyncio.create_task(world.dispatcher.run())
        async with asyncio.timeout(60):
            while not (world.sender.requests or await is_dead()):
                await asyncio.sleep(0.001)
        task.cancel()
        worlds.append(world)
    dead = await first.delivery(message)
    assert (dead.state, dead.reason) == (State.DEAD, DeadReason.POISON_WORKER_CRASH)
    assert sum(len(w.sender.requests) for w in worlds) == bound
    await first.assert_balanced()
    for world in worlds:
        await world.dispatcher.drain(0.1)


async def test_more_work_than_hands_is_left_for_anyone_and_still_done() -> None:
    limits = msgspec.structs.replace(LIMITS, sends_max=5)
    async with running(make_world(limits=limits)) as world:
        await world.begin(3)
        messages = await asyncio.gather(*(world.send() for _ in range(40)))
        await world.settle()
        assert world.sender.most_at_once <= 5
        for message in messages:
            for endpoint in world.endpoints:
                assert (await world.delivery(message, endpoint)).state is State.DELIVERED


async def test_draining_finishes_what_is_in_flight_and_takes_nothing_more() -> None:
    world = make_world()
    await world.begin()
    held = world.sender.hold()
    task = asyncio.create_task(world.dispatcher.run())
    message = await world.send()
    await asyncio.sleep(0)
    draining = asyncio.create_task(world.dispatcher.drain(5.0))
    await asyncio.sleep(0.02)
    late = await world.send()
    held.set()
    assert await draining
    await task
    assert (await world.delivery(message)).state is State.DELIVERED
    assert (await world.delivery(late)).state is State.WAITING
    assert len(world.sender.requests) == 1


class SlowStore(MemoryStore):
    """Says what is due when told to go on."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = asyncio.Event()
        self.go_on = asyncio.Event()

    async def due_lanes(self, at_us: int, *, limit: int) -> list[Lane]:
        found = await super().due_lanes(at_us, limit=limit)
        self.asked.set()
        await self.go_on.wait()
        return found


async def test_a_wake_up_that_comes_while_the_database_is_asked_is_not_missed() -> None:
    store = SlowStore()
    limits = msgspec.structs.replace(LIMITS, poll_s=3_600.0)
    async with asyncio.timeout(60), running(World(store, limits=limits)) as world:
        await world.begin()
        await store.asked.wait()
        held = world.sender.hold()
        for _ in range(limits.sends_max + 1):  # one more than there is room for
            await world.send()
        store.go_on.set()
        await asyncio.sleep(0.05)
        held.set()
        while len(world.sender.requests) <= limits.sends_max:
            await asyncio.sleep(0.01)


async def test_draining_while_the_database_is_asked_does_not_wait_for_the_next_poll() -> None:
    store = SlowStore()
    limits = msgspec.structs.replace(LIMITS, poll_s=3_600.0)
    async with asyncio.timeout(60), running(World(store, limits=limits)):
        await store.asked.wait()
        asyncio.get_running_loop().call_later(0.05, store.go_on.set)


class FlakyStore(MemoryStore):
    """Its database goes away when told to."""

    away = False

    async def settle(self, changes: list[Change]) -> list[bool]:  # type: ignore[override]
        if self.away:
            raise Unavailable("the database is away")
        return await super().settle(changes)


async def test_an_outcome_waits_for_a_database_that_is_away() -> None:
    store = FlakyStore()
    async with running(World(store)) as world:
        await world.begin()
        store.away = True
        message = await world.send()
        await asyncio.sleep(0.05)
        assert (await world.delivery(message)).state is State.LEASED
        store.away = False
        await world.settle()
        assert (await world.delivery(message)).state is State.DELIVERED
        assert len(world.sender.requests) == 1


async def test_a_repeated_idempotency_key_gets_the_first_message_and_another_body_a_conflict() -> (
    None
):
    async with running(make_world()) as world:
        await world.begin()
        draft = Draft(event_type="payment.captured", payload=b"{}")
        key = RequestKey(
            digest=b"k" * 16, fingerprint=b"f" * 16, expires_at_us=world.clock.now_us() + 10**9
        )
        create = world.intake.create_message
        first, repeat = await asyncio.gather(
            create(ORG_ID, world.application.id, draft, keys=(key,)),
            create(ORG_ID, world.application.id, draft, keys=(key,)),
        )
        assert (first[1], repeat[1]) == (True, False)
        assert first[0] == repeat[0]
        other = msgspec.structs.replace(key, fingerprint=b"g" * 16)
        with pytest.raises(Conflict):
            await create(ORG_ID, world.application.id, draft, keys=(other,))
        await world.settle()
        assert len(world.sender.requests) == 1


async def test_an_event_id_is_a_key_too() -> None:
    async with running(make_world()) as world:
        await world.begin()
        first = await world.send(b'{"n":1}', event_id="evt-1")
        assert await world.send(b'{"n":1}', event_id="evt-1") == first
        with pytest.raises(Conflict):
            await world.send(b'{"n":2}', event_id="evt-1")


async def test_a_batch_answers_for_each_message() -> None:
    async with running(make_world()) as world:
        await world.begin()
        drafts = [
            Draft(event_type="payment.captured", payload=b"1", event_id="a"),
            Draft(event_type="payment.captured", payload=b"2", event_id="a"),
            Draft(event_type="payment.captured", payload=b"3"),
        ]
        results = await world.intake.create_messages(ORG_ID, world.application.id, drafts)
        assert [type(r).__name__ for r in results] == ["Message", "Conflict", "Message"]
        await world.settle()


async def test_an_unknown_application_is_named() -> None:
    world = make_world()
    with pytest.raises(NotFound, match="'nobody'"):
        await world.intake.create_message(ORG_ID, "nobody", Draft(event_type="a", payload=b"{}"))


async def test_an_application_deleted_under_a_warm_cache_accepts_nothing_more() -> None:
    async with running(make_world()) as world:
        await world.begin()
        await world.send()
        await world.settle()
        (application,) = await world.store.by_ids(Application, [world.application.id])
        await world.store.delete(application)
        with pytest.raises(NotFound):
            await world.send()


async def test_a_sender_that_breaks_inside_loses_nothing() -> None:
    def broken(_: Request) -> object:
        raise RuntimeError("a bug")

    async with running(make_world(broken)) as world:  # type: ignore[arg-type]
        await world.begin()
        message = await world.send()
        await world.settle()
        assert (await world.delivery(message)).state is State.LEASED
        world.sender.answer = lambda _: OK
        world.clock.advance(61)
        await world.settle()
        assert (await world.delivery(message)).state is State.DELIVERED
