"""Indexes the words of payloads, in the background: a little at a time, one process at a time.

Nothing of it is on the way of a message. It reads payloads a minute after they were accepted, in
pieces of 64, and rests 49 times as long as each took; under a load that it cannot follow it
falls behind, and whoever searches is told up to when it has come.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

import msgspec

from homing.core.errors import Conflict, Stale, StoreError
from homing.core.identifiers import first_id
from homing.core.ports import Clock
from homing.core.searching import Indexing, Segment, Text
from homing.core.store import Store
from homing.service.text_words import PIECE_MESSAGES, TEXT_BYTES_MAX, Builder

_log = logging.getLogger("homing.search")

PLACE: Final = ("", "text_indexing")
#: share of the time that indexing takes, its waiting for the database included: about a thousand
#: messages a second of 600 bytes each, and fewer where others are at work
SHARE: Final = 0.02
#: a message is in the database by then, whatever held up its commit, seconds. One that comes
#: later still is found by everything but its text
SETTLED_S: Final = 60.0
#: how long the turn lasts unless it is renewed, and when that is done, microseconds
_TURN_US: Final = 60_000_000
_RENEW_US: Final = 30_000_000
#: how often it looks for something new, seconds
_LOOK_S: Final = 10.0
#: how often a segment is indexed again from which something was removed, microseconds
_AGAIN_US: Final = 60_000_000
#: stale segments that are looked at together: most have nothing left in them
_STALE: Final = 100


class TextIndexer:
    """Indexes for one process, when it has the turn.

    Args:
        holder: names this process among all that ever ran.
        share: of the time, in (0, 1].
        settled_s: how old a message has to be, seconds.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        holder: str,
        *,
        share: float = SHARE,
        settled_s: float = SETTLED_S,
    ) -> None:
        self._store = store
        self._clock = clock
        self._holder = holder
        self._idle = 1 / share - 1
        self._settled_us = round(settled_s * 1_000_000)
        self._builder: Builder | None = None
        self._again_at_us = 0

    async def run(self) -> None:
        """Index what there is, and look for more every few seconds, for ever."""
        while True:
            try:
                while await self.step():
                    pass
            except StoreError as error:
                self._builder = None
                _log.warning("indexing of payloads waits for the database: %s", error)
            await asyncio.sleep(_LOOK_S)

    async def step(self) -> bool:
        """A piece, if it is this process's turn; whether there may be another."""
        try:
            known = await self._turn()
            return known is not None and await self._index(known)
        except (Stale, Conflict):
            self._builder = None  # somebody else was first, or something was removed: read again
            return False

    async def _turn(self) -> Indexing | None:
        """The progress, when it is this process's turn."""
        now_us = self._clock.now_us()
        known = await self._store.get(Indexing, *PLACE)
        if known is None:
            known = Indexing(
                scope=PLACE[0], id=PLACE[1], version=0, created_at_us=now_us, updated_at_us=now_us
            )
        is_ours = known.holder == self._holder
        if not is_ours:
            self._builder = None
            if known.until_us > now_us:
                return None
        if not is_ours or known.until_us - now_us < _RENEW_US:
            known = await self._put(known)
        return known

    async def _put(
        self,
        known: Indexing,
        segment: Segment | None = None,
        entries: list[tuple[int, bytes]] | None = None,
    ) -> Indexing:
        now_us = self._clock.now_us()
        after = msgspec.structs.replace(
            known,
            version=known.version + 1,
            updated_at_us=now_us,
            holder=self._holder,
            until_us=now_us + _TURN_US,
        )
        if segment is not None and segment.number > known.number:
            after = msgspec.structs.replace(after, after=segment.last, number=segment.number)
        await self._store.put_segment(after, segment, entries or [])
        return after

    async def _index(self, known: Indexing) -> bool:
        builder = self._builder
        if builder is None or builder.number != known.number + 1:
            builder = self._builder = Builder(known.number + 1, known.after)
        horizon = first_id("msg_", self._clock.now_us() - self._settled_us)
        began_us = self._clock.mono_us()
        texts = await self._read(builder.last, horizon)
        self._gather(builder, texts)
        await self._rest(began_us)
        if builder.is_full:
            self._builder = None
            await self._put(known, *builder.build())
            return True
        if len(texts) == PIECE_MESSAGES:
            return True
        await self._index_again(known)
        return False

    async def _read(self, after: str, last: str) -> list[Text]:
        if after >= last:
            return []
        return await self._store.texts(after, last, limit=PIECE_MESSAGES, bytes_max=TEXT_BYTES_MAX)

    def _gather(self, builder: Builder, texts: list[Text]) -> None:
        """Add these: a millisecond's work, or less."""
        for text in texts:
            if builder.is_full:
                return
            builder.add(text.message_id, text.content)

    async def _rest(self, began_us: int) -> None:
        """For every moment of work many of rest."""
        took_us = self._clock.mono_us() - began_us
        await asyncio.sleep(took_us * self._idle / 1_000_000)

    async def _index_again(self, known: Indexing) -> None:
        """Segments that something was removed from: all that are empty by now, and one other."""
        now_us = self._clock.mono_us()
        if self._again_at_us > now_us:
            return
        self._again_at_us = now_us + _AGAIN_US
        for segment in await self._store.stale_segments(limit=_STALE):
            builder = Builder(segment.number, segment.after)
            while not builder.is_full:
                began_us = self._clock.mono_us()
                texts = await self._read(builder.last, segment.last)
                self._gather(builder, texts)
                await self._rest(began_us)
                if len(texts) < PIECE_MESSAGES:
                    break
            again, entries = builder.build()
            # It keeps its end: the next segment goes on from there.
            again = again._replace(last=segment.last, pieces=_up_to(again.pieces, segment.last))
            known = await self._put(known, again, entries)
            if entries:
                return


def _up_to(pieces: tuple[str, ...], last: str) -> tuple[str, ...]:
    """The same, the last of them ending with the segment."""
    return (*pieces[:-1], last)
