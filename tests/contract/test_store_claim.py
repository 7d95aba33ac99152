"""What claiming promises."""

from __future__ import annotations

import asyncio

import pytest
from support.claiming import claim_due
from support.making import (
    HOLDER,
    LEASE_US,
    SECOND_US,
    START_US,
    aged,
    make_acceptance,
    make_change,
    make_id,
)

from homing.core.lifecycle import Delivery, Leased, State, step
from homing.core.queries import LogCursor
from homing.core.records import Change
from homing.core.resources import Application
from homing.core.retry import RetryPolicy
from homing.core.store import Store


def lease(delivery: Delivery, *, at_us: int = START_US) -> Change:
    """Decide as a dispatcher does: take it, or give it up."""
    fact = Leased(at_us=at_us, holder=HOLDER, until_us=at_us + LEASE_US, unanswered_max=2)
    return make_change(delivery, step(delivery, fact, RetryPolicy()), op="leased")


async def accept_waiting(store: Store, application: Application, *due_us: int) -> list[Delivery]:
    items = [
        make_acceptance(application, state=State.WAITING, accepted_at_us=at_us) for at_us in due_us
    ]
    await store.accept(items)
    return [item.deliveries[0] for item in items]


async def test_what_is_due_is_leased_and_comes_with_its_message(
    store: Store, application: Application
) -> None:
    item = make_acceptance(application, state=State.WAITING)
    await store.accept([item])
    [claimed] = await claim_due(store, lease, at_us=START_US, count=10)
    assert claimed.message == item.message
    assert claimed.delivery == lease(item.deliveries[0]).after
    assert await store.delivery(item.deliveries[0].id) == claimed.delivery
    *_, line = await store.log(LogCursor(), limit=10)
    assert (line.entry.op, line.entry.rows_written) == ("leased", 1)


async def test_a_claimed_message_has_its_payload_to_the_byte_or_none_at_all(
    store: Store, application: Application
) -> None:
    payloads = {"bytes": bytes(range(256)), "empty": b"", "gone": b"{}"}
    items = {
        name: make_acceptance(
            application,
            state=State.WAITING,
            payload=payload,
            deliver_at_us=7,
            channels=("eu",),
            event_id='"quoted"',
        )
        for name, payload in payloads.items()
    }
    await store.accept(list(items.values()))
    await store.expunge_message(items["gone"].message.id)
    claimed = await claim_due(store, lease, at_us=START_US, count=10)
    found = {each.message.id: each.message.payload for each in claimed}
    assert found == {
        items["bytes"].message.id: bytes(range(256)),
        items["empty"].message.id: b"",
        items["gone"].message.id: None,
    }


async def test_what_is_not_due_yet_is_left_alone(store: Store, application: Application) -> None:
    await accept_waiting(store, application, START_US + 1)
    assert await claim_due(store, lease, at_us=START_US, count=10) == []
    assert len(await claim_due(store, lease, at_us=START_US + 1, count=10)) == 1


async def test_the_oldest_are_taken_first(store: Store, application: Application) -> None:
    due = [START_US + seconds * SECOND_US for seconds in (3, 1, 2)]
    third, first, second = await accept_waiting(store, application, *due)
    claimed = await claim_due(store, lease, at_us=START_US + 60 * SECOND_US, count=2)
    assert {found.delivery.id for found in claimed} == {first.id, second.id}
    [last] = await claim_due(store, lease, at_us=START_US + 4 * SECOND_US, count=2)
    assert last.delivery.id == third.id


async def test_a_claimed_delivery_is_not_claimed_again(
    store: Store, application: Application
) -> None:
    await accept_waiting(store, application, START_US)
    await claim_due(store, lease, at_us=START_US, count=10)
    assert await claim_due(store, lease, at_us=START_US, count=10) == []


async def test_side_by_side_no_delivery_is_claimed_twice(
    store: Store, application: Application
) -> None:
    items = [make_acceptance(application, ("ep_1",), state=State.WAITING) for _ in range(30)]
    await store.accept(items)
    rounds = await asyncio.gather(
        *(claim_due(store, lease, at_us=START_US, count=7) for _ in range(10))
    )
    taken = [claimed.delivery.id for found in rounds for claimed in found]
    assert sorted(taken) == sorted(item.deliveries[0].id for item in items)


