"""The founding story's weak answer and its strong ones get the verdicts that it gives them."""

from __future__ import annotations

import pytest
from support.walkthrough import LAB

from homing.walkthrough.assess import Assessment, State, assess
from homing.walkthrough.packs import by_level, shipped

LIBRARY = shipped()
STORY = LIBRARY.scenarios["lost-update"]


def judged(text: str, level: str, lens: str = "ownership") -> Assessment:
    return assess(text, None, LIBRARY.levels[level], LIBRARY.principles[lens])


@pytest.mark.parametrize("level", LIBRARY.levels)
@pytest.mark.parametrize("lens", LIBRARY.principles)
def test_the_weak_answer_sounds_competent_and_leans_no(level: str, lens: str) -> None:
    found = judged(STORY.told(by_level(STORY.weak.text, level)), level, lens)
    assert found.verdict is not None
    assert found.verdict.step == "lean no"
    for fault in STORY.weak.faults:
        assert found.states[fault.rule] not in (State.MET, State.NOT_CHECKABLE), fault.rule


def test_the_weak_answer_leans_no_since_it_hands_the_work_to_others() -> None:
    found = judged(STORY.told(by_level(STORY.weak.text, "sde2")), "sde2")
    assert found.states["hand_off"] is State.CONTRADICTED
    assert found.states["quantified_result"] in (State.MISSING, State.WEAK)
    assert found.verdict is not None
    assert "handed" in found.verdict.says
    # the founding list also blames a "we" that the answer does not have: no rule says so
    assert not [one for one in found.of("agency") if "“we" in one.detail.lower()]


@pytest.mark.parametrize("level", LIBRARY.levels)
def test_the_strong_answer_gets_a_yes_and_agrees_with_the_record(level: str) -> None:
    told = [STORY.strong(stage, LIBRARY.levels[level]) for stage in STORY.stages]
    text = "\n\n".join(told)
    found = judged(text, level)
    assert found.verdict is not None
    assert found.verdict.step in ("yes", "strong yes")
    against = assess(
        text, None, LIBRARY.levels[level], LIBRARY.principles["ownership"], LAB, me="ana"
    )
    assert against.states["record"] is not State.CONTRADICTED, against.of("record")
