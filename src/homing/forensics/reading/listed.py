"""Rows that tell of several deliveries in a list, as an accepted event and a batch that was taken do: a row
of each of them. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple, TypeGuard

from homing.forensics.reading.columns import CALLED_SO, name_score
from homing.forensics.reading.lines import SEPARATOR, Row, parts_of
from homing.forensics.reading.mapping import Mapping


class Listed(NamedTuple):
    """A list whose elements name deliveries as other rows of the log do."""

    parts: tuple[str, ...]  #: the keys that lead to it
    name: str  #: of a delivery in an element, or where an element is a name itself, in the row
    is_bare: bool = False  #: the elements are names
    #: what an element says is of that delivery alone, and stays in its place
    is_apart: bool = False


#: of lists that name something, so many name what other rows name
_KNOWN_MIN: Final = 0.5
#: of numbers, so many and so many different ones: any small number is among others by chance
_KNOWN_NUMBERS_MIN: Final = 0.9
_NUMBERS_FEWEST: Final = 20


def apart_of(rows: Sequence[Row], given: Mapping | None) -> list[Listed]:
    """The lists in a sample that are called deliveries, or jobs of which none is there twice: of their names,
    or of objects that each name one.

    Args:
        given: the mapping that somebody declared; then only the list that it names deliveries by.
    """
    own = given.columns.get("delivery") if given is not None else None

    def names(path: str) -> bool:
        if given is not None:
            return own is not None and path in (own.path, *own.others)
        return name_score("delivery", path) >= CALLED_SO

    found: dict[str, Listed] = {}
    jobs: dict[Listed, Counter[str | int]] = {}
    for row in rows:
        for path, value in row.items():
            if path in found:
                continue
            if given is None and _are_objects(value):
                _count_jobs(path, value, jobs)
            if _are_names(value) and names(path):
                found[path] = Listed(parts_of(path), "", is_bare=True, is_apart=True)
            for name in value[0] if _are_objects(value) else ():
                if names(SEPARATOR.join((*parts_of(path), name))) and _names_all(value, name):
                    found[path] = Listed(parts_of(path), name, is_apart=True)
    places = {one.parts for one in found.values()}
    made = (one for one, each in jobs.items() if len(each) == each.total() >= _JOBS_FEWEST)
    return [*found.values(), *(one for one in made if one.parts not in places)]


#: a column that scores so may name deliveries, as one of jobs does
_JOB_MIN: Final = 70.0
#: fewer jobs that are made of a message each may be something else
_JOBS_FEWEST: Final = 20


def _count_jobs(path: str, value: list[Row], jobs: dict[Listed, Counter[str | int]]) -> None:
    for name in value[0]:
        if name_score("delivery", SEPARATOR.join((*parts_of(path), name))) < _JOB_MIN:
            continue
        if _names_all(value, name):
            told = [one[name] for one in value if _is_name(one[name])]
            one = Listed(parts_of(path), name, is_apart=True)
            jobs.setdefault(one, Counter()).update(told)


def lists_of(rows: Sequence[Row], mapping: Mapping) -> list[Listed]:
    """The lists in a sample whose elements name a delivery by the column of that name beside the list,
    or are such names; where the row names one there itself, the list is of something of that one's."""
    column = mapping.columns.get("delivery") or mapping.columns.get("message")
    if column is None or not column.path:
        return []
    paths = (column.path, *column.others)
    names = {row[path] for row in rows for path in paths if _is_name(row.get(path))}
    found: dict[str, Listed] = {}
    listed: dict[str, Counter[str | int]] = {}
    for row in rows:
        for path, value in row.items():
            if path in found or not isinstance(value, list):
                continue
            if any(row.get(one) for one in paths):
                continue
            *outer, _ = parts = parts_of(path)
            if not column.path.startswith("".join(part + SEPARATOR for part in outer)):
                continue
            name = column.path[len(SEPARATOR.join((*outer, ""))) :]
            if _names_all(value, name):
                found[path] = Listed(parts, name)
            elif SEPARATOR not in name and _are_names(value):
                listed.setdefault(path, Counter()).update(value)
    told = [path for path, each in listed.items() if _are_known(each, names)]
    of_names = {
        path: Listed(parts_of(path), column.path.rpartition(SEPARATOR)[2], is_bare=True)
        for path in told
    }
    return list((found | of_names).values())


def _are_known(listed: Counter[str | int], names: set[str | int]) -> bool:
    """Whether what lists hold are names of deliveries; numbers are so only where hardly any is not."""
    known = sum(count for one, count in listed.items() if one in names)
    if any(isinstance(one, int) for one in listed):
        is_many = len(listed.keys() & names) >= _NUMBERS_FEWEST
        return is_many and known >= _KNOWN_NUMBERS_MIN * listed.total()
    return known >= _KNOWN_MIN * listed.total()


def spread(row: Row, lists: Sequence[Listed]) -> Iterator[Row]:
    """A row for each element of the first of these lists that it holds, with what it says itself; the
    row alone if it holds none."""
    for listed in lists:
        *outer, last = listed.parts
        beside = _at(row, outer)
        if beside is None or not beside.get(last):
            continue
        elements = beside[last]
        fits = _are_names(elements) if listed.is_bare else _names_all(elements, listed.name)
        if not fits or (not listed.is_apart and beside.get(listed.name)):
            continue
        own = {key: value for key, value in beside.items() if key != last}
        for one in elements:
            if listed.is_apart:
                yield _put(row, outer, own | {last: one})
            else:
                yield _put(row, outer, own | ({listed.name: one} if listed.is_bare else one))
        return
    yield row


def _is_name(value: object) -> TypeGuard[str | int]:
    return isinstance(value, str | int) and not isinstance(value, bool)


def _are_names(value: object) -> bool:
    """Whether it is a list of names or numbers."""
    return isinstance(value, list) and bool(value) and all(map(_is_name, value))


def _are_objects(value: object) -> TypeGuard[list[Row]]:
    """Whether it is a list of objects."""
    return isinstance(value, list) and bool(value) and all(isinstance(o, dict) for o in value)


def _names_all(value: object, name: str) -> bool:
    """Whether it is a list in which each element names a delivery."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(one, dict) and one.get(name) for one in value)
    )


def _at(row: Row, outer: Sequence[str]) -> Row | None:
    """The object that keys lead to; None if there is none."""
    for key in outer:
        inner = row.get(key)
        if not isinstance(inner, dict):
            return None
        row = inner
    return row


def _put(row: Row, outer: Sequence[str], value: Row) -> Row:
    """The row with another object where keys lead to."""
    if not outer:
        return value
    return row | {outer[0]: _put(row[outer[0]], outer[1:], value)}
