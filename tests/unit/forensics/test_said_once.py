"""The report says each fact once, with its rate, and a time between what is known."""

from __future__ import annotations

import pytest

pytest.importorskip("ibis")

from homing.forensics.association import Suspect
from homing.forensics.document import _hardest
from homing.forensics.evidence import of_features, sentence_of
from homing.forensics.telling import hardest_told, since_told


def suspect(name: str, having: int, dropped: int, q: float = 1e-9, kind: str = "life") -> Suspect:
    risk = dropped / having
    return Suspect(name, kind, having, dropped, dropped / 100, risk, risk, risk, risk * 100, q, q)


def test_features_with_the_same_figures_are_one_sentence() -> None:
    found = of_features([suspect("a", 200, 100), suspect("b", 200, 100), suspect("c", 150, 90)])
    assert [[one.name for one in alike] for alike in found.values()] == [["a", "b"], ["c"]]
    both, single = map(sentence_of, found.values())
    assert both.startswith("a; b: 100% of the drops have each of these; of the 200 deliveries with")
    assert single.startswith("c: 90% of the drops have it")
    assert single.endswith("(q = 1e-09)")


def test_a_chance_that_no_double_holds_is_said_in_words() -> None:
    assert sentence_of([suspect("a", 200, 100, q=0.0)]).endswith("(not by chance: q < 10^-300)")


def test_what_chance_explains_or_few_drops_have_is_no_evidence() -> None:
    found = of_features([suspect("chance", 200, 100, q=0.5), suspect("few", 90, 40)])
    assert found == {}
    assert of_features([suspect("endpoint few", 90, 40, kind="who")])


def test_one_whose_rate_is_far_above_the_rest_is_named() -> None:
    rows = [("big", 100, 30_000), ("hard", 19, 1_700), ("small", 2, 10)]
    one = _hardest(rows, 600, 200_000)
    assert one is not None
    assert one["name"] == "hard"
    assert hardest_told({"hit_hardest": {"endpoint": one}}, "endpoint") == (
        "hard is hit hardest: 19 of 1,700 (1.12%), 3.8 times the rate of the rest (0.29%)"
    )


def test_none_is_named_where_all_are_hit_alike() -> None:
    assert _hardest([("a", 100, 30_000), ("b", 50, 16_000)], 600, 200_000) is None
    assert _hardest([("a", 100, 100)], 100, 200) is None  # the others lost none: nothing to compare
    assert hardest_told({}, "endpoint") == ""


def test_the_beginning_is_between_two_times_where_both_are_known() -> None:
    known = {"at": "10:23", "low": "09:43", "high": "10:23"}
    assert (
        since_told(known)
        == "between 09:43 and 10:23 (95%), when the first one dropped was accepted"
    )
    assert since_told(known | {"high": None}) == "not before 09:43 (95%)"
    assert since_told(known | {"high": "10:30"}) == "10:23 (95%: between 09:43 and 10:30)"
    assert since_told(known | {"low": "10:23"}) == "10:23, the first that was dropped"
