"""Rows that were moved to an archive, jobs that name deliveries in lists of numbers, due times in
notes, and spans of whole turns."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("duckdb")
pytest.importorskip("ibis")

from support.dropped import make_dropped, make_step
from support.whole_log import books

from homing.forensics.document import document
from homing.forensics.facts import LogFacts
from homing.forensics.investigation import Findings, investigate
from homing.forensics.judging import Verdict, Why
from homing.forensics.mechanisms import recognise
from homing.forensics.operations import Op
from homing.forensics.options import Options
from homing.forensics.passing import names_endpoint
from homing.forensics.reading.archives import archives
from homing.forensics.reading.joining import joined
from homing.forensics.reading.mapping import Column, Mapping
from homing.forensics.reading.references import links
from homing.forensics.vocabulary import meaning
from homing.forensics.words import is_in_progress

Row = dict[str, Any]
BEGIN_S = 1_780_000_000
COUNT = 240
LOST = frozenset(range(7, COUNT - 60, 18))
CANCELLED = frozenset({50, 51, 90, 91, 150, 152})
FLAKY = frozenset(range(3, COUNT, 6)) - LOST - CANCELLED
FIRST = 584_000


def time_of(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def mechanism(findings: Findings) -> str | None:
    assert findings.hypothesis is not None
    return findings.hypothesis.mechanism


def write_lines(path: Path, rows: Iterable[tuple[float, Row]]) -> str:
    in_order = sorted(rows, key=lambda one: one[0])
    lines = (json.dumps({"ts": time_of(at)} | row) for at, row in in_order)
    path.write_text("".join(line + "\n" for line in lines))
    return str(path)


# --- archives


def write_table(path: Path, rows: Sequence[Row]) -> str:
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    return str(path)


def tables(folder: Path, *, lost: bool) -> list[str]:
    """Events, deliveries that are not done, those that are and were moved, and requests."""
    events, kept, moved, attempts = [], [], [], []
    for n in range(COUNT):
        at, name = BEGIN_S + 60.0 * n, 12_000 + n
        events.append({"id": 50_000 + n // 2, "type": "order.paid", "created_at": time_of(at)})
        about = {"id": name, "event_id": 50_000 + n // 2, "endpoint_id": 11 + n % 7}
        is_lost, ended = lost and n in LOST, time_of(at + 1)
        state = "pending" if is_lost else "dead" if n in FLAKY else "delivered"
        row = about | {"state": state, "attempt_count": 0 if is_lost else 1}
        row |= {"created_at": time_of(at), "finished_at": "" if is_lost else ended}
        if state == "delivered":
            moved.append(row | {"archived_at": time_of(at + 40_000)})
        else:
            kept.append(row)
        if not is_lost:
            status = 410 if state == "dead" else 200
            began = {"started_at": time_of(at + 0.5), "finished_at": ended, "http_status": status}
            attempts.append({"id": n + 1, "delivery_id": name, "attempt_no": 1} | began)
    every = {"events": events[::2], "deliveries": kept, "deliveries_archive": moved}
    every |= {"attempts": attempts}
    return [write_table(folder / f"{name}.csv", rows) for name, rows in every.items()]


@pytest.mark.parametrize("lost", [False, True])
def test_a_table_and_its_archive_are_one(tmp_path: Path, lost: bool) -> None:
    findings = investigate(tables(tmp_path, lost=lost), Options(folder=str(tmp_path)))
    hits = len(LOST) if lost else 0
    dead = len(FLAKY)
    want = {Verdict.DELIVERED: COUNT - dead - hits, Verdict.DEAD: dead, Verdict.DROPPED: hits}
    assert books(findings) == {verdict: n for verdict, n in want.items() if n}


def _mapping(*fields: str) -> Mapping:
    return Mapping(layout="deliveries", columns={field: Column(path=field) for field in fields})


def _rows(names: range, *more: str) -> list[Row]:
    about = {"event_id": 7, "state": "done", "created_at": "2026-01-01"}
    return [{"id": n} | about | dict.fromkeys(more, "2026-01-02") for n in names]


@pytest.mark.parametrize(
    ("names", "more", "found"),
    [
        (range(60, 90), ("archived_at",), {"old": "now"}),
        (range(40, 90), ("archived_at",), {}),  # copies of some that are there
        (range(60, 90), ("archived_at", "a", "b"), {}),  # another table
    ],
)
def test_an_archive_has_its_tables_columns_and_none_of_its_rows(
    names: range, more: tuple[str, ...], found: dict[str, str]
) -> None:
    mappings = {"old": _mapping("delivery", "removed_at"), "now": _mapping("delivery")}
    assert archives(mappings, {"old": _rows(names, *more), "now": _rows(range(60))}) == found
    alike = dict.fromkeys(("old", "now"), mappings["old"])
    assert archives(alike, {"old": _rows(names, *more), "now": _rows(range(60))}) == {}


# --- lists of numbers


def rails(fault: str) -> tuple[list[tuple[float, Row]], list[tuple[float, Row]]]:
    """Lines of web processes and of workers, whose jobs name a delivery by their arguments."""
    web: list[tuple[float, Row]] = []
    work: list[tuple[float, Row]] = []
    for n in range(COUNT):
        at, name = BEGIN_S + 60.0 * n, FIRST + n
        proc, job = {"proc": f"web.{n % 2}"}, {"class": "DeliverJob", "args": [name]}
        created = {"event": "event.created", "event_id": f"evt_{n:08}", "deliveries": [name]}
        web.append((at, proc | created))
        if n in LOST and fault == "D3":
            continue
        web.append((at + 0.01, proc | {"event": "job.enqueued"} | job))
        by = {"proc": f"worker.{n % 3}"} | job
        turn = at + 0.05
        for attempt in (1, 2):
            is_bad = n in CANCELLED or (n in FLAKY and attempt == 1)
            is_dead = n in LOST and fault == "D8"
            work.append((turn, by | {"msg": "start"}))
            if is_dead and attempt == 1:
                scheduler = {"proc": "scheduler.1", "event": "superfetch.recovered"}
                work.append((turn + 60, scheduler | {"args": [name]}))
                turn += 60.001
                continue
            if not is_dead:
                word = "webhook.error" if is_bad else "webhook.response"
                told = {"delivery_id": name, "endpoint_id": n % 7, "attempt": attempt}
                error = {"error_class": "ReadTimeout"} if is_bad else {"status": 200}
                work.append((turn + 0.2, by | {"event": word} | told | error))
                end: Row = {"event": "delivery.delivered", "delivery_id": name}
                if is_bad:
                    due = {"next_attempt_at": time_of(turn + (30 if n in FLAKY else 3_000))}
                    end = {"event": "delivery.retry_scheduled", "delivery_id": name} | due
                work.append((turn + 0.2, by | end))
            took = 0.001 if is_dead else 0.201
            work.append((turn + took, by | {"msg": "done", "elapsed": took}))
            if n not in FLAKY or attempt == 2:
                break
            turn += 35
            due_ones = {"event": "retries.due", "first_id": name, "last_id": name + 1}
            work.append((turn - 1, {"proc": "scheduler.1"} | due_ones))
            again = {"proc": "scheduler.1", "event": "job.enqueued"} | job
            work.append((turn - 0.5, again))
        if n in CANCELLED:
            withdrawn = {"event": "delivery.cancelled", "delivery_id": name, "by": "dan.whitlock"}
            web.append((at + 900, proc | withdrawn))
    return web, work


@pytest.mark.parametrize(("fault", "named"), [("", None), ("D3", "D3"), ("D8", "D8")])
def test_jobs_and_events_name_deliveries_in_lists_of_numbers(
    tmp_path: Path, fault: str, named: str | None
) -> None:
    web, work = rails(fault)
    files = [write_lines(tmp_path / "web.log", web), write_lines(tmp_path / "worker.log", work)]
    findings = investigate(files, Options(folder=str(tmp_path)))
    hits = len(LOST) if fault else 0
    cancelled = len(CANCELLED)
    assert findings.accepted == COUNT
    assert books(findings).get(Verdict.DROPPED, 0) == hits
    assert books(findings)[Verdict.CANCELLED] == cancelled
    if named is not None:
        found = findings.hypothesis
        assert found is not None
        assert named in (found.mechanism, *(one.mechanism for one in found.candidates))


# --- due times in notes


def noted(fault: bool) -> Iterator[Row]:
    """A queue's few columns; what waits says until when in a note, and so does what is held."""
    for n in range(COUNT):
        at = BEGIN_S + 60.0 * n
        about = {"delivery": f"D{n:05}", "endpoint": f"ep/{n % 7}"}

        def line(after: float, event: str, *, note: str = "", code: str = "") -> Row:
            time = time_of(at + after)[:23].replace("T", " ")  # noqa: B023
            return {"time": time, "event": event} | about | {"status_code": code, "note": note}  # noqa: B023

        yield line(0, "accept")
        yield line(1, "queue")
        yield line(1.1, "take")
        due = f"due {time_of(at + 90)[:19].replace('T', ' ')}"
        if n in LOST or n in CANCELLED:
            yield line(1.2, "hold", note=f"endpoint off, {due}")
            yield line(1.3, "ack")
            if n in LOST and fault:
                continue
            yield line(91, "queue", note="due")
            yield line(91.1, "take")
        elif n in FLAKY:
            yield line(1.2, "fail", code="503")
            yield line(1.3, "retry", note=due)
            yield line(1.4, "ack")
            yield line(91, "queue", note="due")
            yield line(91.1, "take")
        yield line(92, "done", code="200")
        yield line(92.1, "ack")


