"""What a count of drops is worth where rows are damaged, or a file is cut off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, NamedTuple

import ibis

from homing.core.plurals import plural
from homing.forensics.building import Events
from homing.forensics.damaged import lines_that_name
from homing.forensics.engine import Engine
from homing.forensics.reading.converting import PLACES_MAX
from homing.forensics.reading.files import Raw
from homing.forensics.rows import row

#: a file that ends within so much of the log's length of the log's end hides nothing of the others
_AT_END: Final = 0.01


class Cut(NamedTuple):
    """A packed file that ends before its end."""

    path: str
    until_us: int | None  #: the newest time in what can be read of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """What is lost of a log.

    One lost row is enough to make a delivery look dropped, and no more than that one delivery. So
    while the lost rows are at least as many as the drops, there may be no drop at all; and while
    they are half as many, the commonest mechanism among the drops may be their doing.
    """

    #: damaged rows of which nobody can say to which delivery they belong
    nameless: int = 0
    cut: Sequence[Cut] = ()
    #: a file is cut off, and others go on: what it would have told of their deliveries is lost
    is_one_short: bool = False

    def is_total(self, dropped: int) -> bool:
        """Whether all that looks dropped may be nothing but lost rows."""
        return dropped > 0 and (self.nameless >= dropped or self.is_one_short)

    def hides_suspect(self, dropped: int) -> bool:
        """Whether so much of what looks dropped may be, that no mechanism can be named."""
        return dropped > 0 and (2 * self.nameless >= dropped or self.is_one_short)

    def sure(self, dropped: int) -> int:
        """So many at least are dropped, whatever stood in the rows that are lost."""
        return 0 if self.is_one_short else max(0, dropped - self.nameless)


def doubt_of(raw: Raw, events: Events, engine: Engine, judged: Any) -> Doubt:
    """What is lost of a log that was read and judged."""
    last_us, span_us = events.last_us, events.last_us - events.first_us
    cut = [Cut(path, _until(engine, raw, path)) for path in dict.fromkeys(raw.damage.cut)]
    nameless = raw.damage.count - len(raw.damage.cut)
    if nameless and events.has_doubted:
        nameless -= lines_that_name(engine, judged)
    return Doubt(
        nameless=nameless,
        cut=cut,
        is_one_short=any(
            one.until_us is None or last_us - one.until_us > _AT_END * span_us for one in cut
        ),
    )


def _until(engine: Engine, raw: Raw, path: str) -> int | None:
    """The newest time in a file."""
    table = engine.table("raw")
    ends = [*raw.starts, (raw.rows, "")]
    parts = [
        (table["rowid"] >= first) & (table["rowid"] < end)
        for (first, name), (end, _) in pairwise(ends)
        if name == path
    ]
    if not parts:
        return None
    at = ibis.coalesce(table.at_us, table.changed_us, table.accepted_us)
    newest = row(table.filter(ibis.or_(*parts)).aggregate(at=at.max())).at
    return None if newest is None else int(newest)


def damage_told(doubt: Doubt, damaged: int, dropped: int, accepted: int) -> str:
    """What to say instead of a rate where damaged rows may be all that is missing."""
    rows = plural(damaged, "row")
    are = "are damaged and name" if damaged > 1 else "is damaged and names"
    lost = f"{rows} {are} no delivery that can be read"
    if damaged > PLACES_MAX:
        lost = f"{rows} are damaged, too many to see of each which delivery it names"
    elif doubt.nameless < damaged:
        lost = (
            f"{rows} are damaged, and {doubt.nameless:,} of them name no delivery that can be read"
        )
    return (
        f"{lost}: each of the {dropped:,} deliveries (of {accepted:,}) that look dropped may have its "
        "missing row among them, so neither a rate nor a suspect can be told"
    )
