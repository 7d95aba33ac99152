"""Logs of gateways and of queues of jobs: what is done with an entry, what a person switched off,
tables that refer to one another, and numbers of an outbox that only some deliveries have."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("duckdb")
pytest.importorskip("ibis")

from homing.forensics.investigation import Findings, investigate
from homing.forensics.judging import Verdict
from homing.forensics.operations import Op, Stand
from homing.forensics.options import Options
from homing.forensics.reading.guessing import guess
from homing.forensics.reading.joining import joined
from homing.forensics.reading.lines import state_change
from homing.forensics.reading.mapping import Column, Mapping
from homing.forensics.reading.references import links
from homing.forensics.vocabulary import meaning

COUNT = 300
_BEGIN = datetime(2026, 10, 1, 6, tzinfo=UTC)
Row = dict[str, Any]


def at(second: float) -> str:
    return (_BEGIN + timedelta(seconds=second)).isoformat(timespec="milliseconds")


def is_hit(number: int) -> bool:
    return number > COUNT // 3 and number % 12 == 5


HITS = sum(map(is_hit, range(COUNT)))


class Life:
    """The lines of one delivery."""

    def __init__(self, number: int) -> None:
        self.number, self.second, self.rows = number, 60.0 * number, []
        self.name, self.endpoint = f"dlv_{number * 7919 % 10_007:05}", f"ep_{number % 5}"
        self.worker = f"agent-{number % 3}"

    def say(self, event: str, after: float = 0.2, **told: Any) -> None:
        self.second += after
        row = {"time": at(self.second), "msg": event, "delivery_id": self.name}
        self.rows.append(row | {"endpoint_id": self.endpoint} | told)

    def accept(self, **told: Any) -> None:
        self.say("delivery accepted", **told)

    def take(self, attempt: int = 1, after: float = 0.2, worker: str = "") -> None:
        self.worker = worker or self.worker
        self.say("delivery claimed", after, attempt=attempt, worker=self.worker)

    def answer(self, status: int, attempt: int = 1, **told: Any) -> None:
        told = {"attempt": attempt, "worker": self.worker, "status": status} | told
        self.say("attempt finished", 0.4, **told)

    def plan(self, attempt: int = 1, wait: float = 30) -> None:
        self.say("retry scheduled", 0.01, attempt=attempt, next_attempt_at=at(self.second + wait))
        self.second += wait

    def deliver(self) -> None:
        self.take()
        if self.number % 10 == 7:
            self.answer(503)
            self.plan()
            self.take(2)
        self.answer(200, 2 if self.number % 10 == 7 else 1)


def found(
    folder: Path, tell: Callable[[Life], None], beside: tuple[Row, ...] = ()
) -> tuple[Findings, int]:
    lives = [Life(number) for number in range(COUNT)]
    for one in lives:
        tell(one)
    rows = [*beside, *(row for one in lives for row in one.rows)]
    rows.sort(key=lambda row: str(row["time"]))
    path = folder / "log.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    findings = investigate([str(path)], Options(folder=str(folder)))
    return findings, findings.books.get(Verdict.DROPPED, 0)


@pytest.mark.parametrize(
    ("text", "op"),
    [
        ("moved to parking lot", Op.DEAD),
        ("response after lease lost", Op.ATTEMPTED),
        ("lock release skipped", Op.NOTED),
        ("endpoint not active", Op.SKIPPED),
        ("rq.abandoned_job_requeued", Op.LAPSED),
        ("failed to find delivery: no rows in result set", Op.PURGED),
        ("delivery.hash_missing", Op.PURGED),
        ("Interrupted after starting perform", Op.LAPSED),
        ("record found", Op.SKIPPED),
    ],
)
def test_words_of_queues_and_gateways(text: str, op: Op) -> None:
    assert meaning(text).op is op


def test_a_previous_attempt_that_did_not_finish_is_called_its_failure() -> None:
    word = meaning("previous attempt did not finish, marking failed")
    assert (word.op, word.stand) == (Op.LAPSED, Stand.FAILED)


@pytest.mark.parametrize(
    ("listed", "change"),
    [
        (["delivering", "delivered"], ("delivering", "delivered")),
        ([None, "pending"], (None, "pending")),
        (["retrying", "retrying"], None),
        ([371278, "invoice.paid"], None),
        (["2026-10-01T06:00:00Z", "2026-10-01T07:00:00Z"], None),
        (["a", "b", "c"], None),
    ],
)
def test_a_list_of_two_states_is_a_change(
    listed: list[Any], change: tuple[Any, Any] | None
) -> None:
    told = state_change(listed)
    assert change == (None if told is None else (told["from_state"], told["to_state"]))


def test_changes_of_state_in_lists_tell_where_deliveries_stand(tmp_path: Path) -> None:
    def tell(one: Life) -> None:
        one.accept(state=[None, "pending"])
        one.take()
        one.say("delivery updated", state=["pending", "delivering"])
        if is_hit(one.number):
            one.answer(503)
            return
        one.deliver()
        one.say("delivery updated", state=["delivering", "delivered"])

    findings, dropped = found(tmp_path, tell)
    assert dropped == HITS
    assert findings.hypothesis.mechanism == "D2"


@pytest.mark.parametrize(("word", "mechanism"), [("task done", "D2"), ("message acked", "D5")])
def test_a_job_that_is_done_has_not_delivered(word: str, mechanism: str, tmp_path: Path) -> None:
    """Who acknowledges a message says more than who is done with a job."""

    def tell(one: Life) -> None:
        one.accept()
        if is_hit(one.number):
            one.take()
            one.answer(503)
            one.say(word, 0.01, worker=one.worker)
            return
        one.deliver()
        one.say("delivery updated", 0.01, worker=one.worker, delivery_state="delivered")

    findings, dropped = found(tmp_path, tell)
    assert dropped == HITS
    assert findings.hypothesis.shares[0].mechanism == mechanism


@pytest.mark.parametrize(("who", "hits"), [("j.adeyemi", 0), ("circuit-breaker-job", HITS)])
def test_what_a_person_switched_off_is_thrown_away_on_purpose(
    who: str, hits: int, tmp_path: Path
) -> None:
    def tell(one: Life) -> None:
        one.accept()
        if is_hit(one.number):
            one.take()
            one.say("delivery discarded", 0.01, worker=one.worker, reason="endpoint suspended")
            return
        one.deliver()

    beside: tuple[Row, ...] = tuple(
        {
            "time": at(60.0),
            "msg": "endpoint suspended",
            "endpoint_id": f"ep_{i}",
            "suspended_by": who,
        }
        for i in range(5)
    )
    _, dropped = found(tmp_path, tell, beside)
    assert dropped == hits


def test_a_hand_over_that_failed_and_was_then_passed_over_was_never_queued(tmp_path: Path) -> None:
    def tell(one: Life) -> None:
        one.accept()
        if is_hit(one.number):
            one.say("enqueue failed", error="redis: connection refused")
            one.say("skipped", 90, reason="enqueued marker present")
            return
        one.say("delivery enqueued")
        one.deliver()

    findings, dropped = found(tmp_path, tell)
    assert dropped == HITS
    assert findings.hypothesis.mechanism == "D3"


def test_numbers_of_an_outbox_that_some_have_tell_who_was_overtaken(tmp_path: Path) -> None:
    """Only what comes by the outbox has a number; a line of the relay has one of its own."""

    def tell(one: Life) -> None:
        has_number = one.number % 2 == 1
        # a long transaction took its number early, and is seen late
        number = one.number - 30 if is_hit(one.number) else one.number
        one.accept(
            **({"outbox_id": 70_000 + 10 * number + is_hit(one.number)} if has_number else {})
        )
        if not is_hit(one.number):
            one.say("delivery enqueued")
            one.deliver()

    beside: tuple[Row, ...] = tuple(
        {"time": at(60.0 * i + 1), "msg": "outbox relayed", "max_id": 70_000 + 10 * i}
        for i in range(1, COUNT)
    )
    findings, dropped = found(tmp_path, tell, beside)
    assert dropped == HITS
    assert findings.hypothesis.mechanism == "D12"


def test_a_turn_that_two_lines_tell_of_has_one_holder(tmp_path: Path) -> None:
    def tell(one: Life) -> None:
        one.accept()
        one.take()
        one.say("processing", 0.001, worker=one.worker)
        if is_hit(one.number):
            one.answer(503)
            one.say("delivered", 1.0, worker="callback-1")
            return
        if one.number % 10 == 7:
            one.answer(503)
            one.plan()
            one.take(2)
            one.say("processing", 0.001, worker=one.worker)
        one.answer(200, 2 if one.number % 10 == 7 else 1)
        one.say("delivered", 0.01, worker=one.worker)

    findings, dropped = found(tmp_path, tell)
    assert dropped == HITS
    assert findings.hypothesis.shares[0].mechanism == "D5"


def test_the_time_before_the_row_of_a_request_is_its_start() -> None:
    rows = [
        {
            "id": f"att_{i:05}",
            "delivery_id": f"dlv_{i // 2:05}",
            "sent_at": at(60 * i),
            "http_status": 200 if i % 2 else 503,
            "created_at": at(60 * i + 0.5),
        }
        for i in range(200)
    ]
    mapping = guess(rows)
    assert mapping.columns["started_at"].path == "sent_at"
    assert mapping.columns["at"].path == "created_at"
    assert not mapping.has("finished_at")


def test_tables_of_a_gateway_meet_by_their_deliveries(tmp_path: Path) -> None:
    """Events have a table, their deliveries one, and the requests of these a third; lines of
    the log may lack the endpoint."""
    tables: dict[str, list[Row]] = {"events": [], "event_deliveries": [], "delivery_attempts": []}
    lines: list[Row] = []
    for i in range(COUNT):
        event, begin = f"01EVT{i * 7919 % 10_007:08}XQ", 60.0 * i
        tables["events"].append({"id": event, "event_type": "paid", "created_at": at(begin)} | _OK)
        for endpoint in range(2 if i % 7 == 0 else 1):
            name, place = f"01DLV{i * 6007 % 10_007:08}{endpoint}K", f"01END{endpoint:08}WH"
            status = "Processing" if is_hit(i) else "Success"
            tables["event_deliveries"].append(
                {
                    "id": name,
                    "event_id": event,
                    "endpoint_id": place,
                    "status": status,
                    "created_at": at(begin),
                    "updated_at": at(begin + 1),
                }
            )
            tables["delivery_attempts"].append(
                {
                    "id": f"01ATT{i * 4001 % 10_007:08}{endpoint}Z",
                    "event_delivery_id": name,
                    "endpoint_id": place,
                    "http_status": 503 if is_hit(i) else 200,
                    "created_at": at(begin + 0.9),
                }
            )
            lines.append(
                {"time": at(begin + 0.1), "msg": "task enqueued", "event_delivery_id": name}
            )
            taken = {"msg": "task claimed", "event_delivery_id": name, "endpoint_id": place}
            lines.append({"time": at(begin + 0.2)} | taken)
    for name, some in tables.items():
        with (tmp_path / f"{name}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, list(some[0]))
            writer.writeheader()
            writer.writerows(some)
    lines.sort(key=lambda row: str(row["time"]))
    (tmp_path / "gateway.log").write_text("".join(json.dumps(row) + "\n" for row in lines))
    files = sorted(str(path) for path in tmp_path.iterdir())
    findings = investigate(files, Options(folder=str(tmp_path)))
    hit = [row for row in tables["event_deliveries"] if row["status"] == "Processing"]
    assert findings.accepted == len(tables["event_deliveries"])
    assert findings.books.get(Verdict.DROPPED, 0) == len(hit)


_OK: Row = {"status": "Success"}


def keyed(**columns: str) -> Mapping:
    return Mapping(layout="deliveries", columns={f: Column(path=p) for f, p in columns.items()})


def test_a_delivery_of_an_event_is_no_job_of_it() -> None:
    """A job says by its arguments whose it is; a delivery has a name of its own beside its
    event's."""
    names = [(f"01EVT{i * 7919 % 10_007:08}XQ", f"dlv_{i * 6007 % 10_007:08}") for i in range(60)]
    events: list[Row] = [{"id": event, "type": "paid"} for event, _ in names]
    deliveries: list[Row] = [
        {"id": name + ("b" if place else ""), "event_id": event, "endpoint_id": f"ep_{place}"}
        for i, (event, name) in enumerate(names)
        for place in range(2 if i % 5 == 0 else 1)
    ]
    requests: list[Row] = [
        {"event_delivery_id": row["id"], "code": code}
        for i, row in enumerate(deliveries)
        for code in ((503, 200) if i % 3 == 0 else (200,))
    ]
    jobs: list[Row] = [{"Id": str(50_000 + i), "arg": name} for i, (_, name) in enumerate(names)]
    states: list[Row] = [{"JobId": row["Id"], "Name": "Done"} for row in jobs]
    gateway = {"events": events, "deliveries": deliveries, "requests": requests}
    keys = {name: keyed(delivery="id") for name in ("events", "deliveries")}
    found = joined(links(gateway), keys | {"requests": keyed(delivery="code")}, gateway)
    assert found["deliveries"].columns["delivery"].path == "id"
    assert found["requests"].columns["delivery"].path == "event_delivery_id"
    queue = {"deliveries": deliveries, "jobs": jobs, "states": states}
    keys = {"deliveries": keyed(delivery="id"), "jobs": keyed(delivery="Id")}
    found = joined(links(queue), keys | {"states": keyed(delivery="JobId")}, queue)
    assert found["jobs"].columns["delivery"].path == "arg"
    assert found["jobs"].columns["trace"].path == "Id"
    assert found["states"].columns["trace"].path == "JobId"
