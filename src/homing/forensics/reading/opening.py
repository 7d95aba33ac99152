"""A file of a log with its mapping: the file itself or clean lines of it, and how its columns become ours."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Final, NamedTuple

from homing.forensics.reading.columns import Seen, look, name_score, recognised
from homing.forensics.reading.converting import Damage, as_lines
from homing.forensics.reading.guessing import TELLING, Unmapped, guess
from homing.forensics.reading.lines import (
    PARSERS,
    SEPARATOR,
    Row,
    arguments,
    attributes,
    divided,
    flat,
    folded,
    listed_in,
    objects_in,
    spanned,
    state_change,
    tags,
    twofold,
    undivided,
    unflat,
    unfold,
    unfolded,
)
from homing.forensics.reading.listed import Listed, apart_of, lists_of, spread
from homing.forensics.reading.mapping import Mapping, shipped
from homing.forensics.reading.sampling import SAMPLE_ROWS, sample
from homing.forensics.reading.sentences import WHEN
from homing.forensics.reading.sources import Source


def guess_together(sources: Sequence[Source]) -> Mapping | None:
    """One guess for files of lines that belong together, as those of several hosts do; None: each its own."""
    lines = [source for source in sources if source.form in PARSERS]
    if len(lines) < 2:
        return None
    rows_max = max(SAMPLE_ROWS // len(lines), SHARED_ROWS_MIN)
    whole = [sample(source, rows_max) for source in lines]
    samples = [_each(rows, apart_of(rows, None)) for rows in whole]
    if not _are_alike(samples):
        return None
    try:
        return guess([row for rows in samples for row in rows])
    except Unmapped:
        return None


def _each(rows: list[Row], lists: Sequence[Listed]) -> list[Row]:
    """The rows of a sample, with one of each element of these lists."""
    return [flat(one) for row in rows for one in spread(unflat(row), lists)] if lists else rows


#: of the columns of the smaller of two files, so many must be the other's
_ALIKE_MIN: Final = 0.3


def _are_alike(samples: Sequence[list[Row]]) -> bool:
    """Whether files have columns in common, as parts of one log have, and requests beside a list of
    events have not."""
    columns = [{path for row in rows for path in row} for rows in samples]
    return all(
        len(one & other) >= _ALIKE_MIN * min(len(one), len(other))
        for one, other in combinations(columns, 2)
    )


#: so many rows of each of several files tell what it is
SHARED_ROWS_MIN: Final = 200


class Opened(NamedTuple):
    """A file that can be read quickly, and how its columns become ours."""

    source: Source  #: the file itself, or clean lines of it
    rows: list[Row]  #: a sample
    seen: dict[str, Seen]
    mapping: Mapping


def open_log(
    source: Source,
    target: Path,
    damage: Damage,
    given: Mapping | None = None,
    shared: Mapping | None = None,
) -> Opened:
    """A file with its mapping: the given one, one that comes with Homing, or a guess.

    Args:
        target: where clean lines may be written, if they are needed.
        shared: what was guessed of it and others together; taken if it fits.

    Raises:
        Unreadable: it cannot be read at all.
        Unmapped: no mapping can be guessed.
    """
    plain = source
    if (
        source.form in ("json", "logfmt", "text", "changes", "audit", "batches", "composed", "dump")
        or not source.has_header
    ):
        plain = as_lines(source, target, damage)
    rows = sample(plain)
    if dotted := divided(rows):
        rows = [flat(undivided(unflat(row), dotted)) for row in rows]
    held = twofold(rows) | spanned(rows) | _asked_for(rows, given)
    if dotted or held:
        plain = as_lines(plain, target.with_suffix(".taken"), damage, held, dotted=dotted)
        rows = sample(plain)
    if apart := apart_of(rows, given):
        plain = as_lines(plain, target.with_suffix(".apart"), damage, frozenset(), apart)
        rows = sample(plain)
    seen = look(rows)
    mapping, problem = _mapping(rows, seen, source, given, shared)
    is_inside = (
        mapping is None
        or _has_lists(rows)
        or not _is_served(mapping, rows, is_given=given is not None)
        or (given is None and _is_named_inside(mapping, rows))
    )
    spoken = set() if is_inside or given or not mapping else _spoken(mapping, rows, seen)
    told = set() if is_inside or spoken or given or not mapping else _told(mapping, rows, seen)
    changes = set() if is_inside or spoken or given else _changes(rows)
    changes |= _tagged(mapping, rows) if mapping and not (is_inside or spoken or given) else set()
    if is_inside or spoken or told or changes:
        paths = frozenset(told | changes) or folded(rows)
        whole = [flat(unfold(unflat(row), paths)) for row in rows] if paths else []
        beneath = look(whole)
        better = _mapping(whole, beneath, source, given)[0] if paths else None
        if better is not None and spoken and not _says(better, spoken):
            better = None
        if better is not None and mapping is not None and told:
            better = _with_attempts(mapping, better, told, objects_in(rows) & told)
        if better is not None and _is_served(better, whole, is_given=given is not None):
            again = Opened(
                Source(str(target.with_suffix(".unfolded")), "jsonl"), whole, beneath, better
            )
            lists = lists_of(whole, better)
            as_lines(plain, Path(again.source.path), damage, paths, lists)
            return _spread(again, lists, source, given) if lists else again
        if problem is not None:
            if paths:
                problem.seen = beneath
            raise problem
    assert mapping is not None
    if lists := lists_of(rows, mapping):
        plain = as_lines(plain, target.with_suffix(".spread"), damage, frozenset(), lists)
        return _spread(Opened(plain, rows, seen, mapping), lists, source, given)
    return Opened(plain, rows, seen, mapping)


def _asked_for(rows: list[Row], given: Mapping | None) -> frozenset[str]:
    """The columns of objects within whose texts a declared mapping looks."""
    columns = given.columns.values() if given is not None else ()
    paths = [path for one in columns for path in (one.path, *one.others) if path]
    inside = {path.rpartition(SEPARATOR)[0] for path in paths}
    return objects_in(rows) & inside if inside else frozenset()


def _spread(
    opened: Opened, lists: Sequence[Listed], source: Source, given: Mapping | None
) -> Opened:
    """The sample as the file is now, with a row of each element of its lists, and what that makes of
    the mapping."""
    rows = _each(opened.rows, lists)
    seen = look(rows)
    mapping = _mapping(rows, seen, source, given)[0] or opened.mapping
    return Opened(opened.source, rows, seen, mapping)


#: of the lists of tags, so many name a delivery that other rows name
_TAGGED_MIN: Final = 0.5
_TAGGED_FEWEST: Final = 20


def _tagged(mapping: Mapping, rows: list[Row]) -> set[str]:
    """The columns of tags by which rows that name no delivery otherwise name one that others do."""
    own = mapping.columns.get("delivery")
    if own is None:
        return set()
    names = {str(row[own.path]) for row in rows if row.get(own.path)}
    told, same = Counter[str](), Counter[str]()
    for row in rows:
        for path, value in row.items():
            if not row.get(own.path) and (found := tags(value)):
                told[path] += 1
                same[path] += bool(names & set(found.values()))
    return {p for p in told if same[p] >= max(_TAGGED_FEWEST, _TAGGED_MIN * told[p])}


def _changes(rows: list[Row]) -> set[str]:
    """The columns of a state in which lists say from which to which it changed."""
    return {
        path
        for row in rows
        for path, value in row.items()
        if isinstance(value, list)
        and name_score("to_state", path) >= _NAMED_MIN
        and state_change(value)
    }


def _has_lists(rows: list[Row]) -> bool:
    """Whether values stand in lists of keys and values, as OpenTelemetry's attributes do."""
    return any(
        isinstance(v, list) and attributes(v) is not None for r in rows[:100] for v in r.values()
    )


