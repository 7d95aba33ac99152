"""What the place of a row in its log says of when it was written."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from itertools import pairwise
from typing import Any, Final


class Order(Enum):
    """From where to where the times of the rows go."""

    BY_TIME = "by time"  #: every row has a time, and none is earlier than the one before
    OLDEST_FIRST = "oldest first"  #: nearly so: of equal times the first is the earlier
    NEWEST_FIRST = "newest first"  #: as lists of an API are
    MIXED = "mixed"  #: nothing: rows in no order, or files side by side, as of several workers


#: of the rows, those that are earlier than the one before: more, and their places say nothing
_DESCENTS_MAX: Final = 0.05
_AT: Final = "COALESCE(finished_us, changed_us, at_us, accepted_us)"


def order_of(connection: Any, begins: Sequence[int]) -> Order:
    """What the places of the rows say of their times; `begins`: the first row of each further file."""
    wrong, earlier, later, rows = connection.execute(
        "SELECT count(*) FILTER (WHERE at_us IS NULL OR at_us < before OR layout <> 'events' "
        "OR started_us < at_us), "  # of a turn there is a line for its beginning too
        "count(*) FILTER (WHERE at_us < before), count(*) FILTER (WHERE at_us > before), count(*) "
        "FROM (SELECT at_us, started_us, layout, lag(at_us) OVER () AS before FROM raw)"
    ).fetchall()[0]
    if not wrong:
        return Order.BY_TIME
    first, last = connection.execute(
        f"SELECT avg({_AT}) FILTER (WHERE rowid < 0.1 * {rows}), avg({_AT}) FILTER (WHERE rowid > 0.9 * {rows}) FROM raw"
    ).fetchall()[0]
    is_newest_first = first is not None and last is not None and first > last
    if (later if is_newest_first else earlier) > _DESCENTS_MAX * rows:
        return Order.MIXED
    if begins:
        beside = connection.execute(
            "SELECT count(*) FROM (SELECT rowid AS line, at_us, lag(at_us) OVER () AS before FROM raw) "
            f"WHERE line IN ({', '.join(map(str, begins))}) AND at_us {'>' if is_newest_first else '<'} before"
        ).fetchall()[0][0]
        if beside:
            return Order.MIXED
    return Order.NEWEST_FIRST if is_newest_first else Order.OLDEST_FIRST


def leader_of(connection: Any, begins: Sequence[int]) -> range | None:
    """The rows of the one file that tells what happened, in the order of their times; None: there are
    several, or none is in order. What stands beside it are tables, a row for each delivery or request."""
    first, last, rows, earlier = connection.execute(
        "SELECT min(line), max(line), count(*), count(*) FILTER (WHERE at_us < before) FROM (SELECT "
        "rowid AS line, at_us, lag(at_us) OVER () AS before FROM raw WHERE layout = 'events')"
    ).fetchall()[0]
    if not rows or earlier > _DESCENTS_MAX * rows or any(first < begin <= last for begin in begins):
        return None
    return range(first, last + 1)


#: more files than these are not looked at one by one
_FILES_MAX: Final = 64


def runs_of(connection: Any, begins: Sequence[int], rows: int) -> list[range]:
    """The rows of each file of events that is in the order of its times, of several.

    Args:
        begins: the first row of each file.
        rows: of all.
    """
    if len(begins) > _FILES_MAX:
        return []
    parts = [range(first, end) for first, end in pairwise([*begins, rows])]
    number = " + ".join(f"(rowid >= {first})::INT" for first in begins)
    found = connection.execute(
        f"SELECT part, count(*) FILTER (WHERE at_us < before OR layout <> 'events'), count(*) FROM (SELECT "
        f"{number} AS part, at_us, layout, lag(at_us) OVER (PARTITION BY {number} ORDER BY rowid) AS before "
        "FROM raw) GROUP BY part ORDER BY part"
    ).fetchall()
    return [parts[part - 1] for part, wrong, n in found if wrong <= _DESCENTS_MAX * n]
