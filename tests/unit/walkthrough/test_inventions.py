"""Fluent inventions: without a record they earn what they claim; with it, none stands unmarked.

Each is well told, in the first person and with figures, so no rule of words can see that it is not
so. Only the record can: it says something else, or it has nothing of the kind.
"""

from __future__ import annotations

import pytest
from support.attacks import CREDITED, CREDITS, INVENTED, OF_OTHERS, TAKEN
from support.stories import strong
from support.walkthrough import LAB, NOW_US, changed

from homing.review.incident import Adopted, Adoption, Incident
from homing.walkthrough import packs
from homing.walkthrough.assess import State, assess

LIBRARY = packs.shipped()


def states(text: str, record: Incident) -> set[State]:
    found = assess(
        text, None, LIBRARY.levels["sde2"], LIBRARY.principles["ownership"], record, me="ana"
    )
    return {one.state for one in found.of("record")}


@pytest.mark.parametrize("text", INVENTED)
def test_an_invention_is_contradicted_or_unsupported(text: str) -> None:
    assert states(f"## Result\n\n{text}", LAB) & {State.CONTRADICTED, State.WEAK}, text


@pytest.mark.parametrize("text", CREDITED)
def test_what_an_invention_earns_without_a_record_the_record_marks(text: str) -> None:
    level, lens = LIBRARY.levels["sde2"], LIBRARY.principles["ownership"]
    found = assess(text, None, level, lens).states
    assert any(found[rule] is State.MET for rule in CREDITS), text
    held = assess(text, None, level, lens, LAB, me="ana").of("record")
    assert {one.state for one in held} & {State.CONTRADICTED, State.WEAK}, text


@pytest.mark.parametrize("other", [one for one in LIBRARY.scenarios if one != "lost-update"])
def test_the_story_of_another_incident_does_not_pass_for_this_one(other: str) -> None:
    scenario = LIBRARY.scenarios[other]
    level, lens = LIBRARY.levels["sde2"], LIBRARY.principles["ownership"]
    for stage in scenario.stages:
        text = f"## {stage.name}\n\n{scenario.strong(stage, level)}"
        found = assess(text, None, level, lens, LAB, me="ana")
        credited = [rule for rule in CREDITS if found.states.get(rule) is State.MET]
        if credited:
            bad = {State.CONTRADICTED, State.WEAK}
            assert {one.state for one in found.of("record")} & bad, (stage.id, credited)


def test_ones_own_story_is_marked_where_the_record_is_silent_and_nowhere_else() -> None:
    """What the lab's record lacks of the told story: who adopted, and two things of the search."""
    level, lens = LIBRARY.levels["sde2"], LIBRARY.principles["ownership"]
    found = assess(strong(), None, level, lens, LAB, me="ana").of("record")
    details = {one.detail for one in found if one.state not in (State.MET, State.NOT_CHECKABLE)}
    assert details == {"the record has nobody who took it up"}


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("The payments team adopted my alert in their template.", State.MET),
        ("Payments has adopted my alert in the template.", State.MET),
        ("The search team adopted my alert in the template.", State.WEAK),
        ("Every team in the company adopted my alert.", State.WEAK),
    ],
)
def test_an_adoption_is_held_to_who_adopted(text: str, state: State) -> None:
    by = Adoption(at_us=NOW_US, by="payments team", what="the alert")
    found = states(f"## Result\n\n{text}", changed(Adopted(adoption=by)))
    assert (State.WEAK in found) is (state is State.WEAK), text


@pytest.mark.parametrize("text", TAKEN)
def test_what_somebody_else_did_is_contradicted(text: str) -> None:
    assert State.CONTRADICTED in states(text, OF_OTHERS), text
    assert State.CONTRADICTED not in states(text, LAB), text
