"""What looking promises: newest first, everything that fits, a bound on each look."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec
import pytest
from support.making import (
    SECOND_US,
    START_US,
    aged,
    make_acceptance,
    make_application,
    make_attempt,
    make_change,
    make_endpoint,
    make_entry,
)

from homing.core.identifiers import DeliveryId
from homing.core.lifecycle import Delivery, State
from homing.core.queries import Span
from homing.core.records import Change
from homing.core.resources import Application
from homing.core.searching import Head, Looked, Sought
from homing.core.store import Store

ENDPOINTS = (make_endpoint("app_1").id, make_endpoint("app_1").id)
#: how each of a message's two deliveries ends, in turn
ENDS = (State.DELIVERED, State.DEAD, State.WAITING)


async def finish(store: Store, delivery: Delivery, state: State) -> None:
    if state is State.WAITING:
        after = aged(delivery, state=state, ready_at_us=START_US * 2, holder=None, unanswered=0)
    else:
        after = aged(
            delivery,
            state=state,
            ready_at_us=None,
            holder=None,
            unanswered=0,
            finished_at_us=delivery.accepted_at_us + SECOND_US,
            reason="attempts_exhausted" if state is State.DEAD else None,
        )
    assert await store.settle([make_change(delivery, after)]) == [True]


@pytest.fixture
async def filled(store: Store, application: Application) -> list[DeliveryId]:
    """Twelve messages for two endpoints; every third delivery is dead, every third waits.

    Returns:
        Their deliveries, newest first.
    """
    other = make_application()
    await store.put(other)
    ids: list[DeliveryId] = []
    for number in range(12):
        item = make_acceptance(
            application if number % 4 else other,
            ENDPOINTS,
            accepted_at_us=START_US + number * SECOND_US,
            event_type=("payment.captured", "payment.refunded", "order.placed")[number % 3],
            event_id=f"order-{number}",
            tags=("vip", "eu") if number % 2 else (),
            channels=("gold",) if number == 5 else (),
        )
        await store.accept([item])
        for place, delivery in enumerate(item.deliveries):
            await finish(store, delivery, ENDS[(number + place) % 3])
            ids.append(delivery.id)
    return sorted(ids, reverse=True)


async def all_of(
    look: Callable[[Sought], Awaitable[Looked[Delivery]]], which: Sought
) -> list[DeliveryId]:
    """Looks until nothing is left."""
    found: list[DeliveryId] = []
    for _ in range(200):
        looked = await look(which)
        found += [delivery.id for delivery in looked.found]
        if looked.reached is None:
            return found
        which = msgspec.structs.replace(which, below=looked.reached)
    raise AssertionError("the search has no end")


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"states": (State.DEAD,)},
        {"states": (State.DEAD,), "endpoint_id": ENDPOINTS[0]},
        {"states": (State.WAITING, State.PARKED)},
        {"states": (State.WAITING,), "endpoint_id": ENDPOINTS[1]},
        {"states": (State.DELIVERED, State.DEAD)},
        {"endpoint_id": ENDPOINTS[1]},
        {"event_types": ("payment.*",)},
        {"event_types": ("order.placed", "payment.refunded"), "states": (State.DEAD,)},
        {"tags": ("eu", "vip")},
        {"tags": ("eu", "none")},
        {"channel": "gold"},
        {"event_id": "order-3"},
        {"span": Span(since_us=START_US + 2 * SECOND_US, until_us=START_US + 7 * SECOND_US)},
    ],
)
@pytest.mark.parametrize("of_app", [False, True])
async def test_looking_finds_what_fits_each_once_and_newest_first(
    store: Store,
    application: Application,
    filled: list[DeliveryId],
    given: dict[str, object],
    of_app: bool,
) -> None:
    which = Sought(**given)  # type: ignore[arg-type]
    if of_app:
        which = msgspec.structs.replace(which, app_ids=(application.id,))
    heads = await store.heads([one.message_id for one in filled])
    rows = await store.deliveries_by_ids(filled)
    expected = [d for d in filled if fits(rows[d], heads[d.message_id], which)]

    for looks, limit in ((1, 1), (3, 2), (7, 5), (100, 100)):

        async def look(asked: Sought, looks: int = looks, limit: int = limit) -> Looked[Delivery]:
            looked = await store.look_for_deliveries(asked, looks=looks, limit=limit)
            assert len(looked.found) <= limit
            return looked

        assert await all_of(look, which) == expected


def fits(delivery: Delivery, head: Head, which: Sought) -> bool:
    since_us, until_us = which.span.since_us, which.span.until_us
    return (
        (not which.app_ids or delivery.app_id in which.app_ids)
        and which.endpoint_id in (None, delivery.endpoint_id)
        and (not which.states or delivery.state in which.states)
        and which.event_id in (None, head.event_id)
        and (
            not which.event_types
            or head.event_type in which.event_types
            or ("payment.*" in which.event_types and head.event_type.startswith("payment."))
        )
        and set(which.tags) <= set(head.tags)
        and (which.channel is None or which.channel in head.channels)
        and (since_us is None or delivery.accepted_at_us >= since_us)
        and (until_us is None or delivery.accepted_at_us < until_us)
    )


async def test_messages_are_looked_for_in_the_same_way(
    store: Store, application: Application, filled: list[DeliveryId]
) -> None:
    which = Sought(event_types=("payment.*",), app_ids=(application.id,))
    seen: list[str] = []
    while True:
        looked = await store.look_for_messages(which, looks=2, limit=1)
        seen += [head.id for head in looked.found]
        if looked.reached is None:
            break
        which = msgspec.structs.replace(which, below=looked.reached)
    heads = (await store.heads([one.message_id for one in filled])).values()
    assert seen == sorted(
        (h.id for h in heads if h.event_type != "order.placed" and h.app_id == application.id),
        reverse=True,
    )


async def test_only_the_messages_that_are_given_are_looked_at(
    store: Store, application: Application, filled: list[DeliveryId]
) -> None:
    ids = sorted({one.message_id for one in filled})[3:6]
    which = Sought(message_ids=(*ids, "msg_unknown"), states=(State.DEAD,))
    looked = await store.look_for_deliveries(which, looks=100, limit=100)
    rows = await store.deliveries_by_ids(filled)
    dead = [one for one in filled if one.message_id in ids and rows[one].state is State.DEAD]
    assert ([delivery.id for delivery in looked.found], looked.reached) == (dead, None)
    messages = await store.look_for_messages(Sought(message_ids=tuple(ids)), looks=2, limit=9)
    assert [head.id for head in messages.found] == ids[:0:-1]
    assert messages.reached == DeliveryId(ids[1], "")


async def test_a_look_stops_at_its_bound_and_says_where(
    store: Store, filled: list[DeliveryId]
) -> None:
    looked = await store.look_for_messages(Sought(event_types=("none",)), looks=4, limit=10)
    newest = list(dict.fromkeys(one.message_id for one in filled))
    assert (looked.found, looked.reached) == ([], DeliveryId(newest[3], ""))


async def test_a_head_says_all_but_the_payload(store: Store, application: Application) -> None:
    item = make_acceptance(
        application,
        payload=b"\xff\x00 raw",
        is_raw=True,
        event_id="one",
        channels=("a",),
        tags=("b", "c"),
        deliver_at_us=START_US + SECOND_US,
    )
    await store.accept([item])
    message = item.message
    [head] = (await store.heads([message.id, "msg_unknown"])).values()
    same = {name: getattr(message, name) for name in head.__struct_fields__[:-1]}
    assert msgspec.structs.asdict(head) == same | {"payload_bytes": 6}
    await store.expunge_message(message.id)
    [head] = (await store.heads([message.id])).values()
    assert head.payload_bytes is None


async def test_a_life_is_told_without_its_routine(store: Store, application: Application) -> None:
    item = make_acceptance(application, ENDPOINTS)
    await store.accept([item])
    first, other = item.deliveries
    waiting = aged(first, state=State.WAITING, ready_at_us=START_US, holder=None, unanswered=0)
    leased = aged(
        waiting, state=State.LEASED, ready_at_us=START_US, holder="h", leases=2, unanswered=1
    )
    again = aged(leased, holder="other", leases=3, unanswered=2)
    done = aged(
        again,
        state=State.DELIVERED,
        ready_at_us=None,
        holder=None,
        unanswered=0,
        finished_at_us=START_US + SECOND_US,
    )
    for before, after, op, actor in (
        (first, waiting, "failed", None),
        (waiting, leased, "leased", None),  # routine: a claim
        (leased, again, "leased", None),  # a lease that ran out
        (again, done, "succeeded", None),  # routine
    ):
        entry = make_entry(after, before, op=op, actor=actor)
        attempt = make_attempt(before) if op in ("failed", "succeeded") else None
        await store.settle([Change(before=before, after=after, entry=entry, attempt=attempt)])
    # one that came late, and changed nothing
    late = make_entry(done, again, op="succeeded")
    attempt = make_attempt(again)
    await store.settle([Change(before=again, after=done, entry=late, attempt=attempt)])
    await finish(store, other, State.DELIVERED)

    told = await store.life(first.id, limit=10)
    assert [(line.op, line.rows_written) for line in told] == [
        ("accepted", 1),
        ("failed", 1),
        ("leased", 1),
        ("succeeded", 0),
    ]
    newest = await store.life(first.id, limit=1)
    assert [line.op for line in newest] == ["accepted", "succeeded"]
    assert await store.life(DeliveryId("msg_unknown", "ep_1"), limit=10) == []
