"""Twenty-four hours in which receivers fail and Homing does not: nobody of the platform is called.

And the same day with a drop of three in a thousand: somebody is, within minutes.
"""

from __future__ import annotations

from collections import Counter

import msgspec
import pytest
from support.traffic_day import DAY_MIN, Day, Outage

from homing.insight.alerts.advance import Watch, advance
from homing.insight.alerts.alert import Alert, Kind, Owner, Severity, Status, Told
from homing.insight.alerts.conditions import find
from homing.insight.alerts.minutes import MINUTE_US

#: one of twenty endpoints, down for as long: another 5% of the deliveries while it lasts
BAD_HOURS = (Outage(3, 200, 90), Outage(11, 700, 240), Outage(17, 1_100, 20))


def live(day: Day, *, until_min: int = DAY_MIN) -> list[tuple[float, tuple[Told, ...]]]:
    """What was told, each with the minute; evaluation for evaluation as the watch does it."""
    alerts: dict[str, Alert] = {}
    watch = Watch(scope="", id="", created_at_us=0, updated_at_us=0)
    told: list[tuple[float, tuple[Told, ...]]] = []
    began_us: int | None = None
    for readings in day.readings():
        began_us = began_us or readings.at_us
        minute = (readings.at_us - began_us) / MINUTE_US
        if minute > until_min:
            break
        step = advance(alerts, find(readings), at_us=readings.at_us, watch=watch)
        alerts.update((one.id, one) for one in step.changed)
        watch = msgspec.structs.replace(
            watch, page_told_at_us=step.page_told_at_us, ticket_told_at_us=step.ticket_told_at_us
        )
        if step.told:
            told.append((minute, step.told))
    return told


def firing(told: list[tuple[float, tuple[Told, ...]]]) -> Counter[tuple[str, Owner]]:
    return Counter(
        (one.alert_id, one.finding.owner)
        for _, some in told
        for one in some
        if one.status is Status.FIRING and not one.is_reminder
    )


@pytest.mark.parametrize("seed", range(3))
def test_a_day_of_scattered_failures_is_a_quiet_day(seed: int) -> None:
    day = Day(seed)
    told = live(day)
    assert day.accepted > 850_000
    assert day.refused / day.accepted > 0.05  # it did look at failures
    assert told == []


@pytest.mark.parametrize("seed", range(2))
def test_receivers_bad_hours_are_told_once_each_and_never_as_the_platforms(seed: int) -> None:
    day = Day(seed, outages=BAD_HOURS)
    told = live(day)
    found = firing(told)
    assert Owner.PLATFORM not in {owner for _, owner in found}
    assert not [one for _, some in told for one in some if one.finding.severity is Severity.PAGE]
    for endpoint in (3, 11):
        assert found[f"failure_rate_changed.ep_{endpoint}", Owner.RECEIVER] == 1
    assert set(found.values()) == {1}
    assert sum(found.values()) <= 8
    assert len(told) <= 16  # messages in a day, ends included
    ends = [one.alert_id for _, some in told for one in some if one.status is Status.RESOLVED]
    assert "failure_rate_changed.ep_3" in ends


@pytest.mark.parametrize("seed", range(10))
def test_the_same_with_three_in_a_thousand_dropped_is_told_within_five_minutes(seed: int) -> None:
    day = Day(seed, dropped=0.003, dropped_from_min=60, outages=(Outage(3, 30, 90),))
    told = live(day, until_min=75)
    minute, some = next(
        (minute, some)
        for minute, some in told
        if any(one.finding.kind is Kind.UNACCOUNTED for one in some)
    )
    assert minute - 60 < 5
    [one] = [one for one in some if one.finding.kind is Kind.UNACCOUNTED]
    assert one.finding.owner is Owner.PLATFORM
    assert one.finding.rate is not None
    assert one.finding.rate.low < one.finding.rate.value < one.finding.rate.high
