"""What settling promises: fences, the two tables, the log."""

from __future__ import annotations

import pytest
from support.making import (
    HOLDER,
    LEASE_US,
    SECOND_US,
    START_US,
    aged,
    make_acceptance,
    make_attempt,
    make_change,
    make_delivery,
    make_id,
)

from homing.core.lifecycle import (
    Cancelled,
    Delivery,
    Fact,
    Failed,
    Gone,
    Leased,
    Redriven,
    Resent,
    Resumed,
    State,
    Succeeded,
    step,
)
from homing.core.outcome import Reason
from homing.core.queries import AttemptFilter, DeliveryFilter, LogCursor, Page
from homing.core.records import Change, LogEntry
from homing.core.resources import Application
from homing.core.retry import RetryPolicy
from homing.core.store import Store

ONCE = RetryPolicy(delays_s=())
ALL = Page(limit=100)


@pytest.fixture
async def leased(store: Store, application: Application) -> Delivery:
    """A delivery that was born leased."""
    item = make_acceptance(application)
    await store.accept([item])
    return item.deliveries[0]


def changed(before: Delivery, fact: Fact, policy: RetryPolicy = RetryPolicy()) -> Change:  # noqa: B008
    return make_change(before, step(before, fact, policy), op=type(fact).__name__.lower())


async def lines_of(store: Store, which: Delivery) -> list[LogEntry]:
    lines = await store.log(LogCursor(), limit=1_000)
    return [line.entry for line in lines if line.entry.message_id == which.message_id]


async def unfinished(store: Store) -> int:
    backlog = await store.backlog(START_US)
    return backlog.waiting + backlog.leased + backlog.parked


async def test_a_success_goes_to_history_with_its_attempt_and_its_log_line(
    store: Store, leased: Delivery
) -> None:
    after = step(leased, Succeeded(at_us=START_US + 7), RetryPolicy())
    attempt = make_attempt(leased)
    change = make_change(
        leased,
        after,
        attempt=attempt,
        op="succeeded",
        attempt_id=attempt.id,
        attempt_no=1,
        request_bytes=640,
        status=200,
        first_byte_us=900,
        total_us=1_000,
        outcome=Reason.OK,
        reason="done",
        actor="somebody",
    )
    assert await store.settle([change]) == [True]
    assert await store.delivery(leased.id) == after
    assert await unfinished(store) == 0
    assert await store.attempt(leased.message_id, attempt.id) == attempt
    assert (await lines_of(store, leased))[-1] == change.entry


async def test_a_failure_stays_in_the_hot_table_until_it_is_due(
    store: Store, leased: Delivery
) -> None:
    failed = changed(leased, Failed(at_us=START_US, chance=0.5, error="status 500"))
    assert await store.settle([failed]) == [True]
    assert await store.delivery(leased.id) == failed.after
    assert await store.next_ready_at_us() == failed.after.ready_at_us


async def test_a_decision_on_an_older_version_changes_nothing_but_is_told(
    store: Store, leased: Delivery
) -> None:
    retaken = changed(
        leased, Leased(at_us=START_US + LEASE_US, holder="other", until_us=START_US + 2 * LEASE_US)
    )
    await store.settle([retaken])
    attempt = make_attempt(leased)
    late = changed(leased, Succeeded(at_us=START_US + LEASE_US + 1))
    late = Change(before=late.before, after=late.after, entry=late.entry, attempt=attempt)
    assert await store.settle([late]) == [False]
    assert await store.delivery(leased.id) == retaken.after
    kept = await store.attempt(leased.message_id, attempt.id)
    assert kept is not None
    assert kept.late
    assert [line.rows_written for line in await lines_of(store, leased)] == [1, 1, 0]


async def test_one_stale_decision_does_not_hold_up_the_others(
    store: Store, application: Application
) -> None:
    items = [make_acceptance(application) for _ in range(4)]
    await store.accept(items)
    deliveries = [item.deliveries[0] for item in items]
    changes = [changed(delivery, Succeeded(at_us=START_US)) for delivery in deliveries]
    await store.settle([changed(deliveries[2], Succeeded(at_us=START_US + 1))])
    assert await store.settle(changes) == [True, True, False, True]
    assert await unfinished(store) == 0


async def test_two_decisions_on_one_delivery_in_a_batch_are_written_in_order(
    store: Store, leased: Delivery
) -> None:
    first = changed(leased, Failed(at_us=START_US, chance=0.5, error="status 500"), ONCE)
    second = changed(first.after, Redriven(at_us=START_US + 1, actor="ada"))
    stale = changed(leased, Succeeded(at_us=START_US + 2))
    assert await store.settle([first, second, stale]) == [True, True, False]
    assert await store.delivery(leased.id) == second.after


