"""Whether what was understood of a log can be what it says: a guess that fits so badly is none. Ibis."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping as Map
from typing import Any, Final

from homing.forensics.building import Events
from homing.forensics.judging import Verdict
from homing.forensics.operations import Op
from homing.forensics.reading.columns import name_score
from homing.forensics.reading.mapping import Mapping
from homing.forensics.rows import row

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


#: of the deliveries with so many lines, no more than this share are done with at once
_LINES_FEWEST: Final = 3
_AT_ONCE_MAX: Final = 0.5


def done_at_once(table: Any, mappings: Iterable[Mapping]) -> str:
    """Why a log in which nothing is dropped must be misread, and what to do; empty if it may be right: most
    deliveries would be delivered by the first of their several lines, or before anybody had taken them.

    Args:
        table: `events`.
    """
    if any(one.layout != "events" for one in mappings):
        return ""
    lines = table.group_by("d").aggregate(
        n=table.count(),
        first=table.pos.min(),
        good=table.pos.min(where=table.result > 0),
        taken=table.pos.min(where=table.act.isin([int(Op.CLAIMED), int(Op.SENT)])),
    )
    many = lines.filter(lines.n >= _LINES_FEWEST)
    at_once = (many.good == many.first) | (many.good < many.taken)
    ended = at_once.fill_null(False).cast("int64").sum()
    counted = row(many.aggregate(n=many.count(), ended=ended))
    total, count = int(counted.n or 0), int(counted.ended or 0)
    if total < _FEWEST or count <= _AT_ONCE_MAX * total:
        return ""
    return (
        f"{count:,} of {total:,} deliveries would be delivered before anybody had taken them, so it was "
        f"misread; {_ASK}"
    )


def _is_named(mappings: Iterable[Mapping]) -> bool:
    """Whether some column that names deliveries is called so."""
    return any(
        name_score(field, one.columns[field].path) >= _NAMED_MIN
        for one in mappings
        for field in ("delivery", "message")
        if one.has(field)
    )
