"""Exact and honest figures about counts: intervals, Fisher's test, many tests at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

CONFIDENCE: Final = 0.95
_STEPS: Final = 200


def beta_cdf(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function I_x(a, b), a and b > 0, to about 1e-12.

    Source:
        The continued fraction of NIST DLMF 8.17.22, evaluated by Lentz's method.
    """
    if x <= 0.0:
        return 0.0
    if x >= 1.0:
        return 1.0
    if x > (a + 1.0) / (a + b + 2.0):
        return 1.0 - beta_cdf(1.0 - x, b, a)
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    )
    return front * _fraction(x, a, b) / a


def _fraction(x: float, a: float, b: float) -> float:
    tiny = 1e-300
    c, d = 1.0, 1.0 - (a + b) * x / (a + 1.0)
    d = 1.0 / (d if abs(d) > tiny else tiny)
    value = d
    for m in range(1, 10_000):
        for numerator in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1.0 + numerator * d
            d = 1.0 / (d if abs(d) > tiny else tiny)
            c = 1.0 + numerator / c
            c = c if abs(c) > tiny else tiny
            value *= c * d
        if abs(c * d - 1.0) < 1e-14:
            break
    return value


def beta_quantile(p: float, a: float, b: float) -> float:
    """The x with I_x(a, b) = p, by halving."""
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if beta_cdf(middle, a, b) < p:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def exact_interval(k: int, n: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Clopper and Pearson's interval of a rate: k of n, 0 <= k <= n; (0, 1) for n = 0.

    Source:
        Clopper and Pearson, Biometrika 26 (1934).
    """
    if n == 0:
        return 0.0, 1.0
    tail = (1 - confidence) / 2
    low = 0.0 if k == 0 else beta_quantile(tail, k, n - k + 1)
    high = 1.0 if k == n else beta_quantile(1 - tail, k + 1, n - k)
    return low, high


def wilson_interval(k: int, n: int) -> tuple[float, float]:
    """Wilson's 95% interval of a rate: kind to small counts, for display; (0, 1) for n = 0.

    Source:
        Wilson, Journal of the American Statistical Association 22 (1927).
    """
    if n == 0:
        return 0.0, 1.0
    z = 1.959963984540054
    p = k / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def excluded_rate(n: int, confidence: float = CONFIDENCE) -> float:
    """The rate that zero drops in n > 0 deliveries exclude: 1 - (1 - confidence)^(1/n)."""
    return -math.expm1(math.log1p(-confidence) / n) if n else 1.0


def fisher_greater(k: int, group: int, dropped: int, total: int) -> float:
    """The chance of k or more drops among `group` when `dropped` of `total` fall anywhere.

    Args:
        k: drops in the group, at most min(group, dropped).

    Source:
        Fisher's exact test, one-sided: the upper tail of the hypergeometric distribution.
    """
    top = min(group, dropped)
    if k <= max(0, group + dropped - total):
        return 1.0
    first = _log_hypergeometric(k, group, dropped, total)
    term, sum_ = 1.0, 1.0
    for i in range(k, top):  # the ratio of neighbours, so that no factorial is formed
        term *= (group - i) * (dropped - i) / ((i + 1) * (total - group - dropped + i + 1))
        sum_ += term
        if term < 1e-17 * sum_:
            break
    return min(1.0, math.exp(min(0.0, first + math.log(sum_))))


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def _log_hypergeometric(k: int, group: int, dropped: int, total: int) -> float:
    return (
        _log_choose(group, k)
        + _log_choose(total - group, dropped - k)
        - _log_choose(total, dropped)
    )


def corrected(p_values: Sequence[float]) -> list[float]:
    """The same p-values adjusted for how many were looked at, in the order given.

    Source:
        Benjamini and Hochberg, Journal of the Royal Statistical Society B 57 (1995).
    """
    count = len(p_values)
    order = sorted(range(count), key=lambda i: p_values[i], reverse=True)
    adjusted, least = [1.0] * count, 1.0
    for rank, i in enumerate(order):
        least = min(least, p_values[i] * count / (count - rank))
        adjusted[i] = least
    return adjusted


def log_likelihood(k: float, n: float) -> float:
    """Of k successes in n trials at their own rate; 0 where the rate is 0 or 1."""
    if k <= 0 or k >= n:
        return 0.0
    return k * math.log(k / n) + (n - k) * math.log1p(-k / n)


def p_text(p: float) -> str:
    """`p` and its sign for a reader: `= 0.03`, `= 4e-12`, `< 1e-300` where a double holds no less."""
    return "< 1e-300" if p < 1e-300 else f"= {p:.1g}"
