"""Pairs of operations, their statements in every order, on real SQLite and real PostgreSQL."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from support.interleaving import Interleaver, Operation
from support.making import (
    LEASE_US,
    SEALS,
    START_US,
    FakeChance,
    make_acceptance,
    make_application,
    make_endpoint,
    make_key,
)
from support.pairs import (
    AT_US,
    NOT_OK,
    OK,
    World,
    accept,
    claim_by,
    every,
    journal_of,
    make_world,
    settle_by,
)

from homing.core.errors import Stale
from homing.core.lifecycle import Cancelled, Delivery, Parked, Redriven, State
from homing.core.records import (
    Acceptance,
    Accepted,
    Claimed,
    Conflicting,
    Outdated,
    Repeated,
)
from homing.core.resources import Endpoint
from homing.core.retry import RetryPolicy
from homing.core.store import Store
from homing.dispatch.sweeper import Sweeper
from homing.service import deliveries
from homing.service.context import Service
from homing.service.deliveries import resend
from homing.service.intake import Draft, Intake
from homing.service.tokens import Tokens


def test_two_claims_lease_a_delivery_once(sides: Interleaver) -> None:
    async def prepare(store: Store) -> tuple[Operation, Operation]:
        await make_world(store, State.WAITING)
        return claim_by("A"), claim_by("B")

    runs = list(every(sides, prepare))
    for run in runs:
        got = [claimed for result in run.results.values() for claimed in result]
        assert len(got) == 1, run
        assert isinstance(got[0], Claimed)
    assert len(runs) >= 2


def test_a_claim_of_a_lapsed_lease_and_its_late_outcome_never_both_win(sides: Interleaver) -> None:
    at_us = START_US + LEASE_US + 1

    async def prepare(store: Store) -> tuple[Operation, Operation]:
        world = await make_world(store)
        return claim_by("A", at_us), settle_by("B", (world.delivery, OK))

    outcomes = set()
    for run in every(sides, prepare):
        claimed, [written] = run.results["A"], run.results["B"]
        assert bool(claimed) != written, run
        outcomes.add(written)
    assert outcomes == {True, False}, "each must have come first in some order"


@pytest.mark.parametrize(
    "facts", [(OK, NOT_OK), (NOT_OK, NOT_OK), (OK, OK)], ids=["ok-not", "not-not", "ok-ok"]
)
def test_of_two_outcomes_of_one_lease_one_is_written(
    sides: Interleaver, facts: tuple[Any, Any]
) -> None:
    async def prepare(store: Store) -> tuple[Operation, Operation]:
        world = await make_world(store)
        first, second = facts
        return settle_by("A", (world.delivery, first)), settle_by("B", (world.delivery, second))

    for run in every(sides, prepare):
        assert sorted([*run.results["A"], *run.results["B"]]) == [False, True], run


def test_batches_that_share_deliveries_in_another_order_both_end(sides: Interleaver) -> None:
    async def prepare(store: Store) -> tuple[Operation, Operation]:
        one, other = await make_world(store), await make_world(store)
        there = settle_by("A", (one.delivery, OK), (other.delivery, NOT_OK))
        back = settle_by("B", (other.delivery, OK), (one.delivery, NOT_OK))
        return there, back

    for run in every(sides, prepare):
        first, second = run.results["A"], run.results["B"]
        assert [a != b for a, b in zip(first, reversed(second), strict=True)] == [True, True], run


def test_of_two_redrives_of_a_dead_letter_one_is_written(sides: Interleaver) -> None:
    async def prepare(store: Store) -> tuple[Operation, Operation]:
        world = await make_world(store)
        once = RetryPolicy(delays_s=())
        await settle_by("-", (world.delivery, NOT_OK), policy=once)(store)
        dead = await store.delivery(world.delivery.id)
        assert dead is not None
        fact = Redriven(at_us=AT_US, actor="ada")
        return settle_by("A", (dead, fact)), settle_by("B", (dead, fact))

    for run in every(sides, prepare):
        # Nothing tells two people who ask for the very same apart: both are told that it was done.
        assert True in [*run.results["A"], *run.results["B"]], run


@pytest.mark.parametrize("same_body", [True, False])
def test_of_two_requests_with_one_key_one_is_stored(sides: Interleaver, same_body: bool) -> None:
    items: list[Acceptance] = []

    async def prepare(store: Store) -> tuple[Operation, Operation]:
        application = make_application()
        await store.put(application)
        bodies = ("one", "one" if same_body else "other")
        items[:] = [
            make_acceptance(application, keys=(make_key("key", body), make_key(f"own {n}")))
            for n, body in enumerate(bodies)
        ]
        return accept(items[0]), accept(items[1])

    for run in every(sides, prepare):
        results = [*run.results["A"], *run.results["B"]]
        winner = results.index(Accepted())
        expected = Repeated(items[winner].message.id) if same_body else Conflicting()
        assert results[1 - winner] == expected, run


def test_a_message_accepted_after_an_endpoint_was_made_was_fanned_out_to_it(
    sides: Interleaver,
) -> None:
    """The fan-out was computed before the endpoint was; then nothing may be stored by it."""

    async def prepare(store: Store) -> tuple[Operation, Operation]:
        application = make_application()
        await store.put(application)
        endpoint = make_endpoint(application.id)
        item = make_acceptance(application)
        return accept(item), lambda store: store.put(endpoint, touch=application.id)

    seen = set()
    for run in every(sides, prepare):
        [result] = run.results["A"]
        seen.add(type(result))
        if run.is_before("B", "A"):
            assert result == Outdated(), run
        if run.is_before("A", "B"):
            assert result == Accepted(), run
    assert seen == {Accepted, Outdated}


def test_a_publisher_whose_application_changes_meanwhile_reaches_every_endpoint(
    sides: Interleaver,
) -> None:
    """The whole intake, which reads, composes and tries again, and an endpoint being made."""
    made: list[Endpoint] = []

    async def prepare(store: Store) -> tuple[Operation, Operation]:
        application = make_application()
        await store.put(application)
        made[:] = [make_endpoint(application.id)]

        async def publish(store: Store) -> Any:
            intake = Intake(store, FakeChance(), journal_of("A"))
            draft = Draft(event_type="payment.captured", payload=b"{}")
            message, _ = await intake.create_message(application.scope, application.id, draft)
            return message

        return publish, lambda store: store.put(made[0], touch=application.id)

    fanouts = set()
    for run in every(sides, prepare):
        message = run.results["A"]
        fanouts.add(message.fanout)
        if run.is_before("B", "A"):
            assert message.fanout == 1, run
    assert fanouts == {0, 1}


def test_a_message_is_not_accepted_for_an_application_that_is_gone(sides: Interleaver) -> None:
    async def prepare(store: Store) -> tuple[Operation, Operation]:
        world = await make_world(store)
        item = make_acceptance(world.application, (world.endpoint.id,))
        return accept(item), lambda store: store.delete(world.application)

    seen = set()
    for run in every(sides, prepare):
        [result] = run.results["A"]
        seen.add(type(result))
        if run.is_before("B", "A"):
            assert result == Outdated(), run
    assert seen == {Accepted, Outdated}


class NoDispatcher:
    """A dispatcher that has nothing to do."""

    def reserve(self, count: int) -> int:
        return 0

    def release(self, count: int) -> None:
        pass

    def take(self, work: Any) -> None:
        pass

    def wake(self) -> None:
        pass


def sweep_by(name: str) -> Operation:
    return lambda store: Sweeper(store, journal_of(name), NoDispatcher()).sweep()


def test_two_sweeps_resume_a_parked_delivery_once(sides: Interleaver) -> None:
    async def prepare(store: Store) -> tuple[Operation, Operation]:
        await make_world(store, State.PARKED)
        return sweep_by("A"), sweep_by("B")

    for run in every(sides, prepare):
        assert 1 in (run.results["A"], run.results["B"]), run


def test_a_delivery_parked_while_its_endpoint_is_enabled_is_resumed_by_the_next_sweep(
    sides: Interleaver,
) -> None:
    """A dispatcher that saw it disabled parks it; meanwhile somebody enables it, and sweeps."""
    worlds: list[World] = []

    async def prepare(store: Store) -> tuple[Operation, Operation]:
        world = await make_world(store, disabled=True)
        worlds[:] = [world]
        enabled = msgspec.structs.replace(world.endpoint, disabled=False, version=2)

        async def enable_and_sweep(store: Store) -> int:
            await store.put(enabled, touch=world.application.id)
            return await Sweeper(store, journal_of("B"), NoDispatcher()).sweep()

        fact = Parked(at_us=AT_US, reason="the endpoint is disabled")
        return settle_by("A", (world.delivery, fact)), enable_and_sweep

    swept = set()
    for run in every(sides, prepare):
        assert run.results["A"] == [True]
        swept.add(run.results["B"])
        side = sides.side
        side.call(sweep_by("C")(side.store))
        found = side.call(side.store.delivery(worlds[0].delivery.id))
        assert found.state is State.WAITING, run
    assert swept == {0, 1}, "the sweep must have come too early in some order"


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A resend looks once at an attempt under way, not forty times: each look is a statement."""
    monkeypatch.setattr(deliveries, "_RESEND_WAIT_S", 0.001)
    monkeypatch.setattr(deliveries, "_RESEND_POLL_S", 0.001)


