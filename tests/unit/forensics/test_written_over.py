"""Writes of another field than the state: they plan nothing, and may write over a plan."""

from __future__ import annotations

import pytest
from support.dropped import make_dropped as trace
from support.dropped import make_step as step

pytest.importorskip("duckdb")
pytest.importorskip("ibis")

from homing.forensics.facts import LogFacts
from homing.forensics.habits import Habits, Kind
from homing.forensics.judging import Why
from homing.forensics.mechanisms import recognise
from homing.forensics.operations import Op, Stand
from homing.forensics.overwriting import has_cleared_retry
from homing.forensics.passing import is_passed_since_crossed
from homing.forensics.words import line_of

LOG = LogFacts(
    fields=frozenset({"at", "delivery", "op", "worker", "attempt", "status", "due"}),
    ops=frozenset({Op.ACCEPTED, Op.CLAIMED, Op.FAILED, Op.RETRY, Op.SUCCEEDED}),
    usual={Op.CLAIMED: 1.0, Op.SUCCEEDED: 1.0},
)


@pytest.mark.parametrize(
    ("word", "op"),
    [
        ("delivery_priority_updated", Op.WRITTEN),
        ("labels changed", Op.WRITTEN),
        ("delivery_updated", Op.RETRY),
    ],
)
def test_what_saves_another_field_plans_nothing(word: str, op: Op) -> None:
    told = Kind("events", word, None, "pending", None, None, "none")
    assert line_of(told, {}, {}, Habits(accepts=True)).op is op


@pytest.mark.parametrize(
    ("state", "mechanism"),
    [("queued", "D6"), ("retry_scheduled", "D1"), ("pending", "D1"), (None, "D1")],
)
def test_a_plan_is_written_over_by_what_saves_it_as_queued(
    state: str | None, mechanism: str
) -> None:
    lost = trace(
        Why.SILENT,
        step(Op.ACCEPTED, 1),
        step(Op.CLAIMED, 2, worker="w1", attempt=1),
        step(Op.FAILED, 3, worker="w1", attempt=1, status=503, result=-1),
        step(Op.RETRY, 4, worker="w1", attempt=1, due_us=60_000_000, stand=Stand.WAITING),
        step(Op.WRITTEN, 5, worker="beat", word="delivery_priority_updated", state=state),
    )
    assert recognise(lost, LOG).mechanism == mechanism


# --- a late write that says neither when nor of which attempt


def test_what_waits_by_a_late_write_without_a_time_has_lost_its_plan() -> None:
    taken = step(Op.SENT, 2, attempt=2, worker="b")
    failed = step(Op.FAILED, 3, attempt=2, worker="b", status=503)
    planned = step(Op.RETRY, 4, attempt=2, worker="b", due_us=9)
    late = step(Op.RETRY, 5, worker="a", state="waiting")
    first = step(Op.SENT, 1, attempt=1, worker="a")
    assert has_cleared_retry(trace(Why.SILENT, first, taken, failed, planned, late))
    assert not has_cleared_retry(trace(Why.SILENT, first, taken, failed, planned))


def test_a_turn_that_passes_over_after_a_row_of_an_earlier_attempt_was_saved_found_that() -> None:
    failed = step(Op.FAILED, 3, attempt=3, worker="b", status=503)
    planned = step(Op.RETRY, 4, attempt=4, worker="b", due_us=9)
    saved = step(Op.RETRY, 5, attempt=1, worker="a", stand=Stand.WAITING)
    over = step(Op.SKIPPED, 6, worker="c", word="stale retry skipped")
    assert is_passed_since_crossed(trace(Why.SKIPPED, failed, planned, saved, over))
    assert not is_passed_since_crossed(trace(Why.SKIPPED, failed, planned, over))


def test_a_plan_whose_request_was_made_was_not_cleared() -> None:
    failed = step(Op.FAILED, 3, attempt=6, worker="b", status=503)
    planned = step(Op.RETRY, 4, attempt=7, worker="b", due_us=9)
    made = step(Op.SENT, 9, attempt=7, worker="c")
    ended = step(Op.FAILED, 10, worker="c", status=503)
    assert not has_cleared_retry(trace(Why.NO_DEAD_LETTER, failed, planned, made, ended))
    assert has_cleared_retry(trace(Why.NO_DEAD_LETTER, failed, planned, ended))


# --- a turn that was ended by who found it left


def test_called_done_by_the_next_worker_at_once_no_request_was_made() -> None:
    asked = step(Op.SENT, 1_000_000, attempt=1, worker="a")
    lapsed = step(Op.LAPSED, 35_000_000, worker="b")
    done = step(Op.SUCCEEDED, 35_010_000, worker="b", result=2)
    about = (Why.FALSE_DELIVERED, step(Op.ACCEPTED, 0), asked, lapsed)
    assert recognise(trace(*about, done, crossings=("foreign_write",)), LOG).mechanism == "D8"
    # a request takes longer; and the first worker may write late
    later = done._replace(at_us=36_000_000)
    assert recognise(trace(*about, later, crossings=("foreign_write",)), LOG).mechanism == "D6"
    late = done._replace(worker="a")
    assert recognise(trace(*about, late, crossings=("foreign_write",)), LOG).mechanism == "D6"


def test_a_row_with_the_number_of_the_attempt_that_answered_late_was_written_over() -> None:
    made = [step(Op.SENT, n, attempt=n, worker="ab"[n - 1]) for n in (1, 2)]
    second = step(Op.FAILED, 3, attempt=2, worker="b", status=502)
    first = step(Op.FAILED, 4, attempt=1, worker="a")
    row = step(Op.WRITTEN, 5, attempt=1, stand=Stand.WAITING, due_us=9, is_row=True)
    late = trace(Why.SILENT, *made, second, first, row)
    assert recognise(late, LOG).mechanism == "D6"
    # in turn, and counted from 0, it is how the table counts
    in_turn = trace(Why.SILENT, *made, first, second._replace(at_us=5), row)
    assert recognise(in_turn, LOG).mechanism != "D6"
