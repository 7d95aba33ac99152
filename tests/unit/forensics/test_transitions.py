"""Tables of transitions, lists of events beside requests, and dead letters that stop."""

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

from homing.forensics.habits import Kind
from homing.forensics.investigation import Findings, investigate
from homing.forensics.judging import Verdict
from homing.forensics.operations import Op, Stand
from homing.forensics.options import Options
from homing.forensics.reading.guessing import guess
from homing.forensics.vocabulary import meaning
from homing.forensics.words import line_of

COUNT = 240
_BEGIN = datetime(2026, 9, 1, 6, tzinfo=UTC)
Row = dict[str, Any]
Lives = list[list[Row]]


def at(seconds: float) -> str:
    return (_BEGIN + timedelta(seconds=seconds)).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] + "+00"


def dropped(findings: Findings) -> int:
    return findings.books.get(Verdict.DROPPED, 0)


# -- a table of transitions: what an attempt came to stands in a sentence ------------------------


class Life:
    """The transitions of one delivery, a second apart."""

    def __init__(self, number: int) -> None:
        self.name, self.second, self.rows = f"{number:04x}-beef-{number:04x}", 60.0 * number, []
        self.state = ""
        self.to("received", "api", f"order.paid for endpoint/{number % 5}, 900 bytes, via relay")
        self.to("queued", "dispatcher")
        self.who = f"worker-{number % 4}/ab{number % 4}"

    def to(self, state: str, by: str, detail: str = "", *, wait: float = 1, was: str = "") -> None:
        self.second += wait
        cells = (self.name, was or self.state, state, at(self.second), by, detail)
        self.rows.append(
            dict(
                zip(
                    ("delivery", "from_state", "to_state", "at", "actor", "detail"),
                    cells,
                    strict=True,
                )
            )
        )
        self.state = state

    def take(self, no: int) -> None:
        self.to("in_flight", self.who, f"attempt {no}, lease until {at(self.second + 20)}")

    def within(self, by: str, detail: str, wait: float = 1) -> None:
        self.to(self.state, by, detail, wait=wait)

    def plan(self, no: int, delay: float = 120) -> None:
        self.within(self.who, f"attempt {no}: HTTP 503 in 300 ms")
        self.to(
            "waiting_retry", self.who, f"attempt {no} failed, next at {at(self.second + delay)}"
        )

    def succeed(self, no: int) -> None:
        self.within(self.who, f"attempt {no}: HTTP 200 in 200 ms")
        self.to("delivered", self.who)

    def retire(self) -> None:
        self.to("archived", "retention", "older than 6 h", wait=21_600)


def well(number: int) -> Life:
    life = Life(number)
    life.take(1)
    if number % 6 == 0:
        life.plan(1)
        life.to("queued", "scheduler", "due", wait=120)
        life.take(2)
    life.succeed(2 if number % 6 == 0 else 1)
    life.retire()
    return life


def table(folder: Path, lives: list[Life]) -> Findings:
    path = folder / "delivery_transitions.csv"
    rows = sorted((row for life in lives for row in life.rows), key=lambda row: row["at"])
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return investigate([str(path)], Options(threads=1))


def test_what_is_put_away_after_its_end_stands_as_it_ended(tmp_path: Path) -> None:
    assert dropped(table(tmp_path, [well(n) for n in range(1, COUNT)])) == 0


def deleted(life: Life) -> None:
    """Put away while it waits for its retry."""
    life.plan(1, 30_000)
    life.retire()


def contradicted(life: Life) -> None:
    """Called delivered, and answered 500 after that."""
    life.to("delivered", "relay", "attempt 1: dispatched")
    life.within("relay", "attempt 1: HTTP 500 in 700 ms")


def passed_over(life: Life) -> None:
    """Acknowledged because somebody seems to be at it."""
    life.to("queued", "reaper", "lease expired", wait=21)
    life.to("acked", "worker-9/ff", "in-progress key held")


