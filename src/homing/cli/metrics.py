"""What Prometheus reads. Every series is there from the start, at zero.

With several workers the counts of all are added up (prometheus_client's multiprocess mode); then
the environment has PROMETHEUS_MULTIPROC_DIR, set by the supervisor before this module is imported.
"""

from __future__ import annotations

import os
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
)

from homing.core.lifecycle import DeadReason, State
from homing.core.outcome import Reason
from homing.core.ports import Backlog
from homing.insight.ledger import AuditReport

#: from a fast receiver beside us to the longest total deadline, in seconds
_ATTEMPT_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 60)
#: from the aim of 5 ms to a backlog that is noticed, in seconds
_RECEIPT_BUCKETS: Final = (0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 300)
_BATCH_KINDS: Final = ("accept", "claim", "settle")
_DISABLE_CAUSES: Final = ("gone", "failing")
_MICRO: Final = 1e-6


class PrometheusMeters:
    """`core.ports.Meters`, and what the audit of every minute found."""

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        self._messages = Counter("homing_messages_accepted", "Messages.", registry=registry)
        self._deliveries = Counter(
            "homing_deliveries_accepted", "Deliveries of accepted messages.", registry=registry
        )
        attempts = Counter(
            "homing_attempts", "Requests made, by what came of them.", ["reason"], registry=registry
        )
        self._attempts = {reason: attempts.labels(str(reason)) for reason in Reason}
        self._late = Counter(
            "homing_attempts_late",
            "Outcomes that came after the lease had gone.",
            registry=registry,
        )
        self._attempt_seconds = Histogram(
            "homing_attempt_seconds",
            "Length of a request.",
            buckets=_ATTEMPT_BUCKETS,
            registry=registry,
        )
        self._receipt_seconds = Histogram(
            "homing_receipt_seconds",
            "From acceptance to a first attempt that succeeded.",
            buckets=_RECEIPT_BUCKETS,
            registry=registry,
        )
        finished = Counter(
            "homing_deliveries_finished",
            "Deliveries that came to an end, by which.",
            ["state", "reason"],
            registry=registry,
        )
        self._delivered = finished.labels("delivered", "")
        self._cancelled = finished.labels("cancelled", "")
        self._dead = {str(reason): finished.labels("dead", str(reason)) for reason in DeadReason}
        commits = Counter(
            "homing_commits", "Transactions that wrote a batch.", ["kind"], registry=registry
        )
        rows = Counter("homing_commit_rows", "Rows in those batches.", ["kind"], registry=registry)
        self._batches = {kind: (commits.labels(kind), rows.labels(kind)) for kind in _BATCH_KINDS}
        disabled = Counter(
            "homing_endpoints_disabled",
            "Endpoints disabled, by cause.",
            ["cause"],
            registry=registry,
        )
        self._disabled = {cause: disabled.labels(cause) for cause in _DISABLE_CAUSES}
        self._in_flight = self._gauge(
            "homing_requests_in_flight", "Requests under way.", mode="livesum"
        )
        self._states = {
            state: self._gauge(f"homing_deliveries_{state}", f"Deliveries that are {state}.")
            for state in (State.WAITING, State.LEASED, State.PARKED)
        }
        self._due = self._gauge("homing_deliveries_due", "Deliveries whose time has come.")
        self._oldest = self._gauge("homing_oldest_due_age_seconds", "Age of the oldest of them.")
        self._unaccounted = self._gauge(
            "homing_unaccounted", "Deliveries that the latest audit could not place."
        )
        self._audited = self._gauge("homing_audit_timestamp_seconds", "When the latest audit was.")

    def _gauge(self, name: str, meaning: str, *, mode: str = "mostrecent") -> Gauge:
        return Gauge(name, meaning, registry=self._registry, multiprocess_mode=mode)  # type: ignore[arg-type]

    # ── core.ports.Meters ──

    def accepted(self, messages: int, deliveries: int) -> None:
        self._messages.inc(messages)
        self._deliveries.inc(deliveries)

    def attempted(self, reason: Reason, total_us: int, late: bool) -> None:
        self._attempts[reason].inc()
        self._attempt_seconds.observe(total_us * _MICRO)
        if late:
            self._late.inc()

    def received(self, after_us: int) -> None:
        self._receipt_seconds.observe(after_us * _MICRO)

    def settled(self, state: State, reason: str | None) -> None:
        if state is State.DELIVERED:
            self._delivered.inc()
        elif state is State.CANCELLED:
            self._cancelled.inc()
        elif state is State.DEAD:
            self._dead[str(reason)].inc()

    def batch(self, kind: str, size: int) -> None:
        commits, rows = self._batches[kind]
        commits.inc()
        rows.inc(size)

    def in_flight(self, count: int) -> None:
        self._in_flight.set(count)

    def endpoint_disabled(self, cause: str) -> None:
        self._disabled[cause].inc()

    # ── the audit ──

    def audited(self, report: AuditReport, backlog: Backlog) -> None:
        """What the latest audit and look at the hot table found."""
        for state, gauge in self._states.items():
            gauge.set(getattr(backlog, state))
        self._due.set(backlog.due)
        self._unaccounted.set(report.unaccounted)
        self._audited.set(report.at_us * _MICRO)

    def text(self, oldest_due_age_s: float) -> bytes:
        """All series, in Prometheus's text format.

        Args:
            oldest_due_age_s: how long the oldest due delivery has been due, at this moment.
        """
        self._oldest.set(oldest_due_age_s)
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return generate_latest(self._registry)
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)