#: a column whose name says less than this is called a delivery's for want of another
_NAMED_MIN: Final = 62.0


def _is_named_inside(mapping: Mapping, rows: list[Row]) -> bool:
    """Whether rows are named by a number of their own, and a list in them, or an object written as text
    (the arguments of a job), says of which delivery they are."""
    own = mapping.columns.get("delivery") or mapping.columns.get("message")
    if mapping.name != "guessed" or own is None:
        return False
    if max(name_score(field, own.path) for field in ("delivery", "message")) >= _NAMED_MIN:
        return False
    lists = [
        listed
        for row in rows[:_OBJECTS_LOOKED_AT]
        for value in row.values()
        if (listed := value if isinstance(value, list) else listed_in(value)) is not None
    ]
    if any(arguments(value) for value in lists):
        return True
    objects = [
        inside
        for row in rows[:_OBJECTS_LOOKED_AT]
        for value in row.values()
        if isinstance(value, str) and value.lstrip()[:1] == "{" and (inside := unfolded(value))
    ]
    names = {name for inside in objects for name in inside}
    return any(name_score("delivery", name) >= _NAMED_MIN for name in names)


_OBJECTS_LOOKED_AT: Final = 100

#: so many rows speak in a sentence of their own, where it says what happened
_SPOKEN_MIN: Final = 0.9


