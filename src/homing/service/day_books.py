"""The books of the last day for whoever looks at a page: counted again from the rows, in pieces.

Counting a day's rows at each view would take a busy database's time. So the day is cut into
slices, each counted for itself; a slice is counted anew when it can have changed, one at a time,
with a rest after each that is longer than the counting took, and only while somebody looks. A page
shows what is known, and says from when it is.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from homing.core.errors import StoreError
from homing.core.operational import owner_of
from homing.core.ports import Clock
from homing.core.queries import Backlog, LedgerRow, Span
from homing.core.resources import Application
from homing.core.store import Store
from homing.insight.ledger import imbalance, total

_log = logging.getLogger("homing.pages")

#: length of a slice, and of all of them together, microseconds
SLICE_US: Final = 600_000_000
DAY_US: Final = 86_400_000_000
_SLICES: Final = DAY_US // SLICE_US + 1
#: how old the count of a slice may become: the present one's, one's with unfinished deliveries,
#: and one's in which only a person's hand can change something, microseconds
_STALE_US: Final = {"present": 2_000_000, "open": 15_000_000, "closed": 300_000_000}
#: a view keeps the counting going for so long, microseconds
_LOOKED_US: Final = 20_000_000
#: the rest after a slice that took a while: so many times as long; after a quick one, seconds
_REST_TIMES: Final = 4.0
_QUICK_S: Final = 0.02
_REST_S: Final = 0.002
#: a step may take so long before the next one counts less, seconds; and at most four hours at once
_SLOW_S: Final = 0.1
_STRIDE_MAX: Final = 24
_IDLE_S: Final = 0.5
_BACKLOG_US: Final = 5_000_000


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of acceptance, counted."""

    since_us: int
    at_us: int  #: when it was counted
    by_org: dict[str, LedgerRow]  #: by the id of the organisation

    @property
    def is_open(self) -> bool:
        """Whether something in it is not finished."""
        return any(row.waiting + row.leased + row.parked for row in self.by_org.values())


class Books(msgspec.Struct, frozen=True, kw_only=True):
    """The ledger of one organisation for the last day."""

    total: LedgerRow
    since_us: int  #: of acceptance
    newest_at_us: int | None  #: when its latest slice was counted; None: nothing is counted yet
    oldest_at_us: int | None  #: when the slice was counted that was not counted for longest
    counted: int  #: slices
    slices: int  #: that there are
    unaccounted: int = 0  #: added up by slice: one too many does not hide one that is missing

    @property
    def is_whole(self) -> bool:
        return self.counted == self.slices


