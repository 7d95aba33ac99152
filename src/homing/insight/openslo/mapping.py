"""Homing's objectives as OpenSLO documents, and back.

What the format cannot say is carried in annotations with the prefix `homing.webhooks/`:

| annotation | on | says |
|---|---|---|
| `sli` | SLO | which of Homing's indicators it is |
| `owners` | SLO | whose bad events count |
| `target` | SLO | "0" of integrity, which promises a count: a target is below 1 in this format |
| `period` | SLO | the period as Homing writes it |
| `events-min`, `bad-min` | SLO | how many events a window must have before a tier may fire |
| `application` | SLO | the one application it is about |
| `team` | SLO | who answers for it |
| `short-window` | AlertCondition | the second window: a condition has one |
| `budget-share` | AlertCondition | the share of the budget that the factor is computed from |
| `factor` | AlertCondition | the factor as a fraction, where its digits do not end |

Anybody else's annotations, and labels, are kept as they are.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from homing.core.objectives import Limits, Objective, Owner, Sli
from homing.insight.burn import Tier, parse_target, tiers_for
from homing.insight.figures import exact
from homing.insight.objectives import good_means, mistakes_of
from homing.insight.openslo.bundle import Bundle, Document
from homing.insight.openslo.document import Node, Problem
from homing.insight.openslo.schema import API_VERSION
from homing.insight.openslo.shape import Place
from homing.insight.period import Period, Unit, parse_period
from homing.insight.rules.queries import bad_selector, total_selector

PREFIX: Final = "homing.webhooks/"
SERVICE: Final = "webhook-delivery"
DATA_SOURCE: Final = "homing-prometheus"
TARGET: Final = "on-call"
#: the closest that a target below 1 comes to "none"
_NEARLY_ALL: Final = Decimal("0.99999")

#: a day of the calendar that begins each kind of stretch
_STARTS: Final = {
    Unit.WEEK: ("1w", "2024-01-01 00:00:00"),  # a Monday
    Unit.MONTH: ("1M", "2024-01-01 00:00:00"),
    Unit.QUARTER: ("1Q", "2024-01-01 00:00:00"),
    Unit.YEAR: ("1Y", "2024-01-01 00:00:00"),
}
_UNITS: Final = {duration: unit for unit, (duration, _) in _STARTS.items()}


# --- Out ---


def documents_of(
    objectives: Sequence[Objective], limits: Limits, *, prometheus_url: str
) -> list[dict[str, Any]]:
    """All that describes these objectives: the service, its data source, SLOs and their alerts."""
    documents = [
        _document("Service", SERVICE, {"description": "Webhook delivery by Homing."}),
        _document(
            "DataSource",
            DATA_SOURCE,
            {"type": "Prometheus", "connectionDetails": {"url": prometheus_url}},
        ),
        _document("AlertNotificationTarget", TARGET, {"target": "alertmanager"}),
    ]
    conditions: dict[str, dict[str, Any]] = {}
    for objective in objectives:
        tiers = [] if objective.sli is Sli.INTEGRITY else _tiers(objective)
        for name, condition in (_condition(objective, tier) for tier in tiers):
            conditions[name] = condition
        documents += _policies(objective, tiers)
        documents.append(_slo(objective, limits, tiers))
    return [*documents[:3], *conditions.values(), *documents[3:]]


def _document(
    kind: str,
    name: str,
    spec: dict[str, Any],
    *,
    annotations: dict[str, str] | None = None,
    labels: dict[str, Any] | None = None,
    display: str = "",
) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name}
    if display:
        metadata["displayName"] = display
    if labels:
        metadata["labels"] = labels
    if annotations:
        metadata["annotations"] = annotations
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec}


def _tiers(objective: Objective) -> list[Tier]:
    return list(tiers_for(_period_s(parse_period(objective.period))))


def _period_s(period: Period) -> int:
    """Of a calendar period the longest: a factor for it fires no sooner than it should."""
    return period.length_d[1] * 86_400


def _tier_name(tier: Tier) -> str:
    return f"{tier.severity}-{_duration(tier.long_s)}-{_duration(tier.short_s)}"


def _duration(seconds: int) -> str:
    """In the format's shorthand."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds % size == 0:
            return f"{seconds // size}{unit}"
    raise ValueError(f"expected whole minutes, found {seconds} s")


def _condition(objective: Objective, tier: Tier) -> tuple[str, dict[str, Any]]:
    period = parse_period(objective.period)
    words = re.sub("[^a-z0-9]+", "-", str(period).lower())
    name = f"burn-{words}-{_tier_name(tier)}"[:63]
    factor = tier.factor(_period_s(period))
    annotations = {
        f"{PREFIX}short-window": _duration(tier.short_s),
        f"{PREFIX}budget-share": exact(tier.share),
    }
    if exact(factor) != exact(factor, digits=20):
        annotations[f"{PREFIX}factor"] = f"{factor.numerator}/{factor.denominator}"
    spec = {
        "severity": str(tier.severity),
        "condition": {
            "kind": "burnrate",
            "op": "gt",
            "threshold": Decimal(exact(factor)),
            "lookbackWindow": _duration(tier.long_s),
        },
    }
    return name, _document("AlertCondition", name, spec, annotations=annotations)


