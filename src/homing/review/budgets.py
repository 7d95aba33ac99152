"""The review of an incident: which alert would have fired when, and who spent the budgets. Pure."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

from homing.insight.burn import Counts, budget, budget_left, parse_target
from homing.review.blocks import Block, Heading, Line, Paragraph, Table, line
from homing.review.facts import (
    EXPLAIN,
    RECORD,
    REVIEW,
    Facts,
    count,
    instant,
    moment,
    percent,
    span,
)
from homing.review.incident import Aspect
from homing.review.quoting import said
from homing.review.results import OBJECTIVES


def alerts(facts: Facts) -> list[Block]:
    """Which alert would have fired when, and why those that were there did not."""
    blocks: list[Block] = list(said(facts, Aspect.ALERTS))
    if facts.has("investigate", "books.dead") and facts.find("investigate", "dropped", 0):
        parts = line(
            "An alert on dead letters could not see it: ",
            facts.value("investigate", "books.dead", count),
            " of ",
            facts.value("investigate", "accepted", count),
            " deliveries ended as dead letters, and a dropped delivery is in no queue.",
        )
        blocks.append(Paragraph(parts))
    if facts.has(EXPLAIN):
        blocks += _tiers(facts)
    if not blocks:
        return []
    return [Heading("Why alerts missed it"), *blocks, *facts.again(EXPLAIN, "investigate")]


def _tiers(facts: Facts) -> list[Block]:
    began = None
    if facts.find("investigate", "since.is_change", False):
        began = moment(facts.get("investigate", "since.at"))
    rows: list[tuple[Line, ...]] = []
    for i, tier in enumerate(facts.get(EXPLAIN, "tiers")):
        rows.append(
            (
                (
                    facts.value(EXPLAIN, f"tiers.{i}.severity"),
                    " over ",
                    facts.value(EXPLAIN, f"tiers.{i}.longS", span),
                ),
                (
                    facts.value(EXPLAIN, f"tiers.{i}.factor"),
                    " times the budget's pace",
                ),
                (
                    ("after ", facts.value(EXPLAIN, f"tiers.{i}.afterS", span))
                    if tier["afterS"] is not None
                    else line(tier["verdict"])
                ),
                _fires_at(facts, began, tier["afterS"], f"tiers.{i}.afterS"),
            )
        )
    if facts.has(EXPLAIN, "integrity.afterS"):
        seen = facts.get(EXPLAIN, "integrity.afterS")
        rows.append(
            (
                line("any unaccounted delivery"),
                line("the first one"),
                ("after ", facts.value(EXPLAIN, "integrity.afterS", span)),
                _fires_at(facts, began, seen, "integrity.afterS"),
            )
        )
    text: Line = (
        "Against a target of ",
        facts.value(RECORD, "objective"),
        " over ",
        facts.value(EXPLAIN, "periodS", span),
        ", a drop rate of ",
        facts.derived(percent(Decimal(facts.get(EXPLAIN, "dropRate"))), "explain:dropRate"),
        " at ",
        facts.value(EXPLAIN, "perSecond"),
        " deliveries a second burns the budget at ",
        facts.value(EXPLAIN, "burnRate"),
        " times its pace. The usual burn-rate alerts and an alert on any unaccounted delivery "
        "would have said:",
    )
    heads = ("alert", "fires above", "fires", "that would have been")
    return [Paragraph(text), Table(heads, tuple(rows), frozenset({len(rows) - 1}))]


def _fires_at(facts: Facts, began: Any, after_s: float | None, path: str) -> Line:
    if began is None or after_s is None:
        return line("not at all" if after_s is None else "")
    at = round((began.timestamp() + after_s) * 1_000_000)
    return (facts.derived(instant(at), f"investigate:since.at + explain:{path}"),)


def spent(facts: Facts) -> list[Block]:
    """The error budgets, and whose failures spent them: of the log, and of a running service."""
    blocks = [*_spent_in_log(facts), *_spent_of_objectives(facts)]
    return [Heading("Budget spent, by owner"), *blocks] if blocks else []


def _spent_of_objectives(facts: Facts) -> list[Block]:
    """Each objective of the running service that has had bad events, by whose they are."""
    rows: list[tuple[Line, ...]] = []
    for i, report in enumerate(facts.find(OBJECTIVES, "reports", [])):
        path = f"reports.{i}"
        seen = report["good"] + report["bad"]
        allowed = budget(parse_target(report["objective"]["target"])) * seen
        apart = sum(bad["count"] for bad in report["byOwner"] if not bad["counts"])
        whole = f"{OBJECTIVES}:{path}.good + {OBJECTIVES}:{path}.bad"
        for j, bad in enumerate(report["byOwner"]):
            share = Fraction(bad["count"]) / allowed if allowed else None
            of_all = facts.derived(count(seen), whole)
            of_budget = line("the promise allows none")
            if not bad["counts"]:
                # what is not counted is neither good nor bad, and may be all that there was
                of_all = facts.derived(count(seen + apart), f"{whole} + what is not counted")
                of_budget = line("not counted against it")
            elif share is not None:
                formula = f"{OBJECTIVES}:{path}.byOwner.{j}.count / budget"
                of_budget = (facts.derived(percent(float(share)), formula),)
            rows.append(
                (
                    (
                        facts.value(OBJECTIVES, f"{path}.objective.name"),
                        " (",
                        facts.value(OBJECTIVES, f"{path}.objective.targetText"),
                        ")",
                    ),
                    (
                        facts.value(OBJECTIVES, f"{path}.byOwner.{j}.owner"),
                        ": ",
                        facts.value(OBJECTIVES, f"{path}.byOwner.{j}.rule"),
                    ),
                    (
                        facts.value(OBJECTIVES, f"{path}.byOwner.{j}.count", count),
                        " of ",
                        of_all,
                    ),
                    of_budget,
                )
            )
    if not facts.find(OBJECTIVES, "reports", []):
        return []
    at = facts.value(OBJECTIVES, "reports.0.at", instant)
    if not rows:
        text = line("The objectives of the running service had no bad event at ", at, ".")
        return [Paragraph(text), *facts.again(OBJECTIVES)]
    heads = ("objective", "whose, by which rule", "bad events#", "of the budget#")
    return [
        Paragraph(line("The objectives of the running service, as they stood at ", at, ":")),
        Table(heads, tuple(rows)),
        *facts.again(OBJECTIVES),
    ]


def _spent_in_log(facts: Facts) -> list[Block]:
    """The error budget of the log's time, and whose failures spent it."""
    if not facts.find("investigate", "judged", 0):
        return []
    try:
        target = parse_target(facts.incident.objective)
    except ValueError:
        return []
    judged, dropped = (facts.get("investigate", one) for one in ("judged", "dropped"))
    if not dropped:
        return []
    allowed = budget(target) * judged
    share = Fraction(dropped) / allowed
    left = budget_left(Counts(good=judged - dropped, bad=dropped), target)
    rows: list[tuple[Line, ...]] = [
        (
            line("the platform: accepted, then dropped"),
            (facts.value("investigate", "dropped", count),),
            (facts.derived(percent(float(share)), "investigate:dropped / budget"),),
        )
    ]
    if facts.find("investigate", "books.dead", 0):
        dead = Fraction(facts.get("investigate", "books.dead")) / allowed
        rows.append(
            (
                line("given up after refusals: the log does not say whose"),
                (facts.value("investigate", "books.dead", count),),
                (facts.derived(percent(float(dead)), "investigate:books.dead / budget"),),
            )
        )
    state = "is overspent" if left < 0 else "is not overspent"
    text = line(
        "At ",
        facts.value(RECORD, "objective"),
        ", ",
        facts.derived(f"{int(allowed):,}", "(1 - record:objective) * investigate:judged"),
        " of the ",
        facts.value("investigate", "judged", count),
        " deliveries might have failed; by drops alone that budget ",
        state,
        ".",
    )
    return [
        Paragraph(text),
        Table(("whose", "deliveries#", "of the budget#"), tuple(rows)),
        *facts.again("investigate", REVIEW),
    ]
