"""Tables to which the finished rows of another are moved: both together are one table. Pure."""

from __future__ import annotations

from collections.abc import Mapping as Map
from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations
from typing import Final

from homing.forensics.reading.lines import Row
from homing.forensics.reading.mapping import Mapping
from homing.forensics.reading.references import NAMING, has_own, values_of
from homing.forensics.vocabulary import normal

#: an archive has hardly any column that its table has not, but the time of moving
_OWN_COLUMNS_MAX: Final = 2
_SHARED_COLUMNS_MIN: Final = 4


def archives(mappings: Map[str, Mapping], samples: Map[str, Sequence[Row]]) -> dict[str, str]:
    """Archive → the table that its rows were in: these have the same columns, but for the time at
    which a row was moved, and none of the same rows."""
    found: dict[str, str] = {}
    for archive, table in permutations(sorted(samples), 2):
        is_dated = mappings[archive].has("removed_at") and not mappings[table].has("removed_at")
        if is_dated and table not in found and _is_moved(samples[archive], samples[table]):
            found.setdefault(archive, table)
    return found


def _is_moved(rows: Sequence[Row], others: Sequence[Row]) -> bool:
    mine, theirs = ({path for row in each for path in row} for each in (rows, others))
    if len(mine - theirs) > _OWN_COLUMNS_MAX or len(mine & theirs) < _SHARED_COLUMNS_MIN:
        return False
    named = [path for path in sorted(mine & theirs) if normal(path) == "id"]
    return any(
        has_own(rows, path)
        and has_own(others, path)
        and not values_of(rows, path) & values_of(others, path)
        for path in named
    )


def together(samples: Map[str, Sequence[Row]], moved: Map[str, str]) -> dict[str, Sequence[Row]]:
    """The samples of all but the archives, whose rows are in those of their tables."""
    found = {path: rows for path, rows in samples.items() if path not in moved}
    for archive, table in moved.items():
        found[table] = [*found[table], *samples[archive]]
    return found


def named_as(archive: Mapping, table: Mapping) -> Mapping:
    """The mapping of an archive, whose rows are named as those of its table are."""
    fields = (*NAMING, "trace")
    naming = {f: c for f, c in table.columns.items() if f in fields}
    taken = {column.path for column in naming.values()}
    others = {
        field: column
        for field, column in archive.columns.items()
        if field not in fields and column.path not in taken
    }
    return replace(archive, layout=table.layout, columns={**naming, **others})
