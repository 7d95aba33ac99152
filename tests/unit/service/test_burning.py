"""What the alerts are told of budgets: the fastest tier of each severity, and why."""

from __future__ import annotations

import msgspec
from support.making import START_US, FakeClock

from homing.core.objectives import MINUTE_US, Objective, Owner, Sli, Tally, Watch
from homing.service.burning import BurnReader
from homing.store.memory.store import MemoryStore

WATCH = Watch(
    scope="",
    id="watch",
    created_at_us=START_US,
    updated_at_us=START_US,
    organisations=("org_1", "org_2"),
)


def tallies(sli: Sli, good: int, bad: int, owner: Owner = Owner.PLATFORM) -> list[Tally]:
    """So many events in each of the last five minutes."""
    scope = "" if sli is Sli.ACCEPTANCE else "org_1"
    usual = {"scope": scope, "sli": sli}
    return [
        Tally(at_us=START_US - n * MINUTE_US, owner=who, rule=rule, count=count, **usual)
        for n in range(5)
        for who, rule, count in ((None, "", good), (owner, "started_late", bad))
        if count
    ]


async def test_a_budget_that_burns_too_fast_is_told_once_for_each_severity() -> None:
    store = MemoryStore()
    await store.tally(WATCH, tallies(Sli.FIRST_ATTEMPT, 90, 10), forget={})
    [page, ticket] = await BurnReader(store)(START_US)
    assert (page.org_id, page.objective, page.severity) == ("org_1", "first-attempt", "page")
    assert (page.bad, page.total) == (50, 500)
    assert page.what == (
        "the budget of first-attempt (99.9%) is spent 100 times as fast as it lasts: "
        "in 1 h 50 of 500 went wrong (platform/started_late 50)"
    )
    assert page.rate.low < 0.1 < page.rate.high
    assert ticket.severity == "ticket"


async def test_what_receivers_did_burns_no_budget_of_the_platform() -> None:
    store = MemoryStore()
    rows = tallies(Sli.DELIVERED, 50, 50, Owner.RECEIVER)
    rows += tallies(Sli.FIRST_SUCCESS, 50, 50, Owner.RECEIVER)
    await store.tally(WATCH, rows, forget={})
    assert await BurnReader(store)(START_US) == []


async def test_few_bad_events_wake_nobody() -> None:
    store = MemoryStore()
    await store.tally(WATCH, tallies(Sli.FIRST_ATTEMPT, 4, 4), forget={})
    assert await BurnReader(store)(START_US) == []


async def test_the_service_as_a_whole_is_told_of_once() -> None:
    store = MemoryStore()
    await store.tally(WATCH, tallies(Sli.ACCEPTANCE, 50, 50), forget={})
    found = await BurnReader(store)(START_US)
    assert [(one.org_id, one.severity) for one in found] == [
        ("org_1", "page"),
        ("org_1", "ticket"),
    ]


async def test_an_objective_that_was_written_takes_the_place_of_the_default() -> None:
    store, clock = MemoryStore(), FakeClock()
    await store.tally(WATCH, tallies(Sli.FIRST_ATTEMPT, 90, 10), forget={})
    lenient = Objective(
        scope="org_1",
        id="first-attempt",
        created_at_us=START_US,
        updated_at_us=START_US,
        sli=Sli.FIRST_ATTEMPT,
        target="0.9",
    )
    await store.put(lenient)
    reader = BurnReader(store)
    assert await reader(clock.now_us()) == []
    await store.delete(lenient)
    assert await reader(clock.advance(5)) == [], "what was just read is used again"
    assert len(await reader(clock.advance(20))) == 2


async def test_where_nothing_was_counted_nothing_is_told() -> None:
    store = MemoryStore()
    assert await BurnReader(store)(START_US) == []
    await store.tally(msgspec.structs.replace(WATCH), (), forget={})
    assert await BurnReader(store)(START_US) == []