async def test_a_lease_that_ran_out_is_claimed_again(
    store: Store, application: Application
) -> None:
    item = make_acceptance(application)
    await store.accept([item])
    assert await claim_due(store, lease, at_us=START_US + LEASE_US - 1, count=1) == []
    later_us = START_US + LEASE_US
    [claimed] = await claim_due(
        store, lambda delivery: lease(delivery, at_us=later_us), at_us=later_us, count=1
    )
    assert (claimed.delivery.leases, claimed.delivery.ready_at_us) == (2, later_us + LEASE_US)


async def test_a_decision_to_give_up_is_written_but_not_handed_out(
    store: Store, application: Application
) -> None:
    item = make_acceptance(application)
    await store.accept([item])
    at_us = START_US
    for _ in range(2):
        at_us += LEASE_US
        claimed = await claim_due(
            store, lambda delivery, at_us=at_us: lease(delivery, at_us=at_us), at_us=at_us, count=1
        )
    assert claimed == []
    dead = await store.delivery(item.deliveries[0].id)
    assert dead is not None
    assert (dead.state, dead.reason) == (State.DEAD, "poison_worker_crash")
    assert (await store.backlog(at_us)).leased == 0


async def test_parked_deliveries_are_never_claimed(store: Store, application: Application) -> None:
    await store.accept([make_acceptance(application, state=State.PARKED)])
    assert await claim_due(store, lease, at_us=2 * START_US, count=10) == []


async def test_a_decision_that_fails_leaves_all_as_it_was(
    store: Store, application: Application
) -> None:
    deliveries = await accept_waiting(store, application, START_US, START_US)

    def fail_at_second(delivery: Delivery) -> Change:
        if delivery.id == max(deliveries[0].id, deliveries[1].id):
            raise ValueError("planted")
        return lease(delivery)

    with pytest.raises(ValueError, match="planted"):
        await claim_due(store, fail_at_second, at_us=START_US, count=10)
    for delivery in deliveries:
        assert await store.delivery(delivery.id) == delivery
    assert len(await store.log(LogCursor(), limit=10)) == 2


async def test_the_next_due_time_is_the_earliest_of_waiting_and_leased(
    store: Store, application: Application
) -> None:
    assert await store.next_ready_at_us() is None
    await store.accept([make_acceptance(application, state=State.PARKED)])
    assert await store.next_ready_at_us() is None
    await store.accept([make_acceptance(application)])
    assert await store.next_ready_at_us() == START_US + LEASE_US
    await accept_waiting(store, application, START_US + SECOND_US)
    assert await store.next_ready_at_us() == START_US + SECOND_US


async def test_the_backlog_counts_every_unfinished_delivery_once(
    store: Store, application: Application
) -> None:
    later_us = START_US + 5 * SECOND_US
    await accept_waiting(store, application, START_US + 7, later_us)
    born = [
        make_acceptance(application, state=state)
        for state in (State.LEASED, State.LEASED, State.PARKED)
    ]
    await store.accept(born)
    [lapsed] = born[0].deliveries
    await store.settle([make_change(lapsed, aged(lapsed, ready_at_us=START_US + 9))])
    [done] = born[1].deliveries
    await store.settle([make_change(done, aged(done, **_DELIVERED))])
    backlog = await store.backlog(START_US + SECOND_US)
    assert (backlog.waiting, backlog.leased, backlog.parked) == (2, 1, 1)
    assert (backlog.due, backlog.oldest_due_at_us) == (2, START_US + 7)


_DELIVERED = {
    "state": State.DELIVERED,
    "ready_at_us": None,
    "holder": None,
    "unanswered": 0,
    "finished_at_us": START_US,
}


async def test_an_empty_backlog_is_all_zeros(store: Store) -> None:
    backlog = await store.backlog(START_US)
    assert (backlog.waiting, backlog.leased, backlog.parked, backlog.due) == (0, 0, 0, 0)
    assert backlog.oldest_due_at_us is None


async def test_parked_endpoints_are_named_once_each(store: Store, application: Application) -> None:
    one, other, free = sorted(make_id("ep_") for _ in range(3))
    for endpoint_ids in ((one, other), (one,)):
        await store.accept([make_acceptance(application, endpoint_ids, state=State.PARKED)])
    await store.accept([make_acceptance(application, (free,))])
    found = await store.parked_endpoints()
    assert sorted(found) == [(application.id, one), (application.id, other)]
