"""How a budget went."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from support.making import START_US

from homing.core.objectives import Objective, Owner, Sli, Tally
from homing.insight.burn import Counts, budget_left, parse_target
from homing.insight.history import burn_down, past, periods_before

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
PROMISE = Objective(
    scope="org_1",
    id="delivered",
    created_at_us=0,
    updated_at_us=0,
    sli=Sli.DELIVERED,
    target="0.99",
)


def tally(hour: int, count: int, owner: Owner | None = None, sli: Sli = Sli.DELIVERED) -> Tally:
    at_us = START_US + hour * HOUR_US
    return Tally(scope="org_1", at_us=at_us, sli=sli, owner=owner, count=count)


def test_each_stretch_tells_what_was_left_of_the_whole_budget_after_it() -> None:
    tallies = [
        tally(0, 97),
        tally(0, 1, Owner.PLATFORM),
        tally(5, 100),
        tally(5, 1, Owner.UNATTRIBUTED),
        tally(5, 40, Owner.RECEIVER),  # not this objective's to count
        tally(7, 9, Owner.PLATFORM, Sli.RETRY),
        tally(9, 1),
    ]
    points = burn_down(PROMISE, tallies)
    # a budget of 1% of 200 valid events: 2
    assert [(one.at_us, one.left) for one in points] == [
        (START_US, Fraction(1, 2)),
        (START_US + 5 * HOUR_US, Fraction(0)),
        (START_US + 7 * HOUR_US, Fraction(0)),
        (START_US + 9 * HOUR_US, Fraction(0)),
    ]
    assert points[1].counts == Counts(good=100, bad=1)


def test_nothing_happened_and_nothing_was_spent() -> None:
    assert burn_down(PROMISE, []) == []
    [point] = burn_down(PROMISE, [tally(1, 5, Owner.RECEIVER)])
    assert point.left == 1


@given(
    st.lists(
        st.tuples(st.integers(0, 30), st.integers(1, 500), st.sampled_from([None, *Owner])),
        min_size=1,
    )
)
def test_the_line_falls_and_ends_at_what_is_left_now(
    drawn: list[tuple[int, int, Owner | None]],
) -> None:
    points = burn_down(PROMISE, [tally(*one) for one in drawn])
    lefts = [one.left for one in points]
    assert lefts == sorted(lefts, reverse=True)
    whole = sum((one.counts for one in points), Counts())
    assert lefts[-1] == budget_left(whole, parse_target(PROMISE.target))


def test_rolling_periods_before_touch_and_have_one_length() -> None:
    spans = periods_before(PROMISE, START_US)
    assert spans[0] == (START_US - 60 * DAY_US, START_US - 30 * DAY_US)
    assert all(later[0] == earlier[1] for later, earlier in pairwise(spans))


def test_calendar_months_before_end_where_the_next_begins() -> None:
    monthly = msgspec.structs.replace(PROMISE, period="month")
    march_us = 1_772_323_200_000_000  # 2026-03-01
    spans = periods_before(monthly, march_us + 5 * DAY_US)
    assert [(until - since) // DAY_US for since, until in spans[:3]] == [28, 31, 31]
    assert spans[0][1] == march_us


def test_a_period_without_events_says_nothing() -> None:
    assert past(PROMISE, (0, 1), []) is None
    ended = past(PROMISE, (0, 1), [tally(0, 98), tally(0, 2, Owner.PLATFORM)])
    assert ended is not None
    assert (ended.left, ended.is_met) == (Fraction(-1), False)
