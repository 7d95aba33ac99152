"""What the log and the books promise."""

from __future__ import annotations

import itertools

from support.making import (
    SECOND_US,
    START_US,
    ended,
    make_acceptance,
    make_application,
    make_change,
    make_delivery,
    make_id,
)
from support.planting import Plant

from homing.core.identifiers import DeliveryId
from homing.core.lifecycle import State
from homing.core.queries import LedgerRow, LogCursor, Misfit, Span
from homing.core.records import Acceptance
from homing.core.resources import Application
from homing.core.store import Store

MINUTE_US = 60 * SECOND_US
EVER = Span()


async def accept(
    store: Store, application: Application, *at_us: int, **fields: object
) -> list[Acceptance]:
    items = [make_acceptance(application, accepted_at_us=when, **fields) for when in at_us]
    await store.accept(items)
    return items


# --- the log ----------------------------------------------------------------------------------


async def test_the_log_is_read_in_pieces_without_gap_or_repeat(
    store: Store, application: Application
) -> None:
    items = await accept(store, application, *[START_US] * 7)
    cursor, seen = LogCursor(), []
    for _ in range(10):
        lines = await store.log(cursor, limit=3)
        if not lines:
            break
        seen += [line.entry for line in lines]
        assert lines == sorted(lines, key=lambda line: line.cursor)
        cursor = lines[-1].cursor
    assert seen == [item.entries[0] for item in items]
    assert await store.log(cursor, limit=3) == []
    [later] = await accept(store, application, START_US)
    assert [line.entry for line in await store.log(cursor, limit=3)] == list(later.entries)


async def test_the_log_can_be_read_for_one_application(
    store: Store, application: Application
) -> None:
    other = make_application()
    await store.put(other)
    await accept(store, other, START_US)
    [mine] = await accept(store, application, START_US)
    await accept(store, other, START_US)
    [line] = await store.log(LogCursor(), limit=1, app_id=application.id)
    assert line.entry == mine.entries[0]
    assert await store.log(line.cursor, limit=1, app_id=application.id) == []


# --- the ledger -------------------------------------------------------------------------------


async def test_every_accepted_delivery_is_in_exactly_one_column(
    store: Store, application: Application
) -> None:
    endpoint_id = make_id("ep_")
    born = [State.LEASED] * 4 + [State.WAITING, State.PARKED]
    items = [make_acceptance(application, (endpoint_id,), state=state) for state in born]
    await store.accept(items)
    ends = (State.DELIVERED, State.DEAD, State.CANCELLED)
    for item, end in zip(items, ends, strict=False):
        [before] = item.deliveries
        await store.settle([make_change(before, ended(before, end))])
    [row] = await store.ledger(EVER, window_s=60)
    assert row == LedgerRow(
        endpoint_id=endpoint_id,
        app_id=application.id,
        window_at_us=START_US,
        accepted=6,
        delivered=1,
        dead=1,
        cancelled=1,
        parked=1,
        leased=1,
        waiting=1,
    )
    assert await store.misfits(EVER, limit=10) == []


async def test_an_added_delivery_is_in_the_window_of_its_message(
    store: Store, application: Application
) -> None:
    [item] = await accept(store, application, START_US, endpoint_ids=())
    late = make_delivery(
        message_id=item.message.id, app_id=application.id, accepted_at_us=START_US + MINUTE_US
    )
    await store.settle([make_change(None, late)])
    await store.settle([make_change(None, late)])  # refused: it counts once
    [row] = await store.ledger(EVER, window_s=60)
    assert (row.window_at_us, row.accepted, row.waiting) == (START_US, 1, 1)
    assert await store.misfits(EVER, limit=10) == []


async def test_the_books_are_kept_by_window_and_endpoint(
    store: Store, application: Application
) -> None:
    one, other = sorted(make_id("ep_") for _ in range(2))
    both = (one, other)
    await accept(store, application, START_US, endpoint_ids=both)
    await accept(store, application, START_US + MINUTE_US - 4_000, endpoint_ids=(one,))
    # nothing for an hour: empty windows have no rows
    await accept(store, application, START_US + 60 * MINUTE_US, endpoint_ids=both)
    rows = await store.ledger(EVER, window_s=60)
    assert [(row.window_at_us, row.endpoint_id, row.accepted, row.leased) for row in rows] == [
        (START_US, one, 2, 2),
        (START_US, other, 1, 1),
        (START_US + 60 * MINUTE_US, one, 1, 1),
        (START_US + 60 * MINUTE_US, other, 1, 1),
    ]
    [one_day, other_day] = await store.ledger(EVER, window_s=86_400)
    assert (one_day.accepted, other_day.accepted) == (3, 2)


