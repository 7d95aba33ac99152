"""What is said of an endpoint: its condition, and how long its answers take. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from enum import StrEnum
from fractions import Fraction
from itertools import accumulate
from math import lcm
from typing import Final

from homing.core.outcome import Reason
from homing.core.watching import Load, Slice

#: an endpoint is called failing below this share of successes ...
GOOD_SHARE: Final = Fraction(95, 100)
#: ... of at least so many attempts: one that failed of two is no rule
JUDGED_MIN: Final = 5


class Condition(StrEnum):
    """How an endpoint is, in a word; what needs somebody most comes first."""

    FAILING = "failing"
    BREAKER_OPEN = "breaker open"  #: no answer lately: it is probed, and what is due waits
    PARKED = "parked"  #: disabled, and deliveries wait for it to be enabled
    DISABLED = "disabled"
    FINE = "fine"
    QUIET = "quiet"  #: nothing was sent lately


def condition(
    load: Load, *, disabled: bool, failing_since_us: int | None, breaker_open: bool
) -> Condition:
    """How an endpoint is.

    Args:
        load: with the attempts of the last hour.
        failing_since_us: since when it has done nothing but fail, if it has.
    """
    if disabled:
        return Condition.PARKED if load.parked else Condition.DISABLED
    if breaker_open:
        return Condition.BREAKER_OPEN
    share, made = share_of(load.attempts), sum(load.attempts.values())
    if failing_since_us is not None:
        return Condition.FAILING
    if share is None:
        return Condition.QUIET
    return Condition.FAILING if made >= JUDGED_MIN and share < GOOD_SHARE else Condition.FINE


def share_of(counts: Mapping[Reason, int]) -> Fraction | None:
    """The share of successes; None when nothing was counted."""
    made = sum(counts.values())
    return Fraction(counts.get(Reason.OK, 0), made) if made else None


def percentiles(slices: Sequence[Slice], shares: Sequence[float]) -> list[int] | None:
    """How long attempts took at most, for each share of them, in microseconds.

    An attempt of a sample stands for as many as its slice counted for each that was sampled.
    The nearest-rank method: the smallest time that at least this share did not exceed.

    Args:
        shares: each in (0, 1], e.g. 0.95.

    Returns:
        One for each share; None when nothing was sampled.
    """
    sampled = [one for one in slices if one.tried]
    if not sampled:
        return None
    whole = lcm(*(len(one.tried) for one in sampled))  # so that every weight is a whole number
    weighed: list[tuple[int, int]] = []
    for one in sampled:
        weight = max(sum(one.counts.values()), len(one.tried)) * (whole // len(one.tried))
        weighed += [(tried.total_us, weight) for tried in one.tried]
    weighed.sort()
    reached = list(accumulate(weight for _, weight in weighed))
    found = []
    for share in shares:
        up, down = share.as_integer_ratio()
        need = -(-up * reached[-1] // down)
        found.append(weighed[min(bisect_left(reached, need), len(weighed) - 1)][0])
    return found


def edges(*, until_us: int, slice_us: int, count: int) -> list[int]:
    """The ends of `count` stretches of time, the last of which holds `until_us`; count + 1 of them.

    They lie at multiples of their length, so that a page that is loaded again shows the same ones.
    """
    last_us = until_us - until_us % slice_us + slice_us
    return [last_us - slice_us * back for back in range(count, -1, -1)]


def added(slices: Sequence[Slice]) -> Counter[Reason]:
    """All that these slices counted."""
    counts: Counter[Reason] = Counter()
    for one in slices:
        counts.update(one.counts)
    return counts
