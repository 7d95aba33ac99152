"""Rows that tell of several deliveries in a list, as an accepted event and a batch that was taken do: a row
of each of them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from homing.forensics.reading.lines import SEPARATOR, Row, parts_of
from homing.forensics.reading.mapping import Mapping


class Listed(NamedTuple):
    """A list whose elements name deliveries as other rows of the log do."""

    parts: tuple[str, ...]  #: the keys that lead to it
    name: str  #: of a delivery in an element


def lists_of(rows: Sequence[Row], mapping: Mapping) -> list[Listed]:
    """The lists in a sample whose elements name a delivery by the column of that name beside the list;
    where the row names one there itself, the list is of something of that one's."""
    column = mapping.columns.get("delivery") or mapping.columns.get("message")
    if column is None or not column.path:
        return []
    found: dict[str, Listed] = {}
    for row in rows:
        for path, value in row.items():
            if path in found or not isinstance(value, list) or row.get(column.path):
                continue
            *outer, _ = parts = parts_of(path)
            if column.path.startswith("".join(part + SEPARATOR for part in outer)):
                name = column.path[len(SEPARATOR.join((*outer, ""))) :]
                if _names_all(value, name):
                    found[path] = Listed(parts, name)
    return list(found.values())


def spread(row: Row, lists: Sequence[Listed]) -> Iterator[Row]:
    """A row for each element of the first of these lists that it holds, with what it says itself; the
    row alone if it holds none."""
    for listed in lists:
        *outer, last = listed.parts
        beside = _at(row, outer)
        if (
            beside is None
            or beside.get(listed.name)
            or not _names_all(beside.get(last), listed.name)
        ):
            continue
        own = {key: value for key, value in beside.items() if key != last}
        for element in beside[last]:
            yield _put(row, outer, own | element)
        return
    yield row


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
