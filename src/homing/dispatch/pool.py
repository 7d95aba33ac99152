"""The connections of a sender: those in use, and those kept for the next request."""

from __future__ import annotations

import asyncio
from time import monotonic

import msgspec

from homing.dispatch.connection import Connection


class Idle(msgspec.Struct, frozen=True, kw_only=True):
    """How connections are kept for the next request."""

    #: Shorter than what servers commonly allow (gunicorn 2 s, Node, uvicorn and Apache 5 s): a
    #: request written while the receiver closes is an attempt lost. An endpoint with more than a
    #: request per second keeps its connection anyway, and the others do not miss it.
    kept_s: float = 1.5
    #: as many as one claim can put in flight to one endpoint: with fewer, a backlog opened a new
    #: connection for most of its requests (a third of what they cost)
    per_pool_max: int = 1_024
    total_max: int = 2_048


class Pool:
    """Keeps connections and watches their deadlines, all with one timer.

    Args:
        tick_s: how often deadlines are looked at; a late look is the most they are missed by.
    """

    def __init__(self, idle: Idle, tick_s: float) -> None:
        self._limits = idle
        self._tick_s = tick_s
        self._live: set[Connection] = set()
        self._idle: dict[tuple[str, str], list[Connection]] = {}
        self._idle_count = 0
        self._ticking: asyncio.TimerHandle | None = None
        self._emptied: asyncio.Future[None] | None = None

    @property
    def open_count(self) -> int:
        """In use or idle."""
        return len(self._live)

    @property
    def idle_count(self) -> int:
        """Kept for the next request."""
        return self._idle_count

    def add(self, connection: Connection) -> None:
        """Watch a new connection until it is lost."""
        if connection.is_lost:
            return
        self._live.add(connection)
        if self._ticking is None:
            self._arm()

    def take(self, key: tuple[str, str]) -> Connection | None:
        """The connection used last that can still be trusted."""
        kept = self._idle.get(key)
        if kept is None:
            return None
        now = monotonic()
        found = None
        while kept and found is None:
            connection = kept.pop()
            self._idle_count -= 1
            if connection.due_at > now and connection.is_sound and connection.is_silent:
                found = connection
            else:
                connection.abort()
        if not kept:
            del self._idle[key]
        return found

    def keep(self, connection: Connection) -> None:
        """Let the next request use it, unless it is spent or there are enough."""
        kept = self._idle.get(connection.key)
        if (
            not connection.is_sound
            or self._idle_count >= self._limits.total_max
            or (kept is not None and len(kept) >= self._limits.per_pool_max)
        ):
            connection.abort()
            return
        if kept is None:
            kept = self._idle[connection.key] = []
        connection.due_at = monotonic() + self._limits.kept_s
        kept.append(connection)
        self._idle_count += 1

    def forget(self, connection: Connection) -> None:
        """It is lost."""
        self._live.discard(connection)
        kept = self._idle.get(connection.key)
        if kept is not None and connection in kept:
            kept.remove(connection)
            self._idle_count -= 1
            if not kept:
                del self._idle[connection.key]
        if not self._live and self._emptied is not None and not self._emptied.done():
            self._emptied.set_result(None)

    async def close(self) -> None:
        """Close every connection."""
        for connection in list(self._live):
            connection.abort()
        if self._live:
            self._emptied = asyncio.get_running_loop().create_future()
            await asyncio.wait([self._emptied], timeout=1.0)
        if self._ticking is not None:
            self._ticking.cancel()
            self._ticking = None

    def _arm(self) -> None:
        self._ticking = asyncio.get_running_loop().call_later(self._tick_s, self._tick)

    def _tick(self) -> None:
        """Look at every deadline: one timer for all of them is the cheapest there is."""
        now = monotonic()
        for connection in [c for c in self._live if c.due_at <= now]:
            connection.overdue()
        self._ticking = None
        if self._live:
            self._arm()
