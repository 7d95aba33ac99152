"""When a drop would be noticed, in words and as tables."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from homing.insight.burn import (
    Detection,
    Explanation,
    Severity,
    Verdict,
    explain,
    integrity_detection,
)
from homing.insight.figures import exact, percent, span_text

#: what the page shows: shares dropped, targets, deliveries a second
RATES: Final = tuple(map(Decimal, ("0.0001", "0.001", "0.003", "0.01", "0.05")))
TARGETS: Final = tuple(map(Decimal, ("0.995", "0.999", "0.9995", "0.9999")))
TRAFFIC: Final = tuple(map(Decimal, ("0.01", "0.1", "1", "10", "100")))


def sentence(found: Explanation) -> str:
    """ "0.3% at 99.9%: no page, ticket after 24 h, budget gone in 10 days"."""
    page, ticket = found.first(Severity.PAGE), found.first(Severity.TICKET)
    parts = [
        f"page after {span_text(page.after_s)}" if page else "no page",
        f"ticket after {span_text(ticket.after_s)}" if ticket else "no ticket",
        f"budget gone in {words(found.exhausted_after_s)}"
        if found.exhausted_after_s is not None
        else "the budget lasts",
    ]
    return f"{percent(found.rate)} at {percent(found.target)}: {', '.join(parts)}"


def integrity_sentences(found: Explanation) -> list[str]:
    """What notices it in minutes, with the arithmetic."""
    seen = found.integrity
    if seen is None:
        return ["Nothing is dropped, so there is nothing to notice."]
    drops_per_s = Fraction(found.rate) * Fraction(found.per_s)
    return [
        "The integrity objective (unaccounted = 0) needs one drop, not a share of them: "
        f"{percent(found.rate)} of {exact(found.per_s)} deliveries a second is "
        f"{exact(drops_per_s, digits=6)} drops a second,",
        f"so the first comes after {span_text(seen.expected_s)} on average (1 / "
        f"{exact(drops_per_s, digits=6)}) and with 95% certainty within "
        f"{span_text(seen.likely_s)} (3 / {exact(drops_per_s, digits=6)}: the rule of three),",
        f"and the audit that runs every {span_text(seen.audit_s)} names it: noticed within "
        f"{span_text(seen.after_s)}.",
    ]


def tier_sentence(one: Detection) -> str:
    """Why a tier fires when it does, or does not."""
    factor = exact(one.factor, digits=3)
    match one.verdict:
        case Verdict.FIRES:
            return f"after {span_text(one.after_s)}"
        case Verdict.NEVER:
            return f"never: burns slower than {factor}"
        case Verdict.ON_THE_LINE:
            return f"never: exactly {factor}, and only more than that fires"
        case Verdict.TOO_FEW:
            return "never: too few events in its window"


def words(seconds: Fraction | int | None) -> str:
    """As `span_text`, with days in full."""
    text = span_text(seconds)
    return f"{text}ays" if text.endswith(" d") else text


def document(found: Explanation) -> dict[str, Any]:
    """The explanation as JSON. Shares are texts: no reader shall make floats of them."""
    seen = found.integrity
    return {
        "sentence": sentence(found),
        "target": exact(found.target),
        "dropRate": exact(found.rate),
        "perSecond": exact(found.per_s),
        "periodS": found.period_s,
        "burnRate": exact(found.burn),
        "eventsMin": found.guard.events_min,
        "badMin": found.guard.bad_min,
        "tiers": [
            {
                "severity": one.tier.severity,
                "longS": one.tier.long_s,
                "shortS": one.tier.short_s,
                "budgetShare": exact(one.tier.share),
                "factor": exact(one.factor),
                "verdict": one.verdict,
                "afterS": _seconds(one.after_s),
            }
            for one in found.detections
        ],
        "exhaustedAfterS": _seconds(found.exhausted_after_s),
        "integrity": None
        if seen is None
        else {
            "expectedS": _seconds(seen.expected_s),
            "likelyS": _seconds(seen.likely_s),
            "auditS": seen.audit_s,
            "afterS": _seconds(seen.after_s),
        },
    }


def _seconds(value: Fraction | None) -> float | None:
    return None if value is None else round(float(value), 3)


# --- The page ---


def page_tables() -> str:
    """The two tables of docs/explanation/detection.md, computed."""
    return "\n".join([*_burn_table(), "", *_integrity_table()])


def _burn_table() -> list[str]:
    heads = [
        "drops",
        "target",
        "burn rate",
        *(f"{_traffic(one)}" for one in TRAFFIC),
        "budget gone",
    ]
    lines = [_row(heads), _row(["---"] * len(heads))]
    for rate in RATES:
        for target in TARGETS:
            found = [explain(target=target, rate=rate, per_s=per_s) for per_s in TRAFFIC]
            lines.append(
                _row(
                    [
                        percent(rate),
                        percent(target),
                        exact(found[0].burn, digits=2),
                        *map(_noticed, found),
                        words(found[0].exhausted_after_s)
                        if found[0].exhausted_after_s is not None
                        else "lasts",
                    ]
                )
            )
    return lines


def _noticed(found: Explanation) -> str:
    first = min(
        (one for one in found.detections if one.after_s is not None),
        key=lambda one: one.after_s or 0,
        default=None,
    )
    if first is None:
        return "never"
    text = f"{first.tier.severity} {span_text(first.after_s)}"
    return f"**{text}**" if first.tier.severity is Severity.PAGE else text


def _integrity_table() -> list[str]:
    heads = ["drops", *(_traffic(one) for one in TRAFFIC)]
    lines = [_row(heads), _row(["---"] * len(heads))]
    for rate in RATES:
        cells = []
        for per_s in TRAFFIC:
            seen = integrity_detection(rate=rate, per_s=per_s)
            assert seen is not None
            cells.append(span_text(seen.after_s))
        lines.append(_row([percent(rate), *cells]))
    return lines


def _traffic(per_s: Decimal) -> str:
    return f"{exact(per_s)}/s"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
