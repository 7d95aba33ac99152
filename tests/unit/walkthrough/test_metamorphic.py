"""Change one thing about an answer, and only what follows from it changes."""

from __future__ import annotations

import re

import pytest

from homing.walkthrough import packs
from homing.walkthrough.assess import Assessment, State, assess
from homing.walkthrough.assess.rule import rules

LIBRARY = packs.shipped()
STRONG = """\
I noticed one Monday that about 0.3% of the payment webhooks never arrived: 598 of 200,000 in a
week.

The service belonged to the payments team, outside my own area. No ticket existed, and nobody had
asked me to look.

I pulled a week of delivery logs and grouped the lost deliveries by worker. I traced one of them to
a race condition in the retry logic. I reproduced it on my laptop with a failing test. I showed it
to Maria, the lead of the payments team. I wrote a minimal fix and submitted a pull request. I added
an alert on the dead letter queue. I monitored the drop rate for a week after the rollout.

The drop rate went from 0.3% to zero over 199,477 deliveries. The post-mortem estimated that it had
cost $8,000 a week. The platform team adopted my alert in their webhook template.

Looking back, no team had an objective for webhooks, so no alert could fire. Since then I ask the
owners of each service for one.
"""
WEAK = """\
There was a problem with some of the webhooks. I noticed it and told the payments team about it.
They looked at it and fixed it after some days. I learned that communication is key.
"""
FORM = {rule.id for rule in rules().values() if rule.kind == "form"}
STUFFING = (
    " Race condition, retry logic, DLQ alert, pull request, idempotency, root cause, ownership."
    " Customer obsession, dive deep, metrics, dashboards, SLO. 0.3% to zero. $8,000 per week."
    " Adopted by other teams. No ticket. Nobody asked."
)


def judged(text: str, level: str = "senior", lens: str = "ownership") -> Assessment:
    return assess(text, None, LIBRARY.levels[level], LIBRARY.principles[lens])


def changed(before: str, after: str, level: str = "senior") -> dict[str, tuple[State, State]]:
    """The rules whose state is another one."""
    one, two = judged(before, level).states, judged(after, level).states
    return {rule: (one[rule], two[rule]) for rule in one if one[rule] is not two[rule]}


def replaced(old: str, new: str) -> str:
    assert re.search(old, STRONG), old
    return re.sub(old, new, STRONG)


def test_the_strong_answer_is_whole() -> None:
    found = judged(STRONG)
    assert {rule: s for rule, s in found.states.items() if s is not State.MET} == {}
    assert found.verdict is not None
    assert found.verdict.step == "strong yes"


@pytest.mark.parametrize(
    ("old", "new", "rules"),
    [
        (r" The post-mortem estimated[^.]*\.", "", {"business_translation"}),
        (r" The platform team adopted[^.]*\.", "", {"second_order"}),
        (r" No ticket existed[^.]*\.", "", {"unassigned"}),
        (r"The service belonged[^.]*\.", "It was a busy week.", {"scope_boundary"}),
        (r" I showed it\nto Maria[^.]*\.", "", {"overreach"}),
        (r" I monitored the drop[^.]*\.", "", set()),  # the zero has its volume
        (r"\nLooking back, no team had an objective[^.]*\.", "\nLooking back, I learned"
         " to read the log and the retry code first.", {"organisational_cause"}),
        (r"wrote a minimal fix and submitted a pull request", "thought about it for a day",
         {"hand_off"}),
        (r"No ticket existed, and nobody had\nasked me to look",
         "My manager asked me to look into it", {"unassigned", "disqualifier"}),
    ],
    ids=["money", "adoption", "no ticket", "owner", "owners told", "watching", "organisation",
         "fix", "assigned"],
)  # fmt: skip
def test_without_a_phrase_only_its_own_rules_change(old: str, new: str, rules: set[str]) -> None:
    after = changed(STRONG, replaced(old, new))
    assert set(after) == rules, after


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Maria", "Oluwaseun"),
        ("Maria", "Xiu Ying"),
        ("payments team", "billing team"),
        ("Monday", "Thursday"),
        (r"\$8,000", "€7,400"),
        ("webhooks", "notifications"),
        ("grouped", "analysed"),
        ("grouped", "analyzed"),
        ("reproduced it on", "reproduced it, so to speak, on"),
    ],
)
def test_another_name_currency_or_spelling_changes_nothing(old: str, new: str) -> None:
    assert changed(STRONG, replaced(old, new)) == {}


