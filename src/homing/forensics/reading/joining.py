"""Files of one log that name a delivery by different columns: which column of one means which of another. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from collections.abc import Mapping as Map
from dataclasses import replace
from itertools import permutations
from typing import Final

from homing.forensics.reading.columns import name_score, text_of
from homing.forensics.reading.guessing import TELLING
from homing.forensics.reading.lines import Row
from homing.forensics.reading.mapping import Column, Mapping
from homing.forensics.reading.naming import OF_SENDING
from homing.forensics.reading.references import (
    NAMING,
    OWN_MIN,
    ROWS_MIN,
    SHARED_MIN,
    Link,
    has_own,
    is_fanned,
    names_another_thing,
    values_of,
)
from homing.forensics.vocabulary import normal

#: what a column says by its name in each of two files
_CALLED_ALIKE: Final = ("due", "lease_until", "attempt", "max_attempts", "actor", "endpoint")


def joined(
    every: Sequence[Link], mappings: Map[str, Mapping], samples: Map[str, Sequence[Row]]
) -> dict[str, Mapping]:
    """The mappings of files, with the same thing by the same field in all of them.

    An export of events has its `id`, and the export of their attempts an `event_id` beside an `id`
    of its own: guessed file by file, each would be keyed by its `id`, and nothing would meet.

    Args:
        every: how the files refer to one another, as `links` finds it.
    """
    found = dict(mappings)
    groups: dict[tuple[str, str], list[Link]] = {}
    for link in every:
        groups.setdefault((link.owner, link.column), []).append(link)
    settled: dict[str, str] = {}
    for group in groups.values():
        owner, column = group[0].owner, group[0].column
        are_jobs = all(name_score("trace", link.reference) >= _SAYS_JOB_MIN for link in group)
        beside_it = _named_beside(found, samples, owner, column) if are_jobs else None
        if beside_it is not None:
            columns = {"delivery": Column(path=str(beside_it)), **_but_names(found[owner].columns)}
            found[owner] = replace(found[owner], columns=columns)
        if beside_it is not None or all(
            _is_of_job(found[link.other], samples[link.other], link) for link in group
        ):
            _traced(found, samples, group)
            if found[owner].layout == "deliveries":
                found[owner] = replace(found[owner], layout="jobs")
        elif settled.get(owner, column) == column:
            settled = _key_alike(found, samples, group, settled) | settled
        else:  # by a surer column it was named already: this one is of its jobs
            _traced(found, samples, group)
    for link in every:
        _called_alike(found, samples, (link.owner, link.other))
        _called_alike(found, samples, (link.other, link.owner))
    _signed_alike(found, {path for link in every for path in (link.owner, link.other)})
    return found


def named_alike(
    mappings: Map[str, Mapping], samples: Map[str, Sequence[Row]]
) -> dict[str, Mapping]:
    """The mappings of files, with deliveries by the one of two names that other files have too."""
    found = dict(mappings)
    for one, other in permutations(sorted(found), 2):
        if path := _named_as_in(found[one], samples[one], found[other], samples[other]):
            found[one] = _keyed(found[one], "delivery", path)
    return found


def _named_as_in(
    one: Mapping, ones: Sequence[Row], other: Mapping, others: Sequence[Row]
) -> str | None:
    """The second of two columns that name each delivery of a file, where another file has only that:
    a number of its own and a key, of which its requests tell the key."""
    if "delivery" not in one.columns or "delivery" not in other.columns:
        return None
    own, path = one.columns["delivery"].path, other.columns["delivery"].path
    if own == path or any(row.get(own) is not None for row in others):
        return None
    pairs = {
        (str(row[own]), str(row[path]))
        for row in ones
        if row.get(own) is not None and row.get(path) is not None
    }
    mine = {name for _, name in pairs}
    if len(mine) < ROWS_MIN or not len({name for name, _ in pairs}) == len(mine) == len(pairs):
        return None
    theirs = values_of(others, path)
    return path if len(mine & theirs) >= SHARED_MIN * min(len(mine), len(theirs)) else None


def _signed_alike(found: dict[str, Mapping], paths: Iterable[str]) -> None:
    """Have files that meet call a worker alike: by its process only where all of them tell it."""
    signed = [path for path in paths if found[path].has("worker")]
    named = {found[path].columns["worker"].path for path in signed}
    if len(named) == 1 and len({found[path].has("boot") for path in signed}) == 2:
        for path in signed:
            columns = {f: c for f, c in found[path].columns.items() if f != "boot"}
            found[path] = replace(found[path], columns=columns)


def _but_names(columns: Map[str, Column]) -> dict[str, Column]:
    return {field: column for field, column in columns.items() if field not in NAMING}


#: so well its name must say that a column names deliveries, or jobs
_SAYS_DELIVERY_MIN: Final = 80.0
_SAYS_JOB_MIN: Final = 60.0


def _named_beside(
    found: Map[str, Mapping], samples: Map[str, Sequence[Row]], owner: str, column: str
) -> str | None:
    """The column by which a table of jobs names the deliveries that they are of, as its arguments do,
    where another file calls deliveries by the same names; None: there is none."""
    if normal(column) != "id":
        return None
    rows = samples[owner]
    theirs = [
        values_of(samples[other], path)
        for other, mapping in found.items()
        if other != owner and "delivery" in mapping.columns
        for path in (mapping.columns["delivery"].path,)
    ]
    for path in {path: None for row in rows for path in row}:
        mine = values_of(rows, path)
        if path == column or len(mine) < ROWS_MIN:
            continue
        if any(
            len(mine & some) >= SHARED_MIN * min(len(mine), len(some)) for some in theirs if some
        ):
            return path
    return None


def _is_of_job(other: Mapping, rows: Sequence[Row], link: Link) -> bool:
    """Whether a file that names its deliveries refers to rows by a job of them: then these are jobs,
    and no deliveries."""
    own = other.columns.get("delivery")
    if own is None or own.path == link.reference or normal(link.column) != "id":
        return False
    if (
        name_score("delivery", own.path) < _SAYS_DELIVERY_MIN
        or name_score("trace", link.reference) < _SAYS_JOB_MIN
    ):
        return False
    referring = [row for row in rows if row.get(link.reference) is not None]
    named = sum(row.get(own.path) is not None for row in referring)
    return named >= OWN_MIN * len(referring) > 0


def _called_alike(
    found: dict[str, Mapping], samples: Map[str, Sequence[Row]], pair: tuple[str, str]
) -> None:
    """Have the second file take a column as the first does by which it is called the same: what is
    hardly ever filled in a table is plain in the lines beside it."""
    one, other = found[pair[0]], found[pair[1]]
    there = {path for row in samples[pair[1]] for path in row}
    free = there - {*other.paths}
    more = {
        field: column
        for field, column in one.columns.items()
        if field in _CALLED_ALIKE and field not in other.columns and column.path in free
    }
    if more:
        found[pair[1]] = replace(other, columns={**other.columns, **more})


def _traced(
    found: dict[str, Mapping], samples: Map[str, Sequence[Row]], group: Sequence[Link]
) -> None:
    """Have files that are named alike already say which of a file's jobs a row is of."""
    for link in group:
        if _meets(found, samples, link):
            continue
        for path, column in ((link.owner, link.column), (link.other, link.reference)):
            columns = {f: c for f, c in found[path].columns.items() if c.path != column}
            found[path] = replace(
                found[path], columns={"trace": Column(path=str(column)), **columns}
            )


