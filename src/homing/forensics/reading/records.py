"""The records of CSV, each with the number of its line: a quote that nobody closes damages one line. Pure."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

#: a cell goes on over so many lines at most; beyond them its quote was never closed
_RECORD_LINES_MAX: Final = 1_000
#: what Python's reader says where the lines end within quotes
_OPEN: Final = "unexpected end of data"


class Record(NamedTuple):
    """A row of CSV, or what is wrong with the line that it should begin with."""

    line: int  #: from 1
    cells: list[str]  #: none where it is damaged
    problem: str = ""


def records(lines: Iterable[str], delimiter: str) -> Iterator[Record]:
    """Every record; the first is the header where there is one, and says how many cells a row has.

    Where a quote is not closed, or the lines up to where it is make no row, only the line that opened
    it is damaged: the next one begins a record again. A line with too few or too many cells is damaged.
    """
    source = ((n, text.replace("\0", "")) for n, text in enumerate(lines, 1))
    waiting: deque[tuple[int, str]] = deque()
    width = 0
    while True:
        number, text = waiting.popleft() if waiting else next(source, (0, ""))
        if not number:
            return
        cells, problem = _cells(text, delimiter)
        if problem == _OPEN:
            _fill(waiting, source)
            cells, taken = _over_lines(text, waiting, delimiter)
            if cells and len(cells) == (width or len(cells)):
                problem = ""
                for _ in range(taken):
                    waiting.popleft()
            else:
                cells, problem = [], "a quote is opened and not closed"
        if problem:
            yield Record(number, [], problem)
        elif cells and width not in (0, len(cells)):
            yield Record(number, [], widths(len(cells), width))
        elif cells:
            width = len(cells)
            yield Record(number, cells)


def widths(count: int, width: int) -> str:
    """What is wrong with a row of so many cells where others have `width`."""
    return f"{count} of {width} columns" if count < width else f"more than {width} columns"


def _cells(text: str, delimiter: str) -> tuple[list[str], str]:
    """The cells of a line, or why they are none; of a blank one none, and nothing is wrong."""
    if '"' not in text:  # the usual, and much quicker
        plain = text.rstrip("\r\n")
        return (plain.split(delimiter) if plain else []), ""
    try:
        return next(csv.reader([text], delimiter=delimiter, strict=True), []), ""
    except csv.Error as error:
        if str(error) == _OPEN:
            return [], _OPEN
    try:  # a quote too many within a cell
        return next(csv.reader([text], delimiter=delimiter), []), ""
    except csv.Error as error:
        return [], str(error)


def _fill(waiting: deque[tuple[int, str]], source: Iterator[tuple[int, str]]) -> None:
    while len(waiting) < _RECORD_LINES_MAX and (one := next(source, None)):
        waiting.append(one)


def _over_lines(
    text: str, later: Iterable[tuple[int, str]], delimiter: str
) -> tuple[list[str], int]:
    """The cells of a record that goes on over the next lines, and how many of them; none if it does not."""
    reader = csv.reader((text, *(line for _, line in later)), delimiter=delimiter, strict=True)
    try:
        return next(reader), reader.line_num - 1
    except csv.Error:
        return [], 0
