"""How an objective stands: its budget, what spent it, when it is gone, and who has to know."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Final, NamedTuple

import msgspec

from homing.core.objectives import Example, Limits, Objective, Owner, Sli, Tally
from homing.core.plurals import plural
from homing.insight import figures
from homing.insight.burn import (
    DAY_S,
    HOUR_S,
    Burning,
    Counts,
    Guard,
    budget,
    budget_left,
    burn_rate,
    evaluate,
    exhaustion_s,
    parse_target,
    tiers_for,
)
from homing.insight.figures import exact, percent, span_text
from homing.insight.period import Period, parse_period

#: names as Kubernetes and OpenSLO want them (RFC 1123 label)
NAME: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")

PLATFORM: Final = (Owner.PLATFORM, Owner.UNATTRIBUTED)
EVERYBODY: Final = tuple(Owner)

#: what is promised where nobody has written anything down
_DEFAULTS: Final = (
    ("unaccounted", Sli.INTEGRITY, "0", EVERYBODY, "Nothing that was accepted is unaccounted for."),
    ("first-attempt", Sli.FIRST_ATTEMPT, "0.999", PLATFORM, "First attempts begin in time."),
    ("retries", Sli.RETRY, "0.999", PLATFORM, "Retries begin in time after they are due."),
    ("delivered", Sli.DELIVERED, "0.995", PLATFORM, "Deliveries are received in time."),
    ("freshness", Sli.FRESHNESS, "0.999", PLATFORM, "Nothing that is due is left lying."),
    ("acceptance", Sli.ACCEPTANCE, "0.9995", PLATFORM, "Publishers are answered 2xx in time."),
    ("dead-letters", Sli.HYGIENE, "0.95", EVERYBODY, "Dead letters are dealt with in time."),
    ("audit", Sli.AUDIT, "0.999", PLATFORM, "The books are audited and balance."),
)
DEFAULT_NAMES: Final = tuple(name for name, *_ in _DEFAULTS)


def default_objectives(scope: str) -> list[Objective]:
    """Those that exist without configuration, for an organisation."""
    return [
        Objective(
            scope=scope,
            id=name,
            created_at_us=0,
            updated_at_us=0,
            sli=sli,
            target=target,
            description=text,
            owners=owners,
            is_default=True,
        )
        for name, sli, target, owners, text in _DEFAULTS
    ]


class Mistake(NamedTuple):
    """What is wrong with an objective."""

    field: str
    text: str


def mistakes_of(objective: Objective) -> list[Mistake]:
    """Everything that is wrong with it, each as what was expected and what was found."""
    found = []
    if not NAME.fullmatch(objective.id):
        text = "expected 1 to 63 lower-case letters, digits and hyphens"
        found.append(Mistake("name", f"{text}, found {objective.id!r}"))
    try:
        period = parse_period(objective.period)
    except ValueError as error:
        found.append(Mistake("period", str(error)))
    else:
        if period.length_d[1] > 366:
            found.append(Mistake("period", "expected at most a year"))
    if objective.sli is Sli.INTEGRITY:
        if objective.target != "0":
            text = "expected 0: the number of unaccounted deliveries is a count, and not a ratio"
            found.append(Mistake("target", f"{text}, found {objective.target!r}"))
    else:
        try:
            parse_target(objective.target)
        except ValueError as error:
            found.append(Mistake("target", str(error)))
    if not objective.owners:
        found.append(Mistake("owners", "expected at least one owner whose bad events count"))
    return found


def good_means(sli: Sli, limits: Limits) -> str:
    """What a good event is, as a sentence's end."""
    first, retry = (
        span_text(Fraction(limits.first_us, 10**6)),
        span_text(Fraction(limits.retry_us, 10**6)),
    )
    done, accept = (
        span_text(Fraction(limits.delivered_us, 10**6)),
        span_text(Fraction(limits.accept_us, 10**6)),
    )
    return {
        Sli.INTEGRITY: "accepted deliveries that no column of the books has",
        Sli.FIRST_ATTEMPT: f"first attempts that began within {first} of being due",
        Sli.RETRY: f"retries that began within {retry} of being due",
        Sli.DELIVERED: f"deliveries answered 2xx within {done} of acceptance (each judged "
        "once; resends and redrives change nothing, examples and tests count)",
        Sli.FIRST_SUCCESS: "first attempts answered 2xx",
        Sli.HYGIENE: "dead letters dealt with within "
        f"{span_text(Fraction(limits.hygiene_us, 10**6))}",
        Sli.FRESHNESS: "minutes in which nothing lay due for longer than "
        f"{span_text(Fraction(limits.fresh_us, 10**6))} that no limit, no disabled endpoint and "
        "no receiver without an answer held back",
        Sli.ACCEPTANCE: f"publishers' requests answered within {accept}",
        Sli.DUPLICATES: "2xx answers that were the only one of their delivery",
        Sli.AUDIT: "minutes with a recent audit that balanced",
    }[sli]