def _key_alike(
    found: dict[str, Mapping],
    samples: Map[str, Sequence[Row]],
    group: Sequence[Link],
    settled: Map[str, str],
) -> dict[str, str]:
    """Have what refers to the same rows, and those rows, name them by one field.

    Args:
        settled: the files that were named so already, by surer columns.

    Returns:
        The files that were named so, and by which column.
    """
    apart = [link for link in group if not _meets(found, samples, link)]
    first = group[0]
    if not apart:
        own = found[first.owner].columns.get("delivery")
        return {first.owner: own.path} if own is not None else {}
    if len(group) == 1:
        field = _field_of(found[first.owner], found[first.other], first)
    else:
        is_message = any(is_fanned(samples[link.other], link.reference) for link in group)
        field = "message" if is_message else "delivery"
    if any(settled.get(link.other, link.reference) != link.reference for link in group):
        field = "message"  # its rows have a name of their own
    owner = _keyed(found[first.owner], field, first.column)
    if (
        owner.has("to_state")
        and not owner.has("op")
        and has_own(samples[first.owner], first.column)
    ):
        owner = replace(owner, layout="deliveries")
    found[first.owner] = owner
    for link in group:
        finer = found[link.other].columns.get("delivery")
        found[link.other] = _keyed(found[link.other], field, link.reference)
        if field == "message" and finer is not None and settled.get(link.other) == finer.path:
            columns = {"delivery": finer, **found[link.other].columns}
            found[link.other] = replace(found[link.other], columns=columns)
            if found[link.other].has("to_state"):  # how a message stands says nothing of these
                owned = found[first.owner].columns.items()
                columns = {f: c for f, c in owned if f not in ("to_state", "from_state")}
                found[first.owner] = replace(found[first.owner], columns=columns)
            continue  # it is known what its rows are, and now of which message
        if _are_jobs(found[link.owner], found[link.other], samples[link.other], link.reference):
            found[link.other] = replace(found[link.other], layout="jobs")
        elif _are_requests(found[link.owner], found[link.other]):
            found[link.other] = replace(found[link.other], layout="attempts")
    return {first.owner: first.column, **{link.other: link.reference for link in group}}


