"""Which host a worker is on that is named only within it: threads and processes of several files."""

from __future__ import annotations

import re
from collections.abc import Mapping as Map
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, Final, NamedTuple

from homing.forensics.reading.mapping import Mapping
from homing.forensics.vocabulary import normal

#: a column of names that another host has as well
_LOCAL: Final = re.compile(r"(^|_)(thread|thread_name|tid|pid|process)$")
#: of the names of the file that has fewer, so many are in the other too
_SHARED_MIN: Final = 0.5


class _Part(NamedTuple):
    """A file, with the numbers of its first row and of the next file's."""

    path: str
    first: int
    end: int


class _Seen(NamedTuple):
    names: frozenset[str]
    first_us: int
    last_us: int


def name_hosts(
    connection: Any, starts: Sequence[tuple[int, str]], mappings: Map[str, Mapping], rows: int
) -> None:
    """Call the workers of files that were written at the same time, and name the same threads, by their
    file: a host each, whose main process takes what others of its processes send.

    Args:
        starts: the number of the first row of each file, and the file.
        rows: of all files.
    """
    ends = [first for first, _ in starts[1:]] + [rows]
    parts = [
        _Part(path, first, end)
        for (first, path), end in zip(starts, ends, strict=True)
        if _is_local(mappings[path])
    ]
    seen = {part: found for part in parts if (found := _seen(connection, part))}
    hosts = {part for pair in combinations(seen, 2) for part in pair if _are_hosts(pair, seen)}
    for part in hosts:
        connection.execute(
            "UPDATE parts SET worker = ? WHERE worker IS NOT NULL AND rowid >= ? AND rowid < ?",
            [Path(part.path).name.partition(".")[0], part.first, part.end],
        )


def _is_local(mapping: Mapping) -> bool:
    column = mapping.columns.get("worker")
    return column is not None and _LOCAL.search(normal(column.path)) is not None


def _seen(connection: Any, part: _Part) -> _Seen | None:
    names, first, last = connection.execute(
        "SELECT list(DISTINCT worker), min(at_us), max(at_us) FROM parts "
        "WHERE worker IS NOT NULL AND rowid >= ? AND rowid < ?",
        [part.first, part.end],
    ).fetchall()[0]
    return _Seen(frozenset(names), first, last) if names and first is not None else None


def _are_hosts(pair: tuple[_Part, _Part], seen: Map[_Part, _Seen]) -> bool:
    one, other = seen[pair[0]], seen[pair[1]]
    fewer = min(len(one.names), len(other.names))
    is_beside = one.first_us < other.last_us and other.first_us < one.last_us
    return is_beside and len(one.names & other.names) >= _SHARED_MIN * fewer
