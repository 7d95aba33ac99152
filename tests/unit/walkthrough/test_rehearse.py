"""Rehearse: attempts at each stage, hints, another try, and what changed."""

from __future__ import annotations

import msgspec
import pytest
from support.stories import AT_US, judge, packs, story, strong

from homing.core.errors import Invalid
from homing.walkthrough import rehearse
from homing.walkthrough.assess import State
from homing.walkthrough.rehearse import Rehearsal

S = 1_000_000


def begun(level: str = "sde2") -> Rehearsal:
    lens = packs().principles["ownership"]
    return rehearse.begin(story(), packs().levels[level], lens, at_us=AT_US)


def test_stages_come_in_order_and_end() -> None:
    state, seen = begun(), []
    while (stage := rehearse.current(state, story())) is not None:
        seen.append(stage.id)
        state = rehearse.go_to(state, story(), state.stage + 1, at_us=AT_US)
    assert seen == ["situation", "task", "action", "result", "reflection"]


def test_hints_come_one_by_one_and_end() -> None:
    state, told = begun(), []
    for _ in range(5):
        state, text = rehearse.hint(state, story(), at_us=AT_US)
        told.append(text)
    hints = story().stages[0].hints
    assert told == [*hints, *[None] * (5 - len(hints))]


def test_an_attempt_keeps_its_hints_and_a_retake_begins_without() -> None:
    state, _ = rehearse.hint(begun(), story(), at_us=AT_US)
    state = rehearse.submit(state, story(), "I looked.", at_us=AT_US)
    state = rehearse.submit(state, story(), "I looked again.", at_us=AT_US)
    assert [one.hints for one in state.of("situation")] == [1, 0]
    assert [one.text for one in state.of("situation")] == ["I looked.", "I looked again."]


def test_the_clock_informs_and_never_cuts_off() -> None:
    state = rehearse.start(begun(), at_us=AT_US)
    state = rehearse.submit(state, story(), "words", at_us=AT_US + 500 * S, is_said=True)
    assert state.of("situation")[0].took_s == 500


def test_what_was_typed_has_no_time_by_the_clock() -> None:
    state = rehearse.start(begun(), at_us=AT_US)
    state = rehearse.submit(state, story(), "words", at_us=AT_US + 5 * S)
    assert state.of("situation")[0].took_s is None


def test_a_clock_that_was_set_back_gives_no_negative_time() -> None:
    state = rehearse.start(begun(), at_us=AT_US)
    state = rehearse.submit(state, story(), "words", at_us=AT_US - 5 * S, is_said=True)
    assert state.of("situation")[0].took_s == 0


@pytest.mark.parametrize("text", ["", "  \n "])
def test_no_words_are_no_attempt(text: str) -> None:
    with pytest.raises(Invalid, match="expected some words"):
        rehearse.submit(begun(), story(), text, at_us=AT_US)


def test_more_than_anybody_says_is_refused_and_five_full_stages_are_judged() -> None:
    with pytest.raises(Invalid, match="at most"):
        rehearse.submit(begun(), story(), "x" * (rehearse.WORDS_MAX + 1), at_us=AT_US)
    state = begun()
    for place in range(5):
        state = rehearse.go_to(state, story(), place, at_us=AT_US)
        state = rehearse.submit(
            state, story(), "I saw it. " * (rehearse.WORDS_MAX // 10), at_us=AT_US
        )
    assert judge().of(state.answer()).verdict is not None


def test_a_draft_is_kept_until_it_is_handed_in() -> None:
    state = rehearse.keep(begun(), "half a sent", at_us=AT_US)
    back = msgspec.json.decode(msgspec.json.encode(state), type=Rehearsal)
    assert back == state
    assert rehearse.submit(back, story(), "whole", at_us=AT_US).draft == ""


def test_an_answer_is_the_latest_attempts_in_the_order_of_stages() -> None:
    state = rehearse.go_to(begun(), story(), 1, at_us=AT_US)
    state = rehearse.submit(state, story(), "second stage", at_us=AT_US)
    state = rehearse.go_to(state, story(), 0, at_us=AT_US)
    state = rehearse.submit(state, story(), "old", at_us=AT_US)
    state = rehearse.submit(state, story(), "first stage", at_us=AT_US)
    assert state.answer() == "## Situation\n\nfirst stage\n\n## Task\n\nsecond stage"


def test_a_stage_is_not_blamed_for_what_belongs_to_another() -> None:
    found = judge().of("I searched the log and counted 598 lost webhooks.", "situation")
    mine = {one.rule for one in found.findings if rehearse.concerns(one, "situation", found)}
    assert "quantified_result" in found.states
    assert not mine & {"quantified_result", "scope_boundary", "unassigned", "agency"}


def test_what_is_contradicted_concerns_every_stage() -> None:
    found = judge().of("My manager asked me to look into the lost webhooks.", "situation")
    bad = [one for one in found.findings if one.state is State.CONTRADICTED]
    assert "disqualifier" in {one.rule for one in bad}
    assert all(rehearse.concerns(one, "situation", found) for one in bad)


def test_the_cause_behind_the_cause_is_asked_only_of_those_who_need_it() -> None:
    text = "I ask of every lease what becomes of a result that comes late."
    for level, wanted in (("sde1", False), ("senior", True)):
        found = judge(level).of(text, "reflection")
        asked = [one for one in found.findings if one.rule == "organisational_cause"]
        assert asked
        assert all(rehearse.concerns(one, "reflection", found) == wanted for one in asked)


def test_fixes_begin_with_what_the_level_requires_and_name_each_rule_once() -> None:
    found = judge().of("There was something wrong. It got fixed. I learned a lot from it.")
    first = rehearse.fixes(found, 3)
    assert len({one.rule for one in first}) == len(first) == 3
    assert all(one.fix for one in first)
    missing = [one.rule in found.required for one in rehearse.fixes(found, 99)
               if one.state is State.MISSING]  # fmt: skip
    assert missing == sorted(missing, reverse=True)
    assert len(set(missing)) == 2


def test_a_strong_answer_has_nothing_to_fix_that_is_required() -> None:
    found = judge("senior").of(strong("senior"))
    assert not [one for one in rehearse.fixes(found, 9) if one.rule in found.required]


def test_a_diff_says_what_went_and_what_came_and_the_rest_is_untouched() -> None:
    before, after = "I sometimes saw a drop", "I saw 598 a drop"
    pieces = rehearse.diff(before, after)
    assert [(one.kind, one.text) for one in pieces] == [
        ("same", "I"), ("gone", "sometimes"), ("same", "saw"), ("new", "598"), ("same", "a drop"),
    ]  # fmt: skip
    assert " ".join(one.text for one in pieces if one.kind != "new") == before
    assert " ".join(one.text for one in pieces if one.kind != "gone") == after


def test_changes_between_two_tries_say_which_way() -> None:
    weak = judge().of("The cause was identified and a fix was written by somebody.", "action")
    better = judge().of(story().strong(story().stage("action"), packs().levels["sde2"]), "action")
    up = {one.rule: one.is_better for one in rehearse.changes(weak, better)}
    down = {one.rule: one.is_better for one in rehearse.changes(better, weak)}
    assert up["agency"] is True
    assert down["agency"] is False
    assert rehearse.changes(weak, weak) == []
