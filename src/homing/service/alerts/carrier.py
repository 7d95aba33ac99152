"""Carries notices through their channels until they are taken, and keeps what became of them.

A notice is written in the transaction that decides on it, so there is none that only a process
knew of. Any process may carry one: it takes it by a write that raises its version, and a process
that is killed leaves only a lease that runs out. It leaves the pending ones in one transaction with
the note of what became of it. So a crash can make a notice come twice, and never not at all.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from homing.core.errors import Conflict, Stale, StoreError
from homing.core.ports import Clock
from homing.core.queries import Page
from homing.core.store import Store
from homing.insight.alerts.alert import FAILED, PENDING, SENT, Notice
from homing.service.alerts.channel import Channel, NotTaken

_log = logging.getLogger("homing.alerts")

#: how often pending notices are looked for when nobody says that there is one
_POLL_S: Final = 2.0
#: how long one process may take over one notice: longer than any channel is waited for
_LEASE_US: Final = 60_000_000
_CARRY_S: Final = 30.0
#: waits between tries; the last one repeats
RETRY_S: Final = (5.0, 15.0, 60.0, 300.0, 900.0, 1_800.0)
#: after so long a notice is old news, and is set aside: with the other failed ones, for people
GIVE_UP_US: Final = 24 * 3_600_000_000
_LOOKED_AT_MAX: Final = 500


def retry_s(tries: int) -> float:
    """The wait after so many tries, >= 1."""
    return RETRY_S[min(tries, len(RETRY_S)) - 1]


class Carrier:
    """Carries for one process.

    Args:
        channels: by id.
        on_result: is told of each try: "sent", "refused" or "given_up".
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        channels: Mapping[str, Channel],
        *,
        on_result: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._channels = channels
        self._on_result = on_result
        self._awake = asyncio.Event()

    def wake(self) -> None:
        """There may be a new notice."""
        self._awake.set()

    async def run(self) -> None:
        """Carry whatever is pending, for ever."""
        while True:
            self._awake.clear()
            try:
                await self.look()
            except StoreError as error:
                _log.warning("notices wait for the database: %s", error)
            try:
                async with asyncio.timeout(_POLL_S):
                    await self._awake.wait()
            except TimeoutError:
                pass

    async def look(self) -> int:
        """Try every pending notice that is due; how many were taken by their channels."""
        at_us = self._clock.now_us()
        found = await self._store.list(Notice, PENDING, Page(limit=_LOOKED_AT_MAX))
        due: dict[str, list[Notice]] = defaultdict(list)
        for notice in found:
            if notice.free_at_us <= at_us:
                due[notice.channel].append(notice)
        # A channel that hangs holds up no other; its own go one by one, in their order.
        counts = await asyncio.gather(*(self._carry_all(some) for some in due.values()))
        return sum(counts)

    async def _carry_all(self, notices: Sequence[Notice]) -> int:
        return sum([await self._carry(one) for one in notices])

    async def _carry(self, notice: Notice) -> bool:
        taken = await self._take(notice)
        if taken is None:
            return False
        error = await self._try(taken)
        if error is None:
            await self._finish(taken, SENT, None)
            self._on_result("sent")
            return True
        if self._clock.now_us() - taken.created_at_us >= GIVE_UP_US:
            await self._finish(taken, FAILED, error)
            self._on_result("given_up")
            _log.critical("gave up telling through %s for a day: %s", taken.channel, error)
            return False
        self._on_result("refused")
        _log.error("an alert was not taken by %s and is tried again: %s", taken.channel, error)
        await self._write(
            taken,
            error=error,
            free_at_us=self._clock.now_us() + round(retry_s(taken.tries) * 1_000_000),
        )
        return False

    async def _take(self, notice: Notice) -> Notice | None:
        """The notice as this process has it now; None: another was first."""
        at_us = self._clock.now_us()
        return await self._write(notice, tries=notice.tries + 1, free_at_us=at_us + _LEASE_US)

    async def _try(self, notice: Notice) -> str | None:
        """None when it was taken, else why not."""
        channel = self._channels.get(notice.channel)
        if channel is None:
            return "no channel of this name is configured here"
        try:
            async with asyncio.timeout(_CARRY_S):
                await channel.carry(notice.alerts, at_us=self._clock.now_us())
        except NotTaken as error:
            return str(error)
        except TimeoutError:
            return f"no answer within {_CARRY_S:.0f} s"
        except Exception as error:  # a library's own: it must not end the other channels
            _log.exception("the channel %s failed in a way of its own", notice.channel)
            return type(error).__name__
        return None

    async def _finish(self, notice: Notice, scope: str, error: str | None) -> None:
        at_us = self._clock.now_us()
        done = msgspec.structs.replace(
            notice, scope=scope, version=1, error=error, updated_at_us=at_us, finished_at_us=at_us
        )
        await self._store.delete(notice, also=(done,))

    async def _write(self, notice: Notice, **fields: object) -> Notice | None:
        after = msgspec.structs.replace(
            notice, version=notice.version + 1, updated_at_us=self._clock.now_us(), **fields
        )
        try:
            await self._store.put(after)
        except (Stale, Conflict):
            return None
        return after