@pytest.mark.parametrize("fault", [False, True])
def test_a_note_says_when_it_is_due(tmp_path: Path, fault: bool) -> None:
    in_order = sorted(noted(fault), key=lambda row: str(row["time"]))
    file = write_table(tmp_path / "events.csv", in_order)
    findings = investigate([file], Options(folder=str(tmp_path)))
    mapping = findings.raw.mappings[file]
    assert mapping.has("due")
    assert findings.events.words["hold"] == "retry"
    assert books(findings).get(Verdict.DROPPED, 0) == (len(LOST) if fault else 0)
    if fault:
        assert mechanism(findings) == "D1"


# --- turns


def spans(fault: str) -> Iterator[tuple[float, Row]]:
    """A span is written when it ends: a turn after the request within it."""

    def span(name: str, begin: float, end: float, about: Row) -> tuple[float, Row]:
        times = {"start_time": time_of(begin), "end_time": time_of(end)}
        return end, {"name": name, "trace_id": f"{n:032x}"} | times | about

    for n in range(COUNT):
        at = BEGIN_S + 60.0 * n
        own = {"delivery.id": f"dlv_{n:06}xy", "endpoint.id": f"we_{n % 7}"}
        yield span("delivery.create", at, at, own)
        for attempt in (1, 2):
            again = own | {"delivery.attempt": attempt}
            yield span("deliveries publish", at + 0.3, at + 0.3, again)
            is_bad = (n in FLAKY or n in LOST) and attempt == 1
            answer = {"http.response.status_code": 503 if is_bad else 200}
            yield span("POST", at + 0.5, at + 2, own | answer)
            state = {"delivery.state": "retry_scheduled" if is_bad else "delivered"}
            if is_bad:
                state["delivery.next_attempt_at"] = time_of(at + 30)
            yield span("deliveries process", at + 0.4, at + 2.001, again | state)
            if not is_bad or (n in LOST and fault == "D1"):
                break
            at += 30.5


