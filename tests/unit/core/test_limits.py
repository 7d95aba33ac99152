"""Rates and concurrency, as arithmetic."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from homing.core.limits import BURST_US, Limits, Permits, Quota, interval_us, permits, spent

START_US = 1_767_225_600_000_000
RATES = st.integers(1, 65_535)
STEPS = st.lists(st.tuples(st.integers(0, 2_000_000), st.integers(1, 500)), max_size=60)


@given(rate=RATES, steps=STEPS)
def test_in_no_stretch_of_time_are_there_more_than_the_rate_and_one_burst(
    rate: int, steps: list[tuple[int, int]]
) -> None:
    tat_us, at_us, begun = 0, START_US, []
    for later_us, wanted in steps:
        at_us += later_us
        count = min(wanted, permits(tat_us, rate, at_us=at_us))
        tat_us = spent(tat_us, rate, count, at_us=at_us)
        begun.append((at_us, count))
    burst = max(BURST_US, interval_us(rate)) / interval_us(rate)
    for first, (from_us, _) in enumerate(begun):
        for last in range(first, len(begun)):
            until_us, _ = begun[last]
            total = sum(count for _, count in begun[first : last + 1])
            rounding = 0.001 * len(begun) + len(begun) / interval_us(rate)
            assert total <= burst + (until_us - from_us) * rate / 1_000_000 + rounding + 0.001


@given(rate=st.integers(1, 5_000))
def test_who_asks_often_enough_gets_the_whole_rate(rate: int) -> None:
    tat_us, begun = 0, 0
    every_us = min(BURST_US // 2, round(interval_us(rate)))
    steps = 20 * 1_000_000 // every_us
    for step in range(min(steps, 4_000)):
        at_us = START_US + step * every_us
        count = permits(tat_us, rate, at_us=at_us)
        tat_us = spent(tat_us, rate, count, at_us=at_us)
        begun += count
    passed_s = min(steps, 4_000) * every_us / 1_000_000
    assert begun >= rate * passed_s * 0.97 - 1


@given(rate=RATES, ahead_us=st.integers(0, 10**12))
def test_a_clock_that_is_ahead_costs_the_others_a_burst_at_most(rate: int, ahead_us: int) -> None:
    tat_us = spent(START_US + ahead_us, rate, 0, at_us=START_US)
    burst_us = round(max(BURST_US, interval_us(rate)))
    assert tat_us - START_US <= burst_us
    assert permits(tat_us, rate, at_us=START_US + burst_us + 1) >= 1


def quota(count: int, *limits: tuple[str, Limits]) -> Quota:
    return Quota(app_id="app", endpoint_id="ep", count=count, limits=limits)


def test_without_limits_all_is_permitted() -> None:
    assert Permits({}, {}, at_us=START_US).left(quota(500)) == 500


def test_the_tightest_limit_decides_and_what_is_taken_counts() -> None:
    known = Permits({"ep": 0, "app": 0}, {"ep": 1}, at_us=START_US)
    both = quota(500, ("ep", Limits(concurrency=9)), ("app", Limits(rate=20)))
    assert known.left(both) == 8
    known.take(both, 8)
    assert known.left(both) == 0
    assert known.left(quota(500, ("app", Limits(rate=20)))) == 2


def test_what_another_claim_has_in_hand_gets_nothing() -> None:
    known = Permits({"app": 0}, {}, at_us=START_US)
    assert known.left(quota(5, ("ep", Limits(rate=20)), ("app", Limits(rate=20)))) == 0
    assert "ep" not in known.tats_us()
