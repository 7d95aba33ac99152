"""Numbers and times as people read them."""

from __future__ import annotations

from fractions import Fraction

import pytest

from homing.web.pages import words

S = 1_000_000


@pytest.mark.parametrize(
    ("length_us", "text"),
    [
        (0, "0 µs"),
        (250, "250 µs"),
        (1_500, "1.5 ms"),
        (999_400, "999 ms"),
        (1_500_000, "1.5 s"),
        (59 * S, "59 s"),
        (61 * S, "1 min 1 s"),
        (7_260 * S, "2 h 1 min"),
        (11 * 3_600 * S + 60 * S, "11 h"),
        (3 * 86_400 * S, "3 d"),
        (-5 * S, "\u22125 s"),
        (None, "\u2013"),
    ],
)
def test_a_length_of_time_has_two_units_at_most(length_us: int | None, text: str) -> None:
    assert words.duration(length_us) == text


@pytest.mark.parametrize(
    ("part", "text"),
    [
        (1, "100%"),
        (Fraction(999_999, 1_000_000), "99.99%"),
        (0.5, "50%"),
        (Fraction(1, 1_000_000), "0.01%"),
        (0, "0%"),
        (Fraction(-1, 2), "-50%"),
        (None, "\u2013"),
    ],
)
def test_a_share_is_never_rounded_to_all_or_nothing(part: float | None, text: str) -> None:
    assert words.share(part) == text


def test_how_long_ago_it_was() -> None:
    assert words.ago(0, 90 * S) == "1 min ago"
    assert words.ago(90 * S, 0) == "in 1 min"
    assert words.ago(5, 10) == "now"


def test_counts_and_sizes() -> None:
    assert words.count(1_234_567) == "1,234,567"
    assert words.byte_count(512) == "512 B"
    assert words.byte_count(1_536) == "1.5 KiB"
    assert words.instant(1_500_000) == "1970-01-01T00:00:01.500Z"
    assert words.stamp(1_500_000) == "1970-01-01 00:00:01 UTC"