def resend_by(name: str, world: World) -> Operation:
    """A person asks for one attempt now, through the service."""

    async def ask(store: Store) -> None:
        journal = journal_of(name)
        chance = FakeChance()
        service = Service(
            store=store,
            clock=journal.clock,
            chance=chance,
            intake=Intake(store, chance, journal),
            journal=journal,
            tokens=Tokens("a secret of the tests"),
            seals=SEALS,
        )
        await resend(
            service, world.application.id, world.item.message.id, world.endpoint.id, actor="ada"
        )

    return ask


async def dead_or_due(store: Store, world: World, *, retries: int) -> Delivery:
    """The delivery after one failure."""
    policy = RetryPolicy(delays_s=(0.0,) * retries)
    await settle_by("-", (world.delivery, NOT_OK), policy=policy)(store)
    found = await store.delivery(world.delivery.id)
    assert found is not None
    return found


def test_a_resend_and_the_claim_of_a_retry_lose_neither(sides: Interleaver) -> None:
    worlds: list[World] = []

    async def prepare(store: Store) -> tuple[Operation, Operation]:
        world = await make_world(store)
        worlds[:] = [world]
        await dead_or_due(store, world, retries=1)
        return resend_by("A", world), claim_by("B")

    manual = set()
    for run in every(sides, prepare):
        [claimed] = run.results["B"] or [None]
        side = sides.side
        found = side.call(side.store.delivery(worlds[0].delivery.id))
        assert found.state in (State.LEASED, State.WAITING), run
        # Whichever came first: the retry goes on, as it was or after the manual attempt.
        assert found.resume in (None, State.WAITING), run
        manual.add(claimed is not None and claimed.delivery.manual)
    assert manual == {True, False}


