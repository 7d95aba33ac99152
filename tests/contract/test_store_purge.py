"""What a store promises about forgetting: parts go, books balance, the unfinished stays."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

import pytest
from support.making import (
    SECOND_US,
    START_US,
    aged,
    ended,
    make_acceptance,
    make_application,
    make_attempt,
    make_change,
    make_delivery,
    make_id,
)

from homing.core.identifiers import first_id
from homing.core.lifecycle import State
from homing.core.queries import AttemptFilter, LogCursor, Page, Span
from homing.core.records import Acceptance, LogEntry
from homing.core.resources import Application
from homing.core.retention import NOTHING, Part, Purged, Standing
from homing.core.store import Store

EVER = Span()
LATER = first_id("msg_", START_US + 86_400 * SECOND_US)
WHOLE = frozenset(Part)


def all_of_it(standing: Standing) -> frozenset[Part]:
    """A rule for tests: what is finished may go."""
    return NOTHING if standing.is_unfinished else WHOLE


async def live(
    store: Store, application: Application, *states: State, at_us: int = START_US
) -> Acceptance:
    """A message with a delivery in each of these states; finished ones have had an attempt."""
    endpoints = tuple(make_id("ep_") for _ in states)
    item = make_acceptance(application, endpoints, accepted_at_us=at_us)
    await store.accept([item])
    for before, state in zip(item.deliveries, states, strict=True):
        if state is State.LEASED:
            continue
        if state is State.PARKED:
            parked = aged(before, state=state, ready_at_us=None, holder=None, reason="a test")
            await store.settle([make_change(before, parked)])
            continue
        attempt = make_attempt(before, response_body=b"an echo")
        after = ended(before, state, at_us + SECOND_US)
        await store.settle([make_change(before, after, attempt=attempt)])
    return item


async def standing_of(store: Store, item: Acceptance) -> Standing:
    [found] = [
        standing
        for standing in await store.standings(
            item.message.app_id, after="", until=LATER, limit=1_000
        )
        if standing.message_id == item.message.id
    ]
    return found


async def lines(store: Store) -> list[LogEntry]:
    return [line.entry for line in await store.log(LogCursor(), limit=10_000)]


async def attempts_of(store: Store, item: Acceptance) -> int:
    which = AttemptFilter(app_id=item.message.app_id, message_id=item.message.id)
    return len(await store.attempts(which, Page(limit=100)))


async def assert_balanced(store: Store) -> None:
    for row in await store.ledger(EVER, window_s=3_600):
        placed = row.delivered + row.dead + row.cancelled + row.parked + row.leased + row.waiting
        assert row.accepted == placed, row
    assert await store.misfits(EVER, limit=10) == []


# --- how a message stands ---------------------------------------------------------------------


async def test_a_message_stands_as_its_deliveries_do(
    store: Store, application: Application
) -> None:
    item = await live(store, application, State.DELIVERED, State.DEAD, State.LEASED)
    assert await standing_of(store, item) == Standing(
        message_id=item.message.id,
        app_id=application.id,
        accepted_at_us=START_US,
        has_payload=True,
        has_attempts=True,
        is_unfinished=True,
        finished=2,
        finished_at_us=START_US + SECOND_US,
        dead_at_us=START_US + SECOND_US,
    )
    parked = await live(store, application, State.PARKED)
    assert (await standing_of(store, parked)).is_unfinished
    bare = await live(store, application)
    assert await standing_of(store, bare) == Standing(
        message_id=bare.message.id,
        app_id=application.id,
        accepted_at_us=START_US,
        has_payload=True,
        has_attempts=False,
        is_unfinished=False,
    )


async def test_standings_come_in_pieces_of_one_application(
    store: Store, application: Application
) -> None:
    other = make_application()
    await store.put(other)
    items = []
    for second in range(5):
        items.append(await live(store, application, at_us=START_US + second * SECOND_US))
        await live(store, other, at_us=START_US + second * SECOND_US)
    ids = [item.message.id for item in items]

    async def found(after: str, until: str, limit: int = 10) -> list[str]:
        some = await store.standings(application.id, after=after, until=until, limit=limit)
        return [standing.message_id for standing in some]

    assert await found("", LATER) == ids
    assert await found("", LATER, limit=2) == ids[:2]
    assert await found(ids[1], ids[4]) == ids[2:4]
    assert await found("", first_id("msg_", START_US)) == []


async def test_applications_are_known_by_what_is_kept_of_them(
    store: Store, application: Application
) -> None:
    other, idle = make_application(), make_application()
    await store.put(other)
    await store.put(idle)
    for _ in range(3):
        await live(store, application)
        await live(store, other)
    await store.delete(other)
    assert await store.applications_kept(after="", limit=10) == sorted([application.id, other.id])
    first, second = sorted([application.id, other.id])
    assert await store.applications_kept(after="", limit=1) == [first]
    assert await store.applications_kept(after=first, limit=1) == [second]
    assert await store.applications_kept(after=second, limit=1) == []


# --- what goes --------------------------------------------------------------------------------


async def test_a_payload_goes_and_all_else_stays(store: Store, application: Application) -> None:
    item = await live(store, application, State.DELIVERED)
    purged = await store.purge([item.message.id], lambda standing: frozenset({Part.PAYLOAD}))
    assert purged == Purged(payloads=1)
    message = await store.message(application.id, item.message.id)
    assert message is not None
    assert message.payload is None
    assert await attempts_of(store, item) == 1
    assert not (await standing_of(store, item)).has_payload
    await assert_balanced(store)
    again = await store.purge([item.message.id], lambda standing: frozenset({Part.PAYLOAD}))
    assert again.messages == again.attempts == again.lines == 0


async def test_attempts_go_and_all_else_stays(store: Store, application: Application) -> None:
    item = await live(store, application, State.DELIVERED, State.DEAD)
    other = await live(store, application, State.DELIVERED)
    purged = await store.purge([item.message.id], lambda standing: frozenset({Part.ATTEMPTS}))
    assert purged == Purged(attempts=2)
    assert (await attempts_of(store, item), await attempts_of(store, other)) == (0, 1)
    assert (await standing_of(store, item)).has_payload
    await assert_balanced(store)


async def test_a_message_goes_whole_and_the_books_balance(
    store: Store, application: Application
) -> None:
    item = await live(store, application, State.DELIVERED, State.DEAD, State.CANCELLED)
    stays = await live(store, application, State.DELIVERED)
    purged = await store.purge([item.message.id], all_of_it)
    assert purged == Purged(messages=1, deliveries=3, dead_letters=1, attempts=3, lines=3)
    assert await store.message(application.id, item.message.id) is None
    assert [await store.delivery(d.id) for d in item.deliveries] == [None] * 3
    assert await attempts_of(store, item) == 0
    [row] = await store.ledger(EVER, window_s=3_600)
    assert (row.endpoint_id, row.accepted) == (stays.deliveries[0].endpoint_id, 1)
    await assert_balanced(store)


async def test_a_message_without_deliveries_goes_too(
    store: Store, application: Application
) -> None:
    item = await live(store, application)
    assert await store.purge([item.message.id], all_of_it) == Purged(messages=1)
    await assert_balanced(store)


async def test_a_delivery_that_was_added_later_goes_with_its_message(
    store: Store, application: Application
) -> None:
    item = await live(store, application, State.DELIVERED)
    added = make_delivery(message_id=item.message.id, app_id=application.id, state=State.LEASED)
    assert await store.settle([make_change(None, added)]) == [True]
    await store.settle([make_change(added, ended(added))])
    purged = await store.purge([item.message.id], all_of_it)
    assert (purged.deliveries, purged.lines) == (2, 2)
    await assert_balanced(store)


@pytest.mark.parametrize("state", [State.LEASED, State.PARKED])
async def test_what_the_rule_is_told_is_how_it_stands_now(
    store: Store, application: Application, state: State
) -> None:
    unfinished = await live(store, application, State.DELIVERED, state)
    finished = await live(store, application, State.DELIVERED)
    told: dict[str, Standing] = {}

    def decide(standing: Standing) -> frozenset[Part]:
        told[standing.message_id] = standing
        return all_of_it(standing)

    ids = [unfinished.message.id, finished.message.id, make_id("msg_")]
    assert (await store.purge(ids, decide)).messages == 1
    assert told.keys() == set(ids[:2])
    assert told[unfinished.message.id].is_unfinished
    assert await store.message(application.id, unfinished.message.id) == unfinished.message
    assert await attempts_of(store, unfinished) == 1
    assert await store.delivery(unfinished.deliveries[1].id) is not None
    await assert_balanced(store)


async def test_no_delivery_is_added_to_a_message_that_is_gone(
    store: Store, application: Application
) -> None:
    item = await live(store, application, State.DELIVERED)
    await store.purge([item.message.id], all_of_it)
    late = make_delivery(message_id=item.message.id, app_id=application.id)
    assert await store.settle([make_change(None, late)]) == [False]
    assert await store.delivery(late.id) is None
    await assert_balanced(store)


async def test_no_delivery_of_a_message_that_is_gone_comes_back(
    store: Store, application: Application
) -> None:
    item = await live(store, application, State.DEAD)
    dead = await store.delivery(item.deliveries[0].id)
    assert dead is not None
    await store.purge([item.message.id], all_of_it)
    waiting = aged(dead, state=State.WAITING, ready_at_us=START_US, finished_at_us=None)
    assert await store.settle([make_change(dead, waiting)]) == [False]
    assert await store.next_ready_at_us() is None
    await assert_balanced(store)


# --- the log ----------------------------------------------------------------------------------


async def test_lines_go_once_their_message_is_gone(store: Store, application: Application) -> None:
    gone = await live(store, application, State.DELIVERED)
    stays = await live(store, application, State.DELIVERED)
    before = await lines(store)
    assert len(before) == 4
    await store.purge([gone.message.id], all_of_it)
    assert len(await lines(store)) == 3
    cursor, purged = await store.purge_log(LogCursor(), until_us=2 * START_US, limit=100)
    assert purged == Purged(lines=1)
    assert await lines(store) == [line for line in before if line.message_id == stays.message.id]
    assert cursor is not None
    again = await store.purge_log(cursor, until_us=2 * START_US, limit=100)
    assert again == (None, Purged())


async def test_the_log_is_purged_in_pieces_up_to_a_time(
    store: Store, application: Application
) -> None:
    items = [
        await live(store, application, State.DELIVERED, at_us=START_US + second * SECOND_US)
        for second in range(6)
    ]
    await store.purge([item.message.id for item in items], all_of_it)
    until_us = START_US + 4 * SECOND_US
    cursor, counts = LogCursor(), []
    for _ in range(10):
        found, purged = await store.purge_log(cursor, until_us=until_us, limit=3)
        counts.append(purged.lines)
        if found is None:
            break
        cursor = found
    assert counts == [3, 1, 0]
    assert [line.at_us for line in await lines(store)] == [
        until_us,
        until_us + SECOND_US,
    ]


async def test_lines_of_what_is_missing_are_evidence_and_stay(
    store: Store, application: Application
) -> None:
    unfinished = await live(store, application, State.LEASED)
    [before] = unfinished.deliveries
    waiting = aged(before, state=State.WAITING, ready_at_us=START_US, holder=None)
    await store.settle([make_change(before, waiting)])
    stray = make_delivery(app_id=application.id, state=State.LEASED)  # its message was never there
    late = make_change(stray, ended(stray), attempt=make_attempt(stray))
    assert await store.settle([late]) == [False]
    assert len(await lines(store)) == 3
    _, purged = await store.purge_log(LogCursor(), until_us=2 * START_US, limit=100)
    assert purged.lines == 1  # the stray one: nothing says that there ever was such a delivery
    assert {line.message_id for line in await lines(store)} == {unfinished.message.id}


# --- redaction --------------------------------------------------------------------------------


async def test_expunging_a_message_forgets_the_responses_that_may_repeat_it(
    store: Store, application: Application
) -> None:
    item = await live(store, application, State.DELIVERED, State.DEAD)
    other = await live(store, application, State.DELIVERED)
    await store.expunge_message(item.message.id)
    message = await store.message(application.id, item.message.id)
    assert message is not None
    assert message.payload is None
    which = AttemptFilter(app_id=application.id, message_id=item.message.id)
    for attempt in await store.attempts(which, Page(limit=10)):
        assert (attempt.response_body, attempt.response_headers) == (None, ())
        assert attempt.status == 200
    untouched = AttemptFilter(app_id=application.id, message_id=other.message.id)
    [attempt] = await store.attempts(untouched, Page(limit=10))
    assert attempt.response_body == b"an echo"


# --- side by side -----------------------------------------------------------------------------


async def _late(job: Awaitable[object], seconds: float) -> object:
    await asyncio.sleep(seconds)
    return await job


@pytest.mark.parametrize("how", ["redriven", "added"])
async def test_a_purge_and_a_hand_that_brings_a_delivery_back_never_both_win(
    stores: tuple[Store, Store], how: str
) -> None:
    """Whoever is first: an unfinished delivery has its message, and the books balance."""
    one, other = stores
    application = make_application()
    await one.put(application)
    won = {True: 0, False: 0}
    for round_no in range(25):
        item = await live(one, application, State.DEAD)
        if how == "redriven":
            before = await one.delivery(item.deliveries[0].id)
            assert before is not None
            after = aged(before, state=State.WAITING, ready_at_us=START_US, finished_at_us=None)
        else:
            before = None
            after = make_delivery(message_id=item.message.id, app_id=application.id)
        jobs = [
            other.settle([make_change(before, after)]),
            one.purge([item.message.id], all_of_it),
        ]
        if round_no % 2:
            jobs.reverse()
        first, second = jobs
        if round_no % 3 == 2:  # now and then it is no race: each wins some, whatever is favoured
            await first
            await second
        else:
            await asyncio.gather(first, _late(second, 0.004 * (round_no % 3)))
        is_back = await one.delivery(after.id) is not None
        won[is_back] += 1
        assert (await one.message(application.id, item.message.id) is not None) == is_back
        await assert_balanced(one)
    assert min(won.values()) > 0, won  # otherwise nothing raced


async def test_two_that_purge_at_once_do_no_harm(stores: tuple[Store, Store]) -> None:
    one, other = stores
    application = make_application()
    await one.put(application)
    items = [await live(one, application, State.DELIVERED, State.DEAD) for _ in range(20)]
    ids = [item.message.id for item in items]
    purged = await asyncio.gather(
        one.purge(ids, all_of_it), other.purge(ids[::-1], all_of_it), one.purge(ids, all_of_it)
    )
    total = sum(purged, Purged())
    rest = await one.purge(ids, all_of_it)
    assert (total + rest).messages == 20
    assert (total + rest).deliveries == 40
    await assert_balanced(one)
