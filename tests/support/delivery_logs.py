"""Delivery logs to tune the analysis on: any mechanism, in the manner of any service, by a seed.

The logs that score it come from elsewhere (the lab's simulated services), with seeds of their own.
"""

from __future__ import annotations

import csv
import io
import json
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

MECHANISMS = tuple(f"D{i}" for i in range(1, 13))
START_S = 1_790_000_000.0
DELAYS = (5.0, 30.0, 120.0, 600.0)
LEASE_S = 30.0


@dataclass
class Log:
    """Lines of a log, and the truth about it."""

    rows: list[dict[str, Any]]
    dropped: set[str] = field(default_factory=set)
    started_s: float | None = None
    mechanism: str | None = None


class Service:
    """A retry worker's log, line by line; `fault` makes it lose deliveries in one way."""

    def __init__(
        self,
        fault: str | None,
        seed: int,
        *,
        deliveries: int = 4_000,
        hours: float = 24.0,
        begins: float = 0.4,
        rate: float = 0.3,
        slow_share: float = 0.01,
        fail_share: float = 0.08,
        endpoints: int = 15,
        workers: int = 4,
    ) -> None:
        self.draw = random.Random(f"{fault}/{seed}")
        self.fault, self.deliveries, self.hours = fault, deliveries, hours
        self.begins_s = START_S + begins * hours * 3600 if fault else None
        self.rate, self.slow, self.fail = rate, slow_share, fail_share
        self.workers = [f"worker-{i}" for i in range(workers)]
        self.endpoints = [f"ep_{i:02}" for i in range(endpoints)]
        self.bad_endpoints = set(self.draw.sample(self.endpoints, 2))
        self.log = Log([], mechanism=fault, started_s=self.begins_s)
        self.deploys = sorted(
            (self.begins_s or START_S) + self.draw.random() * (1 - begins) * hours * 3600 * 0.9
            for _ in range(3)
        )
        self.deaths = {
            w: [
                (self.begins_s or START_S) + self.draw.random() * (1 - begins) * hours * 3600
                for _ in range(4)
            ]
            for w in self.workers
        }

    def run(self) -> Log:
        for i in range(self.deliveries):
            at = START_S + self.hours * 3600 * (i + self.draw.random()) / self.deliveries
            self._delivery(i, at)
        self.log.rows.sort(key=lambda r: r["at"])
        return self.log

    # one life ---------------------------------------------------------------------------------

    def _delivery(self, number: int, at: float) -> None:
        draw = self.draw
        self.id = f"dlv_{number:07d}"
        self.message = f"evt_{number:07d}"
        self.endpoint = draw.choice(self.endpoints)
        self.app = f"tenant_{int(self.endpoint[-2:]) % 4}"
        self.type = draw.choice(
            ["payment.succeeded", "payment.failed", "invoice.paid", "order.created"]
        )
        self.version, self.epoch, self.attempt, self.state = 0, 0, 0, None
        self.size = draw.randrange(200, 4_000)
        self.lag = draw.expovariate(1 / 0.01)
        on = self.begins_s is not None and at >= self.begins_s
        hit = on and draw.random() < self.rate
        long_tx = draw.random() < 0.02
        if long_tx:
            self.lag = draw.uniform(1, 5)
        self.line(at, "accepted", "pending", commit=self.lag)
        if self.fault == "D12" and on and long_tx and draw.random() < self.rate * 2:
            return self.lose()
        if (
            self.fault == "D3"
            and on
            and any(0 <= at - d < 120 for d in self.deploys)
            and draw.random() < 0.9
        ):
            if draw.random() < 0.3:
                self.line(
                    at + draw.uniform(60, 300), "duplicate_skipped", None, reason="already known"
                )
            return self.lose()
        if self.fault == "D9" and hit and self.endpoint in self.bad_endpoints:
            self.line(at + 0.01, "discarded", "discarded", reason="endpoint disabled")
            return self.lose()
        at += self.lag + 0.002
        self.line(at, "enqueued", "pending")
        at += draw.expovariate(1 / 0.3)
        self._attempts(at, hit)

    def _attempts(self, at: float, hit: bool) -> None:
        draw = self.draw
        while True:
            worker = draw.choice(self.workers)
            if self.fault == "D4" and any(0 <= at - d < 240 for d in self.deaths[worker]):
                self.line(at, "claimed", "processing", worker=worker, lease=at + LEASE_S)
                return self.lose()
            self.epoch += 1
            self.attempt += 1
            self.line(at, "claimed", "processing", worker=worker, lease=at + LEASE_S)
            if self.fault == "D8" and hit and draw.random() < 0.1:
                other = draw.choice([w for w in self.workers if w != worker])
                at += LEASE_S + draw.uniform(1, 5)
                self.epoch += 1
                self.line(at, "claimed", "processing", worker=other, lease=at + LEASE_S)
                self.line(at + 0.003, "skipped", "done", worker=other, reason="already in progress")
                return self.lose()
            took = draw.lognormvariate(-1.2, 0.7)
            slow = draw.random() < self.slow
            self.line(at + 0.001, "request_sent", None, worker=worker)
            if slow:
                ended = self._slow(at, worker, hit)
                if ended is None:
                    return None
                at = ended
                continue
            bad = draw.random() < (0.6 if self.endpoint in self.bad_endpoints else self.fail)
            at += took
            if not bad:
                self.line(at, "succeeded", "delivered", worker=worker, status=200, took=took)
                return None
            status = draw.choice([500, 502, 503, 503, 429])
            ended = self._failed(at, worker, status, took, hit)
            if ended is None:
                return None
            at = ended

    def _failed(self, at: float, worker: str, status: int, took: float, hit: bool) -> float | None:
        """A failed attempt; when the next one begins, or None if there is none."""
        draw = self.draw
        if self.fault == "D5" and hit:
            self.line(at, "failed", "processing", worker=worker, status=status, took=took)
            self.line(at + 0.01, "marked", "delivered", worker=worker)
            self.lose()
            return None
        if self.attempt > len(DELAYS):
            self.line(at, "failed", "exhausted", worker=worker, status=status, took=took)
            if (
                self.fault == "D10"
                and self.begins_s
                and at >= self.begins_s
                and draw.random() < 0.6
            ):
                self.lose()
            else:
                self.line(
                    at + 0.02, "dead_lettered", "dead", worker=worker, reason="attempts exhausted"
                )
            return None
        if self.fault == "D2" and hit:
            self.line(at, "failed", "processing", worker=worker, status=status, took=took)
            self.lose()
            return None
        due = at + DELAYS[self.attempt - 1]
        overflow = self.fault == "D11" and hit and draw.random() < 0.3
        self.line(at, "failed", "retry", worker=worker, status=status, took=took, due=due)
        if self.fault == "D1" and hit:
            self.lose()
            return None
        if overflow:
            self.line(due + 1, "purged", "deleted", reason="retention")
            self.lose()
            return None
        return due + draw.expovariate(1 / 1.0)

    def _slow(self, at: float, worker: str, hit: bool) -> float | None:
        """An answer that comes after the lease has run out."""
        draw = self.draw
        took = LEASE_S + draw.uniform(2, 20)
        lapse = at + LEASE_S + draw.uniform(0.1, 1.0)
        other = draw.choice([w for w in self.workers if w != worker])
        self.line(lapse, "lease_expired", "pending")
        if self.fault == "D7" and hit:
            self.line(lapse + 0.01, "failed_permanently", "dead", reason="stalled")
            self.lose()
            return None
        first = self.attempt
        claim = lapse + 0.2
        self.attempt += 1
        self.epoch += 1
        self.line(claim, "claimed", "processing", worker=other, lease=claim + LEASE_S)
        self.line(claim + 0.001, "request_sent", None, worker=other)
        if self.fault == "D6" and hit:
            second = claim + draw.uniform(0.2, 1.0)
            due = second + DELAYS[min(self.attempt, 4) - 1]
            self.line(
                second, "failed", "retry", worker=other, status=503, took=second - claim, due=due
            )
            late = max(at + took, second + 0.1)
            self.line(
                late,
                "failed",
                draw.choice(["processing", "done"]),
                worker=worker,
                status=504,
                took=late - at,
                attempt=first,
                epoch=self.epoch - 1,
            )
            self.lose()
            return None
        done = claim + draw.uniform(0.1, 1.0)
        self.line(done, "succeeded", "delivered", worker=other, status=200, took=done - claim)
        late = max(at + took, done + 0.1)
        self.line(
            late,
            "failed",
            "delivered",
            worker=worker,
            status=504,
            took=took,
            attempt=first,
            epoch=self.epoch - 1,
            rows=0,
        )
        return None

    def lose(self) -> None:
        self.log.dropped.add(self.id)

    def line(
        self,
        at: float,
        op: str,
        state: str | None,
        *,
        worker: str | None = None,
        status: int | None = None,
        took: float | None = None,
        due: float | None = None,
        lease: float | None = None,
        reason: str | None = None,
        rows: int = 1,
        attempt: int | None = None,
        epoch: int | None = None,
        commit: float | None = None,
    ) -> None:
        after = state or self.state
        before = self.version
        self.version += rows
        self.log.rows.append(
            {
                "at": at,
                "delivery": self.id,
                "message": self.message,
                "endpoint": self.endpoint,
                "app": self.app,
                "type": self.type,
                "op": op,
                "from": self.state,
                "to": after,
                "worker": worker,
                "attempt": attempt or self.attempt or None,
                "epoch": epoch or self.epoch or None,
                "version_before": before,
                "version_after": self.version,
                "rows": rows,
                "status": status,
                "took": took,
                "due": due,
                "lease": lease,
                "reason": reason,
                "size": self.size,
                "commit": commit,
                "region": random.Random(self.id).choice(["eu", "us", "ap"]),
            }
        )
        if rows:
            self.state = after


