"""Worlds lose nothing; and they are interesting enough for that to mean something."""

from __future__ import annotations

from pathlib import Path

import pytest

from homing.sim.goals import JUDGED_FROM, Goal, unmet
from homing.sim.runs import Plan, Tally, run_one, run_some
from homing.sim.schedule import PYTHON, parse_token

REGRESSIONS = Path(__file__).with_name("regressions.txt")


def tokens() -> list[str]:
    lines = (line.partition("#")[0].strip() for line in REGRESSIONS.read_text().splitlines())
    return [line for line in lines if line]


@pytest.mark.parametrize("strategy", ["random", "pct"])
def test_nothing_is_lost_and_enough_happens(strategy: str) -> None:
    worlds = JUDGED_FROM if strategy == "random" else JUDGED_FROM // 2
    tally = run_some(1, worlds, Plan(strategy=strategy, store="both"))
    assert not tally.broken, tally.broken[0]
    assert tally.sqlite_worlds > 0
    assert not unmet(tally.met, tally.worlds)


def test_a_run_in_which_nothing_happens_fails() -> None:
    dull = Tally(worlds=JUDGED_FROM, deliveries=10_000)
    assert unmet(dull.met, dull.worlds) == list(Goal)
    assert unmet(dull.met, JUDGED_FROM - 1) == []


@pytest.mark.parametrize("token", tokens(), ids=lambda token: token[-12:])
def test_what_once_broke_is_still_refused(token: str) -> None:
    """Every schedule that ever lost something, with all safeguards on, and without its own."""
    schedule = parse_token(token)
    found = schedule.run(safe=True).breaches
    assert not found, "\n".join(map(str, found))
    if schedule.safeguard and schedule.python == PYTHON:
        assert schedule.find(schedule.run()) is not None


@pytest.mark.parametrize("seed", [225, 2800])
def test_worlds_that_a_checker_once_got_wrong_are_fine(seed: int) -> None:
    """225: a resend gave back a due time by a clock a minute ahead. 2800: an endpoint whose
    creation was committed without an answer. So it was in the worlds of then: with smaller ones
    these seeds meant something else than they mean now."""
    assert not run_one(seed, Plan(store="both")).breaches