def _policies(objective: Objective, tiers: Sequence[Tier]) -> list[dict[str, Any]]:
    """One for each tier: a policy has one condition."""
    return [
        _document(
            "AlertPolicy",
            _policy_name(objective, tier),
            {
                "alertWhenNoData": False,
                "alertWhenResolved": True,
                "alertWhenBreaching": True,
                "conditions": [{"conditionRef": _condition(objective, tier)[0]}],
                "notificationTargets": [{"targetRef": TARGET}],
            },
        )
        for tier in tiers
    ]


def _policy_name(objective: Objective, tier: Tier) -> str:
    suffix = f"-{_tier_name(tier)}"
    return f"{objective.id[: 63 - len(suffix)].rstrip('-')}{suffix}"


def _slo(objective: Objective, limits: Limits, tiers: Sequence[Tier]) -> dict[str, Any]:
    is_count = objective.sli is Sli.INTEGRITY
    annotations = dict(objective.annotations)
    annotations |= {
        f"{PREFIX}sli": str(objective.sli),
        f"{PREFIX}owners": ",".join(objective.owners),
        f"{PREFIX}period": objective.period,
        f"{PREFIX}events-min": str(objective.events_min),
        f"{PREFIX}bad-min": str(objective.bad_min),
    }
    if is_count:
        annotations[f"{PREFIX}target"] = objective.target
    if objective.app_id is not None:
        annotations[f"{PREFIX}application"] = objective.app_id
    if objective.team:
        annotations[f"{PREFIX}team"] = objective.team
    goal: dict[str, Any] = {"displayName": good_means(objective.sli, limits)}
    if is_count:
        goal |= {"op": "lte", "value": Decimal(0), "target": _NEARLY_ALL}
    else:
        goal["target"] = parse_target(objective.target)
    spec: dict[str, Any] = {}
    if objective.description:
        spec["description"] = objective.description
    spec |= {
        "service": SERVICE,
        "indicator": {
            "metadata": {"name": objective.sli.replace("_", "-")},
            "spec": _indicator(objective),
        },
        "timeWindow": [_window(parse_period(objective.period))],
        "budgetingMethod": "Occurrences",
        "objectives": [goal],
    }
    if tiers:
        spec["alertPolicies"] = [_policy_name(objective, tier) for tier in tiers]
    labels = {
        name: values[0] if len(values) == 1 else list(values)
        for name, values in objective.labels.items()
    }
    return _document("SLO", objective.id, spec, annotations=annotations, labels=labels)


def _indicator(objective: Objective) -> dict[str, Any]:
    if objective.sli is Sli.INTEGRITY:
        return {"thresholdMetric": _metric("max(homing_unaccounted)")}
    return {
        "ratioMetric": {
            "counter": True,
            "bad": _metric(f"sum({bad_selector(objective)})"),
            "total": _metric(total_selector(objective)),
        }
    }


def _metric(query: str) -> dict[str, Any]:
    return {"metricSource": {"metricSourceRef": DATA_SOURCE, "spec": {"query": query}}}


def _window(period: Period) -> dict[str, Any]:
    if period.unit is None:
        return {"duration": f"{period.days}d", "isRolling": True}
    duration, start = _STARTS[period.unit]
    return {"duration": duration, "calendar": {"startTime": start, "timeZone": period.zone}}


# --- In ---


def objectives_of(
    bundle: Bundle, *, scope: str, at_us: int
) -> tuple[list[Objective], list[Problem]]:
    """The objectives that a bundle describes, and what of it Homing cannot keep."""
    found: list[Objective] = []
    problems: list[Problem] = []
    for document in bundle.of("SLO"):
        reader = _SloReader(document)
        objective = reader.read(scope, at_us)
        problems += reader.problems
        if objective is not None and not reader.problems:
            found.append(objective)
    problems.sort(key=lambda one: (one.file, one.line))
    return found, problems


