"""What is evidence of a mechanism and what is none: each rule beside its opposite."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.dropped import make_dropped as trace
from support.dropped import make_step as step

pytest.importorskip("duckdb")
pytest.importorskip("ibis")

from homing.forensics.document import document
from homing.forensics.facts import LogFacts
from homing.forensics.habits import Habits, Kind
from homing.forensics.investigation import investigate
from homing.forensics.judging import Why
from homing.forensics.mechanisms import recognise
from homing.forensics.operations import Op, Stand
from homing.forensics.options import Options
from homing.forensics.reading.guessing import guess
from homing.forensics.traces import Step
from homing.forensics.vocabulary import meaning
from homing.forensics.words import Line, line_of

LOG = LogFacts(
    fields=frozenset({"at", "delivery", "op", "worker", "attempt", "status", "due"}),
    ops=frozenset({Op.ACCEPTED, Op.CLAIMED, Op.FAILED, Op.RETRY, Op.SUCCEEDED}),
    usual={Op.CLAIMED: 1.0, Op.SUCCEEDED: 1.0},
)


def named(why: Why, *steps: Step, crossings: tuple[str, ...] = ()) -> str:
    return recognise(trace(why, *steps, crossings=crossings), LOG).mechanism


def line(op: str, **about: Any) -> Line:
    told = {"from_state": None, "to_state": None, "outcome": None, "reason": None}
    kind = Kind(layout="events", op=op, **{**told, "status": "none", **about})
    return line_of(kind, {}, {}, Habits(answering=frozenset({"webhook.deliver"})))


@pytest.mark.parametrize(
    ("text", "op"),
    [
        ("lost lease, result discarded", Op.NOTED),
        ("Missing lock for job, result ignored", Op.NOTED),
        ("lease extended", Op.NOTED),
        ("unhandled error in deliver()", Op.NOTED),
        ("panic in worker", Op.NOTED),
        ("endpoint disabled, record skipped", Op.DISCARDED),
        ("skipping endpoint disabled", Op.DISCARDED),
        ("duplicate skipped", Op.SKIPPED),
        ("context deadline exceeded", Op.FAILED),
        ("moved to dead letters", Op.DEAD),
        ("POST webhook", Op.SENT),
        ("post failed", Op.FAILED),
        ("cannot queue: broker unreachable", Op.NOT_QUEUED),
        ("failed to signal queue", Op.NOT_QUEUED),
        ("queued", Op.QUEUED),
    ],
)
def test_words_say_what_they_say(text: str, op: Op) -> None:
    assert meaning(text).op is op


def test_what_changed_nothing_takes_no_delivery_whatever_state_stands_beside() -> None:
    assert line("result discarded", to_state="leased") == Line(Op.NOTED, Stand.NONE, Stand.NONE, 0)
    assert line("state saved", to_state="leased").op is Op.CLAIMED
    assert line("late result ignored", status="ok").result == 1  # the receiver has it
    assert line("late result ignored", status="bad").result == 0


def test_a_request_that_ended_with_an_error_failed() -> None:
    late = {"reason": "context deadline exceeded"}
    assert line("attempt finished", **late)[0::3] == (Op.FAILED, -1)
    assert line("webhook.deliver", **late)[0::3] == (Op.FAILED, -1)
    assert line("sending", **late).op is Op.SENT  # why it is sent again
    assert line("attempt finished").op is Op.ATTEMPTED


def test_a_lease_that_ran_out_and_is_called_a_failure_stands_as_one() -> None:
    assert line("failed", reason="lock expired").stand is Stand.FAILED
    assert line("lease expired, marking failed").stand is Stand.FAILED
    assert line("lock expired", to_state="pending").stand is Stand.WAITING
    assert line("lock expired").stand is Stand.NONE


def test_giving_up_in_a_state_of_exhaustion_is_no_dead_letter_yet() -> None:
    assert line("giving up", to_state="exhausted").op is Op.EXHAUSTED
    assert line("giving up", to_state="failed").op is Op.DEAD


def test_passed_over_because_of_its_endpoint_is_d9_and_as_a_twin_it_is_not() -> None:
    accepted = step(Op.ACCEPTED, 1)
    over = step(Op.SKIPPED, 2, word="skipping endpoint disabled")
    twin = step(Op.SKIPPED, 2, word="sweeper: already queued, skipping")
    failed = step(Op.FAILED, 1, word="error")
    assert named(Why.SKIPPED, accepted, over) == "D9"
    assert named(Why.SKIPPED, accepted, failed, twin) == "D3"  # no request was answered
    answered = step(Op.FAILED, 1, status=503, attempt=1)
    assert named(Why.SKIPPED, accepted, step(Op.CLAIMED, 1), answered, twin) == "D8"


def test_clocks_differ_and_a_line_that_discards_may_seem_to_come_first() -> None:
    gone = step(Op.DISCARDED, 1, word="endpoint disabled, record skipped")
    assert named(Why.SILENT, gone, step(Op.ACCEPTED, 2), step(Op.QUEUED, 3)) == "D9"
    assert named(Why.SILENT, step(Op.ACCEPTED, 2), step(Op.QUEUED, 3)) == "D4"


def test_a_later_turn_that_met_somebody_at_work_is_d8_though_a_lease_ran_out() -> None:
    first = [step(Op.ACCEPTED, 1), step(Op.CLAIMED, 2, attempt=1), step(Op.LAPSED, 3)]
    over = step(Op.SKIPPED, 4, word="delivery already in flight, ack", stand=Stand.LEASED)
    assert named(Why.SILENT, *first, over) == "D8"
    assert named(Why.SILENT, *first) == "D7"
    again = step(Op.CLAIMED, 5, attempt=2)
    assert named(Why.SILENT, *first, over, again, step(Op.RETRY, 6, due_us=7)) == "D1"


def test_a_hand_over_with_an_error_is_one_that_failed() -> None:
    why = "Reached the max retries per request limit"
    queued = step(Op.QUEUED, 2, word="queue.add")
    assert named(Why.SILENT, step(Op.ACCEPTED, 1), queued._replace(reason=why)) == "D3"
    assert named(Why.SILENT, step(Op.ACCEPTED, 1), queued) == "D4"


@pytest.mark.parametrize(
    ("late", "mechanism"),
    [
        ([step(Op.RELEASED, 6, attempt=1, worker="a")], "D6"),
        ([step(Op.FAILED, 6, attempt=1, worker="a")], "D6"),
        # it was told that it was late: what it had is thrown away
        (
            [
                step(Op.FAILED, 6, attempt=1, worker="a"),
                step(Op.NOTED, 7, attempt=1, worker="a"),
            ],
            "D1",
        ),
        # the retry itself, by another worker
        ([step(Op.FAILED, 6, attempt=3, worker="a", status=503)], "D2"),
    ],
)
def test_a_planned_retry_is_cleared_by_a_late_write_and_by_no_other(
    late: list[Step], mechanism: str
) -> None:
    life = [
        step(Op.ACCEPTED, 1),
        step(Op.CLAIMED, 2, attempt=1, worker="a"),
        step(Op.CLAIMED, 3, attempt=2, worker="b"),
        step(Op.FAILED, 4, attempt=2, worker="b", stand=Stand.WAITING, due_us=9),
    ]
    assert named(Why.SILENT, *life, *late) == mechanism


@pytest.mark.parametrize(("worker", "attempt", "mechanism"), [("b", 2, "D5"), ("a", 1, "D6")])
def test_called_delivered_too_soon_by_the_same_turn_or_by_another(
    worker: str, attempt: int, mechanism: str
) -> None:
    steps = [
        step(Op.ACCEPTED, 1),
        step(Op.CLAIMED, 2, attempt=1, worker="a"),
        step(Op.CLAIMED, 3, attempt=2, worker="b"),
        step(Op.SUCCEEDED, 4, worker="b"),
        step(Op.FAILED, 5, attempt=attempt, worker=worker, status=504),
    ]
    assert named(Why.FALSE_DELIVERED, *steps, crossings=("late_attempt",)) == mechanism


def rows(number: int, *told: tuple[float, str, dict[str, Any]]) -> list[dict[str, Any]]:
    begin = 1_780_000_000 + 40 * number
    return [
        {"ts": begin + at, "delivery_id": f"d-{number:04}", "event": event, **about}
        for at, event, about in told
    ]


def investigated(folder: Path, lives: list[list[dict[str, Any]]]) -> dict[str, Any]:
    log = folder / "log.jsonl"
    every = sorted((one for life in lives for one in life), key=lambda one: one["ts"])
    log.write_text("".join(json.dumps(one) + "\n" for one in every), "utf-8")
    return document(investigate([str(log)], Options(threads=1)))


@pytest.mark.parametrize("is_requeued", [False, True])
def test_leases_that_are_failures_end_deliveries_only_where_none_goes_on(
    tmp_path: Path, *, is_requeued: bool
) -> None:
    lives = []
    for number in range(200):
        first = [(0.0, "accepted", {}), (0.1, "claimed", {"attempt": 1, "worker": "a"})]
        sent = {"attempt": 1, "worker": "a"}
        if number % 20 == 7:
            first.append((30.0, "failed", {"reason": "lock expired", "attempt": 1}))
            # the answer of the one whose lease it was
            first.append((45.0, "request failed", {**sent, "error": "timeout"}))
            if is_requeued:
                again = {"attempt": 2, "worker": "b"}
                first.append((50.0, "claimed", again))
                first.append((50.2, "delivered", {**again, "status": 200}))
        else:
            first.append((0.3, "delivered", {**sent, "status": 200}))
        lives.append(rows(number, *first))
    found = investigated(tmp_path, lives)
    assert found["dropped"] == (0 if is_requeued else 10)
    assert found["hypothesis"]["mechanism"] == (None if is_requeued else "D7")


@pytest.mark.parametrize("lost", [0, 6])
def test_giving_up_is_no_dead_letter_where_one_follows(tmp_path: Path, lost: int) -> None:
    lives = []
    for number in range(200):
        told: list[tuple[float, str, dict[str, Any]]] = [(0.0, "accepted", {})]
        is_bad = number % 10 == 3
        for attempt in (1, 2, 3) if is_bad else (1,):
            shared = {"attempt": attempt, "worker": f"w{attempt % 2}"}
            told.append((20.0 * attempt, "claimed", shared))
            status = 503 if is_bad else 200
            told.append((20.0 * attempt + 1, "response", {**shared, "status": status}))
        if is_bad:
            told.append((61.5, "giving up on delivery", {"attempt": 3}))
            if number >= 10 * lost:
                told.append((62.0, "moved to dead letters", {}))
        lives.append(rows(number, *told))
    found = investigated(tmp_path, lives)
    assert found["dropped"] == lost
    assert found["hypothesis"]["mechanism"] == ("D10" if lost else None)


def test_a_level_is_no_reason_and_a_text_beside_spans_says_what_happened() -> None:
    spans = [
        {"delivery_id": f"d-{n}", "name": name, "status_code": 200, "at": 1.78e9 + n}
        for n in range(50)
        for name in ("webhook.accept", "webhook.deliver")
    ]
    told = ["job active", "result ignored", "job completed"]
    records = [
        {
            "delivery_id": f"d-{n}",
            "body": told[n % 3],
            "severityText": "INFO",
            "at": 1.78e9 + n,
        }
        for n in range(50)
    ]
    columns = guess([*spans, *records]).columns
    assert columns["op"].path == "name"
    assert columns["op"].others == ("body",)
    assert all(column.path != "severityText" for column in columns.values())


def test_a_webhook_beside_its_url_is_a_delivery_and_few_of_them_are_endpoints() -> None:
    def sample(count: int) -> list[dict[str, Any]]:
        return [
            {"timestamp": 1.78e9 + n, "action": action, "webhook": str(700_001 + n % count),
             "url": f"https://a{n % 40}.example/hook", "try": attempt}
            for n in range(400)
            for action, attempt in (("created", None), ("sending", "1"), ("ok", "1"))
        ]  # fmt: skip

    assert guess(sample(400)).columns["delivery"].path == "webhook"
    assert guess(sample(400)).columns["endpoint"].path == "url"


@pytest.mark.parametrize(("is_open", "twins"), [(False, ()), (True, ("D6",))])
def test_where_every_turn_had_its_answer_nobody_was_left_to_write_late(
    is_open: bool, twins: tuple[str, ...]
) -> None:
    plain = LogFacts(
        fields=frozenset({"at", "op", "attempt", "status"}), ops=LOG.ops, usual=LOG.usual
    )
    answer = [] if is_open else [step(Op.FAILED, 3, attempt=1, status=503)]
    steps = [
        step(Op.ACCEPTED, 1),
        step(Op.CLAIMED, 2, attempt=1),
        *answer,
        step(Op.RETRY, 4),
        step(Op.CLAIMED, 5, attempt=2),
        step(Op.FAILED, 6, attempt=2, status=503),
        step(Op.SUCCEEDED, 7, attempt=2),
    ]
    one = trace(Why.FALSE_DELIVERED, *steps)
    assert recognise(one, plain).twins == twins


def test_passed_over_while_a_request_is_under_way_is_d8_whatever_it_is_called() -> None:
    accepted, sent = step(Op.ACCEPTED, 1), step(Op.SENT, 2, attempt=1)
    over = step(Op.SKIPPED, 30, attempt=2, word="skipped")
    late = step(Op.FAILED, 50, attempt=1, status=504)
    assert named(Why.SILENT, accepted, sent, over, late, crossings=("late_attempt",)) == "D8"
    # answered before: nobody was at it, so that it may as well have been its endpoint
    answered = step(Op.FAILED, 3, attempt=1, status=503)
    steps = (accepted, sent, answered, step(Op.RETRY, 4), over)
    one = trace(Why.SKIPPED, *steps)
    assert recognise(one, LOG).twins == ("D9",)


@pytest.mark.parametrize("name", ["d-0007\ufffd", "d-9007"])
def test_a_name_with_bytes_that_are_no_text_is_no_delivery_of_its_own(
    tmp_path: Path, name: str
) -> None:
    lives = []
    for number in range(100):
        worked = {"attempt": 1, "worker": "a"}
        done = (0.4, "delivered", {**worked, "status": 200})
        lives.append(rows(number, (0.0, "accepted", {}), (0.1, "claimed", worked), done))
    lives[10].append({**lives[10][0], "delivery_id": name})
    assert investigated(tmp_path, lives)["dropped"] == (name == "d-9007")


@pytest.mark.parametrize("attempt", [1, 2, 3])
def test_delivered_by_another_attempt_than_failed_is_no_contradiction(
    tmp_path: Path, attempt: int
) -> None:
    lives = []
    for number in range(200):
        said = {"attempt": 1, "state": "delivered"}
        told: list[tuple[float, str, dict[str, Any]]] = [(0.0, "accepted", {"state": "pending"})]
        if number % 10 == 3:
            failed = {"attempt": 1, "state": "waiting", "status": 503}
            told.append((1.0, "request failed", failed))
            said = {"attempt": 2, "state": "delivered"}
        if number % 50 == 7:
            lapsed = {"attempt": 1, "state": "pending"}
            failed = {"attempt": 2, "state": "waiting", "status": 503}
            told += [(10.0, "lease expired", lapsed), (11.0, "request failed", failed)]
            said = {"attempt": attempt, "state": "delivered"}
        told.append((13.0, "delivery done", said))
        lives.append(rows(number, *told))
    assert investigated(tmp_path, lives)["dropped"] == (4 if attempt == 2 else 0)


@pytest.mark.parametrize("end", ["\n", ""])
def test_a_last_line_that_does_not_end_may_name_half_a_delivery(tmp_path: Path, end: str) -> None:
    lines = []
    for number in reversed(range(300)):  # the newest first
        at = f"2026-03-01T{number // 60:02}:{number % 60:02}"
        said = f"delivery_id=d-{number:04}77 worker=a attempt=1"
        lines += [f"{at}:02Z delivered {said} status=200", f"{at}:01Z claimed {said}"]
        lines.append(f"{at}:00Z accepted delivery_id=d-{number:04}77")
    log = tmp_path / "service.log"
    log.write_text("\n".join(lines)[:-2] + end, "utf-8")
    assert document(investigate([str(log)], Options(threads=1)))["dropped"] == (end == "\n")
