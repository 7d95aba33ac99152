"""Words of payloads in memory: segments of the index, and what they are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from homing.core.errors import Stale
from homing.core.searching import Indexing, Segment, Text
from homing.store.memory.resources import MemoryResources


class MemoryTexts(MemoryResources):
    """The part of `core.searching.Searching` that is about payloads, in memory."""

    async def texts(
        self, after: str, last: str, *, limit: int, bytes_max: int, app_id: str | None = None
    ) -> list[Text]:
        return self._texts(lambda name: after < name <= last, bytes_max, app_id)[:limit]

    async def newest_texts(
        self, after: str, below: str, *, limit: int, bytes_max: int, app_id: str | None = None
    ) -> list[Text]:
        found = self._texts(lambda name: after < name < below, bytes_max, app_id)
        return found[::-1][:limit]

    def _texts(
        self, within: Callable[[str], bool], bytes_max: int, app_id: str | None
    ) -> list[Text]:
        return [
            Text(name, message.app_id, message.payload[:bytes_max])
            for name, message in sorted(self.accepted.items())
            if within(name) and message.payload is not None and app_id in (None, message.app_id)
        ]

    async def put_segment(
        self, progress: Indexing, segment: Segment | None, entries: Sequence[tuple[int, bytes]]
    ) -> None:
        if segment is not None and entries:
            there = self._texts(lambda name: segment.after < name <= segment.last, 0, None)
            if len(there) != segment.messages:
                raise Stale("the messages of the segment have changed since they were read")
        await self.put(progress)
        if segment is not None:
            self.text_segments.pop(segment.number, None)
            if entries:
                self.text_segments[segment.number] = (segment, dict(entries))

    async def segments(self, below: str, *, limit: int) -> list[Segment]:
        found = [one for _, (one, _) in sorted(self.text_segments.items()) if one.after < below]
        return found[::-1][:limit]

    async def stale_segments(self, *, limit: int) -> list[Segment]:
        return [one for _, (one, _) in sorted(self.text_segments.items()) if one.stale][:limit]

    async def entries(self, bucket: int, numbers: Sequence[int]) -> dict[int, bytes]:
        return {
            number: self.text_segments[number][1][bucket]
            for number in numbers
            if number in self.text_segments and bucket in self.text_segments[number][1]
        }
