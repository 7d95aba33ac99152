"""What is told of an objective whose budget burns."""

from __future__ import annotations

from decimal import Decimal

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
    assert burn_of(stands("0.004", since_s=30 * DAY_S)) is None


@pytest.mark.parametrize(
    ("share", "since_s", "severity"),
    [("0.1", 2 * HOUR_S, Severity.PAGE), ("0.01", 4 * DAY_S, Severity.TICKET)],
)
def test_one_that_burns_is_told_with_its_tier(share: str, since_s: int, severity: Severity) -> None:
    found = stands(share, since_s=since_s)
    burn = burn_of(found)
    assert burn is not None
    assert (burn.severity, burn.owner) == (severity, alert.Owner.PLATFORM)
    assert burn.rate.low < float(share) < burn.rate.high
    assert f"the objective delivered ({'99.5%'}) burns its budget at" in burn.what
    assert burn_rate(found.counts, Decimal("0.995")) >= 0
