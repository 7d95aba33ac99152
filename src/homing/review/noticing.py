"""Which alert would have noticed an incident, and when: its rate against a target. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from homing.insight.burn import DAY_S, explain, parse_target
from homing.insight.detection import document
from homing.review.facts import moment, plain
from homing.review.incident import Incident


def explained(incident: Incident) -> tuple[str, Mapping[str, Any]] | None:
    """The command of `homing slo explain` that says it, and what it says; None: nothing to say.

    The rate is the one while drops went on; traffic is the log's.
    """
    found = incident.results.get("investigate")
    if found is None:
        return None
    rate, per_s = rate_and_traffic(found.values)
    if rate <= 0 or per_s <= 0:
        return None
    try:
        target = parse_target(incident.objective)
    except ValueError:
        return None
    rate_text, traffic = plain(rate * 100, 4), plain(per_s, 4)
    said = explain(
        target=target,
        rate=Decimal(rate_text) / 100,
        per_s=Decimal(traffic),
        period_s=incident.period_days * DAY_S,
    )
    command = (
        f"homing slo explain --target {incident.objective.removesuffix('%')}"
        f" --drop-rate {rate_text}% --traffic {traffic}/s --json"
    )
    return command, document(said)


def rate_and_traffic(values: Mapping[str, Any]) -> tuple[float, float]:
    """Share dropped while it went on, and deliveries a second; zeros where that is not known."""
    since = values.get("since") or {}
    rate = values.get("rate", {}).get("value", 0.0)
    if since.get("is_change") and since.get("rate_after"):
        rate = since["rate_after"]
    log = values.get("log") or {}
    if not log.get("from") or not log.get("to"):
        return rate, 0.0
    span_s = (moment(log["to"]) - moment(log["from"])).total_seconds()
    return rate, values.get("accepted", 0) / span_s if span_s > 0 else 0.0
