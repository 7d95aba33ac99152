"""What the demo shows, read from the delivery log and the books beside the running service."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

from homing.core.lifecycle import State
from homing.core.queries import Backlog, LogCursor
from homing.core.records import LogEntry
from homing.core.store import Store
from homing.insight.ledger import AuditReport
from homing.service.books import audit
from homing.service.log_export import end_of_log
from homing.system import SystemClock

_PAGE: Final = 5_000
_SHOWN: Final = 12


class Books:
    """Counts what happens from now on."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._clock = SystemClock()
        self._cursor = LogCursor()
        self._reading = asyncio.Lock()  # a page read twice would be counted twice
        self.began_us = self._clock.now_us()
        self.accepted = self.delivered = self.retried = self.dead = 0
        self.lines: deque[LogEntry] = deque(maxlen=_SHOWN)
        self.backlog = Backlog(waiting=0, leased=0, parked=0, due=0, oldest_due_at_us=None)
        self.report: AuditReport | None = None

    async def start(self) -> None:
        """Skip what earlier runs left in the log."""
        self._cursor = await end_of_log(self._store)

    async def update(self) -> None:
        """Read what is new; safe to be asked for by several tasks at once."""
        async with self._reading:
            while True:
                page = await self._store.log(self._cursor, limit=_PAGE)
                for line in page:
                    self._count(line.entry)
                    self._cursor = line.cursor
                if len(page) < _PAGE:
                    break
        self.backlog = await self._store.backlog(self._clock.now_us())

    async def audit_recent(self) -> None:
        """Balance the books of what was accepted since the demo began."""
        self.report = await audit(self._store, self._clock, since_us=self.began_us)

    async def audit_all(self) -> AuditReport:
        """Balance the books from the first message of the first run."""
        return await audit(self._store, self._clock)

    @property
    def elapsed_s(self) -> float:
        return (self._clock.now_us() - self.began_us) / 1_000_000

    def _count(self, entry: LogEntry) -> None:
        if entry.op == "accepted":
            self.accepted += 1
        elif entry.to_state is State.DELIVERED:
            self.delivered += 1
        elif entry.to_state is State.DEAD:
            self.dead += 1
        elif entry.op == "failed" and entry.rows_written:
            self.retried += 1
        if entry.op not in ("accepted", "leased"):
            self.lines.append(entry)
