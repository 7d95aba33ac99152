"""What drops that wait for a retry have in common, by which another than the plan is to blame."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.dropped import make_dropped, make_step

pytest.importorskip("duckdb")
pytest.importorskip("ibis")

from homing.forensics.facts import LogFacts
from homing.forensics.hypothesis import form
from homing.forensics.judging import Why
from homing.forensics.operations import Op
from homing.forensics.overwriting import with_lost_update
from homing.forensics.traces import Trace

LOG = LogFacts(
    fields=frozenset({"at", "op", "delivery", "status", "attempt", "due"}),
    ops=frozenset({Op.ACCEPTED, Op.QUEUED, Op.SENT, Op.FAILED, Op.RETRY, Op.SUCCEEDED}),
    attempts_last=6,
)


def waits(
    number: int,
    *,
    took_us: int,
    note: str | None = None,
    goes_on: bool = False,
    due_us: int = 30_000_000,
) -> Trace:
    """A delivery whose first attempt failed after so long: it waits for its retry, or had it."""
    begun = 1_000_000
    steps = [
        make_step(Op.ACCEPTED, 0),
        make_step(Op.QUEUED, begun),
        make_step(Op.SENT, begun, attempt=1),
        make_step(Op.FAILED, begun + took_us, attempt=1, status=503),
        make_step(Op.RETRY, begun + took_us, attempt=1, due_us=due_us),
    ]
    if note:
        steps.append(make_step(Op.NOTED, begun + took_us + 10, word=note))
    if goes_on:
        steps.append(make_step(Op.SENT, due_us, attempt=2))
        steps.append(make_step(Op.SUCCEEDED, due_us + 9, attempt=2, result=1, status=200))
    return make_dropped(Why.SILENT, *steps, name=f"d-{number}")


def candidates(dropped: list[Trace], fine: list[Trace], log: LogFacts = LOG) -> list[str]:
    found = form(dropped, fine, [], log, busiest_share=0.1)
    if found.mechanism:
        return [found.mechanism]
    return [one.mechanism for one in found.candidates]


def test_what_failed_sooner_than_others_may_have_been_written_over() -> None:
    fine = [waits(n, took_us=200_000 + n, goes_on=True) for n in range(60)]
    soon = [waits(n, took_us=2_000 + n) for n in range(20)]
    like_all = [waits(n, took_us=200_000 + 3 * n) for n in range(20)]
    assert candidates(soon, fine) == ["D1", "D6"]
    assert candidates(like_all, fine) == ["D1"]
    with_versions = replace(LOG, fields=LOG.fields | {"version_after"})
    assert candidates(soon, fine, with_versions) == ["D1"]


def test_what_was_written_to_while_it_waited_may_have_been_put_back() -> None:
    dropped = [waits(n, took_us=200_000, note="payload scrubbed") for n in range(20)]
    seldom = [
        waits(n, took_us=200_000, note=None if n % 5 else "payload scrubbed", goes_on=True)
        for n in range(60)
    ]
    often = [waits(n, took_us=200_000, note="payload scrubbed", goes_on=True) for n in range(60)]
    assert candidates(dropped, seldom) == ["D6", "D1"]
    assert candidates(dropped, often) == ["D1"]


@pytest.mark.parametrize("act", [Op.FAILED, Op.POSTPONED])
def test_a_plan_may_stand_in_the_line_of_the_failure_or_of_a_deferral(act: Op) -> None:
    def planned_so(trace: Trace) -> Trace:
        steps = [
            s._replace(act=act, result=-1 if act is Op.FAILED else 0) if s.act is Op.RETRY else s
            for s in trace.steps
        ]
        return trace._replace(steps=tuple(steps))

    dropped = [planned_so(waits(n, took_us=200_000, note="beat kept")) for n in range(20)]
    fine = [planned_so(waits(n, took_us=200_000, goes_on=True)) for n in range(60)]
    assert candidates(dropped, fine) == ["D6", "D1"]


@pytest.mark.parametrize(("due_h", "found"), [(9, ["D1", "D11"]), (0.5, ["D1"])])
def test_what_is_due_long_after_its_acceptance_may_have_been_deleted(
    due_h: float, found: list[str]
) -> None:
    fine = [
        waits(n, took_us=3_000_000, goes_on=True)._replace(accepted_us=2_000_000) for n in range(60)
    ]
    due_us = round(due_h * 3_600_000_000)
    old = [waits(n, took_us=3_000_000, due_us=due_us) for n in range(20)]
    # they are later attempts than the others were, and so much older: the two say the same
    first = make_step(Op.FAILED, 500_000, attempt=1, status=503)
    old = [t._replace(steps=(t.steps[0], first, *t.steps[1:])) for t in old]
    without_due_times = replace(LOG, fields=LOG.fields - {"due"})
    assert candidates(old, fine, without_due_times) == found


def test_a_state_that_was_left_before_shows_a_lost_update() -> None:
    steps = [
        make_step(Op.ACCEPTED, 0, state="pending"),
        make_step(Op.RETRY, 1, state="retry", was="sending"),
        make_step(Op.QUEUED, 2, state="queued", was="pending"),
    ]
    fine = [*steps[:2], make_step(Op.QUEUED, 2, state="queued", was="retry")]
    assert with_lost_update(make_dropped(Why.SILENT, *steps)).crossings == {"lost_update"}
    assert not with_lost_update(make_dropped(Why.SILENT, *fine)).crossings
