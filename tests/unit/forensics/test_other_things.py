"""What stands beside deliveries in their log and is none: texts, reports, a tunnel's answer,
a copy of a status, the first of two receipts; and columns that few lines have."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("duckdb")
pytest.importorskip("ibis")

from homing.forensics.habits import Kind
from homing.forensics.investigation import Findings, investigate
from homing.forensics.judging import Verdict
from homing.forensics.operations import Op
from homing.forensics.options import Options
from homing.forensics.reading.columns import name_score
from homing.forensics.reading.guessing import guess
from homing.forensics.reading.lines import flat
from homing.forensics.reading.sentences import sentence
from homing.forensics.vocabulary import meaning
from homing.forensics.words import line_of

Row = dict[str, Any]
COUNT = 400
BEGIN_S = 1_780_000_000
LOST = range(9, COUNT - 40, 28)


def told(folder: Path, rows: list[Row]) -> Findings:
    rows.sort(key=lambda row: float(row["at"]))
    path = folder / "log.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return investigate([str(path)], Options(folder=str(folder)))


def named(findings: Findings) -> str | None:
    assert findings.hypothesis is not None
    return findings.hypothesis.mechanism


# --- a provider's log of objects


def entry(number: int, after_s: float, kind: str, **data: Any) -> Row:
    thing = {"object": "webhook_delivery", "id": f"whd_{number * 7919 % 100_003:05x}"}
    return {
        "id": f"log_{number}_{after_s}",
        "type": kind,
        "at": BEGIN_S + 40 * number + after_s,
        "data": {
            "object": thing | {"endpoint": f"we_{number % 8}", "event": {"id": f"evt_{number}"}},
            **data,
        },
    }


def of_objects(number: int, *, is_lost: bool) -> Iterator[Row]:
    """One delivery through a proxy; a lost one is called a success after its request failed."""
    yield entry(number, 0, "webhook_delivery.created")
    yield entry(number, 1, "webhook_delivery.queued")
    yield entry(number, 2, "webhook_delivery.picked_up", host="sender-1")
    attempt: Row = {"number": 1}
    if number % 7 == 3 and not is_lost:  # once more, after a failure
        yield entry(number, 2.1, "webhook_attempt.started", attempt=attempt, host="sender-1")
        failed = attempt | {"error": "connection reset by peer"}
        yield entry(number, 2.2, "webhook_attempt.failed", attempt=failed, host="sender-1")
        yield entry(number, 2.3, "webhook_delivery.retry_scheduled", host="sender-1")
        yield entry(number, 2.4, "webhook_delivery.queued")
        yield entry(number, 2.5, "webhook_delivery.picked_up", host="sender-1")
        attempt = {"number": 2}
    yield entry(number, 3, "webhook_attempt.started", attempt=attempt, host="sender-1")
    tunnel = {"proxy": {"status_code": 200}}
    yield entry(number, 4, "webhook_attempt.connected", attempt=attempt, host="sender-1", **tunnel)
    if is_lost:
        failed = attempt | {"error": "connection reset by peer"}
        yield entry(number, 5, "webhook_attempt.failed", attempt=failed, host="sender-1")
    else:
        answered = attempt | {"status_code": 200}
        yield entry(number, 5, "webhook_attempt.succeeded", attempt=answered, host="sender-1")
    yield entry(number, 6, "webhook_delivery.succeeded", host="sender-1", status_code=200)


def reports() -> list[Row]:
    return [
        {
            "id": f"log_r{i}",
            "type": "balance_report.created",
            "at": BEGIN_S + 600 * i,
            "data": {"object": {"object": "balance_report", "id": f"rep_{i:05x}"}},
        }
        for i in range(20)
    ]


def test_a_report_of_the_same_log_is_no_delivery(tmp_path: Path) -> None:
    rows = [row for n in range(COUNT) for row in of_objects(n, is_lost=False)]
    findings = told(tmp_path, [*rows, *reports()])
    (mapping,) = findings.raw.mappings.values()
    assert mapping.columns["delivery"].path == "data.object.id"
    assert findings.events.others == ("balance_report.created",)
    assert (findings.accepted, findings.dropped) == (COUNT, 0)


def test_neither_a_tunnel_nor_a_copy_of_a_status_is_an_answer(tmp_path: Path) -> None:
    rows = [row for n in range(COUNT) for row in of_objects(n, is_lost=n in LOST)]
    findings = told(tmp_path, rows)
    assert findings.dropped == len(LOST)
    assert named(findings) == "D5"


# --- a service that sends both


def sent_both(number: int, name: str, *, is_lost: bool) -> Iterator[Row]:
    at = BEGIN_S + 40 * number
    yield {"at": at, "id": name, "event": "imported" if is_lost else "accepted", "worker": "api"}
    if not is_lost:
        yield {"at": at + 1, "id": name, "event": "taken", "worker": "w1"}
        yield {"at": at + 2, "id": name, "event": "answered", "status": 200, "worker": "w1"}


def test_what_shares_no_word_with_deliveries_is_none(tmp_path: Path) -> None:
    rows = [row for n in range(COUNT) for row in sent_both(n, f"ntf-{n:04}", is_lost=False)]
    texts = [
        {"at": BEGIN_S + 50 * n, "id": f"{51_000 + n}", "event": "sent", "worker": f"sms-{n % 3}"}
        for n in range(COUNT)
    ]
    findings = told(tmp_path, [*rows, *texts])
    assert findings.events.others == ("sent",)
    assert (findings.accepted, findings.dropped) == (COUNT, 0)


def test_what_begins_by_a_word_of_its_own_and_is_lost_is_a_delivery(tmp_path: Path) -> None:
    rows = [row for n in range(COUNT) for row in sent_both(n, f"ntf-{n:04}", is_lost=n in LOST)]
    findings = told(tmp_path, rows)
    assert findings.events.others == ()
    assert findings.dropped == len(LOST)


def test_what_shows_answers_is_a_delivery_by_whatever_word(tmp_path: Path) -> None:
    rows = [row for n in range(COUNT) for row in sent_both(n, f"ntf-{n:04}", is_lost=False)]
    inline = [
        {"at": BEGIN_S + 50 * n, "id": f"inl-{n:04}", "event": "posted inline", "status": 200}
        for n in range(COUNT // 4)
    ]
    findings = told(tmp_path, [*rows, *inline])
    assert findings.events.others == ()
    assert findings.accepted == COUNT + COUNT // 4


def test_what_comes_while_a_retry_waits_is_no_turn_where_requests_have_lines(
    tmp_path: Path,
) -> None:
    rows: list[Row] = []
    for n in range(COUNT):
        about = {"id": f"d-{n:05}"}
        lines = [(0, "accepted", {}), (1, "claimed", {}), (2, "sending request", {})]
        if n % 4 == 1:
            lines += [(3, "attempt failed", {"status": 503}), (3, "rescheduled", {})]
            lines += [(4, "payload scrubbed", {})]
            lines += [(30, "claimed", {}), (31, "sending request", {})]
        lines.append((32, "response received", {"status": 200}))
        rows += [{"at": BEGIN_S + 40 * n + s, "event": e, **about, **more} for s, e, more in lines]
    assert told(tmp_path, rows).events.words["payload scrubbed"] != "claimed"


# --- two receipts


def with_receipts(number: int, *, is_lost: bool) -> Iterator[Row]:
    """One delivery, which every second receiver has (`received`) before it has done with it."""
    at = BEGIN_S + 40.0 * number

    def said(event: str, after_s: float, **more: Any) -> Row:
        nonlocal at
        at += after_s
        return {"at": at, "event": event, "delivery_id": f"d-{number:05}", "attempt": 1} | more

    yield said("accepted", 0, endpoint=f"ep-{number % 8}")
    yield said("queued", 0.3)
    yield said("taken", 0.1, worker="w1")
    yield said("request sent", 0, worker="w1")
    yield said("response", 0.2, worker="w1", status=202 if number % 2 else 200)
    if number % 2:
        yield said("awaiting receipt", 0, worker="w1")
        yield said("receipt came: received", 5)
        if is_lost:
            yield said("delivered", 0)
            yield said("receipt came: rejected, ignored", 9)
            return
        yield said("receipt came: processed", 20)
    yield said("delivered", 0.0)


def test_the_first_of_two_receipts_is_no_answer(tmp_path: Path) -> None:
    rows = [row for n in range(COUNT) for row in with_receipts(n, is_lost=n in LOST)]
    findings = told(tmp_path, rows)
    assert findings.books[Verdict.DROPPED] == len(LOST)
    assert named(findings) == "D5"


# --- a queue that counts the attempts that were


def turn(after_s: float, made: int, status: int, is_made: bool) -> list[tuple[Any, ...]]:
    """What a queue and a worker say of a turn, if there is one: when, what, who, which attempt."""
    answered = {"attempt": made + 1, "http_status": status}
    return [
        (after_s, "enqueue", "dispatcher", {"attempt": made}),
        (after_s + 2, "dequeue", "worker-1", {"attempt": made}),
        (after_s + 2.1, "claim", "worker-1", {"attempt": made + 1}),
        (after_s + 2.1, "request", "worker-1", {"attempt": made + 1}),
        (after_s + 2.2, "response", "worker-1", answered),
    ] * is_made


def test_what_a_queue_hands_out_and_a_worker_claims_is_one_turn(tmp_path: Path) -> None:
    rows = []
    for n in range(COUNT):
        at, name = BEGIN_S + 40.0 * n, f"d-{n:05}"
        about = {"job_id": name, "endpoint_id": f"ep-{n % 8}"}
        for after, event, process, more in (
            (0, "insert", "api", {"attempt": 0}),
            *turn(1, 0, 503, n % 7 == 3),
            *turn(5, int(n % 7 == 3), 202, True),
            (7.3, "complete", "worker-1", {"attempt": 1 + (n % 7 == 3)}),
        ):
            rows.append({"at": at + after, "event": event, "process": process} | about | more)
        if n in LOST:
            late = {"attempt": 1, "message": "rejected by endpoint"}
            rows.append({"at": at + 90, "event": "callback", "process": "api"} | about | late)
    findings = told(tmp_path, rows)
    assert findings.dropped == len(LOST)
    assert named(findings) == "D5"


# --- words, names and lines


@pytest.mark.parametrize(
    ("text", "op"),
    [
        ("webhook_delivery.not_found", Op.PURGED),
        ("no such delivery", Op.PURGED),
        ("suppressed by rule quiet hours", Op.CANCELLED),
        ("could not save state: Deadlock found", Op.NOTED),
        ("failed to move to dead letters", Op.DEAD_FAILED),
        ("receipt rejected, ignored", Op.FAILED),
        ("result ignored", Op.NOTED),
    ],
)
def test_words(text: str, op: Op) -> None:
    assert meaning(text).op is op


def test_the_place_of_a_record_in_a_topic_names_nothing() -> None:
    found = sentence("Record hooks.out-8@49822 (NTF-0336908) handed to executor")
    assert found["delivery"] == "NTF-0336908"
    assert found["text"] == "Record handed to executor"


@pytest.mark.parametrize(
    ("was", "op"), [("retry_scheduled", Op.PURGED), ("delivered", Op.PURGED), (None, Op.NOTED)]
)
def test_what_is_archived_is_deleted_unless_a_row_only_says_how_it_stands(
    was: str | None, op: Op
) -> None:
    kind = Kind("events", None, was, "archived", None, None, "none")
    assert line_of(kind, {}, {}).op is op


# --- columns and words that are seldom filled


def attempts(number: int, *, is_lost: bool) -> Iterator[Row]:
    """One delivery; what a lost one came to stands in a column that few lines have."""
    at, name = BEGIN_S + 40 * number, f"d-{number:05}"
    worker = {"worker": f"w-{number % 3}"}
    yield {"at": at, "event": "accepted", "delivery_id": name, "endpoint_id": f"ep-{number % 8}"}
    yield {"at": at + 1, "event": "job_taken", "delivery_id": name, **worker}
    yield {"at": at + 2, "event": "attempt_started", "delivery_id": name, "attempt": 1, **worker}
    if is_lost:
        yield {"at": at + 30, "event": "lease_lapsed", "delivery_id": name, "attempt": 1}
        told = {"result": "failed", "of": 6}
        yield {"at": at + 30, "event": "delivery_closed", "delivery_id": name, **told}
        return
    ended = {"event": "attempt_ended", "delivery_id": name, "outcome": "ok", "http": 200}
    yield {"at": at + 3, **ended, "attempt": 1, "took_ms": 150, **worker}
    if number % 7 == 3:
        yield {"at": at + 4, "event": "delivery_settled", "delivery_id": name, "of": 6}


def test_an_outcome_in_a_column_of_few_lines_is_read(tmp_path: Path) -> None:
    findings = told(tmp_path, [r for n in range(COUNT) for r in attempts(n, is_lost=n in LOST)])
    assert findings.dropped == len(LOST)
    assert named(findings) == "D7"


def test_a_report_that_few_lines_are_has_a_status_of_its_own() -> None:
    rows: list[Row] = []
    for n in range(COUNT):
        about = {"hook_id": f"d-{n:05}", "ts": BEGIN_S + n}
        lines = ("persisted", "published", "attempt", "noted", "delivered", "acked", "released")
        rows += [about | {"msg": line} for line in lines]
        rows.append(about | {"msg": "answered", "status": 503 if n % 9 == 2 else 200})
        if n % 5 == 0:
            rows.append(about | {"msg": "egress report", "upstream_status": 500})
    assert guess(rows).columns["status"].others == ("upstream_status",)


def test_an_answer_that_could_not_be_read_is_a_failure() -> None:
    why = "error reading a body from connection: connection reset by peer"
    kind = Kind("events", "attempt failed", None, None, None, why, "ok")
    assert line_of(kind, {}, {}).result == -1
    assert line_of(kind._replace(op="response received", reason=None), {}, {}).result == 1


def test_a_column_that_says_why_is_a_reason_whatever_else_is_one() -> None:
    assert min(name_score("reason", name) for name in ("why", "error", "failedReason")) >= 60


def test_a_job_is_of_the_delivery_that_its_arguments_name_under_another_column() -> None:
    rows: list[Row] = []
    for n in range(COUNT):
        name, job, at = f"whd-{n:05}", {"jid": f"{n * 7919:08x}"}, BEGIN_S + n
        rows.append({"at": at, "msg": "webhook stored", "delivery": name})
        rows += [
            {"at": at, "op": op, **job, "args": {"delivery": name}}
            for op in ("enqueue", "lease", "begin")
        ]
        rows += [
            {"at": at, "op": op, **job, "result": {"ok": True, "status": 200 + n % 5}}
            for op in ("ack", "noted")
        ]
    flat_rows = [flat(row) for row in rows]
    columns = guess(flat_rows).columns
    assert "delivery" in columns["delivery"].path
    assert columns["trace"].path == "jid"
    assert columns["status"].path == "result.status"