# manners of writing ---------------------------------------------------------------------------


def iso(at: float | None, zone: timezone = UTC) -> str | None:
    return None if at is None else datetime.fromtimestamp(at, zone).isoformat()


def _jsonl(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps({k: v for k, v in r.items() if v is not None}) + "\n" for r in rows)


def _csv(rows: list[dict[str, Any]], delimiter: str = ",") -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def full(log: Log) -> tuple[str, str]:
    """All the fields that make it possible, by their plain names."""
    rows = [
        {
            "t_wall": r["at"],
            "delivery_id": r["delivery"],
            "event_id": r["message"],
            "endpoint_id": r["endpoint"],
            "tenant": r["app"],
            "event_type": r["type"],
            "op": r["op"],
            "from_state": r["from"],
            "to_state": r["to"],
            "worker": r["worker"],
            "attempt_no": r["attempt"],
            "lease_epoch": r["epoch"],
            "row_version_before": r["version_before"],
            "row_version_after": r["version_after"],
            "cas_rows": r["rows"],
            "http_status": r["status"],
            "total_ms": r["took"] and r["took"] * 1e3,
            "due_at": r["due"],
            "lease_expires_at": r["lease"],
            "reason": r["reason"],
            "bytes": r["size"],
            "commit_lag_ms": r["commit"] and r["commit"] * 1e3,
            "region": r["region"],
        }
        for r in log.rows
    ]
    return "jsonl", _jsonl(rows)


