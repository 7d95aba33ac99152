"""`/objectives`: what is promised, what is left of each budget, and the sum behind each figure."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from homing.core.errors import Invalid, Problem
from homing.core.objectives import SERVICE_WIDE, Objective, Sli
from homing.core.resources import Application
from homing.insight import arithmetic as sums
from homing.insight import figures
from homing.insight.burn import Burning, Guard, Severity, budget, explain, parse_target
from homing.insight.detection import integrity_sentences, sentence, tier_sentence
from homing.insight.figures import exact, percent, span_text
from homing.insight.history import Past
from homing.insight.objectives import (
    DEFAULT_NAMES,
    Standing,
    arithmetic,
    good_means,
    left_text,
    period_of,
    target_text,
)
from homing.service.context import Service
from homing.service.objective_history import History, history_of
from homing.service.objectives import find_objective, list_objectives, report
from homing.web.pages.objective_form import OWNERS
from homing.web.pages.shell import Page, Visit, get
from homing.web.pages.words import signed

_HERE: Final = "objectives"
_US: Final = 1_000_000
#: a drop that the page of an objective begins with
_DROP: Final = "0.3"
#: how a promise stands, the worst first, and the kind of its badge
_KINDS: Final = {"broken": "bad", "burning": "warn", "kept": "good", "unproven": "wait"}
_RATES_MAX: Final = 100_000


async def show_objectives(visit: Visit) -> Page:
    """Every promise, those that need somebody first."""
    service = visit.service
    found = await report(service, visit.caller, await list_objectives(service, visit.caller))
    rows = sorted((row_of(service, one) for one in found), key=lambda row: row["rank"])
    waiting = sum(one.fires for one in found)
    return Page("objectives.html", "Objectives", _HERE, {"rows": rows, "waiting": waiting})


def row_of(service: Service, found: Standing) -> dict[str, Any]:
    """How a promise stands, in the words that pages use."""
    objective = found.objective
    fastest = max(found.burning, key=lambda one: one.long_burn / one.factor, default=None)
    word = _word(found)
    means = good_means(objective.sli, service.measure)
    return {
        "standing": found,
        "objective": objective,
        "url": f"/objectives/{objective.id}",
        "is_count": found.unaccounted is not None,
        "word": word,
        "kind": _KINDS[word],
        "rank": (list(_KINDS).index(word), found.left, objective.id),
        "title": objective.description.removesuffix(".") or objective.id,
        "target": target_text(objective),
        "means": means,
        "means_short": means.partition(" (")[0],
        "period": period_of(objective).text,
        "left_text": _left(found, word),
        "left": 0.0
        if word == "unproven"
        else float(min(max(found.left, Fraction(0)), Fraction(1))),
        "gone": _gone(found),
        "arithmetic": arithmetic(found),
        "hour": _hour(found),
        "fastest": None if fastest is None else _tier(found, fastest),
        "has_events": bool(found.counts.total),
    }


def _word(found: Standing) -> str:
    """In one word; one bad event of a few is no broken promise, as alerts have it."""
    objective, counts = found.objective, found.counts
    if found.unaccounted is not None:
        return "kept" if found.is_met else "broken"
    if not counts.total:
        return "unproven"
    is_few = counts.total < objective.events_min or counts.bad < objective.bad_min
    if not found.is_met and not is_few:
        return "broken"
    return "burning" if any(one.fires for one in found.burning) else "kept"


def _left(found: Standing, word: str) -> str:
    """What is left of the budget; a few bad events of few are no reason to name a figure."""
    if word == "unproven":
        return "no events yet"
    return "too few events" if word == "kept" and not found.is_met else signed(left_text(found))


def _gone(found: Standing) -> str:
    if found.unaccounted is not None:
        return ""
    if found.exhaustion_s is None:
        return "never"
    return span_text(round(found.exhaustion_s)) if found.exhaustion_s > 0 else "spent"


def _hour(found: Standing) -> str | None:
    """The burn rate of the shortest long window."""
    first = min(found.burning, key=lambda one: one.tier.long_s, default=None)
    return None if first is None else sums.rate_text(first.long_burn)


def _tier(found: Standing, one: Burning) -> dict[str, Any]:
    return {
        "severity": str(one.tier.severity),
        "long": span_text(one.tier.long_s),
        "short": span_text(one.tier.short_s),
        "long_burn": sums.rate_text(one.long_burn),
        "short_burn": sums.rate_text(one.short_burn),
        "factor": sums.rate_text(one.factor),
        "fires": one.fires,
        "held_back": one.held_back,
        "counts": (one.long, one.short),
        "sums": sums.tier(found, one),
    }


# --- one of them ---


async def show_objective(visit: Visit) -> Page:
    """One promise, with every sum, its course, earlier periods, and what would be noticed when."""
    service, caller = visit.service, visit.caller
    objective = await find_objective(service, caller, visit.path["name"])
    [found] = await report(service, caller, [objective])
    values = row_of(service, found) | {
        "scope": await _scope(service, objective),
        "share_sums": sums.share_kept(found),
        "tiers": [_tier(found, one) for one in found.burning],
        "others": sum(one.count for one in found.bad if not one.counts),
        "is_everybodys": objective.sli in SERVICE_WIDE,
        "owners": OWNERS.items(),
        "default_names": DEFAULT_NAMES,
    }
    if not values["is_count"]:
        history = await history_of(service, objective)
        values |= {
            "charts": _charts(history, objective),
            "grain": span_text(history.grain_s),
            "past": [_past(one, objective) for one in history.past],
        }
    values |= await noticed(visit, found)
    return Page("objective.html", values["title"], _HERE, values)


async def _scope(service: Service, objective: Objective) -> str:
    """What it is about."""
    if objective.sli in SERVICE_WIDE:
        return "the service as a whole"
    if objective.app_id is None:
        return "all applications"
    found = await service.store.by_ids(Application, [objective.app_id])
    return f"the application {found[0].name if found else objective.app_id}"


def _charts(history: History, objective: Objective) -> dict[str, dict[str, Any]]:
    """What was left of the budget, and the events that it went by."""
    times = [one.at_us // _US for one in history.points]
    lefts = [max(float(one.left), 0.0) for one in history.points]  # overspent is nothing left
    allowed = budget(parse_target(objective.target))
    return {
        "left": {
            "kind": "area",
            "unit": "share",
            "times": times,
            "series": [{"label": "Budget left", "values": lefts, "tone": "accent"}],
        },
        "bad": {
            "kind": "bars",
            "unit": "count",
            "times": times,
            "series": [
                {
                    "label": "Bad events",
                    "values": [one.counts.bad for one in history.points],
                    "tone": "bad",
                },
                {
                    "label": "Allowed",
                    "values": [
                        round(float(allowed * one.counts.total), 3) for one in history.points
                    ],
                    "tone": "line-strong",
                },
            ],
        },
    }


def _past(one: Past, objective: Objective) -> dict[str, Any]:
    target = parse_target(objective.target)
    total, bad = one.counts.total, one.counts.bad
    allowed = budget(target) * total
    return {
        "past": one,
        "share": percent(Fraction(one.counts.good * 10_000 // total, 10_000)),
        "left": figures.left_text(one.left),
        "sums": [
            f"budget = (100% - {percent(target)}) x {total:,} = {exact(allowed, digits=1)} "
            "bad events",
            f"left = 1 - {bad:,} / {exact(allowed, digits=1)}",
        ],
    }


# --- what would be noticed, and when ---


async def noticed(visit: Visit, found: Standing) -> dict[str, Any]:
    """When a steady drop would be noticed under this promise."""
    drop = _decimal(visit, "drop", _DROP, "percent")
    measured = await _per_s(visit.service, found)
    per_s = _decimal(visit, "traffic", measured, "deliveries a second", most=_RATES_MAX)
    values: dict[str, Any] = {"drop": drop, "traffic": per_s, "measured": measured}
    rate = Decimal(drop) / 100
    target = Decimal("0.999") if found.unaccounted is not None else None
    told = explain(
        target=target or parse_target(found.objective.target),
        rate=rate,
        period_s=found.period_s,
        per_s=Decimal(per_s),
        guard=Guard(events_min=found.objective.events_min, bad_min=found.objective.bad_min),
    )
    page = told.first(Severity.PAGE)
    return values | {
        "sentence": sentence(told),
        "would_page": page is not None,
        "detections": [
            (
                str(one.tier.severity),
                f"{span_text(one.tier.long_s)} and {span_text(one.tier.short_s)}",
                percent(one.tier.share),
                exact(one.factor, digits=3),
                tier_sentence(one),
            )
            for one in told.detections
        ],
        "integrity": integrity_sentences(told),
    }


def _decimal(visit: Visit, name: str, default: str, what: str, *, most: int = 100) -> str:
    """A decimal above 0 out of the query.

    Raises:
        Invalid: it is none.
    """
    text = (visit.query.get(name) or default).strip().removesuffix("%")
    is_plain = len(text) <= 12 and text.replace(".", "", 1).isdecimal() and text.isascii()
    if not is_plain or not 0 < Decimal(text) <= most:
        problem = f"expected {what} above 0 and up to {most:,}, found {text[:40]!r}"
        raise Invalid([Problem(("query", name), problem)])
    return text


async def _per_s(service: Service, found: Standing) -> str:
    """Valid events a second since there were any, to three digits; at least one."""
    first_us = await service.store.first_accepted_at_us()
    since_us = max(found.since_us, first_us or found.at_us)
    total = found.counts.total + sum(one.count for one in found.bad if not one.counts)
    if found.objective.sli is Sli.INTEGRITY or not total:
        return "10"
    seconds = max((found.at_us - since_us) // _US, 60)
    digits = Decimal(f"{Decimal(total) / seconds:.3g}")
    return exact(max(digits, Decimal("0.0001")))


PAGES = (
    get("/objectives", show_objectives),
    get("/objectives/{name}", show_objective),
)
