"""Plain logs as a reviewer would write them: changes of states, tables of attempts, jobs."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from support.dropped import make_dropped, make_step

pytest.importorskip("duckdb")
pytest.importorskip("ibis")

from homing.forensics.catalogue import Match
from homing.forensics.document import document
from homing.forensics.facts import LogFacts
from homing.forensics.habits import Kind
from homing.forensics.hypothesis import form
from homing.forensics.investigation import Findings, investigate
from homing.forensics.judging import Verdict, Why
from homing.forensics.mechanisms import recognise
from homing.forensics.neighbours import Neighbours
from homing.forensics.operations import Op, Stand
from homing.forensics.options import Options
from homing.forensics.reading.columns import name_score
from homing.forensics.reading.guessing import guess
from homing.forensics.telling import places_told
from homing.forensics.traces import Step
from homing.forensics.untried import by_neighbours
from homing.forensics.vocabulary import meaning
from homing.forensics.words import line_of

Row = dict[str, Any]
COUNT = 400
BEGIN_S = 1_780_000_000.0
LOST = range(9, COUNT - 40, 23)


def iso(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="milliseconds")


def found_in(folder: Path, rows: list[Row], by: str) -> Findings:
    rows.sort(key=lambda row: float(row[by]))
    path = folder / "changes.jsonl"
    told = ({**row, by: iso(row[by])} for row in rows)
    path.write_text("".join(json.dumps(row) + "\n" for row in told))
    return investigate([str(path)], Options(folder=str(folder)))


def named(found: Findings) -> str | None:
    assert found.hypothesis is not None
    return found.hypothesis.mechanism


# --- changes of states, in words, with the first line of the answer


def change(number: int, *, is_lost: bool, lost_by: str) -> Iterator[Row]:
    """One delivery; `lost_by` is the line of the answer after which nothing comes."""
    at, stood = BEGIN_S + 30.0 * number, "none"
    name = f"dlv-{number * 7919 % 100_003:06x}"

    def said(state: str, after_s: float, **told: Any) -> Row:
        nonlocal at, stood
        at += after_s
        before, stood = stood, state
        return {
            "at": at,
            "delivery_id": name,
            "endpoint": f"ep-{number % 7}",
            "s0": before,
            "s1": state,
        } | told

    yield said("accepted", 0)
    yield said("queued", 0.4)
    fails = is_lost or number % 4 == 0
    for attempt in (1, 2):
        who = {"attempt_number": attempt, "nd": f"wrk-{(number + attempt) % 3}"}
        yield said("held", 0.1, **who)
        yield said("sending", 0.1, **who)
        answer = "503 Service Unavailable" if fails and attempt == 1 else "200 OK"
        yield said("answered", 0.2, response=lost_by if is_lost else answer, **who)
        if is_lost:
            return
        if answer == "200 OK":
            yield said("delivered", 0, **who)
            return
        yield said("waiting for retry", 0, due_time=iso(at + 20), **who)
        yield said("queued", 20)


def changes(lost_by: str) -> list[Row]:
    return [
        row
        for number in range(COUNT)
        for row in change(number, is_lost=number in LOST, lost_by=lost_by)
    ]


@pytest.mark.parametrize("line", ["503 Service Unavailable", "429 Too Many Requests"])
def test_an_answer_may_stand_as_the_first_line_of_its_text(tmp_path: Path, line: str) -> None:
    """A 429 after which nothing comes is no end, although none of them is ever tried again."""
    found = found_in(tmp_path, changes(line), by="at")
    assert found.books[Verdict.DROPPED] == len(LOST)
    assert named(found) == "D2"


def test_what_a_proxy_says_before_the_request_is_no_answer(tmp_path: Path) -> None:
    rows = changes("200 Connection established")
    columns = guess([{**row, "at": iso(row["at"])} for row in rows]).columns
    assert (columns["status"].path, columns["status"].unit) == ("response", "answer")
    found = found_in(tmp_path, rows, by="at")
    assert found.books[Verdict.DELIVERED] == COUNT - len(LOST)


def test_columns_are_told_by_what_stands_in_them_whatever_they_are_called() -> None:
    rows = [{**row, "at": iso(row["at"])} for row in changes("503 Service Unavailable")]
    columns = guess(rows).columns
    assert columns["from_state"].path == "s0"  # where the row before it has led
    assert columns["to_state"].path == "s1"
    assert columns["worker"].path == "nd"  # names of workers with numbers
    assert columns["due"].path == "due_time"


def test_the_parts_of_a_name_may_stand_in_another_order() -> None:
    assert name_score("to_state", "state_new") > 90
    assert name_score("from_state", "state_old") > 90
    assert name_score("due", "next_attempt_time") > 85
    assert name_score("at", "new_state") == 0


def test_a_lease_that_a_scheduler_finds_run_out_is_no_write_of_another_worker(
    tmp_path: Path,
) -> None:
    rows = []
    for number in range(COUNT):
        lines = list(change(number, is_lost=False, lost_by=""))
        if number in LOST:
            lines = lines[:4]
            failed = {**lines[-1], "s0": "sending", "s1": "failed", "nd": "sch-1"}
            lines.append(failed | {"at": lines[-1]["at"] + 40.0})
        rows += lines
    found = found_in(tmp_path, rows, by="at")
    assert found.books[Verdict.DROPPED] == len(LOST)
    assert found.hypothesis is not None
    assert "D6" not in {share.mechanism for share in found.hypothesis.shares}


def test_the_state_in_which_a_turn_sends_is_no_second_turn(tmp_path: Path) -> None:
    """`POP` and `RUN` both sound as if a worker took it."""
    words = {"held": "POP", "sending": "RUN", "queued": "RDY"}
    rows = changes("503 Service Unavailable")
    for row in rows:
        row |= {name: words.get(row[name], row[name]) for name in ("s0", "s1")}
    found = found_in(tmp_path, rows, by="at")
    assert (found.events.words["POP"], found.events.words["RUN"]) == ("claimed", "sent")


# --- a table of attempts, and one of deliveries as they stand


def write_tables(folder: Path, ending: Callable[[int], tuple[Row, list[Row]]]) -> list[str]:
    """Two files: the rows of deliveries and of attempts, with what is lost as `ending` gives it."""
    deliveries: list[Row] = []
    attempts: list[Row] = []
    for number in range(COUNT):
        at = BEGIN_S + 30.0 * number
        row, made = ending(number)
        deliveries.append({"delivery_id": 5_000_000 + number, "created_at": iso(at)} | row)
        for n, one in enumerate(made, 1):
            about = {"delivery_id": 5_000_000 + number, "attempt_number": n}
            begun = at + 1 + 30 * (n - 1)
            times = {"started_at": iso(begun), "finished_at": iso(begun + 0.3)}
            attempts.append(about | {"worker": f"sender-{number % 4}"} | times | one)
    for name, rows in (("deliveries", deliveries), ("attempts", attempts)):
        columns = list(dict.fromkeys(key for row in rows for key in row))
        with (folder / f"{name}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(rows)
    return [str(folder / "attempts.csv"), str(folder / "deliveries.csv")]


GOOD = {"outcome": "success", "http_status": 200, "error": "", "decision": "complete"}
BAD = {"outcome": "http_error", "http_status": 503, "error": "", "decision": "retry"}


def stands(number: int, status: str, attempts: int, **about: Any) -> Row:
    done = iso(BEGIN_S + 30.0 * number + 1.3 + 30 * (attempts - 1))
    times = {"completed_at": done if status == "delivered" else ""}
    return (
        {
            "endpoint_id": 100 + number % 9,
            "status": status,
            "attempt_count": attempts,
            "max_attempts": 5,
            "last_attempt_at": iso(BEGIN_S + 30.0 * number + 1 + 30 * (attempts - 1)),
            "close_reason": "",
        }
        | times
        | about
    )


def ordinary(number: int) -> tuple[Row, list[Row]]:
    made = [BAD, GOOD] if number % 5 == 0 else [GOOD]
    return stands(number, "delivered", len(made)), made


def test_a_table_that_says_delivered_is_no_step_on_the_way(tmp_path: Path) -> None:
    """The attempts say `success`, after the last time that the row of the delivery has."""
    wrong = BAD | {"decision": "complete", "http_status": 401}

    def ending(number: int) -> tuple[Row, list[Row]]:
        return (stands(number, "delivered", 1), [wrong]) if number in LOST else ordinary(number)

    found = investigate(write_tables(tmp_path, ending), Options(folder=str(tmp_path)))
    assert found.events.words["delivered"] == "succeeded"
    assert found.books[Verdict.DROPPED] == len(LOST)
    assert named(found) == "D5"
    examples = document(found)["examples"]
    rows = [(one["delivery"], row) for one in examples for row in one["rows"]]
    assert {Path(row["file"]).name for _, row in rows} == {"attempts.csv", "deliveries.csv"}
    for name, row in rows:  # each can be looked up in its file, which begins with a head
        assert name in Path(row["file"]).read_text().splitlines()[row["line"] - 1]
    told = places_told(examples[0]["rows"])
    assert told[0] == f"deliveries.csv:{examples[0]['rows'][0]['line']}"


@pytest.mark.parametrize(
    ("reason", "status", "mechanism"),
    [("endpoint disabled", "discarded", "D9"), ("idempotency record in progress", "claimed", "D8")],
)
def test_a_turn_that_sent_nothing_says_why(
    tmp_path: Path, reason: str, status: str, mechanism: str
) -> None:
    """The row that is thrown away has no time but that of its creation."""
    over = {"outcome": "not_sent", "http_status": "", "error": reason, "decision": "none"}

    def ending(number: int) -> tuple[Row, list[Row]]:
        if number not in LOST:
            return ordinary(number)
        made = [over] if mechanism == "D9" else [BAD, over]
        about = {"last_attempt_at": "", "close_reason": reason if mechanism == "D9" else ""}
        return stands(number, status, 0 if mechanism == "D9" else 1, **about), made

    found = investigate(write_tables(tmp_path, ending), Options(folder=str(tmp_path)))
    assert found.books[Verdict.DROPPED] == len(LOST)
    assert named(found) == mechanism
    if mechanism == "D9":  # how it stands comes after the turn that left it so
        last = document(found)["examples"][0]["rows"][-1]
        assert last["what"].startswith("discarded")


# --- a queue of jobs

TYPES = ("user.created", "user.deleted", "team.updated", "document.signed")


def job(number: int, *, is_lost: bool) -> Iterator[Row]:
    at = BEGIN_S + 30.0 * number
    name = {"job": f"job-{number * 7919 % 100_003:06x}"}

    def said(op: str, after_s: float, **told: Any) -> Row:
        nonlocal at
        at += after_s
        return {"time": at, "op": op} | name | told

    yield said("accept", 0, endpoint=f"ep-{number % 7}", event=TYPES[number % 4])
    yield said("enqueue", 0.4, state="ready")
    for attempt in (1, 2):
        who = {"consumer": f"consumer-{(number + attempt) % 3}", "attempt": attempt}
        yield said("dequeue", 0.1, **who)
        yield said("start", 0.1, **who)
        is_bad = attempt == 1 and (is_lost or number % 4 == 0)
        yield said("response", 0.2, status=503 if is_bad else 200, **who)
        if not is_bad:
            yield said("ack", 0, state="completed", **who)
            return
        yield said("nack", 0, state="delayed", retry_at=iso(at + 900), **who)
        if is_lost:
            yield said("expire", 600, state="delayed")
            return
        yield said("retry", 900, state="ready")


def test_a_queue_of_jobs_is_read_by_its_operations(tmp_path: Path) -> None:
    rows = [row for n in range(COUNT) for row in job(n, is_lost=n in LOST)]
    found = found_in(tmp_path, rows, by="time")
    words = found.events.words
    assert (words["dequeue"], words["start"]) == ("claimed", "sent")
    assert not words.keys() & set(TYPES)  # what an event is about is said once, and is no step
    assert words["expire"] == "purged"
    assert found.books[Verdict.DROPPED] == len(LOST)
    assert named(found) == "D11"


@pytest.mark.parametrize(
    ("word", "op", "stand"),
    [
        ("nack_refused", Op.NOTED, Stand.NONE),
        ("nack", Op.RETRY, Stand.WAITING),
        ("not_sent", Op.SKIPPED, Stand.NONE),
        ("sent", Op.SENT, Stand.LEASED),
        ("publish_unconfirmed", Op.NOT_QUEUED, Stand.NONE),
        ("lock_refused", Op.SKIPPED, Stand.GONE),
        ("expire", Op.PURGED, Stand.GONE),
        ("lease expired", Op.LAPSED, Stand.NONE),
    ],
)
def test_words_with_a_denial_mean_something_else(word: str, op: Op, stand: Stand) -> None:
    found = meaning(word)
    assert (found.op, found.stand) == (op, stand)


def test_a_deletion_names_the_state_in_which_it_found_the_delivery() -> None:
    kind = Kind("events", "expire", None, "delayed", None, None, "none")
    assert line_of(kind, {}, {}).stand is Stand.GONE


# --- single deliveries, line by line

LOG = LogFacts(
    fields=frozenset({"op", "status", "attempt", "worker", "due"}),
    ops=frozenset({Op.ACCEPTED, Op.QUEUED, Op.CLAIMED, Op.LAPSED, Op.FAILED, Op.SUCCEEDED}),
    usual={Op.ACCEPTED: 1.0, Op.QUEUED: 1.0, Op.CLAIMED: 1.0},
    attempts_last=8,
)


def step(act: Op, second: float, **about: object) -> Step:
    return make_step(act, int(1_000_000 * second), **about)


ACCEPTED, QUEUED = step(Op.ACCEPTED, 0), step(Op.QUEUED, 1)
TAKEN = step(Op.CLAIMED, 2, attempt=1, worker="a")


@pytest.mark.parametrize(
    ("state", "worker", "is_race"),
    [("sending", "a", True), (None, "a", False), ("sending", "b", False)],
)
def test_a_stale_worker_may_write_that_it_sends(
    state: str | None, worker: str, is_race: bool
) -> None:
    back = step(Op.LAPSED, 60, attempt=1, stand=Stand.WAITING, due_us=120_000_000)
    sends = step(Op.SENT, 80, attempt=1, worker=worker, state=state)
    found = recognise(make_dropped(Why.SILENT, ACCEPTED, QUEUED, TAKEN, back, sends), LOG)
    assert (found.mechanism == "D6") is is_race


@pytest.mark.parametrize(
    ("reason", "mechanism"),
    [("subscriber_unknown", "D9"), ("idempotency record in progress", "D8")],
)
def test_a_turn_without_a_request_is_told_by_its_own_reason(reason: str, mechanism: str) -> None:
    over = step(Op.SKIPPED, 3, attempt=2, worker="b", reason=reason, stand=Stand.NONE)
    first = step(Op.SENT, 2.5, attempt=1, worker="a")
    found = recognise(make_dropped(Why.SILENT, ACCEPTED, QUEUED, TAKEN, first, over), LOG)
    assert found.mechanism == mechanism


@pytest.mark.parametrize(("field", "twins"), [("from_state", ("D3",)), ("bytes", ())])
def test_a_state_may_be_written_before_the_queue_has_it(field: str, twins: tuple[str, ...]) -> None:
    log = LogFacts(fields=LOG.fields | {field}, ops=LOG.ops, usual=LOG.usual, attempts_last=8)
    handed = QUEUED._replace(state="dispatched")
    found = recognise(make_dropped(Why.SILENT, ACCEPTED, handed), log)
    assert (found.mechanism, found.twins) == ("D4", twins)


NEVER = Match("D3", 0.8, "accepted, and never queued as the others are", ("D12",))


@pytest.mark.parametrize("has_table", [True, False])
def test_an_outage_excludes_neither_a_poller_nor_a_queue_that_forgets(*, has_table: bool) -> None:
    log = replace(LOG, usual={Op.CLAIMED: 1.0}, has_table=has_table)
    lost = [
        make_dropped(Why.SILENT, ACCEPTED, name=f"d-{n}", accepted_us=n * 1_000_000)
        for n in range(20)
    ]
    found = form(lost, [], [], log, busiest_share=0.9)
    candidates = {one.mechanism for one in found.candidates}
    assert {"D3", "D12"} <= candidates
    assert ("D11" in candidates) == (not has_table)


@pytest.mark.parametrize(("is_counted", "twins"), [(True, ()), (False, ("D12",))])
def test_the_time_of_a_creation_is_no_number_that_excludes_a_poller(
    is_counted: bool, twins: tuple[str, ...]
) -> None:
    lost = [make_dropped(Why.SILENT, ACCEPTED, name=f"d-{n}") for n in range(5)]
    near = Neighbours(overtaken=0.0, overtaken_fine_long=0.05, is_counted=is_counted)
    found = by_neighbours([(t, NEVER) for t in lost], near, [])
    assert {match.twins for _, match in found} == {twins}


def test_a_turn_left_because_of_its_endpoint_is_no_marker() -> None:
    over = step(Op.SKIPPED, 3, worker="a", reason="endpoint disabled", stand=Stand.NONE)
    lost = [make_dropped(Why.SILENT, ACCEPTED, QUEUED, TAKEN, over) for _ in range(5)]
    found = form(lost, [], [], LOG, busiest_share=0.1)
    assert found.mechanism == "D9"


# --- a framework's queue, whose entries name the delivery by a tag


def job_of_tag(number: int, *, is_lost: bool) -> Iterator[Row]:
    at, name = BEGIN_S + 30.0 * number, f"{number * 7919 % 100_003:026X}"

    def said(message: str, after_s: float, **context: Any) -> Row:
        nonlocal at
        at += after_s
        return {"message": message, "context": context, "datetime": at}

    yield said("Webhook delivery created", 0, delivery_id=name, endpoint_id=number % 7)
    for attempt in (1, 2, 3):
        entry = {"id": f"{number}-{attempt}-job", "tags": [f"App\\Models\\Delivery:{name}"]}
        told = {"delivery_id": name, "attempt": attempt}
        yield said("JobQueued", 0.5, **entry)
        yield said("JobProcessing", 0.1, attempts=1, worker="wk-a", **entry)
        yield said("Sending webhook", 0.1, worker="wk-a", **told)
        if is_lost:
            yield said("JobProcessing", 90, attempts=2, worker="wk-b", **entry)
            yield said("JobProcessed", 0.003, worker="wk-b", **entry)
            return
        is_bad = attempt < 3 and number % 4 == 0
        status = 503 if is_bad else 200
        yield said("Webhook response", 0.2, worker="wk-a", response_status=status, **told)
        if not is_bad:
            yield said("Webhook delivered", 0, worker="wk-a", **told)
            yield said("JobProcessed", 0.001, worker="wk-a", **entry)
            return
        due = iso(at + 20)
        yield said("Delivery retry scheduled", 0, worker="wk-a", next_attempt_at=due, **told)
        yield said("JobProcessed", 0.001, worker="wk-a", **entry)
        at += 20


def test_an_entry_of_a_queue_names_its_delivery_by_a_tag(tmp_path: Path) -> None:
    rows = [row for n in range(COUNT) for row in job_of_tag(n, is_lost=n in LOST)]
    found = found_in(tmp_path, rows, by="datetime")
    columns = next(iter(found.raw.mappings.values())).columns
    assert columns["delivery"].others == ("context.tags.delivery",)
    assert not columns["attempt"].others  # each job counts its own attempts anew
    assert sum(found.books.values()) == COUNT
    assert found.books[Verdict.DROPPED] == len(LOST)
    assert named(found) == "D8"


@pytest.mark.parametrize(
    ("status", "sends", "mechanism"), [(None, False, "D7"), (503, False, ""), (None, True, "")]
)
def test_a_later_turn_that_makes_no_request_may_call_a_delivery_failed(
    status: int | None, sends: bool, mechanism: str
) -> None:
    sent = step(Op.SENT, 2.5, attempt=1, worker="a")
    again = step(Op.CLAIMED, 95, worker="b")
    asked = [step(Op.SENT, 95.1, attempt=2, worker="b")] if sends else []
    failed = step(Op.FAILED, 95.2, worker="b", status=status, stand=Stand.FAILED)
    found = recognise(
        make_dropped(Why.SILENT, ACCEPTED, QUEUED, TAKEN, sent, again, *asked, failed), LOG
    )
    assert (found.mechanism == "D7" and "later turn" in found.what) is (mechanism == "D7")