def _spoken(mapping: Mapping, rows: list[Row], seen: dict[str, Seen]) -> set[str]:
    """The columns in which each row says in a sentence what happened, with names and numbers in it, so
    that no two say the same; none if another column was taken for that by words we understand."""
    own = mapping.columns.get("op")
    told = seen.get(own.path) if own else None
    if mapping.name != "guessed" or (told and told.is_words and _is_known(told)):
        return set()
    return {
        path
        for path in folded(rows)
        if seen[path].filled >= _SPOKEN_MIN * seen[path].rows and not seen[path].is_words
        if name_score("op", path) > 0
    }


#: what a row may say of an attempt in a sentence beside the word of its state
_OF_ATTEMPTS: Final = ("status", "attempt", "due", "lease_until")
_OF_OBJECTS: Final = ("worker", "reason", "actor", "max_attempts", "delay", "epoch", "outcome")
#: so many of these a sentence must hold, and so many rows have one, to be worth reading
_TOLD_FEWEST: Final = 2
_TOLD_MIN: Final = 0.2


def _told(mapping: Mapping, rows: list[Row], seen: dict[str, Seen]) -> set[str]:
    """The columns in which rows say in a sentence what their attempt came to, where they say by a state
    how their delivery stands, or in an object, and nothing else tells of attempts."""
    if mapping.name != "guessed":
        return set()
    is_open = mapping.has("op") and not any(map(mapping.has, _OF_WAITING))
    if is_open and (when := {path for path in folded(rows) if _tell_when(rows, path)}):
        return when
    if any(map(mapping.has, _OF_ATTEMPTS)):
        return set()
    if mapping.has("op") and (objects := objects_in(rows)):
        return set(objects)
    if not mapping.has("to_state"):
        return set()
    return {
        path
        for path in folded(rows)
        if seen[path].filled >= _TOLD_MIN * seen[path].rows
        if not seen[path].is_words and not seen[path].nested and seen[path].time is None
        if path not in {mapping.columns[f].path for f in ("delivery", "message") if mapping.has(f)}
    }


#: what a row says of how long it waits
_OF_WAITING: Final = ("due", "delay", "lease_until")
_DUE: Final = re.compile(
    rf"\b(?:due|not before|next (?:try|attempt|run)|retry) (?:at |on |by )?{WHEN}"
)
_DUE_FEWEST: Final = 20


def _tell_when(rows: list[Row], path: str) -> bool:
    """Whether in notes it says when something is due, as in `due 2026-03-01 10:35:47`."""
    told = (row[path] for row in rows if isinstance(row.get(path), str))
    return sum(_DUE.search(text) is not None for text in told) >= _DUE_FEWEST


