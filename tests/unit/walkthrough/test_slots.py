"""Figures of a story: filled from its file, or from a record."""

from __future__ import annotations

import msgspec
import pytest
from support.stories import judge, packs, story
from support.walkthrough import LAB

from homing.walkthrough.lint_judged import lint_record
from homing.walkthrough.packs import by_level
from homing.walkthrough.rehearse import Judge
from homing.walkthrough.slots import Slot, fill, names_in, values_of


def with_result(step: str, **values: object) -> object:
    result = LAB.results[step]
    changed = msgspec.structs.replace(result, values={**result.values, **values})
    return msgspec.structs.replace(LAB, results={**LAB.results, step: changed})


def test_only_figures_that_the_record_does_not_have_are_named() -> None:
    """In this record three of the lost deliveries count as dead letters, which today's do not."""
    found = lint_record(story(), LAB)
    assert {one.where: one.text for one in found} == {
        "slots.dropped": "the text is '601', the record says '598' (investigate:dropped)",
        "slots.dead": "the text is '0', the record says '3' (investigate:books.dead)",
        "slots.late_dropped": "the text is '540', the record says '537' (verify:guilty.before.k)",
    }
    assert {one.rule for one in found} == {"figure"}


def test_a_slot_without_a_value_in_the_record_is_left_to_the_story() -> None:
    bare = msgspec.structs.replace(LAB, results={})
    assert set(values_of(story().slots, bare)) == {"noticed"}


@pytest.mark.parametrize(
    ("form", "digits", "value", "wanted"),
    [
        ("percent", 2, 0.0029978, "0.3%"),
        ("percent", 2, 0.000015017, "0.0015%"),
        ("count", 1, 199_478, "200,000"),
        ("count", 6, 199_476, "199,476"),
        ("money", 1, 8_011.8, "$8,000"),
        ("money", 2, 11_643.2, "$12,000"),
        ("words", 3, "late result", "late result"),
    ],
)
def test_forms_round_to_the_digits_that_are_said(
    form: str, digits: int, value: object, wanted: str
) -> None:
    slot = msgspec.convert(
        {"text": "x", "source": "investigate:it", "form": form, "digits": digits}, Slot
    )
    record = with_result("investigate", it=value)
    assert values_of({"it": slot}, record) == {"it": wanted}  # type: ignore[arg-type]


def test_an_unknown_slot_is_an_error_and_doubled_braces_are_none() -> None:
    with pytest.raises(KeyError):
        fill("{nobody}", {})
    assert fill("{{nobody}}", {}) == "{nobody}"
    assert names_in("{a} {{b}} {c}") == ["a", "c"]


def test_the_strong_answer_of_every_level_is_not_contradicted_by_the_record() -> None:
    for level in packs().levels.values():
        held: Judge = msgspec.structs.replace(judge(level.id), record=LAB, me="ana")
        text = "\n\n".join(
            f"## {one.name}\n\n{story().told(by_level(one.strong, level.id))}"
            for one in story().stages
        )
        found = held.of(text)
        assert found.states["record"] != "contradicted", found.of("record")
        assert found.verdict is not None
        assert found.verdict.step in ("yes", "strong yes")


def test_a_wrong_figure_is_contradicted_by_the_record_on_its_words() -> None:
    held = msgspec.structs.replace(judge(), record=LAB, me="ana")
    found = held.of("I counted a drop rate of 0.5% of the webhooks in that week.", "situation")
    spans = [one.span.text for one in found.of("record") if one.span and one.state != "met"]
    assert any("0.5%" in one for one in spans)


def test_probes_and_examples_are_told_with_the_figures_of_the_record() -> None:
    other = with_result("impact", p50=52_345.6)
    held = msgspec.structs.replace(judge(), record=other)
    assert held.told("Where does the {money} come from?") == "Where does the $50,000 come from?"
    assert judge().told("Where does the {money} come from?") == "Where does the $8,000 come from?"


def test_without_a_record_there_is_no_draft_and_with_one_there_is() -> None:
    assert judge().draft() is None
    made = msgspec.structs.replace(judge(), record=LAB, me="ana").draft()
    assert made is not None
    assert made.me == "ana"