def nested(log: Log) -> tuple[str, str]:
    """Structured application logs: nested, camelCase, milliseconds, prefixed names of events."""
    names = {"request_sent": "attempt.started", "marked": "status.updated"}
    rows = [
        {
            "timestamp": int(r["at"] * 1000),
            "level": "info",
            "event": "webhook.delivery." + names.get(r["op"], r["op"]),
            "ctx": {
                "deliveryId": r["delivery"],
                "eventId": r["message"],
                "targetUrl": f"https://x.test/{r['endpoint']}",
                "workerId": r["worker"],
            },
            "attempt": {"number": r["attempt"], "durationMs": r["took"] and int(r["took"] * 1000)},
            "response": {"statusCode": r["status"]},
            "newState": r["to"],
            "nextRetryAt": r["due"] and int(r["due"] * 1000),
            "error": r["reason"],
        }
        for r in log.rows
    ]
    return "jsonl", _jsonl(rows)


ODD = {
    "pending": "PENDING_DISPATCH",
    "processing": "IN_FLIGHT",
    "retry": "AWAITING_RETRY",
    "delivered": "ACKED",
    "dead": "BURIED",
    "exhausted": "RETRIES_EXHAUSTED",
    "discarded": "DISCARDED",
    "deleted": "PURGED",
    "done": "FINISHED",
}


