"""How fast an error budget is being spent, when that is noticed, and when the budget is gone.

Everything is counted by events: bad ones over valid ones of the whole window, never an average of
ratios, so that an event at the peak weighs as much as one at night. Targets are decimals and all
arithmetic is exact: whether a burn rate of exactly 3 exceeds a factor of 3 must not be decided by
the noise of binary fractions. (It does not: `>` is strict.)

Source: Google SRE Workbook, chapter 5, "Alerting on SLOs": burn rate, and the multi-window,
multi-burn-rate alerts with a short window of one twelfth of the long one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Final

import msgspec

from homing.core.plurals import plural
from homing.insight.figures import exact

MINUTE_S: Final = 60
HOUR_S: Final = 3_600
DAY_S: Final = 86_400

#: no sign, no exponent, and no more digits than anybody can mean
_DECIMAL: Final = re.compile(r"[0-9]{1,6}(\.[0-9]{1,16})?")


class Severity(StrEnum):
    """What a tier calls for."""

    PAGE = "page"  #: somebody gets up
    TICKET = "ticket"  #: somebody looks in working hours


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Valid events of a stretch of time."""

    good: int = 0
    bad: int = 0

    @property
    def total(self) -> int:
        return self.good + self.bad

    def __add__(self, other: Counts) -> Counts:
        return Counts(good=self.good + other.good, bad=self.bad + other.bad)


