"""How long a machine takes, how many attempts a delivery has, and who turned one away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("duckdb")
pytest.importorskip("ibis")

from support.dropped import make_dropped, make_step
from support.whole_log import found

from homing.forensics.facts import LogFacts
from homing.forensics.habits import Habits, Kind
from homing.forensics.investigation import investigate
from homing.forensics.judging import Verdict, Why
from homing.forensics.mechanisms import recognise
from homing.forensics.operations import Op, Stand
from homing.forensics.options import Options
from homing.forensics.passing import names_endpoint
from homing.forensics.reading.guessing import guess
from homing.forensics.sweeps import _cleans
from homing.forensics.traces import Step
from homing.forensics.vocabulary import meaning
from homing.forensics.words import is_in_progress, line_of

Row = dict[str, Any]
BEGIN_S = 1_780_000_000
COUNT = 240


def line(at: float, number: int, event: str, /, **told: Any) -> Row:
    return {"time": at, "event": event, "delivery_id": f"dlv_{number:05}", **told}


# --- how long it takes


def waiting(number: int) -> Iterator[Row]:
    """Each 24th is lost; hours later somebody withdraws one, and a duplicate of another comes."""
    begun = BEGIN_S + 60.0 * number
    yield line(begun, number, "delivery.created", endpoint_id=f"ep_{number % 5}")
    if number % 24 == 7:
        if number == 7:
            yield line(begun + 11_000, number, "delivery.cancelled", cancelled_by="maria.k")
        if number == 31:
            yield line(begun + 11_000, number, "duplicate ignored")
        return
    yield line(begun + 1, number, "delivery.queued")
    yield line(begun + 2, number, "delivery.started", attempt=1, worker=f"w{number % 3}")
    yield line(begun + 3, number, "delivery.succeeded", attempt=1, status=200)


def test_what_ends_a_wait_without_a_turn_tells_nothing_of_how_long_one_takes(
    tmp_path: Path,
) -> None:
    findings = found(tmp_path, (row for number in range(COUNT) for row in waiting(number)))
    assert findings.books[Verdict.CANCELLED] == 1
    assert findings.dropped == 9
    assert findings.books.get(Verdict.OPEN, 0) == 0


# --- how many attempts


def ending(number: int) -> Iterator[Row]:
    """Endpoints of two kinds: one allows three attempts and the other five; all of some fail."""
    begun, most = BEGIN_S + 60.0 * number, 3 if number % 2 else 5
    own = {"endpoint_id": f"ep_{number % 6}"}
    yield line(begun, number, "accepted", **own)
    is_failing = number % 12 in (4, 5)
    for attempt in range(1, most + 1):
        at = begun + 10 * attempt
        turn = own | {"attempt": attempt, "max_attempts": most, "worker": f"w{number % 3}"}
        yield line(at, number, "attempt started", **turn)
        if not is_failing:
            yield line(at + 1, number, "delivered", status=200, **turn)
            return
        if attempt == most - 1 and number % 24 == 5:
            # its lease runs out, and what came of it is told when all is over
            yield line(at + 2, number, "lease expired", attempt=attempt)
            continue
        yield line(at + 1, number, "attempt failed", status=503, **turn)
        if attempt < most:
            yield line(at + 1, number, "retry scheduled", next_attempt_at=at + 10, **turn)
    yield line(begun + 10 * most + 2, number, "dead lettered", status=503, **turn)
    if number % 24 == 5:
        late = begun + 10 * most + 8
        told = {"attempt": most - 1, "max_attempts": most, "worker": "w9", "error": "reset"}
        yield line(late, number, "attempt failed", **own, **told)
        yield line(late, number, "stale result ignored", **own, **told)


def test_each_delivery_has_the_attempts_that_it_is_allowed(tmp_path: Path) -> None:
    findings = found(tmp_path, (row for number in range(COUNT) for row in ending(number)))
    assert findings.books[Verdict.DEAD] == COUNT // 6
    assert findings.dropped == 0


def given_up(number: int) -> Iterator[Row]:
    """After two attempts or four, as each endpoint has it, the log says that they are used up; some
    have no dead letter then."""
    begun, most = BEGIN_S + 60.0 * number, 2 if number % 2 else 4
    own = {"endpoint_id": f"ep_{number % 6}"}
    yield line(begun, number, "accepted", **own)
    is_failing = number % 6 == 1 or number % 12 == 2
    for attempt in range(1, most + 1):
        turn = {"attempt": attempt, "worker": f"w{number % 3}"}
        yield line(begun + 10 * attempt, number, "attempt started", **turn)
        if not is_failing:
            yield line(begun + 10 * attempt + 1, number, "delivered", status=200, **turn)
            return
        yield line(begun + 10 * attempt + 1, number, "attempt failed", status=503, **turn)
    yield line(begun + 10 * most + 2, number, "attempts exhausted", **turn)
    if number % 24 != 13:
        yield line(begun + 10 * most + 3, number, "dead letter stored", **turn)


def test_what_the_log_calls_used_up_is_so_after_fewer_attempts_than_others(tmp_path: Path) -> None:
    findings = found(tmp_path, (row for number in range(COUNT) for row in given_up(number)))
    assert findings.dropped == COUNT // 24
    assert findings.whys == {Why.NO_DEAD_LETTER.name.lower(): COUNT // 24}
    assert findings.hypothesis.mechanism == "D10"


# --- who turned it away


def step(act: Op, second: float, **about: object) -> Step:
    return make_step(act, int(1_000_000 * second), **about)


LOG = LogFacts(
    fields=frozenset({"op", "worker", "attempt"}),
    ops=frozenset({Op.ACCEPTED, Op.QUEUED, Op.CLAIMED, Op.SENT, Op.LAPSED, Op.FAILED}),
    usual={Op.ACCEPTED: 1.0, Op.QUEUED: 1.0, Op.CLAIMED: 1.0, Op.SENT: 1.0},
    attempts_last=5,
)
BEGUN = (step(Op.ACCEPTED, 0), step(Op.QUEUED, 1), step(Op.CLAIMED, 2, worker="a", attempt=1))
SENT = (*BEGUN, step(Op.SENT, 2, worker="a", attempt=1))


def named(*steps: Step, why: Why = Why.SILENT) -> tuple[str, tuple[str, ...]]:
    match = recognise(make_dropped(why, *steps), LOG)
    return match.mechanism, match.twins


def test_given_out_again_and_passed_over_is_swallowed() -> None:
    again = step(Op.QUEUED, 60)
    assert named(*BEGUN, again, step(Op.SKIPPED, 60, worker="b"))[0] == "D8"
    # a duplicate that comes in at another time says nothing of the turn that died
    assert named(*BEGUN, step(Op.SKIPPED, 60, worker="b"))[0] == "D4"
    assert named(*BEGUN, again, step(Op.SKIPPED, 90, worker="b"))[0] != "D8"


def test_after_a_lapse_a_line_of_another_worker_may_have_left_it() -> None:
    lapse = step(Op.LAPSED, 60, worker="reaper", stand=Stand.WAITING)
    looked = step(Op.NOTED, 60, worker="b", word="ack")
    assert named(*SENT, lapse, looked) == ("D8", ("D7",))
    assert named(*SENT, lapse, looked._replace(worker="a")) == ("D7", ())
    locked = step(Op.SKIPPED, 60, worker="b", reason="locked")
    assert named(*SENT, lapse, locked)[0] == "D8"


def test_passed_over_and_called_done_is_swallowed() -> None:
    passed = step(Op.SKIPPED, 60, worker="b", reason="already in flight")
    done = step(Op.SUCCEEDED, 60.001, worker="b", result=1, stand=Stand.DELIVERED)
    assert named(*SENT, passed, done, why=Why.FALSE_DELIVERED)[0] == "D8"
    other = done._replace(worker="a")
    assert named(*SENT, passed, other, why=Why.FALSE_DELIVERED)[0] != "D8"


def test_called_failed_by_who_watches_over_leases() -> None:
    failed = step(Op.FAILED, 60, worker="lease-reaper", attempt=1, stand=Stand.FAILED)
    assert named(*SENT, failed)[0] == "D7"
    assert named(*SENT, failed._replace(worker="a"))[0] != "D7"
    assert named(*SENT, failed._replace(attempt=5))[0] != "D7"


def test_where_a_hand_over_goes_to_is_no_reason() -> None:
    told = step(Op.QUEUED, 1, reason="event=1 dest=ep_1")
    assert named(step(Op.ACCEPTED, 0), told)[0] == "D4"


def test_passed_over_with_no_word_of_a_twin() -> None:
    queued = (step(Op.ACCEPTED, 0), step(Op.QUEUED, 1))
    passed = step(Op.SKIPPED, 1, worker="a", word="update")
    assert named(*queued, passed, why=Why.SKIPPED) == ("D9", ("D8",))
    twin = passed._replace(word="duplicate")
    assert named(*queued, twin, why=Why.SKIPPED)[0] == "D3"


def test_who_lists_for_others_is_no_worker() -> None:
    listed = step(Op.CLAIMED, 1, word="picked up new job")
    taken = step(Op.CLAIMED, 2, worker="b", word="reserved job")
    assert named(step(Op.ACCEPTED, 0), listed, taken)[0] == "D4"
    assert named(step(Op.ACCEPTED, 0), listed._replace(worker="a"), taken)[0] == "D8"


# --- words


@pytest.mark.parametrize(
    ("text", "op"),
    [
        ("Attempt {Attempt} of {DeliveryId} threw after {Elapsed} ms", Op.FAILED),
        ("Delivery {DeliveryId} has used all {MaxAttempts} attempts", Op.EXHAUSTED),
        ("Delivery {DeliveryId} is now {Status}; next attempt at {NextAttemptAt}", Op.WRITTEN),
        ("Saved {DeliveryId} after attempt {Attempt}: {@Changes}", Op.WRITTEN),
        ("Delivery moved to failed_deliveries", Op.DEAD),
        ("Message sent to transport", Op.QUEUED),
        ("redelivered", Op.QUEUED),
        ("has been running too long, stopping it", Op.LAPSED),
        ("lock for job is taken, someone else is on it", Op.SKIPPED),
        ("endpoint not in registry, acking", Op.DISCARDED),
        ("certificate has expired", Op.FAILED),
        ("job is already settled, callback not used", Op.NOTED),
    ],
)
def test_words(text: str, op: Op) -> None:
    assert meaning(text).op is op


def test_what_a_reason_speaks_of() -> None:
    assert is_in_progress("skipped locked")
    assert not is_in_progress("locked_until")
    assert names_endpoint("no active settings for hook-acme-10, skipping")
    assert _cleans("old deliveries removed")
    assert _cleans("Removed 26 deliveries from before")
    assert not _cleans("delivery removed by a person")


def kind(op: str, reason: str) -> Kind:
    words = {"from_state": None, "to_state": None, "outcome": None, "reason": reason}
    return Kind(layout="events", op=op, status="none", **words)


def test_an_endpoint_that_is_being_changed_ends_a_delivery_and_a_person_withdraws_one() -> None:
    about = Habits(has_states=False, answering=frozenset(), showing=frozenset())
    closed = line_of(kind("closed", reason="endpoint updating"), {}, {}, about)
    assert closed.op is Op.DISCARDED
    withdrawn = line_of(kind("cancelled", reason="endpoint disabled by bcampbell"), {}, {}, about)
    assert withdrawn.op is Op.CANCELLED


# --- columns


def planning(number: int) -> Iterator[Row]:
    """A retry is planned at the end of a turn, and one more line of the turn follows."""
    begun = BEGIN_S + 20.0 * number
    yield line(begun, number, "accepted")
    yield line(begun + 1, number, "job picked up", worker="w1", attempt=1)
    if number % 2:
        yield line(begun + 2, number, "delivered", worker="w1", attempt=1, status=200)
        return
    yield line(begun + 2, number, "failed", worker="w1", attempt=1, status=503)
    yield line(begun + 2.1, number, "will retry", worker="w1", at=begun + 30)
    yield line(begun + 2.2, number, "job done", worker="w1")
    yield line(begun + 31, number, "job picked up", worker="w2", attempt=2)
    yield line(begun + 32, number, "delivered", worker="w2", attempt=2, status=200)


def test_a_plan_that_is_not_the_last_line_of_its_turn_is_no_lease() -> None:
    rows = [row for number in range(COUNT) for row in planning(number)]
    assert guess(rows).columns["due"].path == "at"
    assert "lease_until" not in guess(rows).columns


def test_which_of_how_many() -> None:
    rows = [
        {**row, "of": 5} if row["event"] == "failed" else row
        for number in range(COUNT)
        for row in planning(number)
    ]
    assert guess(rows).columns["max_attempts"].path == "of"


def test_a_process_number_is_no_status() -> None:
    """All of a service's processes happen to have numbers such as 201 and 204."""
    rows = [
        {"time": row["time"], "delivery_id": row["delivery_id"], "event": row["event"], "pid": pid}
        for number in range(COUNT)
        for pid, row in zip((201, 204, 413, 204, 201, 204, 201), planning(number), strict=False)
    ]
    assert "status" not in guess(rows).columns


def test_what_a_relay_publishes_was_accepted_before(tmp_path: Path) -> None:
    """An outbox with the moment of each acceptance, and what its relay handed on."""
    outbox, relay = tmp_path / "outbox.csv", tmp_path / "relay.csv"
    told = ["id,status,created_at,updated_at"]
    said = ["ts,event,outbox_id"]
    for number in range(COUNT):
        begun = BEGIN_S + 20.0 * number
        stand = "NEW" if number % 24 == 7 else "SENT"
        told.append(f"{70_000 + number},{stand},{begun},{begun + 1}")
        said.append(f"{begun + 0.2},publish,{70_000 + number}")
        if stand == "SENT":
            said.append(f"{begun + 0.4},send,{70_000 + number}")
            said.append(f"{begun + 0.8},delivered,{70_000 + number}")
    outbox.write_text("\n".join(told) + "\n")
    relay.write_text("\n".join(said) + "\n")
    findings = investigate([str(outbox), str(relay)], Options(folder=str(tmp_path)))
    assert findings.dropped == COUNT // 24
    assert findings.hypothesis.mechanism == "D4"
