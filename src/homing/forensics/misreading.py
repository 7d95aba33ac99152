"""Whether what was understood of a log can be what it says: a guess that fits so badly is none. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping as Map
from typing import Final

from homing.forensics.building import Events
from homing.forensics.judging import Verdict
from homing.forensics.reading.columns import name_score
from homing.forensics.reading.mapping import Mapping

#: fewer deliveries, or rows, may be anything
_FEWEST: Final = 200
#: a service that loses more than this share has no one to ask why
_DROPPED_MAX: Final = 0.5
#: of the rows with a time, so many name nothing; where the column is called a delivery's, and some of
#: what it names is delivered, the others are of something else
_KEYLESS_MAX: Final = 0.9
_ENDED_MIN: Final = 0.05
_NAMED_MIN: Final = 80.0
_WORDS_SHOWN: Final = 4
_ASK: Final = (
    "say what is what: `homing investigate LOG --explain-mapping > mapping.toml`, edit it, and give it "
    "by --mapping mapping.toml; then it is counted as it stands"
)


def misread(books: Map[Verdict, int], events: Events, mappings: Iterable[Mapping]) -> str:
    """Why a guessed mapping must be wrong, and what to do; empty if it may be right."""
    accepted = sum(books.values())
    dropped, delivered = books.get(Verdict.DROPPED, 0), books.get(Verdict.DELIVERED, 0)
    rows = events.rows + events.keyless
    is_of_others = _is_named(mappings) and delivered > _ENDED_MIN * accepted
    if rows >= _FEWEST and events.keyless > _KEYLESS_MAX * rows and not is_of_others:
        return (
            f"only {rows - events.keyless:,} of {rows:,} rows name a delivery by the columns that "
            f"were guessed, so they were guessed wrong; {_ASK}"
        )
    if accepted < _FEWEST or dropped <= _DROPPED_MAX * accepted:
        return ""
    unknown = [repr(word) for word, op in events.words.items() if op == "unknown"]
    words = f" (words not understood: {', '.join(unknown[:_WORDS_SHOWN])})" if unknown else ""
    return (
        f"{dropped:,} of {accepted:,} deliveries would be dropped and {delivered:,} delivered, so it "
        f"was misread{words}; {_ASK}"
    )


def _is_named(mappings: Iterable[Mapping]) -> bool:
    """Whether some column that names deliveries is called so."""
    return any(
        name_score(field, one.columns[field].path) >= _NAMED_MIN
        for one in mappings
        for field in ("delivery", "message")
        if one.has(field)
    )