async def test_the_books_span_since_inclusive_until_exclusive(
    store: Store, application: Application
) -> None:
    await accept(store, application, START_US, START_US + SECOND_US, START_US + 2 * SECOND_US)
    span = Span(since_us=START_US + SECOND_US, until_us=START_US + 2 * SECOND_US)
    [row] = await store.ledger(span, window_s=60)
    assert (row.accepted, row.window_at_us) == (1, START_US)


async def test_an_empty_store_has_empty_books(store: Store) -> None:
    assert await store.ledger(EVER, window_s=60) == []
    assert await store.misfits(EVER, limit=10) == []


async def test_spans_that_touch_count_each_delivery_once(
    store: Store, application: Application
) -> None:
    times = [START_US + offset for offset in (0, 1, 3_999, 4_000, 4_001, 9_999)]
    await accept(store, application, *times)
    cuts = [START_US, START_US + 3_000, START_US + 4_000, START_US + 10_000 + 4_000]
    total = 0
    for since_us, until_us in itertools.pairwise(cuts):
        rows = await store.ledger(Span(since_us=since_us, until_us=until_us), window_s=60)
        total += sum(row.accepted for row in rows)
    assert total == len(times)


# --- misfits ----------------------------------------------------------------------------------


async def test_a_row_that_vanished_is_unaccounted(
    store: Store, application: Application, plant: Plant
) -> None:
    items = await accept(store, application, START_US, START_US)
    lost = items[0].deliveries[0]
    await plant.remove("deliveries", lost.id)
    assert await store.misfits(EVER, limit=10) == [Misfit(delivery=lost.id, kind="unaccounted")]
    rows = await store.ledger(EVER, window_s=60)
    assert [(row.accepted, row.leased) for row in rows if row.endpoint_id == lost.endpoint_id] == [
        (1, 0)
    ]


async def test_a_finished_row_that_vanished_is_unaccounted(
    store: Store, application: Application, plant: Plant
) -> None:
    [item] = await accept(store, application, START_US)
    [before] = item.deliveries
    await store.settle([make_change(before, ended(before))])
    await plant.remove("history", before.id)
    assert await store.misfits(EVER, limit=10) == [Misfit(delivery=before.id, kind="unaccounted")]


async def test_a_lost_delivery_that_is_added_again_is_accounted_for(
    store: Store, application: Application, plant: Plant
) -> None:
    [item] = await accept(store, application, START_US)
    [lost] = item.deliveries
    await plant.remove("deliveries", lost.id)
    assert await store.settle([make_change(None, lost)]) == [True]
    assert await store.misfits(EVER, limit=10) == []
    [row] = await store.ledger(EVER, window_s=60)
    assert (row.accepted, row.leased) == (1, 1)


async def test_a_row_that_nobody_announced_is_named(
    store: Store, application: Application, plant: Plant
) -> None:
    [item] = await accept(store, application, START_US, endpoint_ids=())
    stray = make_delivery(message_id=item.message.id, app_id=application.id)
    await plant.insert("deliveries", stray)
    assert await store.misfits(EVER, limit=10) == [Misfit(delivery=stray.id, kind="unannounced")]
    [row] = await store.ledger(EVER, window_s=60)
    assert (row.accepted, row.waiting) == (0, 1)


async def test_a_delivery_in_both_tables_is_doubled(
    store: Store, application: Application, plant: Plant
) -> None:
    [item] = await accept(store, application, START_US)
    [before] = item.deliveries
    await store.settle([make_change(before, ended(before))])
    await plant.insert("deliveries", before)
    assert await store.misfits(EVER, limit=10) == [Misfit(delivery=before.id, kind="doubled")]
    [row] = await store.ledger(EVER, window_s=60)
    assert (row.accepted, row.delivered, row.leased) == (1, 1, 1)


async def test_a_message_whose_fan_out_disagrees_with_the_log_is_uncounted(
    store: Store, application: Application
) -> None:
    [item] = await accept(store, application, START_US, fanout=2)
    assert await store.misfits(EVER, limit=10) == [
        Misfit(delivery=DeliveryId(item.message.id, ""), kind="uncounted")
    ]


async def test_misfits_are_looked_for_within_the_span_and_up_to_the_limit(
    store: Store, application: Application, plant: Plant
) -> None:
    times = [START_US + second * SECOND_US for second in range(4)]
    items = await accept(store, application, *times)
    for item in items:
        await plant.remove("deliveries", item.deliveries[0].id)
    found = await store.misfits(EVER, limit=2)
    assert [misfit.delivery for misfit in found] == [item.deliveries[0].id for item in items[:2]]
    span = Span(since_us=times[1], until_us=times[3])
    found = await store.misfits(span, limit=10)
    assert [misfit.delivery for misfit in found] == [item.deliveries[0].id for item in items[1:3]]
