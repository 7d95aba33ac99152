"""Unit tests of the generated rules for `promtool test rules`: each alert fires, and does not.

Source: Prometheus, "Unit testing for rules".
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor
from typing import Any, Final

from homing.core.objectives import Objective, Sli
from homing.insight.openslo.document import write_yaml
from homing.insight.rules.prometheus import (
    AUDIT_MISSED,
    AUDIT_MISSED_SAYS,
    UNACCOUNTED,
    UNACCOUNTED_SAYS,
    Alert,
    RuleFile,
    alerts_of,
    annotations_of,
    can_be_ruled,
    integrity_labels,
    labels_of,
    window_text,
)

#: samples in a long window: five in the short one
_SAMPLES: Final = 60
#: events between two samples: shares come out to a tenth of a millionth
_EVENTS: Final = 10_000_000


def unit_test_files(objectives: Sequence[Objective]) -> list[RuleFile]:
    """A file for each alert, beside the rules of its objective.

    One for each alert, because promtool has one interval of evaluation for a file, and three days
    by the minute would take it as long as a build may.
    """
    found = []
    for objective in sorted(objectives, key=lambda one: one.id):
        if not can_be_ruled(objective):
            continue
        if objective.sli is Sli.INTEGRITY:
            found.append(_file(objective, "integrity", "1m", _integrity_tests(objective)))
        for alert in alerts_of(objective):
            every = window_text(alert.tier.long_s // _SAMPLES)
            name = f"{alert.tier.severity}-{window_text(alert.tier.long_s)}"
            found.append(_file(objective, name, every, _burn_tests(alert, every)))
    return found


def _file(objective: Objective, name: str, every: str, tests: list[dict[str, Any]]) -> RuleFile:
    document = {
        "rule_files": [f"homing-slo-{objective.id}.rules.yml"],
        "evaluation_interval": every,
        "tests": tests,
    }
    return RuleFile(f"homing-slo-{objective.id}.{name}.test.yml", write_yaml([document]))


def _burn_tests(alert: Alert, every: str) -> list[dict[str, Any]]:
    above = (alert.threshold + 1) / 2
    below = alert.threshold * 9 / 10
    bad_above, bad_below = ceil(above * _EVENTS), floor(below * _EVENTS)
    fires = [{"exp_labels": labels_of(alert), "exp_annotations": annotations_of(alert)}]
    tests = [
        _burn_test(alert, every, "burns above its factor: fires", bad_above, fires),
        _burn_test(alert, every, "burns below its factor: silent", bad_below, []),
        _burn_test(alert, every, "nothing goes wrong: silent", 0, []),
        _ended_test(alert, every, bad_above),
    ]
    few = _few_test(alert)
    return [*tests, few] if few else tests


def _burn_test(
    alert: Alert, every: str, name: str, bad: int, expected: list[dict[str, Any]]
) -> dict[str, Any]:
    return _test(
        name,
        every,
        _series(alert, f"0+{_EVENTS - bad}x{_SAMPLES}", f"0+{bad}x{_SAMPLES}"),
        window_text(alert.tier.long_s),
        alert.name,
        expected,
    )


def _ended_test(alert: Alert, every: str, bad: int) -> dict[str, Any]:
    """A short window after it has ended, the alert has ended too."""
    half, rest = _SAMPLES // 2, _SAMPLES // 2 - 1
    gone = bad * half
    return _test(
        "burned above its factor and has ended: silent again",
        every,
        _series(alert, f"0+{_EVENTS}x{_SAMPLES}", f"0+{bad}x{half} {gone}+0x{rest}"),
        window_text(alert.tier.long_s),
        alert.name,
        [],
    )


def _few_test(alert: Alert) -> dict[str, Any] | None:
    """Everything goes wrong, but next to nothing happens."""
    objective = alert.objective
    count = objective.events_min * 3 // 5
    if count < 24:  # the short window needs two samples
        return None
    every_s = alert.tier.long_s // count
    return _test(
        f"{count} events, all bad: too few to say",
        f"{every_s}s",
        _series(alert, f"0+0x{count}", f"0+1x{count}"),
        window_text(alert.tier.long_s),
        alert.name,
        [],
    )


def _series(alert: Alert, good: str, bad: str) -> list[dict[str, str]]:
    """Every series that is there; all bad events are the first owner's that counts."""
    sli, owner = alert.objective.sli, sorted(alert.objective.owners)[0]
    job = 'job="homing",instance="one"'
    return [
        {"series": f'homing_sli_good_total{{sli="{sli}",{job}}}', "values": good},
        {"series": f'homing_sli_bad_total{{sli="{sli}",owner="{owner}",{job}}}', "values": bad},
    ]


def _test(
    name: str,
    every: str,
    series: list[dict[str, str]],
    at: str,
    alert: str,
    expected: list[dict[str, Any]],
) -> dict[str, Any]:
    return {
        "name": name,
        "interval": every,
        "input_series": series,
        "alert_rule_test": [{"eval_time": at, "alertname": alert, "exp_alerts": expected}],
    }


def _integrity_tests(objective: Objective) -> list[dict[str, Any]]:
    labels = integrity_labels(objective)
    gauge = 'homing_unaccounted{job="homing"}'
    audited = 'homing_audit_timestamp_seconds{job="homing"}'
    fires = [{"exp_labels": labels, "exp_annotations": UNACCOUNTED_SAYS}]
    missed = [{"exp_labels": labels, "exp_annotations": AUDIT_MISSED_SAYS}]

    def unaccounted(name: str, values: str, expected: list[dict[str, Any]]) -> dict[str, Any]:
        series = [{"series": gauge, "values": values}]
        return _test(name, "1m", series, "5m", UNACCOUNTED, expected)

    def audit(name: str, values: str, expected: list[dict[str, Any]]) -> dict[str, Any]:
        series = [{"series": audited, "values": values}]
        return _test(name, "1m", series, "20m", AUDIT_MISSED, expected)

    return [
        unaccounted("one delivery is unaccounted for: fires at once", "0x4 1x5", fires),
        unaccounted("all are accounted for: silent", "0x10", []),
        audit("an audit every minute: silent", "0+60x20", []),
        audit("no audit since the beginning: fires", "0x20", missed),
        audit("no series at all: fires", "_x20", missed),
    ]
