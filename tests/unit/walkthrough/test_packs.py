"""Scenarios, principles and levels as they are read from their files."""

from __future__ import annotations

import re

import pytest

from homing.core.errors import ConfigError
from homing.walkthrough import packs
from homing.walkthrough.packs import Level, finds, parse, seconds_of, shipped


def test_the_timers_of_a_level_add_up_to_its_length() -> None:
    library = shipped()
    for scenario in library.scenarios.values():
        for level in library.levels.values():
            seconds = seconds_of(scenario.stages, level)
            assert sum(seconds.values()) == level.told_s, (scenario.id, level.id)
            assert list(seconds) == [one.id for one in scenario.stages]


def test_the_stages_scale_with_the_level() -> None:
    library = shipped()
    stages = library.scenarios["lost-update"].stages
    assert list(seconds_of(stages, library.levels["senior"]).values()) == [30, 20, 90, 20, 15]
    assert list(seconds_of(stages, library.levels["sde1"]).values()) == [20, 14, 62, 14, 10]


def test_levels_are_listed_from_the_most_junior() -> None:
    assert list(shipped().levels) == ["sde1", "sde2", "senior"]


def test_a_field_that_no_pack_has_is_named_with_its_path() -> None:
    with pytest.raises(ConfigError, match=r"mine: .*unknown field `colour`"):
        parse('colour = "red"', Level, "mine")


def test_a_missing_field_is_named() -> None:
    with pytest.raises(ConfigError, match="missing required field `name`"):
        parse('id = "senior"', Level, "mine")


def test_text_that_is_not_toml_is_one_sentence() -> None:
    with pytest.raises(ConfigError, match=r"^mine: .*line 2"):
        parse('id = "x"\n= 2\n', Level, "mine")


def test_every_unreadable_pack_is_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        packs.library(levels={"a": "x = 1", "b": "y ="}, principles={}, scenarios={})
    assert len(caught.value.problems) == 2


def test_slots_are_filled_and_lines_joined() -> None:
    scenario = shipped().scenarios["lost-update"]
    assert scenario.told("lost\n  {drop_rate}\n\nof {{all}}") == "lost 0.3%\n\nof {all}"
    assert scenario.told("{drop_rate}", {"drop_rate": "0.5%"}) == "0.5%"


def test_a_signal_is_found_across_a_line_break_in_any_case() -> None:
    scenario = shipped().scenarios["lost-update"]
    signal = scenario.signals()["border"]
    assert finds(signal, "It Belonged to the\npayments team, not to mine.") == (3, 45)
    assert finds(signal, "It was ours.") is None


def test_a_level_has_its_own_words_wherever_they_differ() -> None:
    story = shipped().scenarios["lost-update"]
    for level in story.levels:
        chosen = story.at(level)
        assert chosen.levels == story.levels
        assert story.told(chosen.overview.story)
        for probe in chosen.probes:
            assert isinstance(probe.question, str)
        assert chosen.at(level) == chosen
    assert story.at("sde1").lenses != story.at("sde2").lenses


def test_a_junior_answer_never_crosses_a_border() -> None:
    """SDE1 is asked for their own team's code, so no text of theirs may be about another's."""
    story = shipped().scenarios["lost-update"].at("sde1")
    told = [*(one.strong for one in story.stages), story.overview.story, story.weak.text]
    told += [one.question for one in story.probes] + [one.strong.text for one in story.probes]
    told += [one.lead for one in story.lenses.values()]
    for text in told:
        assert not re.search(r"another team|payments team, not|their (lead|repository)", str(text))


def test_the_json_schema_names_every_part_of_a_scenario() -> None:
    text = str(packs.json_schema())
    for part in ("stages", "probes", "weak", "verdicts", "quiz", "lenses", "levels", "slots"):
        assert re.search(rf"'{part}'", text)
