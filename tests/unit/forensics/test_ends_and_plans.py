"""Whether the last word of a delivery is its end or a plan, and what was lost beside others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.dropped import make_dropped, make_step
from support.tables import write_table
from support.whole_log import books, found

from homing.forensics.catalogue import Match
from homing.forensics.investigation import investigate
from homing.forensics.judging import Verdict, Why
from homing.forensics.neighbours import Block, Neighbours
from homing.forensics.operations import Op, Stand
from homing.forensics.options import Options
from homing.forensics.passing import is_passed_since_crossed
from homing.forensics.reading.guessing import guess
from homing.forensics.reading.sentences import sentence
from homing.forensics.turns import failed_under_way
from homing.forensics.untried import by_neighbours
from homing.forensics.vocabulary import meaning
from homing.forensics.words import is_of_network

Row = dict[str, Any]
COUNT = 240
LOST = frozenset(range(10, COUNT - 60, 15))
GONE = frozenset(range(4, COUNT, 40))
UP = frozenset(range(7, COUNT, 20))


def retried(*, tells_due_at_end: bool) -> list[Row]:
    """Deliveries of which some fail three times; the fourth attempt of these nobody makes.

    Args:
        tells_due_at_end: failures that have a dead letter tell of a next attempt too.
    """
    rows: list[Row] = []
    for n in range(COUNT):
        at, about = 120.0 * n, {"delivery": f"d{n:05}", "endpoint": n % 7, "worker": f"w{n % 3}"}
        rows.append(about | {"time": at, "event": "accepted"})
        for no in (1, 2, 3) if n in LOST else (1,):
            start = at + (0, 1, 61, 121)[no]
            rows.append(about | {"time": start, "event": "attempt started", "attempt": no})
            if n not in LOST | GONE:
                good = {"event": "succeeded", "attempt": no, "status": 200}
                rows.append(about | {"time": start + 1} | good)
                continue
            failed = {"event": "failed", "attempt": no, "status": 410 if n in GONE else 503}
            due = {"next_attempt_at": start + 60} if n in LOST or tells_due_at_end else {}
            rows.append(about | {"time": start + 1} | failed | due)
            if n in GONE:
                rows.append(about | {"time": start + 1.1, "event": "moved to dead letters"})
    return rows


def test_a_failure_that_tells_of_a_next_attempt_is_no_end_where_ends_tell_of_none(
    tmp_path: Path,
) -> None:
    findings = found(tmp_path, retried(tells_due_at_end=False))
    assert books(findings)[Verdict.DROPPED] == len(LOST)
    assert books(findings)[Verdict.DEAD] == len(GONE)


def test_where_every_failure_tells_of_a_next_attempt_the_last_is_an_end(tmp_path: Path) -> None:
    findings = found(tmp_path, retried(tells_due_at_end=True))
    assert Verdict.DROPPED not in books(findings)


def given_up(*, kept: int) -> list[Row]:
    """Deliveries that use up three attempts, of which `kept` are put away; and what a receiver will
    never take, which is put away at once."""
    rows: list[Row] = []
    ended = range(0, COUNT, 4)
    for n in range(COUNT):
        at, about = 300.0 * n, {"delivery": f"d{n:05}", "endpoint": n % 7, "worker": f"w{n % 3}"}
        rows.append(about | {"time": at, "event": "accepted"})
        is_gone = n in (33, 105, 177)
        for no in (1, 2, 3) if n in ended else (1,):
            answer = {"attempt": no, "status": 410 if is_gone else 503 if n in ended else 200}
            rows.append(about | {"time": at + 9 * no, "event": "attempt started", "attempt": no})
            word = "failed" if n in ended or is_gone else "succeeded"
            rows.append(about | {"time": at + 9 * no + 1, "event": word} | answer)
        if n in ended:
            rows.append(about | {"time": at + 28.1, "event": "giving up"})
        if is_gone or n in ended[5::9][:kept]:
            rows.append(about | {"time": at + 28.2, "event": "moved to dead letters"})
    return rows


@pytest.mark.parametrize("kept", [6, 4])
def test_letters_that_mostly_follow_who_gives_up_show_that_each_should_have_one(
    tmp_path: Path, kept: int
) -> None:
    """Of sixty that gave up, six have one; and of nine letters, six follow a line that gives up."""
    findings = found(tmp_path, given_up(kept=kept))
    assert books(findings).get(Verdict.DROPPED, 0) == (60 - kept if kept == 6 else 0)


def tables(folder: Path, *, lost: bool) -> list[str]:
    """Rows of deliveries, and of attempts; endpoints differ in how many of these they allow."""
    deliveries: list[Row] = []
    attempts: list[Row] = []
    for n in range(COUNT):
        at, most = 1_780_000_000 + 600 * n, 5 if n % 2 else 4
        is_lost, is_dead = lost and n in LOST and n % 2 == 1, n in UP and n % 2 == 0
        is_dead = is_dead or (n in UP and n % 4 == 1) or n in GONE
        made = most if is_lost or is_dead else 1
        state = "exhausted" if is_lost else "dead_letter" if is_dead else "delivered"
        deliveries.append(
            {"id": 5_000 + n, "endpoint_id": n % 6, "status": state, "attempt_count": made}
            | {"max_attempts": most, "created_at": at, "updated_at": at + 50 * made}
            | {"dead_lettered_at": at + 50 * made if is_dead else ""}
        )
        for no in range(1, made + 1):
            began = {"started_at": at + 50 * no - 1, "finished_at": at + 50 * no}
            code = 200 if state == "delivered" else 503
            attempts.append(
                {"id": len(attempts), "delivery_id": 5_000 + n, "attempt_no": no}
                | began
                | {"response_code": code}
            )
    return [
        write_table(folder / f"{name}.csv", ",".join(rows[0]), [list(row.values()) for row in rows])
        for name, rows in (("deliveries", deliveries), ("attempts", attempts))
    ]


@pytest.mark.parametrize("lost", [False, True])
def test_attempts_that_are_used_up_have_a_dead_letter_by_what_each_endpoint_allows(
    tmp_path: Path, lost: bool
) -> None:
    findings = investigate(tables(tmp_path, lost=lost), Options(folder=str(tmp_path)))
    want = sum(n % 2 == 1 for n in LOST) if lost else 0
    assert books(findings).get(Verdict.DROPPED, 0) == want
    if lost:
        assert findings.hypothesis is not None
        assert findings.hypothesis.mechanism == "D10"


def test_the_answer_in_the_row_of_a_delivery_is_none_of_an_attempt_that_has_no_answer() -> None:
    first = make_step(Op.FAILED, 2, attempt=1, status=503, worker="a")
    second = make_step(Op.SENT, 30, attempt=2, worker="a")
    row = make_step(Op.WRITTEN, 170, attempt=2, status=503, stand=Stand.FAILED, is_row=True)
    begun = make_step(Op.SENT, 1, attempt=1, worker="a")
    trace = make_dropped(Why.SILENT, begun, first, second, row)
    assert failed_under_way(trace, 6, has_table=True, has_workers=True)
    answer = make_step(Op.FAILED, 31, attempt=2, status=503, worker="a")
    trace = make_dropped(Why.SILENT, begun, first, second, answer, row)
    assert failed_under_way(trace, 6, has_table=True, has_workers=True) is None


@pytest.mark.parametrize(("saved", "is_crossed"), [(1, True), (2, False)])
def test_what_was_passed_over_after_a_late_worker_had_saved_it_met_its_write(
    saved: int, is_crossed: bool
) -> None:
    second = make_step(Op.SENT, 2, attempt=2, worker="b")
    write = make_step(Op.WRITTEN, 9, attempt=saved, worker="a", word="saved", stand=Stand.NONE)
    over = make_step(Op.SKIPPED, 20, attempt=3, worker="c", word="record says another, skipping")
    steps = (make_step(Op.SENT, 1, attempt=1, worker="a"), second, write, over)
    assert is_passed_since_crossed(make_dropped(Why.SKIPPED, *steps)) is is_crossed


@pytest.mark.parametrize(("passed", "mechanism"), [(3, "D9"), (0, "D3")])
def test_a_batch_that_came_in_a_row_was_not_left_out_because_of_its_endpoint(
    passed: int, mechanism: str
) -> None:
    untried = Match("D3", 0.4, "accepted, and nothing after it")
    trace = make_dropped(Why.SILENT, make_step(Op.ACCEPTED, 50_000_000), accepted_us=50_000_000)
    near = Neighbours(own=1.0, blocks=(Block("ep_1", 49_000_000, 51_000_000, passed),))
    ((_, match),) = by_neighbours([(trace, untried)], near, [])
    assert match.mechanism == mechanism


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("delivery a1433f8f: 204 in 0.15s, delivered", "status", "204"),
        ("delivery cbdadebf: 202 in 0.49s, delivered", "status", "202"),
        ("queue depth: 204 waiting", "status", None),
        ("MainProcess[303] hooks.cleanup: removed 0 deliveries older than 24h", "delivery", None),
        ("worker-1[2144] hooks.worker: worker online", "delivery", None),
        ("INFO OutboxRelay: enqueued DeliverWebhookJob(48321) jid=fc0bf573", "delivery", "48321"),
    ],
)
def test_a_sentence_says(text: str, field: str, value: str | None) -> None:
    assert sentence(text).get(field) == value


def test_what_is_back_in_the_queue_waits_though_its_turn_stalled() -> None:
    word = meaning("delivery stalled on for more than , back to the queue")
    assert (word.op, word.stand) == (Op.LAPSED, Stand.WAITING)


def test_a_dead_letter_whose_insert_did_not_finish_is_none() -> None:
    assert meaning("Insert into hooks.DeadLetter did not finish").op is Op.DEAD_FAILED
    assert meaning("Insert into hooks.DeadLetter").op is Op.DEAD


def test_a_body_that_ended_too_soon_is_no_answer() -> None:
    assert is_of_network("incomplete_body")


def test_the_class_of_an_error_is_a_reason_beside_the_reasons_of_others() -> None:
    rows = [
        {"time": 1_780_000_000 + n, "delivery_id": f"d{n % 50:05}", "event": "ATTEMPT_FINISHED"}
        | {"error_class": "incomplete_body" if n % 9 == 0 else None}
        | {"detail.reason": "by hand" if n % 9 == 1 else None}
        for n in range(300)
    ]
    assert guess(rows).columns["reason"].others == ("error_class",)
