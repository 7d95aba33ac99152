"""Numbers as people read them, and none outside its range."""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.insight.alerts.wording import percent_text
from homing.insight.figures import exact, left_text, percent, span_text
from homing.web.pages.words import share

SHARES = st.fractions(0, 1, max_denominator=10**9)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (Fraction(1, 1000), "0.001"),
        (Fraction(144, 10), "14.4"),
        (1 - Fraction(Decimal("0.9990")), "0.001"),
        (Fraction(14, 15), "0.933333333333"),
        (Fraction(-1, 8), "-0.125"),
        (Fraction(-1, 10**15 * 3), "0"),
        (Fraction(1200), "1200"),
    ],
)
def test_numbers_are_written_without_noise(number: Fraction, text: str) -> None:
    assert exact(number) == text


def test_a_share_is_said_in_percent() -> None:
    assert percent(Decimal("0.99950")) == "99.95%"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(172.8, "2.9 min"), (1728, "29 min"), (4320, "1.2 h"), (86400, "24 h"), (864000, "10 d")],
)
def test_spans_are_said_as_people_say_them(seconds: float, text: str) -> None:
    assert span_text(Fraction(str(seconds))) == text


@pytest.mark.parametrize(
    ("left", "text"),
    [
        (Fraction(1), "100%"),
        (Fraction(99_999_999, 10**8), "99.99%"),
        (Fraction(835, 1000), "83.5%"),
        (Fraction(1, 10**9), "0.01%"),
        (Fraction(0), "0%"),
        (Fraction(-1, 10**9), "spent 1.1 times"),
        (Fraction(-1, 2), "spent 1.5 times"),
        (Fraction(-1), "spent 2 times"),
        (Fraction("-88.8876"), "spent 90 times"),
        (Fraction(-12_345), "spent 12,346 times"),
    ],
)
def test_a_budget_that_is_overspent_has_no_percentage(left: Fraction, text: str) -> None:
    assert left_text(left) == text


@given(st.fractions(max_value=1))
def test_what_is_left_is_from_0_to_100_percent_or_told_in_budgets(left: Fraction) -> None:
    text = left_text(left)
    if left < 0:
        assert float(re.fullmatch(r"spent ([\d,.]+) times", text)[1].replace(",", "")) > 1  # type: ignore[index]
    else:
        _check_percentage(text, left)


@pytest.mark.parametrize("say", [left_text, share, percent_text], ids=lambda say: say.__name__)
@given(part=SHARES)
def test_a_percentage_is_from_0_to_100_and_the_ends_are_said_of_nothing_else(
    say: object, part: Fraction
) -> None:
    _check_percentage(say(part), part)  # type: ignore[operator]


def _check_percentage(text: str, part: Fraction) -> None:
    shown = Fraction(text.removesuffix("%"))
    assert 0 <= shown <= 100
    assert (shown == 0, shown == 100) == (part == 0, part == 1)
