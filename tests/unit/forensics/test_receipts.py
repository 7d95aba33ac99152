"""What is told of a delivery after its request: by a receiver, a gateway or a late worker."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.dropped import make_dropped, make_step

pytest.importorskip("duckdb")
pytest.importorskip("ibis")

from homing.forensics.facts import LogFacts
from homing.forensics.investigation import Findings, investigate
from homing.forensics.judging import Verdict, Why
from homing.forensics.mechanisms import recognise
from homing.forensics.operations import Op, Stand
from homing.forensics.options import Options
from homing.forensics.reading.guessing import guess
from homing.forensics.traces import Step
from homing.forensics.turns import without_refused
from homing.forensics.vocabulary import meaning

COUNT = 300
BEGIN = 1_790_000_000.0
Row = dict[str, Any]
Say = Callable[..., None]
Tell = Callable[[int, Say], None]


def is_hit(number: int) -> bool:
    return number > COUNT // 3 and number % 15 == 5


HITS = sum(map(is_hit, range(COUNT)))


def rows_of(tell: Tell) -> list[Row]:
    """The rows of a log where each delivery's are told by `tell`."""
    rows: list[Row] = []
    for number in range(COUNT):

        def say(event: str, second: float, number: int = number, **told: Any) -> None:
            name = f"dlv_{number * 7919 % 10_007:05}"
            at = round(BEGIN + 60 * number + second, 3)
            rows.append({"ts": at, "event": event, "delivery_id": name, **told})

        tell(number, say)
    return sorted(rows, key=lambda row: float(row["ts"]))


def found(folder: Path, tell: Tell) -> Findings:
    path = folder / "log.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows_of(tell)))
    return investigate([str(path)], Options(folder=str(folder)))


def dropped(findings: Findings) -> int:
    return findings.books.get(Verdict.DROPPED, 0)


def turn(number: int, say: Say, attempt: int, at: float, status: int) -> None:
    who = {"attempt": attempt, "worker": f"w-{(number + attempt) % 4}"}
    say("claimed", at, **who)
    say("response", at + 0.5, status=status, **who)


def deliver(number: int, say: Say) -> None:
    """A turn that is answered well, at the second attempt for some."""
    if number % 5 == 2:
        turn(number, say, 1, 1, 503)
        say("retry_scheduled", 2, attempt=1, next_attempt_at=BEGIN + 60 * number + 30)
        turn(number, say, 2, 31, 202)
    else:
        turn(number, say, 1, 1, 202)


# -- what a receiver says later of what it took --------------------------------------------------


def reject(number: int, say: Say) -> None:
    """Taken with 202, and rejected half a minute later by a line that no worker signs."""
    turn(number, say, 1, 1, 202)
    say("callback rejected", 30, attempt=1)


def test_a_later_word_of_the_receiver_takes_a_success_back(tmp_path: Path) -> None:
    def tell(number: int, say: Say) -> None:
        say("accepted", 0)
        (reject if is_hit(number) else deliver)(number, say)

    findings = found(tmp_path, tell)
    assert dropped(findings) == HITS
    assert findings.books[Verdict.DELIVERED] == COUNT - HITS
    assert findings.hypothesis.mechanism == "D5"


def test_so_it_does_where_what_is_called_delivered_shows_no_status(tmp_path: Path) -> None:
    def tell(number: int, say: Say) -> None:
        say("accepted", 0)
        if number % 5 == 2:
            say("claimed", 1, attempt=1, worker="w-1")
            say("failed", 2, attempt=1, worker="w-1", error="refused")
            say("retry_scheduled", 2, attempt=1, next_attempt_at=BEGIN + 60 * number + 30)
        attempt = 2 if number % 5 == 2 else 1
        say("claimed", 31, attempt=attempt, worker="w-2")
        say("delivered", 32, attempt=attempt, worker="w-2")
        if is_hit(number):
            say("callback rejected", 40, attempt=attempt)

    hits = sum(is_hit(number) and number % 5 != 2 for number in range(COUNT))
    assert dropped(found(tmp_path, tell)) == hits


