"""The sums behind each figure of an objective, a line each, with the numbers in them. Pure."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from homing.insight.burn import Burning, Counts, budget, parse_target
from homing.insight.figures import exact, percent, span_text
from homing.insight.objectives import Standing


def rate_text(burn: Fraction) -> str:
    """A burn rate with two digits after the point at most: 14.4, 0.05, 0."""
    return exact(Fraction(round(burn * 100), 100))


def share_kept(found: Standing) -> list[str]:
    """How the share of good events comes about."""
    good, total = found.counts.good, found.counts.total
    if not total:
        return ["there were no events, so nothing was broken"]
    return [f"good / valid = {good:,} / {total:,} = {_share(Fraction(good, total))}"]


def window(counts: Counts, target: Decimal, length_s: int) -> str:
    """How the burn rate of one window comes about."""
    if not counts.total:
        return f"last {span_text(length_s)}: no events, so nothing burns: 0"
    bad = Fraction(counts.bad, counts.total)
    burn = bad / budget(target)
    return (
        f"last {span_text(length_s)}: {counts.bad:,} bad of {counts.total:,} = {_share(bad)}; "
        f"{_share(bad)} / (100% - {percent(target)}) = {rate_text(burn)}"
    )


def tier(found: Standing, one: Burning) -> list[str]:
    """How a line of the alerts comes to what it says."""
    target = parse_target(found.objective.target)
    period = span_text(found.period_s)
    long = span_text(one.tier.long_s)
    return [
        window(one.long, target, one.tier.long_s),
        window(one.short, target, one.tier.short_s),
        f"fires above {rate_text(one.factor)} = {percent(one.tier.share)} of the budget in {long}: "
        f"{exact(one.tier.share)} x {period} / {long}",
        _verdict(one),
    ]


def _verdict(one: Burning) -> str:
    if one.held_back is not None:
        return f"both windows burn faster, and it is held back: {one.held_back}"
    if one.exceeds:
        return "both windows burn faster: it fires"
    return "not both windows burn faster: it is quiet"


def _share(part: Fraction) -> str:
    """To four digits that count, so that nothing small is shown as nothing."""
    places = 4
    while part and part < Fraction(1, 10 ** (places - 2)) and places < 12:
        places += 1
    return percent(Fraction(round(part * 10**places), 10**places))
