"""Plans that are told twice, files side by side, and whose word or number is whose."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("duckdb")
pytest.importorskip("ibis")

import ibis
import pyarrow as pa
from support.whole_log import found

from homing.forensics.behaviours import Behaviours
from homing.forensics.beside import beside_others
from homing.forensics.catalogue import Match
from homing.forensics.facts import LogFacts
from homing.forensics.investigation import investigate
from homing.forensics.judging import Verdict, Why
from homing.forensics.operations import Op, Stand
from homing.forensics.options import Options
from homing.forensics.traces import Step, Trace

Row = dict[str, Any]
BEGIN_S = 1_780_000_000
COUNT = 300


def line(at: float, name: object, event: str, **told: Any) -> Row:
    return {"time": at, "delivery_id": f"d-{name:>05}", "event": event, **told}


# --- how long a delivery waits


def of_timers(number: int) -> Iterator[Row]:
    """A worker takes what is due much later at once, and holds it until then; or its turn tells of
    the retry once more, without a time."""
    begun = BEGIN_S + 30.0 * number
    yield line(begun, number, "accepted", endpoint=f"e{number % 3}")
    yield line(begun + 1, number, "task received", worker="w1")
    if number % 6 != 5:
        yield line(begun + 2, number, "delivered", status=200, attempt=1, worker="w1")
        return
    due = begun + 3_600
    yield line(begun + 2, number, "attempt failed", status=503, attempt=1, worker="w1")
    yield line(begun + 2, number, "retry scheduled", retry_at=due, worker="w1")
    if number % 4 == 1:
        yield line(begun + 2.1, number, "retrying", worker="w1")
    else:
        yield line(begun + 2.1, number, "task received", worker="w2")
    if due < BEGIN_S + 30.0 * COUNT:
        yield line(due + 1, number, "delivered", status=200, attempt=2, worker="w2")


def test_what_is_held_until_it_is_due_is_not_dropped_before(tmp_path: Path) -> None:
    findings = found(tmp_path, (row for n in range(COUNT) for row in of_timers(n)))
    assert findings.dropped == 0
    assert findings.books[Verdict.LATER] == 20


# --- files side by side


def test_a_file_that_is_in_order_is_believed_in_what_is_of_one_time(tmp_path: Path) -> None:
    """Two hosts write to files of their own; of lines of one time the upper is the earlier."""
    files: dict[str, list[Row]] = {"a": [], "b": []}
    for number in range(COUNT):
        begun, mine = BEGIN_S + 20.0 * number, files["ab"[number % 2]]
        other = files["ba"[number % 2]]
        mine.append(line(begun, number, "accepted"))
        other.append(line(begun + 1, number, "claimed", worker="w1"))
        if number % 10 == 3:
            other.append(line(begun + 2, number, "endpoint is down, parked", worker="w1"))
            other.append(line(begun + 2, number, "attempts exhausted", attempt=3, worker="w1"))
            if number % 20 == 3:
                other.append(line(begun + 2, number, "dead letter stored", worker="w1"))
        else:
            other.append(line(begun + 2, number, "delivered", status=200, attempt=1))
    for name, rows in files.items():
        keys = ("time", "delivery_id", "event", "status", "attempt", "worker")
        with (tmp_path / f"host-{name}.csv").open("w", newline="") as file:
            out = csv.DictWriter(file, keys)
            out.writeheader()
            out.writerows(sorted(rows, key=lambda row: float(row["time"])))
    findings = investigate([str(tmp_path / "*.csv")], Options(folder=str(tmp_path)))
    assert findings.books[Verdict.DEAD] == 15
    assert findings.dropped == 15
    assert findings.hypothesis.mechanism == "D10"


# --- whose number it is


def test_the_number_of_a_row_is_not_that_of_the_success(tmp_path: Path) -> None:
    """A slow attempt succeeds while the next one is under way, which fails later."""
    attempts, deliveries = [], []
    for number in range(COUNT):
        begun, name = BEGIN_S + 60.0 * number, 5_000 + number
        ends = [(1, 2.0, 200)]
        if number % 20 == 0:
            ends = [(1, 40.0, 200), (2, 50.0, 504)]
        elif number % 5 == 0:
            ends = [(1, 2.0, 504), (2, 4.0, 200)]
        for no, after, status in ends:
            started = begun + 10 * no
            attempts.append((name, no, f"w-{no}", started, begun + 10 + after, status))
        made = len(ends)
        at = next(begun + 10 + after for _, after, status in ends if status == 200)
        deliveries.append((name, "delivered", made, 200, begun, at, begun + 40_000))
    tables = {
        "attempts": ("delivery_id,attempt_no,worker,started_at,finished_at,status_code", attempts),
        "deliveries": (
            "id,status,attempts,last_status_code,created_at,delivered_at,deleted_at",
            deliveries,
        ),
    }
    for name, (header, rows) in tables.items():
        body = "\n".join(",".join(map(str, row)) for row in rows)
        (tmp_path / f"{name}.csv").write_text(f"{header}\n{body}\n")
    findings = investigate([str(tmp_path / "*.csv")], Options(folder=str(tmp_path)))
    assert (findings.accepted, findings.dropped) == (COUNT, 0)


# --- why it failed


def of_letters(number: int) -> Iterator[Row]:
    """Some that are given up never had an answer, and their dead letter says so."""
    begun = BEGIN_S + 20.0 * number
    yield line(begun, number, "accepted")
    if number % 10:
        yield line(begun + 1, number, "claimed", worker="w1")
        yield line(begun + 2, number, "delivered", status=200, attempt=1)
        return
    refused = {"error": "connect: connection refused"}
    answer: Row = refused if number % 30 == 0 else {"status": 503}
    for no in (1, 2, 3):
        yield line(begun + no, number, "claimed", worker="w1")
        yield line(begun + no + 0.5, number, "attempt failed", attempt=no, **answer)
    why = {"last_error": refused["error"]} if number % 30 == 0 else {}
    yield line(begun + 4, number, "moved to dead letter", **why)


def test_why_its_last_attempt_failed_is_not_why_it_was_not_stored(tmp_path: Path) -> None:
    findings = found(tmp_path, (row for n in range(COUNT) for row in of_letters(n)))
    assert findings.books[Verdict.DEAD] == 30
    assert findings.dropped == 0


# --- who did it


def test_whose_address_names_a_machine_is_a_person(tmp_path: Path) -> None:
    def rows() -> Iterator[Row]:
        off = {"event": "endpoint disabled", "endpoint": "e9", "by": "pia@relay.example"}
        yield {"time": BEGIN_S - 1, **off}
        for number in range(COUNT):
            begun = BEGIN_S + 20.0 * number
            yield line(begun, number, "accepted", endpoint=f"e{9 if number % 50 == 11 else 1}")
            yield line(begun + 1, number, "claimed", worker="w1")
            who = {3: "pia@relay.example", 7: "auto-cleaner"}.get(number % 50)
            if number % 50 == 11:
                yield line(begun + 2, number, "discarded, endpoint disabled", endpoint="e9")
            elif who:
                yield line(begun + 2, number, "discarded, endpoint disabled", disabled_by=who)
            else:
                yield line(begun + 2, number, "delivered", status=200, attempt=1)

    findings = found(tmp_path, rows())
    assert findings.books[Verdict.CANCELLED] == 12
    assert findings.dropped == 6


def of_gateways(number: int) -> Iterator[Row]:
    """Each turn acks its entry, whatever came of it; some receivers report later."""
    begun = BEGIN_S + 30.0 * number
    yield line(begun, number, "accepted")
    yield line(begun + 1, number, "picked up", worker="w1", attempt=1)
    is_put = number % 4 == 1
    fails = number % 9 == 2
    if fails:
        yield line(begun + 2, number, "response", status=503, attempt=1, worker="w1")
        due = begun + 300
        yield line(begun + 2, number, "scheduling retry", retry_at=due, worker="w1", attempt=1)
        yield line(begun + 2.01, number, "acked", worker="w1")
        if due > BEGIN_S + 30.0 * COUNT:
            return
        yield line(due, number, "picked up", worker="w2", attempt=2)
    at = begun + (301 if fails else 2)
    no, worker = (2, "w2") if fails else (1, "w1")
    yield line(at, number, "response", status=202 if is_put else 200, attempt=no, worker=worker)
    if is_put:
        yield line(at + 0.01, number, "awaiting result", worker=worker, attempt=no)
    else:
        yield line(at + 0.01, number, "notification delivered", worker=worker, attempt=no)
    yield line(at + 0.02, number, "acked", worker=worker)
    if is_put:
        yield line(at + 20, number, "gateway result", outcome="delivered", attempt=no)


def test_what_ends_each_turn_calls_nothing_delivered(tmp_path: Path) -> None:
    findings = found(tmp_path, (row for n in range(COUNT) for row in of_gateways(n)))
    assert findings.dropped == 0
    assert findings.events.words["acked"] == "noted"


# --- what nobody understands


def step(act: Op, word: str | None, **told: Any) -> Step:
    empty = dict.fromkeys(Step._fields)
    base = {"at_us": 0, "act": act, "stand": Stand.NONE, "before": Stand.NONE, "result": 0}
    return Step(**{**empty, **base, "line": 1, "is_row": False, "word": word, **told})


def ending(name: str, *steps: Step) -> Trace:
    begun = step(Op.ACCEPTED, "acc"), step(Op.CLAIMED, "deq", stand=Stand.LEASED)
    told = {"crossings": frozenset(), "of_message": False, "accepted_us": 0, "endpoint": None}
    return Trace(name=name, why=Why.SILENT, verdict=Verdict.DROPPED, steps=(*begun, *steps), **told)


LOG = LogFacts(fields=frozenset(), ops=frozenset())
D4 = Match("D4", 0.9, "taken by a worker that never tried it")


@pytest.mark.parametrize("words", [("fl",), ("fl", "old"), (None,)])
def test_what_ends_with_a_word_that_nobody_understands_is_not_decided(
    words: tuple[str | None, ...],
) -> None:
    drops = [ending(f"d{n}", *(step(Op.UNKNOWN, word) for word in words)) for n in range(8)]
    fine = [ending("f", step(Op.SENT, "snd"))]
    matches = beside_others([(t, D4) for t in drops], fine, [], LOG)
    assert all({"D7", "D8", "D10"} <= {*m.twins} for _, m in matches)
    assert all("nothing after a line" in m.what for _, m in matches)
    # what others have as well ends nothing
    alike = [ending("f", *(step(Op.UNKNOWN, word) for word in words))]
    matches = beside_others([(t, D4) for t in drops], alike, [], LOG)
    assert all(not m.twins for _, m in matches)


# --- how words behave


def test_words_are_counted_once() -> None:
    said = ("accepted", "picked", "sent", "delivered")
    count = len(said) * 50
    columns: dict[str, list[Any]] = {
        "delivery": [f"d{n}" for n in range(50) for _ in said],
        "op_raw": [*said] * 50,
        "status": [200 if word == "delivered" else None for word in said] * 50,
        "at_us": list(range(count)),
        "rowid": list(range(count)),
    }
    nothing = ("message", "endpoint", "worker", "actor", "changed_us", "due_us", "finished_us")
    columns |= {name: [None] * count for name in (*nothing, "attempt", "retries")}
    texts = {"message", "endpoint", "worker", "actor", "delivery", "op_raw"}
    kinds = {name: pa.string() if name in texts else pa.int64() for name in columns}
    backend = ibis.duckdb.connect()
    backend.con.register("given", pa.table(columns, pa.schema(kinds.items())))
    table = backend.table("given")
    asked = []
    whole = backend.raw_sql

    def raw_sql(question: Any, **told: Any) -> Any:
        asked.append(question)
        return whole(question, **told)

    backend.raw_sql = raw_sql
    lines = Behaviours(table, count)
    assert lines.first() is lines
    seen = lines.of("op_raw", ["accepted", "delivered", "unheard"])
    assert [*seen] == ["accepted", "delivered"]
    assert (seen["accepted"].is_first, seen["delivered"].is_last) == (1.0, 1.0)
    assert (seen["delivered"].ok, seen["accepted"].starts, seen["delivered"].ends) == (1, 1, 1)
    assert lines.followers(["picked"])["picked"] == {"sent": 50}
    assert lines.preceders(["accepted"])["accepted"] == {None: 50}
    count = len(asked)
    assert lines.of("op_raw", ["picked", "sent"])["sent"].rows == 50
    assert lines.followers(["delivered"])["delivered"] == {None: 50}
    assert lines.words("op_raw") == sorted(said)
    assert len(asked) == count > 0


# --- what is of something else


def of_queues(number: int) -> Iterator[Row]:
    """The jobs of a table: each fifth is of another queue, and says that it is done."""
    begun = BEGIN_S + 20.0 * number
    if number % 5 == 2:
        about: Row = {"queue": "mail.digest"}
    else:
        about = {"queue": "webhooks", "endpoint_id": f"e{number % 3}"}
    yield line(begun, number, "enqueued", **about)
    yield line(begun + 1, number, "started", worker="w1", attempt=1, **about)
    answer = {} if number % 5 == 2 else {"response_code": 503 if number % 10 == 4 else 200}
    is_bad = answer.get("response_code") == 503
    yield line(begun + 2, number, "failed" if is_bad else "finished", attempt=1, **about, **answer)
    if is_bad:
        yield line(begun + 3, number, "started", worker="w1", attempt=2, **about)
        yield line(begun + 4, number, "finished", attempt=2, **about, response_code=200)


def test_jobs_of_another_queue_are_no_deliveries(tmp_path: Path) -> None:
    findings = found(tmp_path, (row for n in range(COUNT) for row in of_queues(n)))
    assert (findings.accepted, findings.dropped) == (240, 0)
    assert findings.events.things == ("mail.digest",)


def test_a_request_for_a_token_is_no_attempt_and_an_attempt_ends_after_it_began(
    tmp_path: Path,
) -> None:
    states, asked = [], []
    for number in range(COUNT):
        begun, name = BEGIN_S + 60.0 * number, 5_000 + number
        fails = number % 10 == 3
        steps = [("", "created", 0.0), ("created", "sending", 1.0)]
        asked.append((name, "oauth_token", begun + 1, 200, 100))
        if fails:
            asked.append((name, "delivery", begun + 1.1, 503, 900))
            steps += [("sending", "retry_later", 2.0), ("retry_later", "sending", 30.0)]
        if number % 50 != 13:
            asked.append((name, "delivery", begun + 31, 200, 900))
            steps.append(("sending", "delivered", 32.0))
        else:
            steps = [*steps[:2], ("sending", "delivered", 2.0)]
        states += [(name, was, now, begun + after) for was, now, after in steps]
    tables = {
        "transitions": ("delivery_id,from_state,to_state,created_at", states),
        "http_attempts": (
            "id,delivery_id,endpoint_id,purpose,started_at,response_status,duration_ms,worker",
            (
                (90_000 + n, name, name % 3, what, at, status, took, f"w-{n % 4}")
                for n, (name, what, at, status, took) in enumerate(asked)
            ),
        ),
    }
    for name, (header, rows) in tables.items():
        body = "\n".join(",".join(map(str, row)) for row in rows)
        (tmp_path / f"{name}.csv").write_text(f"{header}\n{body}\n")
    findings = investigate([str(tmp_path / "*.csv")], Options(folder=str(tmp_path)))
    assert findings.events.things == ("oauth_token",)
    # called delivered after a request that failed, and another that only fetched a token
    assert findings.dropped == 6
    assert findings.hypothesis.mechanism == "D5"
    steps = findings.examples[0].steps
    sent = next(s.at_us for s in steps if s.act is Op.SENT and s.status == 503)
    failed = next(s.at_us for s in steps if s.result < 0)
    assert failed - sent == 899_000


# --- who held it


def of_states(number: int, lost: str) -> Iterator[Row]:
    """A job that looks after stuck deliveries fails them, or the heartbeat of a stale worker writes
    its state over the plan of the next."""
    begun, name = BEGIN_S + 30.0 * number, number
    is_lost = number % 25 == 3

    def move(after: float, was: str | None, now: str, who: str, no: int, **told: Any) -> Row:
        row = {"time": begun + after, "delivery_id": f"d-{name:05}", "actor": who}
        return {**row, "from_state": was, "to_state": now, "tries": no, **told}

    yield move(0, None, "created", "api", 0)
    yield move(1, "created", "enqueued", "relay", 0)
    yield move(2, "enqueued", "reserved", f"w-{number % 3}", 0)
    yield move(3, "reserved", "sending", f"w-{number % 3}", 1)
    if is_lost and lost == "D7":
        yield move(90, "sending", "failed", "stuck-check", 1)
        return
    if not is_lost and number % 5:
        yield move(4, "sending", "delivered", f"w-{number % 3}", 1)
        return
    due = begun + 60
    yield move(4, "sending", "retry_later", f"w-{number % 3}", 1, run_at=due)
    if is_lost:
        yield move(20, "retry_later", "sending", f"w-{(number + 1) % 3}", 1)
        return
    yield move(61, "retry_later", "enqueued", "relay", 1)
    yield move(62, "enqueued", "reserved", f"w-{(number + 1) % 3}", 1)
    yield move(63, "reserved", "sending", f"w-{(number + 1) % 3}", 2)
    ends = "exhausted" if number % 50 == 10 else "delivered"
    yield move(64, "sending", ends, f"w-{(number + 1) % 3}", 2)
    if ends == "exhausted":
        yield move(65, "exhausted", "dead_lettered", f"w-{(number + 1) % 3}", 2)


@pytest.mark.parametrize("lost", ["D6", "D7"])
def test_who_writes_to_what_another_has(tmp_path: Path, lost: str) -> None:
    findings = found(tmp_path, (row for n in range(COUNT) for row in of_states(n, lost)))
    assert findings.dropped == 12
    assert findings.hypothesis.mechanism == lost
