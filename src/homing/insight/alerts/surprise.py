"""Is a count more than chance makes of a usual number?"""

from __future__ import annotations

import math
from typing import Final

#: the chance at which a count is no longer taken for one: once in a million looks. There are
#: 5,760 looks a day, at every endpoint that has dead letters
_RARE: Final = 1e-6


def is_surprising(count: int, usual: float) -> bool:
    """Whether a Poisson count with the mean `usual` would hardly ever be `count` or more.

    Args:
        count: >= 0.
        usual: >= 0; at least one is taken, because a past of nothing proves nothing.
    """
    return upper_tail(count, max(usual, 1.0)) < _RARE


def upper_tail(count: int, mean: float) -> float:
    """The chance that a Poisson variable with this mean (> 0) is `count` or more.

    The tail that has the smaller terms is added up, from its largest term outward.
    """
    if count <= 0:
        return 1.0
    if count <= mean:
        return max(1.0 - _sum(count - 1, mean, -1), 0.0)
    return min(_sum(count, mean, 1), 1.0)


def _sum(start: int, mean: float, step: int) -> float:
    """The terms from `start` on, up (1) or down (-1), while they add anything."""
    term = math.exp(start * math.log(mean) - mean - math.lgamma(start + 1))
    total, k = 0.0, start
    while k >= 0 and term > 1e-18 * total:
        total += term
        k += step
        term *= mean / k if step > 0 else (k + 1) / mean
    return total