@pytest.mark.parametrize("fault", ["", "D1"])
def test_a_span_of_a_turn_is_its_beginning_and_its_end(tmp_path: Path, fault: str) -> None:
    file = write_lines(tmp_path / "spans.jsonl", spans(fault))
    findings = investigate([file], Options(folder=str(tmp_path)))
    hits = len(LOST) if fault else 0
    assert findings.accepted == COUNT
    assert books(findings).get(Verdict.DROPPED, 0) == hits
    if fault:
        assert mechanism(findings) == "D1"


# --- what a line means


@pytest.mark.parametrize(
    ("text", "op"),
    [
        ("Removed retry entry of delivery", Op.WRITTEN),
        ("Removed delivery from retry table", Op.PURGED),
        ("Exception thrown when sending a message to topic deliveries", Op.NOT_QUEUED),
        ("Exception thrown when sending a message to topic deliveries.DLT", Op.DEAD_FAILED),
        ("Delivery sent to webhook.deliveries.DLT (exhausted)", Op.DEAD),
        ("all attempts failed", Op.EXHAUSTED),
        ("endpoint not active, try again", Op.POSTPONED),
        ("Saving retry of lock wait, trying again", Op.NOTED),
        ("Lock wait timeout exceeded; try restarting transaction", Op.FAILED),
        ("lock timeout", Op.LAPSED),
        ("delivery is claimed", Op.SKIPPED),
        ("delivery claimed", Op.CLAIMED),
        ("delivery is in flight, ok in", Op.SKIPPED),
        ("nak failed", Op.NOTED),
        ("attempt gave up its job, delivery enqueued", Op.RELEASED),
        ("gave up", Op.DEAD),
    ],
)
def test_words(text: str, op: Op) -> None:
    assert meaning(text).op is op


