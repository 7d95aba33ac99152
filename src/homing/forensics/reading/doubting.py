"""What of a guessed mapping may be wrong, in sentences: a reader is asked to look. Pure."""

from __future__ import annotations

import re
from typing import Final

from homing.forensics.operations import Op
from homing.forensics.reading.columns import TIMES, Seen, could_be, name_score
from homing.forensics.reading.mapping import Mapping
from homing.forensics.row_letters import row_letters
from homing.forensics.vocabulary import meaning, normal

UNTOLD: Final = "no column says what happened to a delivery (op, to_state, outcome or status)"
#: below it a column was taken for its values rather than for its name
_NAME_SURE: Final = 50.0
#: a name that ends so is one of a name
_NAMING: Final = re.compile(r"(^|_)(id|uuid|guid|key|ref|no|nr|number|oid)$")
#: of the words of a column so many are understood, or there is a doubt
_KNOWN_MIN: Final = 0.9
_SHOWN: Final = 3
#: a column that fewer rows have names no delivery
_FILLED_MIN: Final = 0.5
_TELLING: Final = ("op", "to_state", "outcome", "status", "pending")


def doubts_of(mapping: Mapping, seen: dict[str, Seen]) -> tuple[str, ...]:
    """The doubts about a mapping, the weightiest first."""
    return (
        *_by_values(mapping, seen),
        *_unknown_words(mapping, seen),
        *_untold(mapping),
        *_days_and_months(mapping, seen),
        *_without_zone(mapping, seen),
    )


def _by_values(mapping: Mapping, seen: dict[str, Seen]) -> list[str]:
    """Columns whose names say nothing, where another could be meant as well."""
    found = []
    for name in ("delivery", "message", "at"):
        column = mapping.columns.get(name)
        if column is None or name_score(name, column.path) >= _NAME_SURE:
            continue
        used = {one.path for one in mapping.columns.values()}
        rivals = [path for path, one in seen.items() if path not in used and one.is_calendar]
        share = seen[column.path].filled / max(seen[column.path].rows, 1)
        if name != "at" and share < _FILLED_MIN:
            found.append(f"only {share:.0%} of the rows have {column.path!r}, taken for {name}")
        if name == "at" and rivals:
            others = ", ".join(map(repr, rivals[:_SHOWN]))
            found.append(f"{column.path!r} was taken for the time of a row; it could be {others}")
        elif name != "at" and not _NAMING.search(normal(column.path)):
            found.append(
                f"{column.path!r} was taken for {name} by what its values look like: its name does not "
                "say so"
            )
    return found


def _unknown_words(mapping: Mapping, seen: dict[str, Seen]) -> list[str]:
    """Words of which nothing is known; what their lines do is asked later."""
    found = []
    for name in ("op", "to_state"):
        column = mapping.columns.get(name)
        if column is None or column.path not in seen:
            continue
        if name == "to_state" and mapping.has("op"):
            continue
        one = seen[column.path]
        if name == "op" and row_letters(one.values):
            continue
        words = [w for w, _ in one.values.most_common() if not _is_known(w, mapping)]
        share = sum(one.values[w] for w in words) / one.filled
        if share > 1 - _KNOWN_MIN:
            shown = ", ".join(map(repr, words[:_SHOWN]))
            found.append(
                f"of {column.path!r}, {share:.0%} are words that no list has, such as {shown}"
            )
    return found


def _is_known(word: str, mapping: Mapping) -> bool:
    return word in mapping.words or meaning(word).op is not Op.UNKNOWN


def _untold(mapping: Mapping) -> list[str]:
    op = mapping.columns.get("op")
    if op is not None and op.value is not None:
        return [
            f"no column says what happened: each row was taken for {op.value!r}, as its file is named"
        ]
    if any(mapping.has(name) for name in _TELLING):
        return []
    if mapping.has("finished_at") or mapping.has("dead_at"):
        return [
            "no column says how a delivery stands: it was read from which of its times are there"
        ]
    return [UNTOLD]


def _days_and_months(mapping: Mapping, seen: dict[str, Seen]) -> list[str]:
    found = []
    for name in TIMES:
        column = mapping.columns.get(name)
        if column is None or not column.unit or column.unit[:5] not in ("%d/%m", "%m/%d"):
            continue
        day, month = column.unit[:2], column.unit[3:5]
        other = f"{month}/{day}{column.unit[5:]}"
        if could_be(seen[column.path], other):
            found.append(
                f"the times of {column.path!r} may be day/month or month/day: they were read as "
                f"{column.unit}; the other is {other}"
            )
    return found[:1]


def _without_zone(mapping: Mapping, seen: dict[str, Seen]) -> list[str]:
    """Times of which some name their zone and some do not, or all do not although they look local."""
    naive = []
    zoned = False
    for name in TIMES:
        column = mapping.columns.get(name)
        if column is None or column.path not in seen:
            continue
        if seen[column.path].is_zoned:
            zoned = True
        else:
            naive.append(column.path)
    if not naive:
        return []
    names = ", ".join(repr(path) for path in dict.fromkeys(naive))
    if zoned:
        return [
            f"the times of {names} name no zone and others do: they were taken for UTC; "
            'zone = "Europe/Berlin" in their { ... } says another'
        ]
    return []
