"""Numbers and texts out of forms."""

from __future__ import annotations

import pytest

from homing.core.errors import Invalid
from homing.web.pages.asking import needed, number_in, text_in, whole_in


def test_what_was_not_given_is_the_default() -> None:
    assert text_in({}, "a") == ""
    assert number_in({"a": " "}, "a", low=0, high=1, default=0.5) == 0.5
    assert whole_in({}, "a", low=0, high=1) is None


@pytest.mark.parametrize("text", ["x", "nan", "inf", "-1", "11", "1e400"])
def test_a_number_out_of_bounds_is_told_with_its_bounds(text: str) -> None:
    with pytest.raises(Invalid, match="from 0 to 10"):
        number_in({"a": text}, "a", low=0, high=10)


def test_a_whole_number_is_whole() -> None:
    assert whole_in({"a": "7"}, "a", low=0, high=10) == 7
    with pytest.raises(Invalid, match="whole number"):
        whole_in({"a": "7.5"}, "a", low=0, high=10)


@pytest.mark.parametrize("text", ["", "  ", "x" * 501, "a\0b"])
def test_a_text_that_is_needed_is_there_and_can_be_stored(text: str) -> None:
    with pytest.raises(Invalid):
        needed({"a": text}, "a", "a reason")
    assert needed({"a": " why "}, "a", "a reason") == "why"
