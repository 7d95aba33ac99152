"""Plain logs of a pool of workers, one line for each thing that happens: the answer of the receiver
is one line, and what is written of it another."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("duckdb")
pytest.importorskip("ibis")

from homing.forensics.document import document
from homing.forensics.habits import Kind
from homing.forensics.investigation import investigate
from homing.forensics.operations import Op
from homing.forensics.options import Options
from homing.forensics.vocabulary import meaning
from homing.forensics.words import line_of

BEGIN_S = 1_780_000_000.0
DELIVERIES = 600
LEASE_S = 40

Row = dict[str, Any]


def iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")


class Life:
    """The lines of one delivery."""

    def __init__(self, draw: random.Random, number: int) -> None:
        self.draw, self.rows, self.version, self.attempt = draw, [], 0, 0
        self.at = BEGIN_S + 60 * number + draw.uniform(0, 20)
        self.name, self.endpoint = f"dlv_{number * 7919 % 10_007:05}", f"ep_{number % 7}"
        self.worker = ""

    def say(self, event: str, *, after: float = 0.01, writes: bool = False, **told: Any) -> None:
        self.at += after
        row = {"ts": iso(self.at), "event": event, "delivery_id": self.name} | told
        if writes:
            self.version += 1
            row["version"] = self.version
        self.rows.append(row | {"endpoint": self.endpoint})

    def turn(self, worker: str | None = None, after: float = 0.5, *, writes: bool = True) -> None:
        self.attempt += 1
        self.worker = worker or f"w{self.draw.randint(1, 4)}"
        told = {"lease_expires_at": iso(self.at + after + LEASE_S)}
        self.say("claimed", after=after, writes=writes, **self.mine(), **told)

    def mine(self) -> Row:
        return {"worker": self.worker, "attempt": self.attempt, "epoch": self.attempt}

    def send(self) -> None:
        self.say("attempt_started", **self.mine())

    def answer(self, after: float = 0.3, of: Row | None = None, **told: Any) -> None:
        self.say("attempt_finished", after=after, **(of or self.mine()), **told)

    def plan(self, delay: float = 30, of: Row | None = None) -> None:
        due = {"next_retry_at": iso(self.at + delay)}
        self.say("retry_scheduled", writes=True, **(of or self.mine()), **due)
        self.at += delay

    def lapse(self) -> None:
        self.say("lease_expired", after=LEASE_S + 2)

    def deliver(self) -> None:
        self.turn()
        self.send()
        self.answer(status=200)
        self.say("delivered", writes=True, **self.mine())


def fails(draw: random.Random) -> Row:
    """How an attempt fails: with a status, or with the error of a request that had no answer."""
    return draw.choice(
        [{"status": 503}, {"error": "timeout"}, {"error": "connect ECONNREFUSED"}, {"status": 500}]
    )


def life(draw: random.Random, number: int, fault: str) -> Iterator[Row]:
    """A delivery; the fault hits some of those that have trouble."""
    one = Life(draw, number)
    one.say("accepted", writes=True)
    is_hit = number % 20 == 3 and number > 100
    if not is_hit and draw.random() < 0.1:
        one.turn()
        one.send()
        one.answer(**fails(draw))
        one.plan()
    if not is_hit and number % 31 == 0:  # late, and harmless: its write is refused
        one.turn()
        one.send()
        of = one.mine()
        one.lapse()
        one.turn()
        one.send()
        one.answer(after=5, of=of, status=504)
        one.say("result_refused", rows_updated=0, **of)
        one.plan()
    if not is_hit or not fault:
        one.deliver()
        return iter(one.rows)
    one.turn()
    one.send()
    of = one.mine()
    if fault == "forgotten":
        one.answer(**fails(draw))
    elif fault == "lapsed":
        one.lapse()
        one.say("failed", writes=True, reason="lease expired")
        one.answer(after=5, status=504)
        one.say("result_refused", rows_updated=0, **of)
    elif fault == "marked":
        one.lapse()
        one.turn(writes=False)
        one.say("skipped", reason="already in progress", **one.mine())
        one.answer(after=20, of=of, **fails(draw))
    elif fault == "overwritten":
        one.lapse()
        one.turn("w9")
        one.send()
        one.answer(after=1, status=503)
        one.plan()
        one.answer(after=-20, of=of, status=504)
        one.say("state_saved", writes=True, **of)
    else:
        one.answer(**fails(draw))
        one.plan()
        if fault.startswith("withdrawn"):
            one.say("cancelled", actor="alice", writes=True)
        one.say("deleted", after=60, actor=fault.rpartition(" ")[2])
    return iter(one.rows)


def found(fault: str, folder: Path) -> dict[str, Any]:
    draw = random.Random(5)
    rows = [row for number in range(DELIVERIES) for row in life(draw, number, fault)]
    rows.sort(key=lambda row: str(row["ts"]))
    path = folder / "log.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return document(investigate([str(path)], Options(folder=str(folder))))


HIT = sum(number % 20 == 3 and number > 100 for number in range(DELIVERIES))


@pytest.mark.parametrize(
    ("fault", "mechanism"),
    [
        ("forgotten", "D2"),  # an attempt that ended with an error failed, status or not
        ("lapsed", "D7"),  # a late answer whose write was refused has written nothing
        ("marked", "D8"),  # nor has an answer that is but noted down
        ("overwritten", "D6"),  # while this one was
        ("deleted by retention", "D11"),  # no person
    ],
)
def test_a_plain_log_names_what_lost_its_deliveries(
    fault: str, mechanism: str, tmp_path: Path
) -> None:
    one = found(fault, tmp_path)
    assert (one["dropped"], one["hypothesis"]["mechanism"]) == (HIT, mechanism)


@pytest.mark.parametrize("fault", ["", "deleted by alice", "withdrawn, deleted by retention"])
def test_what_a_person_ended_is_no_drop(fault: str, tmp_path: Path) -> None:
    one = found(fault, tmp_path)
    assert (one["dropped"], one["books"].get("cancelled", 0)) == (0, HIT if fault else 0)


# --- what is next to a drop ---


def accepted_beside(fault: str, folder: Path) -> dict[str, Any]:
    """Deliveries that a poller lists by their number; some are never listed."""
    draw = random.Random(9)
    rows = []
    for number in range(DELIVERIES * 3):
        is_late = number % 40 == 5
        lives = Life(draw, number)
        # a long transaction is seen when it is committed, after others of higher numbers
        lives.at = BEGIN_S + 20 * number + (draw.uniform(60, 90) if is_late else 0)
        is_hit = {
            "overtaken": is_late and number % 80 == 5,
            "not queued": number % 40 == 9,
            "left out": lives.endpoint == "ep_3" and 500 < number < 700,
        }[fault]
        lives.say("accepted", writes=True, n=1000 + number)
        if not is_hit:
            lives.say("enqueued", after=1, writes=True)
            lives.deliver()
        rows += lives.rows
    rows.sort(key=lambda row: str(row["ts"]))
    path = folder / "log.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return document(investigate([str(path)], Options(folder=str(folder))))["hypothesis"]


@pytest.mark.parametrize(
    ("fault", "mechanism"),
    [("overtaken", "D12"), ("not queued", "D3"), ("left out", "D9")],
)
def test_what_is_next_to_them_tells_why_they_were_never_tried(
    fault: str, mechanism: str, tmp_path: Path
) -> None:
    assert accepted_beside(fault, tmp_path)["mechanism"] == mechanism


# --- sentences with places for values ---

TEMPLATES = {
    "accepted": "Event {EventId} accepted for subscription {Endpoint} as outbox message {OutboxId}",
    "claimed": "Outbox message {OutboxId} locked, attempt {Attempt}",
    "attempt_finished": "POST {Url} for {OutboxId} responded {StatusCode} in {Elapsed:0.0000} ms",
    "retry_scheduled": "Outbox message {OutboxId} will be retried at {NextAttemptAt}",
    "delivered": "Outbox message {OutboxId} delivered",
    "gave_up": "Outbox message {OutboxId} failed permanently after {Attempt} attempts",
    "buried": "Outbox message {OutboxId} moved to dead letter table",
}
COLUMNS = {
    "ts": "@t",
    "delivery_id": "OutboxId",
    "endpoint": "SubscriptionId",
    "attempt": "Attempt",
    "status": "StatusCode",
    "next_retry_at": "NextAttemptAt",
    "worker": "MachineName",
}


def templated(folder: Path) -> dict[str, Any]:
    """The log of a .NET service: templates of messages, and hosts called after their work."""
    draw = random.Random(3)
    rows: list[Row] = []
    for number in range(DELIVERIES):
        one = Life(draw, number)
        one.say("accepted", worker="webhooks-api-0")
        if number % 10 == 3:
            for attempt in range(3):
                one.turn("outbox-worker-1")
                one.answer(status=503)
                if attempt < 2:
                    one.plan()
            one.say("gave_up", **one.mine())
            if number % 20 == 3 or number < 200:
                one.say("buried", **one.mine())
        else:
            one.turn("outbox-worker-0")
            one.answer(status=200)
            one.say("delivered", **one.mine())
        rows += [
            {"@t": row["ts"], "@mt": TEMPLATES[row["event"]]}
            | {COLUMNS[k]: v for k, v in row.items() if k in COLUMNS and k != "ts"}
            for row in one.rows
        ]
    rows.sort(key=lambda row: str(row["@t"]))
    path = folder / "log.json"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return document(investigate([str(path)], Options(folder=str(folder))))


def test_templates_of_messages_are_the_words_of_a_log(tmp_path: Path) -> None:
    one = templated(tmp_path)
    unburied = sum(n % 10 == 3 and n % 20 != 3 and n >= 200 for n in range(DELIVERIES))
    assert (one["accepted"], one["dropped"]) == (DELIVERIES, unburied)
    assert one["books"]["dead"] == sum(n % 10 == 3 for n in range(DELIVERIES)) - unburied
    assert one["hypothesis"]["mechanism"] == "D10"


# --- a queue that pushes ---


@pytest.mark.parametrize(
    ("text", "op"),
    [
        ("ack deadline exceeded, redelivering", Op.LAPSED),  # no dead letter
        ("visibility timeout exceeded", Op.LAPSED),
        ("maximum delivery attempts reached", Op.EXHAUSTED),
        ("attempts exceeded", Op.EXHAUSTED),
        ("forwarded to dead letter topic", Op.DEAD),
        ("push.started", Op.SENT),
        ("message locked, attempt {Attempt}", Op.CLAIMED),
    ],
)
def test_words_of_queues_that_push(text: str, op: Op) -> None:
    assert meaning(text).op is op


def pushed(folder: Path, *, answers: bool) -> dict[str, Any]:
    """A queue that says `push failed`: of a request, with its answer, or of its broker."""
    draw = random.Random(4)
    rows: list[Row] = []
    for number in range(DELIVERIES):
        one = Life(draw, number)
        one.say("message accepted")
        is_hit = number % 20 == 3
        if answers:
            if number % 10 == 7:
                one.say("message leased", attempt=1)
                one.say("push failed", attempt=1, status=503)
                one.say("message nacked, retry scheduled", attempt=1)
            one.say("message leased", attempt=2)
            told = {"status": 429} if is_hit else {"status": 200}
            one.say("push failed" if is_hit else "push succeeded", attempt=2, **told)
            one.say("message acked", attempt=2)
        elif is_hit:
            one.say("push failed", error="broker unreachable")
        else:
            one.say("message queued")
            one.say("message leased", attempt=1)
            one.say("message acked", attempt=1, status=200)
        rows += one.rows
    rows.sort(key=lambda row: str(row["ts"]))
    path = folder / "log.json"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return document(investigate([str(path)], Options(folder=str(folder))))


@pytest.mark.parametrize(("answers", "mechanism"), [(True, "D5"), (False, "D3")])
def test_a_push_that_was_answered_is_a_request(
    answers: bool, mechanism: str, tmp_path: Path
) -> None:
    one = pushed(tmp_path, answers=answers)
    assert one["dropped"] == sum(number % 20 == 3 for number in range(DELIVERIES))
    assert one["hypothesis"]["mechanism"] == mechanism


@pytest.mark.parametrize(
    ("outcome", "status", "op"),
    [
        ("retry", "none", Op.RETRY),
        ("dead", "none", Op.DEAD),
        ("delivered", "none", Op.SUCCEEDED),
        ("retry", "ok", Op.SUCCEEDED),
    ],
)
def test_how_a_turn_was_settled_is_told_by_its_outcome(outcome: str, status: str, op: Op) -> None:
    kind = Kind("events", "settled", None, None, outcome, None, status)
    assert line_of(kind, {}, {}).op is op


# --- a row a request ---


def requests(fault: str, folder: Path) -> dict[str, Any]:
    """Acceptances and requests; a worker that is held for dead may answer late."""
    draw = random.Random(8)
    rows: list[Row] = []

    def tried(one: Life, no: int, host: str | None, after: float, result: str, **told: Any) -> None:
        """The row of a request; who was no worker has no name."""
        one.say("attempt", after=after, attempt=no, host=host, result=result, **told)

    for number in range(DELIVERIES):
        one = Life(draw, number)
        one.say("accepted")
        is_hit = number % 20 == 3
        host = f"ip-{draw.randint(1, 4)}"
        is_slow = is_hit or number % 15 == 7
        if is_slow:
            ends = is_hit and fault == "failed under way"
            tried(one, 1, None, 40, "failure", state="failed" if ends else "retrying")
        if is_hit and fault == "skipped":
            tried(one, 2, "ip-9", 1, "skipped")
        if is_slow:
            late = {"code": 504, "latency_ms": 44_000, "state": "failed" if is_hit else "retrying"}
            tried(one, 1, host, 5, "failure", **late)
        often = 0 if is_hit else 3 * (number % 11 == 5)
        for again in range(often):
            tried(one, 1 + is_slow + again, host, 30, "failure", code=503, state="retrying")
        if not is_hit:
            tried(one, 1 + is_slow + often, host, 30, "success", code=200, state="delivered")
        rows += one.rows
    rows.sort(key=lambda row: str(row["ts"]))
    path = folder / "log.json"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return document(investigate([str(path)], Options(folder=str(folder))))


@pytest.mark.parametrize(
    ("fault", "mechanism"), [("failed under way", "D7"), ("skipped", "D8"), ("forgotten", None)]
)
def test_an_answer_after_the_failure_of_its_attempt_tells_who_called_it_failed(
    fault: str, mechanism: str | None, tmp_path: Path
) -> None:
    one = requests(fault, tmp_path)
    assert one["dropped"] == sum(number % 20 == 3 for number in range(DELIVERIES))
    assert one["hypothesis"]["mechanism"] == mechanism
