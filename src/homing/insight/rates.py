"""What a count of drops proves: exact intervals, exact tests, and the bound behind a zero.

Pure Python, so that a claim needs no heavy library. Wilson intervals are for display, exact ones
for claims. Every figure assumes that deliveries fail independently of each other; where drops come
in clumps the effective number is smaller, and the caller has to say so.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Final, Literal

import msgspec

Side = Literal["two-sided", "less", "greater"]

CONFIDENCE: Final = 0.95
#: two tables are equally likely when their chances differ by no more than this share, the
#: tolerance that R's `fisher.test` uses
_TIE: Final = 1e-7
_TINY: Final = 1e-300


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """A share of deliveries with the interval that the count leaves open. All in [0, 1]."""

    value: float
    low: float
    high: float
    confidence: float = CONFIDENCE


def exact(k: int, n: int, confidence: float = CONFIDENCE) -> Rate:
    """The share k of n with its exact interval: for claims.

    Args:
        k: how many had it, 0 <= k <= n.
        n: how many there were, >= 0. Of none nothing is known: the interval is [0, 1].
        confidence: that the interval holds the true share, in (0, 1); half of the rest is left
            on each side, also when k is 0.

    Raises:
        ValueError: an argument is out of range.

    Source:
        Clopper and Pearson, Biometrika 26 (1934); the beta-quantile form.
    """
    _check(k, n, confidence)
    tail = (1 - confidence) / 2
    low = 0.0 if k == 0 else beta_quantile(tail, k, n - k + 1)
    high = 1.0 if k == n else beta_quantile(1 - tail, k + 1, n - k)
    return Rate(value=k / n if n else 0.0, low=low, high=high, confidence=confidence)


def wilson(k: int, n: int, confidence: float = CONFIDENCE) -> Rate:
    """The share k of n with Wilson's interval: for display, where many are shown side by side.

    Args and errors are those of `exact`.

    Source:
        Wilson, JASA 22 (1927).
    """
    _check(k, n, confidence)
    if n == 0:
        return Rate(value=0.0, low=0.0, high=1.0, confidence=confidence)
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share, z2n = k / n, z * z / n
    centre = (share + z2n / 2) / (1 + z2n)
    half = z / (1 + z2n) * math.sqrt(share * (1 - share) / n + z2n / (4 * n))
    low = 0.0 if k == 0 else max(0.0, centre - half)
    high = 1.0 if k == n else min(1.0, centre + half)
    return Rate(value=share, low=low, high=high, confidence=confidence)


def excluded_rate(n: int, confidence: float = CONFIDENCE) -> float:
    """The rate at or above which n deliveries without a drop would have shown one.

    Args:
        n: deliveries of which none was dropped, >= 0.
        confidence: one-sided, in (0, 1).

    Returns:
        The smallest rate that is excluded: a true rate so high would have left zero drops with a
        chance of at most 1 - confidence. 1.0 for n = 0: nothing is excluded.
    """
    _check(0, n, confidence)
    return 1.0 if n == 0 else -math.expm1(math.log1p(-confidence) / n)


def deliveries_to_exclude(rate: float, confidence: float = CONFIDENCE) -> int:
    """How many deliveries without a drop it takes to exclude a rate: about 3 / rate at 95%.

    Args:
        rate: what is to be excluded, in (0, 1].
        confidence: one-sided, in (0, 1).

    Raises:
        ValueError: an argument is out of range.
    """
    _check(0, 0, confidence)
    if not 0 < rate <= 1:
        raise ValueError(f"rate: expected above 0 and at most 1, found {rate}")
    return 1 if rate == 1 else math.ceil(math.log1p(-confidence) / math.log1p(-rate))


def chance_of_any(rate: float, n: int) -> float:
    """The chance that n deliveries show at least one drop, when each is dropped at `rate`."""
    if rate >= 1:
        return 1.0 if n else 0.0
    return -math.expm1(n * math.log1p(-rate))


def fisher(before: tuple[int, int], after: tuple[int, int], side: Side = "two-sided") -> float:
    """Fisher's exact test that two shares are one: the chance of such a table, or a rarer one.

    Args:
        before: (k, n) of one group, 0 <= k <= n.
        after: (k, n) of the other.
        side: "two-sided"; "less" asks whether the first share is smaller than the second,
            "greater" whether it is larger.

    Returns:
        The p-value in [0, 1]; 1.0 when a group is empty. Below about 1e-300 it is 0.0.

    Raises:
        ValueError: a count is out of range.

    Source:
        Fisher (1935); the two-sided form sums the tables that are no likelier than the one found.
    """
    (k1, n1), (k2, n2) = before, after
    _check(k1, n1, CONFIDENCE)
    _check(k2, n2, CONFIDENCE)
    first, weights = _tables(k1 + k2, n1, n2)
    at = k1 - first
    if not 0 <= at < len(weights):  # so far out that it weighs nothing beside the likeliest
        is_low = at < 0
        return {"two-sided": 0.0, "less": float(not is_low), "greater": float(is_low)}[side]
    if side == "less":
        tail = math.fsum(weights[: at + 1])
    elif side == "greater":
        tail = math.fsum(weights[at:])
    else:
        tail = math.fsum(w for w in weights if w <= weights[at] * (1 + _TIE))
    return min(1.0, tail / math.fsum(weights))


def _tables(hits: int, n1: int, n2: int) -> tuple[int, list[float]]:
    """Every table with these margins, by how likely it is relative to the likeliest.

    Returns:
        The first group's hits in the first table that weighs anything, and the weights from there.
    """
    least, most = max(0, hits - n2), min(hits, n1)
    mode = min(most, max(least, (hits + 1) * (n1 + 1) // (n1 + n2 + 2)))
    up = [1.0]
    for k in range(mode, most):
        weight = up[-1] * ((hits - k) * (n1 - k)) / ((k + 1) * (n2 - hits + k + 1))
        if weight < _TINY:
            break
        up.append(weight)
    down = [1.0]
    for k in range(mode, least, -1):
        weight = down[-1] * (k * (n2 - hits + k)) / ((hits - k + 1) * (n1 - k + 1))
        if weight < _TINY:
            break
        down.append(weight)
    return mode - len(down) + 1, down[:0:-1] + up


def beta_quantile(share: float, a: float, b: float) -> float:
    """The x below which a beta(a, b) variable falls with the chance `share`, in (0, 1).

    Args:
        share: in (0, 1).
        a, b: > 0, up to about 1e9.

    Newton's steps inside a bracket that only shrinks, so it always ends.
    """
    low, high = 0.0, 1.0
    x = a / (a + b)
    for _ in range(200):
        miss = beta_cdf(x, a, b) - share
        low, high = (low, x) if miss > 0 else (x, high)
        density = math.exp(_log_power(x, a, b) - math.log(x) - math.log1p(-x))
        guess = x - miss / density if density else -1.0
        step = guess if low < guess < high else (low + high) / 2
        if abs(step - x) <= 1e-14 * x or not low < step < high:
            return step
        x = step
    return x


def beta_cdf(x: float, a: float, b: float) -> float:
    """The chance that a beta(a, b) variable is at most x: the regularised incomplete beta function.

    Args:
        x: in [0, 1].
        a, b: > 0.

    Source:
        The continued fraction of DLMF 8.17.22, by the modified Lentz method.
    """
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - beta_cdf(1 - x, b, a)
    return math.exp(_log_power(x, a, b)) / a * _fraction(x, a, b)


def _log_power(x: float, a: float, b: float) -> float:
    """The logarithm of x^a (1 - x)^b / B(a, b)."""
    log_beta = math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
    return a * math.log(x) + b * math.log1p(-x) - log_beta


def _fraction(x: float, a: float, b: float) -> float:
    """The continued fraction of the incomplete beta function; needs about sqrt(a + b) terms."""
    c, d = 1.0, 1 / _away_from_zero(1 - (a + b) * x / (a + 1))
    result = d
    for m in range(1, 200_000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d, c = 1 / _away_from_zero(1 + even * d), _away_from_zero(1 + even / c)
        result *= d * c
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        d, c = 1 / _away_from_zero(1 + odd * d), _away_from_zero(1 + odd / c)
        result *= d * c
        if abs(d * c - 1) < 1e-15:
            break
    return result


def _away_from_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY


def _check(k: int, n: int, confidence: float) -> None:
    if not 0 <= k <= n:
        raise ValueError(f"expected 0 <= k <= n, found k = {k}, n = {n}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence: expected between 0 and 1, found {confidence}")