def overwritten(life: Life) -> None:
    """Written as in progress by whoever lost its lease."""
    life.to("queued", "reaper", "lease expired", wait=21)
    life.within(life.who, "attempt 1: HTTP 504 in 25000 ms, lease lost", wait=4)
    life.to("in_flight", life.who, "attempt 1: lock released", wait=0, was="in_flight")


@pytest.mark.parametrize(
    ("end", "mechanism"),
    [(deleted, "D11"), (contradicted, "D5"), (passed_over, "D8"), (overwritten, "D6")],
)
def test_how_a_table_of_transitions_loses(
    end: Callable[[Life], None], mechanism: str, tmp_path: Path
) -> None:
    lives = [well(n) for n in range(1, COUNT)]
    for number in range(COUNT, COUNT + 12):
        life = Life(number)
        life.take(1)
        end(life)
        lives.append(life)
    findings = table(tmp_path, lives)
    assert (dropped(findings), findings.hypothesis.mechanism) == (12, mechanism)


def test_a_lease_lost_beside_an_answer_is_an_answer() -> None:
    def told(reason: str, status: str = "none") -> Op:
        return line_of(
            Kind("events", None, "in_flight", "in_flight", None, reason, status), {}, {}
        ).op

    assert told("HTTP 504, lease lost", "bad") is Op.FAILED
    assert told("timeout in , lease lost") is Op.FAILED
    assert told("dispatched") is Op.SENT
    assert told("lock released") is Op.WRITTEN


# -- dead letters --------------------------------------------------------------------------------


def happenings(folder: Path, lives: Lives) -> Findings:
    path = folder / "hooks.jsonl"
    rows = sorted((row for life in lives for row in life), key=lambda row: row["ts"])
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return investigate([str(path)], Options(threads=1))


def tried(number: int, answers: tuple[int, ...], *, has_letter: bool = True) -> list[Row]:
    name, second, rows = f"ntf_{number:08x}", 60.0 * number, []

    def line(word: str, **more: Any) -> None:
        nonlocal second
        second += 1
        rows.append({"ts": at(second), "evt": word, "ntf": name, **more})

    line("ntf.accepted", hook=f"hk_{number % 7}")
    for no, code in enumerate(answers, 1):
        line("ntf.picked", by=f"worker-{number % 3}@a{number % 3}", **{"try": no})
        line("ntf.answer", by=f"worker-{number % 3}@a{number % 3}", http=code, **{"try": no})
        if code == 200:
            line("ntf.confirmed", **{"try": no})
        elif no < 4:
            line("ntf.retry_planned", next_try_at=at(second + 60), **{"try": no})
            second += 60
        else:
            line("ntf.exhausted", **{"try": no})
            if has_letter:
                line("dead_letter.written")
    return rows


def test_a_column_of_words_names_nothing(tmp_path: Path) -> None:
    mapping = guess([row for n in range(1, 60) for row in tried(n, (200,))])
    assert mapping.columns["op"].path == "evt"
    assert mapping.columns["delivery"].path == "ntf"


@pytest.mark.parametrize(("first", "lost"), [(12, 40), (0, 0), (1, 0)])
def test_dead_letters_that_stop_are_missed(tmp_path: Path, first: int, lost: int) -> None:
    """By chance the first twelve of 52 would be those with one in one of 2e11 orders; the first of
    41, in one of 41. All of the first were turned down at once, so that nothing else tells."""
    fine = [tried(n, (200,)) for n in range(1, COUNT)]
    turned_down = [
        [
            *rows[:-1],
            {**rows[-1], "evt": "ntf.exhausted"},
            {**rows[-1], "evt": "dead_letter.written"},
        ]
        for rows in (tried(COUNT + n, (410,)) for n in range(first))
    ]
    ends = [tried(COUNT + first + n, (503,) * 4, has_letter=False) for n in range(40)]
    findings = happenings(tmp_path, [*fine, *turned_down, *ends, tried(2 * COUNT, (200,))])
    assert dropped(findings) == lost
    if lost:
        assert findings.hypothesis.mechanism == "D10"


