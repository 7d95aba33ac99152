"""Operations to put side by side, and what must hold whatever their order was."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from homing.core.journal import Journal
from homing.core.lifecycle import Delivery, Failed, Leased, State, Succeeded
from homing.core.outcome import Reason
from homing.core.queries import AttemptFilter, DeliveryFilter, LogCursor, Page, Span
from homing.core.records import Acceptance, Accepted, Change
from homing.core.resources import Application, Endpoint
from homing.core.retry import RetryPolicy
from homing.core.store import Store
from homing.insight.evidence import Books
from homing.insight.invariants import ledger_balances
from homing.insight.promises import breaches
from support.claiming import claim_due
from support.interleaving import Interleaver, Operation, Run
from support.making import (
    LEASE_US,
    START_US,
    FakeClock,
    make_acceptance,
    make_application,
    make_attempt,
    make_endpoint,
)

AT_US = START_US + 1
POLICY = RetryPolicy(delays_s=(0.0,))
ALL = Page(limit=1_000)


def journal_of(name: str) -> Journal:
    return Journal(FakeClock(AT_US), f"node {name}")


def claim_by(name: str, at_us: int = AT_US) -> Operation:
    """Claim whatever is due, as a dispatcher does."""
    journal = journal_of(name)

    def decide(delivery: Delivery) -> Change:
        fact = Leased(at_us=at_us, holder=journal.holder, until_us=at_us + LEASE_US)
        attempt = None
        if delivery.state is State.LEASED:
            attempt = make_attempt(delivery, reason=Reason.NO_OUTCOME, status=None)
        return journal.decide(delivery, fact, attempt=attempt)

    return lambda store: claim_due(store, decide, at_us=at_us, count=10)


def settle_by(name: str, *made: tuple[Delivery, Any], policy: RetryPolicy = POLICY) -> Operation:
    """Write decisions made on these rows."""
    journal = journal_of(name)
    changes = []
    for before, fact in made:
        is_sent = isinstance(fact, Succeeded | Failed)
        reason = Reason.OK if isinstance(fact, Succeeded) else Reason.STATUS
        attempt = make_attempt(before, reason=reason) if is_sent else None
        actor = getattr(fact, "actor", None)
        changes.append(journal.decide(before, fact, policy, attempt=attempt, actor=actor))
    return lambda store: store.settle(changes)


def accept(item: Acceptance) -> Operation:
    return lambda store: store.accept([item])


OK = Succeeded(at_us=AT_US)
NOT_OK = Failed(at_us=AT_US, chance=0.5, error="status 500")


async def complaints(store: Store, promised: tuple[Acceptance, ...] = ()) -> list[str]:
    """What the shared invariants and the books say of the whole database."""
    rows = await store.deliveries(DeliveryFilter(), ALL)
    attempts = []
    for message_id in {row.message_id for row in rows}:
        app_id = next(row.app_id for row in rows if row.message_id == message_id)
        attempts += await store.attempts(AttemptFilter(app_id=app_id, message_id=message_id), ALL)
    books = Books(
        hot={row.id: row for row in rows if row.is_unfinished},
        history={row.id: row for row in rows if not row.is_unfinished},
        lines=[line.entry for line in await store.log(LogCursor(), limit=1_000)],
        attempts=attempts,
        promised=[delivery.id for item in promised for delivery in item.deliveries],
    )
    found = [one for one in breaches(books) if one.invariant != "delivered_means_2xx"]
    span = Span()
    found += ledger_balances(
        await store.ledger(span, window_s=60), await store.misfits(span, limit=9)
    )
    return [str(one) for one in found]


def check(sides: Interleaver, run: Run, *promised: Acceptance) -> None:
    store = sides.side.store
    found = sides.side.call(complaints(store, promised))
    assert found == [], f"{run}: {found}"
    for result in run.results.values():
        assert not isinstance(result, Exception), f"{run}: {result!r}"


def every(
    sides: Interleaver, prepare: Callable[[Store], Awaitable[tuple[Operation, Operation]]]
) -> Iterator[Run]:
    """Each run, after it was checked."""
    orders = []
    for run in sides.every(prepare):
        check(sides, run)
        orders.append(run.order)
        yield run
    assert len(set(orders)) == len(orders) > 1


class World:
    """An application with an endpoint and one delivery."""

    application: Application
    endpoint: Endpoint
    item: Acceptance

    @property
    def delivery(self) -> Delivery:
        return self.item.deliveries[0]


async def make_world(store: Store, state: State = State.LEASED, **endpoint: Any) -> World:
    world = World()
    world.application = make_application()
    world.endpoint = make_endpoint(world.application.id, **endpoint)
    await store.put(world.application)
    await store.put(world.endpoint)
    world.item = make_acceptance(world.application, (world.endpoint.id,), state=state)
    assert await store.accept([world.item]) == [Accepted()]
    return world
