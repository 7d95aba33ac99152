"""How an objective's budget went, read from what was counted."""

from __future__ import annotations

import msgspec
from support.making import ORG_ID, START_US
from support.tasks import service_of
from support.world import World, make_world

from homing.core.objectives import MINUTE_US, Measured, Objective, Owner, Sli, Tally
from homing.insight.objectives import default_objectives
from homing.service.objective_history import history_of

DAY_US = 1_440 * MINUTE_US
DELIVERED = next(one for one in default_objectives(ORG_ID) if one.sli is Sli.DELIVERED)


def tally(at_us: int, count: int, owner: Owner | None = None) -> Tally:
    rule = "" if owner is None else "late"
    return Tally(scope=ORG_ID, at_us=at_us, sli=Sli.DELIVERED, owner=owner, rule=rule, count=count)


async def a_world(*tallies: Tally) -> World:
    world = make_world()
    watch = Measured(
        scope="", id="measured", version=1, created_at_us=START_US, updated_at_us=START_US
    )
    await world.store.tally(watch, tallies, forget={})
    return world


async def test_a_month_is_shown_by_the_hour_and_earlier_ones_as_they_ended() -> None:
    now_us = make_world().clock.now_us() // DAY_US * DAY_US
    world = await a_world(
        tally(now_us - 3 * DAY_US, 995),
        tally(now_us - 3 * DAY_US, 5, Owner.PLATFORM),
        tally(now_us - 2 * DAY_US, 1_000),
        tally(now_us - 40 * DAY_US, 90),
        tally(now_us - 40 * DAY_US, 10, Owner.PLATFORM),
    )
    found = await history_of(service_of(world), DELIVERED)
    assert found.grain_s == 3_600
    assert [(one.counts.total, float(one.left)) for one in found.points] == [
        (1_000, 0.5),
        (1_000, 0.5),
    ]
    [ended] = found.past
    assert (ended.counts.bad, ended.is_met) == (10, False)


async def test_what_began_today_is_shown_by_the_minute() -> None:
    now_us = make_world().clock.now_us() // MINUTE_US * MINUTE_US
    world = await a_world(tally(now_us - 90 * MINUTE_US, 3), tally(now_us - 5 * MINUTE_US, 4))
    found = await history_of(service_of(world), DELIVERED)
    assert found.grain_s == 60
    assert [one.at_us for one in found.points] == [
        now_us - 90 * MINUTE_US,
        now_us - 5 * MINUTE_US,
    ]


async def test_a_year_is_shown_by_the_day() -> None:
    now_us = make_world().clock.now_us() // DAY_US * DAY_US
    world = await a_world(tally(now_us - 100 * DAY_US, 3), tally(now_us - 100 * DAY_US + 1, 3))
    yearly = msgspec.structs.replace(DELIVERED, period="365d")
    found = await history_of(service_of(world), yearly)
    assert (found.grain_s, [one.counts.total for one in found.points]) == (86_400, [6])


async def test_integrity_has_no_budget_that_is_spent_by_time() -> None:
    integrity: Objective = next(
        one for one in default_objectives(ORG_ID) if one.sli is Sli.INTEGRITY
    )
    found = await history_of(service_of(await a_world()), integrity)
    assert (found.points, found.past) == ((), ())
