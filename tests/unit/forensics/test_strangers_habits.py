"""Habits of other people's logs that were misread once: each a small log, or one column of it."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("duckdb")
pytest.importorskip("ibis")

from homing.forensics.change import Window, find
from homing.forensics.document import document
from homing.forensics.habits import Kind
from homing.forensics.investigation import investigate
from homing.forensics.operations import Op
from homing.forensics.options import Options
from homing.forensics.reading.guessing import guess
from homing.forensics.reading.sources import Unreadable, look_at
from homing.forensics.vocabulary import meaning
from homing.forensics.words import line_of

BEGIN_S = 1_780_000_000.0
DELIVERIES = 400
ATTEMPTS_MAX = 4

Row = dict[str, Any]


def iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")


def job(draw: random.Random, number: int, at: float, *, is_lost: bool) -> Iterator[Row]:
    """A job of a queue that says `retried` of a failure, and `failed` of the last one."""
    name = f"job-{number:04}"
    yield {"uuid": name, "type": "task-sent", "timestamp": at, "retries": 0}
    for retries in range(ATTEMPTS_MAX):
        at += draw.uniform(0.1, 2)
        shared = {"uuid": name, "retries": retries, "hostname": f"w{draw.randint(1, 3)}"}
        yield shared | {"type": "task-started", "timestamp": at}
        at += draw.uniform(0.1, 1)
        is_bad = is_lost or number % 20 == 0 or draw.random() < 0.1
        if not is_bad:
            yield shared | {"type": "task-succeeded", "timestamp": at}
            return
        if retries == ATTEMPTS_MAX - 1:
            yield shared | {"type": "task-failed", "timestamp": at, "exception": "HTTP 503"}
            return
        eta = at + 30 * 2**retries
        told = {"type": "task-retried", "timestamp": at, "exception": "HTTP 503", "eta": iso(eta)}
        yield shared | told
        if is_lost:
            return
        at = eta


def jobs(lost: int) -> list[Row]:
    draw = random.Random(11)
    rows: list[Row] = []
    for number in range(DELIVERIES):
        is_lost = lost > 0 and number > 100 and number % (250 // lost) == 3
        rows += job(draw, number, BEGIN_S + 60 * number, is_lost=is_lost)
    rows.sort(key=lambda row: float(row["timestamp"]))
    return [row | {"clock": 1_000 + i} for i, row in enumerate(rows)]


def findings(rows: list[Row], folder: Path, name: str = "log.jsonl") -> dict[str, Any]:
    path = folder / name
    text = "".join(json.dumps(row) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(text)[:-2_000] if name.endswith(".gz") else text)
    return document(investigate([str(path)], Options(folder=str(folder))))


def test_a_failure_that_only_a_retry_or_an_end_tells_is_no_drop(tmp_path: Path) -> None:
    found = findings(jobs(0), tmp_path)
    assert (found["accepted"], found["dropped"]) == (DELIVERIES, 0)
    assert found["books"]["dead"] >= DELIVERIES // 20


def test_a_retry_that_nobody_makes_is_seen_where_failures_have_no_lines(tmp_path: Path) -> None:
    rows = jobs(25)
    last = {row["uuid"]: row["type"] for row in rows}
    found = findings(rows, tmp_path)
    assert found["dropped"] == sum(kind == "task-retried" for kind in last.values()) > 10
    assert found["hypothesis"]["mechanism"] == "D1"


def test_a_counter_is_not_the_time_of_a_row_nor_a_due_time() -> None:
    columns = guess(jobs(0)).columns
    assert (columns["at"].path, columns["due"].path) == ("timestamp", "eta")
    assert columns["worker"].path == "hostname"


def test_a_time_that_looks_forward_is_when_it_is_due() -> None:
    rows = [
        {"jid": f"j{n // 2}", "event": word, "ts": iso(BEGIN_S + n)}
        | ({"at": iso(BEGIN_S + n + 60)} if n % 10 == 0 else {})
        for n in range(200)
        for word in [("start", "done")[n % 2]]
    ]
    columns = guess(rows).columns
    assert (columns["at"].path, columns["due"].path) == ("ts", "at")


def test_one_number_in_all_rows_is_the_limit_of_attempts() -> None:
    rows = [
        {"jobId": n // 3, "event": "active", "ts": iso(BEGIN_S + n), "attemptsMade": n % 3 + 1}
        | {"opts": {"attempts": 5}}
        for n in range(90)
    ]
    columns = guess([row | {"opts.attempts": 5} for row in rows]).columns
    assert (columns["attempt"].path, columns["max_attempts"].path) == (
        "attemptsMade",
        "opts.attempts",
    )


def test_requests_alone_do_not_say_who_took_a_retry(tmp_path: Path) -> None:
    draw = random.Random(5)
    rows = []
    for number in range(DELIVERIES):
        at, is_lost = BEGIN_S + 60 * number, number > 150 and number % 20 == 3
        for attempt in range(1, ATTEMPTS_MAX + 1):
            is_bad = is_lost or draw.random() < 0.15
            rows.append(
                {"event_id": number, "endpoint_id": f"e{number % 5}", "attempt": attempt}
                | {"attempted_at": iso(at), "status": 503 if is_bad else 200}
                | ({"next_attempt_at": iso(at + 30)} if is_bad else {})
            )
            if is_lost or not is_bad:
                break
            at += 30 + draw.random()
    rows.sort(key=lambda row: str(row["attempted_at"]))
    one = findings(rows, tmp_path)["hypothesis"]
    assert one["mechanism"] is None
    assert {"D1", "D4", "D7", "D8"} <= {each["mechanism"] for each in one["candidates"]}


def test_a_list_of_events_says_that_it_tells_of_no_attempt(tmp_path: Path) -> None:
    rows = [
        {"id": f"evt_{n}", "created": int(BEGIN_S) + 60 * n, "type": "charge.succeeded"}
        | {"pending_webhooks": int(n > 150 and n % 20 == 3)}
        for n in range(DELIVERIES)
    ]
    one = findings(rows, tmp_path)["hypothesis"]
    assert one["mechanism"] is None
    assert "the log has no line for an attempt" in one["sentence"]
    assert {"D1", "D2", "D3", "D12"} <= {each["mechanism"] for each in one["candidates"]}


def test_a_packed_log_that_is_cut_off_is_read_up_to_there(tmp_path: Path) -> None:
    found = findings(jobs(0), tmp_path, "log.jsonl.gz")
    assert 10 < found["accepted"] < DELIVERIES
    assert "cannot be unpacked" in found["damaged"][-1]


def test_a_log_of_one_row_is_too_young_to_judge(tmp_path: Path) -> None:
    found = findings(jobs(0)[:1], tmp_path)
    assert (found["accepted"], found["dropped"]) == (1, 0)


def test_a_field_of_a_megabyte_is_read(tmp_path: Path) -> None:
    rows = jobs(0)
    rows[7]["exception"] = "x" * 1_000_000
    assert findings(rows, tmp_path)["accepted"] == DELIVERIES


def test_numbers_that_are_none_are_nothing(tmp_path: Path) -> None:
    rows = [{"took": float("nan"), "status": float("nan")} | row for row in jobs(0)]
    found = findings(rows, tmp_path)
    assert (found["accepted"], found["dropped"], found["damaged_rows"]) == (DELIVERIES, 0, 0)


def test_utf_16_is_named(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes("id,at\n1,2\n".encode("utf-16"))
    with pytest.raises(Unreadable, match="expected UTF-8; found UTF-16"):
        look_at(str(path))


def test_a_dead_letter_is_one_whatever_it_was_made_for() -> None:
    assert meaning("giving up, moved to dead letter queue (max attempts reached)").op is Op.DEAD
    assert meaning("max attempts reached").op is Op.EXHAUSTED


def test_what_a_person_deletes_is_withdrawn() -> None:
    assert meaning("deleted by user").op is Op.CANCELLED
    assert meaning("deleted by cleanup").op is Op.PURGED
    kind = Kind("events", "removed", None, None, None, "removed by admin", "none")
    assert line_of(kind, {}, {}).op is Op.CANCELLED


def test_a_few_drops_before_an_outage_are_the_beginning() -> None:
    """A fault that failures set off shows seldom until receivers fail often."""
    series = [Window(n * 1_000, 10, 0) for n in range(40)]
    series += [Window(n * 1_000, 10, int(n % 20 == 0)) for n in range(40, 120)]
    series += [Window(n * 1_000, 10, 5) for n in range(120, 130)]
    drops = [w.start_us for w in series for _ in range(w.dropped)]
    since = find(series, drops)
    assert since is not None
    assert since.is_change
    assert (since.at_us, since.low_us < 40_000) == (40_000, True)
