"""What each kind of background task does to deliveries, and what it leaves alone."""

from __future__ import annotations

import msgspec
import pytest
from support.making import ORG_ID, SECOND_US, make_application
from support.scripted import OK, status
from support.tasks import CALLER, do, finish, service_of
from support.world import LIMITS, World, make_world, running

from homing.core.lifecycle import DeadReason, Delivery, State
from homing.core.outcome import Outcome
from homing.core.ports import Request
from homing.core.queries import DeliveryFilter, LogCursor, Page
from homing.core.records import Trigger
from homing.core.tasks import Action, TaskStatus
from homing.service.deliveries import discard
from homing.service.expunging import expunge_all, expunge_messages
from homing.service.task_chunks import next_width_us

ONE_TRY = msgspec.structs.replace(
    LIMITS, policy=msgspec.structs.replace(LIMITS.policy, delays_s=())
)


class Moody:
    """A receiver that is well or not."""

    def __init__(self, *, well: bool = False) -> None:
        self.well = well

    def __call__(self, request: Request) -> Outcome:
        return OK if self.well else status(503)


async def placed(world: World) -> list[Delivery]:
    return await world.store.deliveries(DeliveryFilter(), Page(limit=1_000))


async def states(world: World) -> list[State]:
    return [delivery.state for delivery in await placed(world)]


async def operations(world: World) -> list[str]:
    return [line.entry.op for line in await world.store.log(LogCursor(), limit=1_000)]


async def test_recover_redrives_dead_letters_and_leaves_due_retries_alone() -> None:
    async with running(make_world(Moody())) as world:
        await world.begin()
        dying = await world.send()
        for pause_s in (0, 5, 300):
            world.clock.advance(pause_s)
            await world.settle()
        retrying = await world.send()
        await world.settle()
        before = await world.delivery(retrying)
        task = await do(world, Action.RECOVER)
        await world.settle()
        assert (task.status, task.counts) == (TaskStatus.FINISHED, {"looked": 1, "sent": 1})
        assert await world.delivery(retrying) == before
        assert (await world.delivery(dying)).state is State.WAITING


async def test_recover_takes_what_was_accepted_within_the_span_only() -> None:
    async with running(make_world(Moody(), limits=ONE_TRY)) as world:
        await world.begin()
        letters = []
        for _ in range(3):
            letters.append(await world.send())
            await world.settle()
            world.clock.advance(60)
        middle_us = letters[1].accepted_at_us
        task = await do(
            world,
            Action.RECOVER,
            since_us=middle_us - SECOND_US,
            until_us=middle_us + SECOND_US,
        )
        assert task.counts == {"looked": 1, "sent": 1}
        redriven = [e.entry for e in await world.store.log(LogCursor(), limit=1_000)]
        assert {e.message_id for e in redriven if e.op == "redriven"} == {letters[1].id}


async def test_recover_goes_through_more_than_one_chunk_and_redrives_each_once() -> None:
    moody = Moody()
    async with running(make_world(moody, limits=ONE_TRY)) as world:
        await world.begin()
        for _ in range(45):
            await world.send()
        await world.settle()
        moody.well = True
        task = await do(world, Action.RECOVER)
        assert task.counts == {"looked": 45, "sent": 45}
        await world.settle()
        assert set(await states(world)) == {State.DELIVERED}
        assert (await operations(world)).count("redriven") == 45


async def test_recover_of_an_endpoint_that_was_deleted_fails_with_the_reason() -> None:
    async with running(make_world(Moody(), limits=ONE_TRY)) as world:
        await world.begin()
        await world.send()
        await world.settle()
        await world.store.delete(world.endpoints[0], touch=world.application.id)
        task = await do(world, Action.RECOVER)
        assert (task.status, task.error) == (
            TaskStatus.FAILED,
            f"endpoint {world.endpoints[0].id} has been deleted",
        )
        assert await states(world) == [State.DEAD]


async def test_redrive_takes_every_endpoint_s_dead_letters_but_those_without_a_payload() -> None:
    moody = Moody()
    async with running(make_world(moody, limits=ONE_TRY)) as world:
        await world.begin(2)
        kept, forgotten = await world.send(), await world.send()
        await world.settle()
        await expunge_messages(service_of(world), CALLER, world.application.id, [forgotten.id])
        await do(world, Action.REDRIVE, endpoint_id=None)
        await world.settle()
        found = {d.reason for d in await placed(world) if d.message_id == forgotten.id}
        assert found == {DeadReason.PAYLOAD_GONE}
        moody.well = True
        task = await do(world, Action.REDRIVE, endpoint_id=None)
        assert task.counts == {"looked": 4, "sent": 2, "skipped": 2, "delivered": 2}
        await world.settle()
        assert {d.state for d in await placed(world) if d.message_id == kept.id} == {
            State.DELIVERED
        }