def test_a_later_word_without_a_number_is_of_the_last_turn_where_each_before_was_answered(
    tmp_path: Path,
) -> None:
    def tell(number: int, say: Say) -> None:
        say("accepted", 0)
        attempts = 2 if number % 2 else 1
        if attempts == 2:
            turn(number, say, 1, 1, 503)
            say("retry_scheduled", 2, attempt=1, next_attempt_at=BEGIN + 60 * number + 30)
        say("claimed", 31, attempt=attempts, worker="w-2")
        say("delivered", 32, status=202)
        if is_hit(number):
            say("callback rejected", 40, worker="w-0")

    assert dropped(found(tmp_path, tell)) == HITS


def test_a_failure_that_lets_it_wait_again_is_no_false_success(tmp_path: Path) -> None:
    def tell(number: int, say: Say) -> None:
        say("accepted", 0, state="new")
        say("claimed", 1, attempt=1, worker="w-1", state="sending")
        say("response", 2, attempt=1, worker="w-1", status=202, state="relayed")
        if number >= COUNT - 3:
            due = BEGIN + 60 * number + 900
            say("failed", 3, attempt=1, status=502, state="waiting", next_attempt_at=due)
        elif number % 5 == 2:
            due = BEGIN + 60 * number + 30
            say("failed", 3, attempt=1, status=502, state="waiting", next_attempt_at=due)
            say("claimed", 31, attempt=2, worker="w-1", state="sending")
            say("response", 32, attempt=2, worker="w-1", status=202, state="relayed")
        if number < COUNT - 3:
            say("delivered", 40, state="delivered")

    findings = found(tmp_path, tell)
    assert dropped(findings) == 0
    assert findings.books[Verdict.LATER] == 3


@pytest.mark.parametrize(
    ("words", "verdict"),
    [
        (("claimed", "response"), Verdict.DELIVERED),
        (("cancelled",), Verdict.CANCELLED),
        (("dead_lettered",), Verdict.DEAD),
        (("retry_scheduled",), Verdict.DROPPED),
    ],
)
def test_what_came_after_a_success_was_taken_back_tells_how_it_stands(
    words: tuple[str, ...], verdict: Verdict, tmp_path: Path
) -> None:
    told: dict[str, Row] = {
        "claimed": {"attempt": 2, "worker": "w-3"},
        "response": {"attempt": 2, "worker": "w-3", "status": 200},
        "cancelled": {"actor": "m.okafor"},
        "dead_lettered": {"attempt": 1},
        "retry_scheduled": {"attempt": 1},
    }

    def tell(number: int, say: Say) -> None:
        say("accepted", 0)
        if not is_hit(number):
            deliver(number, say)
            return
        reject(number, say)
        for i, word in enumerate(words):
            due = {"next_attempt_at": BEGIN + 60 * number + 90} if "retry" in word else {}
            say(word, 31 + i, **told[word], **due)

    findings = found(tmp_path, tell)
    expected = {Verdict.DELIVERED: COUNT - HITS}
    expected[verdict] = expected.get(verdict, 0) + HITS
    assert {v: n for v, n in findings.books.items() if n} == expected
    if verdict is Verdict.DROPPED:
        assert findings.hypothesis.mechanism == "D1"


# -- what came too late --------------------------------------------------------------------------

LOG = LogFacts(
    fields=frozenset({"op", "status", "attempt", "worker", "due", "reason"}),
    ops=frozenset({Op.ACCEPTED, Op.CLAIMED, Op.LAPSED, Op.FAILED, Op.RETRY, Op.SUCCEEDED}),
    usual={Op.ACCEPTED: 1.0, Op.CLAIMED: 1.0},
    attempts_last=8,
)


def step(act: Op, second: float, **about: object) -> Step:
    told: dict[str, object] = {"attempt": 1, "worker": "a"}
    return make_step(act, int(1_000_000 * second), **(told | about))


TAKEN = (step(Op.ACCEPTED, 0, attempt=None, worker=None), step(Op.CLAIMED, 1))
LAPSED = step(Op.LAPSED, 30, worker="reaper", stand=Stand.FAILED)
LATE = step(Op.FAILED, 35, result=-1, status=504)
REFUSED = step(Op.NOTED, 35.1, word="stale result ignored")


