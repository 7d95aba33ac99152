"""Each rule finds what the tests beside it say, and its data is whole."""

from __future__ import annotations

import pytest

from homing.walkthrough import packs
from homing.walkthrough.assess import SCALE, STAGES, State, assess
from homing.walkthrough.assess.detectors import DETECTORS
from homing.walkthrough.assess.rule import Case, Rule, rules, verdict_document

LIBRARY = packs.shipped()
CASES = [(rule, case) for rule in rules().values() for case in rule.tests]


@pytest.mark.parametrize(
    ("rule", "case"),
    CASES,
    ids=[f"{rule.id}-{case.note or case.text[:30]}" for rule, case in CASES],
)
def test_a_rule_finds_what_stands_beside_it(rule: Rule, case: Case) -> None:
    level, lens = LIBRARY.levels[case.level], LIBRARY.principles["ownership"]
    found = assess(case.text, case.stage, level, lens)
    assert found.states[rule.id] == case.state, found.of(rule.id)
    if case.span is not None:
        spans = [one.span.text for one in found.of(rule.id) if one.span]
        assert any(case.span in span or span in case.span for span in spans), spans


@pytest.mark.parametrize("rule", rules().values(), ids=rules())
def test_a_rule_says_what_each_of_its_states_means_and_what_to_do(rule: Rule) -> None:
    assert set(rule.states) <= {one.value for one in State}
    assert set(rule.stages) <= set(STAGES)
    for name, meaning in rule.states.items():
        assert meaning.means.endswith("."), name
        if name not in ("met", "not checkable"):
            assert meaning.why, name
            assert meaning.fix, name


@pytest.mark.parametrize("rule", rules().values(), ids=rules())
def test_each_state_of_a_rule_has_a_test_beside_it(rule: Rule) -> None:
    if rule.needs_record:
        return  # its tests are with the records
    tested = {case.state.value for case in rule.tests}
    # a whole answer without any words has no other place to be missing
    assert set(rule.states) - tested <= {"missing", "weak"}, set(rule.states) - tested
    assert {"met"} <= tested


def test_every_rule_has_a_detector_and_every_detector_a_rule() -> None:
    assert set(DETECTORS) | {"record"} == set(rules())


def test_the_order_of_the_table_names_every_rule_once() -> None:
    document = verdict_document()
    assert sorted(document["order"]) == sorted(rules())
    assert {row["verdict"] for row in document["rows"]} == set(SCALE)


def test_levels_and_lenses_name_rules_that_there_are() -> None:
    for level in LIBRARY.levels.values():
        assert set(level.requires) <= set(rules()), level.id
    for lens in LIBRARY.principles.values():
        assert set(lens.weights) <= set(rules()), lens.id
