"""Files of one log that name a delivery by different columns: which column of one means which of another. Pure."""

from __future__ import annotations

from collections.abc import Mapping as Map
from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations
from typing import Final, NamedTuple

from homing.forensics.reading.columns import name_score, text_of
from homing.forensics.reading.lines import Row
from homing.forensics.reading.mapping import Column, Mapping
from homing.forensics.vocabulary import normal

_FIELDS: Final = ("delivery", "message")
#: of the rows of the one file, so many have a value of their own: it is what the row is of
_OWN_MIN: Final = 0.98
#: of the fewer values of two columns, so many are in the other too
_SHARED_MIN: Final = 0.5
#: where it is the names that tell: of two samples of long files only some meet
_NUMBERS_SHARED_MIN: Final = 0.1
_ROWS_MIN: Final = 20


class Link(NamedTuple):
    """A column that names each row of one file, and the one of another file that refers to it."""

    owner: str  #: the file
    column: str
    other: str
    reference: str
    share: float


def joined(mappings: Map[str, Mapping], samples: Map[str, Sequence[Row]]) -> dict[str, Mapping]:
    """The mappings of files, with the same thing by the same field in all of them.

    An export of events has its `id`, and the export of their attempts an `event_id` beside an `id`
    of its own: guessed file by file, each would be keyed by its `id`, and nothing would meet.
    """
    found = dict(mappings)
    for link in links(samples):
        owner, other = found[link.owner], found[link.other]
        if _meet(owner, samples[link.owner], other, samples[link.other]):
            continue
        field = _field_of(owner, other, link)
        found[link.owner] = _keyed(owner, field, link.column)
        found[link.other] = _keyed(other, field, link.reference)
    return found


def _meet(one: Mapping, ones: Sequence[Row], other: Mapping, others: Sequence[Row]) -> bool:
    """Whether two files name the same things by the same field as it is."""
    for field in _FIELDS:
        if field in one.columns and field in other.columns:
            mine = {str(row.get(one.columns[field].path)) for row in ones} - {"None"}
            theirs = {str(row.get(other.columns[field].path)) for row in others} - {"None"}
            if mine and theirs and len(mine & theirs) >= _SHARED_MIN * min(len(mine), len(theirs)):
                return True
    return False


def links(samples: Map[str, Sequence[Row]]) -> list[Link]:
    """The best reference from each file to another, the surest first."""
    values = {path: _named(rows) for path, rows in samples.items() if len(rows) >= _ROWS_MIN}
    found: dict[str, Link] = {}
    for owner, other in permutations(values, 2):
        for column, (mine, is_own) in values[owner].items():
            if not is_own:
                continue
            for reference, (theirs, _) in values[other].items():
                is_number = all(map(str.isdigit, mine))
                if is_number and not _refers(column, reference):
                    continue  # each file counts its own rows, and any number is among another's
                share = len(mine & theirs) / min(len(mine), len(theirs))
                # two files of the same columns, of several hosts, refer to nothing
                if share < (_NUMBERS_SHARED_MIN if is_number else _SHARED_MIN) or (
                    reference == column and _is_own(samples[other], column)
                ):
                    continue
                link = Link(owner, column, other, reference, share)
                best = found.get(other)
                if best is None or _rank(link) > _rank(best):
                    found[other] = link
    return sorted(found.values(), key=_rank, reverse=True)


#: so well must a column's name say that its numbers are those of deliveries
_NAMED_MIN: Final = 80.0


def _may_number(column: str) -> bool:
    """Whether the numbers of a column may name deliveries: an `id`, or what is called a delivery's."""
    return normal(column) == "id" or name_score("delivery", column) >= _NAMED_MIN


def _refers(column: str, reference: str) -> bool:
    """Whether by their names the one may refer to the other: a `delivery_id` to an `id`."""
    return normal(column) == "id" and normal(reference) != "id"


def _rank(link: Link) -> tuple[float, bool, str, str]:
    # an `id` is what a row is of, rather than another number that each row has
    return (round(link.share, 1), normal(link.column) == "id", link.owner, link.reference)


def _named(rows: Sequence[Row]) -> dict[str, tuple[set[str], bool]]:
    """Column → its values and whether each row has one of its own; columns of words and numbers aside."""
    found = {}
    for column in {path: None for row in rows for path in row}:
        texts = [text_of(row[column]) for row in rows if isinstance(row.get(column), str | int)]
        distinct = set(texts)
        if len(distinct) < max(_ROWS_MIN, 0.2 * len(rows)) or not (
            _are_ids(distinct) or (_may_number(column) and all(map(str.isdigit, distinct)))
        ):
            continue
        found[column] = (distinct, len(distinct) >= _OWN_MIN * len(rows))
    return found


def _is_own(rows: Sequence[Row], column: str) -> bool:
    texts = [row.get(column) for row in rows]
    return len(set(map(str, texts))) >= _OWN_MIN * len(rows)


def _are_ids(values: set[str]) -> bool:
    """Whether these can be names: letters and digits without spaces, and no times, numbers or addresses."""
    some = list(values)[:50]
    return all(
        6 <= len(v) <= 80 and not set(v) & set(" :/") and not v.replace(".", "").isdigit()
        for v in some
    )


def _field_of(owner: Mapping, other: Mapping, link: Link) -> str:
    """What both name: what the finer of the two takes it for, else the coarser."""
    for mapping, column in ((other, link.reference), (owner, link.column)):
        for field in _FIELDS:
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
        if name not in _FIELDS or (field == "delivery" and name == "message" and one.path != column)
    }
    columns = {name: one for name, one in columns.items() if one.path != column}
    return replace(mapping, columns={field: Column(path=str(column)), **columns})
