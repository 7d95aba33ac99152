"""What is claimed beyond figures is held against the record, too."""

from __future__ import annotations

import msgspec
import pytest
from support.stories import judge
from support.walkthrough import LAB

from homing.review.incident import Action, ActionKind
from homing.walkthrough.assess import Finding, State

PREVENT = Action(
    name="a2", text="a shared objective", owner="ana", due="2026-12-01", kind=ActionKind.PREVENT
)


def findings(text: str, **changes: object) -> list[Finding]:
    record = msgspec.structs.replace(LAB, **changes)
    held = msgspec.structs.replace(judge(), record=record, me="ana")
    return [one for one in held.of(text).of("record") if one.span]


def test_a_proposal_needs_a_date_in_the_record() -> None:
    text = "I proposed a shared objective to all teams."
    (found,) = findings(text, actions=())
    assert found.state is State.WEAK
    assert "I would propose" in found.detail
    (found,) = findings(text, actions=(PREVENT,))
    assert (found.state, found.reference) == (State.MET, "record:actions.0")


@pytest.mark.parametrize(
    "text", ["I would propose a shared objective.", "They proposed a shared objective."]
)
def test_what_is_not_said_to_have_been_proposed_by_oneself_needs_none(text: str) -> None:
    assert findings(text, actions=()) == []


@pytest.mark.parametrize(
    "text",
    [
        "I saved the company $8,000 a week.",
        "We recovered about $8,000 a week.",
        "The fix saved $8,000 a week for the shops.",
    ],
)
def test_an_estimate_that_is_told_as_money_is_the_speakers_own_word(text: str) -> None:
    weak = [one for one in findings(text) if one.state is State.WEAK]
    assert [one.reference for one in weak] == ["impact:p50"]


@pytest.mark.parametrize(
    "text",
    [
        "The fix saved an estimated $8,000 a week.",
        "The post-mortem estimated the loss at $8,000 a week.",
        "It would have saved $8,000 a week.",
        "I saved the log to a file. It cost $8,000 a week.",
    ],
)
def test_an_estimate_that_is_called_one_is_fine(text: str) -> None:
    assert not [
        one for one in findings(text) if one.reference == "impact:p50" and one.state is State.WEAK
    ]
