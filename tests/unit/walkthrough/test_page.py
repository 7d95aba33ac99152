"""The page of the rules is their data, and holds nothing of how they find things."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from homing.cli.reference import SECTIONS
from homing.core.errors import Invalid
from homing.walkthrough.assess import TEXT_MAX, assess
from homing.walkthrough.assess.rule import rules
from homing.walkthrough.packs import shipped
from homing.walkthrough.rules_page import rules_page

PAGE = (Path(__file__).parents[3] / "docs/reference/walkthrough-rules.md").read_text()


def test_the_page_is_fresh() -> None:
    mark, made = SECTIONS["reference/walkthrough-rules.md"]
    between = PAGE.partition(f"<!-- {mark}:begin -->\n")[2].partition(f"\n<!-- {mark}:end -->")[0]
    assert between == made(), "run make docs"


def test_every_state_of_every_rule_is_explained() -> None:
    for rule in rules().values():
        assert f"### `{rule.id}`" in PAGE
        for state, meaning in rule.states.items():
            assert f"| {state} | {meaning.means} |" in PAGE


def test_how_a_rule_finds_things_is_not_on_it() -> None:
    """Some of the commonest words stand in any explanation; the lists do not."""
    made = rules_page()
    for rule in rules().values():
        for words in rule.words.values():
            assert not [one for one in words if one.startswith("re:") and one in made]
            long = [one for one in words if len(one.split()) >= 3]
            shown = [one for one in long if one in made]
            assert len(shown) <= max(1, 0.1 * len(long)), shown


@pytest.mark.parametrize(
    "text", ["I pulled the logs. ", "from 1% to 2% ", "nobody asked that ", "\n- x", "team the "]
)
def test_a_hostile_answer_takes_seconds_and_no_more(text: str) -> None:
    library = shipped()
    level, lens = library.levels["sde2"], library.principles["ownership"]
    long = (text * (TEXT_MAX // 2 // len(text)))[:TEXT_MAX]
    begin = time.process_time()
    assess(long, None, level, lens)
    assert time.process_time() - begin < 20  # about one on a quiet machine


def test_an_answer_has_a_longest() -> None:
    library = shipped()
    level, lens = library.levels["sde2"], library.principles["ownership"]
    with pytest.raises(Invalid, match="expected at most"):
        assess("x" * (TEXT_MAX + 1), None, level, lens)
