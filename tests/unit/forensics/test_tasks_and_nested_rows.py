"""Logs whose lines call a delivery by its task, and exports whose rows hold their attempts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("duckdb")
pytest.importorskip("ibis")

from homing.forensics.investigation import Findings, investigate
from homing.forensics.operations import Op
from homing.forensics.options import Options
from homing.forensics.reading.lines import text_row
from homing.forensics.vocabulary import meaning

COUNT = 60
LOST = {7, 23, 41}
FIRST = 70_500


def task(number: int, attempt: int = 1) -> str:
    return f"{number:08x}-0000-4000-8000-{attempt:012x}"


def said(line: str) -> dict[str, Any]:
    found = text_row(f"[2026-10-06 20:48:07,688: INFO/ForkPoolWorker-3] {line}")
    assert found is not None
    return found


def investigated(folder: Path) -> Findings:
    names = sorted(str(path) for path in folder.iterdir())
    return investigate(names, Options(drops=folder / "drops.txt"))


@pytest.mark.parametrize(
    ("value", "op"),
    [
        ("'delivered'", Op.SUCCEEDED),
        ("'retrying until 2026-10-06T21:00:33+00:00'", Op.RETRY),
        ("'held'", Op.PARKED),
        ("None", Op.SUCCEEDED),
    ],
)
def test_what_a_task_gave_back_says_how_its_turn_ended(value: str, op: Op) -> None:
    row = said(f"Task shop.tasks.deliver[{task(1)}] succeeded in 0.2s: {value}")
    assert row["task_id"] == task(1)
    assert meaning(row["text"]).op is op


def test_a_call_that_hands_over_to_a_queue_names_its_delivery() -> None:
    row = said("on_commit: deliver.delay(42) failed: OperationalError: Connection refused")
    assert row["delivery"] == "42"
    assert meaning(row["text"]).op is Op.NOT_QUEUED


def test_a_change_of_state_in_a_sentence_is_one() -> None:
    row = said("reap_stalled: delivery=42 no heartbeat from worker, state sending -> failed")
    assert (row["from_state"], row["to_state"]) == ("sending", "failed")
    assert "to_state" not in said("delivery=42 no heartbeat from worker, returned to queue")


def test_a_job_of_a_killed_process_is_no_delivery() -> None:
    assert "delivery" not in said("Worker exited prematurely: signal 9 (SIGKILL) Job: 12.")
    assert said("delivering Job: 12 now")["delivery"] == "12"


@pytest.mark.parametrize(
    ("words", "op"),
    [
        ("no heartbeat from", Op.LAPSED),
        ("heartbeat sent", Op.NOTED),
        ("Restoring unacknowledged message", Op.RELEASED),
        ("row does not exist", Op.PURGED),
        ("event.retry_requested", Op.RESUMED),
        ("retry scheduled", Op.RETRY),
        ("lock expired during request, save and release", Op.WRITTEN),
        ("lock expired", Op.LAPSED),
        ("dead letter insert: value too long", Op.DEAD_FAILED),
        ("dead letter insert", Op.DEAD),
    ],
)
def test_words_of_queues(words: str, op: Op) -> None:
    assert meaning(words).op is op


def tasks_of_a_host(number: int, *, is_lost: bool) -> list[str]:
    """The lines of a delivery that fails once; a lost one is not tried again."""
    at = f"2026-10-06 {10 + number // 60:02}:{number % 60:02}"
    name, pool = f"shop.tasks.deliver[{task(number)}]", "ForkPoolWorker-1"
    called = f"delivery={number + FIRST}"
    lines = [
        f"[{at}:01,000: INFO/MainProcess] Task {name} received",
        f"[{at}:01,100: INFO/{pool}] {name}: {called} attempt=1 POST https://a.example",
        f"[{at}:01,200: WARNING/{pool}] {name}: {called} attempt=1 status=503 elapsed=0.1",
        f"[{at}:01,200: INFO/{pool}] Task {name} succeeded in 0.2s: 'retrying'",
    ]
    if is_lost:
        return lines
    again = f"shop.tasks.deliver[{task(number, 2)}]"
    return [
        *lines,
        f"[{at}:11,000: INFO/ForkPoolWorker-2] shop.tasks.due: queued {again} {called}",
        f"[{at}:11,100: INFO/MainProcess] Task {again} received",
        f"[{at}:11,200: INFO/{pool}] {again}: {called} attempt=2 POST https://a.example",
        f"[{at}:11,300: INFO/{pool}] {again}: {called} attempt=2 status=200 elapsed=0.1",
        f"[{at}:11,300: INFO/{pool}] Task {again} succeeded in 0.2s: 'delivered'",
    ]


def test_lines_that_name_a_task_are_of_its_delivery(tmp_path: Path) -> None:
    hosts: dict[int, list[str]] = {0: [], 1: []}
    web = []
    for number in range(COUNT):
        at = f"2026-10-06 {10 + number // 60:02}:{number % 60:02}:00"
        web.append(f"{at},000 INFO [api] POST /v1/events 202 delivery={number + FIRST} took=4ms")
        called = f"shop.tasks.deliver[{task(number)}] delivery={number + FIRST}"
        web.append(f"{at},100 INFO [api] queued {called}")
        hosts[number % 2] += tasks_of_a_host(number, is_lost=number in LOST)
    (tmp_path / "web.log").write_text("\n".join(web) + "\n")
    beat = [
        f"[2026-10-06 10:{n:02}:30,000: INFO/MainProcess] Sending due task due" for n in range(60)
    ]
    (tmp_path / "beat.log").write_text("\n".join(beat) + "\n")
    for host, lines in hosts.items():
        (tmp_path / f"worker-{host}.log").write_text("\n".join(lines) + "\n")
    found = investigated(tmp_path)
    assert found.raw.nameless == [str(tmp_path / "beat.log")]
    drops = (tmp_path / "drops.txt").read_text().split()
    assert {int(name) for name in drops} == {number + FIRST for number in LOST}
    assert sum(found.books.values()) == COUNT


def event(number: int, *, is_lost: bool) -> dict[str, Any]:
    """A row of an API with its attempts; a lost one was begun, and its attempt has no end."""
    at = f"2026-10-06T{10 + number // 60:02}:{number % 60:02}"
    attempts: list[dict[str, Any]] = [
        {
            "id": f"atm_{number}_1",
            "attempt_number": 1,
            "status": "FAILED",
            "requested_at": f"{at}:01Z",
            "responded_at": f"{at}:02Z",
            "response_status": 503,
        },
        {
            "id": f"atm_{number}_2",
            "attempt_number": 2,
            "status": "IN_PROGRESS" if is_lost else "SUCCESSFUL",
            "requested_at": f"{at}:11Z",
            "responded_at": None if is_lost else f"{at}:12Z",
            "response_status": None if is_lost else 200,
        },
    ]
    return {
        "id": f"evt_{number:06}",
        "destination_id": f"des_{number % 5}",
        "status": "IN_PROGRESS" if is_lost else "SUCCESSFUL",
        "attempt_count": 1 if is_lost else 2,
        "created_at": f"{at}:00Z",
        "queued_at": f"{at}:00.5Z",
        "updated_at": f"{at}:{11 if is_lost else 12}Z",
        "attempts": attempts,
    }


def test_attempts_within_the_rows_of_an_export_are_read(tmp_path: Path) -> None:
    rows = [event(number, is_lost=number in LOST) for number in range(COUNT)]
    (tmp_path / "events.json").write_text(json.dumps(rows[::-1]))
    found = investigated(tmp_path)
    inner = found.raw.mappings[f"{tmp_path / 'events.json'}:attempts"]
    assert inner.layout == "attempts"
    assert {Op.QUEUED, Op.SENT, Op.FAILED, Op.SUCCEEDED} <= found.log.ops
    assert len((tmp_path / "drops.txt").read_text().split()) == len(LOST)


def test_lists_that_are_no_rows_of_deliveries_are_left(tmp_path: Path) -> None:
    rows = [event(number, is_lost=False) for number in range(COUNT)]
    for row in rows:
        row["attempts"] = [{"name": "accept", "value": "text"}]
    (tmp_path / "events.json").write_text(json.dumps(rows))
    assert list(investigated(tmp_path).raw.mappings) == [str(tmp_path / "events.json")]


def test_what_a_person_tries_again_is_no_sign_of_how_often_the_machine_does(tmp_path: Path) -> None:
    rows = []
    for number in range(COUNT):
        minute = f"2026-10-06T{10 + number // 60:02}:{number % 60:02}"
        told = {"delivery_id": f"dlv_{number:05}", "endpoint": f"ep_{number % 3}"}
        rows.append(told | {"at": f"{minute}:00Z", "event": "accepted"})
        for attempt in (1, 2, 3):
            failed = {"event": "attempt failed", "attempt": attempt, "status": 503}
            rows.append(told | {"at": f"{minute}:0{attempt}Z"} | failed)
        rows.append(told | {"at": f"{minute}:04Z", "event": "moved to dead letters", "attempt": 3})
        if number % 3 == 0:
            rows.append(told | {"at": f"{minute}:30Z", "event": "replayed", "actor": "ana"})
            failed = {"event": "attempt failed", "attempt": 4, "status": 503}
            rows.append(told | {"at": f"{minute}:31Z"} | failed)
            rows.append(
                told | {"at": f"{minute}:32Z", "event": "moved to dead letters", "attempt": 4}
            )
    text = "\n".join(map(json.dumps, sorted(rows, key=lambda row: row["at"])))
    (tmp_path / "log.jsonl").write_text(text + "\n")
    found = investigated(tmp_path)
    assert found.dropped == 0
    assert (found.context.attempts_max, found.context.limits) == (3, (3,))


def test_a_status_after_which_it_is_put_off_is_not_the_end(tmp_path: Path) -> None:
    rows = []
    for number in range(COUNT):
        minute = f"2026-10-06T{10 + number // 60:02}:{number % 60:02}"
        told = {"delivery_id": f"dlv_{number:05}", "endpoint": f"ep_{number % 3}"}
        status = 429 if number % 4 == 1 else 503
        lines: list[dict[str, Any]] = [
            {"event": "accepted"},
            {"event": "attempt failed", "attempt": 1, "status": status},
            {"event": "rate limited" if status == 429 else "retry scheduled"},
            {"event": "attempt succeeded", "attempt": 2, "status": 200},
        ]
        for second, line in enumerate(lines[: 3 if number in {9, 21, 33} else 4]):
            rows.append(told | {"at": f"{minute}:{10 * second:02}Z"} | line)
    text = "\n".join(map(json.dumps, rows))
    (tmp_path / "log.jsonl").write_text(text + "\n")
    found = investigated(tmp_path)
    assert found.context.permanent == ()
    assert found.dropped == 3