def _are_jobs(owner: Mapping, other: Mapping, rows: Sequence[Row], reference: str) -> bool:
    """Whether rows with a state refer to others with a state of their own: a job is done when its turn
    is over, whatever came of the delivery."""
    if other.layout == "attempts" or _are_requests(owner, other):
        return False
    if owner.layout != "deliveries" or not (owner.has("to_state") and other.has("to_state")):
        return False
    named = [str(row[reference]) for row in rows if row.get(reference) is not None]
    # of the changes of a state there are several to a delivery
    is_one = len(named) < _JOBS_MAX * len(set(named))
    return not other.has("op") and other.has("accepted_at") and is_one


def _are_requests(owner: Mapping, other: Mapping) -> bool:
    """Whether rows that tell how a request was answered, and no state or the number of an attempt, refer
    to rows with a state: one each where nothing was tried again."""
    if not (owner.layout == other.layout == "deliveries") or not owner.has("to_state"):
        return False
    is_numbered = other.has("attempt") or not other.has("to_state")
    return other.has("status") and other.has("started_at") and is_numbered


#: so many jobs, to a delivery, may be made of it at most
_JOBS_MAX: Final = 1.5


def beside(
    every: Sequence[Link], mappings: Map[str, Mapping], samples: Map[str, Sequence[Row]]
) -> list[str]:
    """The files of receivers, workers and the like, which others refer to: no delivery is in them."""
    meeting = {path for link in every for path in (link.owner, link.other)}
    return [
        path
        for path in samples
        if path not in meeting
        and (
            any(_is_looked_up(samples[path], samples[other]) for other in sorted(meeting))
            or _is_apart(path, mappings, samples)
        )
    ]


#: a file of so many of the rows of another, that tells nothing of any delivery of it
_SMALL_MAX: Final = 0.5


def _is_apart(path: str, mappings: Map[str, Mapping], samples: Map[str, Sequence[Row]]) -> bool:
    """Whether a small table says nothing of what happened to a delivery that it names, and names nothing
    that others name; a part of what another is a part of too, as the file of another day, says as much
    as that one."""
    own = mappings[path]
    most = max(map(len, samples.values()))
    says = bool(TELLING & own.columns.keys()) and _names_by_name(own)
    if says or len(samples[path]) > _SMALL_MAX * most:
        return False
    others = [other for other in samples if other != path]
    if any(_are_parts(own, mappings[other]) for other in others):
        return False
    return not any(_meet(own, samples[path], mappings[o], samples[o]) for o in others)


#: of what is told of deliveries in one part of a log, so much is told in another
_PARTS_MIN: Final = 0.8
#: where files have fewer columns in common these may be what any table has, an id, a state and a time
_PARTS_FEWEST: Final = 5


def _are_parts(one: Mapping, other: Mapping) -> bool:
    """Whether two files call a delivery, and what happened to it, and nearly all else alike."""
    mine, theirs = ({(f, c.path) for f, c in each.columns.items()} for each in (one, other))
    alike = mine & theirs
    same = {field for field, _ in alike}
    if not same & set(NAMING) or not same & TELLING or len(alike) < _PARTS_FEWEST:
        return False
    return len(alike) >= _PARTS_MIN * min(len(mine), len(theirs))


