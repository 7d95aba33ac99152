"""Reads the whole delivery log again, and asks of each line whether it may follow the one before.

The books say where every delivery is; this says that it came there by steps that are allowed, each
decided on what the one before had left. Log and rows are read once, beside the running service, and
what belongs to one delivery meets on a pile, so that neither the memory that it takes nor the time
for each delivery grows with the database. Whatever did not turn out well there, because it is not
or because it moved on meanwhile, is read again line by line before anything is said of it.
"""

from __future__ import annotations

import asyncio
from bisect import insort
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Final

import msgspec

from homing.core.identifiers import STEP_US, DeliveryId
from homing.core.lifecycle import Delivery
from homing.core.queries import DeliveryFilter, LogCursor, LoggedEntry, Page, Span
from homing.core.records import LogEntry
from homing.core.store import Store
from homing.insight import steps
from homing.insight.evidence import Breach
from homing.insight.stretches import Present, Stretch, present
from homing.service.keeping import Round
from homing.service.log_export import place_at
from homing.service.piles import Piles

#: deliveries that are looked at together, and what is held in memory otherwise: some 100 MB
HELD_MAX: Final = 50_000
#: breaches that are named
NAMED_MAX: Final = 1_000
_ROWS_PAGE: Final = 1_000
_LINES_PAGE: Final = 5_000
#: a line may be committed and not shown yet, while an older transaction is open: so many looks, so
#: many seconds apart, before a row is said to have none
_LOOKS_MAX: Final = 10
LOOK_EVERY_S: Final = 0.2
#: how far the order of the log may differ from that of the clocks of those who wrote it. What
#: differs more is found all the same, by reading the log from its beginning
_DISORDER_US: Final = 600_000_000


