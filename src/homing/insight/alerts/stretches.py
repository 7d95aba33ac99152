"""Stretches of acceptance that did not balance: kept, joined, and looked at until they do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

Stretch = tuple[int, int]  #: [since, until), microseconds UTC

#: a longer one is not made longer, microseconds: each look at it counts all of its deliveries
LENGTH_MAX_US: Final = 3_600_000_000
#: so many are kept, the latest; what is in none of them is found by the walk through all hours
COUNT_MAX: Final = 24


def joined(known: Iterable[Stretch], new: Iterable[Stretch]) -> tuple[Stretch, ...]:
    """All of them by time, those that overlap in one as long as that is not too long.

    A piece that is within another is left out; one that only begins within another begins where
    that one ends, so that no delivery is counted twice.
    """
    found: list[Stretch] = []
    for since_us, until_us in sorted({*known, *new}):
        if found and since_us <= found[-1][1]:
            first_us, last_us = found[-1]
            if until_us <= last_us:
                continue
            if until_us - first_us <= LENGTH_MAX_US:
                found[-1] = (first_us, until_us)
                continue
            since_us = last_us
        found.append((since_us, until_us))
    return tuple(found[-COUNT_MAX:])
