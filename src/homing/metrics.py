"""Every metric of Homing, in one list, for Prometheus.

Every series is there from the start with value 0, so that an alert on it can be trusted: a series
that appears with its first event has no rate at that event.

With several workers (PROMETHEUS_MULTIPROC_DIR is set before this is imported) counts are kept in
files and added up over the processes; gauges of the database show what was seen last.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Metric,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

from homing import __version__
from homing.core.lifecycle import DeadReason, State
from homing.core.objectives import Owner, Sli, Tally
from homing.core.outcome import Reason
from homing.core.queries import Backlog
from homing.core.retention import Purged
from homing.insight.alerts.alert import Kind
from homing.insight.ledger import COLUMNS, AuditReport

# They double the length of the page, and rates do not need them.
disable_created_metrics()  # type: ignore[no-untyped-call]

#: kinds of batches that are written
BATCHES: Final = ("accept", "claim", "settle")
#: why an endpoint is disabled without a person
CAUSES: Final = ("gone", "failing")
#: what becomes of a circuit breaker
BREAKER_CHANGES: Final = ("opened", "closed")

#: what becomes of a try to hand a notice over
NOTICE_RESULTS: Final = ("sent", "refused", "given_up")

#: seconds; a first attempt takes milliseconds, the promise is about seconds, a timeout is 30 s
_RECEIPT_S: Final = (
    0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300,
)  # fmt: skip
_ATTEMPT_S: Final = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30)
_BATCH: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000)


class _Histogram(Histogram):
    """One that takes many observations at once."""

    def observe_many(self, amounts: Sequence[float]) -> None:
        """As `observe` of each: the library offers no such thing, so this knows its insides."""
        counts = [0] * len(self._upper_bounds)
        for amount in amounts:
            counts[bisect_left(self._upper_bounds, amount)] += 1
        for bucket, count in zip(self._buckets, counts, strict=True):
            if count:
                bucket.inc(count)
        self._sum.inc(sum(amounts))


class Metrics:
    """Counts what happens in this process; the port is `core.ports.Meters`.

    Args:
        store: its `round_trips` and `commits` are shown, where it counts them.
    """

    def __init__(self, store: object = None) -> None:
        self._store = store
        self._store_seen = {"round_trips": 0, "commits": 0}
        self._noted: defaultdict[Counter, int] = defaultdict(int)
        self._attempt_us: list[int] = []
        self._receipt_us: list[int] = []
        self._in_flight_now = 0
        self.registry = CollectorRegistry()
        self._make_counters()
        self._make_histograms()
        self._make_gauges()

    def _make_counters(self) -> None:
        self._messages = self._counter("messages_accepted", "Messages answered 2xx.")
        self._deliveries = self._counter("deliveries_accepted", "Deliveries of those messages.")
        attempts = self._counter("attempts", "HTTP requests made, by outcome.", "reason")
        self._attempts = {reason: attempts.labels(reason) for reason in Reason}
        self._late = self._counter(
            "attempts_late", "Outcomes that came after the lease was somebody else's."
        )
        settled = self._counter(
            "deliveries_settled", "Decisions written, by the state they led to.", "state"
        )
        self._settled = {state: settled.labels(state) for state in State}
        dead = self._counter("deliveries_dead", "Deliveries given up, by reason.", "reason")
        self._dead = {str(reason): dead.labels(reason) for reason in DeadReason}
        disabled = self._counter(
            "endpoints_disabled", "Endpoints disabled without a person, by cause.", "cause"
        )
        self._disabled = {cause: disabled.labels(cause) for cause in CAUSES}
        breakers = self._counter(
            "breaker_changes", "Circuit breakers of endpoints opened and closed.", "change"
        )
        self._breaker_changes = {change: breakers.labels(change) for change in BREAKER_CHANGES}
        purged = self._counter(
            "purged", "What was beyond its retention and is gone, in rows.", "kind"
        )
        self._purged = {kind: purged.labels(kind) for kind in Purged.__struct_fields__}
        notices = self._counter(
            "alert_notices", "Tries to hand a notice of alerts to a channel, by result.", "result"
        )
        self._notice_tries = {result: notices.labels(result) for result in NOTICE_RESULTS}
        good = self._counter("sli_good", "Events that were as promised, by indicator.", "sli")
        self._good = {sli: good.labels(sli) for sli in Sli}
        bad = self._counter(
            "sli_bad", "Events that were not, by indicator and whose they are.", "sli", "owner"
        )
        self._bad = {(sli, owner): bad.labels(sli, owner) for sli in Sli for owner in Owner}
        self._round_trips = self._counter("store_round_trips", "Requests to the database server.")
        self._commits = self._counter("store_commits", "Transactions that wrote.")

    def _make_histograms(self) -> None:
        self._receipt = self._histogram(
            "receipt_seconds", "From acceptance to the end of a first attempt.", _RECEIPT_S
        )
        self._attempt = self._histogram("attempt_seconds", "Length of an attempt.", _ATTEMPT_S)
        batch = self._histogram("batch_size", "Rows written in one commit.", _BATCH, "kind")
        self._batch = {kind: batch.labels(kind) for kind in BATCHES}

    def _make_gauges(self) -> None:
        self._in_flight = self._gauge("in_flight", "Attempts under way.", mode="livesum")
        self._breakers_open = self._gauge(
            "breakers_open",
            "Endpoints that do not answer, whose deliveries wait but for a probe now and then.",
            mode="livesum",
        )
        self._oldest_due = self._gauge(
            "oldest_due_age_seconds",
            "How long the oldest due delivery had been due at the latest audit.",
        )
        deliveries = self._gauge("deliveries", "Unfinished deliveries, by state.", "state")
        self._unfinished = {
            name: deliveries.labels(name) for name in ("waiting", "leased", "parked")
        }
        self._due = self._gauge("deliveries_due", "Deliveries that are due now.")
        ledger = self._gauge("ledger", "The columns of the latest audit.", "column")
        self._ledger = {name: ledger.labels(name) for name in ("accepted", *COLUMNS)}
        self._unaccounted = self._gauge(
            "unaccounted",
            "Deliveries that the latest audit could not place; must be 0.",
            mode="livemax",  # each worker audits other hours; a good one hides no bad one
        )
        self._expiring = self._gauge(
            "dead_letters_expiring", "Dead letters whose retention is about to end."
        )
        self._audited = self._gauge("audit_timestamp_seconds", "When the latest audit began.")
        firing = self._gauge("alerts_firing", "Alerts that fire, by kind.", "kind")
        self._firing = {str(kind): firing.labels(str(kind)) for kind in Kind}
        self._evaluated = self._gauge(
            "alert_evaluation_timestamp_seconds",
            "When some process last looked whether anything deserves an alert.",
        )
        self._notices_pending = self._gauge(
            "alert_notices_pending", "Notices that no channel has taken yet."
        )
        build = self._gauge("build_info", "The running version.", "version")
        build.labels(__version__).set(1)

    # --- core.ports.Meters ---

    def accepted(self, messages: int, deliveries: int) -> None:
        self._messages.inc(messages)
        self._deliveries.inc(deliveries)

    # What comes with every delivery is noted here and added up at the end of its batch: the
    # client's counters cost more than writing the delivery down.

    def attempted(self, reason: Reason, total_us: int, *, late: bool) -> None:
        self._noted[self._attempts[reason]] += 1
        self._attempt_us.append(total_us)
        if late:
            self._late.inc()

    def received(self, after_us: int) -> None:
        self._receipt_us.append(after_us)

    def settled(self, state: State, reason: str | None) -> None:
        self._noted[self._settled[state]] += 1
        if state is State.DEAD and reason in self._dead:
            self._dead[reason].inc()

    def batch(self, kind: str, size: int) -> None:
        self._batch[kind].observe(size)
        self._add_up()

    def in_flight(self, count: int) -> None:
        self._in_flight_now = count

    def endpoint_disabled(self, cause: str) -> None:
        self._disabled[cause].inc()

    def breaker_changed(self, change: str, open_now: int) -> None:
        self._breaker_changes[change].inc()
        self._breakers_open.set(open_now)

    def purged(self, what: Purged) -> None:
        for kind, counter in self._purged.items():
            counter.inc(getattr(what, kind))

    def expiring(self, dead_letters: int) -> None:
        self._expiring.set(dead_letters)

    # --- service.alerts ---

    def alerts_evaluated(self, at_us: int, firing: Mapping[str, int]) -> None:
        self._evaluated.set(at_us / 1_000_000)
        for kind, count in firing.items():
            self._firing[kind].set(count)

    def notices_pending(self, count: int) -> None:
        self._notices_pending.set(count)

    def notice_tried(self, result: str) -> None:
        self._notice_tries[result].inc()

    # --- what is looked at now and then ---

    def audited(self, report: AuditReport, backlog: Backlog) -> None:
        """Show what an audit found (`Auditor(on_report=…)`)."""
        for name, gauge in self._ledger.items():
            gauge.set(getattr(report.total, name))
        self._unaccounted.set(report.unaccounted)
        self._audited.set(report.at_us / 1_000_000)
        for name, gauge in self._unfinished.items():
            gauge.set(getattr(backlog, name))
        self._due.set(backlog.due)
        due_at_us = backlog.oldest_due_at_us
        age_us = 0 if due_at_us is None else max(report.at_us - due_at_us, 0)
        self._oldest_due.set(age_us / 1_000_000)
        self._count_store()

    def families(self) -> list[Metric]:
        """This process's own metrics, as they are now."""
        self._add_up()
        self._count_store()
        return list(self.registry.collect())

    def tallied(self, tallies: Sequence[Tally]) -> None:
        """Show what was counted for objectives (`Measurer(on_tallies=…)`).

        A counter cannot go back: where a later look found that the owner was another, the events
        are added to the right one and stay with the wrong one. Rare, and the table is exact.
        """
        for one in tallies:
            if one.scope.startswith("app_") or one.count < 0:
                continue
            if one.owner is None:
                self._good[one.sli].inc(one.count)
            else:
                self._bad[one.sli, one.owner].inc(one.count)

    def text(self) -> bytes:
        """What Prometheus reads (format 0.0.4)."""
        self._add_up()
        self._count_store()
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return generate_latest(self.registry)
        everybody = CollectorRegistry()
        MultiProcessCollector(everybody)  # type: ignore[no-untyped-call]
        return generate_latest(everybody)

    def _add_up(self) -> None:
        for counter, count in self._noted.items():
            counter.inc(count)
        self._noted.clear()
        for histogram, spans_us in (
            (self._attempt, self._attempt_us),
            (self._receipt, self._receipt_us),
        ):
            histogram.observe_many([span_us / 1_000_000 for span_us in spans_us])
            spans_us.clear()
        self._in_flight.set(self._in_flight_now)

    def _count_store(self) -> None:
        for name, counter in (("round_trips", self._round_trips), ("commits", self._commits)):
            now: int = getattr(self._store, name, 0)
            counter.inc(max(now - self._store_seen[name], 0))
            self._store_seen[name] = now

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(f"homing_{name}", meaning, labels, registry=self.registry)

    def _histogram(
        self, name: str, meaning: str, buckets: tuple[float, ...], *labels: str
    ) -> _Histogram:
        return _Histogram(
            f"homing_{name}", meaning, labels, buckets=buckets, registry=self.registry
        )

    def _gauge(self, name: str, meaning: str, *labels: str, mode: Any = "mostrecent") -> Gauge:
        return Gauge(
            f"homing_{name}", meaning, labels, multiprocess_mode=mode, registry=self.registry
        )


def watch_process(metrics: Metrics) -> None:
    """Also show this process's CPU, memory and open files; only where there is one process."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        ProcessCollector(registry=metrics.registry)
