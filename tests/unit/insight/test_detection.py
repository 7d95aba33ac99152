"""The sentences and the tables about when a drop is noticed."""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from homing.insight.burn import NO_GUARD, Guard, explain
from homing.insight.detection import (
    RATES,
    TARGETS,
    TRAFFIC,
    document,
    integrity_sentences,
    page_tables,
    sentence,
)

PAGE = Path(__file__).parents[3] / "docs/explanation/detection.md"
DROP = Decimal("0.003")


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("0.999", "0.3% at 99.9%: no page, ticket after 24 h, budget gone in 10 days"),
        ("0.9995", "0.3% at 99.95%: no page, ticket after 12 h, budget gone in 5 days"),
        (
            "0.9999",
            "0.3% at 99.99%: page after 29 min, ticket after 2.4 h, budget gone in 24 h",
        ),
        ("0.99", "0.3% at 99%: no page, no ticket, the budget lasts"),
    ],
)
def test_a_sentence_says_who_notices_and_when_the_budget_is_gone(target: str, said: str) -> None:
    assert sentence(explain(target=Decimal(target), rate=DROP)) == said


def test_what_notices_it_is_said_with_its_arithmetic() -> None:
    said = " ".join(integrity_sentences(explain(target=Decimal("0.999"), rate=DROP)))
    for part in ("0.03 drops a second", "33 s on average", "1.7 min (3 / 0.03", "within 2.7 min"):
        assert part in said


def test_json_has_decimals_as_texts() -> None:
    found = document(explain(target=Decimal("0.9990"), rate=DROP))
    assert (found["target"], found["dropRate"], found["burnRate"]) == ("0.999", "0.003", "3")
    assert [tier["factor"] for tier in found["tiers"]] == ["14.4", "6", "3", "1"]


def test_the_tables_of_the_page_are_computed() -> None:
    shown = re.search(r"detection:begin -->\n(.*?)\n<!-- detection:end", PAGE.read_text(), re.S)
    assert shown, "the markers are gone"
    assert shown[1] == page_tables(), "stale: run `make docs`"


#: (drop, target) → hours until the first tier crosses, by hand: factor x budget x window / drop
BY_HAND = {
    ("0.003", "0.999"): ("ticket", Fraction(1) * 72 / 3),
    ("0.003", "0.9995"): ("ticket", Fraction(3) * 24 / 6),
    ("0.003", "0.9999"): ("page", Fraction("14.4") * 1 / 30),
    ("0.01", "0.999"): ("page", Fraction(6) * 6 / 10),
    ("0.05", "0.999"): ("page", Fraction("14.4") / 50),
    ("0.0001", "0.9999"): None,  # exactly 1: on the line
    ("0.001", "0.9999"): ("page", Fraction(6) * 6 / 10),
}


@pytest.mark.parametrize("case", BY_HAND)
def test_cells_of_the_table_at_ample_traffic_are_the_arithmetic_by_hand(
    case: tuple[str, str],
) -> None:
    rate, target = map(Decimal, case)
    assert rate in RATES
    assert target in TARGETS
    found = explain(target=target, rate=rate, per_s=TRAFFIC[-1], guard=NO_GUARD)
    firing = [one for one in found.detections if one.after_s is not None]
    if BY_HAND[case] is None:
        assert firing == []
        return
    severity, hours = BY_HAND[case]
    first = min(firing, key=lambda one: one.after_s or 0)
    assert (first.tier.severity, first.after_s) == (severity, hours * 3600)


def test_less_traffic_never_notices_sooner() -> None:
    for rate in RATES:
        for target in TARGETS:
            waits = []
            for per_s in TRAFFIC:
                found = explain(target=target, rate=rate, per_s=per_s, guard=Guard())
                firing = [one.after_s for one in found.detections if one.after_s is not None]
                waits.append(min(firing, default=Fraction(10**9)))
            assert waits == sorted(waits, reverse=True)
