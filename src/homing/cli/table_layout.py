"""How wide the columns of a table are, so that no name and no time is broken inside. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Final

from rich.cells import cell_len

#: between two columns
GAP: Final = 2
#: an address, or the path of a file, may go on in the next line, if so much of it is in one
_BROKEN_FROM: Final = 24
#: nor is whatever is longer than any name or time of ours kept whole
_WORD_MAX: Final = 34
_ADDRESS: Final = re.compile(r"/")


def widths(
    cells: Sequence[Sequence[str]], available: int, numbers: Collection[int] = ()
) -> list[int] | None:
    """The width of each column; None: not even the longest words of all fit beside one another.

    Args:
        cells: the names of the columns, and the rows.
        available: columns of the screen.
        numbers: the columns, from 0, whose cells are never folded, but their names may be.
    """
    columns = list(zip(*cells, strict=True))
    whole = [max(map(_length, column)) for column in columns]
    least = [
        max(_longest_word(column[0]), *map(_length if at in numbers else _longest_word, column[1:]))
        for at, column in enumerate(columns)
    ]
    room = available - GAP * (len(columns) - 1)
    if sum(whole) <= room:
        return whole
    if sum(least) > room:
        return None
    return _shared(least, whole, room)


def _shared(least: list[int], whole: list[int], room: int) -> list[int]:
    """What is left over goes to the narrowest that needs it, until all that do are alike."""
    found = list(least)
    for _ in range(room - sum(least)):
        needy = [at for at, width in enumerate(found) if width < whole[at]]
        found[min(needy, key=found.__getitem__)] += 1
    return found


def _length(cell: str) -> int:
    return max(map(cell_len, cell.split("\n")))


def _longest_word(cell: str) -> int:
    return max((_unbroken(word) for word in cell.split()), default=0)


def _unbroken(word: str) -> int:
    length = cell_len(word)
    is_broken = length > _WORD_MAX or _ADDRESS.search(word)
    return min(length, _BROKEN_FROM) if is_broken else length
