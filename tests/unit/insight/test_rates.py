"""What a count of drops proves, against published figures, brute force and the definitions."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homing.insight.rates import (
    beta_cdf,
    chance_of_any,
    deliveries_to_exclude,
    exact,
    excluded_rate,
    fisher,
    wilson,
)

counts = st.integers(0, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@pytest.mark.parametrize(
    ("k", "n", "exact_percent", "wilson_percent"),
    [
        (3, 1_000, (0.062, 0.874), (0.102, 0.878)),
        (30, 10_000, (0.202, 0.428), (0.210, 0.428)),
        (300, 100_000, (0.267, 0.336), (0.268, 0.336)),
        (3_000, 1_000_000, (0.289, 0.311), (0.289, 0.311)),
        (150, 50_000, (0.254, 0.352), (0.256, 0.352)),
    ],
)
def test_intervals_are_the_published_ones(
    k: int, n: int, exact_percent: tuple[float, float], wilson_percent: tuple[float, float]
) -> None:
    for rate, percent in ((exact(k, n), exact_percent), (wilson(k, n), wilson_percent)):
        assert (round(100 * rate.low, 3), round(100 * rate.high, 3)) == percent
        assert rate.value == k / n


def test_the_exact_interval_of_a_hundred_million_takes_no_second() -> None:
    rate = exact(300_000, 100_000_000)
    assert (rate.low, rate.high) == pytest.approx((0.0029893, 0.0030107), rel=1e-4)


@given(st.integers(1, 40).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_ends_of_the_exact_interval_leave_half_the_doubt_each(counts: tuple[int, int]) -> None:
    k, n = counts

    def at_least(k: int, p: float) -> float:
        return math.fsum(math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k, n + 1))

    rate = exact(k, n)
    assert rate.low == 0 if k == 0 else at_least(k, rate.low) == pytest.approx(0.025, rel=1e-9)
    top = 1 - at_least(k + 1, rate.high)
    assert rate.high == 1 if k == n else top == pytest.approx(0.025, rel=1e-9)


@given(counts)
def test_intervals_hold_the_share_itself(counts: tuple[int, int]) -> None:
    for rate in (exact(*counts), wilson(*counts)):
        assert 0 <= rate.low <= rate.value <= rate.high <= 1


def test_of_no_deliveries_nothing_is_known() -> None:
    for rate in (exact(0, 0), wilson(0, 0)):
        assert (rate.low, rate.high) == (0, 1)
    assert excluded_rate(0) == 1
    assert fisher((0, 0), (3, 10)) == 1


@pytest.mark.parametrize(
    ("rate", "needed"),
    [
        (0.003, (998, 1_533, 2_300)),
        (0.001, (2_995, 4_603, 6_905)),
        (0.0001, (29_956, 46_050, 69_075)),
        (1e-5, (299_572, 460_515, 690_773)),
        (1e-6, (2_995_731, 4_605_168, 6_907_752)),
    ],
)
def test_the_number_behind_a_zero_is_the_published_one(
    rate: float, needed: tuple[int, ...]
) -> None:
    assert tuple(deliveries_to_exclude(rate, c) for c in (0.95, 0.99, 0.999)) == needed


@pytest.mark.parametrize(("risk", "needed"), [(0.01, 299), (0.05, 59), (0.075, 39), (0.2, 14)])
def test_where_the_race_lives_few_deliveries_suffice(risk: float, needed: int) -> None:
    assert deliveries_to_exclude(risk) == needed


@given(st.floats(1e-6, 0.9), st.sampled_from([0.95, 0.99]))
def test_one_delivery_fewer_would_not_have_excluded_it(rate: float, confidence: float) -> None:
    n = deliveries_to_exclude(rate, confidence)
    assert excluded_rate(n, confidence) <= rate * (1 + 1e-9)
    if n > 1:
        assert excluded_rate(n - 1, confidence) > rate * (1 - 1e-9)


@pytest.mark.parametrize(("n", "percent"), [(100, 26), (500, 78), (1_000, 95)])
def test_few_deliveries_show_no_rare_drop(n: int, percent: int) -> None:
    assert round(100 * chance_of_any(0.003, n)) == percent


@pytest.mark.parametrize(
    ("before", "after", "p"),
    [
        ((30, 10_000), (0, 2_000), 0.004),
        ((30, 10_000), (0, 1_000), 0.057),
        ((300, 100_000), (0, 1_533), 0.010),
    ],
)
def test_before_and_after_are_told_apart_as_published(
    before: tuple[int, int], after: tuple[int, int], p: float
) -> None:
    assert round(fisher(before, after, "greater"), 3) == p


def brute(before: tuple[int, int], after: tuple[int, int], side: str) -> float:
    """Fisher's test by its definition, in whole numbers."""
    (k1, n1), (k2, n2) = before, after
    hits = k1 + k2
    chance = {
        k: Fraction(math.comb(n1, k) * math.comb(n2, hits - k), math.comb(n1 + n2, hits))
        for k in range(max(0, hits - n2), min(hits, n1) + 1)
    }
    counted = {
        "less": [c for k, c in chance.items() if k <= k1],
        "greater": [c for k, c in chance.items() if k >= k1],
        "two-sided": [c for c in chance.values() if c <= chance[k1]],
    }
    return float(sum(counted[side]))


@settings(max_examples=300)
@given(counts, counts, st.sampled_from(["less", "greater", "two-sided"]))
def test_fisher_is_its_definition(
    before: tuple[int, int], after: tuple[int, int], side: str
) -> None:
    got = fisher(before, after, side)  # type: ignore[arg-type]
    assert got == pytest.approx(brute(before, after, side), rel=1e-9)


def test_fisher_on_a_table_that_is_out_of_all_proportion() -> None:
    assert fisher((5_000, 10_000), (0, 1_000_000), "greater") == 0
    assert fisher((5_000, 10_000), (0, 1_000_000), "less") == 1
    assert fisher((0, 1_000_000), (5_000, 10_000), "less") == 0
    assert fisher((0, 1_000_000), (5_000, 10_000)) == 0


def test_the_beta_distribution_is_the_binomial_one_from_behind() -> None:
    # P(X >= 3) of 10 at 0.2 = I(0.2; 3, 8)
    tail = sum(math.comb(10, i) * 0.2**i * 0.8 ** (10 - i) for i in range(3, 11))
    assert beta_cdf(0.2, 3, 8) == pytest.approx(tail, rel=1e-12)
    assert (beta_cdf(0, 3, 8), beta_cdf(1, 3, 8)) == (0, 1)


@pytest.mark.parametrize("call", [lambda: exact(3, 2), lambda: wilson(-1, 2)])
def test_impossible_counts_are_refused(call: object) -> None:
    with pytest.raises(ValueError, match="expected 0 <= k <= n"):
        call()  # type: ignore[operator]
    with pytest.raises(ValueError, match="rate"):
        deliveries_to_exclude(0)
    with pytest.raises(ValueError, match="confidence"):
        excluded_rate(3, 1.0)
