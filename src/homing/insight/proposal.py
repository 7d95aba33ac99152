"""A proposal for a shared objective, from what was measured: a page for other teams to sign."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from homing.insight.burn import DAY_S, Severity, explain, parse_target
from homing.insight.detection import integrity_sentences, sentence, words
from homing.insight.figures import exact, percent

#: targets that people agree on, from the strictest
_TARGETS: Final = tuple(
    map(Decimal, ("0.9999", "0.9995", "0.999", "0.9975", "0.995", "0.99", "0.98", "0.95", "0.9"))
)
#: a proposal leaves so much room: what was measured spends at most half of its budget
_ROOM: Final = 2


def proposed_target(good: int, bad: int) -> Decimal | None:
    """The strictest of the usual targets of which what was measured spends at most half.

    Returns:
        None: nothing was measured, or not even 90% fits.
    """
    total = good + bad
    if total == 0:
        return None
    share = Fraction(bad, total)
    for target in _TARGETS:
        # With fewer events than one bad one in the budget, nothing supports so strict a target.
        if share * _ROOM <= 1 - Fraction(target) and (1 - Fraction(target)) * total >= 1:
            return target
    return None


def proposal(
    reports: Sequence[Mapping[str, Any]],
    *,
    service: str,
    teams: Sequence[str],
    period: str,
    at: str,
    per_s: Decimal,
    drop_rate: Decimal,
) -> str:
    """The page, in Markdown; every number names where it is from.

    Args:
        reports: as the API gives them, each over the period that is proposed from.
        teams: who is asked to sign.
        period: what the numbers were measured over, in words.
        at: when, ISO 8601.
        per_s: measured deliveries a second.
        drop_rate: a share of drops to show the effect of, e.g. that of the last incident.
    """
    ratios = [one for one in reports if one["unaccounted"] is None]
    integrity = next((one for one in reports if one["unaccounted"] is not None), None)
    lines = [
        f"# Proposal: one reliability objective for {service}",
        "",
        f"Written from measurements of {period}, on {at[:10]}.",
        "Every number below names its source; `homing slo report` prints them again.",
        "",
        "## Why",
        "",
        "Several teams have a part in a delivery: its publisher, its platform and its receiver.",
        "Without one number that all of them look at, a drop belongs to nobody until a customer "
        "finds it.",
        "",
        "## What is promised",
        "",
    ]
    lines += _promises(ratios, integrity)
    lines += ["", "## What was measured", ""]
    lines += _measured(ratios, integrity)
    lines += ["", "## Whose the bad events were", ""]
    lines += _owners(ratios)
    lines += ["", "## What would notice a drop", ""]
    lines += _noticing(ratios, drop_rate, per_s)
    lines += [
        "",
        "## What happens when the budget is spent",
        "",
        "- Changes to the service stop, except fixes, until the budget of the last period is "
        "positive again.",
        "- A team whose share of the bad events is zero may go on.",
        "- An event counts against the owner whom the evidence names; "
        "changing that takes a written reason, and is shown.",
        "- One incident that takes a fifth of the budget gets a review.",
        "- Whoever disagrees asks the person named last below.",
        "",
        "## Signed",
        "",
        "| team | name | date |",
        "|---|---|---|",
        *(f"| {team} | | |" for team in teams),
        "| decides when we disagree | | |",
        "",
    ]
    return "\n".join(lines)


def _promises(
    ratios: Sequence[Mapping[str, Any]], integrity: Mapping[str, Any] | None
) -> list[str]:
    lines = ["| promise | target | why this target |", "|---|---|---|"]
    if integrity is not None:
        lines.append(
            "| unaccounted deliveries: none | 0 | a drop is no share of what may go wrong |"
        )
    for one in ratios:
        objective, good, bad = one["objective"], one["good"], one["bad"]
        target = proposed_target(good, bad)
        if target is None:
            why = "too little was measured to say; the present target stands"
            lines.append(f"| {objective['means']} | {objective['targetText']} | {why} |")
            continue
        share = Fraction(bad, good + bad)
        why = (
            f"the strictest usual one that {percent(_rounded(share))} bad spends at most half of"
            f" (budget {percent(1 - Fraction(target))})"
        )
        lines.append(f"| {objective['means']} | {percent(target)} | {why} |")
    return lines


def _measured(
    ratios: Sequence[Mapping[str, Any]], integrity: Mapping[str, Any] | None
) -> list[str]:
    lines = ["| objective | good | bad | of valid | source |", "|---|---|---|---|---|"]
    for one in ratios:
        total = one["good"] + one["bad"]
        share = percent(_rounded(Fraction(one["good"], total))) if total else "no events"
        name = one["objective"]["name"]
        lines.append(
            f"| {name} | {one['good']:,} | {one['bad']:,} | {share} | "
            f"`homing slo report {name} --json` at {one['at'][:19]}Z |"
        )
    if integrity is not None:
        lines.append(
            f"| {integrity['objective']['name']} | | {integrity['unaccounted']:,} unaccounted | | "
            f"audit of {(integrity['auditedAt'] or 'never')[:19]} |"
        )
    return lines


def _owners(ratios: Sequence[Mapping[str, Any]]) -> list[str]:
    rows = [
        f"| {one['objective']['name']} | {bad['owner']} | {bad['rule']} | {bad['count']:,} | "
        f"{'yes' if bad['counts'] else 'no'} |"
        for one in ratios
        for bad in one["byOwner"]
    ]
    if not rows:
        return ["There were none in this time."]
    head = "| objective | owner | rule of evidence | events | counts against it |"
    return [head, "|---|---|---|---|---|", *rows]


def _noticing(ratios: Sequence[Mapping[str, Any]], drop_rate: Decimal, per_s: Decimal) -> list[str]:
    target = next(
        (
            found
            for one in ratios
            if one["objective"]["sli"] == "delivered"
            and (found := proposed_target(one["good"], one["bad"])) is not None
        ),
        parse_target("99.9"),
    )
    drop = explain(target=target, rate=drop_rate, per_s=per_s, period_s=30 * DAY_S)
    pages = drop.first(Severity.PAGE) is not None
    lines = [
        f"{sentence(drop)} (30 days, {exact(per_s, digits=3)} deliveries a second as measured).",
    ]
    if not pages:
        lines.append("So the share alone wakes nobody.")
    lines += integrity_sentences(drop)
    if drop.exhausted_after_s is not None:
        lines.append(f"Unnoticed, it spends the budget in {words(drop.exhausted_after_s)}.")
    lines.append("Source: `homing slo explain`, with these numbers.")
    return lines


def _rounded(share: Fraction) -> Fraction:
    return Fraction(round(share * 1_000_000), 1_000_000)
