"""Whoever knows the rules' words cannot have a content rule for them.

Attacks are made here, by templates and by chance with a fixed seed, and not only written down: a
list of keywords in every kind of clause, each claim taken back in many ways, each result given to
somebody else, each act only wished.
"""

from __future__ import annotations

import re

import pytest
from support.attacks import (
    BASE,
    CREDITS,
    DENIALS,
    MENDS,
    OTHERS,
    PLAIN,
    PLAINLY,
    WISHES,
    stuffed,
)

from homing.walkthrough import packs
from homing.walkthrough.assess import Assessment, State, assess
from homing.walkthrough.assess.rule import rules

LIBRARY = packs.shipped()
NO = ("strong no", "no", "lean no")


def judged(text: str, level: str = "sde2", lens: str = "ownership") -> Assessment:
    return assess(text, None, LIBRARY.levels[level], LIBRARY.principles[lens])


def credited(text: str, level: str = "sde2") -> set[str]:
    found = judged(text, level)
    return {rule for rule in CREDITS if found.states[rule] is State.MET}


def test_the_credits_are_rules_of_content() -> None:
    assert {rules()[name].kind for name in CREDITS} == {"content"}


# --- keywords ---


@pytest.mark.parametrize("seed", range(60))
def test_shuffled_keywords_with_an_i_and_a_verb_earn_nothing(seed: int) -> None:
    text = stuffed(seed)
    assert credited(text) == set(), text
    verdict = judged(text).verdict
    assert verdict is not None
    assert verdict.step in NO, text


@pytest.mark.parametrize("seed", range(60, 80))
@pytest.mark.parametrize("is_first", [True, False], ids=["before", "after"])
def test_they_help_no_plain_text_either(seed: int, is_first: bool) -> None:
    words = stuffed(seed).strip(" ,;.—\n") + "."
    text = f"{words} {PLAIN}" if is_first else f"{PLAIN} {words}"
    assert credited(text) <= credited(PLAIN), text
    verdict = judged(text).verdict
    assert verdict is not None
    assert verdict.step in NO, text


# --- taken back ---


def told(claim: str) -> str:
    return f"{BASE} {claim[0].upper()}{claim[1:]}."


@pytest.mark.parametrize("rule", PLAINLY)
def test_a_claim_said_plainly_earns_its_rule(rule: str) -> None:
    assert rule in credited(told(PLAINLY[rule])), judged(told(PLAINLY[rule])).of(rule)
    assert rule not in credited(BASE)


@pytest.mark.parametrize("template", DENIALS)
@pytest.mark.parametrize("rule", PLAINLY)
def test_a_claim_that_is_taken_back_earns_nothing(rule: str, template: str) -> None:
    text = f"{BASE} {template.format(claim=PLAINLY[rule])}"
    assert rule not in credited(text), judged(text).of(rule)


# --- wished, planned, supposed ---


@pytest.mark.parametrize("template", WISHES)
@pytest.mark.parametrize("rule", [one for one in PLAINLY if one not in ("unassigned",)])
def test_a_claim_that_is_wished_or_supposed_earns_nothing(rule: str, template: str) -> None:
    text = f"{BASE} {template.format(claim=PLAINLY[rule])}"
    assert rule not in credited(text), judged(text).of(rule)


# --- others' results ---


@pytest.mark.parametrize("mend", MENDS, ids=["patched", "shipped", "fixed", "rolled back"])
@pytest.mark.parametrize("who", OTHERS)
def test_a_result_of_others_is_half_of_one(who: str, mend: str) -> None:
    begun = "I noticed that orders failed, and I opened a case about it."
    text = f"{begun} {mend.format(who=who[0].upper() + who[1:])}"
    found = judged(text).states
    assert found["quantified_result"] is State.WEAK, text
    assert found["hand_off"] is not State.MET, text
    # the same mend by the speaker is the speaker's
    own = judged(f"{begun} {mend.format(who='I')}").states
    assert own["quantified_result"] is State.MET, mend


def test_work_of_ones_own_beside_a_mend_of_others_does_not_make_it_ones_own() -> None:
    text = (
        "I wrote a summary of the lost orders and I fixed a typo in our own documentation."
        " Three weeks later the vendor patched their gateway. Since then the failures have fallen"
        " from 2% to zero."
    )
    assert judged(text).states["quantified_result"] is State.WEAK


def test_that_owners_ship_ones_own_change_takes_nothing_away() -> None:
    text = (
        "I wrote the fix for the retry code and sent it to the owners. They reviewed it and shipped"
        " it on Tuesday. The failures fell from 2% to zero."
    )
    assert judged(text).states["quantified_result"] is State.MET


# --- whose code ---


@pytest.mark.parametrize("thing", ["worker", "service", "queue", "import job", "repository"])
@pytest.mark.parametrize("whose", ["my team's code", "our team's service", "ours", "mine",
                                   "our own", "my own team's"])  # fmt: skip
def test_ones_own_teams_code_is_no_boundary(thing: str, whose: str) -> None:
    text = f"The {thing} was {whose}. I wrote the fix for it."
    assert judged(text).states["scope_boundary"] is State.CONTRADICTED, text


def test_attacks_are_of_many_kinds() -> None:
    kinds = {re.sub(r"\w+", "", stuffed(seed))[:40] for seed in range(60)}
    assert len(kinds) > 40
