"""How a budget went: what was spent of it until when, and how earlier periods ended. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from typing import Final

import msgspec

from homing.core.objectives import Objective, Owner, Tally
from homing.insight.burn import Counts, budget, budget_left, parse_target
from homing.insight.objectives import counts_of, period_of

#: earlier periods that are shown: a year of months, or of quarters
PERIODS_MAX: Final = 6


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One stretch of a period."""

    at_us: int  #: its beginning
    counts: Counts  #: valid events in it
    left: Fraction  #: of the whole period's budget after it; negative when overspent


class Past(msgspec.Struct, frozen=True, kw_only=True):
    """How an earlier period ended."""

    since_us: int
    until_us: int
    counts: Counts
    left: Fraction

    @property
    def is_met(self) -> bool:
        return self.left >= 0


def burn_down(objective: Objective, tallies: Sequence[Tally]) -> list[Point]:
    """What was left of the budget after each stretch in which there were events.

    The budget is that of the whole period as it is known now, so the line only falls, and ends at
    what is left now.

    Args:
        objective: a ratio objective; which owners' bad events count is its business.
        tallies: of the period, by time; other SLIs are passed over.
    """
    target = parse_target(objective.target)
    stretches: dict[int, list[Tally]] = {}
    for one in tallies:
        stretches.setdefault(one.at_us, []).append(one)
    by_time = [(at_us, counts_of(objective, stretches[at_us])) for at_us in sorted(stretches)]
    allowed = budget(target) * sum(counts.total for _, counts in by_time)
    found, spent = [], 0
    for at_us, counts in by_time:
        spent += counts.bad
        left = 1 - Fraction(spent) / allowed if allowed else Fraction(1)
        found.append(Point(at_us=at_us, counts=counts, left=left))
    return found


def burns_since_us(objective: Objective, tallies: Sequence[Tally], limit: Fraction) -> int | None:
    """Since when more than a share of `limit` of the events have been bad, up to now.

    Of all stretches that end now it is the one with the most bad events above the limit, so a bad
    event that came alone, long before, does not count as the beginning.

    Args:
        tallies: by time; other SLIs are passed over.
        limit: share of bad events, in [0, 1).

    Returns:
        The beginning of a minute (or of what else the tallies are of); None: it is not so.
    """
    excess = most = Fraction(0)
    since_us = None
    for one in reversed(burn_down(objective, tallies)):
        excess += one.counts.bad - limit * one.counts.total
        if excess > most:
            most, since_us = excess, one.at_us
    return since_us


def bad_by_owner(objective: Objective, tallies: Sequence[Tally], since_us: int) -> Counter[Owner]:
    """Bad events that count against the objective, by whose they are."""
    found: Counter[Owner] = Counter()
    for one in tallies:
        if one.sli is objective.sli and one.owner in objective.owners and one.at_us >= since_us:
            found[one.owner] += one.count
    return +found


def periods_before(objective: Objective, at_us: int) -> list[tuple[int, int]]:
    """(since, until) of the periods before the one that `at_us` is in, the latest first.

    Of a rolling period those that end where the next begins, all of one length.
    """
    period = period_of(objective)
    found, until_us = [], period.start_us(at_us)
    for _ in range(PERIODS_MAX):
        since_us = period.start_us(until_us - (0 if period.is_rolling else 1))
        found.append((since_us, until_us))
        until_us = since_us
    return found


def past(objective: Objective, span: tuple[int, int], tallies: Sequence[Tally]) -> Past | None:
    """How a period ended; None: there were no events, so there is nothing to say of it.

    Args:
        tallies: of the span.
    """
    counts = counts_of(objective, tallies)
    if not counts.total:
        return None
    left = budget_left(counts, parse_target(objective.target))
    return Past(since_us=span[0], until_us=span[1], counts=counts, left=left)
