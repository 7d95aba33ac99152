"""A batch is settled again when an error left open whether it was written the first time."""

from __future__ import annotations

from collections.abc import Callable

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
)

from homing.core.lifecycle import Delivery, State
from homing.core.queries import LogCursor
from homing.core.records import Change
from homing.core.resources import Application
from homing.core.store import Store


@pytest.fixture
async def leased(store: Store, application: Application) -> Delivery:
    item = make_acceptance(application)
    await store.accept([item])
    return item.deliveries[0]


def delivered(before: Delivery) -> Change:
    after = aged(
        before,
        state=State.DELIVERED,
        ready_at_us=None,
        holder=None,
        unanswered=0,
        finished_at_us=START_US + SECOND_US,
    )
    return make_change(before, after, attempt=make_attempt(before))


def failed(before: Delivery) -> Change:
    after = aged(
        before,
        state=State.WAITING,
        ready_at_us=START_US + 5 * SECOND_US,
        holder=None,
        unanswered=0,
        failures=before.failures + 1,
        last_error="status 500",
    )
    return make_change(before, after, attempt=make_attempt(before))


def taken(before: Delivery) -> Change:
    after = aged(
        before,
        state=State.LEASED,
        ready_at_us=START_US + 2 * LEASE_US,
        holder=f"not {HOLDER}",
        leases=before.leases + 1,
        unanswered=before.unanswered + 1,
    )
    return make_change(before, after)


async def lines_written(store: Store) -> list[int]:
    return [line.entry.rows_written for line in await store.log(LogCursor(), limit=100)]


@pytest.mark.parametrize("decide", [delivered, failed, taken])
async def test_what_was_written_is_not_written_again_and_is_no_late_outcome(
    store: Store, leased: Delivery, decide: Callable[[Delivery], Change]
) -> None:
    change = decide(leased)
    assert await store.settle([change]) == [True]

    assert await store.settle([change]) == [True]

    assert await store.delivery(leased.id) == change.after
    assert await lines_written(store) == [1, 1]
    if change.attempt is not None:
        kept = await store.attempt(leased.message_id, change.attempt.id)
        assert kept == change.attempt


async def test_what_was_written_is_recognised_by_its_attempt_when_the_row_moved_on(
    store: Store, leased: Delivery
) -> None:
    change = failed(leased)
    moved = taken(change.after)
    assert await store.settle([change, moved]) == [True, True]

    assert await store.settle([change]) == [True]

    assert await store.delivery(leased.id) == moved.after
    assert await lines_written(store) == [1, 1, 1]


async def test_a_batch_of_which_a_part_was_written_is_completed(
    store: Store, application: Application
) -> None:
    items = [make_acceptance(application) for _ in range(4)]
    await store.accept(items)
    changes = [delivered(item.deliveries[0]) for item in items]
    await store.settle(changes[:2])

    assert await store.settle(changes) == [True] * 4

    assert await lines_written(store) == [1] * 8


async def test_a_late_outcome_is_late_however_often_it_is_told(
    store: Store, leased: Delivery
) -> None:
    await store.settle([taken(leased)])
    late = delivered(leased)

    assert await store.settle([late]) == [False]
    assert await store.settle([late]) == [False]

    assert late.attempt is not None
    kept = await store.attempt(leased.message_id, late.attempt.id)
    assert kept is not None
    assert kept.late
    assert await lines_written(store) == [1, 1, 0]


async def test_another_decision_of_the_same_version_is_not_taken_for_ours(
    store: Store, leased: Delivery
) -> None:
    await store.settle([delivered(leased)])

    assert await store.settle([failed(leased)]) == [False]

    assert await lines_written(store) == [1, 1, 0]


async def test_two_outcomes_that_look_the_same_are_both_kept(
    store: Store, leased: Delivery
) -> None:
    """Two senders, one lease, one microsecond: the second decided nothing, and is recorded."""
    first, second = delivered(leased), delivered(leased)
    assert first.after == second.after
    assert await store.settle([first]) == [True]
    assert await store.settle([second]) == [False]
    assert second.attempt is not None
    kept = await store.attempt(leased.message_id, second.attempt.id)
    assert kept is not None
    assert kept.late
