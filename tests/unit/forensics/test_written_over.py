"""Writes of another field than the state: they plan nothing, and may write over a plan."""

from __future__ import annotations

import pytest
from support.dropped import make_dropped as trace
from support.dropped import make_step as step

pytest.importorskip("duckdb")
pytest.importorskip("ibis")

from homing.forensics.facts import LogFacts
from homing.forensics.judging import Why
from homing.forensics.mechanisms import recognise
from homing.forensics.operations import Op, Stand
from homing.forensics.words import Habits, Kind, line_of

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