class Tier(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the alerts on a budget: a long window, a short one, and a share of the budget."""

    severity: Severity
    long_s: int
    short_s: int  #: quickens the end of the alert, not its beginning
    share: Decimal  #: of the budget, spent within the long window when the alert fires; in (0, 1)

    def factor(self, period_s: int) -> Fraction:
        """The burn rate that spends `share` of the budget of `period_s` in the long window."""
        return Fraction(self.share) * period_s / self.long_s


class Guard(msgspec.Struct, frozen=True, kw_only=True):
    """What must have happened in the long window before a ratio may alert anybody.

    With few events one failure is a large ratio: 1 of 50 burns the budget of 99.9% twenty times
    too fast.
    """

    events_min: int = 50  #: valid events, >= 0
    bad_min: int = 3  #: bad events, >= 0


NO_GUARD: Final = Guard(events_min=0, bad_min=0)


def _tiers(*shares: str) -> tuple[Tier, ...]:
    windows = (
        (Severity.PAGE, HOUR_S, 5 * MINUTE_S),
        (Severity.PAGE, 6 * HOUR_S, 30 * MINUTE_S),
        (Severity.TICKET, DAY_S, 2 * HOUR_S),
        (Severity.TICKET, 3 * DAY_S, 6 * HOUR_S),
    )
    return tuple(
        Tier(severity=severity, long_s=long_s, short_s=short_s, share=Decimal(share))
        for (severity, long_s, short_s), share in zip(windows, shares, strict=True)
    )


#: budget shares of a month or so: factors 14.4, 6, 3, 1 over 30 days (Workbook; the third is the
#: row that most generators add)
_LONG_PERIOD: Final = _tiers("0.02", "0.05", "0.10", "0.10")
#: of a week: 2% of a week's budget in an hour would be a factor of 3.36, and page for nothing
_SHORT_PERIOD: Final = _tiers("0.08", "0.125", "0.20", "0.42")
_SHORT_UP_TO_S: Final = 14 * DAY_S


def tiers_for(period_s: int) -> tuple[Tier, ...]:
    """The four tiers for a budget of this period, from the fastest to the slowest.

    Raises:
        ValueError: the period is shorter than a week: the slowest tier looks at three days.
    """
    if period_s < 7 * DAY_S:
        raise ValueError(f"expected a period of at least 7 days, found {period_s / DAY_S:g}")
    return _SHORT_PERIOD if period_s <= _SHORT_UP_TO_S else _LONG_PERIOD


def parse_target(text: str) -> Decimal:
    """A target as a share: "99.9", "99.9%" and "0.999" are all Decimal("0.999").

    Raises:
        ValueError: not a decimal, or not between 0 and 100% (both exclusive).
    """
    share = _share(text, "a target such as 99.9 or 99.9%", bare_percent_above=Decimal(1))
    if not 0 < share < 1:
        hint = " ('none at all' is no ratio: that is what the integrity objective is for)"
        raise ValueError(
            f"expected a target above 0 and below 100%, found {text!r}{hint if share == 1 else ''}"
        )
    return share


#: a drop rate without its % is a share only below this: 0.36 is more likely 0.36% than 36%
_BARE_BELOW: Final = Decimal("0.01")


def parse_rate(text: str) -> Decimal:
    """A share of events: "0.3%" and "0.003" are both Decimal("0.003").

    Raises:
        ValueError: not a decimal, not from 0 to 100%, or one that may be meant as a percentage.
    """
    share = _share(text, "a rate such as 0.3% or 0.003", bare_percent_above=None)
    if share >= _BARE_BELOW and not text.strip().endswith("%"):
        bare = text.strip()
        raise ValueError(
            f"expected a rate with its %, found {text!r}: write {bare}%"
            + (f", or {exact(share * 100)}% for that share of one" if share <= 1 else "")
        )
    if not 0 <= share <= 1:
        raise ValueError(f"expected a rate from 0 to 100%, found {text!r}")
    return share


def _share(text: str, expected: str, *, bare_percent_above: Decimal | None) -> Decimal:
    text = text.strip()
    number = text.removesuffix("%").strip()
    if not _DECIMAL.fullmatch(number):
        raise ValueError(f"expected {expected}, found {text!r}")
    share = Decimal(number)
    is_percent = text.endswith("%") or (
        bare_percent_above is not None and share > bare_percent_above
    )
    return share / 100 if is_percent else share


def budget(target: Decimal) -> Fraction:
    """The share of events that may go wrong: 1 - target, exactly."""
    return 1 - Fraction(target)


def burn_rate(counts: Counts, target: Decimal) -> Fraction:
    """How fast the budget is spent; 1 spends it exactly by the period's end.

    Returns:
        >= 0, exactly. No events spend nothing: 0.

    Source:
        Google SRE Workbook, chapter 5: bad ratio over (1 - target).
    """
    if counts.total == 0:
        return Fraction(0)
    return Fraction(counts.bad, counts.total) / budget(target)


def budget_left(counts: Counts, target: Decimal) -> Fraction:
    """The share of the budget that is left after these events of the period.

    Args:
        counts: all events of the period so far. The budget is `1 - target` of their total, so it
            grows with traffic.

    Returns:
        1: nothing was spent (also without events); 0: all of it; negative: more than there was.
    """
    return 1 - burn_rate(counts, target)


def events_left(counts: Counts, target: Decimal) -> int:
    """How many more of the events counted could have gone bad within the target; >= 0."""
    return max(0, int(budget(target) * counts.total) - counts.bad)


def exhaustion_s(
    counts: Counts, target: Decimal, *, period_s: int, recent_burn: Fraction
) -> Fraction | None:
    """When the budget is gone if things go on as of late.

    Args:
        counts: of the period so far.
        period_s: length of the period the budget is for.
        recent_burn: the burn rate of a recent window, >= 0.

    Returns:
        Seconds from now, >= 0 (0: it is gone already). None: never, as nothing is being spent.
    """
    left = budget_left(counts, target)
    if left <= 0:
        return Fraction(0)
    return None if recent_burn == 0 else left * period_s / recent_burn


# --- Is anything to be said now? ---


class Burning(msgspec.Struct, frozen=True, kw_only=True):
    """What a tier saw at one moment."""

    tier: Tier
    factor: Fraction
    long: Counts
    short: Counts
    long_burn: Fraction
    short_burn: Fraction
    #: both windows burn faster than the factor
    exceeds: bool
    #: why it says nothing although both windows exceed; None: it may speak
    held_back: str | None = None

    @property
    def fires(self) -> bool:
        return self.exceeds and self.held_back is None


def evaluate(
    count: Callable[[int], Counts],
    target: Decimal,
    *,
    period_s: int,
    guard: Guard = Guard(),  # noqa: B008 (frozen)
    tiers: Sequence[Tier] | None = None,
) -> list[Burning]:
    """What each tier sees; an objective alerts when any of them fires.

    Args:
        count: events of the last so many seconds, up to now.
        target: promised share of good events, in (0, 1).
        period_s: of the budget, >= 7 days.
        tiers: others than those for the period.
    """
    found = []
    for tier in tiers_for(period_s) if tiers is None else tiers:
        long, short = count(tier.long_s), count(tier.short_s)
        factor = tier.factor(period_s)
        long_burn, short_burn = burn_rate(long, target), burn_rate(short, target)
        exceeds = long_burn > factor and short_burn > factor
        found.append(
            Burning(
                tier=tier,
                factor=factor,
                long=long,
                short=short,
                long_burn=long_burn,
                short_burn=short_burn,
                exceeds=exceeds,
                held_back=_held_back(long, guard) if exceeds else None,
            )
        )
    return found


def _held_back(long: Counts, guard: Guard) -> str | None:
    if long.total < guard.events_min:
        return f"{plural(long.total, 'event')}, fewer than {guard.events_min}"
    if long.bad < guard.bad_min:
        return f"{plural(long.bad, 'bad event')}, fewer than {guard.bad_min}"
    return None


# --- When would it be noticed? ---


class Verdict(StrEnum):
    """What a tier makes of a constant rate of bad events."""

    FIRES = "fires"
    NEVER = "never"  #: it burns more slowly than the factor
    ON_THE_LINE = "on the line"  #: exactly at the factor, and `>` is strict
    TOO_FEW = "too few"  #: fast enough, but the guard never sees as many events


class Detection(msgspec.Struct, frozen=True, kw_only=True):
    """When one tier notices a constant rate of bad events that begins after a clean time."""

    tier: Tier
    factor: Fraction
    verdict: Verdict
    after_s: Fraction | None  #: None: not at all


def detection(
    tier: Tier,
    *,
    target: Decimal,
    rate: Decimal,
    period_s: int,
    per_s: Decimal | None = None,
    guard: Guard = NO_GUARD,
) -> Detection:
    """When `tier` notices bad events at a constant rate.

    The long window crosses its threshold when the bad part of it has grown to
    factor x budget x long window / rate; the short window has crossed long before. With a guard it
    also takes as long as the events it asks for take to come.

    Args:
        rate: share of events that go bad, in [0, 1].
        per_s: events a second, > 0; only a guard needs it.
    """
    factor = tier.factor(period_s)
    burn = Fraction(rate) / budget(target)
    if burn <= factor:
        verdict = Verdict.ON_THE_LINE if burn == factor else Verdict.NEVER
        return Detection(tier=tier, factor=factor, verdict=verdict, after_s=None)
    after_s = factor * tier.long_s / burn
    if per_s is not None:
        waits = (
            Fraction(guard.bad_min) / (Fraction(rate) * Fraction(per_s)),
            Fraction(guard.events_min) / Fraction(per_s),
        )
        if max(waits) > tier.long_s:
            return Detection(tier=tier, factor=factor, verdict=Verdict.TOO_FEW, after_s=None)
        after_s = max(after_s, *waits)
    return Detection(tier=tier, factor=factor, verdict=Verdict.FIRES, after_s=after_s)


def exhausted_after_s(*, target: Decimal, rate: Decimal, period_s: int) -> Fraction | None:
    """When a whole budget is gone at a constant rate; None: it lasts the period."""
    burn = Fraction(rate) / budget(target)
    return Fraction(period_s) / burn if burn > 1 else None


class Integrity(msgspec.Struct, frozen=True, kw_only=True):
    """When an objective of "none at all" notices a constant rate of drops: at the first one."""

    expected_s: Fraction  #: until the first drop, on average
    likely_s: Fraction  #: until there has been one with 95% certainty
    audit_s: int  #: until an audit has looked, at the most
    #: with 95% certainty, everything together
    after_s: Fraction


#: with an expectation of 3 the chance of seeing none is e^-3, below 5%: the rule of three
_RULE_OF_THREE: Final = 3


def integrity_detection(*, rate: Decimal, per_s: Decimal, audit_s: int = 60) -> Integrity | None:
    """When an audit every `audit_s` seconds notices drops at a constant rate.

    Args:
        rate: share of deliveries that are dropped, in [0, 1].
        per_s: deliveries a second, > 0.

    Returns:
        None: nothing is dropped, so there is nothing to notice.
    """
    drops_per_s = Fraction(rate) * Fraction(per_s)
    if drops_per_s == 0:
        return None
    likely_s = _RULE_OF_THREE / drops_per_s
    return Integrity(
        expected_s=1 / drops_per_s,
        likely_s=likely_s,
        audit_s=audit_s,
        after_s=likely_s + audit_s,
    )


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """A constant drop rate against one target: who notices what, and when."""

    target: Decimal
    rate: Decimal
    period_s: int
    per_s: Decimal
    guard: Guard
    burn: Fraction
    detections: tuple[Detection, ...]
    exhausted_after_s: Fraction | None
    integrity: Integrity | None

    def first(self, severity: Severity) -> Detection | None:
        """The earliest tier of this severity that fires."""
        firing = [
            one
            for one in self.detections
            if one.tier.severity is severity and one.after_s is not None
        ]
        return min(firing, key=lambda one: one.after_s or 0, default=None)


def explain(
    *,
    target: Decimal,
    rate: Decimal,
    period_s: int = 30 * DAY_S,
    per_s: Decimal = Decimal(10),
    guard: Guard = Guard(),  # noqa: B008 (frozen)
    audit_s: int = 60,
) -> Explanation:
    """Everything that is to be said of a constant drop rate at one target.

    Raises:
        ValueError: a period of less than a week, or traffic that is not above 0.
    """
    if per_s <= 0:
        raise ValueError(f"expected traffic above 0, found {per_s}")
    return Explanation(
        target=target,
        rate=rate,
        period_s=period_s,
        per_s=per_s,
        guard=guard,
        burn=Fraction(rate) / budget(target),
        detections=tuple(
            detection(tier, target=target, rate=rate, period_s=period_s, per_s=per_s, guard=guard)
            for tier in tiers_for(period_s)
        ),
        exhausted_after_s=exhausted_after_s(target=target, rate=rate, period_s=period_s),
        integrity=integrity_detection(rate=rate, per_s=per_s, audit_s=audit_s),
    )
