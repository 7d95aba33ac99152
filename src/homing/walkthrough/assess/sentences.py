"""Where sentences and quotations of an answer begin and end. Pure."""

from __future__ import annotations

import re
from typing import Final

#: a stop before a blank, a semicolon, an empty line, a line's end before a bullet or a label
_GAP: Final = re.compile(
    r"(?<=[.!?])[\"”\u2019')\]]*\s+|\s*;\s+|\s*\n\s*\n\s*|\s*\n\s*(?=[-*•\d#])|\n(?=\s*\w+\s*:)"
)
_ABBREVIATION: Final = re.compile(r"(?:\b(?:e\.g|i\.e|vs|approx|etc|no|fig|mr|ms|dr)\.)\s+$", re.I)
#: between marks of either kind; single ones only around several words
_QUOTED: Final = re.compile(
    r"\"[^\"\n]{2,400}\"|“[^”\n]{2,400}”"
    r"|(?<!\w)['\u2018][^'\u2019\n]{8,400}['\u2019](?!\w)"
)
_BULLETS: Final = " \t\n-*•#>"


def sentences_of(text: str, start: int = 0, end: int | None = None) -> list[tuple[int, int]]:
    """Places of the sentences between two places; each has a letter or a digit."""
    end = len(text) if end is None else end
    found, begin = [], start
    for gap in _GAP.finditer(text, start, end):
        if _ABBREVIATION.search(text[begin : gap.end()]):
            continue
        found.append((begin, gap.start()))
        begin = gap.end()
    found.append((begin, end))
    kept = []
    for first, last in found:
        body = text[first:last]
        first += len(body) - len(body.lstrip(_BULLETS))
        last = first + len(text[first:last].rstrip())
        if any(letter.isalnum() for letter in text[first:last]):
            kept.append((first, last))
    return kept


def quotes_of(text: str) -> list[tuple[int, int]]:
    """Where somebody is quoted, marks included."""
    return [one.span() for one in _QUOTED.finditer(text)]
