"""How the files of one log refer to one another: which column of one names the rows of which other. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from collections.abc import Mapping as Map
from itertools import permutations
from typing import Final, NamedTuple

from homing.forensics.reading.columns import name_score, text_of
from homing.forensics.reading.lines import Row
from homing.forensics.vocabulary import normal

#: the fields that name what a row is about
NAMING: Final = ("delivery", "message")
_OTHERS: Final = ("endpoint", "worker", "app")
#: of the rows of the one file, so many have a value of their own: it is what the row is of
OWN_MIN: Final = 0.98
#: of the fewer values of two columns, so many are in the other too
SHARED_MIN: Final = 0.5
#: where it is the names that tell: of two samples of long files only some meet
_NUMBERS_SHARED_MIN: Final = 0.1
#: fewer names tell nothing of what they are
ROWS_MIN: Final = 20


class Link(NamedTuple):
    """A column that names each row of one file, and the one of another file that refers to it."""

    owner: str  #: the file
    column: str
    other: str
    reference: str
    share: float


def links(samples: Map[str, Sequence[Row]]) -> list[Link]:
    """The best reference from each file to another, the surest first."""
    values = {path: _named(rows) for path, rows in samples.items()}
    every: list[Link] = []
    for owner, other in permutations(values, 2):
        for column, (mine, is_own) in values[owner].items():
            if not is_own or len(mine) < ROWS_MIN:
                continue
            every += _references(samples, values, (owner, column), other)
    # what many more rows are named by than by another is what the log is of
    most = max((len(values[link.owner][link.column][0]) for link in every), default=0)
    every = [o for o in every if len(values[o.owner][o.column][0]) >= _OF_MOST_MIN * most]
    ranks = _ranks(every, samples)
    # the last of those from each file is the best
    found = {link.other: link for link in sorted(every, key=ranks.__getitem__)}
    return sorted(found.values(), key=ranks.__getitem__, reverse=True)


#: a thing of which there are so few, to the one of which there are most, is not what the log is of
_OF_MOST_MIN: Final = 0.1


def _references(
    samples: Map[str, Sequence[Row]],
    values: Map[str, Map[str, tuple[set[str], bool]]],
    owned: tuple[str, str],
    other: str,
) -> Iterator[Link]:
    """The columns of another file that hold the names of a file's rows."""
    owner, column = owned
    mine, _ = values[owner][column]
    for reference, (theirs, _) in values[other].items():
        is_number = all(map(str.isdigit, mine))
        if is_number and not _refers(column, reference):
            continue  # each file counts its own rows, and any number is among another's
        is_small = len(theirs) < ROWS_MIN
        share = len(mine & theirs) / (len(theirs) if is_small else min(len(mine), len(theirs)))
        wanted = _NUMBERS_SHARED_MIN if is_number and not is_small else SHARED_MIN
        # two files of the same columns, of several hosts, refer to nothing
        if share < wanted or (reference == column and has_own(samples[other], column)):
            continue
        yield Link(owner, column, other, reference, share)


#: so well must a column's name say that its numbers are those of deliveries
_NAMED_MIN: Final = 80.0


def _may_number(column: str) -> bool:
    """Whether the numbers of a column may name deliveries: an `id`, or what is called a delivery's."""
    return normal(column) == "id" or any(name_score(f, column) >= _NAMED_MIN for f in NAMING)


def _refers(column: str, reference: str) -> bool:
    """Whether by their names the one may refer to the other: a `delivery_id` to an `id`."""
    return normal(column) == "id" and normal(reference) != "id"


def _ranks(
    every: Sequence[Link], samples: Map[str, Sequence[Row]]
) -> dict[Link, tuple[float, bool, int, bool, int, str, str]]:
    """How sure each reference is, and how well what it refers to names what all files are of.

    What other things belong to, several to one (the event of deliveries), names them less well.
    """
    referred = Counter((link.owner, link.column) for link in every)
    finer = {link.other for link in every if is_fanned(samples[link.other], link.reference)}
    return {
        link: (
            round(link.share, 1),
            link.owner in finer,
            referred[link.owner, link.column],
            # an `id` is what a row is of, rather than another number that each row has
            normal(link.column) == "id",
            # the event that a row is of, rather than the header of a request that was not always made
            sum(row.get(link.reference) is not None for row in samples[link.other]),
            link.owner,
            link.reference,
        )
        for link in every
    }


def _named(rows: Sequence[Row]) -> dict[str, tuple[set[str], bool]]:
    """Column → its values and whether each row has one of its own; columns of words and numbers aside.

    A file of few rows, such as one of dead letters, has only columns that say what they name.
    """
    found = {}
    few = len(rows) < ROWS_MIN
    every: dict[str, set[str]] = {}
    for row in rows:  # once through, for there may be hundreds of columns
        for column, value in row.items():
            if isinstance(value, str | int):
                every.setdefault(column, set()).add(text_of(value))
    for column, distinct in every.items():
        is_said = normal(column) != "id" and _may_number(column)
        if few and not (is_said and distinct):
            continue
        if not few and len(distinct) < max(ROWS_MIN, (0.02 if is_said else 0.2) * len(rows)):
            continue
        if names_another_thing(column):
            continue
        if not (_are_ids(distinct) or (_may_number(column) and all(map(str.isdigit, distinct)))):
            continue
        found[column] = (distinct, len(distinct) >= OWN_MIN * len(rows))
    return found


def values_of(rows: Sequence[Row], column: str) -> set[str]:
    """What stands in a column, as text."""
    return {str(row[column]) for row in rows if row.get(column) is not None}


def has_own(rows: Sequence[Row], column: str) -> bool:
    """Whether nearly each row has a value of its own in a column."""
    texts = [row.get(column) for row in rows]
    return len(set(map(str, texts))) >= OWN_MIN * len(rows)


def _are_ids(values: set[str]) -> bool:
    """Whether these can be names: letters and digits without spaces, and no times, numbers or addresses."""
    some = list(values)[:50]
    return all(
        6 <= len(v) <= 80 and not set(v) & set(" :/") and not v.replace(".", "").isdigit()
        for v in some
    )


def names_another_thing(column: str) -> bool:
    """Whether a column, by its name, is of receivers, workers or tenants."""
    own = max(name_score(field, column) for field in NAMING)
    return max(name_score(field, column) for field in _OTHERS) > max(_OF_OTHERS, own)


#: so well its name must say so
_OF_OTHERS: Final = 60.0


def is_fanned(rows: Sequence[Row], reference: str) -> bool:
    """Whether what is referred to went to several endpoints, so that it is a message."""
    paths = {path: None for row in rows for path in row}
    endpoint = max(paths, key=lambda path: name_score("endpoint", path), default="")
    if name_score("endpoint", endpoint) < _OF_OTHERS:
        return False
    endpoints: dict[str, set[str]] = {}
    for row in rows:
        if row.get(reference) is not None and row.get(endpoint) is not None:
            endpoints.setdefault(str(row[reference]), set()).add(str(row[endpoint]))
    return sum(len(one) > 1 for one in endpoints.values()) > _FANNED_MIN * len(endpoints)


#: of the messages, so many go to several endpoints
_FANNED_MIN: Final = 0.02
