"""The lint of stories: the shipped ones are clean, and each planted defect is named."""

from __future__ import annotations

import msgspec
import pytest
from support.stories import ID, packs, spoilt

from homing.walkthrough.lint import lint
from homing.walkthrough.lint_judged import lint_judged
from homing.walkthrough.packs import Library


def rules_of(library: Library) -> set[str]:
    return {one.rule for one in lint(library)}


def judged(library: Library) -> set[str]:
    return {one.rule for one in lint_judged(library)}


def test_the_shipped_stories_have_no_flaw() -> None:
    found = [*lint(packs()), *lint_judged(packs())]
    assert not found, "\n".join(f"{one.where}: {one.text}" for one in found)


@pytest.mark.parametrize(
    ("rule", "before", "after"),
    [
        ("timers", "target_s = 30", "target_s = 40"),
        (
            "fill",
            "I searched the log, and then I counted: {dropped} of about {accepted} webhooks that",
            "{dropped} of about {accepted} webhooks",
        ),
        ("fill", '{ sde1 = "I stopped', f'{{ sde1 = "{"so " * 40}I stopped'),
        ("signal-pattern", "'I counted'", "'I enumerated'"),
        ("signal-pattern", "'I counted'", "'I (counted'"),
        ("signal-in-mistake", "'a merchant asked'", "'a merchant asked|fleet of workers'"),
        ("bare-figure", "I searched the log, and then", "I searched 14 logs, and then"),
        ("bare-zero", "from {drop_rate} to zero in {after} deliveries", "to zero after it"),
        ("estimate", "estimated the loss at {money} a week.", "put the loss at {money} a week."),
        ("proposed", "I would propose a shared delivery", "I proposed a shared delivery"),
        ("adoption", "And the platform team adopted my alert", "And every team adopted my alert"),
        ("ban", "A half-sentence at the end.", "Leave it out."),
        ("odd-character", "Whose code was it", "Whose \u00ad code was it"),
        ("odd-character", "Whose code was it", "Whose \u0090 code was it"),
        ("slot", "{drop_rate}, and behind", "{droprate}, and behind"),
        ("slot", "[slots.dead]", '[slots.unsaid]\ntext = "1"\n[slots.dead]'),
        ("slot", '"investigate:rate.value"', '"rate.value"'),
        ("slot", '"record:detection.at_us - investigate:since.at"', '"record:detection.at_us"'),
        ("quiz", 'it was done to.", is_right = true', 'it was done to."'),
        ("quiz", "'We' hides it.\"", "'We' hides it.\", is_right = true"),
        ("twice", 'id = "how-zero"', 'id = "your-part"'),
        ("twice", 'label = "Nobody had asked"', 'label = "No ticket"'),
        ("twice", '{ signal = "owners", how', '{ signal = "border", how'),
        ("unknown", '{ signal = "owners", how', '{ signal = "ownership", how'),
        ("unknown", "[lenses.dive-deep]", "[lenses.dive-deeper]"),
        ("missing", "[lenses.dive-deep]", "[lenses.dive-deeper]"),
        (
            "missing",
            '{ sde1 = "Why did you not simply leave it to the author of the worker?", ',
            "{ ",
        ),
        ("missing", 'sde1 = "Told as your own', 'sde0 = "Told as your own'),
        ("verdicts", 'at = ["sde1", "sde2", "senior"]', 'at = ["sde1", "sde2"]'),
        ("stages", 'id = "task"\nname', 'id = "action"\nname'),
    ],
)
def test_a_planted_defect_is_named(rule: str, before: str, after: str) -> None:
    assert rule in rules_of(spoilt(before, after))


def test_the_same_reflection_for_two_levels_is_named() -> None:
    reflection = packs().scenarios[ID].stage("reflection").strong
    assert isinstance(reflection, dict)
    library = spoilt(reflection["sde1"].strip(), reflection["sde2"].strip())
    assert "same-reflection" in rules_of(library)


def test_a_quiz_whose_right_option_is_always_the_longest_is_named() -> None:
    story = packs().scenarios[ID]
    quiz = tuple(
        msgspec.structs.replace(
            item,
            options=tuple(
                msgspec.structs.replace(one, text=one.text + " and so on" * 30)
                if one.is_right
                else one
                for one in item.options
            ),
        )
        for item in story.quiz
    )
    story = msgspec.structs.replace(story, quiz=quiz)
    library = msgspec.structs.replace(packs(), scenarios={ID: story})
    assert "quiz-giveaway" in rules_of(library)


def test_a_level_whose_length_is_outside_its_times_is_named() -> None:
    level = msgspec.structs.replace(packs().levels["sde1"], told_s=175)
    library = msgspec.structs.replace(packs(), levels={**packs().levels, "sde1": level})
    assert "timers" in rules_of(library)


def test_a_slower_speaker_overruns_the_examples() -> None:
    assert {one.rule for one in lint(packs(), 110)} == {"fill"}


@pytest.mark.parametrize(
    ("rule", "before", "after"),
    [
        ("fault", 'quote = "sometimes"', 'quote = "frequently"'),
        ("fault", 'quote = "sometimes"', 'quote = "At work I noticed"'),
        ("fault", "were sometimes failing.\nI had a look at it, and it seemed like there was "
                  "probably an issue", "were failing.\nI had a look at it, and there was an issue"),
        ("fault", 'rule = "hedging"\nquote = "sometimes"', 'rule = "disqualifier"'),
        ("mistake", 'says = "My manager suggested that I look into it."',
                    'says = "Nobody had asked me to look into it."'),
        ("mistake", 'text = "The cause was identified as a race condition."',
                    'text = "I identified the cause as a race condition."'),
        ("strong-lacks", "There was no ticket, and nobody had asked me to look.", "It was so."),
        ("verdict", 'scale = "lean no"', 'scale = "lean yes"'),
        ("probe", 'text = "I counted a whole week after it, the same way as before: {after} '
                  "deliveries, none lost.", 'text = "Nobody complained, so I assumed it was so.'),
        ("unknown", 'rule = "hand_off"\nquote', 'rule = "handing_over"\nquote'),
        ("unasked", 'asked_when = ["verification", "quantified_result"]', 'asked_when = []'),
        ("reach", "was my team's code, but I had never touched it.",
                  "belonged to another team, it was not my service."),
    ],
)  # fmt: skip
def test_a_defect_that_the_rules_show_is_named(rule: str, before: str, after: str) -> None:
    assert rule in judged(spoilt(before, after))