#: below it, the name of a column does not say that it names anything
_SAID_MIN: Final = 30.0


def _names_by_name(mapping: Mapping) -> bool:
    """Whether the column that names deliveries is called so, and was not taken for want of another."""
    named = [(f, mapping.columns[f].path) for f in NAMING if f in mapping.columns]
    return any(
        name_score(field, path) >= _SAID_MIN or OF_SENDING.search(normal(path))
        for field, path in named
    )


def _is_looked_up(rows: Sequence[Row], others: Sequence[Row]) -> bool:
    """Whether the rows are of what a column of another file names, many times each."""
    for column in {path: None for row in rows for path in row}:
        mine = [text_of(row.get(column)) for row in rows if isinstance(row.get(column), str | int)]
        if len(mine) < len(rows) or len(set(mine)) < len(rows):
            continue
        for reference in {path: None for row in others for path in row}:
            if normal(reference) == "id" or not names_another_thing(reference):
                continue
            theirs = Counter(
                text_of(row[reference])
                for row in others
                if isinstance(row.get(reference), str | int)
            )
            known = sum(n for value, n in theirs.items() if value in set(mine))
            total = sum(theirs.values())
            if total and known >= _LOOKED_UP_MIN * total and total >= 2 * len(theirs):
                return True
    return False


#: of the rows of the other file, so many name one of the rows that are looked up
_LOOKED_UP_MIN: Final = 0.9


def _meet(
    one: Mapping,
    ones: Sequence[Row],
    other: Mapping,
    others: Sequence[Row],
    least: float = SHARED_MIN,
    fields: Sequence[str] = NAMING,
) -> bool:
    """Whether two files name the same things by the same field as it is."""
    for field in fields:
        if field in one.columns and field in other.columns:
            mine, theirs = _told(one.columns[field], ones), _told(other.columns[field], others)
            if mine and theirs and len(mine & theirs) >= least * min(len(mine), len(theirs)):
                return True
    return False


def _told(column: Column, rows: Sequence[Row]) -> set[str]:
    """The names that the first filled of a column and its others tell."""
    every = (column.path, *column.others)
    named = (next((row[p] for p in every if row.get(p) is not None), None) for row in rows)
    return {str(name) for name in named if name is not None}


#: of what a link has in common, so much by the names as they are: samples of long files hardly meet
_AS_WELL_MIN: Final = 0.8


def _meets(found: Map[str, Mapping], samples: Map[str, Sequence[Row]], link: Link) -> bool:
    """Whether the files of a link meet by their own names of a delivery, as well as by the link."""
    least = min(SHARED_MIN, _AS_WELL_MIN * link.share)
    pair = (found[link.owner], samples[link.owner], found[link.other], samples[link.other])
    own = found[link.other].columns.get("delivery")
    # that several deliveries are of one event says nothing of which is which
    is_finer = own is not None and own.path == link.reference
    return _meet(*pair, least=least, fields=NAMING[:1] if is_finer else NAMING)


def _field_of(owner: Mapping, other: Mapping, link: Link) -> str:
    """What both name: what the finer of the two takes it for, else the coarser."""
    for mapping, column in ((other, link.reference), (owner, link.column)):
        for field in NAMING:
            is_taken = field in mapping.columns and mapping.columns[field].path == column
            if is_taken and (field == "message" or not _is_per_endpoint(owner, other)):
                return field
    return "message" if _is_per_endpoint(owner, other) else "delivery"


def _is_per_endpoint(owner: Mapping, other: Mapping) -> bool:
    """Whether the one is of a message, and the other of what an endpoint got of it."""
    return other.has("endpoint") and not owner.has("endpoint")


def _keyed(mapping: Mapping, field: str, column: str) -> Mapping:
    columns = {
        name: one
        for name, one in mapping.columns.items()
        if name not in NAMING or (field == "delivery" and name == "message" and one.path != column)
    }
    columns = {name: one for name, one in columns.items() if one.path != column}
    own = mapping.columns.get(field)
    kept = own if own is not None and own.path == column else Column(path=str(column))
    return replace(mapping, columns={field: kept, **columns})