class _SloReader:
    def __init__(self, document: Document) -> None:
        self._document = document
        self._place = Place(document.file, "")
        self._spec: dict[str, Node] = document.spec.value
        self.problems: list[Problem] = []

    def read(self, scope: str, at_us: int) -> Objective | None:
        spec, metadata = self._spec, self._document.root.value["metadata"]
        annotations = _texts(metadata.value.get("annotations"))
        own = {
            name.removeprefix(PREFIX): value
            for name, value in annotations.items()
            if name.startswith(PREFIX)
        }
        if spec["budgetingMethod"].value != "Occurrences":
            text = "expected Occurrences: Homing counts events, not slices of time"
            self._complain(spec["budgetingMethod"], "spec.budgetingMethod", text)
        if len(spec["objectives"].value) != 1 or "indicator" in spec["objectives"].value[0].value:
            text = "expected one objective with the SLO's own indicator: composites are not kept"
            self._complain(spec["objectives"], "spec.objectives", text)
            return None
        sli = self._sli(own, metadata)
        period = self._period(own, spec["timeWindow"].value[0])
        if sli is None or period is None:
            return None
        goal = spec["objectives"].value[0]
        objective = Objective(
            scope=scope,
            id=self._document.name,
            created_at_us=at_us,
            updated_at_us=at_us,
            sli=sli,
            target=self._target(sli, own, goal),
            period=str(period),
            description=spec["description"].value if "description" in spec else "",
            team=own.get("team", ""),
            app_id=own.get("application"),
            owners=self._owners(own, metadata),
            events_min=self._whole(own, "events-min", 50, metadata),
            bad_min=self._whole(own, "bad-min", 3, metadata),
            labels=_labels(metadata.value.get("labels")),
            annotations={
                name: value for name, value in annotations.items() if not name.startswith(PREFIX)
            },
        )
        for mistake in mistakes_of(objective):
            self._complain(goal, f"spec.{mistake.field}", mistake.text)
        return objective

    def _complain(self, node: Node, path: str, text: str) -> None:
        self.problems.append(Problem(self._document.file, node.line, path, text))

    def _sli(self, own: dict[str, str], metadata: Node) -> Sli | None:
        try:
            return Sli(own.get("sli", ""))
        except ValueError:
            words = ", ".join(Sli)
            text = f"expected the annotation {PREFIX}sli to be one of {words}"
            found = f", found {own['sli']!r}" if "sli" in own else ", which is missing"
            self._complain(metadata, "metadata.annotations", text + found)
            return None

    def _owners(self, own: dict[str, str], metadata: Node) -> tuple[Owner, ...]:
        if "owners" not in own:
            return (Owner.PLATFORM, Owner.UNATTRIBUTED)
        try:
            return tuple(Owner(one) for one in own["owners"].split(",") if one)
        except ValueError:
            text = f"expected {PREFIX}owners to be of {', '.join(Owner)}, found {own['owners']!r}"
            self._complain(metadata, "metadata.annotations", text)
            return (Owner.PLATFORM,)

    def _whole(self, own: dict[str, str], name: str, default: int, metadata: Node) -> int:
        text = own.get(name, str(default))
        if not (text.isascii() and text.isdigit() and len(text) <= 9):
            complaint = f"expected {PREFIX}{name} to be a whole number, found {text!r}"
            self._complain(metadata, "metadata.annotations", complaint)
            return default
        return int(text)

    def _target(self, sli: Sli, own: dict[str, str], goal: Node) -> str:
        if sli is Sli.INTEGRITY:
            return own.get("target", "0")
        given = goal.value
        if "target" in given:
            return exact(given["target"].value, digits=20)
        return exact(given["targetPercent"].value / 100, digits=20)

    def _period(self, own: dict[str, str], window: Node) -> Period | None:
        period = self._window_period(window)
        kept = own.get("period")
        if period is not None and kept is not None and kept != str(period):
            text = f"expected the window that {PREFIX}period says, {kept}, found {period}"
            self._complain(window, "spec.timeWindow", text)
        return period

    def _window_period(self, window: Node) -> Period | None:
        given = window.value
        duration = given["duration"].value
        try:
            if "calendar" not in given:
                return parse_period(duration)
            unit = _UNITS.get(duration)
            if unit is None:
                raise ValueError(f"expected 1w, 1M, 1Q or 1Y by the calendar, found {duration}")
            calendar = given["calendar"].value
            start = calendar["startTime"].value
            if not _begins(unit, start):
                raise ValueError(f"expected a start where a {unit} begins, found {start}")
            return Period(unit=unit, zone=calendar["timeZone"].value)
        except ValueError as error:
            self._complain(given["duration"], "spec.timeWindow[0].duration", str(error))
            return None


def _begins(unit: Unit, start: str) -> bool:
    """Whether a stretch of the calendar begins then."""
    period = Period(unit=unit)
    try:
        at_us = _utc_us(start)
    except ValueError:
        return False
    return period.start_us(at_us) == at_us


def _utc_us(text: str) -> int:
    at = datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    return int(at.timestamp()) * 1_000_000


def _texts(node: Node | None) -> dict[str, str]:
    return {} if node is None else {name: one.value for name, one in node.value.items()}


def _labels(node: Node | None) -> dict[str, tuple[str, ...]]:
    if node is None:
        return {}
    return {
        name: (one.value,)
        if isinstance(one.value, str)
        else tuple(value.value for value in one.value)
        for name, one in node.value.items()
    }
