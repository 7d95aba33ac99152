"""What a count of drops is worth where rows are damaged, or a file is cut off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, sqrt
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

    One lost row makes one delivery look dropped at most, and does so only if it told of its end. So
    where as many drops as there are may be such rows, there may be no drop at all; and where half
    as many may be, the commonest mechanism among the drops may be their doing.
    """

    #: damaged rows of which nobody can say to which delivery they belong
    nameless: int = 0
    ending: float = 1.0  #: the share of rows that are their delivery's last
    cut: Sequence[Cut] = ()
    #: a file is cut off, and others go on: what it would have told of their deliveries is lost
    is_one_short: bool = False

    @property
    def hiding(self) -> int:
        """So many of the drops, at most, may be nothing but lost rows: as many as there are of these, and
        no more than the last rows among them if any row is lost as easily as another (the mean and four
        standard deviations of a Poisson count, which one log in thirty thousand exceeds)."""
        mean = self.nameless * self.ending
        return min(self.nameless, ceil(mean + 4 * sqrt(mean)))

    def is_total(self, dropped: int) -> bool:
        """Whether all that looks dropped may be nothing but lost rows."""
        return dropped > 0 and (self.hiding >= dropped or self.is_one_short)

    def hides_suspect(self, dropped: int) -> bool:
        """Whether so much of what looks dropped may be, that no mechanism can be named."""
        return dropped > 0 and (2 * self.hiding >= dropped or self.is_one_short)

    def sure(self, dropped: int) -> int:
        """So many at least are dropped, with the lost rows among the others."""
        return 0 if self.is_one_short else max(0, dropped - self.hiding)


def doubt_of(raw: Raw, events: Events, engine: Engine, judged: Any) -> Doubt:
    """What is lost of a log that was read and judged."""
    last_us, span_us = events.last_us, events.last_us - events.first_us
    cut = [Cut(path, _until(engine, raw, path)) for path in dict.fromkeys(raw.damage.cut)]
    nameless = raw.damage.count - len(raw.damage.cut)
    if nameless and events.has_doubted:
        nameless -= lines_that_name(engine, judged)
    deliveries = int(row(judged.aggregate(n=judged.count())).n)
    return Doubt(
        nameless=nameless,
        ending=min(1.0, deliveries / max(1, raw.rows)),
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
