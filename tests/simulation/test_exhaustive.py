"""The searches whose figures are in docs/explanation/no-loss.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from homing.sim.exhaustive import GOALS, explore
from homing.sim.tiny_world import Bounds

NO_LOSS = Path(__file__).parents[2] / "docs/explanation/no-loss.md"

#: rows of the table in no-loss.md that take seconds each
WORLDS = [
    Bounds(),
    Bounds(deliveries=2, retries=0, mishaps=1, acts=0, changes=0),
    Bounds(deliveries=2, retries=0, mishaps=0, acts=1, changes=0),
    Bounds(deliveries=2, retries=0, mishaps=0, acts=0, changes=1),
]


@pytest.mark.parametrize("bounds", WORLDS, ids=str)
def test_a_search_closes_and_finds_nothing_and_is_reported_as_it_was(bounds: Bounds) -> None:
    report = explore(bounds)
    assert report.violations == ()
    assert report.is_closed
    row = (*bounds, report.states, report.edges, report.depth)
    pattern = r"\|\s*".join(f"{number:,} " for number in row)
    assert re.search(rf"\| {pattern}\|", NO_LOSS.read_text()), f"no-loss.md has no row for {row}"
    if bounds == Bounds():
        assert report.goals == GOALS
        # Nobody parks a delivery that waits: a dispatcher leases it first, and then sees. And
        # the one act of a person here cannot be to take back another.
        assert report.unused == ("cancelled, restored", "waiting, parked")