async def test_a_resend_comes_back_from_history_and_goes_there_again(
    store: Store, leased: Delivery
) -> None:
    done = changed(leased, Succeeded(at_us=START_US))
    resent = changed(done.after, Resent(at_us=START_US + SECOND_US, actor="ada"))
    retaken = changed(
        resent.after, Leased(at_us=START_US + SECOND_US, holder=HOLDER, until_us=2 * START_US)
    )
    failed = changed(retaken.after, Failed(at_us=START_US + 9, chance=0.5, error="status 500"))
    for change in (done, resent, retaken, failed):
        assert await store.settle([change]) == [True]
        assert await store.delivery(leased.id) == change.after
        assert await unfinished(store) == int(change.after.is_unfinished)
    assert failed.after.state is State.DELIVERED


async def test_a_dead_letter_can_be_cancelled_where_it_lies(store: Store, leased: Delivery) -> None:
    dead = changed(leased, Failed(at_us=START_US, chance=0.5, error="status 500"), ONCE)
    cancelled = changed(dead.after, Cancelled(at_us=START_US + 1, actor="ada"))
    assert await store.settle([dead]) == [True]
    assert await store.settle([cancelled]) == [True]
    assert await store.delivery(leased.id) == cancelled.after


async def test_a_stale_decision_on_a_finished_delivery_changes_nothing(
    store: Store, leased: Delivery
) -> None:
    dead = changed(leased, Failed(at_us=START_US, chance=0.5, error="status 500"), ONCE)
    first = changed(dead.after, Redriven(at_us=START_US + 1, actor="ada"))
    second = changed(dead.after, Cancelled(at_us=START_US + 2, actor="bob"))
    await store.settle([dead, first])
    assert await store.settle([second]) == [False]
    assert await store.delivery(leased.id) == first.after


async def test_parking_and_resuming_keep_every_field(store: Store, leased: Delivery) -> None:
    parked = changed(leased, Gone(at_us=START_US, error="status 410"))
    resumed = changed(parked.after, Resumed(at_us=START_US + 1))
    for change in (parked, resumed):
        assert await store.settle([change]) == [True]
        assert await store.delivery(leased.id) == change.after


async def test_a_delivery_is_added_to_an_earlier_message(
    store: Store, application: Application
) -> None:
    item = make_acceptance(application, ())
    await store.accept([item])
    added = make_delivery(message_id=item.message.id, app_id=application.id)
    assert await store.settle([make_change(None, added)]) == [True]
    assert await store.delivery(added.id) == added


@pytest.mark.parametrize("finished", [False, True])
async def test_a_delivery_is_not_added_where_there_is_one(
    store: Store, leased: Delivery, finished: bool
) -> None:
    stands = leased
    if finished:
        done = changed(leased, Succeeded(at_us=START_US))
        await store.settle([done])
        stands = done.after
    again = make_delivery(message_id=leased.message_id, endpoint_id=leased.endpoint_id)
    assert await store.settle([make_change(None, again)]) == [False]
    assert await store.delivery(leased.id) == stands
    *_, line = await lines_of(store, leased)
    assert (line.op, line.rows_written) == ("added", 0)


async def test_the_same_delivery_is_added_once_in_a_batch(
    store: Store, application: Application
) -> None:
    item = make_acceptance(application, ())
    await store.accept([item])
    added = make_delivery(message_id=item.message.id, app_id=application.id)
    twice = [make_change(None, added), make_change(None, added)]
    assert await store.settle(twice) == [True, False]


async def test_a_delivery_that_does_not_exist_is_not_settled(store: Store) -> None:
    ghost = make_delivery()
    assert await store.settle([make_change(ghost, aged(ghost))]) == [False]
    assert await store.delivery(ghost.id) is None


async def test_an_empty_settlement_is_nothing(store: Store) -> None:
    assert await store.settle([]) == []


async def test_a_hundred_outcomes_settle_together(store: Store, application: Application) -> None:
    endpoint_id = make_id("ep_")
    items = [make_acceptance(application, (endpoint_id,)) for _ in range(100)]
    await store.accept(items)
    changes = []
    for item in items:
        [before] = item.deliveries
        done = changed(before, Succeeded(at_us=START_US))
        changes.append(
            Change(before=before, after=done.after, entry=done.entry, attempt=make_attempt(before))
        )
    assert await store.settle(changes) == [True] * 100
    found = await store.deliveries(DeliveryFilter(endpoint_id=endpoint_id), ALL)
    assert found == [change.after for change in changes]
    attempts = await store.attempts(
        AttemptFilter(app_id=application.id, endpoint_id=endpoint_id), ALL
    )
    assert attempts == [change.attempt for change in changes]