class Bad(msgspec.Struct, frozen=True, kw_only=True):
    """Bad events of one owner by one rule."""

    owner: Owner
    rule: str
    count: int
    counts: bool  #: whether they count against this objective


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How an objective stands at one moment."""

    objective: Objective
    at_us: int
    since_us: int
    period_s: int
    counts: Counts  #: valid events of the period
    bad: tuple[Bad, ...]  #: by owner and rule, most first, those that do not count included
    burning: tuple[Burning, ...]
    left: Fraction  #: of the budget; negative when overspent
    exhaustion_s: Fraction | None  #: None: never, at the present rate
    examples: tuple[Example, ...] = ()
    #: integrity only: how many are unaccounted for, by which audit, and some of them
    unaccounted: int | None = None
    audited_at_us: int | None = None
    missing: tuple[str, ...] = ()

    @property
    def is_met(self) -> bool:
        """Whether the promise holds."""
        if self.unaccounted is not None:
            return self.unaccounted == 0
        return self.left >= 0

    @property
    def fires(self) -> bool:
        """Whether somebody has to know now."""
        return not self.is_met or any(one.fires for one in self.burning)


def counts_of(objective: Objective, tallies: Iterable[Tally]) -> Counts:
    """Valid events: the good ones, and the bad ones of the owners that the objective is about."""
    good = bad = 0
    for one in tallies:
        if one.sli is objective.sli:
            if one.owner is None:
                good += one.count
            elif one.owner in objective.owners:
                bad += one.count
    return Counts(good=good, bad=bad)


def standing(
    objective: Objective,
    tallies_of: Callable[[int, int], Sequence[Tally]],
    *,
    at_us: int,
    examples: Sequence[Example] = (),
) -> Standing:
    """How a ratio objective stands.

    Args:
        tallies_of: the tallies of the objective's scope in a stretch of time, since and until.
        examples: of its scope.
    """
    period = parse_period(objective.period)
    since_us, period_s = period.start_us(at_us), period.length_s(at_us)
    target = parse_target(objective.target)
    whole = tallies_of(since_us, at_us)
    counts = counts_of(objective, whole)

    def count(window_s: int) -> Counts:
        return counts_of(objective, tallies_of(at_us - window_s * 1_000_000, at_us))

    burning = evaluate(
        count,
        target,
        period_s=period_s,
        guard=Guard(events_min=objective.events_min, bad_min=objective.bad_min),
    )
    return Standing(
        objective=objective,
        at_us=at_us,
        since_us=since_us,
        period_s=period_s,
        counts=counts,
        bad=_bad(objective, whole),
        burning=tuple(burning),
        left=budget_left(counts, target),
        exhaustion_s=exhaustion_s(
            counts,
            target,
            period_s=period_s,
            recent_burn=burn_rate(count(_RECENT_S), target),
        ),
        examples=tuple(one for one in examples if one.sli is objective.sli),
    )


#: what "at the present rate" looks back at: a day has its night in it
_RECENT_S: Final = DAY_S


def _bad(objective: Objective, tallies: Sequence[Tally]) -> tuple[Bad, ...]:
    found: Counter[tuple[Owner, str]] = Counter()
    for one in tallies:
        if one.sli is objective.sli and one.owner is not None:
            found[one.owner, one.rule] += one.count
    return tuple(
        Bad(owner=owner, rule=rule, count=count, counts=owner in objective.owners)
        for (owner, rule), count in found.most_common()
        if count
    )


def integrity_standing(
    objective: Objective,
    *,
    at_us: int,
    unaccounted: int,
    audited_at_us: int | None,
    missing: Sequence[str] = (),
) -> Standing:
    """How the objective stands that nothing is unaccounted for: a count, and not a ratio."""
    period = parse_period(objective.period)
    return Standing(
        objective=objective,
        at_us=at_us,
        since_us=period.start_us(at_us),
        period_s=period.length_s(at_us),
        counts=Counts(),
        bad=(),
        burning=(),
        left=Fraction(0 if unaccounted else 1),
        exhaustion_s=Fraction(0) if unaccounted else None,
        unaccounted=unaccounted,
        audited_at_us=audited_at_us,
        missing=tuple(missing),
    )


def arithmetic(found: Standing) -> list[str]:
    """The sums behind the figures, a line each."""
    if found.unaccounted is not None:
        return [f"unaccounted = {found.unaccounted}, promised: 0"]
    target = parse_target(found.objective.target)
    total, bad = found.counts.total, found.counts.bad
    allowed = budget(target) * total
    lines = [
        f"valid = {found.counts.good:,} good + {bad:,} bad = {plural(total, 'event')}"
        + (
            f"; {plural(left, 'bad event')} of others not counted"
            if (left := _others(found))
            else ""
        ),
        f"budget = (100% - {percent(target)}) x {total:,} = {exact(allowed, digits=1)} bad events",
        _left_line(found, allowed),
    ]
    if found.exhaustion_s is None:
        lines.append("exhaustion: never, as nothing went wrong in the last day")
    elif found.exhaustion_s > 0:
        lines.append(
            f"exhaustion = left x {span_text(found.period_s)} / burn rate of the last day = "
            f"{span_text(found.exhaustion_s)}"
        )
    return lines


def _left_line(found: Standing, allowed: Fraction) -> str:
    if not allowed:
        return "left = 100%: there were no events"
    parts = f"{found.counts.bad:,} / {exact(allowed, digits=1)}"
    text = figures.left_text(found.left)
    if found.left < 0:
        return f"spent = {parts} = {text.removeprefix('spent ')}"
    return f"left = 1 - {parts} = {text}"


def _others(found: Standing) -> int:
    return sum(one.count for one in found.bad if not one.counts)


def left_text(found: Standing) -> str:
    """What is left of the budget, in a few characters."""
    if found.unaccounted is not None:
        return "kept" if found.is_met else f"{found.unaccounted:,} missing"
    return figures.left_text(found.left)


def spent_text(found: Standing) -> str:
    """What the budget of a ratio objective was spent on: "3 of 90 events went bad"."""
    counts = found.counts
    if found.objective.sli is Sli.AUDIT:
        return f"no audit that balanced in {counts.bad:,} of {plural(counts.total, 'minute')}"
    return f"{counts.bad:,} of {plural(counts.total, 'event')} went bad"


def target_text(objective: Objective) -> str:
    """What is promised: "99.9%", or "0"."""
    if objective.sli is Sli.INTEGRITY:
        return objective.target
    return percent(Decimal(objective.target))


def windows_of(objectives: Iterable[Objective], at_us: int) -> set[int]:
    """Lengths of all windows that their alerts look at, in seconds."""
    found = {DAY_S, HOUR_S}
    for one in objectives:
        if one.sli is not Sli.INTEGRITY:
            for tier in tiers_for(parse_period(one.period).length_s(at_us)):
                found |= {tier.long_s, tier.short_s}
    return found


def period_of(objective: Objective) -> Period:
    return parse_period(objective.period)
