"""The lab's incidents, which were written apart from the analysis, score it."""

from __future__ import annotations

import re

import pytest

from bench.forensics_scores import BEGIN, END, PAGE, score
from homing.lab.incidents import INCIDENTS

#: never used for tuning
SEED = 9_501


@pytest.mark.log
@pytest.mark.parametrize("name", ["late-result", "stuck-processing", "taken-for-granted"])
def test_a_fault_of_the_lab_is_named(name: str) -> None:
    found = score(name, SEED, "service/usual", size=1_500)
    assert found["truth"] is not None
    assert found["found"] == found["truth"]
    assert found["dropped"] <= found["really_dropped"]


@pytest.mark.log
@pytest.mark.parametrize("name", [i.name for i in INCIDENTS if i.mechanism is None])
def test_a_clean_week_of_the_lab_is_not_suspected(name: str) -> None:
    assert score(name, SEED, "service/usual", size=1_500)["dropped"] == 0


def test_the_published_scores_are_of_the_incidents_that_there_are() -> None:
    block = PAGE.read_text().partition(BEGIN)[2].partition(END)[0]
    assert "python -m bench.forensics_scores" in block, "run it with --write"
    logs = sum(int(n) for n in re.findall(r"Logs with(?: drops|out): (\d+)", block))
    assert logs > 0
    assert logs % len(INCIDENTS) == 0, "the lab has other incidents now: run it again with --write"
