"""Deliveries that are called callbacks, and spans, which time each of their lines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("duckdb")
pytest.importorskip("ibis")

from support.whole_log import found

from homing.forensics.habits import Habits, Kind
from homing.forensics.investigation import investigate
from homing.forensics.judging import Verdict, Why
from homing.forensics.letters import reasons_of_attempts, unexplained
from homing.forensics.lives import life, without_lengths_of_takes
from homing.forensics.operations import UNKNOWN, Op, Stand, Word
from homing.forensics.options import Options
from homing.forensics.reading.columns import fits, look
from homing.forensics.reading.guessing import guess
from homing.forensics.reading.lines import flat, text_row
from homing.forensics.reading.sources import Unreadable
from homing.forensics.traces import Step, Trace
from homing.forensics.vocabulary import meaning
from homing.forensics.words import line_of

Row = dict[str, Any]
UUID = "c52dd735-7f65-41a5-aa0b-5a7b1fb1ba1f"
BEGIN_S = 1_780_000_000


def read(text: str) -> Row:
    row = text_row(f"2026-04-20 11:24:06.059 INFO [main] c.p.Worker - {text}")
    assert row is not None
    return row


# --- sentences


@pytest.mark.parametrize(
    ("text", "op"),
    [
        (f"Accepted callback {UUID} type=PAID merchant=M-1 event=611295811", Op.ACCEPTED),
        (f"Published callback {UUID} to callbacks.work", Op.QUEUED),
        (f"Sending callback {UUID} to https://api.shop.example/in (attempt 1/6)", Op.SENT),
        (f"Callback {UUID} delivered, HTTP 200, 452 ms", Op.SUCCEEDED),
    ],
)
def test_a_callback_that_is_named_is_a_delivery(text: str, op: Op) -> None:
    row = read(text)
    assert row["delivery"] == UUID
    assert meaning(row["text"]).op is op


def test_a_sentence_is_about_what_it_names_and_not_about_a_number_beside_it() -> None:
    assert read(f"Accepted webhook {UUID} for event=611295811")["delivery"] == UUID
    assert read("Accepted webhook for event=611295811")["delivery"] == "611295811"


def test_the_key_of_an_attempt_names_its_delivery() -> None:
    row = read(f"Message {UUID}:2 already processed, skipping")
    assert (row["delivery"], row["attempt"]) == (UUID, "2")
    assert read("Message 42:2 already processed")["delivery"] == "42:2"


@pytest.mark.parametrize(
    ("text", "seconds"), [("PT15S", "15"), ("PT1M30S", "90"), ("PT1H", "3600"), ("15 s", "15")]
)
def test_lengths_as_java_writes_them(text: str, seconds: str) -> None:
    assert read(f"Delivery {UUID} failed; next attempt in {text}")["retry_in_s"] == seconds


def test_what_a_receiver_asks_for_is_no_plan() -> None:
    asked = read(f"Delivery {UUID} answered HTTP 503, Retry-After: Sat, 10 May 2025 22:15:29 GMT")
    assert "Retry" not in asked["text"]
    assert asked["status"] == "503"
    assert meaning(read(f"Delivery {UUID} retry after 30 s")["text"]).op is Op.RETRY


def test_how_many_attempts_there_were() -> None:
    row = read(f"Delivery {UUID} exhausted after 6 attempts, routing to dlx")
    assert row["attempt"] == "6"


def test_an_entry_that_its_queue_gives_once_more_is_not_delivered() -> None:
    assert meaning(read(f"Received delivery {UUID} (tag 7, redelivered)")["text"]).result == 0


def test_a_task_that_found_it_locked_has_not_got_it() -> None:
    row = read(f"Task hooks.deliver[{UUID}] succeeded in 0.01s: 'locked'")
    assert meaning(row["text"]).op is Op.SKIPPED


@pytest.mark.parametrize(
    ("text", "op"),
    [
        ("lease.sweep", Op.LAPSED),
        ("delivery in processing since , marked error", Op.LAPSED),
        ("dispatch.settle", Op.UNKNOWN),
        ("dispatch.ready publish", Op.ACCEPTED),
    ],
)
def test_words_of_spans(text: str, op: Op) -> None:
    assert meaning(text).op is op


# --- columns


def test_where_a_line_was_written_is_not_what_happened() -> None:
    rows = [
        {"pod": f"dispatch-worker-{n % 2}", "name": "HTTP POST", "service.name": "dispatch-worker"}
        for n in range(50)
    ]
    seen = look(rows)
    assert not fits("op", seen["pod"])
    assert fits("op", seen["name"])


def test_a_duration_of_a_quarter_of_an_hour_and_more_is_one_in_nanoseconds() -> None:
    def unit(most: int) -> str | None:
        rows = [
            {"time": BEGIN_S + n, "delivery_id": f"d-{n:04}", "status": 200, "duration": most - n}
            for n in range(50)
        ]
        return guess(rows).columns["total_ms"].unit

    assert [unit(most) for most in (20_000, 20_000_000, 20_000_000_000)] == ["ms", "us", "ns"]


# --- lines


def kind(op: str, **told: Any) -> Kind:
    words = {"from_state": None, "to_state": None, "outcome": None, "reason": None}
    return Kind(layout="events", op=op, status="none", **{**words, **told})


def test_what_it_came_to_says_more_than_how_its_lines_behave() -> None:
    learned = {"settle": Word(Op.QUEUED, Stand.WAITING)}
    assert line_of(kind("settle", outcome="retry"), {}, learned).op is Op.RETRY
    assert line_of(kind("settle"), {}, learned).op is Op.QUEUED


def test_what_came_to_nothing_is_closed_and_not_delivered() -> None:
    closed = line_of(kind("result", outcome="noop", to_state="closed"), {}, {})
    assert (closed.op, closed.stand) == (Op.SKIPPED, Stand.GONE)
    left = line_of(kind("not dispatched", to_state="closed", reason="endpoint suspended"), {}, {})
    assert (left.op, left.stand) == (Op.SKIPPED, Stand.GONE)
    assert line_of(kind("result", outcome="ok", to_state="closed"), {}, {}).result > 0


def test_what_its_queue_did_not_take_was_not_queued() -> None:
    closed = kind("queued", reason="channel/connection is not open")
    assert line_of(closed, {}, {}).op is Op.NOT_QUEUED
    assert line_of(kind("queued", reason="HTTP 503"), {}, {}).op is not Op.NOT_QUEUED


def test_a_request_to_delete_it_may_be_a_cancellation() -> None:
    assert line_of(kind("deleted", outcome="cancelled"), {}, {}).op is Op.CANCELLED
    assert line_of(kind("deleted"), {}, {}).op is Op.PURGED


def test_a_dead_letter_may_give_the_reason_of_its_last_attempt() -> None:
    refused, plain = "connect: connection refused", "moved to dead letter"
    tried = reasons_of_attempts([("attempt failed", refused), (plain, "queue is full")])
    about = Habits(unexplained=unexplained([(plain, None, 9)]), tried=tried)
    assert line_of(kind(plain, reason=refused), {}, {}, about).op is Op.DEAD
    assert line_of(kind(plain, reason="queue is full"), {}, {}, about).op is Op.DEAD_FAILED


# --- traces


def step(act: Op, **told: Any) -> Step:
    empty = dict.fromkeys(Step._fields)
    base = {"at_us": 0, "act": act, "stand": Stand.NONE, "before": Stand.NONE, "result": 0}
    return Step(**{**empty, **base, "line": 1, "is_row": False, **told})


def trace(*steps: Step) -> Trace:
    return Trace(
        name="d",
        why=Why.SILENT,
        verdict=Verdict.DROPPED,
        crossings=frozenset(),
        steps=steps,
        of_message=False,
        accepted_us=0,
        endpoint=None,
    )


def test_where_each_turn_is_timed_none_has_failed_by_that() -> None:
    timed = trace(step(Op.ACCEPTED), step(Op.CLAIMED, stand=Stand.LEASED, total_us=5_000))
    bare = trace(step(Op.ACCEPTED), step(Op.CLAIMED, stand=Stand.LEASED))
    (alone,), _ = without_lengths_of_takes([timed], [timed])
    assert life(alone).failures == []
    (beside,), _ = without_lengths_of_takes([timed], [bare, bare])
    assert life(beside).failures == [1]
    assert UNKNOWN.op is Op.UNKNOWN


# --- whole logs


def of_spans(number: int) -> Iterator[Row]:
    """An attempt is a span of its own; each tenth was taken by a worker that died."""
    begun = BEGIN_S + 20.0 * number
    about = {"attributes": {"dispatch.id": f"{number:08x}-7f65-41a5-aa0b-5a7b1fb1ba1f"}}

    def span(name: str, after: float, **attributes: Any) -> Row:
        signed = {"worker.id": f"w-{number % 3}"} if "attempt" in attributes else {}
        own = {**about["attributes"], **signed, **attributes}
        at = begun + after
        return {"time": at, "name": name, "attributes": own, "took": 4_000_000}

    yield span("POST /v2/events", 0, **{"http.status_code": 202})
    yield span("dispatch.ready publish", 0.5)
    yield span("dispatch.ready receive", 0.6, attempt=1)
    if number % 10 == 4:
        return
    yield span("resolve endpoint", 0.7)
    yield span("HTTP POST", 0.8, attempt=1, **{"http.status_code": 200})
    yield span("dispatch.settle", 1.0, attempt=1, outcome="succeeded")


def test_spans_are_told_by_their_names(tmp_path: Path) -> None:
    rows = [row for n in range(300) for row in of_spans(n)]
    assert guess([flat(row) for row in rows]).columns["op"].path == "name"
    findings = found(tmp_path, rows)
    assert findings.books[Verdict.DROPPED] == 30
    assert findings.hypothesis.mechanism == "D4"
    assert findings.events.words["resolve endpoint"] == "noted"


CHATTER = "[2026-05-01 {time},000: INFO/MainProcess] Scheduler: Sending due task requeue-stuck"


def test_a_file_that_says_the_same_over_and_over_is_left_out(tmp_path: Path) -> None:
    lines = []
    for n in range(300):
        clock = f"{n // 60:02}:{n % 60:02}"
        head = f"2026-05-01 {clock}"
        lines += [
            f"{head}:01,000 INFO delivery {70_000 + n} accepted",
            f"{head}:02,000 INFO delivery {70_000 + n} attempt 1 POST https://a.example/in",
            f"{head}:03,000 INFO delivery {70_000 + n} attempt 1 -> 200 in 0.5s, delivered",
        ]
    (tmp_path / "worker.log").write_text("\n".join(lines) + "\n")
    ticks = (CHATTER.format(time=f"{n // 60:02}:{n % 60:02}:30") for n in range(300))
    (tmp_path / "beat.log").write_text("\n".join(ticks) + "\n")
    findings = investigate([str(tmp_path / "*.log")], Options(folder=str(tmp_path)))
    assert (findings.accepted, findings.dropped) == (300, 0)
    assert [Path(one).name for one in findings.raw.nameless] == ["beat.log"]


def test_what_is_delivered_before_anybody_has_taken_it_was_misread(tmp_path: Path) -> None:
    def rows(is_told: bool) -> Iterator[Row]:
        for number in range(300):
            begun, name = BEGIN_S + 20.0 * number, f"d-{number:05}"
            words = ["accepted", "claimed", "sent"]
            words.insert(4 if is_told else 1, "delivered")
            for after, word in enumerate(words):
                said = {"status": 200} if word == "delivered" else {}
                yield {"time": begun + after, "delivery_id": name, "event": word, **said}

    with pytest.raises(Unreadable, match="300 of 300 deliveries would be delivered before anybody"):
        found(tmp_path, rows(is_told=False))
    assert found(tmp_path, rows(is_told=True)).books[Verdict.DELIVERED] == 300
