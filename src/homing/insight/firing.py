"""When alerts would have fired in a time that has passed, by the rules that are installed. Pure.

The books of each minute are had again, one after another, and each rule is asked at its end: what
an audit every minute would have told it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import accumulate
from typing import Final, NamedTuple

import msgspec

from homing.core.objectives import Objective, Sli
from homing.core.plurals import plural
from homing.insight.burn import DAY_S, MINUTE_S, Burning, Counts, Guard, evaluate
from homing.insight.figures import exact
from homing.insight.rules.prometheus import UNACCOUNTED, alerts_of, integrity_labels, window_text

_SECOND_US: Final = 1_000_000
_MINUTE_US: Final = MINUTE_S * _SECOND_US


class Minute(NamedTuple):
    """What ended in one minute."""

    at_us: int  #: its beginning
    delivered: int
    dead: int  #: given up, on record
    lost: int  #: from then on no column of the books has them


class Past(msgspec.Struct, frozen=True, kw_only=True):
    """A time as the rules are shown it."""

    minutes: tuple[Minute, ...]  #: in order; those in which nothing ended are left out
    first_us: int | None = None  #: when the first of the lost ones was accepted; None: none was
    lost_us: int | None = None  #: from when on the first one is unaccounted for


class Fired(msgspec.Struct, frozen=True, kw_only=True):
    """What one alert would have done."""

    alert: str
    rule: str  #: what it fires by, in words
    severity: str
    at_us: int | None  #: when it fires first; None: never
    after_s: float | None  #: since the first of the lost ones was accepted
    why: str  #: what it saw then, or the most it ever saw


def unaccounted(past: Past, objective: Objective) -> Fired:
    """The alert of the integrity objective: one delivery in no column is enough."""
    first = next((one for one in past.minutes if one.lost), None)
    at_us = None if first is None else first.at_us + _MINUTE_US
    count = 0 if first is None else first.lost
    return Fired(
        alert=UNACCOUNTED,
        rule="max(homing_unaccounted) > 0",
        severity=integrity_labels(objective)["severity"],
        at_us=at_us,
        after_s=_after_s(past, at_us),
        why=f"{plural(count, 'delivery')} in no column of the books" if count else "none was lost",
    )


def dead_letters(past: Past, objective: Objective) -> list[Fired]:
    """The alerts on dead letters, of a time that had none: nothing to count is nothing to say.

    Of a time that had some nothing is said: how each was dealt with is in no delivery log.
    """
    if any(one.dead for one in past.minutes):
        return []
    alerts = alerts_of(objective)
    return [
        Fired(
            alert=f"HomingBudgetBurn… of {objective.id}",
            rule=plural(len(alerts), "burn rate"),
            severity=", ".join(dict.fromkeys(str(one.tier.severity) for one in alerts)),
            at_us=None,
            after_s=None,
            why="there was no dead letter",
        )
    ]


def burns(
    past: Past,
    target: Decimal,
    *,
    period_s: int = 30 * DAY_S,
    guard: Guard = Guard(),  # noqa: B008 (frozen)
) -> list[Fired]:
    """The burn-rate alerts of a target that counts what was lost as bad."""
    if not past.minutes:
        return []
    totals = _Totals(past.minutes)
    fired: dict[int, tuple[int, Burning]] = {}
    most: dict[int, Burning] = {}
    first_us, last_us = past.minutes[0].at_us, past.minutes[-1].at_us
    for at_us in range(first_us + _MINUTE_US, last_us + 2 * _MINUTE_US, _MINUTE_US):
        seen = evaluate(totals.before(at_us), target, period_s=period_s, guard=guard)
        for place, one in enumerate(seen):
            if place not in most or _burning(one) > _burning(most[place]):
                most[place] = one
            if one.fires:
                fired.setdefault(place, (at_us, one))
    return [_fired(past, fired.get(place), one, period_s) for place, one in most.items()]


def fired_of(past: Past, objectives: Sequence[Objective]) -> list[Fired]:
    """What the alerts of these objectives would have done, of those that a log can tell."""
    found: list[Fired] = []
    for one in objectives:
        if one.sli is Sli.INTEGRITY:
            found.append(unaccounted(past, one))
        elif one.sli is Sli.HYGIENE:
            found += dead_letters(past, one)
    return found


class _Totals:
    """Sums up to each minute, so that a window is a difference."""

    def __init__(self, minutes: Sequence[Minute]) -> None:
        self._ends = [one.at_us + _MINUTE_US for one in minutes]
        self._good = [0, *accumulate(one.delivered + one.dead for one in minutes)]
        self._bad = [0, *accumulate(one.lost for one in minutes)]

    def before(self, at_us: int) -> Callable[[int], Counts]:
        """The events of the last so many seconds before a time, as `burn.evaluate` asks for."""
        until = bisect_right(self._ends, at_us)

        def count(length_s: int) -> Counts:
            since = bisect_left(self._ends, at_us - length_s * _SECOND_US + 1)
            return Counts(
                good=self._good[until] - self._good[since],
                bad=self._bad[until] - self._bad[since],
            )

        return count


def _burning(one: Burning) -> Fraction:
    """How fast it burns by both of its windows."""
    return min(one.long_burn, one.short_burn)


def _fired(past: Past, when: tuple[int, Burning] | None, most: Burning, period_s: int) -> Fired:
    at_us, seen = when or (None, most)
    tier, burning = seen.tier, f"{float(_burning(seen)):.3g}"
    return Fired(
        alert=f"burn rate above {exact(seen.factor, digits=3)}",
        rule=f"over {window_text(tier.long_s)} and {window_text(tier.short_s)}",
        severity=str(tier.severity),
        at_us=at_us,
        after_s=_after_s(past, at_us),
        why=f"{burning} times what would last {period_s // DAY_S} days"
        + ("" if when else "; faster it never was")
        + (f", held back: {seen.held_back}" if not when and seen.held_back else ""),
    )


def _after_s(past: Past, at_us: int | None) -> float | None:
    if at_us is None or past.first_us is None:
        return None
    return (at_us - past.first_us) / _SECOND_US
