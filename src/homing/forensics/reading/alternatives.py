"""Second columns of a field, for the rows in which its first one says nothing. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from homing.forensics.reading.columns import (
    CALLED_SO,
    Seen,
    fits,
    is_of_cursor,
    name_score,
    recognised,
    varies_within,
)
from homing.forensics.reading.happenings import best_telling
from homing.forensics.reading.lines import SEPARATOR, Row
from homing.forensics.reading.mapping import Column
from homing.forensics.vocabulary import normal

#: fields that rows of two kinds, as spans and log records, may have in a column each
_SPLIT: Final = (
    "at",
    "delivery",
    "message",
    "trace",
    "op",
    "to_state",
    "outcome",
    "attempt",
    "worker",
    "reason",
    "note",
    "actor",
    "status",
    "due",
)

#: times that may as well be the time of a row, and words that say what happened
_SPARE_OF: Final = {"at": ("finished_at", "changed_at", "started_at"), "op": ("note", "reason")}

_SPLIT_BELOW: Final = 0.9
#: of which a few rows may tell by another column too
_NAMES: Final = ("delivery", "message", "trace")
#: of the texts of the other kind of rows, so many must mean something
_KNOWN_MIN: Final = 0.5


def add_others(
    rows: Sequence[Row], seen: dict[str, Seen], chosen: dict[str, Column], taken: set[str]
) -> None:
    """Let fields have a second column, for the rows in which the first says nothing."""
    if finer := _finer(rows, seen, chosen, taken):
        chosen["op"] = Column(path=str(finer), others=(chosen["op"].path,))
        taken.add(finer)
    for field in _SPLIT:
        if field == "message" and "delivery" in chosen:
            continue  # it is none that rows must have
        if field in chosen and not chosen[field].others:
            spare = {chosen[f].path for f in _SPARE_OF.get(field, ()) if f in chosen}
            others = _others(field, chosen[field], rows, seen, taken - spare)
            if field == "op":
                for told in [f for f in _SPARE_OF["op"] if f in chosen]:
                    if chosen[told].path in others:
                        _choose_again(told, rows, seen, chosen, taken)
            if field == "attempt":
                others = tuple(p for p in others if not _counts_anew(rows, chosen, p))
            chosen[field] = replace(chosen[field], others=others)
            taken.update(others)


def _choose_again(
    field: str,
    rows: Sequence[Row],
    seen: dict[str, Seen],
    chosen: dict[str, Column],
    taken: set[str],
) -> None:
    """Give a field another column than the one that says what happened, or none."""
    del chosen[field]
    free = {path: one for path, one in seen.items() if path not in taken and fits(field, one)}
    if path := best_telling(field, free, rows, [], repeated=False):
        chosen[field] = Column(path=str(path))
        taken.add(path)


#: of the rows after another of their delivery, so many count no fewer attempts
_COUNTED_MIN: Final = 0.95


def _counts_anew(rows: Sequence[Row], chosen: dict[str, Column], path: str) -> bool:
    """Whether a column that tells which attempt it is counts those of something else, such as a job that is
    made for each: beside the numbers of the delivery it falls back."""
    own, key = chosen["attempt"].path, chosen.get("delivery")
    if key is None:
        return False
    most: dict[str, int] = {}
    told = less = 0
    for row in rows:
        name = next((str(row[p]) for p in (key.path, *key.others) if row.get(p) is not None), None)
        if name is None:
            continue
        if row.get(own) is not None and str(row[own]).isdigit():
            most[name] = max(most.get(name, 0), int(row[own]))
        elif str(row.get(path) or "").isdigit() and name in most:
            told, less = told + 1, less + (int(row[path]) < most[name])
    return less > (1 - _COUNTED_MIN) * told


_FINER_FEWEST: Final = 3


def _finer(
    rows: Sequence[Row], seen: dict[str, Seen], chosen: dict[str, Column], taken: set[str]
) -> str | None:
    """The column that says what happened where the one of operations always says the same: `queue event`,
    and beside it `waiting` or `active`."""
    own = chosen.get("op")
    if own is None or own.value is not None:
        return None
    for path, one in seen.items():
        is_named = path not in taken and name_score("op", path) >= _FINER_NAMED_MIN
        if not is_named or not fits("op", one) or one.distinct < _FINER_FEWEST:
            continue
        if _is_said_once(rows, chosen, path):
            continue  # the type of an event
        outer = {str(row.get(own.path)) for row in rows if row.get(path) is not None}
        of_outer = sum(str(row.get(own.path)) in outer for row in rows)
        is_same = len(outer) == 1 and of_outer <= one.filled / _SPLIT_SAME
        if is_same and recognised(one, is_state=False) >= _KNOWN_MIN:
            return path
    return None


def _is_said_once(rows: Sequence[Row], chosen: dict[str, Column], path: str) -> bool:
    """Whether a column says no two things of one delivery, where its rows name that by the column of names."""
    key = chosen.get("delivery") or chosen.get("message")
    told = [row for row in rows if row.get(path) is not None]
    if key is None or 2 * sum(row.get(key.path) is not None for row in told) < len(told):
        return False
    return not varies_within(rows, [key.path], path)


_FINER_NAMED_MIN: Final = 60.0
#: of the rows that say the same, so many say more beside it
_SPLIT_SAME: Final = 0.98


_NUMBER: Final = re.compile(r"\d{3}(\.0)?")

#: whose answer is none of a receiver's: the tunnel stands, and the request is not yet made
_ON_THE_WAY: Final = re.compile(r"(^|_)(proxy|tunnel)(_|$)")

_OF_RECEIVER: Final = re.compile(r"(^|_)(upstream|downstream|response|receiver|remote|target)(_|$)")

#: how often an entry of a queue was handed out; each retry is a new entry
_OF_ENTRY: Final = re.compile(r"(deliver\w*|receive)_count$")


def _others(
    field: str, column: Column, rows: Sequence[Row], seen: dict[str, Seen], taken: set[str]
) -> tuple[str, ...]:
    """Columns for the field that are filled where the first one is not, and there alone."""
    if column.value is not None:
        return ()
    is_full = seen[column.path].filled > _SPLIT_BELOW * len(rows)
    if is_full and field not in _NAMES:
        return ()
    lacking = [row for row in rows if row.get(column.path) is None]
    if field == "status":  # a word beside is none
        lacking = [row for row in rows if not _NUMBER.fullmatch(str(row.get(column.path) or ""))]
    found = []
    for path, one in seen.items():
        is_named = name_score(field, path) >= 60 or (field == "at" and one.is_calendar)
        if field == "status":  # `upstream_status`: whose it is, and a status
            is_named = is_named or (name_score(field, path) >= 50 and one.http_share > 0.95)
            is_named = is_named and not _ON_THE_WAY.search(normal(path))
        if field == "op" and name_score(field, path) >= 46 and not one.is_number:
            is_named = is_named or recognised(one, is_state=False) >= _KNOWN_MIN
        is_same = False
        if field in _NAMES:
            # a few rows, as of what somebody did, name by a column that is called so
            fewest = _CALLED_LEAST if name_score(field, path) >= CALLED_SO else _SAME_LEAST
            fewest = 1 if _last(path) == _last(column.path) else fewest
            is_told = one.distinct >= fewest
            shared = _shared(rows, column.path, path) if is_told else 0.5
            is_many = one.distinct >= _NAMES_MIN * one.filled  # one name for all is what they are
            is_same = is_told and (shared >= _SAME_MIN or (field == "trace" and shared > 0))
            is_named = is_same or (is_named and is_many and shared > _OTHER_MAX and not is_full)
        if path in taken or not is_named or not fits(field, one):
            continue
        if field in _NAMES and is_of_cursor(path):
            continue  # the first and the last of those that a query found
        if field in ("to_state", "outcome") and recognised(one, is_state=True) < _KNOWN_MIN:
            continue
        if field == "attempt" and _OF_ENTRY.search(normal(path)):
            continue
        filled = sum(row.get(path) is not None for row in lacking)
        # errors are rare, and so is what somebody did, or a receiver reported
        is_rare = is_same or field in ("reason", "note", "actor", "outcome", "due", "attempt")
        # and an answer is one of many lines of a delivery
        least = 0.0 if is_rare else 0.01 if field == "status" else 0.1
        is_filled = filled > least * len(lacking)
        repeated = _repeated(rows, column.path, path) if is_same else 0
        is_apart = filled + repeated >= 0.98 * one.filled or (field == "trace" and is_same)
        if is_apart and is_filled:
            found.append(str(path))
    # of a span its end rather than its beginning
    found.sort(key=lambda path: name_score("started_at", path) >= 60)
    if field == "status":  # what a receiver answered rather than what the service itself did
        found.sort(key=lambda path: not _OF_RECEIVER.search(normal(path)))
    return tuple(found[:2])


def _last(path: str) -> str:
    """What a column within objects is called there."""
    return path.rpartition(SEPARATOR)[2]


#: of the values of a column that rows of another kind have, so many must be of the delivery's, whatever
#: it is called; and a column that is called so has fewer of other things
_SAME_MIN: Final = 0.8
_OTHER_MAX: Final = 0.05
#: of the rows that name a delivery so many name one of their own
_NAMES_MIN: Final = 0.02
#: fewer values may be the same, or others, by chance
_SAME_LEAST: Final = 20
_CALLED_LEAST: Final = 3


_SMALL: Final = re.compile(r"\d{1,6}")

#: of the rows with another column, so few say the same in both
_BESIDE_MAX: Final = 0.5


def _repeated(rows: Sequence[Row], path: str, other: str) -> int:
    """In how many rows two columns say the same."""
    told = (row for row in rows if row.get(path) is not None)
    return sum(str(row[path]) == str(row.get(other)) for row in told)


def _shared(rows: Sequence[Row], path: str, other: str) -> float:
    """Of the values of a column that stands beside another in no row, or in few and says the same, the
    share that is the other's too, or the other way round if those are fewer, as where of one file less
    was looked at; 0.5 where it often stands beside it and says the same, and 0 where it says another."""
    theirs = {str(row[other]) for row in rows if row.get(other) is not None}
    told = [row for row in rows if row.get(other) is not None]
    both = [row for row in told if row.get(path) is not None]
    same = _repeated(rows, path, other)
    if both and not same == len(both) <= _BESIDE_MAX * len(told):
        return 0.5 * (same > 0)
    ours = {str(row[path]) for row in rows if row.get(path) is not None}
    # a few small numbers are among those of anything
    fewer = len(theirs) if all(map(_SMALL.fullmatch, ours)) else min(len(ours), len(theirs))
    return len(theirs & ours) / fewer