def test_a_resend_of_what_is_being_settled_is_never_refused(
    sides: Interleaver,
) -> None:
    worlds: list[World] = []

    async def prepare(store: Store) -> tuple[Operation, Operation]:
        world = await make_world(store)
        worlds[:] = [world]
        return resend_by("A", world), settle_by("B", (world.delivery, OK))

    states = set()
    for run in every(sides, prepare):
        assert run.results["B"] == [True], run
        side = sides.side
        found = side.call(side.store.delivery(worlds[0].delivery.id))
        states.add(found.state)
        if run.is_before("B", "A"):
            assert found.state is State.WAITING, run
    # Under way when it was asked for: that very attempt was the one; or else there is another.
    assert states == {State.DELIVERED, State.WAITING}


def test_a_redrive_and_the_discard_of_one_dead_letter_never_both_win(sides: Interleaver) -> None:
    async def prepare(store: Store) -> tuple[Operation, Operation]:
        world = await make_world(store)
        dead = await dead_or_due(store, world, retries=0)
        redriven = Redriven(at_us=AT_US, actor="ada")
        cancelled = Cancelled(at_us=AT_US, actor="bob: not wanted")
        return settle_by("A", (dead, redriven)), settle_by("B", (dead, cancelled))

    for run in every(sides, prepare):
        assert sorted([*run.results["A"], *run.results["B"]]) == [False, True], run


def test_two_people_who_change_one_endpoint_do_not_overwrite_each_other(
    sides: Interleaver,
) -> None:
    async def prepare(store: Store) -> tuple[Operation, Operation]:
        world = await make_world(store)

        def put(url: str) -> Operation:
            changed = msgspec.structs.replace(world.endpoint, url=url, version=2)

            async def change(store: Store) -> str:
                try:
                    await store.put(changed, touch=world.application.id)
                except Stale:
                    return "stale"
                return "written"

            return change

        return put("http://127.0.0.1:9/one"), put("http://127.0.0.1:9/other")

    for run in every(sides, prepare):
        assert sorted(run.results.values()) == ["stale", "written"], run
