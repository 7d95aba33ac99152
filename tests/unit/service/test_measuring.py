"""Counting for objectives inside the service: behind a place, by one process, each minute once."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest
from support.making import (
    HOLDER,
    ORG_ID,
    SECOND_US,
    START_US,
    FakeClock,
    make_acceptance,
    make_application,
    make_attempt,
    make_delivery,
    make_endpoint,
)

from homing.core.identifiers import DeliveryId
from homing.core.journal import Journal
from homing.core.lifecycle import Failed, State, Succeeded
from homing.core.objectives import MINUTE_US, Limits, Measured, Objective, Sli, Tally
from homing.core.outcome import Reason
from homing.core.queries import LedgerRow, Misfit
from homing.core.resources import Application
from homing.core.retry import RetryPolicy
from homing.insight.ledger import report
from homing.service.acceptance import AcceptanceCounts
from homing.service.measuring import Measurer
from homing.store.memory.store import MemoryStore

LIMITS = Limits()


class World:
    def __init__(self) -> None:
        self.store = MemoryStore()
        self.clock = FakeClock()
        self.acceptance = AcceptanceCounts(LIMITS)
        self.told: list[Tally] = []
        self.application: Application = make_application()
        self.measurer = self.make_measurer("one")

    def make_measurer(self, holder: str, **more: object) -> Measurer:
        return Measurer(
            self.store, self.clock, holder, limits=LIMITS, on_tallies=self.told.extend, **more
        )

    async def deliver(self, count: int = 1, *, wait_s: float = 0.1, **endpoint: object) -> str:
        """Accept, wait, and be answered 2xx; the endpoint's id."""
        made = make_endpoint(self.application.id, **endpoint)
        await self.store.put(made)
        journal = Journal(self.clock, HOLDER)
        for _ in range(count):
            at_us = self.clock.now_us()
            item = make_acceptance(self.application, (made.id,), accepted_at_us=at_us)
            await self.store.accept([item])
            began_us = self.clock.advance(wait_s)
            delivery = item.deliveries[0]
            attempt = make_attempt(delivery, at_us=began_us, total_us=0)
            fact = Succeeded(at_us=began_us)
            await self.store.settle([journal.decide(delivery, fact, attempt=attempt)])
        return made.id

    async def counts(self, scope: str, sli: Sli) -> dict[str, int]:
        found = await self.store.tallied(scope, 86_400, 0, START_US * 2)
        return {
            f"{one.owner}/{one.rule}" if one.owner else "good": one.count
            for one in found
            if one.sli is sli and one.count
        }


@pytest.fixture
async def world() -> World:
    world = World()
    await world.store.put(world.application)
    return world


async def test_what_was_delivered_is_counted_for_the_organisation_once(world: World) -> None:
    await world.deliver(3)
    await world.measurer.once()
    await world.measurer.once()
    for sli in (Sli.FIRST_ATTEMPT, Sli.DELIVERED, Sli.FIRST_SUCCESS, Sli.DUPLICATES):
        assert await world.counts(ORG_ID, sli) == {"good": 3}
    assert await world.counts(world.application.id, Sli.DELIVERED) == {}
    assert sum(one.count for one in world.told if one.sli is Sli.DELIVERED) == 3


async def test_an_application_with_an_objective_is_counted_beside(world: World) -> None:
    await world.store.put(
        Objective(
            scope=ORG_ID,
            id="shop",
            created_at_us=START_US,
            updated_at_us=START_US,
            sli=Sli.DELIVERED,
            target="0.99",
            app_id=world.application.id,
        )
    )
    await world.deliver(2)
    await world.measurer.once()
    assert await world.counts(ORG_ID, Sli.DELIVERED) == {"good": 2}
    assert await world.counts(world.application.id, Sli.DELIVERED) == {"good": 2}


async def test_a_late_start_is_ours_unless_there_is_evidence(world: World) -> None:
    await world.deliver(wait_s=6)
    await world.measurer.once()
    assert await world.counts(ORG_ID, Sli.FIRST_ATTEMPT) == {"platform/started_late": 1}
    await world.deliver(wait_s=6, rate_limit=1)
    await world.measurer.once()
    assert await world.counts(ORG_ID, Sli.FIRST_ATTEMPT) == {
        "platform/started_late": 1,
        "configuration/limited": 1,
    }


async def test_an_endpoint_that_gave_no_answer_explains_the_wait_of_others(world: World) -> None:
    endpoint_id = await world.deliver(wait_s=0)
    probe = make_delivery(endpoint_id=endpoint_id, app_id=world.application.id, state=State.LEASED)
    world.store.hot[probe.id] = probe
    journal = Journal(world.clock, HOLDER)
    attempt = make_attempt(
        probe, at_us=world.clock.now_us(), reason=Reason.CONNECT_TIMEOUT, status=None
    )
    fact = Failed(at_us=world.clock.now_us(), chance=0.0, error="connect_timeout")
    change = journal.decide(probe, fact, RetryPolicy(delays_s=(600.0,)), attempt=attempt)
    await world.store.settle([change])
    at_us = world.clock.now_us()
    item = make_acceptance(world.application, (endpoint_id,), accepted_at_us=at_us)
    await world.store.accept([item])
    delivery = item.deliveries[0]
    began_us = world.clock.advance(30)
    attempt = make_attempt(delivery, at_us=began_us, total_us=0)
    await world.store.settle([journal.decide(delivery, Succeeded(at_us=began_us), attempt=attempt)])
    await world.measurer.once()
    assert await world.counts(ORG_ID, Sli.FIRST_ATTEMPT) == {
        "good": 2,
        "receiver/not_answering": 1,
    }


