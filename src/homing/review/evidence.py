"""What stands behind the counts of an incident: lists of deliveries, each with its rows of a log.

A list is named by where the record has its count: "lost", "judged", "suspects.0", "guilty"; of the
log after the fix "after.judged", "after.guilty". A running Homing keeps a list as pages, one
document each, so that whoever turns them reads a page and not a log. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from homing.core.resources import Resource
from homing.review.incident import Digest, Incident

#: deliveries on a page
PAGE: Final = 20
#: a longer list is kept as so many of it, from all over it; a command lists the whole
KEPT_MAX: Final = 2_000
SAMPLE: Final = 40
LOST: Final = "lost"
JUDGED: Final = "judged"
GUILTY: Final = "guilty"
AFTER: Final = "after."
#: suspects that stories speak of: the first ones
_SUSPECTS: Final = 3
#: paths of an investigation that count, or rest on, what was lost, and all that was judged
_OF_LOST: Final = ("dropped", "rate", "books.dropped", "hypothesis.sentence")
_OF_JUDGED: Final = ("judged", "accepted", "books.delivered", "books.dead")
_ALL: Final = "deliveries that were judged"
_SUSPECT: Final = re.compile(r"suspects\.(\d+)\.(having|dropped|name)$")
_COMPARED: Final = re.compile(r"(all|guilty)\.(before|after|rate_before|rate_after|zero)\b(\.k)?")


class LogRow(msgspec.Struct, frozen=True, kw_only=True):
    """One row of a log."""

    file: str
    line: int  #: from 1; of a file without lines, such as Parquet, the number of the row
    text: str  #: what it says


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery that was counted, with its rows."""

    id: str
    is_lost: bool
    rows: tuple[LogRow, ...]


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A list that is kept: what it is of, how long it is, how much of it is there."""

    name: str
    title: str  #: in words that follow a number
    total: int
    lost: int  #: they come first, unless it is a sample
    kept: int

    @property
    def is_sample(self) -> bool:
        return self.kept < self.total

    @property
    def pages(self) -> int:
        return pages_of(self.kept)


class RowLists(Resource, frozen=True, kw_only=True):
    """The lists behind an incident's counts. Scope: the incident; there is one."""

    kind = "incident_lists"

    logs: tuple[str, ...]  #: SHA-256 of each log that they were read from
    lists: tuple[Kept, ...]

    def named(self, name: str) -> Kept | None:
        """The list of that name; None: it is not kept."""
        return next((one for one in self.lists if one.name == name), None)


class RowPage(Resource, frozen=True, kw_only=True):
    """One page of a list. Scope: the incident; its id is `page_id`."""

    kind = "incident_rows"

    deliveries: tuple[Counted, ...]


class Wanted(NamedTuple):
    """A list that an incident's record has counts of."""

    name: str
    title: str
    group: str  #: LOST, JUDGED, or what the deliveries have in common, as the record names it
    logs: tuple[Digest, ...]


class Behind(NamedTuple):
    """The list behind a value; of the lost alone, or of all in it."""

    name: str
    is_of_lost: bool


def page_id(name: str, number: int) -> str:
    """The id of a page, from 1."""
    return f"{name}/{number:05}"


def pages_of(deliveries: int) -> int:
    """How many pages so many deliveries are; nothing is one empty page."""
    return max(1, -(-deliveries // PAGE))


def behind(incident: Incident, source: str, path: str) -> Behind | None:
    """The list behind a value of the record; None: it counts no deliveries of a log."""
    if source == "investigate":
        if path.startswith(_OF_LOST):
            return Behind(LOST, True)
        if path in _OF_JUDGED:
            return Behind(JUDGED, False)
        named = _SUSPECT.fullmatch(path)
        if named and int(named[1]) < _SUSPECTS:
            return Behind(f"suspects.{named[1]}", named[2] == "dropped")
    if source == "investigate_after" and path in (*_OF_JUDGED, *_OF_LOST):
        return Behind(AFTER + JUDGED, False)
    if source == "impact" and incident.results.get("investigate") is not None:
        return Behind(LOST, True) if path.startswith(("p5", "p95", "at_risk")) else None
    if source == "verify":
        return _compared(incident, path)
    return None


def _compared(incident: Incident, path: str) -> Behind | None:
    found = _COMPARED.match(path)
    if found is None:
        return None
    which, side, k = found.groups()
    if side in ("after", "rate_after", "zero"):
        return Behind(AFTER + (GUILTY if which == "guilty" else JUDGED), False)
    is_of_lost = side == "rate_before" or k is not None
    if which == "guilty":
        return Behind(_guilty(incident), is_of_lost)
    return Behind(LOST, True) if is_of_lost else Behind(JUDGED, False)


def _guilty(incident: Incident) -> str:
    """The list of where the fault lives: a suspect's, if it is one of those."""
    verified = incident.results.get("verify")
    name = verified.values.get("guilty_name") if verified is not None else None
    names = [one["name"] for one in _suspects(incident)]
    return f"suspects.{names.index(name)}" if name in names else GUILTY


def _suspects(incident: Incident) -> list[dict[str, Any]]:
    found = incident.results.get("investigate")
    return list(found.values.get("suspects", ()))[:_SUSPECTS] if found is not None else []


def lists_of(incident: Incident) -> list[Wanted]:
    """The lists that the record has counts of, with the logs that they are in."""
    found = incident.results.get("investigate")
    if found is None or not found.inputs:
        return []
    verified, after = incident.results.get("verify"), incident.results.get("investigate_after")
    known = {one.sha256 for one in found.inputs}
    wanted = [Wanted(LOST, "lost deliveries", LOST, found.inputs)]
    wanted += [
        Wanted(f"suspects.{at}", _true(one["name"]), one["name"], found.inputs)
        for at, one in enumerate(_suspects(incident))
    ]
    guilty = verified.values.get("guilty_name") if verified is not None else None
    if guilty and _guilty(incident) == GUILTY:
        wanted.append(Wanted(GUILTY, _true(guilty), guilty, found.inputs))
    wanted.append(Wanted(JUDGED, _ALL, JUDGED, found.inputs))
    logs = after.inputs if after is not None else verified.inputs if verified is not None else ()
    later = tuple(one for one in logs if one.sha256 not in known and _is_log(one))
    if later and guilty:
        wanted.append(Wanted(AFTER + GUILTY, f"after the fix, {_true(guilty)}", guilty, later))
    if later:
        wanted.append(Wanted(AFTER + JUDGED, f"after the fix, {_ALL}", JUDGED, later))
    return wanted


def _true(feature: str) -> str:
    return f"deliveries with “{feature}”"


def _is_log(one: Digest) -> bool:
    """Not a saved investigation or a file of assumptions, whose text is in the record."""
    return not one.is_kept


def paged(deliveries: Sequence[Counted]) -> Iterator[tuple[int, tuple[Counted, ...]]]:
    """Pages with their numbers, from 1."""
    for number in range(1, pages_of(len(deliveries)) + 1):
        yield number, tuple(deliveries[(number - 1) * PAGE : number * PAGE])
