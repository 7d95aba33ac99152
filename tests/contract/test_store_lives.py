"""Random lives: whatever happens to deliveries, every store remembers it as the rules say."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from support.making import (
    HOLDER,
    LEASE_US,
    SECOND_US,
    START_US,
    make_acceptance,
    make_attempt,
    make_change,
)

from homing.core.errors import IllegalTransition
from homing.core.identifiers import DeliveryId
from homing.core.lifecycle import (
    Cancelled,
    DeadReason,
    Delivery,
    Fact,
    Failed,
    Gone,
    Leased,
    Lost,
    Parked,
    Postponed,
    Redriven,
    Released,
    Resent,
    Resumed,
    Succeeded,
    step,
)
from homing.core.queries import LogCursor, Span
from homing.core.records import Change
from homing.core.resources import Application
from homing.core.retry import RetryPolicy
from homing.core.store import Store

POLICY = RetryPolicy(delays_s=(5.0, 60.0))

FACTS: list[Callable[[int, random.Random], Fact]] = [
    lambda at_us, _: Leased(
        at_us=at_us, holder=HOLDER, until_us=at_us + LEASE_US, unanswered_max=2
    ),
    lambda at_us, _: Released(at_us=at_us),
    lambda at_us, _: Postponed(at_us=at_us, until_us=at_us + LEASE_US // 2),
    lambda at_us, _: Succeeded(at_us=at_us),
    lambda at_us, dice: Failed(
        at_us=at_us,
        chance=dice.random(),
        error=f"status {dice.choice([404, 500, 503])}",
        retry_after_s=dice.choice([None, None, 90.0]),
    ),
    lambda at_us, _: Gone(at_us=at_us, error="status 410"),
    lambda at_us, _: Parked(at_us=at_us, reason="disabled by ada"),
    lambda at_us, _: Resumed(at_us=at_us),
    lambda at_us, _: Lost(at_us=at_us, reason=DeadReason.PAYLOAD_GONE),
    lambda at_us, _: Cancelled(at_us=at_us, actor="ada: no longer needed"),
    lambda at_us, _: Resent(at_us=at_us, actor="ada"),
    lambda at_us, _: Redriven(at_us=at_us, actor="ada"),
]


def happen(delivery: Delivery, at_us: int, dice: random.Random) -> Change:
    """Something that can happen to `delivery`, decided by the rules."""
    for make_fact in dice.sample(FACTS, len(FACTS)):
        fact = make_fact(at_us, dice)
        try:
            after = step(delivery, fact, POLICY)
        except IllegalTransition:
            continue
        change = make_change(delivery, after, op=type(fact).__name__.lower())
        attempt = make_attempt(delivery) if isinstance(fact, Succeeded | Failed) else None
        return Change(before=delivery, after=after, entry=change.entry, attempt=attempt)
    raise AssertionError(f"nothing can happen to {delivery}")


@pytest.mark.parametrize("seed", range(6))
async def test_any_life_is_remembered_step_by_step(
    store: Store, application: Application, seed: int
) -> None:
    dice = random.Random(seed)
    items = [make_acceptance(application) for _ in range(8)]
    await store.accept(items)
    now: dict[DeliveryId, Delivery] = {item.deliveries[0].id: item.deliveries[0] for item in items}
    earlier: list[Change] = []
    at_us = START_US
    for _ in range(40):
        at_us += dice.randrange(10 * SECOND_US)
        batch, expected = [], []
        for which in dice.choices(list(now), k=dice.randrange(1, 6)):
            change = happen(now[which], at_us, dice)
            now[which] = change.after
            batch.append(change)
            expected.append(True)
        if earlier and dice.random() < 0.5:  # somebody decides on what has long moved on
            overtaken = dice.choice(earlier).before
            assert overtaken is not None
            rival = happen(overtaken, at_us, dice)
            if rival.after != now[rival.id]:
                batch.append(rival)
                expected.append(False)
        assert await store.settle(batch) == expected
        earlier += batch
        for which, delivery in now.items():
            assert await store.delivery(which) == delivery
    assert await store.misfits(Span(), limit=10) == []
    await check_books(store, now)
    lines = await store.log(LogCursor(), limit=1_000)
    assert len(lines) == len(items) + len(earlier)
    assert sum(line.entry.rows_written for line in lines) == len(items) + sum(
        delivery.version - 1 for delivery in now.values()
    )


async def check_books(store: Store, now: dict[DeliveryId, Delivery]) -> None:
    [*rows] = await store.ledger(Span(), window_s=3600)
    assert len(rows) == len(now)  # an endpoint each
    for row in rows:
        [delivery] = [found for found in now.values() if found.endpoint_id == row.endpoint_id]
        assert getattr(row, delivery.state) == 1
        assert row.accepted == 1
