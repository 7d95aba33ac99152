"""Finds messages by words of their payloads: by the index, and what it has not reached by reading.

What is found was read just now, so what was deleted is never found. What a search costs has a
bound: so many bytes of payloads, and so long.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from homing.core.errors import Invalid, Problem
from homing.core.identifiers import made_at_us
from homing.core.searching import Indexing, Segment, Text
from homing.service.context import Service
from homing.service.text_index import PLACE
from homing.service.text_words import (
    TEXT_BYTES_MAX,
    Wanted,
    bucket_of,
    candidates,
    has_all,
    piece_bounds,
    wanted,
)

#: bytes of payloads that one search reads: what is not indexed yet, and pieces that may have it all
_NEWEST_BYTES_MAX: Final = 4_194_304
_BYTES_MAX: Final = 8_388_608
#: messages of one reading
_READ: Final = 128
#: segments that are looked up at once: 250,000 messages
_SEGMENTS: Final = 64
#: in all: four million messages
_SEGMENTS_MAX: Final = 1_024


class TextNote(msgspec.Struct, frozen=True, kw_only=True):
    """What a search by text can say of itself."""

    indexed_to_us: int | None  #: what was accepted up to then is indexed; None: nothing is yet
    #: accepted between these and not indexed yet: too much to be read, so it was passed over
    skipped: tuple[int, int] | None = None


class TextSearch:
    """One search by text, newest first.

    Args:
        app_ids: n >= 1.
        low: no message with a smaller id is wanted.
        high: only messages with a smaller id are.
        until_us: monotonic microseconds at which it has to stop.
    """

    def __init__(
        self,
        service: Service,
        words: Sequence[str],
        *,
        app_ids: Sequence[str],
        low: str,
        high: str,
        until_us: int,
    ) -> None:
        self._service = service
        self._all_of = [_wanted(word) for word in words]
        self._words = sorted({word for one in self._all_of for word in one.words})
        self._apps = frozenset(app_ids)
        self._app = next(iter(app_ids)) if len(app_ids) == 1 else None
        self._low = low
        self._until_us = until_us
        self._left = _BYTES_MAX
        self._newest_left = _NEWEST_BYTES_MAX
        self._segments_left = _SEGMENTS_MAX
        self._indexed: str | None = None  #: up to and with this message
        #: what is left to be looked at lies below it; with a space at its end, up to it
        self.place = high
        self.is_done = high <= low  #: nothing is left
        self.is_spent = False  #: it has cost enough
        self._skipped: tuple[int, int] | None = None

    @property
    def note(self) -> TextNote:
        indexed = self._indexed
        return TextNote(
            indexed_to_us=made_at_us(indexed) if indexed else None, skipped=self._skipped
        )

    async def more(self, limit: int) -> list[str]:
        """The next messages that have all the words, newest first, at most `limit`.

        Fewer come back only when nothing is left, or when it has cost enough.
        """
        if self._indexed is None:
            known = await self._service.store.get(Indexing, *PLACE)
            self._indexed = known.after if known else ""
        found: list[str] = []
        while len(found) < limit and not self.is_done and not self.is_spent:
            if self.place > _next(self._indexed):
                found += await self._read_newest(limit - len(found))
            else:
                found += await self._look_up(limit - len(found))
        return found

    # --- what is not indexed yet ---

    async def _read_newest(self, limit: int) -> list[str]:
        """Some of it; then on to what is indexed."""
        assert self._indexed is not None
        bottom = max(self._low, self._indexed)
        texts: list[Text] = []
        if bottom < self.place:
            texts = await self._service.store.newest_texts(
                bottom, self.place, limit=_READ, bytes_max=TEXT_BYTES_MAX, app_id=self._app
            )
        found = self._keep(texts, limit)
        if len(found) == limit:
            self.place = found[-1]
        elif len(texts) < _READ:
            self.place = _next(self._indexed)
            self.is_done = self._low >= self._indexed
        else:
            self.place = texts[-1].message_id
            self._newest_left -= sum(len(text.content) for text in texts)
            if self._newest_left <= 0 and self._low < self._indexed:
                self._skipped = (made_at_us(self._indexed), made_at_us(self.place))
                self.place = _next(self._indexed)
            else:  # there is no index below: the next page reads on
                self.is_spent = self._newest_left <= 0 or self._is_over()
        return found

    # --- what is indexed ---

    async def _look_up(self, limit: int) -> list[str]:
        # Without the space: of a segment that was looked up, nothing is left.
        segments = await self._service.store.segments(self.place.rstrip(), limit=_SEGMENTS)
        fresh = [one.number for one in segments if not one.stale]
        entries = {
            word: await self._service.store.entries(bucket_of(word), fresh) for word in self._words
        }
        found: list[str] = []
        for segment in segments:
            if segment.last < self._low:
                self.is_done = True
                return found
            mine = {word: entries[word].get(segment.number) for word in self._words}
            found += await self._read_pieces(segment, mine, limit - len(found))
            if len(found) >= limit or self.is_spent:
                return found
            self.place = _next(segment.after)
            self._segments_left -= 1
        self.is_done = len(segments) < _SEGMENTS or self.place <= self._low
        self.is_spent = not self.is_done and (self._segments_left <= 0 or self._is_over())
        return found

    async def _read_pieces(
        self, segment: Segment, entries: dict[bytes, bytes | None], limit: int
    ) -> list[str]:
        """The pieces of a segment that may have it all, newest first."""
        found: list[str] = []
        for piece in candidates(segment, self._words, entries):
            after, last = piece_bounds(segment, piece)
            if after >= self.place:
                continue
            below = min(self.place, _next(last))
            texts = await self._service.store.newest_texts(
                max(after, self._low), below, limit=256, bytes_max=TEXT_BYTES_MAX, app_id=self._app
            )
            found += self._keep(texts, limit - len(found))
            self._left -= sum(len(text.content) for text in texts) + 1_024
            if len(found) >= limit:
                self.place = found[-1]
                return found
            self.place = _next(after)
            if self._left <= 0 or self._is_over():
                self.is_spent = True
                return found
        return found

    def _keep(self, texts: Sequence[Text], limit: int) -> list[str]:
        found = (
            text.message_id
            for text in texts
            if text.app_id in self._apps and has_all(text.content, self._all_of)
        )
        return [name for name, _ in zip(found, range(limit), strict=False)]

    def _is_over(self) -> bool:
        return self._service.clock.mono_us() > self._until_us


def _next(name: str) -> str:
    """The least text after an id: a space sorts before every character of one."""
    return f"{name} "


def _wanted(word: str) -> Wanted:
    found = wanted(word)
    if found is None:
        text = f"expected a letter or a digit in what is looked for in payloads, found {word!r}"
        raise Invalid([Problem(("query", "find"), text)])
    return found


def payload_has(payload: bytes, words: Sequence[str]) -> bool:
    """Whether a payload has all of these.

    Raises:
        Invalid: one of them is no word.
    """
    return has_all(payload, [_wanted(word) for word in words])
