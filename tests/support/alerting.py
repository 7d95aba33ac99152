"""Readings, findings and alerts for tests: every field has a plausible value, any can be given."""

from __future__ import annotations

from typing import Any

from homing.core.queries import Backlog, DeadLetters
from homing.insight.alerts.alert import SCOPE, Alert, Finding, Kind, Owner, Severity
from homing.insight.alerts.change import Change
from homing.insight.alerts.readings import DeadPile, FailureChange, Lane, Missing, Readings
from homing.insight.rates import exact
from support.making import START_US

MINUTE_US = 60_000_000


def make_readings(**fields: Any) -> Readings:
    """A house in which all is well."""
    given = {"at_us": START_US, "audited_at_us": START_US - 30_000_000, "started_at_us": 0}
    return Readings(**{"backlog": make_backlog(), **given, **fields})


def make_backlog(**fields: Any) -> Backlog:
    given = {"waiting": 3, "leased": 1, "parked": 0, "due": 0, "oldest_due_at_us": None}
    return Backlog(**{**given, **fields})


def make_missing(**fields: Any) -> Missing:
    given: dict[str, Any] = {
        "org_id": "org_1",
        "count": 3,
        "accepted": 1_000,
        "since_us": START_US - 10 * MINUTE_US,
        "until_us": START_US,
        "first_at_us": START_US - MINUTE_US,
        "kinds": {"unaccounted": 3},
        "examples": ("msg_1.ep_1", "msg_2.ep_1", "msg_3.ep_1"),
    }
    return Missing(**{**given, **fields})


def make_lane(**fields: Any) -> Lane:
    given = {
        "org_id": "org_1",
        "app_id": "app_1",
        "endpoint_id": "ep_1",
        "count": 5,
        "due_at_us": START_US - 5 * MINUTE_US,
    }
    return Lane(**{**given, **fields})


def make_pile(endpoint_id: str = "ep_1", **letters: Any) -> DeadPile:
    given = {
        "endpoint_id": endpoint_id,
        "app_id": "app_1",
        "count": 1,
        "recent": 1,
        "past": 1,
        "oldest_at_us": START_US - MINUTE_US,
        "newest_at_us": START_US - MINUTE_US,
    }
    return DeadPile(
        org_id="org_1",
        name=f"{endpoint_id} (shop.example)",
        letters=DeadLetters(**{**given, **letters}),
        examples=("msg_1.ep_1",),
        reason="status 503",
    )


def make_change(at_us: int = START_US - 5 * MINUTE_US, **fields: Any) -> Change:
    given: dict[str, Any] = {
        "at_us": at_us,
        "low_us": at_us - MINUTE_US,
        "high_us": at_us + MINUTE_US,
        "before": exact(3, 1_000),
        "after": exact(40, 100),
        "count": 40,
        "of": 100,
        "ratio": 50.0,
    }
    return Change(**{**given, **fields})


def make_failure(endpoint_id: str, **change: Any) -> FailureChange:
    return FailureChange(
        org_id="org_1",
        app_id="app_1",
        endpoint_id=endpoint_id,
        name=f"{endpoint_id} (shop.example)",
        change=make_change(**change),
    )


def make_finding(**fields: Any) -> Finding:
    given: dict[str, Any] = {
        "kind": Kind.FIRST_DEAD_LETTER,
        "subject": "ep_1",
        "severity": Severity.TICKET,
        "owner": Owner.RECEIVER,
        "what": "something is the matter",
        "since_us": START_US,
        "count": 1,
        "command": "homing doctor",
    }
    return Finding(**{**given, **fields})


def make_alert(finding: Finding | None = None, **fields: Any) -> Alert:
    finding = finding or make_finding()
    given: dict[str, Any] = {
        "scope": SCOPE,
        "id": finding.id,
        "created_at_us": START_US,
        "updated_at_us": START_US,
        "finding": finding,
        "fired_at_us": START_US,
    }
    return Alert(**{**given, **fields})
