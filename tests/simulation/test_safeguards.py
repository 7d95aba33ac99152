"""Each safeguard, taken out, loses something soon; and the table in the documents is that."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.simulate import ABLATION_MUST_S, BEGIN, END, ablate, rows_in
from homing.sim.result import TINY
from homing.sim.runs import hunt
from homing.sim.safeguards import BY_NAME, SAFEGUARDS, Safeguard
from homing.sim.schedule import PYTHON, parse_token
from homing.sim.story import REPEATS, ROWS_MAX
from homing.sim.world import World

PAGE = Path(__file__).parents[2] / "docs/explanation/no-loss.md"
WAYS = {f"D{number}" for number in range(1, 13)}


def test_the_twelve_ways_to_lose_a_delivery_each_have_a_safeguard() -> None:
    assert {one.against for one in SAFEGUARDS} >= WAYS
    assert len(BY_NAME) == len(SAFEGUARDS) >= 12


@pytest.mark.parametrize("safeguard", SAFEGUARDS, ids=list(BY_NAME))
def test_without_it_something_is_lost_as_the_documents_say(safeguard: Safeguard) -> None:
    text = PAGE.read_text()
    rows = rows_in(text[text.index(BEGIN) : text.index(END)])
    against, breaks, seed = rows[safeguard.name]
    found = ablate(safeguard)
    assert (against, breaks) == (safeguard.against, safeguard.breaks)
    assert found.seed is not None
    assert found.seconds < ABLATION_MUST_S
    if f"Python {PYTHON};" in text:
        assert found.seed == seed, "run `python bench/simulate.py --write`"


@pytest.mark.parametrize("safeguard", SAFEGUARDS, ids=list(BY_NAME))
def test_with_it_nothing_is(safeguard: Safeguard) -> None:
    for seed in range(1, 26):
        found = World(seed, parts=safeguard.present, shape=TINY).run().breaches
        assert not found, f"seed {seed}: {found[0]}"


def test_a_loss_is_told_on_one_screen() -> None:
    found = hunt("fence")
    story = found.story
    assert story is not None
    assert found.seed is not None
    assert len(story.rows) <= ROWS_MAX
    assert sum(row.is_crossing for row in story.rows) == 2
    assert len(story.lanes) <= 3
    assert "crossed" in story.verdict
    assert story.breach.before != story.breach.after
    assert "refused" in story.refusal
    assert story.reproduced == REPEATS
    assert story.runs > story.shrinks > 0


def test_a_shrunk_schedule_breaks_without_it_and_not_with_it() -> None:
    story = hunt("born-in-one-transaction").story
    assert story is not None
    schedule = parse_token(story.token)
    assert schedule.size <= 10
    assert schedule.find(schedule.run()) == story.breach
    assert not schedule.run(safe=True).breaches
