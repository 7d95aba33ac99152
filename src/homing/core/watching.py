"""What is looked at to say how an endpoint is: counts up to a bound, and samples. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from enum import StrEnum
from fractions import Fraction
from typing import Final, NamedTuple

import msgspec

from homing.core.outcome import Reason

#: an endpoint is called failing below this share of successes ...
GOOD_SHARE: Final = Fraction(95, 100)
#: ... of at least so many attempts: one that failed of two is no rule
JUDGED_MIN: Final = 5


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What lies before an endpoint and what came of it lately, each count up to a bound."""

    endpoint_id: str
    attempts: Mapping[Reason, int] = {}  #: the newest, by what they came to
    waiting: int = 0
    leased: int = 0
    parked: int = 0
    dead: int = 0
    dead_recent: int = 0  #: of these, accepted since a given time
    next_at_us: int | None = None  #: when the first of those waiting is due

    @property
    def succeeded(self) -> Fraction | None:
        """The share of the attempts that were answered 2xx; None: there were none."""
        return share_of(self.attempts)


class Tried(NamedTuple):
    """One attempt of a sample."""

    reason: Reason
    status: int | None
    total_us: int


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of time of one endpoint."""

    since_us: int
    until_us: int  #: exclusive
    counts: Mapping[Reason, int] = {}  #: of the newest attempts begun in it, up to a bound
    tried: Sequence[Tried] = ()  #: a sample: the newest of these


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """How often attempts failed in one way."""

    reason: Reason
    status: int | None
    count: int


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
    share, made = load.succeeded, sum(load.attempts.values())
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
    weighed: list[tuple[int, Fraction]] = []
    for one in slices:
        if one.tried:
            weight = Fraction(max(sum(one.counts.values()), len(one.tried)), len(one.tried))
            weighed += [(tried.total_us, weight) for tried in one.tried]
    if not weighed:
        return None
    weighed.sort()
    total = sum((weight for _, weight in weighed), Fraction(0))
    found = []
    for share in shares:
        need, reached = Fraction(share) * total, Fraction(0)
        for total_us, weight in weighed:
            reached += weight
            if reached >= need:
                found.append(total_us)
                break
        else:
            found.append(weighed[-1][0])
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
