"""Mock: one answer, probes at what it lacked, and the verdict card."""

from __future__ import annotations

import msgspec
import pytest
from support.stories import AT_US, judge, packs, story, strong, weak

from homing.core.errors import Invalid
from homing.walkthrough import mock
from homing.walkthrough.assess import State
from homing.walkthrough.mock import PROBES_MAX, PROBES_MIN, Mock

S = 1_000_000
PROBES = {one.id: one for one in story().at("sde2").probes}


def begun() -> Mock:
    return mock.begin(story(), packs().levels["sde2"], packs().principles["ownership"], at_us=AT_US)


def answered(text: str, level: str = "sde2", lens: str = "ownership") -> Mock:
    return mock.answer(begun(), judge(level, lens), text, at_us=AT_US + S)


def ended(text: str, replies: str = "I compared a week before with a week after.") -> Mock:
    state = answered(text)
    while state.phase == "probes":
        state = mock.reply(state, replies, at_us=AT_US + 2 * S)
    return state


def test_before_the_answer_there_is_only_the_question() -> None:
    state = begun()
    assert state.phase == "answer"
    assert mock.asked(state, story()) is None
    with pytest.raises(Invalid, match="expected a probe"):
        mock.reply(state, "early", at_us=AT_US)
    with pytest.raises(Invalid, match="expected an end"):
        mock.card(state, judge())


@pytest.mark.parametrize("lens", packs().principles)
@pytest.mark.parametrize("level", packs().levels)
def test_there_are_two_to_four_probes_each_once(level: str, lens: str) -> None:
    for text in (weak(), strong(level), "I saw it. It got better. I learned much."):
        probes = answered(text, level, lens).probes
        assert PROBES_MIN <= len(probes) <= PROBES_MAX
        assert len(set(probes)) == len(probes)


def test_probes_ask_for_what_was_missing() -> None:
    text = strong().replace(
        "I compared the week before with the week after: from 0.3% to zero in 199,477 deliveries.",
        "It was assumed to be fine.",
    )
    assert "I compared" not in text
    found = judge().of(text)
    assert found.states["verification"] is not State.MET
    assert "how-zero" in answered(text).probes
    first = PROBES[answered(text).probes[0]]
    assert set(first.asked_when) & {"verification", "quantified_result"}


def test_an_answer_that_lacks_nothing_is_asked_what_the_lens_weighs_most() -> None:
    for lens, wanted in (("ownership", "why-not-tell"), ("dive-deep", "why-a-race")):
        assert wanted in answered(strong("senior"), "senior", lens).probes


def test_the_same_answer_is_asked_the_same() -> None:
    assert answered(weak()).probes == answered(weak()).probes


def test_a_second_answer_is_refused() -> None:
    with pytest.raises(Invalid, match="has it already"):
        mock.answer(answered(weak()), judge(), "another", at_us=AT_US)


def test_probes_are_asked_in_order_until_all_are_answered() -> None:
    state = answered(weak())
    for id in state.probes:
        probe = mock.asked(state, story())
        assert probe is not None
        assert probe.id == id
        state = mock.reply(state, f"about {id}", at_us=AT_US)
    assert state.phase == "card"
    assert [one.text for one in state.replies] == [f"about {id}" for id in state.probes]


def test_the_weak_answer_and_the_strong_one_get_the_verdicts_that_the_story_gives_them() -> None:
    for text, of in ((weak(), "weak"), (strong(), "strong")):
        card = mock.card(ended(text), judge())
        wanted = next(one for one in story().verdicts if one.of == of and "sde2" in one.at)
        assert card.assessment.verdict is not None
        assert card.assessment.verdict.step == wanted.scale


def test_the_card_has_at_most_three_fixes_and_says_that_there_was_no_record() -> None:
    card = mock.card(ended(weak()), judge())
    assert 1 <= len(card.fixes) <= 3
    assert not card.has_record
    assert card.unsupported == ()


def test_typed_words_are_timed_by_an_estimate_and_spoken_ones_by_the_clock() -> None:
    typed = mock.card(ended(weak()), judge())
    assert typed.is_estimate
    assert typed.took_s == pytest.approx(60 * typed.assessment.words / 150)
    state = mock.start(begun(), at_us=AT_US)
    state = mock.answer(state, judge(), weak(), at_us=AT_US + 400 * S, is_said=True)
    while state.phase == "probes":
        state = mock.reply(state, "yes", at_us=AT_US)
    card = mock.card(state, judge())
    assert (card.took_s, card.is_estimate) == (400, False)


def test_a_reply_says_why_it_was_asked_and_what_it_did() -> None:
    state = answered(weak())
    good = {one.id: story().told(one.strong.text) for one in judge().scenario.probes}
    while state.phase == "probes":
        probe = mock.asked(state, story())
        assert probe is not None
        state = mock.reply(state, good[probe.id], at_us=AT_US)
    card = mock.card(state, judge())
    zero = next(one for one in card.replies if one.probe.id == "how-zero")
    assert zero.because["verification"] is State.MISSING
    assert zero.now["verification"] is State.MET
    assert zero.findings == ()


def test_a_state_survives_its_file() -> None:
    state = answered(weak())
    assert msgspec.json.decode(msgspec.json.encode(state), type=Mock) == state
