"""What happened in a world with somebody's workers, for people."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

import msgspec

#: what `Clock.now` says when a world begins, in seconds: some day of 2023
EPOCH_S: Final = 1_700_000_000.0
#: a number that lies so far from now is no time
_NEAR_S: Final = 1_000_000.0
_TEXT_MAX: Final = 40


class Event(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One thing that somebody did."""

    at_s: float  #: since the world began
    lane: str  #: who: a process ("A", "A2" after a crash), "publisher", "receiver", "world"
    op: str  #: a word for programs: "put", "send", "answer", "crash" …
    what: str  #: in a few words
    delivery: str = ""
    before: str = ""  #: state of the row before
    state: str = ""  #: and afterwards
    row: str = ""  #: what else is in it, in a few words
    is_refused: bool = False
    is_mishap: bool = False


def time_text(value: float) -> str:
    """An instant of the worker's clock, by the world's own: t+30.0."""
    return f"t+{value - EPOCH_S:.1f}"


def instant_of(value: object) -> float | None:
    """The time of the worker's clock that a value is, as far as one can tell; else None.

    Args:
        value: seconds, milliseconds or a datetime.
    """
    if isinstance(value, datetime):
        value = (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    for seconds in (value, value / 1_000):
        if abs(seconds - EPOCH_S) < _NEAR_S:
            return seconds
    return None


def instants_of(value: object) -> Iterator[float]:
    """The times in it, however deep."""
    if isinstance(value, dict | list | tuple):
        for one in value.values() if isinstance(value, dict) else value:
            yield from instants_of(one)
    elif (instant := instant_of(value)) is not None:
        yield instant


def value_text(value: object) -> str:
    """A value as a reader wants it: short, and times by the world's clock."""
    if (instant := instant_of(value)) is not None:
        return time_text(instant)
    if isinstance(value, dict):
        text = f"{{{' '.join(f'{name}={value_text(one)}' for name, one in value.items())}}}"
    else:
        text = f"{value:.3g}" if isinstance(value, float) else str(value)
    return text if len(text) <= _TEXT_MAX else text[: _TEXT_MAX - 1] + "…"


def fields_text(row: dict[str, object], *, without: tuple[str, ...] = ()) -> str:
    """Fields and their values, in the row's order."""
    return " ".join(
        f"{name}={value_text(value)}" for name, value in row.items() if name not in without
    )