def test_a_column_that_names_the_dead_letter(tmp_path: Path) -> None:
    rows = []
    for number in range(1, COUNT):
        is_bad = number % 8 == 0
        letter = f"dl-{number:05}" if is_bad and number < COUNT // 2 else None
        rows.append(
            {
                "delivery_id": f"d-{number:06}",
                "state": "failed" if is_bad else "delivered",
                "attempts": 5 if is_bad else 1,
                "max_attempts": 5,
                "created_at": at(60.0 * number),
                "completed_at": at(60.0 * number + 9),
                "last_status": 503 if is_bad else 200,
                "dead_letter_id": letter,
            }
        )
    path = tmp_path / "deliveries.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    findings = investigate([str(path)], Options(threads=1))
    expected = sum(n % 8 == 0 and n >= COUNT // 2 for n in range(1, COUNT))
    assert (dropped(findings), findings.hypothesis.mechanism) == (expected, "D10")


def test_due_weeks_ahead_although_somebody_redrove_one(tmp_path: Path) -> None:
    fine = [tried(n, (503, 200)) for n in range(1, COUNT)]
    far = []
    for number in range(COUNT, COUNT + 10):
        rows = tried(number, (503,))
        rows[-1]["next_try_at"] = at(60.0 * number + 25 * 86_400)
        far.append(rows)
    second = 60.0 * (COUNT + 20)
    name = far[0][0]["ntf"]
    far[0] += [
        {"ts": at(second), "evt": "ntf.picked", "ntf": name, "by": "worker-1@a1", "try": 2},
        {"ts": at(second + 1), "evt": "ntf.answer", "ntf": name, "http": 200, "try": 2},
        {"ts": at(second + 2), "evt": "ntf.confirmed", "ntf": name, "try": 2},
    ]
    findings = happenings(tmp_path, [*fine, *far, tried(2 * COUNT, (200,))])
    assert (dropped(findings), findings.hypothesis.mechanism) == (9, "D11")


# -- requests beside a list of events ------------------------------------------------------------


def test_requests_beside_a_list_of_events(tmp_path: Path) -> None:
    """The header of a request names its event, where one was made; turns called delivered were
    answered 500."""

    def request(number: int, no: int, status: int, code: int) -> Row:
        second = 60.0 * number + 20 * no
        return {
            "event": {"id": f"evt_{number:016x}", "type": "paid", "received_at": at(60.0 * number)},
            "attempt": {
                "number": no,
                "status": "delivered" if status == 200 else "failed",
                "started_at": at(second + 1),
                "finished_at": at(second + 2),
                "worker": f"dlv-{number % 3}",
            },
            "request": {"headers": {} if number % 40 == 0 else {"x-event": f"evt_{number:016x}"}},
            "response": {"status": code},
        }

    requests, events = [], []
    for number in range(1, COUNT):
        is_false, is_again = number > COUNT - 12, number % 6 == 0
        requests += [request(number, 1, 503, 503)] if is_again else []
        requests.append(request(number, 1 + is_again, 200, 500 if is_false else 200))
        events.append(
            {
                "id": f"evt_{number:016x}",
                "request_id": f"req_{number // 2:012x}",
                "status": "delivered",
                "attempts": 1 + is_again,
                "received_at": at(60.0 * number),
                "updated_at": at(60.0 * number + 42),
            }
        )
    for stem, rows in (("attempts", requests), ("events", events)):
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (tmp_path / f"{stem}.jsonl").write_text(text)
    findings = investigate([str(tmp_path)], Options(threads=1))
    assert (dropped(findings), findings.hypothesis.mechanism) == (11, "D5")


def test_a_logger_is_no_operation_and_a_place_in_the_code_no_worker() -> None:
    rows = []
    for number in range(1, 80):
        told = (
            ("ingest.EventService", "app:61", "Outbox entry created"),
            ("dispatch.WebhookDispatcher", "app:80", "Claimed outbox entry"),
            ("http.WebhookClient", f"app:{90 + number % 2}", f"POST https://r{number}.test -> 200"),
            ("dispatch.WebhookDispatcher", "app:118", "Delivered outbox entry"),
        )
        rows += [
            {
                "ts": at(60.0 * number + n),
                "logger_name": a,
                "location": b,
                "message": c,
                "outboxId": number,
            }
            for n, (a, b, c) in enumerate(told)
        ]
    columns = guess(rows).columns
    assert columns["delivery"].path == "outboxId"
    assert "logger_name" not in [column.path for column in columns.values()]
    assert "worker" not in columns


def test_a_failure_is_no_end_where_the_end_has_a_word(tmp_path: Path) -> None:
    """A log that says `exhausted` of the end says `failed` of what was to be tried again."""

    def told(number: int, answers: tuple[int, ...]) -> list[Row]:
        rows = [row for row in tried(number, answers) if row.get("http") != 503]
        plan = {"evt": "ntf.attempt_failed_retry_scheduled", "state": "retry"}
        return [{**r, **plan} if r["evt"] == "ntf.retry_planned" else r for r in rows]

    rows = [told(n, (503,) * 4 if n % 10 == 0 else (200,)) for n in range(1, COUNT)]
    for number in range(COUNT, COUNT + 9):
        life = told(number, (503,))
        life[-1] = {**life[0], "ts": life[-1]["ts"], "evt": "ntf.attempt_failed_will_be_retried"}
        rows.append(life)
    findings = happenings(tmp_path, [*rows, tried(2 * COUNT, (200,))])
    assert dropped(findings) == 9


@pytest.mark.parametrize(
    ("text", "op"),
    [
        ("Subscription {Id} is not active, finished {DeliveryId} in {Ms} ms", Op.DISCARDED),
        ("Delivery {DeliveryId} has a send in progress, message acknowledged", Op.SKIPPED),
    ],
)
def test_done_with_and_not_delivered(text: str, op: Op) -> None:
    assert (meaning(text).op, meaning(text).stand) == (op, Stand.GONE)


# -- a queue's own stream beside what the workers say --------------------------------------------


def stream(number: int, told: list[tuple[str, str, dict[str, Any]]]) -> list[Row]:
    """Lines of one delivery a second apart: message, event of the stream, and more."""
    name = f"dlv_{number:08x}"
    return [
        {"timestamp": at(60.0 * number + n), "message": message, **more}
        | ({"event": event, "jobId": name} if event else {"deliveryId": name})
        for n, (message, event, more) in enumerate(told)
    ]


_QUEUED_BY_STREAM = [
    ("delivery accepted", "", {"endpointId": "we_1"}),
    ("queue event", "added", {}),
    ("queue event", "waiting", {}),
    ("queue event", "active", {}),
]


def test_what_the_queue_tells_after_a_withdrawal_brings_nothing_back(tmp_path: Path) -> None:
    def well_done(number: int) -> list[Row]:
        answer = ("attempt succeeded", "", {"attempt": 1, "status": 200})
        done = [("attempt started", "", {"attempt": 1}), answer, ("queue event", "completed", {})]
        return stream(number, _QUEUED_BY_STREAM + done)

    withdrawn = [
        ("delivery cancelled by user", "", {"actor": "anna@shop.test"}),
        ("queue event", "waiting", {}),
        ("queue event", "active", {}),
    ]
    lives = [well_done(n) for n in range(1, COUNT)]
    lives += [stream(n, _QUEUED_BY_STREAM + withdrawn) for n in range(COUNT, COUNT + 9)]
    rows = [row for life in lives for row in life]
    columns = guess(rows).columns
    assert (columns["op"].path, columns["op"].others) == ("event", ("message",))
    path = tmp_path / "worker.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    findings = investigate([str(path)], Options(threads=1))
    assert dropped(findings) == 0
    assert findings.books[Verdict.CANCELLED] == 9


def test_the_moment_until_which_it_waits_is_no_wait() -> None:
    rows = [
        {
            "ts": at(n),
            "id": f"d-{n // 2}",
            "event": ("waiting", "active")[n % 2],
            "delay": 1.7e12 + n,
        }
        for n in range(400)
    ]
    assert "delay" not in guess(rows).columns