async def test_one_process_counts_and_another_takes_over(world: World) -> None:
    other = world.make_measurer("other")
    await world.deliver()
    await world.measurer.once()
    await world.deliver()
    await other.once()
    assert await world.counts(ORG_ID, Sli.DELIVERED) == {"good": 1}, "the lease is the other's"
    world.clock.advance(61)
    await other.once()
    assert await world.counts(ORG_ID, Sli.DELIVERED) == {"good": 2}


async def test_publishers_answers_are_added_by_every_process_and_survive_a_collision(
    world: World,
) -> None:
    acceptance = AcceptanceCounts(LIMITS)
    other = world.make_measurer("other", acceptance=acceptance)
    await world.measurer.once()
    acceptance.answered(10, 100_000)
    acceptance.answered(2, 600_000)
    acceptance.refused(1)
    real = world.store.tally

    async def beaten(watch: Measured, tallies: Sequence[Tally], **more: object) -> None:
        world.store.tally = real  # type: ignore[method-assign]
        await real(watch, (), forget={})
        await real(watch, tallies, forget={})

    world.store.tally = beaten  # type: ignore[method-assign]
    assert await other.once(), "it was beaten, and asks to be called again"
    await other.once()
    assert await world.counts("", Sli.ACCEPTANCE) == {
        "good": 10,
        "platform/slow": 2,
        "platform/refused": 1,
    }


async def test_each_minute_is_looked_at_once_and_a_missing_audit_is_bad(world: World) -> None:
    balanced = report((), (), at_us=world.clock.now_us(), since_us=0, until_us=1)
    world.measurer.audited(balanced)
    for _ in range(3):
        await world.measurer.once()
    assert await world.counts("", Sli.AUDIT) == {"good": 1}
    world.clock.advance(60)
    await world.measurer.once()
    assert await world.counts("", Sli.AUDIT) == {"good": 2}
    world.clock.advance(300)  # nobody is there for four minutes, and no audit since
    await world.measurer.once()
    assert await world.counts("", Sli.AUDIT) == {
        "good": 2,
        "platform/nobody_looked": 4,
        "platform/late": 1,
    }


async def test_an_audit_that_finds_something_is_remembered_with_examples(world: World) -> None:
    row = LedgerRow(endpoint_id="ep_1", app_id="app_1", window_at_us=0, accepted=1)
    misfit = Misfit(delivery=DeliveryId("msg_1", "ep_1"), kind="unaccounted")
    at_us = world.clock.now_us()
    world.measurer.audited(report([row], [misfit], at_us=at_us, since_us=0, until_us=1))
    await world.measurer.once()
    watch = await world.store.get(Measured, "", "measured")
    assert watch is not None
    assert (watch.unaccounted, watch.missing) == (1, ("msg_1.ep_1",))
    assert await world.counts("", Sli.AUDIT) == {"platform/open": 1}


@pytest.mark.parametrize(
    ("endpoint", "fresh"),
    [({}, False), ({"rate_limit": 1}, True), ({"disabled": True}, True)],
)
async def test_a_minute_in_which_something_due_lies_is_bad_unless_something_stands_against_it(
    world: World, endpoint: dict[str, object], fresh: bool
) -> None:
    made = make_endpoint(world.application.id, **endpoint)
    await world.store.put(made)
    await world.store.accept([make_acceptance(world.application, (made.id,), state=State.WAITING)])
    world.clock.at_us = START_US + MINUTE_US + 2 * SECOND_US
    await world.measurer.once()
    expected = {"good": 1} if fresh else {"platform/due_late": 1}
    assert await world.counts("", Sli.FRESHNESS) == expected


async def test_old_minutes_go_and_their_days_stay(world: World) -> None:
    await world.deliver()
    await world.measurer.once()
    world.clock.advance(5 * 86_400)
    await world.measurer.once()
    minutes = await world.store.tallied(ORG_ID, 60, 0, START_US * 2)
    assert not minutes
    assert await world.counts(ORG_ID, Sli.DELIVERED) == {"good": 1}


async def test_what_has_nothing_to_do_with_an_organisation_is_not_counted(world: World) -> None:
    hidden = make_application(scope="operational/org_1")
    await world.store.put(hidden)
    world.application = msgspec.structs.replace(hidden)
    await world.deliver()
    await world.measurer.once()
    assert {one.scope for one in world.told} <= {""}


async def test_before_the_first_audit_none_is_late_until_it_should_have_been(world: World) -> None:
    await world.measurer.once()
    assert await world.counts("", Sli.AUDIT) == {}
    for _ in range(4):
        world.clock.advance(60)
        await world.measurer.once()
    assert await world.counts("", Sli.AUDIT) == {"platform/late": 1}
