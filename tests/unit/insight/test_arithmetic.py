"""The sums behind the figures can be done again by whoever reads them."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.core.objectives import Objective, Owner, Sli, Tally
from homing.insight import arithmetic
from homing.insight.burn import Counts, burn_rate, parse_target
from homing.insight.objectives import Standing, standing
from homing.insight.objectives import arithmetic as sums

PROMISE = Objective(
    scope="org_1",
    id="delivered",
    created_at_us=0,
    updated_at_us=0,
    sli=Sli.DELIVERED,
    target="0.999",
)


def stands(good: int, bad: int) -> Standing:
    def tallies(since_us: int, until_us: int) -> list[Tally]:
        return [
            Tally(scope="org_1", at_us=0, sli=Sli.DELIVERED, owner=owner, count=count)
            for owner, count in ((None, good), (Owner.PLATFORM, bad))
        ]

    return standing(PROMISE, tallies, at_us=1_772_323_200_000_000)


def test_a_tier_shows_its_windows_its_factor_and_what_follows() -> None:
    found = stands(980, 20)
    lines = arithmetic.tier(found, found.burning[0])
    assert lines == [
        "last 1 h: 20 bad of 1,000 = 2%; 2% / (100% - 99.9%) = 20",
        "last 5 min: 20 bad of 1,000 = 2%; 2% / (100% - 99.9%) = 20",
        "fires above 14.4 = 2% of the budget in 1 h: 0.02 x 30 d / 1 h",
        "both windows burn faster: it fires",
    ]


def test_few_events_hold_it_back_and_none_burn_nothing() -> None:
    few = stands(1, 1)
    assert "held back: 2 events, fewer than 50" in arithmetic.tier(few, few.burning[0])[-1]
    none = stands(0, 0)
    lines = arithmetic.tier(none, none.burning[0])
    assert lines[0] == "last 1 h: no events, so nothing burns: 0"
    assert lines[-1].endswith("it is quiet")
    assert arithmetic.share_kept(none) == ["there were no events, so nothing was broken"]
    assert arithmetic.share_kept(stands(3, 1)) == ["good / valid = 3 / 4 = 75%"]


def test_a_budget_is_left_or_spent() -> None:
    assert sums(stands(999_500, 500))[2] == "left = 1 - 500 / 1000 = 50%"
    assert sums(stands(910, 90))[2] == "spent = 90 / 1 = 90 times"
    assert sums(stands(0, 0))[2] == "left = 100%: there were no events"


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_what_is_written_can_be_done_again(good: int, bad: int) -> None:
    counts, target = Counts(good=good, bad=bad), parse_target("0.999")
    text = arithmetic.window(counts, target, 3_600)
    if not counts.total:
        return
    bad_share, rate = re.findall(r"= ([0-9.]+)%?", text)[0], re.findall(r"= ([0-9.]+)$", text)[0]
    again = Fraction(bad_share) / 100 / Fraction(1, 1_000)
    assert float(again) == pytest.approx(float(burn_rate(counts, target)), rel=0.01, abs=0.01)
    assert float(rate) == pytest.approx(float(again), rel=0.01, abs=0.06)
