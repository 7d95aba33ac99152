"""What is told of an objective whose budget burns."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from support.making import START_US

from homing.core.objectives import Owner, Sli, Tally
from homing.insight.alerts import alert
from homing.insight.alerts.alert import Severity
from homing.insight.burn import DAY_S, HOUR_S, burn_rate
from homing.insight.objectives import Standing, default_objectives, standing
from homing.service.alerts.budgets import burn_of

[DELIVERED] = [one for one in default_objectives("org_1") if one.id == "delivered"]


def stands(bad_share: str, *, since_s: int) -> Standing:
    """The objective with bad events of the platform's for so long; 1,000 events an hour."""

    def tallies(since_us: int, until_us: int) -> list[Tally]:
        total = round((until_us - since_us) / 1_000_000 / 3.6)
        lasted_s = min(since_s, (until_us - since_us) // 1_000_000)
        bad = round(lasted_s / 3.6 * float(Decimal(bad_share)))
        common = {"scope": "org_1", "at_us": since_us, "sli": Sli.DELIVERED}
        return [
            Tally(**common, owner=None, rule="", count=total - bad),
            Tally(**common, owner=Owner.PLATFORM, rule="late", count=bad),
        ]

    return standing(DELIVERED, tallies, at_us=START_US)


def test_a_budget_that_lasts_is_nothing_to_tell() -> None:
    found = stands("0.004", since_s=30 * DAY_S)
    assert not any(one.fires for one in found.burning)


@pytest.mark.parametrize(
    ("share", "since_s", "severity"),
    [("0.1", 2 * HOUR_S, Severity.PAGE), ("0.01", 4 * DAY_S, Severity.TICKET)],
)
def test_one_that_burns_is_told_with_its_tier(share: str, since_s: int, severity: Severity) -> None:
    found = stands(share, since_s=since_s)
    worst = next(one for one in found.burning if one.fires)
    burn = burn_of(found, worst, ())
    assert (burn.severity, burn.owner) == (severity, alert.Owner.PLATFORM)
    assert burn.rate.low < float(share) < burn.rate.high
    assert f"the objective delivered ({'99.5%'}) burns its budget " in burn.what
    assert burn_rate(found.counts, Decimal("0.995")) >= 0


def series(*, owner: Owner, from_s: int, bad: int) -> list[Tally]:
    """Six hours of minutes with 16 events each; bad ones among the last ones."""
    found = []
    for back in range(6 * 60, 0, -1):
        at_us = START_US - back * 60_000_000
        is_bad = back * 60 <= from_s or back == 300  # one alone, five hours ago
        given = [(None, 16 - bad if is_bad else 16), (owner, bad)] if is_bad else [(None, 16)]
        found += [
            Tally(scope="org_1", at_us=at_us, sli=Sli.DELIVERED, owner=whose, count=count)
            for whose, count in given
        ]
    return found


def test_it_burns_since_events_went_bad_and_not_since_its_window_began() -> None:
    found = stands("0.1", since_s=6 * HOUR_S)
    worst = next(one for one in found.burning if one.fires)
    burn = burn_of(found, worst, series(owner=Owner.PLATFORM, from_s=115 * 60, bad=8))
    assert burn.since_us == START_US - 115 * 60_000_000


def test_it_is_whose_most_of_its_bad_events_are() -> None:
    everybody = msgspec.structs.replace(DELIVERED, owners=tuple(Owner))
    found = msgspec.structs.replace(stands("0.1", since_s=6 * HOUR_S), objective=everybody)
    worst = next(one for one in found.burning if one.fires)
    theirs = series(owner=Owner.RECEIVER, from_s=60 * 60, bad=8)
    burn = burn_of(found, worst, theirs)
    assert burn.owner is alert.Owner.RECEIVER
    assert burn.what.endswith("; bad events: receiver 480")
    ours = series(owner=Owner.UNATTRIBUTED, from_s=60 * 60, bad=8)
    assert burn_of(found, worst, [*theirs, *ours]).owner is alert.Owner.PLATFORM
