"""Reads the whole delivery log again, and asks of each line whether it may follow the one before.

The books say where every delivery is; this says that it came there by steps that are allowed, each
decided on what the one before had left. Rows and lines are read beside the running service, some
deliveries at a time, so the memory that it takes does not grow with the database. What moves on
meanwhile is looked at again before anything is said of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from sys import intern
from typing import Final

import msgspec

from homing.core.identifiers import STEP_US, DeliveryId
from homing.core.lifecycle import Delivery
from homing.core.queries import DeliveryFilter, LogCursor, Page, Span
from homing.core.records import LogEntry
from homing.core.store import Store
from homing.insight import steps
from homing.insight.evidence import Breach, Left
from homing.service.keeping import Round

#: deliveries that are looked at in one reading of the log: 100 MB with all that belongs to them
HELD_MAX: Final = 50_000
#: breaches that are named
NAMED_MAX: Final = 1_000
_ROWS_PAGE: Final = 1_000
_LINES_PAGE: Final = 5_000
#: a line may be committed and not shown yet, while an older transaction is open: so many looks, so
#: many seconds apart, before a row is said to have none
_LOOKS_MAX: Final = 10
LOOK_EVERY_S: Final = 0.2


class LogCheck(msgspec.Struct, kw_only=True):
    """What was read of the log, and what is wrong with it."""

    deliveries: int = 0
    lines: int = 0  #: of the log, of these deliveries
    breaches: list[Breach] = []  #: at most as many as were asked for
    more: int = 0  #: breaches that were found and are not named

    @property
    def count(self) -> int:
        """Breaches in all."""
        return len(self.breaches) + self.more


async def check_log(
    store: Store,
    span: Span = Span(),  # noqa: B008 (frozen)
    *,
    held_max: int = HELD_MAX,
    named_max: int = NAMED_MAX,
    look_every_s: float = LOOK_EVERY_S,
    on_progress: Callable[[int, int], None] = lambda deliveries, lines: None,
) -> LogCheck:
    """The life of every delivery accepted within `span` (half-open), line by line.

    Args:
        held_max: deliveries looked at in one reading of the log, >= 1.
        look_every_s: seconds between two looks at what has no line yet.
        on_progress: told deliveries and lines read so far.
    """
    reader = _Reader(store, span, held_max, named_max, on_progress)
    reader.look_every_s = look_every_s
    while await reader.read_some():
        pass
    return reader.found


class _Held(msgspec.Struct):
    """One delivery that is being looked at."""

    row: Delivery
    last: Left | None = None  #: of what is written of it
    decided: int = 0  #: written lines that an attempt led to

    @property
    def is_odd(self) -> bool:
        return self.last is None or not steps.is_what(self.row, self.last)


class _Reader:
    """Some deliveries after the others, in the order in which they were accepted."""

    def __init__(
        self,
        store: Store,
        span: Span,
        held_max: int,
        named_max: int,
        on_progress: Callable[[int, int], None],
    ) -> None:
        self.found = LogCheck()
        self.look_every_s = LOOK_EVERY_S
        self._store = store
        # The listing leaves out the beginning of its span, the books do not.
        since_us = None if span.since_us is None else span.since_us - STEP_US
        self._which = DeliveryFilter(span=Span(since_us=since_us, until_us=span.until_us))
        self._held_max, self._named_max = held_max, named_max
        self._on_progress = on_progress
        self._after: str | None = None  #: the last delivery that was looked at
        #: no line before it is about a delivery after that; None: none such was met yet
        self._start: LogCursor | None = LogCursor()
        self._end = LogCursor()  #: of what was read of the log
        self._held: dict[tuple[str, str], _Held] = {}

    async def read_some(self) -> bool:
        """The next deliveries; False: there were none."""
        self._held = {}
        self._held = await self._next_rows()
        if not self._held:
            return False
        self._end, self._start = self._start or self._end, None
        await self._read_log()
        suspects = [held for held in self._held.values() if held.is_odd]
        for _ in range(_LOOKS_MAX):
            suspects = [held for held in suspects if await self._is_still_odd(held)]
            if not suspects:
                break
            await asyncio.sleep(self.look_every_s)
            await self._read_log()
        for held in suspects:
            self._name_row(held)
        await self._compare_attempts()
        self.found.deliveries += len(self._held)
        self._on_progress(self.found.deliveries, self.found.lines)
        return True

    async def _next_rows(self) -> dict[tuple[str, str], _Held]:
        rows: dict[tuple[str, str], _Held] = {}
        while len(rows) < self._held_max:
            limit = min(_ROWS_PAGE, self._held_max - len(rows))
            page = await self._store.deliveries(self._which, Page(limit=limit, after=self._after))
            rows.update((row.id, _Held(row)) for row in page)
            if page:
                self._after = str(page[-1].id)
            if len(page) < limit:
                break
        return rows

    async def _read_log(self) -> None:
        """All lines from `_end` on; `_start` is set to where the next deliveries may begin."""
        newest = max(self._held)
        while True:
            page = await self._store.log(self._end, limit=_LINES_PAGE)
            for one in page:
                line = one.entry
                which = (line.message_id, line.endpoint_id)
                held = self._held.get(which)
                if held is not None:
                    self._look_at(held, line)
                elif self._start is None and which > newest:
                    self._start = self._end
            if page:
                self._end = page[-1].cursor
            self._on_progress(self.found.deliveries, self.found.lines)
            if len(page) < _LINES_PAGE:
                return

    def _look_at(self, held: _Held, line: LogEntry) -> None:
        self.found.lines += 1
        if not line.rows_written:
            return
        for breach in steps.wrongs(held.last, line):
            self._name(breach)
        op, holder = intern(line.op), intern(line.holder)
        held.last = Left(line.version_after, line.to_state, line.lease_epoch, op, holder)
        held.decided += line.attempt_id is not None

    async def _is_still_odd(self, held: _Held) -> bool:
        """Whether it is, as it is now: it may have moved on, or been purged."""
        present = await self._store.delivery(held.row.id)
        if present is None:
            return False  # the books name it, if it should be there
        held.row = present
        return held.is_odd

    def _name_row(self, held: _Held) -> None:
        unlike = steps.unlike(held.row, held.last)
        misshapen = steps.misshapen(held.row, hot=held.row.is_unfinished)
        for breach in (unlike, misshapen):
            if breach is not None:
                self._name(breach)

    async def _compare_attempts(self) -> None:
        """An attempt for each line that one led to, unless attempts have been purged."""
        names = [message_id for message_id, _ in self._held]
        made = await self._store.attempts_made(min(names), max(names))
        kept = await self._store.get(Round, "", "round")
        some_are_purged = kept is not None and kept.purged.attempts > 0
        for which, held in self._held.items():
            there, count = made.get(DeliveryId(*which), 0), held.decided
            if there < count and (there or not some_are_purged):
                self._name(
                    Breach(
                        invariant="every_decision_has_its_attempt",
                        delivery=DeliveryId(*which),
                        text=f"steps decided by attempts: {count}; attempts recorded: {there}",
                        before=f"{count} decided",
                        after=f"{there} recorded",
                    )
                )

    def _name(self, breach: Breach) -> None:
        if len(self.found.breaches) < self._named_max:
            self.found.breaches.append(breach)
        else:
            self.found.more += 1