def _with_attempts(
    mapping: Mapping, better: Mapping, told: set[str], objects: frozenset[str]
) -> Mapping | None:
    """The mapping with what the sentences or the objects tell of attempts; None if they tell too little."""
    found = {f: c for f, c in better.columns.items() if c.path.rpartition(".")[0] in told}
    if any(map(mapping.has, _OF_ATTEMPTS)):  # all that is wanted is when it is due
        found = {f: c for f, c in found.items() if f == "due"}
        if not found:
            return None
    elif len(found.keys() & set(_OF_ATTEMPTS)) < _TOLD_FEWEST:
        return None
    # what is left of a sentence without its names is what it says, and nothing is of an object
    kept = {
        f: replace(c, path=f"{c.path}.text") if c.path in told else c
        for f, c in mapping.columns.items()
        if c.path not in objects
    }
    also = (*_OF_ATTEMPTS, "total_ms", *(_OF_OBJECTS if objects else ()))
    found = {f: c for f, c in found.items() if f in also and (f == "total_ms" or f not in kept)}
    return replace(mapping, columns={**kept, **found})


_KNOWN_MIN: Final = 0.9


def _is_known(seen: Seen) -> bool:
    return recognised(seen, is_state=False) >= _KNOWN_MIN


def _says(mapping: Mapping, spoken: set[str]) -> bool:
    """Whether it is by what those sentences hold that a mapping tells what happened."""
    op = mapping.columns.get("op")
    return op is not None and op.path.rpartition(".")[0] in spoken


def _mapping(
    rows: list[Row],
    seen: dict[str, Seen],
    source: Source,
    given: Mapping | None,
    shared: Mapping | None = None,
) -> tuple[Mapping | None, Unmapped | None]:
    if given is not None:
        return given, None
    name = source.table or Path(source.path).name.partition(".")[0]
    if known := _known(seen):
        return known, None
    if shared is not None and (part := _part(shared, rows)):
        return part, None
    try:
        return guess(rows, name, seen), None
    except Unmapped as error:
        return None, error


def mapping_of(rows: list[Row], seen: dict[str, Seen]) -> Mapping:
    """The mapping of a sample: one that comes with Homing, or the most likely one.

    Raises:
        Unmapped: no mapping can be guessed.
    """
    return _known(seen) or guess(rows)


def _part(shared: Mapping, rows: list[Row]) -> Mapping | None:
    """What of a mapping of several files is in one of them; None if that says too little."""
    there = {path for row in rows for path in row}
    columns = {f: c for f, c in shared.columns.items() if c.value or there & {c.path, *c.others}}
    if not (
        {"delivery", "message"} & columns.keys() and "at" in columns and TELLING & columns.keys()
    ):
        return None
    return replace(shared, columns=columns, extras=tuple(x for x in shared.extras if x in there))


def _is_served(mapping: Mapping, rows: list[Row], *, is_given: bool) -> bool:
    """Whether the columns of the sample are enough for the mapping."""
    if is_given:
        there = {path for row in rows for path in row}
        return {*mapping.paths} - {*mapping.extras} <= there
    return bool(TELLING & mapping.columns.keys())


def _known(seen: dict[str, Seen]) -> Mapping | None:
    """A mapping that comes with Homing, where the columns leave no doubt."""
    if {"msgId", "endpointId", "responseStatusCode", "timestamp"} <= seen.keys():
        return _fitting("svix-attempts", seen)
    if {"id", "destinations.endpointId", "destinations.status"} <= seen.keys():
        return _fitting("svix-messages", seen)
    if {"id", "created", "type", "pending_webhooks"} <= seen.keys():
        return _fitting("stripe-events", seen)
    return None


def _fitting(name: str, seen: dict[str, Seen]) -> Mapping:
    mapping = shipped(name)
    columns = {f: c for f, c in mapping.columns.items() if c.path in seen}
    return Mapping(
        layout=mapping.layout,
        columns=columns,
        words=mapping.words,
        extras=tuple(x for x in mapping.extras if x in seen),
        name=name,
    )
