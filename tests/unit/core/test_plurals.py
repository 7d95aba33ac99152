"""A number with its noun."""

from __future__ import annotations

import pytest

from homing.core.plurals import noun, plural


@pytest.mark.parametrize(
    ("number", "noun", "text"),
    [
        (1, "delivery", "1 delivery"),
        (0, "delivery", "0 deliveries"),
        (2_000, "delivery", "2,000 deliveries"),
        (2, "day", "2 days"),
        (2, "dead letter", "2 dead letters"),
        (2, "process", "2 processes"),
        (2, "batch", "2 batches"),
    ],
)
def test_a_number_and_its_noun_agree(number: int, noun: str, text: str) -> None:
    assert plural(number, noun) == text


def test_a_noun_agrees_with_a_number_that_stands_elsewhere() -> None:
    assert (noun(1, " thing"), noun(2, " thing")) == (" thing", " things")


def test_a_plural_of_its_own_is_said() -> None:
    assert plural(2, "person", "people") == "2 people"
