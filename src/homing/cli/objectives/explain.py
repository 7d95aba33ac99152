"""`homing slo explain`: when a steady drop would be noticed, and by what."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import click
from rich.text import Text

from homing.cli.objectives.options import (
    period_option,
    rate_option,
    target_option,
    traffic_option,
)
from homing.cli.output import as_json, print_json, print_table, say, say_prose
from homing.insight.burn import Explanation, Guard, Severity
from homing.insight.burn import explain as explain_drop
from homing.insight.detection import document, integrity_sentences, sentence, tier_sentence, words
from homing.insight.figures import exact, percent, span_text
from homing.insight.period import Period
from homing.system import SystemClock

#: what still counts as minutes
_MINUTES_S: Final = 3_600


@click.command()
@target_option(required=True, help="What is promised, such as 99.9 or 99.95%.")
@rate_option("--drop-rate", required=True, help="What goes wrong, such as 0.3%.")
@traffic_option(default="10/s", show_default=True, help="Deliveries: 10/s, 600/min, 50/h, 1000/d.")
@period_option(
    default="30d",
    show_default=True,
    help="What the budget is for: 30d, 28d, 7d, or week, month, quarter, year by the calendar.",
)
@click.option(
    "--events-min",
    type=click.IntRange(0),
    default=Guard().events_min,
    show_default=True,
    help="Fewer events in a window alert nobody.",
)
@click.option(
    "--bad-min",
    type=click.IntRange(0),
    default=Guard().bad_min,
    show_default=True,
    help="Fewer bad events in a window alert nobody.",
)
@click.option(
    "--audit-s",
    type=click.IntRange(1, 86_400),
    default=60,
    show_default=True,
    help="How often the books are audited, as HOMING_AUDIT_EVERY_S.",
)
@as_json
def explain(
    target: Decimal,
    drop_rate: Decimal,
    traffic: Decimal,
    period: Period,
    events_min: int,
    bad_min: int,
    audit_s: int,
    as_json: bool,
) -> None:
    """Say when a steady drop would be noticed under a target, and what would notice it in minutes.

    \b
    The tiers are those of the usual multi-window burn-rate alerts. The drop begins after a clean
    time and stays constant.

    \b
    Examples:
      homing slo explain --target 99.9 --drop-rate 0.3%
      homing slo explain --target 99.95 --drop-rate 0.3% --traffic 50/h --period 28d
      homing slo explain --target 99.99 --drop-rate 0.3% --json | jq .sentence
    """
    found = explain_drop(
        target=target,
        rate=drop_rate,
        period_s=period.length_s(SystemClock().now_us()),
        per_s=traffic,
        guard=Guard(events_min=events_min, bad_min=bad_min),
        audit_s=audit_s,
    )
    if as_json:
        print_json(document(found))
    else:
        _show(found)


def _show(found: Explanation) -> None:
    pages = found.first(Severity.PAGE) is not None
    say_prose(Text(sentence(found), style="bold" if pages else "bold yellow"))
    say()
    gone = found.exhausted_after_s
    say_prose(
        f"burn rate {exact(found.burn, digits=3)} = {percent(found.rate)} / "
        f"(100% - {percent(found.target)}); a budget of {words(found.period_s)} "
        + ("outlives it" if gone is None else f"is gone in {words(gone)}")
    )
    say()
    print_table(
        ("tier", "windows", "of the budget#", "fires above#", "when"),
        [
            (
                str(one.tier.severity),
                f"{span_text(one.tier.long_s)} and {span_text(one.tier.short_s)}",
                percent(one.tier.share),
                exact(one.factor, digits=3),
                Text(tier_sentence(one), style="green" if one.after_s is not None else "yellow"),
            )
            for one in found.detections
        ],
    )
    say()
    soon = found.integrity is not None and found.integrity.after_s < _MINUTES_S
    say(Text("What would notice it " + ("in minutes" if soon else "sooner"), style="bold"))
    say_prose(" ".join(integrity_sentences(found)))
