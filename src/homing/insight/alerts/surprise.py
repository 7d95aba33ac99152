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
    """The chance that a Poisson variable with this mean (> 0) is `count` or more."""
    if count <= 0:
        return 1.0
    if count > mean + 40 * math.sqrt(mean) + 100:
        return 0.0  # far below anything that can be told from it
    term = math.exp(count * math.log(mean) - mean - math.lgamma(count + 1))
    total, k = 0.0, count
    while term > 1e-18 * max(total, 1e-300) and k < count + 100_000:
        total += term
        k += 1
        term *= mean / k
    return min(total, 1.0)