@pytest.mark.parametrize(
    ("text", "about"),
    [
        ("endpoint disabled, dropped", True),
        ("the endpoint has moved", True),
        ("lock row exists, job removed", False),
        ("Event for endpoint was already accepted, nothing to do", False),
    ],
)
def test_what_speaks_of_an_endpoint_gives_it_as_the_reason(text: str, about: bool) -> None:
    assert names_endpoint(text) is about


def test_a_row_that_is_locked_is_in_progress() -> None:
    assert is_in_progress("lock row exists, job removed")
    assert not is_in_progress("job removed")


def test_a_deadline_is_no_dead_letter() -> None:
    assert meaning("stored in the deadline table").op is not Op.DEAD


LOG = LogFacts(
    fields=frozenset({"op", "attempt", "worker", "due"}),
    ops=frozenset({Op.ACCEPTED, Op.CLAIMED, Op.FAILED, Op.RETRY, Op.SUCCEEDED}),
    usual={Op.ACCEPTED: 1.0, Op.CLAIMED: 1.0},
    attempts_last=6,
)


def test_what_a_later_turn_calls_failed_is_final_only_with_no_plan() -> None:
    turns = [make_step(Op.ACCEPTED, 0), *(make_step(Op.CLAIMED, at, worker=1) for at in (1, 9))]
    failed = make_step(Op.FAILED, 10, attempt=2, result=-1)
    plan = make_step(Op.RETRY, 10, attempt=2, due_us=90)
    assert recognise(make_dropped(Why.SILENT, *turns, failed), LOG).mechanism == "D7"
    assert recognise(make_dropped(Why.SILENT, *turns, failed, plan), LOG).mechanism == "D1"
    # the result of an earlier attempt, which came late
    late = make_dropped(Why.SILENT, *turns, failed, crossings=("late_attempt",))
    assert recognise(late, LOG).mechanism == "D6"


def test_what_is_discarded_as_its_lease_runs_out_is_d7() -> None:
    begun = make_step(Op.ACCEPTED, 0), make_step(Op.QUEUED, 1)
    orphaned = make_step(Op.LAPSED, 60_000_000, attempt=1)

    def found(at_us: int) -> str:
        gone = make_step(Op.DISCARDED, at_us, attempt=2)
        found = recognise(make_dropped(Why.DISCARDED, *begun, orphaned, gone), LOG)
        return found.mechanism

    assert found(60_000_400) == "D7"
    assert found(90_000_000) == "D9"


def withdrawn(*, again: bool) -> Iterator[tuple[float, Row]]:
    """Some are withdrawn, by nobody who is named, while a request is on its way, and it fails."""
    for n in range(COUNT):
        at = BEGIN_S + 60.0 * n
        own = {"delivery": f"dlv_{n:06}xy"}
        yield at, {"event": "accepted"} | own
        yield at + 1, {"event": "claimed", "worker": n % 3} | own
        if n in CANCELLED:
            yield at + 5, {"event": "cancelled"} | own
            if again:
                yield at + 6, {"event": "claimed", "worker": 9} | own
        bad = n in CANCELLED
        told = {"event": "failed" if bad else "delivered", "status": 502 if bad else 200}
        yield at + 20, told | {"worker": n % 3} | own