def test_a_late_answer_that_is_refused_after_the_lease_ran_out_writes_nothing() -> None:
    one = make_dropped(
        Why.SILENT, *TAKEN, LAPSED, LATE, REFUSED, crossings=("foreign_write", "second_result")
    )
    assert LATE not in without_refused(one).steps
    assert recognise(one, LOG).mechanism == "D7"
    kept = make_dropped(Why.SILENT, *TAKEN, LAPSED, LATE)
    assert without_refused(kept) == kept


def test_an_answer_of_a_turn_that_began_after_the_lease_ran_out_is_kept() -> None:
    again = step(Op.CLAIMED, 31)
    one = make_dropped(Why.SILENT, *TAKEN, LAPSED, again, LATE, REFUSED)
    assert LATE in without_refused(one).steps


def test_a_row_that_says_failed_since_its_lease_ran_out_is_d7() -> None:
    """Whoever answered after that, its row has not changed."""
    row = step(Op.LAPSED, 30, worker=None, stand=Stand.FAILED, is_row=True)
    lines = (*TAKEN, row, LATE)
    crossed = {"crossings": ("foreign_write",)}
    assert recognise(make_dropped(Why.SILENT, *lines, **crossed), LOG).mechanism == "D7"
    lines = (*TAKEN, LAPSED, LATE)
    assert recognise(make_dropped(Why.SILENT, *lines, **crossed), LOG).mechanism == "D6"


def test_what_is_called_delivered_and_was_passed_over_by_a_later_turn_is_d8() -> None:
    asked = step(Op.SENT, 2)
    again = (step(Op.SENT, 40, attempt=2), step(Op.SKIPPED, 41, attempt=2, worker="b"))
    said = step(Op.SUCCEEDED, 42, attempt=2, worker="b")
    one = make_dropped(Why.FALSE_DELIVERED, TAKEN[0], asked, *again, said)
    assert recognise(one, LOG).mechanism == "D8"
    one = make_dropped(Why.FALSE_DELIVERED, TAKEN[0], asked, again[0], said)
    assert recognise(one, LOG).mechanism != "D8"


# -- what a gateway, a relay and a queue say -----------------------------------------------------


def with_gateway(number: int, say: Say) -> None:
    """A service whose gateway says first that it has put a request by."""
    say("taken in", 0)
    say("published", 0.5)
    say("claimed", 1, attempt=1, worker="w-1")
    say("egress accepted", 1.4, attempt=1, status=202, worker="w-1")
    if not is_hit(number):
        say("response", 3, attempt=1, upstream_status=200)


def test_what_a_gateway_has_put_by_is_no_answer(tmp_path: Path) -> None:
    findings = found(tmp_path, with_gateway)
    assert findings.accepted == COUNT
    assert dropped(findings) == HITS


def test_a_status_of_whom_a_gateway_asked_is_a_second_status() -> None:
    column = guess(rows_of(with_gateway)).columns["status"]
    assert {column.path, *column.others} == {"status", "upstream_status"}


def test_what_a_relay_publishes_is_handed_over_where_another_word_accepts(tmp_path: Path) -> None:
    def tell(number: int, say: Say) -> None:
        say("taken in", 0)
        if not is_hit(number):
            say("published", 0.5)
            deliver(number, say)

    findings = found(tmp_path, tell)
    assert findings.events.words["published"] == "queued"
    assert dropped(findings) == HITS
    assert "D3" in [one.mechanism for one in findings.hypothesis.candidates]


@pytest.mark.parametrize(
    ("text", "op"),
    [
        ("subscription not active, acked", Op.DISCARDED),
        ("endpoint_deleted_entry_acked", Op.DISCARDED),
        ("destination removed, settled", Op.DISCARDED),
        ("subscription active, acked", Op.SUCCEEDED),
    ],
)
def test_an_entry_that_is_done_with_for_want_of_a_receiver_is_thrown_away(
    text: str, op: Op
) -> None:
    assert meaning(text).op is op
