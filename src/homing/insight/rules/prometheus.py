"""Objectives as Prometheus rules: counts over counts, thresholds digit for digit.

Recorded are events and bad events of each window, so that every window weighs its events alike; an
average of ratios would let a quiet night weigh as much as a busy noon. The counters are there from
the start with value 0, so the first bad event has a rate; what must never happen at all is a gauge.

Source: Prometheus, "Defining recording rules" and "Alerting rules".
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final, NamedTuple

from homing.core.objectives import Objective, Sli
from homing.insight.burn import Tier, budget, parse_target, tiers_for
from homing.insight.figures import exact, percent
from homing.insight.objectives import target_text
from homing.insight.openslo.document import write_yaml
from homing.insight.period import Period, parse_period
from homing.insight.rules.queries import bad_selector, good_selector

#: more digits than a threshold that ends has
_DIGITS: Final = 24


class Alert(NamedTuple):
    """One alerting rule of a tier."""

    objective: Objective
    tier: Tier
    name: str
    threshold: Fraction  #: share of bad events above which it burns too fast


class RuleFile(NamedTuple):
    """A file to be written."""

    name: str
    text: str


def can_be_ruled(objective: Objective) -> bool:
    """Whether /metrics shows what it is about: the series are of the whole service."""
    return objective.app_id is None


def alerts_of(objective: Objective) -> list[Alert]:
    """The tiers that can fire: of a low target the fastest burn more than everything."""
    if objective.sli is Sli.INTEGRITY:
        return []
    period_s = _period_s(parse_period(objective.period))
    share = budget(parse_target(objective.target))
    return [
        Alert(objective, tier, _alert_name(tier), threshold)
        for tier in tiers_for(period_s)
        if (threshold := tier.factor(period_s) * share) < 1
    ]


def _period_s(period: Period) -> int:
    """Of a calendar period the longest: its factors fire no sooner than they should."""
    return period.length_d[1] * 86_400


def _alert_name(tier: Tier) -> str:
    return f"HomingBudgetBurn{str(tier.severity).capitalize()}{window_text(tier.long_s)}"


def window_text(seconds: int) -> str:
    """A length of time as Prometheus writes it: 5m, 1h, 3d."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def threshold_text(threshold: Fraction, alert_factor: Fraction, share: Fraction) -> str:
    """A threshold as PromQL: digit for digit, or as a product of which each part is exact."""
    if _ends(threshold):
        return exact(threshold, digits=_DIGITS)
    factor = f"{alert_factor.numerator} / {alert_factor.denominator}"
    return f"({factor} * {exact(share, digits=_DIGITS)})"


def _ends(number: Fraction) -> bool:
    rest = number.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    return rest == 1


def rule_files(objectives: Sequence[Objective], *, every: str = "30s") -> list[RuleFile]:
    """A file for each objective, by name; those of one application have none."""
    return [
        RuleFile(f"homing-slo-{one.id}.rules.yml", write_yaml([rules_of(one, every=every)]))
        for one in sorted(objectives, key=lambda one: one.id)
        if can_be_ruled(one)
    ]


def rules_of(objective: Objective, *, every: str = "30s") -> dict[str, Any]:
    """The rules of one objective as a document.

    Args:
        every: how often Prometheus computes them.
    """
    rules = (
        _integrity_rules(objective)
        if objective.sli is Sli.INTEGRITY
        else [*_records(objective), *_budget_records(objective), *_burn_rules(objective)]
    )
    group = {"name": f"homing-slo-{objective.id}", "interval": every, "rules": rules}
    return {"groups": [group]}


# --- Recording ---


def _records(objective: Objective) -> list[dict[str, Any]]:
    windows = sorted({w for a in alerts_of(objective) for w in (a.tier.long_s, a.tier.short_s)})
    found = []
    for window in map(window_text, windows):
        bad = f"sum(increase({bad_selector(objective, window)}))"
        good = f"sum(increase({good_selector(objective, window)}))"
        found += [
            _record(f"homing_slo:bad_events:increase{window}", bad, objective),
            _record(f"homing_slo:events:increase{window}", f"{good} + {bad}", objective),
        ]
    return found