def states(log: Log) -> tuple[str, str]:
    """A row per change of status, with no names of operations; ISO times of a zone; semicolons."""
    zone = timezone(timedelta(hours=2))
    rows = [
        {
            "changed_at": iso(r["at"], zone),
            "job_id": r["delivery"],
            "old_status": r["from"] and ODD[r["from"]],
            "new_status": r["to"] and ODD[r["to"]],
            "node": r["worker"],
            "tries": r["attempt"],
            "http_code": r["status"],
            "subscriber": r["endpoint"],
            "run_at": iso(r["due"], zone),
            "note": r["reason"],
        }
        for r in log.rows
        if r["op"] != "request_sent"
    ]
    return "csv", _csv(rows, ";")


def minimal(log: Log) -> tuple[str, str]:
    """Seconds, a name of the event, an id, a status: what a small service writes."""
    rows = [
        {
            "time": iso(r["at"])[:19].replace("T", " "),
            "msg_id": r["message"],
            "action": r["op"],
            "code": r["status"],
        }
        for r in log.rows
    ]
    return "csv", _csv(rows)


def dump(log: Log) -> tuple[str, str]:
    """The table of deliveries as it stands at the end."""
    found: dict[str, dict[str, Any]] = {}
    for r in sorted(log.rows, key=lambda r: r["at"]):
        row = found.setdefault(
            r["delivery"],
            {
                "id": r["delivery"],
                "event_id": r["message"],
                "subscription_id": r["endpoint"],
                "status": None,
                "attempts": 0,
                "last_status_code": None,
                "created_at": iso(r["at"]),
                "updated_at": None,
                "next_attempt_at": None,
                "locked_by": None,
                "locked_until": None,
                "last_error": None,
            },
        )
        if not r["rows"]:
            continue
        row["status"] = r["to"]
        row["attempts"] = max(row["attempts"], r["attempt"] or 0)
        row["last_status_code"] = r["status"] or row["last_status_code"]
        row["updated_at"] = iso(r["at"])
        row["next_attempt_at"] = iso(r["due"])
        row["locked_by"] = r["worker"] if r["to"] == "processing" else None
        row["locked_until"] = iso(r["lease"])
        row["last_error"] = r["reason"]
    return "csv", _csv(list(found.values()))


def attempts(log: Log) -> tuple[str, str]:
    """A row per request, as exports of attempts are."""
    rows = [
        {
            "id": f"atm_{i}",
            "messageId": r["message"],
            "endpointId": r["endpoint"],
            "createdAt": iso(r["at"]),
            "statusCode": r["status"],
            "success": r["status"] == 200,
            "attemptNumber": r["attempt"],
            "durationMs": r["took"] and int(r["took"] * 1000),
        }
        for i, r in enumerate(log.rows)
        if r["status"] is not None
    ]
    return "jsonl", _jsonl(rows)


def logfmt(log: Log) -> tuple[str, str]:
    """key=value lines."""
    lines = []
    for r in log.rows:
        pairs = {
            "delivery": r["delivery"],
            "endpoint": r["endpoint"],
            "event": r["op"],
            "worker": r["worker"],
            "attempt": r["attempt"],
            "status": r["status"],
            "state": r["to"],
            "took_ms": r["took"] and round(r["took"] * 1000, 1),
            "err": r["reason"],
        }
        lines.append(
            iso(r["at"])
            + " "
            + " ".join(
                f'{k}="{v}"' if " " in str(v) else f"{k}={v}"
                for k, v in pairs.items()
                if v is not None
            )
        )
    return "log", "\n".join(lines) + "\n"


MANNERS = {m.__name__: m for m in (full, nested, states, minimal, dump, attempts, logfmt)}
