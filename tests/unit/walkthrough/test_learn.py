"""Learn: one script of cards, a place in it, and choices that count at the first try."""

from __future__ import annotations

import pytest
from support.stories import AT_US, packs, story

from homing.core.errors import Invalid
from homing.walkthrough import learn
from homing.walkthrough.cards import Card
from homing.walkthrough.learn import Learning

LEVELS, LENSES = packs().levels, packs().principles


def cards(level: str = "sde2", lens: str = "ownership", seed: int = 7) -> tuple[Card, ...]:
    return learn.script(story(), LEVELS[level], LENSES[lens], seed=seed)


def begun(level: str = "sde2", lens: str = "ownership") -> Learning:
    return learn.begin(story(), LEVELS[level], LENSES[lens], seed=7, at_us=AT_US)


def test_a_walk_has_every_part_of_a_story_and_ids_that_are_its_own() -> None:
    walk = cards()
    ids = [one.id for one in walk]
    assert len(set(ids)) == len(ids)
    for stage in story().stages:
        assert {f"{stage.id}/guess", f"{stage.id}/strong", f"{stage.id}/mistake"} <= set(ids)
    assert {f"probe/{one.id}" for one in story().probes} <= set(ids)
    assert {f"quiz/{one.id}" for one in story().quiz} <= set(ids)
    assert ids[0] == "overview"


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("lens", LENSES)
def test_every_choice_has_one_right_answer_and_a_reason(level: str, lens: str) -> None:
    for seed in range(20):
        for card in cards(level, lens, seed):
            if card.choices:
                assert sum(one.is_right for one in card.choices) == 1, card.id
                assert all(one.why for one in card.choices), card.id
                assert len({one.text for one in card.choices}) == len(card.choices), card.id


def test_the_same_seed_gives_the_same_cards_and_another_one_another_order() -> None:
    assert cards(seed=7) == cards(seed=7)
    assert cards(seed=7) != cards(seed=8)


def test_the_right_choice_is_not_always_at_one_place() -> None:
    places = {card.right for seed in range(10) for card in cards(seed=seed) if card.choices}
    assert places >= {0, 1, 2, 3}


def test_a_guess_comes_before_what_it_asks_for() -> None:
    ids = [one.id for one in cards()]
    assert ids.index("action/guess") < ids.index("action/strong") < ids.index("action/mistake")


def test_the_strong_example_is_marked_by_the_lens() -> None:
    def tones(lens: str) -> dict[str, str]:
        card = next(one for one in cards(lens=lens) if one.id == "task/strong")
        return {mark.label: mark.tone for mark in card.blocks[0].marks}

    border = story().signals()["border"].label
    assert tones("ownership")[border] == "more"
    assert tones("customer-obsession")[border] == "less"
    assert tones("dive-deep")[border] == "good"


def test_marks_stand_on_the_words_that_they_name() -> None:
    for level in LEVELS:
        for card in cards(level):
            for block in card.blocks:
                for mark in block.marks:
                    assert 0 <= mark.start < mark.end <= len(block.text), (card.id, mark)


def test_levels_read_different_words() -> None:
    texts = set()
    for level in LEVELS:
        card = next(one for one in cards(level) if one.id == "reflection/strong")
        texts.add(card.blocks[0].text)
    assert len(texts) == len(LEVELS)


def test_figures_of_a_record_are_told_instead_of_the_storys() -> None:
    walk = learn.script(
        story(),
        LEVELS["sde2"],
        LENSES["ownership"],
        seed=7,
        values={"drop_rate": "0.7%", "dropped": "1,396"},
    )
    text = next(one for one in walk if one.id == "situation/strong").blocks[0].text
    assert "1,396 of about 200,000" in text
    assert "0.7%" in text
    assert "0.3%" not in text


def test_the_first_choice_counts() -> None:
    walk = cards()
    card = next(one for one in walk if one.choices)
    wrong = (card.right + 1) % len(card.choices)
    state = learn.choose(begun(), card, wrong, at_us=AT_US + 1)
    state = learn.choose(state, card, card.right, at_us=AT_US + 2)
    assert state.chosen == {card.id: wrong}
    assert learn.score(state, walk) == (0, 1)
    assert learn.score(state, walk, "Quiz") == (0, 0)
    right = learn.choose(begun(), card, card.right, at_us=AT_US + 1)
    assert learn.score(right, walk) == (1, 1)


def test_a_choice_that_is_not_there_is_refused() -> None:
    card = next(one for one in cards() if one.choices)
    with pytest.raises(Invalid, match="expected 1 to"):
        learn.choose(begun(), card, len(card.choices), at_us=AT_US)


def test_going_on_ends_behind_the_last_card_and_back_before_the_first() -> None:
    walk, state = cards(), begun()
    assert learn.go_back(state, at_us=AT_US).place == 0
    for _ in range(len(walk) + 3):
        state = learn.go_on(state, walk, at_us=AT_US)
    assert state.place == len(walk)


def test_the_verdict_card_of_the_weak_answer_offers_the_whole_scale() -> None:
    card = next(one for one in cards() if one.id == "weak/verdict")
    assert [one.text for one in card.choices] == [
        "strong no", "no", "lean no", "lean yes", "yes", "strong yes",
    ]  # fmt: skip
    assert card.choices[card.right].text == "lean no"
