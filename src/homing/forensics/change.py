"""Since when: the drop rate over time, the point where it changed, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import ibis
import numpy as np

from homing.forensics.judging import Verdict
from homing.forensics.rows import rows

WINDOWS: Final = 400
_SHUFFLES: Final = 400
_STRETCHES: Final = 40
#: an improvement of the log-likelihood that a second boundary must bring
_SECOND_MIN: Final = 8.0
P_MAX: Final = 0.01


class Window(NamedTuple):
    """Deliveries accepted in a stretch of time."""

    start_us: int
    accepted: int  #: and judged
    dropped: int


class Since(NamedTuple):
    """When the drops began, and ended if they did."""

    at_us: int
    low_us: int
    high_us: int
    until_us: int | None
    p: float  #: that a constant rate looks like this
    is_change: bool  #: False: they were there from the log's first line on
    rate_before: float
    rate_after: float


#: where a larger share of the drops, and more than one, came before a stretch, they did not begin
#: with it: what sets a fault off, such as failing receivers, comes in stretches of its own
_BEFORE_MAX: Final = 0.02
_EARLY: Final = 5
#: chance at which the drops before a stretch are too few to belong to it
_STRAGGLE_MAX: Final = 1e-4


def windows(judged: Any, first_us: int, last_us: int, count: int = WINDOWS) -> list[Window]:
    """Counts by time of acceptance, in windows of equal length; empty ones are left out."""
    width = max(1, (last_us - first_us) // count + 1)
    settled = judged.filter(~judged.verdict.isin([int(Verdict.OPEN), int(Verdict.LATER)]))
    grouped = settled.group_by(
        w=((settled.accepted_at - first_us) // width).cast("int64")
    ).aggregate(n=settled.count(), k=(settled.verdict == int(Verdict.DROPPED)).cast("int64").sum())
    found = rows(grouped.order_by(ibis.asc("w")))
    return [Window(first_us + int(r.w) * width, int(r.n), int(r.k)) for r in found]


def find(series: Sequence[Window], drops_us: Sequence[int]) -> Since | None:
    """The most likely beginning of the drops; None if there are none.

    Args:
        series: in order of time.
        drops_us: when the dropped deliveries were accepted, in order.

    Source:
        A likelihood-ratio scan over all splits; its p-value by drawing the same number of drops
        at a constant rate 400 times.
    """
    if not drops_us:
        return None
    series = series or [Window(0, 0, 0)]
    n = np.array([w.accepted for w in series], dtype=float)
    k = np.array([w.dropped for w in series], dtype=float)
    start, end, gain = _best(n, k)
    p = _p_value(n, int(k.sum()), gain)
    before_k = float(k[:start].sum())
    if p <= P_MAX and before_k >= 2 and before_k > _BEFORE_MAX * k.sum():
        # a worse stretch, not the beginning: that is where the first drops are, if they came late
        start, p = _first_drops(n, k)
        end = len(series)
    if p > P_MAX:
        start, end = 0, len(series)
    inside = slice(start, end)
    rate = float(k[inside].sum() / max(n[inside].sum(), 1.0))
    outside = float(n.sum() - n[inside].sum())
    before = float((k.sum() - k[inside].sum()) / outside) if outside else 0.0
    left = series[start].start_us
    until = series[end].start_us if end < len(series) else None
    inner = [at for at in drops_us if at >= left and (until is None or at < until)]
    first = inner[0] if inner else drops_us[0]
    per_us = float(n[inside].sum()) / max(1, (until or series[-1].start_us + 1) - left)
    back = math.log(20) / max(rate, 1e-12) / max(per_us, 1e-12)
    if len(inner) >= _EARLY:  # at the pace of the first ones, which may be slower than that of all
        back = max(back, math.log(20) * (inner[_EARLY - 1] - inner[0]) / (_EARLY - 1))
    low = max(series[0].start_us, int(first - back))
    last_before = max((at for at in drops_us if at < left), default=None) if before > 0 else None
    if last_before is not None:
        low = max(low, last_before) if before < rate / 50 else low
    return Since(
        first,
        low,
        first,
        inner[-1] if until is not None and inner else None,
        p,
        p <= P_MAX,
        before,
        rate,
    )


def _first_drops(n: Any, k: Any) -> tuple[int, float]:
    """The window of the first drop that is no straggler, and the chance that so few came before it.

    Where the next few drops came at a pace at which those before would hardly be so few, they are
    stragglers; else the first drop is the first, and the rate of all says how late it came.
    """
    total = int(k.sum())
    at = np.repeat(np.arange(len(k)), k.astype(int))  # the window of each drop
    seen = np.concatenate([[0.0], n.cumsum()])
    for stragglers in range(max(1, int(_BEFORE_MAX * total)) + 1):
        if stragglers + _EARLY > total:
            break
        start, fifth = int(at[stragglers]), int(at[stragglers + _EARLY - 1])
        pace = _EARLY / max(float(seen[fifth + 1] - seen[start]), 1.0)
        chance = (stragglers + 1) * _so_few(int(k[:start].sum()), pace * float(seen[start]))
        if chance <= _STRAGGLE_MAX:
            return start, chance
    return int(at[0]), float((1 - total / n.sum()) ** seen[at[0]])


def _so_few(seen: int, expected: float) -> float:
    """The chance of so many or fewer where so many are expected (Poisson)."""
    log_expected = math.log(max(expected, 1e-300))
    terms = (math.exp(i * log_expected - expected - math.lgamma(i + 1)) for i in range(seen + 1))
    return min(1.0, sum(terms))


def _gain(n1: Any, k1: Any, n: float, k: float) -> Any:
    """The log-likelihood ratio of two rates over one."""

    def ll(a: Any, b: Any) -> Any:
        with np.errstate(divide="ignore", invalid="ignore"):
            value = a * np.log(a / b) + (b - a) * np.log1p(-a / b)
        return np.where((a <= 0) | (a >= b), 0.0, value)

    return ll(k1, n1) + ll(k - k1, n - n1) - ll(np.asarray(k), np.asarray(n))


def _best(n: Any, k: Any) -> tuple[int, int, float]:
    """The stretch [start, end) whose rate differs most, upward; an end only if it is well worth it."""
    total_n, total_k = float(n.sum()), float(k.sum())
    cn, ck = np.concatenate([[0.0], n.cumsum()]), np.concatenate([[0.0], k.cumsum()])
    tail_n, tail_k = total_n - cn[:-1], total_k - ck[:-1]
    gains = _gain(tail_n, tail_k, total_n, total_k)
    upward = tail_k * total_n >= total_k * tail_n
    gains = np.where(upward, gains, 0.0)
    start = int(gains.argmax())
    best = (start, len(n), float(gains[start]))
    for s in range(len(n)):
        inner_n, inner_k = cn[s + 1 :] - cn[s], ck[s + 1 :] - ck[s]
        values = _gain(inner_n, inner_k, total_n, total_k)
        values = np.where(inner_k * total_n >= total_k * inner_n, values, 0.0)
        e = int(values.argmax())
        if values[e] > max(best[2], gains[start] + _SECOND_MIN):
            best = (s, s + 1 + e, float(values[e]))
    return best


def _p_value(n: Any, k: int, gain: float) -> float:
    """The share of shuffles that look at least as changed; by one split, which is what is claimed."""
    chance = np.random.default_rng(20_240_607)
    weights = n / n.sum()
    total = float(n.sum())
    cn = np.concatenate([[0.0], n.cumsum()])[:-1]
    worse = 0
    for _ in range(_SHUFFLES):
        drawn = chance.multinomial(k, weights).astype(float)
        ck = np.concatenate([[0.0], drawn.cumsum()])[:-1]
        values = _gain(total - cn, k - ck, total, float(k))
        worse += float(np.nanmax(values)) >= gain
    return (worse + 1) / (_SHUFFLES + 1)


class Clumping(NamedTuple):
    """Whether drops come in clumps, so that fewer are independent than were counted."""

    dispersion: float  #: 1 for independent drops; above, they clump
    low: float  #: of the rate, by resampling whole windows
    high: float
    busiest_share: float  #: of the drops, in the busiest twentieth of the windows


def clumping(series: Sequence[Window]) -> Clumping:
    """The index of dispersion over windows, and the interval of the rate that respects clumps."""
    if not series:  # nothing could be judged
        return Clumping(1.0, 0.0, 1.0, 0.0)
    n = np.array([w.accepted for w in series], dtype=float)
    k = np.array([w.dropped for w in series], dtype=float)
    rate = k.sum() / max(n.sum(), 1.0)
    expected = rate * n
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(expected > 0, (k - expected) ** 2 / (expected * max(1 - rate, 1e-9)), 0.0)
    dispersion = float(terms.sum() / max(len(series) - 1, 1)) if k.sum() else 1.0
    chance = np.random.default_rng(7)
    draws = chance.multinomial(len(series), np.full(len(series), 1 / len(series)), size=1_000)
    rates = (draws @ k) / np.maximum(draws @ n, 1.0)
    # of forty stretches the two busiest: with few drops, finer ones would look busy by chance
    stretches = np.array([part.sum() for part in np.array_split(k, min(_STRETCHES, len(k)))])
    busiest = np.sort(stretches)[::-1][: max(1, len(stretches) // 20)].sum() / max(k.sum(), 1.0)
    return Clumping(
        dispersion,
        float(np.quantile(rates, 0.025)),
        float(np.quantile(rates, 0.975)),
        float(busiest),
    )
