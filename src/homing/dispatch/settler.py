"""Writes decisions down, many to a commit, and does not let go of one until it is written."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from homing.core.errors import Unavailable
from homing.core.ports import Meters, NoMeters
from homing.core.records import Change
from homing.core.store import Deliveries

_log = logging.getLogger("homing.dispatch")

#: decisions that share one commit
BATCH_MAX: Final = 1_000
#: decisions that arrive within this time of each other share a commit. Nobody waits for it: the
#: receiver has its webhook. At 5,000 a second it makes batches of 100.
LINGER_S: Final = 0.02
_RETRY_FIRST_S: Final = 0.05
_RETRY_MAX_S: Final = 2.0


class Settler:
    """The one who writes outcomes; one batch is under way at a time.

    What was sent but not recorded is the worst that can happen to a delivery, so a batch is tried
    until the database takes it. Should the process die first, the lease runs out, and the delivery
    is attempted again.

    Args:
        written: told about each batch that is in the database.
    """

    def __init__(
        self,
        store: Deliveries,
        meters: Meters | None = None,
        written: Callable[[Sequence[Change]], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._meters = meters or NoMeters()
        self._written = written
        self._waiting: deque[Change] = deque()
        self._arrived = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._task: asyncio.Task[None] | None = None

    def put(self, change: Change) -> None:
        """Have it written soon."""
        if not self._waiting:
            self._idle.clear()
            self._arrived.set()
        self._waiting.append(change)
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="settler")

    @property
    def pending(self) -> int:
        """Decisions that wait for a batch."""
        return len(self._waiting)

    async def flush(self) -> None:
        """Return when everything put so far is written."""
        await self._idle.wait()

    async def close(self, within_s: float) -> bool:
        """Write what is left, for at most `within_s` seconds; whether all of it was written."""
        try:
            await asyncio.wait_for(self.flush(), within_s)
        except TimeoutError:
            _log.error(
                "outcomes left unwritten: their leases will run out",
                extra={
                    "count": len(self._waiting),
                },
            )
        written = self._idle.is_set()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        return written

    async def _run(self) -> None:
        while True:
            await self._arrived.wait()
            if len(self._waiting) < BATCH_MAX:
                await asyncio.sleep(LINGER_S)
            batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), BATCH_MAX))]
            await self._write(batch)
            if not self._waiting:
                self._arrived.clear()
                self._idle.set()

    async def _write(self, batch: list[Change]) -> None:
        pause_s = _RETRY_FIRST_S
        while True:
            try:
                self._count(batch, await self._store.settle(batch))
            except Unavailable as error:
                _log.warning("outcomes wait for the database: %s", error)
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, _RETRY_MAX_S)
            except Exception:
                await self._write_each(batch)
                return
            else:
                return

    async def _write_each(self, batch: list[Change]) -> None:
        """One of them cannot be written: find it, so that the others are."""
        if len(batch) == 1:
            _log.exception(
                "an outcome cannot be written; its lease will run out",
                extra={"delivery": str(batch[0].id)},
            )
            return
        for change in batch:
            await self._write([change])

    def _count(self, batch: list[Change], written: list[bool]) -> None:
        for change, done in zip(batch, written, strict=True):
            if done:
                self._meters.settled(change.after.state, change.after.reason)
            if change.attempt is not None:
                attempt = change.attempt
                self._meters.attempted(attempt.reason, attempt.total_us, late=not done)
        self._meters.batch("settle", len(batch))
        self._written(batch)