class DayBooks:
    """What one process knows of the last day; it counts while somebody looks."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._slices: dict[int, Slice] = {}
        self._orgs: dict[str, str] = {}  # of each application
        self._stride = 1  # how many slices that were never counted are counted at once
        self._looked_us = 0
        self._task: asyncio.Task[None] | None = None
        #: when the hot table was looked at last, and how it stood; of everybody's deliveries
        self.backlog: tuple[int, Backlog] | None = None

    def look(self, org_id: str) -> Books:
        """What is known of an organisation; the counting goes on behind."""
        now_us = self._clock.now_us()
        self._looked_us = now_us
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._count(), name="books for pages")
        return books_of(self._slices, org_id, now_us)

    async def until_counted(self, within_s: float) -> None:
        """Wait until the day was counted once, at most for so long."""
        steps = max(1, round(within_s / 0.01))
        for _ in range(steps):
            missing = set(starts(self._clock.now_us())) - self._slices.keys()
            if not missing:
                return
            await asyncio.sleep(0.01)

    async def _count(self) -> None:
        while self._clock.now_us() - self._looked_us < _LOOKED_US:
            began_us = self._clock.mono_us()
            try:
                busy = await self._step()
            except StoreError as error:
                _log.warning("the books for pages wait for the database: %s", error)
                busy = False
            took_s = (self._clock.mono_us() - began_us) / 1_000_000
            self._stride = next_stride(self._stride, took_s)
            rest_s = took_s * _REST_TIMES if took_s > _QUICK_S else _REST_S
            await asyncio.sleep(rest_s if busy else _IDLE_S)

    async def _step(self) -> bool:
        """Count one slice, if one is due; whether one was."""
        now_us = self._clock.now_us()
        if self.backlog is None or now_us - self.backlog[0] >= _BACKLOG_US:
            self.backlog = (now_us, await self._store.backlog(now_us))
        if not self._slices:
            await self._fill_before_the_first(now_us)
        for old in self._slices.keys() - set(starts(now_us)):
            del self._slices[old]
        due = next_slices(self._slices, now_us, self._stride)
        if not due:
            return False
        span = Span(since_us=due[-1], until_us=due[0] + SLICE_US)
        rows = await self._store.ledger(span, window_s=SLICE_US // 1_000_000)
        await self._learn_orgs(rows)
        for since_us in due:
            own = [row for row in rows if row.window_at_us == since_us]
            self._slices[since_us] = Slice(
                since_us=since_us, at_us=now_us, by_org=by_organisation(own, self._orgs)
            )
        return True

    async def _fill_before_the_first(self, now_us: int) -> None:
        """Slices that ended before anything was accepted need no counting."""
        first_us = await self._store.first_accepted_at_us()
        for since_us in starts(now_us)[1:]:
            if first_us is None or since_us + SLICE_US <= first_us:
                self._slices[since_us] = Slice(since_us=since_us, at_us=now_us, by_org={})

    async def _learn_orgs(self, rows: Sequence[LedgerRow]) -> None:
        new = {row.app_id for row in rows} - self._orgs.keys()
        if not new:
            return
        self._orgs.update(dict.fromkeys(new, ""))  # of those that were deleted: nobody's
        for one in await self._store.by_ids(Application, sorted(new)):
            self._orgs[one.id] = owner_of(one.scope)


def starts(now_us: int) -> list[int]:
    """Where the slices of the last day begin, the present one first."""
    present_us = now_us - now_us % SLICE_US
    return [present_us - back * SLICE_US for back in range(_SLICES)]


def next_slices(known: dict[int, Slice], now_us: int, stride: int) -> list[int]:
    """Which slices are to be counted next, in a row, the newest first; none: all are fresh.

    Those that were never counted come first, the newest of them before the others; but the present
    one is kept fresh meanwhile. Then the one that is the stalest.

    Args:
        stride: how many at most.
    """
    all_starts = starts(now_us)
    present = known.get(all_starts[0])
    if present is not None and _overdue_us(present, now_us) > 0:
        return [present.since_us]
    found: list[int] = []
    for one in all_starts:
        if one not in known and len(found) < stride:
            found.append(one)
        elif found:
            return found
    if found:
        return found
    worst_us, since_us = max((_overdue_us(known[one], now_us), one) for one in all_starts)
    return [since_us] if worst_us > 0 else []


def next_stride(stride: int, took_s: float) -> int:
    """How many slices to count at once after a step that took so long: quick steps grow."""
    if took_s < _QUICK_S:
        return min(stride * 2, _STRIDE_MAX)
    return max(stride // 2, 1) if took_s > _SLOW_S else stride


def _overdue_us(one: Slice, now_us: int) -> int:
    """By how much its count is older than it may be; below 0: it is not."""
    if one.at_us < one.since_us + SLICE_US + 5_000_000:  # it was still growing
        kind = "present"
    else:
        kind = "open" if one.is_open else "closed"
    return now_us - one.at_us - _STALE_US[kind]


def by_organisation(rows: Sequence[LedgerRow], orgs: Mapping[str, str]) -> dict[str, LedgerRow]:
    """Rows of endpoints added up.

    Args:
        orgs: of each application.
    """
    apart: dict[str, list[LedgerRow]] = {}
    for row in rows:
        apart.setdefault(orgs[row.app_id], []).append(row)
    return {org_id: total(found) for org_id, found in apart.items()}


def books_of(known: dict[int, Slice], org_id: str, now_us: int) -> Books:
    """The slices of the last day added up, for one organisation."""
    wanted = starts(now_us)
    found = [known[one] for one in wanted if one in known]
    rows = [one.by_org[org_id] for one in found if org_id in one.by_org]
    return Books(
        total=total(rows),
        unaccounted=sum(abs(imbalance(row)) for row in rows),
        since_us=wanted[-1],
        newest_at_us=max((one.at_us for one in found), default=None),
        oldest_at_us=min((one.at_us for one in found), default=None),
        counted=len(found),
        slices=len(wanted),
    )