@pytest.mark.parametrize("again", [False, True])
def test_what_was_withdrawn_stays_so_when_a_request_of_before_fails(
    tmp_path: Path, again: bool
) -> None:
    file = write_lines(tmp_path / "log.jsonl", withdrawn(again=again))
    findings = investigate([file], Options(folder=str(tmp_path)))
    gone = Verdict.DROPPED if again else Verdict.CANCELLED
    assert books(findings) == {Verdict.DELIVERED: COUNT - len(CANCELLED), gone: len(CANCELLED)}


def twice_at_once(*, overlapping: bool) -> Iterator[tuple[float, Row]]:
    """A worker that was thought lost fails after another has delivered; or the same one fails."""
    for n in range(COUNT):
        at = BEGIN_S + 60.0 * n
        own = {"delivery": f"dlv_{n:06}xy", "attempt": 1}
        yield at, {"event": "accepted"} | own
        is_first = n in LOST and overlapping
        yield at + 0.5, {"event": "resumed", "worker": "w1"} | own
        good = {"event": "delivered", "status": 200, "ms": 100, "worker": "w1"}
        yield at + 0.6, good | own
        if n in LOST:
            by, took = ("w0", 3_000) if is_first else ("w1", 10)
            yield at + 3, {"event": "failed", "status": 504, "ms": took, "worker": by} | own
        elif n in FLAKY:  # what fails first and comes through is more than that
            yield at + 0.3, {"event": "failed", "status": 503, "ms": 9, "worker": "w1"} | own


@pytest.mark.parametrize("overlapping", [False, True])
def test_what_another_worker_began_before_takes_no_success_back(
    tmp_path: Path, overlapping: bool
) -> None:
    file = write_lines(tmp_path / "log.jsonl", twice_at_once(overlapping=overlapping))
    findings = investigate([file], Options(folder=str(tmp_path)))
    assert findings.accepted == COUNT
    assert books(findings).get(Verdict.DROPPED, 0) == (0 if overlapping else len(LOST))


def test_a_file_that_meets_another_keeps_its_second_name_of_a_delivery() -> None:
    names = [f"b6374e8d-{n:04}" for n in range(60)]
    table: list[Row] = [{"id": name, "status": "delivered"} for name in names]
    lines: list[Row] = [{"delivery": name, "text": "stored"} for name in names]
    lines += [{"delivery_id": name, "text": "delivered"} for name in names]
    delivery = Column(path="delivery_id", others=("delivery",))
    mappings = {
        "log": Mapping(layout="events", columns={"delivery": delivery, "op": Column(path="text")}),
        "table": Mapping(layout="deliveries", columns={"to_state": Column(path="status")}),
    }
    samples = {"log": lines, "table": table}
    found = joined(links(samples), mappings, samples)
    assert found["log"].columns["delivery"] == delivery
    assert found["table"].columns["delivery"].path == "id"


@pytest.mark.parametrize("kept", [False, True])
def test_that_somebody_gave_up_says_nothing_of_a_dead_letter(tmp_path: Path, kept: bool) -> None:
    def rows() -> Iterator[tuple[float, Row]]:
        for n in range(COUNT):
            at, own = BEGIN_S + 60.0 * n, {"delivery": f"dlv_{n:06}xy", "attempt": 1}
            yield at, {"event": "accepted"} | own
            yield at + 1, {"event": "claimed"} | own
            status = 503 if n in LOST else 200
            word = "failed" if n in LOST else "delivered"
            yield at + 2, {"event": word, "status": status} | own
            if n in LOST:
                yield at + 3, {"event": "no tries left"} | own
            if n in LOST and kept:
                yield at + 4, {"event": "moved to the dead letters"} | own

    findings = investigate(
        [write_lines(tmp_path / "log.jsonl", rows())], Options(folder=str(tmp_path))
    )
    told = " ".join(document(findings)["cannot_tell"])
    assert books(findings)[Verdict.DEAD] == len(LOST)
    assert ("tells of no dead letters" in told) is not kept
