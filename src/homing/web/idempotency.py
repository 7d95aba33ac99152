"""Requests that are sent twice: the second gets the first one's reply."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

from homing.core.errors import Conflict
from homing.core.records import Reply, RequestKey
from homing.core.store import Store
from homing.web.operation import Answer, Streamed


class ReplyCodec(NamedTuple):
    """How the body of a reply is kept."""

    encode: Callable[[bytes], bytes]
    decode: Callable[[bytes], bytes]


PLAIN: Final = ReplyCodec(bytes, bytes)


class IdempotentRequests:
    """Recognises repeats: those under way in this process by waiting, the others in the store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._under_way: dict[bytes, asyncio.Event] = {}

    async def once(
        self,
        key: RequestKey,
        at_us: int,
        work: Callable[[], Awaitable[Answer | Streamed]],
        is_kept: Callable[[], bool],
        codec: ReplyCodec = PLAIN,
    ) -> Answer | Streamed:
        """Do the work, or answer as it was answered before.

        Args:
            at_us: now; keys expire.
            work: the request.
            is_kept: after the work: whether it has stored the reply itself.
            codec: for a reply that must not be stored as it is.

        Raises:
            Conflict: the key came with another body before.
        """
        while key.digest in self._under_way:
            await self._under_way[key.digest].wait()
        done = self._under_way[key.digest] = asyncio.Event()
        try:
            earlier = await self._earlier(key, at_us, codec)
            if earlier is not None:
                return earlier
            try:
                answer = await work()
            except Conflict:
                # Another process may have done the same request meanwhile.
                earlier = await self._earlier(key, at_us, codec)
                if earlier is None:
                    raise
                return earlier
            if isinstance(answer, Answer) and not is_kept() and 200 <= answer.status < 300:
                reply = Reply(status=answer.status, body=codec.encode(answer.body))
                await self._store.remember(key, reply, at_us=at_us)
            return answer
        finally:
            del self._under_way[key.digest]
            done.set()

    async def _earlier(self, key: RequestKey, at_us: int, codec: ReplyCodec) -> Answer | None:
        reply = await self._store.recall(key, at_us=at_us)
        if not isinstance(reply, Reply):
            return None
        return Answer(reply.status, codec.decode(reply.body))
