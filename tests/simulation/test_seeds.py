"""Worlds lose nothing; and they are interesting enough for that to mean something."""

from __future__ import annotations

from pathlib import Path

import pytest

from homing.sim.goals import JUDGED_FROM, Goal, unmet
from homing.sim.runs import Plan, Tally, run_some
from homing.sim.schedule import parse_token

REGRESSIONS = Path(__file__).with_name("regressions.txt")


def tokens() -> list[str]:
    lines = (line.partition("#")[0].strip() for line in REGRESSIONS.read_text().splitlines())
    return [line for line in lines if line]


@pytest.mark.parametrize("strategy", ["random", "pct"])
def test_nothing_is_lost_and_enough_happens(strategy: str) -> None:
    tally = run_some(1, JUDGED_FROM, Plan(strategy=strategy, store="both"))
    assert not tally.broken, tally.broken[0]
    assert tally.sqlite_worlds > 0
    if strategy == "random":
        assert not unmet(tally.met, tally.worlds)


def test_a_run_in_which_nothing_happens_fails() -> None:
    dull = Tally(worlds=JUDGED_FROM, deliveries=10_000)
    assert unmet(dull.met, dull.worlds) == list(Goal)
    assert unmet(dull.met, JUDGED_FROM - 1) == []


@pytest.mark.parametrize("token", tokens(), ids=lambda token: token[-12:])
def test_what_once_broke_is_still_refused(token: str) -> None:
    """Every schedule that ever lost something, with all safeguards on."""
    found = parse_token(token).run(safe=True).breaches
    assert not found, "\n".join(map(str, found))
