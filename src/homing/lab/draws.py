"""What is left to chance in the lab: streams of draws by a seed, each for one purpose.

A purpose of its own for each, so that a worker that draws once more leaves the traffic as it was.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import accumulate
from statistics import NormalDist
from typing import TypeVar

from homing.sim.draws import SimChance

T = TypeVar("T")

_NORMAL = NormalDist()


class Draws:
    """One stream.

    Args:
        seed: of the week.
        purpose: another number gives another stream, 0 to 99.
    """

    def __init__(self, seed: int, purpose: int) -> None:
        assert 0 <= purpose < 100, purpose
        self.random: Callable[[], float] = SimChance(seed * 100 + purpose).fraction

    def chance(self, share: float) -> bool:
        """True with that chance."""
        return self.random() < share

    def between(self, low: float, high: float) -> float:
        """Anything in [low, high), each as likely."""
        return low + (high - low) * self.random()

    def whole(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return low + int((high - low + 1) * self.random())

    def wait(self, mean: float) -> float:
        """An exponential variable: the time to the next of events that come at random."""
        return -math.log1p(-self.random()) * mean

    def skewed(self, median: float, spread: float) -> float:
        """A log-normal variable; `spread` is the standard deviation of its logarithm."""
        return median * math.exp(spread * _NORMAL.inv_cdf(max(self.random(), 1e-12)))

    def pick(self, options: Sequence[T]) -> T:
        """One of the options, each as likely."""
        return options[int(self.random() * len(options))]

    def weighted(self, options: Sequence[T], sums: Sequence[float]) -> T:
        """One of the options; `sums` are the weights added up (see `sums_of`)."""
        drawn = self.random() * sums[-1]
        low, high = 0, len(sums) - 1
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if sums[middle] <= drawn else (low, middle)
        return options[low]


def sums_of(weights: Sequence[float]) -> list[float]:
    """Weights added up, as `Draws.weighted` wants them."""
    return list(accumulate(weights))