async def test_redrive_leaves_dead_letters_of_deleted_endpoints_dead() -> None:
    async with running(make_world(Moody(), limits=ONE_TRY)) as world:
        await world.begin(2)
        await world.send()
        await world.settle()
        await world.store.delete(world.endpoints[0], touch=world.application.id)
        task = await do(world, Action.REDRIVE, endpoint_id=None)
        assert task.counts == {"looked": 2, "sent": 1, "skipped": 1, "failed": 1}


async def test_replay_missing_adds_what_the_endpoint_wants_and_never_had_once() -> None:
    async with running(make_world()) as world:
        await world.begin()
        for number in range(5):
            await world.send(channels=("eu",) if number % 2 else ("us",))
        late = await world.add_endpoint(channels=("eu",))
        had = await world.send(channels=("eu",))
        await world.settle()
        assert (await world.delivery(had, late)).state is State.DELIVERED
        sent = len(world.sender.requests)
        task = await do(world, Action.REPLAY_MISSING, endpoint_id=late.id)
        assert task.counts == {"looked": 6, "sent": 2}
        await world.settle()
        assert len(world.sender.requests) == sent + 2
        again = await do(world, Action.REPLAY_MISSING, endpoint_id=late.id)
        assert again.counts == {"looked": 6}
        await world.settle()
        assert len(world.sender.requests) == sent + 2
        assert (await operations(world)).count("added") == 2


async def test_replay_missing_for_a_disabled_endpoint_parks_what_it_adds() -> None:
    async with running(make_world()) as world:
        await world.begin()
        await world.send()
        late = await world.add_endpoint(disabled=True)
        await do(world, Action.REPLAY_MISSING, endpoint_id=late.id)
        await world.settle()
        assert sorted(await states(world)) == [State.DELIVERED, State.PARKED]


async def test_replay_missing_skips_messages_whose_payload_is_gone() -> None:
    async with running(make_world()) as world:
        await world.begin()
        message = await world.send()
        await world.settle()
        await world.store.expunge_message(message.id)
        late = await world.add_endpoint()
        task = await do(world, Action.REPLAY_MISSING, endpoint_id=late.id)
        assert task.counts == {"looked": 1, "skipped": 1}


async def test_replay_sends_everything_again_and_shortens_no_retry() -> None:
    moody = Moody(well=True)
    async with running(make_world(moody)) as world:
        await world.begin()
        delivered = await world.send()
        await world.settle()
        moody.well = False
        retrying = await world.send()
        await world.settle()
        due_us = (await world.delivery(retrying)).ready_at_us
        task = await do(world, Action.REPLAY)
        assert task.counts == {"looked": 2, "sent": 2}
        await world.settle()
        after = await world.delivery(retrying)
        assert (after.state, after.ready_at_us, after.failures) == (State.WAITING, due_us, 1)
        assert (await world.delivery(delivered)).state is State.DELIVERED
        assert {a.trigger for a in await world.attempts(retrying)} == {
            Trigger.SCHEDULED,
            Trigger.MANUAL,
        }


async def test_replay_gives_a_dead_letter_its_whole_schedule_and_leaves_the_withdrawn() -> None:
    moody = Moody()
    async with running(make_world(moody, limits=ONE_TRY)) as world:
        await world.begin()
        dead, withdrawn = await world.send(), await world.send()
        await world.settle()
        await discard(
            service_of(world),
            world.application.id,
            (await world.delivery(withdrawn)).id,
            actor="ann",
            why="test data",
        )
        moody.well = True
        task = await do(world, Action.REPLAY)
        assert task.counts == {"looked": 2, "sent": 1, "skipped": 1}
        await world.settle()
        assert (await world.delivery(dead)).state is State.DELIVERED
        assert (await world.delivery(withdrawn)).state is State.CANCELLED
        task = await do(world, Action.REPLAY, states=(State.CANCELLED,))
        assert task.counts == {"looked": 1, "sent": 1}
        await world.settle()
        assert (await world.delivery(withdrawn)).state is State.DELIVERED


