"""Columns that say in a few words what happened to a delivery, and in sentences what else did. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

from homing.forensics.reading.columns import Seen, name_score, text_of
from homing.forensics.reading.expressions import PARTICULARS
from homing.forensics.reading.lines import Row

#: of the rows that name a delivery so many say it in words alone
_IN_WORDS_MIN: Final = 0.95
_PARTICULARS: Final = re.compile(PARTICULARS)


def by_kind(rows: Sequence[Row], seen: dict[str, Seen], key: Sequence[str]) -> dict[str, Seen]:
    """The columns by which nearly all rows that name a delivery say in a few words what happened, and others
    say it in sentences with names and numbers of their own: as they are with one value for each kind.

    A framework writes into the column in which a service names its events, and each of its sentences has
    a name of its own: those must not hide the words of the others.

    Args:
        key: the columns that name a delivery.
    """
    return {
        path: kind
        for path, one in seen.items()
        if name_score("op", path) > 0 and one.time is None
        if not (one.is_number or one.nested or one.is_words or path in key)
        if (kind := _by_kind(rows, one, key)) is not None
    }


def _by_kind(rows: Sequence[Row], one: Seen, key: Sequence[str]) -> Seen | None:
    """The column with one value for each kind of its sentences; None if it is no column of words even so."""
    kinds: Counter[str] = Counter()
    ours: Counter[str] = Counter()
    in_words = 0
    for row in rows:
        if row.get(one.path) is None:
            continue
        text = text_of(row[one.path])
        kind = kind_of(text)
        kinds[kind] += 1
        if any(row.get(name) is not None for name in key):
            ours[kind] += 1
            in_words += kind == text
    if in_words < _IN_WORDS_MIN * ours.total():
        return None
    found = one._replace(values=kinds)
    if not found.is_words:  # a service says more than its deliveries do
        told = Counter({kind: kinds[kind] for kind in ours})
        found = one._replace(values=told, filled=told.total())
    return found if found.is_words else None


def kind_of(text: str) -> str:
    """A sentence without its names and numbers; a word as it is."""
    return _PARTICULARS.sub("#", text) if " " in text else text
