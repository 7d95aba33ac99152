"""Intervals and tests against figures that others have published or computed."""

from __future__ import annotations

import pytest

from homing.forensics.statistics import (
    corrected,
    exact_interval,
    excluded_rate,
    fisher_greater,
    p_text,
    wilson_interval,
)


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    [
        (3, 1_000, 0.00062, 0.00874),
        (30, 10_000, 0.00202, 0.00428),
        (300, 100_000, 0.00267, 0.00336),
    ],
)
def test_exact_intervals(k: int, n: int, low: float, high: float) -> None:
    assert exact_interval(k, n) == pytest.approx((low, high), abs=6e-6)


def test_wilson_interval() -> None:
    assert wilson_interval(3, 1_000) == pytest.approx((0.00102, 0.00878), abs=6e-6)


@pytest.mark.parametrize(("n", "rate"), [(998, 0.003), (2_995, 0.001), (299_572, 1e-5)])
def test_zero_excludes_a_rate(n: int, rate: float) -> None:
    assert excluded_rate(n) == pytest.approx(rate, rel=1e-3)


def test_fisher_one_sided() -> None:
    # 3 of 4 cups of tea: 1 - C(4,4)C(4,0)/70 is 17/70 for three or more
    assert fisher_greater(3, 4, 4, 8) == pytest.approx(17 / 70)
    assert fisher_greater(0, 4, 4, 8) == 1.0


def test_correction_for_many_tests() -> None:
    assert corrected([0.01, 0.04, 0.03, 0.5]) == pytest.approx([0.04, 0.16 / 3, 0.16 / 3, 0.5])
    assert corrected([]) == []


def test_a_p_value_that_is_too_small_for_a_number_is_not_shown_as_zero() -> None:
    assert [p_text(0.0), p_text(3.21e-12), p_text(0.034)] == ["< 1e-300", "= 3e-12", "= 0.03"]