@pytest.mark.parametrize(
    "pairs",
    [
        {"I pulled": "I pull", "I traced": "I trace", "I reproduced": "I reproduce",
         "I wrote": "I write", "submitted": "submit", "I added": "I add", "grouped": "group",
         "I showed": "I show", "I monitored": "I monitor"},
        {"I pulled": "I've pulled", "I traced": "I have traced", "I wrote": "I have written"},
        {"I pulled": "I was pulling", "I traced": "I was tracing", "I added": "I was adding"},
        {"I ": "i ", "Looking": "looking"},
        {"the delivery": "delivery", "a race condition": "race condition", "a failing test":
         "failing test", "the retry": "retry", "an alert": "alert"},
    ],
    ids=["present tense", "perfect", "progressive", "small letters", "no articles"],
)  # fmt: skip
def test_grammar_changes_nothing_about_what_is_said(pairs: dict[str, str]) -> None:
    text = STRONG
    for old, new in pairs.items():
        text = re.sub(rf"\b{old}(?=\b|\s|$)" if not old.endswith(" ") else rf"\b{old}", new, text)
    assert text != STRONG
    assert changed(STRONG, text) == {}


def test_sounds_of_speech_change_nothing() -> None:
    text = STRONG.replace("I pulled", "So, um, I pulled").replace(
        "I added", "and then, uh, I added"
    )
    assert changed(STRONG, text) == {}


@pytest.mark.parametrize("where", ["before", "after"])
def test_stuffing_a_weak_answer_with_keywords_helps_nothing(where: str) -> None:
    text = WEAK + STUFFING if where == "after" else STUFFING.strip() + " " + WEAK
    better = (State.MET, State.WEAK, State.MISSING, State.NOT_CHECKABLE, State.CONTRADICTED)
    before, after = judged(WEAK), judged(text)
    for rule in before.states:
        if rule in FORM:
            continue
        is_better = better.index(after.states[rule]) < better.index(before.states[rule])
        assert not (is_better and after.states[rule] is State.MET), rule
    assert after.verdict is not None
    assert after.verdict.step in ("strong no", "no", "lean no")


def test_keywords_alone_are_credited_with_nothing() -> None:
    found = judged(STUFFING)
    assert State.MET not in {state for rule, state in found.states.items() if rule not in FORM}
    assert found.verdict is not None
    assert found.verdict.step == "no"


def test_saying_it_twice_counts_once() -> None:
    once = "I pulled the delivery log of a week. Then it was fine."
    assert judged(once * 4).states["agency"] is State.WEAK


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (r"I (\w+ed|wrote)\b", r"I would have \1"),
        (r"I (\w+ed|wrote)\b", r"I never \1"),
        (r"I (\w+ed|wrote)\b", r"We \1"),
        (r"I (\w+ed|wrote)\b", r"The vendor \1"),
    ],
    ids=["conditional", "negated", "we", "vendor"],
)
def test_what_was_not_done_by_the_speaker_is_not_credited(old: str, new: str) -> None:
    found = judged(re.sub(old, new, STRONG))
    assert found.states["agency"] is not State.MET
    assert found.verdict is not None
    assert found.verdict.step in ("strong no", "no", "lean no")


def test_a_lens_weighs_and_never_changes_what_is_found() -> None:
    states = [judged(STRONG, lens=lens).states for lens in LIBRARY.principles]
    assert all(one == states[0] for one in states)


def test_what_a_higher_level_requires_is_never_less() -> None:
    steps = [judged(WEAK, level).verdict for level in LIBRARY.levels]
    assert [one.step for one in steps if one] == ["lean no"] * 3


def test_the_same_text_is_judged_the_same() -> None:
    assert judged(STRONG) == judged(STRONG)
