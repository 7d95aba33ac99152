"""The clock of an answer: it informs, and never cuts anybody off. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

_US: Final = 1_000_000


class Pace(StrEnum):
    """How an answer stands against its time."""

    ON_TRACK = "on track"
    WRAP_UP = "wrap up"  #: from 80% of the time
    OVER = "over time"  #: from 100%
    WELL_OVER = "well over time"  #: from 150%


#: shares of the time at which each begins
_BEGINS: Final = ((1.5, Pace.WELL_OVER), (1.0, Pace.OVER), (0.8, Pace.WRAP_UP))


def pace(elapsed_s: float, target_s: float) -> Pace:
    """How an answer that has taken so long stands."""
    return next((name for share, name in _BEGINS if elapsed_s >= share * target_s), Pace.ON_TRACK)


def elapsed_s(begun_at_us: int, at_us: int) -> float:
    """Seconds since it began; a clock that was set back gives 0."""
    return max(0, at_us - begun_at_us) / _US


def minutes(seconds: float) -> str:
    """As a clock shows it: 0:05, 2:30."""
    whole = round(seconds)
    return f"{whole // 60}:{whole % 60:02}"


def spoken_s(words: int, words_per_minute: float) -> float:
    """How long so many words take to say: an estimate, for what was typed."""
    return 60 * words / words_per_minute
