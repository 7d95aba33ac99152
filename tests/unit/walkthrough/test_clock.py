"""The clock of an answer."""

from __future__ import annotations

import pytest

from homing.walkthrough.clock import Pace, minutes, pace, spoken_s


@pytest.mark.parametrize(
    ("took", "wanted"),
    [
        (0, Pace.ON_TRACK),
        (79.9, Pace.ON_TRACK),
        (80, Pace.WRAP_UP),
        (99.9, Pace.WRAP_UP),
        (100, Pace.OVER),
        (150, Pace.WELL_OVER),
        (100_000, Pace.WELL_OVER),
    ],
)
def test_the_pace_has_four_steps(took: float, wanted: Pace) -> None:
    assert pace(took, 100) is wanted


def test_times_are_shown_as_a_clock_does() -> None:
    assert [minutes(one) for one in (0, 4.6, 59.6, 61, 600)] == [
        "0:00", "0:05", "1:00", "1:01", "10:00",
    ]  # fmt: skip


def test_words_are_timed_by_the_speaker() -> None:
    assert spoken_s(150, 150) == 60
    assert spoken_s(150, 100) == 90
