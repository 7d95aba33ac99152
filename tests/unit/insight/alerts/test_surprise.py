"""Poisson's tail, against its definition."""

from __future__ import annotations

import math

import pytest

from homing.insight.alerts.surprise import is_surprising, upper_tail


@pytest.mark.parametrize("mean", [0.5, 1.0, 7.3, 40.0, 900.0])
@pytest.mark.parametrize("count", [0, 1, 5, 12, 60, 1_000])
def test_the_tail_is_one_less_all_below(count: int, mean: float) -> None:
    logs = [k * math.log(mean) - mean - math.lgamma(k + 1) for k in range(count)]
    below = math.fsum(map(math.exp, logs))
    assert upper_tail(count, mean) == pytest.approx(max(1 - below, 0.0), abs=1e-12)


def test_ten_where_there_was_nothing_are_a_surprise_and_nine_are_not() -> None:
    assert not is_surprising(9, 0.0)
    assert is_surprising(10, 0.0)
    assert not is_surprising(130, 100.0)
    assert is_surprising(160, 100.0)
