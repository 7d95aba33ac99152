"""Rows of several files that name the same things, where the samples of the files are of other times."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Mapping as Map
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Final

from homing.forensics.reading.columns import text_of
from homing.forensics.reading.lines import PARSERS, Row, flat
from homing.forensics.reading.sources import Source, open_text

#: so many rows of the smallest file are looked for in the others
_LOOKED_FOR: Final = 120
#: fewer rows tell nothing
_ROWS_MIN: Final = 20
#: so many lines of the others are looked through, and so many with one name kept
_LINES_MAX: Final = 400_000
_KEPT_MAX: Final = 3
#: what may be a name in a line of text: its letters, digits, and what joins them
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{6,80}")


def meeting(files: Map[str, tuple[Source, Sequence[Row]]]) -> dict[str, Sequence[Row]]:
    """The samples of files, of the smallest some rows only, and of others the rows that name the same.

    A table that was written at the end has the latest rows, and a log begins days before: of the two
    samples no row is about the same delivery, and how they refer to one another does not show.

    Args:
        files: by path: how to read it, and its sample.
    """
    found = {path: rows for path, (_, rows) in files.items()}
    big = [path for path, rows in found.items() if len(rows) >= _ROWS_MIN]
    if len(big) < 2:
        return found
    base = min(big, key=lambda path: Path(files[path][0].path).stat().st_size)
    every = found[base]
    some = list(every[:: max(len(every) // _LOOKED_FOR, 1)])
    names = {name for row in some for value in row.values() for name in _names(value)}
    for path in big:
        source = files[path][0]
        if path != base and len(rows := _rows_with(source, names)) >= _ROWS_MIN:
            found[path] = rows
            found[base] = some
    return found


def _names(value: object) -> list[str]:
    if not isinstance(value, str | int):
        return []
    text = text_of(value)
    return [text] if _NAME.fullmatch(text) and any(c.isdigit() for c in text) else []


def _rows_with(source: Source, names: set[str]) -> list[Row]:
    """The rows of a file in which one of the names stands."""
    if source.form not in ("csv", *PARSERS):
        return []
    kept: list[str] = []
    told: Counter[str] = Counter()
    with open_text(source.path) as text:
        header = next(text, "") if source.form == "csv" else ""
        for line in islice(text, _LINES_MAX):
            here = names.intersection(_NAME.findall(line))
            if any(told[name] < _KEPT_MAX for name in here):
                kept.append(line)
                told.update(here)
    if source.form == "csv":
        return list(csv.DictReader([header, *kept], delimiter=source.delimiter))
    parse = PARSERS[source.form]
    return [flat(row) for line in kept if (row := parse(line)) is not None]
