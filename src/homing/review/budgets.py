"""The review of an incident: which alert would have fired when, and who spent the budgets. Pure."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from homing.insight.burn import Counts, budget, budget_left, parse_target
from homing.review.blocks import Block, Code, Heading, Line, Paragraph, Table, line
from homing.review.facts import (
    EXPLAIN,
    RECORD,
    REVIEW,
    Facts,
    count,
    instant,
    percent,
    span,
)
from homing.review.incident import Aspect
from homing.review.quoting import copied, said
from homing.review.results import FIRED, OBJECTIVES


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
    modelled = _modelled(facts)
    blocks += [*_fired(facts), *modelled]
    if not blocks:
        return []
    again = facts.again(FIRED, *([EXPLAIN] if modelled else []), "investigate")
    return [Heading("Why alerts missed it"), *blocks, *again]


def _fired(facts: Facts) -> list[Block]:
    """What the rules say of the log itself, minute by minute."""
    rows: list[tuple[Line, ...]] = []
    for i, one in enumerate(facts.find(FIRED, "alerts", [])):
        path = f"alerts.{i}"
        at: Line = line("never")
        if one["firedAt"] is not None:
            at = (facts.value(FIRED, f"{path}.firedAt", instant),)
        has_after = facts.has(FIRED, f"{path}.afterS")
        rows.append(
            (
                copied(facts, FIRED, f"{path}.alert"),
                (facts.coded(FIRED, f"{path}.rule"),),
                copied(facts, FIRED, f"{path}.severity"),
                at,
                (facts.value(FIRED, f"{path}.afterS", span),) if has_after else (),
            )
        )
    if not rows:
        return []
    text: Line = line("The rules, asked about every minute of the log as it was. ")
    if facts.has(FIRED, "target"):
        target = facts.value(FIRED, "target", percent)
        text += line("The burn rates are those of ", target, ", as if drops had counted as bad. ")
    if facts.has(FIRED, "firstDropAt"):
        text += line("The first drop was accepted at ", facts.value(FIRED, "firstDropAt", instant))
        text += (".",)
    heads = ("alert", "fires by", "severity", "would have fired", "after the first drop")
    return [Paragraph(text), Table(heads, tuple(rows), frozenset({0}))]


def _modelled(facts: Facts) -> list[Block]:
    """What alerts would make of a steady drop at the rate of the log, of those not asked above."""
    if not facts.has(EXPLAIN) or facts.has(FIRED, "target"):
        return []
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
            )
        )
    if facts.has(EXPLAIN, "integrity.afterS") and not facts.has(FIRED):
        within = ("very likely within ", facts.value(EXPLAIN, "integrity.afterS", span))
        rows.append((line("any unaccounted delivery"), line("the first one"), within))
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
        " times its pace. Modelled, for a drop as steady as that; drops come in bursts, so this "
        "says how long an alert takes, and not when it would have fired here, which ",
        Code("homing slo fired LOG"),
        " asks the log:",
    )
    heads = ("alert", "fires above", "fires, modelled")
    return [Paragraph(text), Table(heads, tuple(rows), frozenset({len(rows) - 1}))]


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
