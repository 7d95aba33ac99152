"""Whoever knows the rules' words cannot have a content rule for them.

Attacks are made here, by templates and by chance with a fixed seed, and not only written down: a
list of keywords in every kind of clause, each claim taken back in many ways, each result given to
somebody else, each act only wished.
"""

from __future__ import annotations

import random
import re

import pytest

from homing.walkthrough import packs
from homing.walkthrough.assess import Assessment, State, assess
from homing.walkthrough.assess.rule import rules

LIBRARY = packs.shipped()
#: rules by which something good is found in what is told
CREDITS = (
    "agency", "hand_off", "specificity", "scope_boundary", "unassigned", "quantified_result",
    "business_translation", "verification", "second_order", "generic_reflection",
    "organisational_cause",
)  # fmt: skip
NO = ("strong no", "no", "lean no")
PLAIN = (
    "It was in spring, and the page for orders was slow on some days. There was a good deal of talk"
    " about it at lunch, and in the end it went away."
)


def judged(text: str, level: str = "sde2", lens: str = "ownership") -> Assessment:
    return assess(text, None, LIBRARY.levels[level], LIBRARY.principles[lens])


def credited(text: str, level: str = "sde2") -> set[str]:
    found = judged(text, level)
    return {rule for rule in CREDITS if found.states[rule] is State.MET}


def test_the_credits_are_rules_of_content() -> None:
    assert {rules()[name].kind for name in CREDITS} == {"content"}


# --- keywords ---

VERBS = ("pulled", "traced", "wrote", "fixed", "tested", "monitored", "queried", "deployed",
         "measured", "compared", "added", "check", "write", "verify")  # fmt: skip
CLAIMS = (
    "nobody asked me", "no ticket existed", "it was not my team", "outside my area",
    "from 0.3% to 0%", "reduced by 50%", "it dropped to zero", "I saved $8,000 per week",
    "I monitored two weeks", "I verified 10,000 deliveries", "other teams adopted it",
    "the platform team adopted it", "it became standard", "no owner, no agreement",
    "no shared objective", "looking back", "root cause", "ownership", "customer obsession",
)  # fmt: skip
SHAPES = ("I {verb} {term}", "I {verb} the {term}", "i {verb} this {term}", "{term}",
          "I {verb} {term} and {other}", "we {verb} {term}", "I learned {term}")  # fmt: skip
JOINTS = (", ", ". ", "; ", " and ", ".\n", ", and ", " — ", ", then ")


def stuffed(seed: int) -> str:
    """Terms of a scenario and claims in short clauses, shuffled."""
    chance = random.Random(seed)
    scenario = chance.choice(list(LIBRARY.scenarios.values()))
    terms = [term for term in scenario.terms if len(term.split()) <= 2]
    parts = [
        chance.choice(SHAPES).format(
            verb=chance.choice(VERBS), term=chance.choice(terms), other=chance.choice(terms)
        )
        for _ in range(chance.randint(8, 20))
    ]
    parts += chance.sample(CLAIMS, chance.randint(6, len(CLAIMS)))
    chance.shuffle(parts)
    return "".join(part + chance.choice(JOINTS) for part in parts)


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

#: a claim that earns its rule, said plainly
PLAINLY = {
    "unassigned": "nobody had asked me to look at it",
    "scope_boundary": "the service belonged to another team",
    "quantified_result": "the rate of lost orders went from 3% to zero",
    "business_translation": "it had cost us about $8,000 a week in lost orders",
    "second_order": "the platform team adopted my alert in their template",
    "verification": "I watched the rate for two weeks after the release",
    "organisational_cause": "no team had promised a rate to anybody",
    "agency": "I pulled the logs of a week and I traced one order to the worker and I wrote a fix"
    " for the retry code",
    "hand_off": "I wrote the fix for the retry code",
}
DENIALS = (
    "It is not true that {claim}.",
    "It isn't true that {claim}.",
    "It would be wrong to say that {claim}.",
    "I cannot claim that {claim}.",
    "I can't honestly say that {claim}.",
    "I won't claim that {claim}.",
    "I won't pretend {claim}.",
    "I would be lying if I said that {claim}.",
    "I never said that {claim}.",
    "Nobody could say that {claim}.",
    "It is false that {claim}.",
    "It's a myth that {claim}.",
    "I could tell you that {claim}, but it would not be so.",
    "People think that {claim}, and that is not true.",
    "People think that {claim}, but that's not what happened.",
    "You might think so, but it is far from true that {claim}.",
    "Some say that {claim}. That is not true.",
    "Some say that {claim}. This is false.",
    "It is not as if {claim}.",
    "I wish I could say that {claim}.",
    "Not that {claim}.",
)
BASE = "In spring I was busy with the page for orders, and some of the orders went missing."


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

WISHES = (
    "I hope that {claim}.",
    "I had hoped that {claim}.",
    "My plan was that {claim}.",
    "The idea was that {claim}.",
    "Ideally {claim}.",
    "In theory {claim}.",
    "If I had had access, {claim}, or would have.",
    "Had I been given access, {claim}, or it would have been so.",
    "Suppose {claim}.",
    "Imagine that {claim}.",
    "If they had merged it, {claim}.",
)


@pytest.mark.parametrize("template", WISHES)
@pytest.mark.parametrize("rule", [one for one in PLAINLY if one not in ("unassigned",)])
def test_a_claim_that_is_wished_or_supposed_earns_nothing(rule: str, template: str) -> None:
    text = f"{BASE} {template.format(claim=PLAINLY[rule])}"
    assert rule not in credited(text), judged(text).of(rule)


# --- others' results ---

OTHERS = ("the vendor", "our payment processor", "their engineers", "the hosting company",
          "the platform team", "a contractor", "Cloudflare", "Maria", "the carrier", "my colleague",
          "the registrar", "another team", "the cloud provider", "they",
          "somebody in the other team")  # fmt: skip
MENDS = (
    "{who} patched the gateway. The failures fell from 2% to zero.",
    "{who} shipped a change that rejects repeated orders. Since that release the failures have"
    " fallen from 412 to 0 a month.",
    "{who} fixed it in the end, and the failures went from 2% to zero.",
    "{who} rolled back the release. After that the failures went down from 2% to 0.1%.",
)


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