class LogCheck(msgspec.Struct, kw_only=True):
    """What was read, and what is wrong with it."""

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
        held_max: deliveries that are looked at together, >= 1.
        look_every_s: seconds between two looks at what has no line yet.
        on_progress: told how many deliveries and lines are done with so far.

    Raises:
        HomingError: there is no room for temporary files; says where.
    """
    found = LogCheck()
    with Piles[Stretch | Present](Stretch | Present, held_max=held_max) as piles:
        reader = _Reader(store, span, piles, held_max, on_progress)
        if not await reader.begin():
            return found
        await reader.read_log()
        await reader.read_rows()
        suspects = await reader.compare(found)
    closely = _Closely(store, found, named_max, look_every_s)
    for some in _batches(sorted(suspects), held_max):
        await closely.look(some)
    return found


def _batches(suspects: list[_Suspect], held_max: int) -> Iterable[list[_Suspect]]:
    for start in range(0, len(suspects), held_max):
        yield suspects[start : start + held_max]


class _Suspect(msgspec.Struct, frozen=True, order=True):
    """A delivery that is to be looked at closely."""

    start: LogCursor  #: no line before it is about this delivery
    message_id: str
    endpoint_id: str


class _Reader:
    """Reads everything once, and finds out what is well."""

    def __init__(
        self,
        store: Store,
        span: Span,
        piles: Piles[Stretch | Present],
        held_max: int,
        on_progress: Callable[[int, int], None],
    ) -> None:
        self._store = store
        self._low, self._high = span.half_open_bounds("msg_")
        self._since_us = span.since_us
        # The listing leaves out the beginning of its span, the books do not.
        since_us = None if span.since_us is None else span.since_us - STEP_US
        self._which = DeliveryFilter(span=Span(since_us=since_us, until_us=span.until_us))
        self._piles = piles
        self._held_max = held_max
        self._on_progress = on_progress
        self._newest = ""  #: the last message there was at the beginning
        self._begin = self._end = LogCursor()  #: of what was read of the log
        self._open: dict[tuple[str, str], Stretch] = {}
        self._births = self._rows = self._lines = 0

    async def begin(self) -> bool:
        """Look where to begin; False: there is nothing to read."""
        newest = await self._store.deliveries(self._which, Page(limit=1, descending=True))
        if not newest:
            return False
        self._newest = newest[0].message_id
        if self._since_us is not None:
            self._begin = await place_at(self._store, self._since_us - _DISORDER_US)
        return True

    async def read_log(self) -> None:
        """All of it from there on, into stretches."""
        place = self._begin
        async for page in _pages(self._store, place):
            for one in page:
                line = one.entry
                if self._low <= line.message_id < self._high:
                    self._read(line, place)
                place = one.cursor
            self._say()
        self._put_away()
        self._end = place

    def _read(self, line: LogEntry, place: LogCursor) -> None:
        which = (line.message_id, line.endpoint_id)
        stretch = self._open.get(which)
        if stretch is None:
            if len(self._open) >= self._held_max:
                self._put_away()
            stretch = self._open[which] = Stretch(*which, place.transaction, place.line)
        stretch.read(line)
        self._lines += 1
        self._births += line.from_state is None

    def _put_away(self) -> None:
        for stretch in self._open.values():
            self._piles.put(stretch.message_id, stretch)
        self._open.clear()

    async def read_rows(self) -> None:
        """All that were there at the beginning."""
        after: str | None = None
        while True:
            page = await self._store.deliveries(self._which, Page(limit=_ROWS_PAGE, after=after))
            rows = [row for row in page if row.message_id <= self._newest]
            if rows:
                made = await self._store.attempts_made(rows[0].message_id, rows[-1].message_id)
                for row in rows:
                    self._piles.put(row.message_id, present(row, made.get(row.id, 0)))
                self._rows += len(rows)
                self._say()
            if len(page) < _ROWS_PAGE or len(rows) < len(page):
                return
            after = str(page[-1].id)

    def _say(self) -> None:
        # A delivery is done with when both its lines and its row were read.
        self._on_progress((self._births + self._rows) // 2, self._lines)

    async def compare(self, found: LogCheck) -> list[_Suspect]:
        """Count what there is; whatever is not well, or not yet."""
        some_are_purged = await _are_some_purged(self._store)
        suspects: list[_Suspect] = []
        for pile in self._piles:
            lives: dict[tuple[str, str], Stretch] = {}
            for one in pile:
                which = (one.message_id, one.endpoint_id)
                life = lives.get(which)
                if isinstance(one, Present):
                    found.deliveries += 1
                    found.lines += life.lines if life else 0
                    if not (life and one.is_end_of(life, some_are_purged=some_are_purged)):
                        suspects.append(_Suspect(self._start_of(life), *which))
                elif life is None:
                    lives[which] = one
                else:
                    life.join(one)
        return suspects

    def _start_of(self, life: Stretch | None) -> LogCursor:
        """Where to begin reading about a delivery."""
        if self._begin != LogCursor() and (life is None or life.first is not None):
            return LogCursor()  # its beginning may be earlier than it was looked for
        if life is None:
            return self._end
        return LogCursor(transaction=life.transaction, line=life.line)


async def _pages(store: Store, place: LogCursor) -> AsyncIterator[list[LoggedEntry]]:
    """The log after a place, to its present end; never an empty page."""
    while page := await store.log(place, limit=_LINES_PAGE):
        yield page
        if len(page) < _LINES_PAGE:
            return
        place = page[-1].cursor


async def _are_some_purged(store: Store) -> bool:
    """Whether attempts are, of some delivery."""
    kept = await store.get(Round, "", "round")
    return kept is not None and kept.purged.attempts > 0


class _Held(msgspec.Struct):
    """One delivery that is being looked at closely."""

    row: Delivery
    lines: list[LogEntry] = []  #: that were written, in the order of their versions

    @property
    def last(self) -> LogEntry | None:
        return self.lines[-1] if self.lines else None

    @property
    def decided(self) -> int:
        """Lines that an attempt led to."""
        return sum(line.attempt_id is not None for line in self.lines)

    @property
    def is_odd(self) -> bool:
        if self.last is None or not steps.is_what(self.row, self.last):
            return True
        return self.lines[0].version_before > 0  # what came before is not shown yet, or not there

    def add(self, line: LogEntry) -> None:
        """One more line. A transaction may have begun before another, and written after it; so may
        the lines of one delivery stand in the log."""
        insort(self.lines, line, key=lambda one: one.version_after)


class _Closely:
    """Reads line by line, waits for what is under way, and says what is wrong."""

    def __init__(self, store: Store, found: LogCheck, named_max: int, look_every_s: float) -> None:
        self._store = store
        self._found = found
        self._named_max = named_max
        self._look_every_s = look_every_s
        self._held: dict[tuple[str, str], _Held] = {}
        self._end = LogCursor()  #: of what was read of the log

    async def look(self, suspects: list[_Suspect]) -> None:
        """At these, which are not none, in the order of where they begin."""
        self._held = {}
        for one in suspects:
            row = await self._store.delivery(DeliveryId(one.message_id, one.endpoint_id))
            if row is not None:  # else the books name it, if it should be there
                self._held[one.message_id, one.endpoint_id] = _Held(row)
        self._end = suspects[0].start
        await self._read_log()
        odd = [held for held in self._held.values() if held.is_odd]
        for _ in range(_LOOKS_MAX):
            odd = [held for held in odd if await self._is_still_odd(held)]
            if not odd:
                break
            await asyncio.sleep(self._look_every_s)
            await self._read_log()
        for held in self._held.values():
            for before, line in zip([None, *held.lines], held.lines, strict=False):
                for breach in steps.wrongs(before, line):
                    self._name(breach)
        for held in odd:
            self._name_row(held)
        await self._compare_attempts()

    async def _read_log(self) -> None:
        async for page in _pages(self._store, self._end):
            for one in page:
                held = self._held.get((one.entry.message_id, one.entry.endpoint_id))
                if held is not None and one.entry.rows_written:
                    held.add(one.entry)
            self._end = page[-1].cursor

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
        some_are_purged = await _are_some_purged(self._store)
        for which, held in self._held.items():
            made = await self._store.attempts_made(which[0], which[0])
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
        if len(self._found.breaches) < self._named_max:
            self._found.breaches.append(breach)
        else:
            self._found.more += 1