def _budget_records(objective: Objective) -> list[dict[str, Any]]:
    """What is left of a rolling budget. Prometheus knows no months, so of those there is none."""
    period = parse_period(objective.period)
    share = budget(parse_target(objective.target))
    found = [_record("homing_slo:target:ratio", f"vector({_digits(1 - share)})", objective)]
    if period.days is not None:
        window = f"{period.days}d"
        bad = f"sum(increase({bad_selector(objective, window)}))"
        good = f"sum(increase({good_selector(objective, window)}))"
        left = f"1 - {bad} / (({good} + {bad}) * {_digits(share)} > 0)"
        found.append(_record("homing_slo:budget_left:ratio", left, objective))
    return found


def _record(name: str, expression: str, objective: Objective) -> dict[str, Any]:
    return {"record": name, "expr": expression, "labels": {"slo": objective.id}}


def _digits(share: Fraction | Decimal) -> str:
    return exact(share, digits=_DIGITS)


# --- Alerting ---


def _burn_rules(objective: Objective) -> list[dict[str, Any]]:
    return [
        {
            "alert": alert.name,
            "expr": _burn_expression(alert),
            "labels": labels_of(alert),
            "annotations": annotations_of(alert),
        }
        for alert in alerts_of(objective)
    ]


def _burn_expression(alert: Alert) -> str:
    """Both windows, compared as counts: nothing is divided, and no traffic is no alert."""
    objective, tier = alert.objective, alert.tier
    share = budget(parse_target(objective.target))
    factor = alert.threshold / share
    threshold = threshold_text(alert.threshold, factor, share)
    own = f'{{slo="{objective.id}"}}'
    long, short = window_text(tier.long_s), window_text(tier.short_s)
    parts = [
        f"homing_slo:bad_events:increase{window}{own} > "
        f"{threshold} * homing_slo:events:increase{window}{own}"
        for window in (long, short)
    ]
    if objective.events_min:
        parts.append(f"homing_slo:events:increase{long}{own} >= {objective.events_min}")
    if objective.bad_min:
        parts.append(f"homing_slo:bad_events:increase{long}{own} >= {objective.bad_min}")
    return "\nand\n".join(parts)


def labels_of(alert: Alert) -> dict[str, str]:
    """What an alert of a tier is labelled with."""
    labels = {
        "slo": alert.objective.id,
        "severity": str(alert.tier.severity),
        "long": window_text(alert.tier.long_s),
        "short": window_text(alert.tier.short_s),
    }
    return labels | ({"team": alert.objective.team} if alert.objective.team else {})


def annotations_of(alert: Alert) -> dict[str, str]:
    """What it tells people. No values in it: a unit test has to know the words."""
    objective, tier = alert.objective, alert.tier
    factor = alert.threshold / budget(parse_target(objective.target))
    long, short = window_text(tier.long_s), window_text(tier.short_s)
    return {
        "summary": f"The budget of {objective.id} ({target_text(objective)}) is burning fast",
        "description": f"More than {exact(factor, digits=3)} times as fast as the budget lasts, "
        f"over {long} and over {short}: in {long}, {percent(tier.share)} of it is spent. "
        f"Look closer: homing slo report {objective.id}",
    }


UNACCOUNTED: Final = "HomingDeliveriesUnaccounted"
AUDIT_MISSED: Final = "HomingAuditMissed"
#: five audits at the default of one a minute
AUDIT_LATE_S: Final = 300


def _integrity_rules(objective: Objective) -> list[dict[str, Any]]:
    return [
        {
            "alert": UNACCOUNTED,
            "expr": "max(homing_unaccounted) > 0",
            "labels": integrity_labels(objective),
            "annotations": UNACCOUNTED_SAYS,
        },
        {
            "alert": AUDIT_MISSED,
            "expr": f"time() - max(homing_audit_timestamp_seconds) > {AUDIT_LATE_S}\n"
            "or\nabsent(homing_audit_timestamp_seconds)",
            "for": "1m",
            "labels": integrity_labels(objective),
            "annotations": AUDIT_MISSED_SAYS,
        },
    ]


def integrity_labels(objective: Objective) -> dict[str, str]:
    """What the alerts of the integrity objective are labelled with."""
    labels = {"slo": objective.id, "severity": "page"}
    return labels | ({"team": objective.team} if objective.team else {})


UNACCOUNTED_SAYS: Final = {
    "summary": "Deliveries are unaccounted for",
    "description": "An audit found accepted deliveries that no column of the books has. "
    "homing audit names them",
}
AUDIT_MISSED_SAYS: Final = {
    "summary": "Nobody audits the books",
    "description": "There was no audit for five minutes, so a drop would not be seen. "
    "Is homing serve running?",
}
