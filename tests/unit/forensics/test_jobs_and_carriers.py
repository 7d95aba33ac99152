"""What carries a delivery, such as a job, is none itself; and rows that are of a turn."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.tables import write_table

pytest.importorskip("duckdb")
pytest.importorskip("ibis")

from support.whole_log import found

from homing.forensics.habits import Habits, Kind
from homing.forensics.investigation import investigate
from homing.forensics.judging import Verdict
from homing.forensics.letters import unexplained
from homing.forensics.machines import MACHINES
from homing.forensics.operations import Op, Stand
from homing.forensics.options import Options
from homing.forensics.reading.guessing import guess
from homing.forensics.reading.lines import flat, text_row
from homing.forensics.vocabulary import meaning
from homing.forensics.words import line_of

Row = dict[str, Any]
COUNT = 200
BEGIN_S = 1_780_000_000


# --- rows that name what most rows name, by a column of their own


def of_jobs(number: int) -> Iterator[Row]:
    at, name, job = BEGIN_S + 30.0 * number, 400_000 + number, f"{number:08x}-2ddb-44ae-bb27-10c0"
    tagged = {"tags": {"job_id": job}}
    yield {"time": at, "event": "Delivery recorded", "data": {"delivery_id": name}}
    yield {
        "time": at + 1,
        "event": "Enqueued job",
        "data": {"job_id": job, "delivery_id": name},
        **tagged,
    }
    yield {"time": at + 2, "event": "Performing job", "data": {"job_id": job}, **tagged}
    yield {
        "time": at + 3,
        "event": "Sending",
        "data": {"delivery_id": name, "attempt": 1},
        **tagged,
    }
    if number % 20 == 7:  # the row of its end names the job by the other column alone
        yield {"time": at + 4, "event": "Job failed: lock expired", "data": {"job_id": job}}
        return
    result = {"delivery_id": name, "attempt": 1, "response": {"status": 202 if number % 3 else 200}}
    yield {"time": at + 4, "event": "Delivered", "data": result, **tagged}
    yield {"time": at + 5, "event": "Performed job", "data": {"job_id": job}, **tagged}
    if number % 9 == 1:
        told = {"delivery_id": name, "outcome": "delivered"}
        yield {"time": at + 6, "event": "Callback", "data": {"status": 204, "params": told}}


def test_the_same_names_in_another_column_are_of_the_same_things(tmp_path: Path) -> None:
    rows = [row for n in range(COUNT) for row in of_jobs(n)]
    columns = guess([flat(row) for row in rows]).columns
    assert columns["delivery"].path == "data.delivery_id"
    assert columns["delivery"].others == ("data.params.delivery_id",)
    trace = columns["trace"]
    assert {str(trace.path), *map(str, trace.others)} == {"tags.job_id", "data.job_id"}
    findings = found(tmp_path, rows)
    assert findings.books == {Verdict.DELIVERED: COUNT * 19 // 20, Verdict.DROPPED: COUNT // 20}
    assert findings.hypothesis.mechanism == "D7"


def test_what_a_receiver_answered_comes_before_what_the_service_did() -> None:
    rows: list[Row] = []
    for n in range(COUNT):
        both = {"delivery_id": f"dlv_{n:08x}", "time": BEGIN_S + n}
        rows.append({**both, "event": "attempt", "data.response.status": 503 if n % 4 else 200})
        rows.append({**both, "event": "callback", "data.status": 204, "data.upstream_status": 502})
    columns = guess(rows).columns
    assert [columns["status"].path, *columns["status"].others][:2] == [
        "data.response.status",
        "data.upstream_status",
    ]


# --- who is a person


@pytest.mark.parametrize(
    ("name", "is_machine"),
    [
        ("support+amrita@kettleandco.example", False),
        ("p.littleton", False),
        ("ttl-job", True),
        ("row_ttl", True),
    ],
)
def test_three_letters_within_a_name_make_no_machine(name: str, *, is_machine: bool) -> None:
    assert (re.search(MACHINES, name) is not None) == is_machine


# --- words and lines


@pytest.mark.parametrize(
    ("text", "op"),
    [
        ("WebhookDeadLetter not saved", Op.DEAD_FAILED),
        ("dead letter could not be stored", Op.DEAD_FAILED),
        ("dead-letter topic not reachable", Op.DEAD_FAILED),
        ("DLQ unavailable", Op.DEAD_FAILED),
        ("dead letter write timed out", Op.DEAD_FAILED),
        ("moved to dead letters: 503 service unavailable", Op.DEAD),
        ("Delivery stored as dead letter (rejected)", Op.DEAD),
        ("Delivery moved to failure transport", Op.DEAD),
        ("Removing from transport after 5 retries", Op.EXHAUSTED),
        ("was handled successfully (acknowledging to transport)", Op.SUCCEEDED),
        ("pending entry expired", Op.LAPSED),
        ("Receiver asked to wait", Op.RETRY),
        ("receiver unreachable", Op.FAILED),
        ("Delivery does not exist, nothing to send", Op.PURGED),
        ("delivery not found", Op.PURGED),
        ("row not found, skipping", Op.PURGED),
        ("endpoint not found, skipping", Op.DISCARDED),
        ("delivery is not due", Op.QUEUED),
    ],
)
def test_words_of_services(text: str, op: Op) -> None:
    assert meaning(text).op is op


def test_a_text_in_quotation_marks_may_stand_before_the_object() -> None:
    line = (
        '[2026-05-28T07:13:33.437+01:00] http_client.INFO: Response: "204 https://a.example/hook" '
        '{"http_code":204} {"worker":"webhooks_04","pid":57446}'
    )
    row = text_row(line)
    assert row is not None
    assert (row["worker"], row["pid"], row.get("delivery")) == ("webhooks_04", 57446, None)


def test_the_code_of_a_database_names_nothing() -> None:
    row = text_row("2026-05-28T07:13:33Z ERROR query failed: SQLSTATE[HY000] server has gone away")
    assert row is not None
    assert "HY000" not in row.values()


# --- a turn that is told in one row


def meant(op: str, outcome: str | None, state: str | None = None, reason: str | None = None) -> Op:
    kind = Kind("events", op, None, state, outcome, reason, "none")
    return line_of(kind, {}, {}).op


@pytest.mark.parametrize(
    ("op", "outcome", "found_op"),
    [
        ("worker.claim", None, Op.CLAIMED),
        ("worker.claim", "already_final", Op.SKIPPED),
        ("worker.claim", "lease_lost", Op.NOTED),
        ("scheduler.release", "row_not_found", Op.PURGED),
        ("scheduler.release", "not_waiting", Op.RELEASED),
        ("reaper.expire", "stalled", Op.LAPSED),
    ],
)
def test_the_outcome_says_what_a_row_that_is_of_a_whole_turn_came_to(
    op: str, outcome: str | None, found_op: Op
) -> None:
    assert meant(op, outcome) is found_op


def test_what_was_deleted_is_not_delivered_because_it_is_closed() -> None:
    kind = Kind("events", "payload not found", None, "closed", None, None, "none")
    assert line_of(kind, {}, {})[:2] == (Op.PURGED, Stand.GONE)


@pytest.mark.parametrize(("plain", "op"), [(9, Op.DEAD_FAILED), (1, Op.DEAD)])
def test_where_dead_letters_give_no_reason_one_that_does_was_not_stored(plain: int, op: Op) -> None:
    bare = Kind("events", "dlq.publish", None, None, None, None, "none")
    odd = bare._replace(reason="channel closed by peer: 504 CHANNEL_ERROR")
    about = Habits(unexplained=unexplained([(bare.op, None, plain), (odd.op, odd.reason, 3)]))
    assert line_of(bare, {}, {}, about).op is Op.DEAD
    assert line_of(odd, {}, {}, about).op is op


# --- names of columns that differ by their case alone


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_columns_whose_names_differ_by_case_are_two(form: str, tmp_path: Path) -> None:
    header = ("delivery_id", "ts", "event", "STATUS", "status")
    rows = [
        (f"dlv_{n:06}", BEGIN_S + n, event, "ok", "200" if event == "delivered" else None)
        for n in range(COUNT)
        for event in ("accepted", "delivered")
    ]
    path = tmp_path / f"log.{form}"
    if form == "csv":
        write_table(path, ",".join(header), rows)
    else:
        path.write_text("".join(json.dumps(dict(zip(header, r, strict=True))) + "\n" for r in rows))
    assert investigate([str(path)], Options(folder=str(tmp_path))).books == {
        Verdict.DELIVERED: COUNT
    }
