"""Each rival of the suspect is excluded with a figure of the log at hand, or said not to be."""

from __future__ import annotations

import pytest
from support.dropped import make_dropped as trace
from support.dropped import make_step as step

pytest.importorskip("ibis")

from homing.forensics.hypothesis import Hypothesis, Share
from homing.forensics.judging import Why
from homing.forensics.operations import Op, Stand
from homing.forensics.rivals import weighed
from homing.forensics.telling import rivals_told


def rival(code: str, excluded: str = "yes") -> dict[str, str]:
    return {"mechanism": code, "name": "some name", "why": "told apart so", "excluded": excluded}


def written_over(number: int) -> object:
    steps = [step(Op.ACCEPTED, 0), step(Op.CLAIMED, 1), step(Op.CLAIMED, 2), step(Op.FAILED, 3)]
    return trace(Why.SILENT, *steps, crossings=("foreign_write",), name=f"d-{number}")


def supposed(*rivals: dict[str, str], alike: int = 0) -> Hypothesis:
    shares = [Share("D6", 20, 1.0, 0.9, "crossed")]
    if alike:
        shares.append(Share("D7", alike, 0.1, 0.9, "ended by its lease"))
    return Hypothesis("D6", "a sentence", rivals=list(rivals), shares=shares)


def test_a_rival_has_the_number_of_drops_that_show_its_sign() -> None:
    found = supposed(rival("D7"))
    rivals = weighed(found, [written_over(n) for n in range(20)])  # type: ignore[misc]
    figure = "of the 20 drops that were read, 0 ended when a lease ran out"
    assert rivals[0]["figure"] == figure
    document = {"candidates": [], "rivals": rivals}
    assert rivals_told(document) == [(True, f"not D7 (some name): {figure}")]


def test_a_sign_that_the_drops_of_the_suspect_have_too_is_no_figure() -> None:
    left = [step(Op.ACCEPTED, 0), step(Op.CLAIMED, 1, stand=Stand.LEASED)]
    found = supposed(rival("D2"))
    drops = [trace(Why.SILENT, *left, crossings=("foreign_write",)) for _ in range(20)]
    rivals = weighed(found, drops)
    assert rivals[0]["figure"].endswith(" read, 0 look like it, line by line")


def test_what_is_a_second_mechanism_is_counted_as_one() -> None:
    found = supposed(rival("D7"), alike=2)
    rivals = weighed(found, [written_over(n) for n in range(20)])  # type: ignore[misc]
    assert rivals[0]["figure"].endswith(" read, 2 look like it, line by line")


def test_what_cannot_be_excluded_comes_first_and_a_candidate_is_no_rival() -> None:
    document = {
        "candidates": [{"mechanism": "D3"}],
        "rivals": [rival("D2"), rival("D3"), rival("D7", "no")],
    }
    assert rivals_told(document) == [
        (False, "told apart so"),
        (True, "not D2 (some name): told apart so"),
    ]
