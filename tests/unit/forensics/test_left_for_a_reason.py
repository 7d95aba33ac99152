"""Who left a delivery, or ended it, and for what reason."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.dropped import make_dropped, make_step

pytest.importorskip("duckdb")
pytest.importorskip("ibis")

from homing.forensics.facts import LogFacts
from homing.forensics.habits import Kind
from homing.forensics.investigation import investigate
from homing.forensics.judging import Verdict, Why
from homing.forensics.mechanisms import recognise
from homing.forensics.operations import Op, Stand
from homing.forensics.options import Options
from homing.forensics.words import line_of

Row = dict[str, Any]
COUNT = 240
BEGIN_S = 1_780_000_000
LOG = LogFacts(
    fields=frozenset({"op", "status", "attempt", "worker", "reason"}),
    ops=frozenset({Op.ACCEPTED, Op.QUEUED, Op.CLAIMED, Op.FAILED, Op.SUCCEEDED}),
    usual={Op.ACCEPTED: 1.0, Op.QUEUED: 1.0, Op.CLAIMED: 1.0},
    attempts_last=6,
)


# --- words by what their lines do, where each line says by whom


def of_parcels(number: int) -> Iterator[Row]:
    at, parcel, courier = BEGIN_S + 30.0 * number, f"pcl-{number:08x}", f"courier-{number % 4}"
    was = None
    moves = [
        ("registered", "intake", None, None),
        ("lined_up", "feeder", None, None),
        ("picked", courier, 1, None),
        ("calling", courier, 1, f"POST to shop-{number}, limit 30s"),
    ]
    if number % 40 == 3:  # put off, and due again: nothing more
        moves.append(("slowed", courier, 1, "HTTP 429 after 122 ms"))
    elif number % 20 == 5:
        moves.append(("failed", "warden", 1, "lease lapsed, courier silent for 60s"))
    elif number % 20 == 7:
        moves[2:] = [("let_go", courier, None, f"shop-{number % 5} is verifying")]
    else:
        moves.append(("arrived", courier, 1, f"HTTP 200 after {number} ms"))
    for place, (state, by, attempt, why) in enumerate(moves):
        row = {"when": at + place, "parcel": parcel, "was": was, "became": state, "by": by}
        row |= {"because": why} if why else {}
        row |= {"round": attempt} if attempt else {}
        row |= {"dest": f"shop-{number % 5}"} if place == 0 else {}
        row |= {"wake": at + 90} if state == "slowed" else {}
        yield row
        was = state


def test_who_signs_every_line_has_decided_nothing_by_that(tmp_path: Path) -> None:
    path = tmp_path / "transitions.jsonl"
    rows = (row for n in range(COUNT) for row in of_parcels(n))
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    findings = investigate([str(path)], Options(folder=str(tmp_path)))
    # the last may yet go on
    assert findings.books == {
        Verdict.DELIVERED: COUNT * 7 // 8,
        Verdict.DROPPED: COUNT // 8 - 1,
        Verdict.OPEN: 1,
    }
    assert {share.mechanism for share in findings.hypothesis.shares} == {"D1", "D7", "D9"}


def test_what_is_cancelled_for_want_of_an_endpoint_nobody_decided() -> None:
    kind = Kind("events", "job:stop", None, "cancelled", None, "endpoint_not_found", "none")
    assert line_of(kind, {}, {}).op is Op.DISCARDED
    assert line_of(kind._replace(reason="superseded"), {}, {}).op is Op.CANCELLED


# --- mechanisms


def test_what_was_in_progress_when_its_lease_ran_out_had_been_left_so() -> None:
    failed = make_step(Op.FAILED, 3, attempt=1, worker="a", status=429)
    taken = make_step(Op.SENT, 2, attempt=1, worker="a")
    lapsed = make_step(Op.LAPSED, 9, attempt=1, stand=Stand.LEASED)
    match = recognise(make_dropped(Why.SILENT, taken, failed, lapsed), LOG)
    assert (match.mechanism, match.twins) == ("D2", ("D7",))
    waiting = lapsed._replace(stand=Stand.NONE)
    assert recognise(make_dropped(Why.SILENT, taken, failed, waiting), LOG).mechanism == "D7"


@pytest.mark.parametrize(("worker", "mechanism"), [("disp-4", "D4"), (None, "D3")])
def test_a_row_that_names_its_worker_was_taken(worker: str | None, mechanism: str) -> None:
    log = replace(LOG, has_table=True, ops=LOG.ops - {Op.QUEUED}, usual={Op.ACCEPTED: 1.0})
    row = make_step(Op.ACCEPTED, 1, worker=worker, is_row=True, stand=Stand.WAITING)
    assert recognise(make_dropped(Why.SILENT, row), log).mechanism == mechanism


@pytest.mark.parametrize(("reason", "mechanism"), [("ep_1 is verifying", "D9"), ("busy", "D4")])
def test_a_turn_that_is_left_and_names_the_endpoint_was_left_for_it(
    reason: str, mechanism: str
) -> None:
    queued = make_step(Op.QUEUED, 2)
    left = make_step(Op.QUEUED, 3, worker="a", reason=reason)
    match = recognise(make_dropped(Why.SILENT, make_step(Op.ACCEPTED, 1), queued, left), LOG)
    assert match.mechanism == mechanism


@pytest.mark.parametrize(("was", "found"), [("pending", ("D2", ("D8",))), (None, ("D8", ("D9",)))])
def test_what_is_passed_over_in_the_state_that_a_failure_left_was_never_reset(
    was: str | None, found: tuple[str, tuple[str, ...]]
) -> None:
    taken = make_step(Op.CLAIMED, 1, attempt=1, worker="a", state="delivering", was=was)
    failed = make_step(Op.FAILED, 2, attempt=1, worker="a", stand=Stand.NONE, status=503)
    over = make_step(Op.SKIPPED, 9, attempt=2, worker="b", word="noop")
    match = recognise(make_dropped(Why.SKIPPED, taken, failed, over), LOG)
    assert (match.mechanism, match.twins) == found


@pytest.mark.parametrize(("due_us", "twins"), [(None, ("D2",)), (90, ())])
def test_what_is_put_off_until_no_time_may_have_been_planned_by_nobody(
    due_us: int | None, twins: tuple[str, ...]
) -> None:
    log = replace(LOG, fields=LOG.fields | {"due"})
    failed = make_step(Op.FAILED, 2, attempt=1, worker="a", status=429)
    off = make_step(Op.POSTPONED, 3, attempt=1, due_us=due_us)
    taken = make_step(Op.CLAIMED, 1, attempt=1, worker="a")
    match = recognise(make_dropped(Why.SILENT, taken, failed, off), log)
    assert (match.mechanism, match.twins) == ("D1", twins)
