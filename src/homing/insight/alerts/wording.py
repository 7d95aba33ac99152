"""How an alert is said: numbers, times, and the text that people get. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from homing.insight.alerts.alert import Finding, Severity, Status, Told
from homing.insight.rates import Rate

_UNITS: Final = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
#: alerts that one message describes in full; what is beyond them is named
FULL_MAX: Final = 10


def clock_text(at_us: int) -> str:
    """An instant, ISO 8601 UTC, to the second."""
    return datetime.fromtimestamp(at_us / 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def span_text(seconds: float) -> str:
    """A length of time in its largest unit that fits twice, such as "90 min" or "3 d"."""
    for unit, size in _UNITS:
        if seconds >= 2 * size or unit == "s":
            return f"{round(seconds / size)} {unit}"
    raise AssertionError


def percent_text(share: float) -> str:
    """A share with two digits that mean something: 0.0020%, 0.29%, 5.0%, 31%; 100% is all of it.

    Args:
        share: 0 to 1.
    """
    percent = float(share * 100)
    if 99 < percent < 100:
        return f"{percent:.{-math.floor(math.log10(100 - percent))}f}%"
    if percent <= 0 or percent >= 10:
        return f"{percent:.0f}%"
    return f"{percent:.{1 - math.floor(math.log10(percent))}f}%"


def rate_text(rate: Rate) -> str:
    """A share with its interval."""
    return (
        f"{percent_text(rate.value)} (exact {rate.confidence:.0%} interval "
        f"{percent_text(rate.low)} to {percent_text(rate.high)})"
    )


def money_text(money: Mapping[str, str]) -> str:
    """Amounts, each with its currency."""
    return ", ".join(
        f"{Decimal(amount):,f} {currency}" for currency, amount in sorted(money.items())
    )


def whose(told: Told) -> str:
    """Who has to mend it, and whose traffic it is."""
    finding = told.finding
    parts = [f"the {finding.owner}'s to mend"]
    if finding.app_id:
        parts.append(f"application {finding.app_id}")
    if finding.endpoint_id:
        parts.append(f"endpoint {finding.endpoint_id}")
    elif finding.org_id:
        parts.append(f"organisation {finding.org_id}")
    return ", ".join(parts)


def title(alerts: Sequence[Told]) -> str:
    """One line for all of them."""
    first = alerts[0]
    word = "resolved" if first.status is Status.RESOLVED else str(first.finding.severity)
    if first.is_test:
        return f"[Homing] TEST: {_short(first)}"
    more = f" (and {len(alerts) - 1} more)" if len(alerts) > 1 else ""
    return f"[Homing] {word}: {_short(first)}{more}"


def _short(told: Told) -> str:
    text = told.finding.what
    return text if len(text) <= 140 else text[:137].rstrip() + "…"


def body(alerts: Sequence[Told]) -> str:
    """The whole text; plain, a fact on each line."""
    parts = [_paragraph(one) for one in alerts[:FULL_MAX]]
    rest = alerts[FULL_MAX:]
    if rest:
        parts.append(f"And {len(rest)} more; `homing alerts list` shows all.")
    return "\n\n".join(parts)


def _paragraph(told: Told) -> str:
    finding = told.finding
    if told.is_test:
        return f"{_headline(told)}\nsent: {_since(told)}\nlook closer: {finding.command}"
    lines = [_headline(told)]
    lines.append(f"since: {_since(told)}")
    if told.resolved_at_us is not None:
        lines.append(f"resolved: {clock_text(told.resolved_at_us)}")
    lines.append(f"how many: {_how_many(told)}")
    lines.append(f"whose: {whose(told)}")
    lines.append(f"money: {_how_much(finding)}")
    if finding.examples:
        lines.append("first examples: " + ", ".join(finding.examples))
    lines.append(f"look closer: {finding.command}")
    lines.append(f"alert: homing alerts show {told.alert_id}")
    return "\n".join(lines)


def _how_much(finding: Finding) -> str:
    if not finding.money:
        return "not declared"
    part = f", of the first {finding.money_of:,}" if finding.money_of else ""
    return money_text(finding.money) + part


def _headline(told: Told) -> str:
    sign = {Severity.PAGE: "PAGE", Severity.TICKET: "TICKET"}[told.finding.severity]
    if told.is_test:
        return f"TEST, nothing is the matter. {told.finding.what}"
    if told.status is Status.RESOLVED:
        return f"RESOLVED {told.finding.what}"
    return f"{sign}{' (still)' if told.is_reminder else ''} {told.finding.what}"


def _since(told: Told) -> str:
    finding = told.finding
    text = clock_text(finding.since_us)
    if finding.since_low_us is not None and finding.since_high_us is not None:
        low, high = clock_text(finding.since_low_us), clock_text(finding.since_high_us)
        text += f" (95%: {low} to {high})"
    return text


def _how_many(told: Told) -> str:
    finding = told.finding
    if finding.of is not None and finding.rate is not None:
        return f"{finding.count:,} of {finding.of:,}, {rate_text(finding.rate)}"
    return f"{finding.count:,}" if finding.count else "not a matter of counting"


def document(told: Told) -> dict[str, Any]:
    """The same for machines: what operational webhooks and the API say of an alert."""
    finding, rate = told.finding, told.finding.rate
    return {
        "alertId": told.alert_id,
        "kind": str(finding.kind),
        "status": str(told.status),
        "severity": str(finding.severity),
        "owner": str(finding.owner),
        "orgId": finding.org_id or None,
        "appId": finding.app_id,
        "endpointId": finding.endpoint_id,
        "name": finding.name or None,
        "what": finding.what,
        "since": clock_text(finding.since_us),
        "sinceLow": None if finding.since_low_us is None else clock_text(finding.since_low_us),
        "sinceHigh": None if finding.since_high_us is None else clock_text(finding.since_high_us),
        "firedAt": clock_text(told.fired_at_us),
        "resolvedAt": None if told.resolved_at_us is None else clock_text(told.resolved_at_us),
        "count": finding.count,
        "of": finding.of,
        "rate": None
        if rate is None
        else {
            "value": rate.value,
            "low": rate.low,
            "high": rate.high,
            "confidence": rate.confidence,
        },
        "money": dict(finding.money),
        "examples": list(finding.examples),
        "command": finding.command,
    }
