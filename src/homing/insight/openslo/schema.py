"""The seven kinds of OpenSLO v1, and what the specification says of each.

Where the specification leaves something open, the comment says how it is read here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

from homing.insight.openslo.document import Node, Problem, Source
from homing.insight.openslo.shape import (
    Anything,
    Either,
    Flag,
    ListOf,
    MapOf,
    Number,
    Object,
    OneOf,
    Place,
    Text,
    exactly_one,
)
from homing.insight.period import known_zone

API_VERSION: Final = "openslo/v1"

_LABEL: Final = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_DNS: Final = re.compile(rf"{_LABEL}(\.{_LABEL})*")
NAME: Final = Text(
    63, _LABEL, "a name of at most 63 lower-case letters, digits and hyphens (RFC 1123)"
)
DESCRIPTION: Final = Text(1_050)
#: case matters: m is a minute and M a month
DURATION: Final = Text(
    20, r"[1-9][0-9]*[mhdwMQY]", "a whole number above 0 and one of m h d w M Q Y, such as 30d"
)
_OPS: Final = OneOf(("lte", "gte", "lt", "gt"))
_ANY_TEXT: Final = Text()


def _label_name(name: str) -> str | None:
    return None if 0 < len(name) <= 63 else "expected a name of 1 to 63 characters"


def _annotation_name(name: str) -> str | None:
    prefix, slash, rest = name.rpartition("/")
    if not 0 < len(rest) <= 63:
        return "expected a name of 1 to 63 characters after the prefix"
    if slash and (len(prefix) > 253 or not _DNS.fullmatch(prefix)):
        return "expected a prefix that is a DNS name of at most 253 characters"
    if prefix == "openslo.com" or prefix.endswith(".openslo.com"):
        return "expected a prefix of your own: openslo.com is reserved"
    return None


_LABELS: Final = MapOf(
    Either(
        (
            (lambda value: isinstance(value, str), _ANY_TEXT),
            (lambda value: isinstance(value, list), ListOf(_ANY_TEXT)),
        ),
        "a text or a list of texts",
    ),
    _label_name,
)
METADATA: Final = Object(
    {
        "name": NAME,
        "displayName": _ANY_TEXT,
        "labels": _LABELS,
        "annotations": MapOf(_ANY_TEXT, _annotation_name),
    },
    ("name",),
)


def _type_unless_ref(given: dict[str, Node], node: Node, place: Place) -> Iterator[Problem]:
    if "metricSourceRef" not in given and "type" not in given:
        yield place.problem(node, "expected 'type', or a 'metricSourceRef' that has one")


_METRIC: Final = Object(
    {
        "metricSource": Object(
            {"metricSourceRef": NAME, "type": _ANY_TEXT, "spec": Anything(1)},
            ("spec",),
            (_type_unless_ref,),
        )
    },
    ("metricSource",),
)


def _ratio_forms(given: dict[str, Node], node: Node, place: Place) -> Iterator[Problem]:
    counts, raw = {"good", "bad", "total"} & set(given), {"raw", "rawType"} & set(given)
    if counts and raw:
        yield place.problem(node, "expected counts (good or bad, and total) or raw, found both")
    elif raw:
        yield from _missing(given, node, place, "raw", "rawType")
    else:
        yield from _missing(given, node, place, "total")
        if ("good" in given) == ("bad" in given):
            found = "both" if "good" in given else "neither"
            yield place.problem(node, f"expected either good or bad beside total, found {found}")


def _missing(given: dict[str, Node], node: Node, place: Place, *names: str) -> Iterator[Problem]:
    for name in names:
        if name not in given:
            yield place.problem(node, f"expected {name!r}, which is missing")


SLI_SPEC: Final = Object(
    {
        "description": DESCRIPTION,
        "thresholdMetric": _METRIC,
        "ratioMetric": Object(
            {
                "counter": Flag(),
                "good": _METRIC,
                "bad": _METRIC,
                "total": _METRIC,
                "rawType": OneOf(("success", "failure")),
                "raw": _METRIC,
            },
            (),
            (_ratio_forms,),
        ),
    },
    (),
    (exactly_one("thresholdMetric", "ratioMetric"),),
)
_INLINE_SLI: Final = Object({"metadata": METADATA, "spec": SLI_SPEC}, ("metadata", "spec"))

_ZERO, _ONE, _HUNDRED = Decimal(0), Decimal(1), Decimal(100)
OBJECTIVE: Final = Object(
    {
        "displayName": _ANY_TEXT,
        "op": _OPS,
        "value": Number(),
        "target": Number(_ZERO, _ONE, high_open=True),
        "targetPercent": Number(_ZERO, _HUNDRED, high_open=True),
        "timeSliceTarget": Number(_ZERO, _ONE, low_open=True),
        # The specification lets a bare number stand for minutes.
        "timeSliceWindow": Either(
            (
                (lambda value: isinstance(value, str), DURATION),
                (lambda value: isinstance(value, Decimal), Number(_ONE)),
            ),
            "a duration, or a number of minutes",
        ),
        "indicator": _INLINE_SLI,
        "indicatorRef": NAME,
        "compositeWeight": Number(_ZERO, low_open=True),
    },
    (),
    (exactly_one("target", "targetPercent"),),
)


def _zone(given: dict[str, Node], node: Node, place: Place) -> Iterator[Problem]:
    zone = given.get("timeZone")
    if zone is not None and isinstance(zone.value, str):
        try:
            known_zone(zone.value)
        except ValueError as error:
            yield place.at("timeZone").problem(zone, str(error))


def _window(given: dict[str, Node], node: Node, place: Place) -> Iterator[Problem]:
    rolling = given.get("isRolling")
    is_rolling = rolling is not None and rolling.value is True
    if is_rolling == ("calendar" in given):
        found = "both" if is_rolling else "neither"
        yield place.problem(node, f"expected isRolling: true, or a calendar, found {found}")


TIME_WINDOW: Final = Object(
    {
        "duration": DURATION,
        "isRolling": Flag(),
        "calendar": Object(
            {
                "startTime": Text(
                    0,
                    r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}",
                    "a time without a zone such as 2026-01-01 00:00:00",
                ),
                "timeZone": _ANY_TEXT,
            },
            ("startTime", "timeZone"),
            (_zone,),
        ),
    },
    ("duration",),
    (_window,),
)


def _slo_rules(given: dict[str, Node], node: Node, place: Place) -> Iterator[Problem]:
    objectives = given.get("objectives")
    if objectives is None or not isinstance(objectives.value, list):
        return
    members = [one for one in objectives.value if isinstance(one.value, dict)]
    is_composite = any({"indicator", "indicatorRef"} & set(one.value) for one in members)
    named = [name for name in ("indicator", "indicatorRef") if name in given]
    if len(named) + is_composite != 1:
        text = "expected exactly one of indicator, indicatorRef, or an indicator in each objective"
        yield place.problem(node, text)
    method = given.get("budgetingMethod")
    for index, one in enumerate(members):
        at = place.at("objectives").at(index)
        yield from _method_rules(method.value if method else None, one, at)
        yield from _composite_rules(is_composite, one, at)
    is_threshold = _is_threshold(given)
    if is_threshold is not None:
        yield from _threshold_rules(is_threshold, members, place)


def _method_rules(method: Any, one: Node, place: Place) -> Iterator[Problem]:
    needs = {
        "Occurrences": (),
        "Timeslices": ("timeSliceTarget", "timeSliceWindow"),
        "RatioTimeslices": ("timeSliceWindow",),
    }.get(method)
    if needs is None:
        return
    yield from _missing(one.value, one, place, *needs)
    if method == "Occurrences":
        for name in ("timeSliceTarget", "timeSliceWindow"):
            if name in one.value:
                text = f"expected no {name} with budgetingMethod Occurrences"
                yield place.at(name).problem(one.value[name], text)


def _composite_rules(is_composite: bool, one: Node, place: Place) -> Iterator[Problem]:
    if is_composite:
        yield from exactly_one("indicator", "indicatorRef")(one.value, one, place)
    elif "compositeWeight" in one.value:
        text = "expected compositeWeight only where each objective has an indicator"
        yield place.at("compositeWeight").problem(one.value["compositeWeight"], text)


def _is_threshold(given: dict[str, Node]) -> bool | None:
    """Whether the indicator is a threshold; None: it stands somewhere else."""
    inline = given.get("indicator")
    if inline is None or not isinstance(inline.value, dict):
        return None
    spec = inline.value.get("spec")
    if spec is None or not isinstance(spec.value, dict):
        return None
    return "thresholdMetric" in spec.value


def threshold_rules(slo: Node, is_threshold: bool, file: str) -> Iterator[Problem]:
    """What an SLO whose indicator stands elsewhere must have, now that it is known."""
    spec = slo.value["spec"]
    objectives = spec.value.get("objectives")
    members = [one for one in objectives.value if isinstance(one.value, dict)]
    yield from _threshold_rules(is_threshold, members, Place(file, "spec"))


def _threshold_rules(is_threshold: bool, members: list[Node], place: Place) -> Iterator[Problem]:
    for index, one in enumerate(members):
        at = place.at("objectives").at(index)
        if is_threshold:
            yield from _missing(one.value, one, at, "op", "value")
        else:
            for name in ("op", "value"):
                if name in one.value:
                    text = f"expected no {name} with a ratioMetric"
                    yield at.at(name).problem(one.value[name], text)
    if is_threshold and len(members) > 1:
        text = f"expected one objective with a thresholdMetric, found {len(members)}"
        yield place.at("objectives").problem(members[1], text)


_CONDITION: Final = Object(
    {
        "description": DESCRIPTION,
        "severity": _ANY_TEXT,
        "condition": Object(
            {
                "kind": OneOf(("burnrate",)),
                # Read as: alert when `burn rate op threshold`. (The specification's own example
                # says "exceeds" beside lte.)
                "op": _OPS,
                "threshold": Number(_ZERO),
                "lookbackWindow": DURATION,
                "alertAfter": DURATION,
            },
            ("kind", "op", "threshold", "lookbackWindow"),
        ),
    },
    ("severity", "condition"),
)
_TARGET: Final = Object({"description": DESCRIPTION, "target": _ANY_TEXT}, ("target",))


def _inline_or_ref(kind: str, spec: Object, ref: str) -> Either:
    inline = Object(
        {"kind": OneOf((kind,)), "metadata": METADATA, "spec": spec}, ("kind", "metadata", "spec")
    )
    return Either(
        (
            (lambda value: isinstance(value, dict) and ref in value, Object({ref: NAME}, (ref,))),
            (lambda value: isinstance(value, dict), inline),
        ),
        f"a {kind}, or a {ref}",
    )


_POLICY: Final = Object(
    {
        "description": DESCRIPTION,
        "alertWhenNoData": Flag(),
        "alertWhenResolved": Flag(),
        "alertWhenBreaching": Flag(),
        "conditions": ListOf(_inline_or_ref("AlertCondition", _CONDITION, "conditionRef"), 1, 1),
        "notificationTargets": ListOf(
            _inline_or_ref("AlertNotificationTarget", _TARGET, "targetRef"), 1
        ),
    },
    ("conditions", "notificationTargets"),
)
_SLO: Final = Object(
    {
        "description": DESCRIPTION,
        "service": NAME,
        "indicator": _INLINE_SLI,
        "indicatorRef": NAME,
        "timeWindow": ListOf(TIME_WINDOW, 1, 1),
        "budgetingMethod": OneOf(("Occurrences", "Timeslices", "RatioTimeslices")),
        "objectives": ListOf(OBJECTIVE, 1),
        "alertPolicies": ListOf(
            Either(
                (
                    (lambda value: isinstance(value, str), NAME),
                    (
                        lambda value: isinstance(value, dict) and "alertPolicyRef" in value,
                        Object({"alertPolicyRef": NAME}, ("alertPolicyRef",)),
                    ),
                    (
                        lambda value: isinstance(value, dict),
                        Object(
                            {
                                "kind": OneOf(("AlertPolicy",)),
                                "metadata": METADATA,
                                "spec": _POLICY,
                            },
                            ("kind", "metadata", "spec"),
                        ),
                    ),
                ),
                "the name of an AlertPolicy, or one",
            )
        ),
    },
    ("service", "timeWindow", "budgetingMethod", "objectives"),
    (_slo_rules,),
)

SPECS: Final[dict[str, Object]] = {
    "Service": Object({"description": DESCRIPTION}),
    "DataSource": Object(
        {"description": DESCRIPTION, "type": _ANY_TEXT, "connectionDetails": Anything()},
        ("type", "connectionDetails"),
    ),
    "SLI": SLI_SPEC,
    "SLO": _SLO,
    "AlertPolicy": _POLICY,
    "AlertCondition": _CONDITION,
    "AlertNotificationTarget": _TARGET,
}


def check(source: Source) -> Iterator[Problem]:
    """Everything that is wrong with one document."""
    root, place = source.root, Place(source.file, "")
    if not isinstance(root.value, dict):
        yield place.problem(root, "expected a map with apiVersion, kind, metadata and spec")
        return
    version = root.value.get("apiVersion")
    if version is None or version.value != API_VERSION:
        found = "none" if version is None else repr(version.value)
        text = f"expected apiVersion {API_VERSION}, the one that is read here, found {found}"
        yield place.problem(version or root, text)
        return
    kind = root.value.get("kind")
    if kind is None or kind.value not in SPECS:
        found = "none" if kind is None else repr(kind.value)
        text = f"expected kind to be one of {', '.join(SPECS)}, found {found}"
        yield place.problem(kind or root, text)
        return
    shape = Object(
        {
            "apiVersion": _ANY_TEXT,
            "kind": _ANY_TEXT,
            "metadata": METADATA,
            "spec": SPECS[kind.value],
        },
        ("metadata", "spec"),
    )
    yield from shape.check(root, place)