async def test_replay_narrows_by_tag_channel_and_what_was_answered() -> None:
    moody = Moody()
    async with running(make_world(moody, limits=ONE_TRY)) as world:
        await world.begin()
        failed = await world.send(tags=("a",), channels=("eu",))
        await world.settle()
        moody.well = True
        other = await world.send(tags=("b",), channels=("us",))
        await world.settle()
        for which, message in (
            ({"tag": "b"}, other),
            ({"channel": "eu"}, failed),
            ({"status_class": 500}, failed),
        ):
            before = len(await world.attempts(message))
            task = await do(world, Action.REPLAY, **which)
            assert task.counts["sent"] == 1, which
            await world.settle()
            assert len(await world.attempts(message)) == before + 1, which


async def test_expunging_kills_what_was_still_to_be_sent_with_the_reason_at_once() -> None:
    async with running(make_world(Moody())) as world:
        await world.begin(2)
        await world.change_endpoint(world.endpoints[1], disabled=True)
        message = await world.send()
        await world.settle()
        assert sorted(await states(world)) == [State.PARKED, State.WAITING]
        task = await do(world, Action.EXPUNGE, endpoint_id=None)
        assert task.counts == {"looked": 1, "purged": 1, "lost": 2}
        assert {(d.state, d.reason) for d in await placed(world)} == {
            (State.DEAD, DeadReason.PAYLOAD_GONE)
        }
        found = (await world.store.messages_by_ids([message.id]))[message.id]
        assert found.payload is None
        entries = [line.entry for line in await world.store.log(LogCursor(), limit=1_000)]
        assert {e.actor for e in entries if e.op == "lost"} == {ORG_ID}


async def test_expunging_may_keep_what_something_is_still_to_be_sent_of() -> None:
    moody = Moody(well=True)
    async with running(make_world(moody)) as world:
        await world.begin()
        done = await world.send()
        await world.settle()
        moody.well = False
        retrying = await world.send()
        await world.settle()
        task = await do(world, Action.EXPUNGE, endpoint_id=None, keep_unfinished=True)
        assert task.counts == {"looked": 2, "purged": 1, "kept": 1}
        found = await world.store.messages_by_ids([done.id, retrying.id])
        assert found[done.id].payload is None
        assert found[retrying.id].payload == retrying.payload
        assert (await world.delivery(retrying)).state is State.WAITING


async def test_a_message_that_is_resent_goes_back_to_delivered_when_it_is_expunged() -> None:
    async with running(make_world()) as world:
        await world.begin()
        message = await world.send()
        await world.settle()
        before = await world.delivery(message)
        await expunge_messages(service_of(world), CALLER, world.application.id, [message.id])
        assert await world.delivery(message) == before


async def test_event_types_are_listed_by_application() -> None:
    async with running(make_world()) as world:
        await world.begin(1, event_types=("b.c", "a.b"))
        await world.add_endpoint(event_types=("b.c",))
        other = make_application(uid="other")
        await world.store.put(other)
        await world.store.put(make_application(scope="org_2"))
        task = await do(world, Action.EVENT_TYPES)
        assert task.rows == [
            {
                "appId": world.application.id,
                "appUid": None,
                "explicitlySubscribedEventTypes": ["a.b", "b.c"],
                "hasCatchAllEndpoint": False,
            },
            {
                "appId": other.id,
                "appUid": "other",
                "explicitlySubscribedEventTypes": [],
                "hasCatchAllEndpoint": False,
            },
        ]


async def test_usage_counts_deliveries_accepted_within_the_span() -> None:
    async with running(make_world()) as world:
        await world.begin(2)
        before_us = world.clock.advance(3_600)
        for _ in range(3):
            await world.send()
            world.clock.advance(3_600)
        await world.settle()
        span = {"since_us": before_us, "until_us": before_us + 2 * 3_600 * SECOND_US}
        task = await do(world, Action.USAGE, **span)
        assert [row["messageDestinations"] for row in task.rows] == [4]
        other = make_application()
        await world.store.put(other)
        task = await do(world, Action.USAGE, app_ids=(other.id,), **span)
        assert task.rows == [{"appId": other.id, "appUid": None, "messageDestinations": 0}]


@pytest.mark.parametrize(
    ("deliveries", "width_s"), [(0, 1_200), (5_000, 600), (50_000, 600), (50_001, 300)]
)
def test_windows_are_longer_where_little_happens(deliveries: int, width_s: int) -> None:
    assert next_width_us(600 * SECOND_US, deliveries) == width_s * SECOND_US


async def test_what_was_accepted_a_moment_ago_belongs_to_everything_until_now() -> None:
    async with running(make_world()) as world:
        await world.begin()
        await world.send()
        await world.settle()
        given = (service_of(world), CALLER, world.application.id)
        task = await finish(world, await expunge_all(*given, keep_unfinished=False))
        assert task.counts == {"looked": 1, "purged": 1}
