"""Where in its second a line is whose file tells whole seconds, beside files that tell parts of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from homing.forensics.operations import Op
from homing.forensics.vocabulary import meaning

#: what comes before all else that happens within its second; and what a word that is not known does, nobody
#: can tell
_BEGINS: Final = frozenset(
    {Op.UNKNOWN, Op.ACCEPTED, Op.QUEUED, Op.CLAIMED, Op.STARTED, Op.SENT, Op.RESUMED, Op.NOTED}
)
#: the last microsecond of a second
_LAST_US: Final = 999_999
#: of the rows of a file that tells parts of seconds, so many are in one; and fewer rows tell nothing
_FINE_MIN: Final = 0.5
_ROWS_FEWEST: Final = 20


def place_in_seconds(connection: Any, files: Sequence[tuple[int, int]]) -> None:
    """Put what ends something, or tells how it came out, at the end of its second, in files of whole seconds
    beside others: `parked` at 07:54:13 comes after the answer of 07:54:13.012, for which it was.

    Args:
        files: of events; of each the number of its first row, and of the next file's.
    """
    whole: list[tuple[int, int]] = []
    has_fine = False
    for first, end in files:
        told, fine = connection.execute(
            "SELECT count(at_us), count(*) FILTER (WHERE at_us % 1000000 <> 0) FROM parts "
            "WHERE rowid >= ? AND rowid < ?",
            [first, end],
        ).fetchall()[0]
        if told >= _ROWS_FEWEST and not fine:
            whole.append((first, end))
        has_fine = has_fine or fine > _FINE_MIN * told
    if not has_fine:
        return
    for first, end in whole:
        place = "rowid >= ? AND rowid < ?"
        words = connection.execute(
            f"SELECT DISTINCT op_raw FROM parts WHERE op_raw IS NOT NULL AND {place}", [first, end]
        ).fetchall()
        ends = [word for (word,) in words if meaning(word).op not in _BEGINS]
        connection.execute(
            f"UPDATE parts SET at_us = at_us + {_LAST_US} WHERE {place} AND list_contains(?, op_raw)",
            [first, end, ends],
        )
