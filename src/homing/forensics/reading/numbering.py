"""Which column of a log is the number of an attempt. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from homing.forensics.reading.columns import Seen, number_of, text_of
from homing.forensics.reading.lines import Row
from homing.forensics.reading.naming import best_named


def choose_attempt(
    rows: Sequence[Row], seen: dict[str, Seen], take: Any, taken: set[str], key: Sequence[str]
) -> None:
    """The number of the attempt, or of the retry, by its name or by how it counts.

    Args:
        key: the columns that name a delivery, where it has several rows; else none.
    """
    # one number above 1 in all rows is how many there may be, whatever it is called
    limits = {p: s for p, s in seen.items() if s.distinct == 1 and s.filled > 1 and s.least > 1}
    counts = {p: s for p, s in seen.items() if p not in limits}
    if key:  # what stands beside no delivery counts other things
        rows = [row for row in rows if any(row.get(k) is not None for k in key)]
        beside = {p for row in rows for p, value in row.items() if value is not None}
        counts = {p: s for p, s in counts.items() if p in beside}
    path = best_named("attempt", counts, taken, 40.0)
    if path is not None:
        take("attempt", path)
    else:
        retries = best_named("retries", counts, taken, 50.0)
        take("retries", retries)
        take("attempt", _counted(rows, seen, taken, key) if key and retries is None else None)
    if best_named("max_attempts", seen, taken, 46.0) is None:
        take("max_attempts", best_named("attempt", limits, taken, 60.0))


#: of the deliveries, so many must have the numbers from 1 on, none left out
_COUNTED_MIN: Final = 0.95
_COUNTED_MOST: Final = 60
#: so many rows of a delivery, at least, have one number: else it counts the rows
_ROWS_OF_ONE: Final = 1.5
_COUNTED_FEWEST: Final = 20


def _counted(
    rows: Sequence[Row], seen: dict[str, Seen], taken: set[str], key: Sequence[str]
) -> str | None:
    """A number that counts within each delivery from 1 on, several rows at a time: of the attempt,
    whatever it is called."""
    for path, one in seen.items():
        is_small = one.is_whole and one.least in (0, 1) and 1 < one.most <= _COUNTED_MOST
        if path in taken or not is_small or one.filled < _COUNTED_FEWEST:
            continue
        numbers: dict[tuple[str, ...], list[int]] = {}
        for row in rows:
            value = number_of(text_of(row.get(path)))
            if value is not None and any(row.get(k) is not None for k in key):
                numbers.setdefault(tuple(str(row.get(k)) for k in key), []).append(int(value))
        counted = [
            set(some) == set(range(int(one.least), max(some) + 1)) for some in numbers.values()
        ]
        several = sum(max(some) > one.least for some in numbers.values())
        of_one = sum(map(len, numbers.values())) / max(
            1, sum(len(set(s)) for s in numbers.values())
        )
        if (
            sum(counted) >= _COUNTED_MIN * len(counted)
            and several >= _COUNTED_FEWEST
            and of_one >= _ROWS_OF_ONE
        ):
            return path
    return None
