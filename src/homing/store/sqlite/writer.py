"""Group commit: writes that are asked for at the same time share one transaction of SQLite.

The statements run on the event loop's own thread: beside it they would compete with it for the
interpreter's lock at every row, which cost an eighth more processor time and three times the
latency (measured). What may wait does so in a thread: for another process, where one is found to be
writing when a transaction is to begin, and for the disk at its end. Only after the commit is
anybody told. A job that fails fails alone.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Generic, TypeVar

from homing.core.errors import Unavailable
from homing.store.sqlite.connection import CHECKPOINT_PAGES, PAGE_BYTES
from homing.store.sqlite.errors import store_error
from homing.store.sqlite.folding import Folding

T = TypeVar("T")

#: how long a busy event loop keeps the interpreter's lock from a thread that has committed or
#: read, seconds; Python's own 5 ms would be added to every commit
_SWITCH_S = 0.0005
#: jobs in one transaction: bounds how long the write lock is kept from other processes
_JOBS_MAX = 256
#: transactions after one that another process was in the way of, for which we do not begin before
#: the event loop has been round once: otherwise the other would hardly find the file free
_POLITE = 100
#: the write-ahead log is cut off beyond so many bytes
_LOG_BYTES_MAX = 2 * CHECKPOINT_PAGES * PAGE_BYTES


class _Job(Generic[T]):
    """One write, and what came of it."""

    __slots__ = ("error", "future", "result", "work")

    def __init__(self, work: Callable[[sqlite3.Connection], T]) -> None:
        self.work = work
        self.future: asyncio.Future[T] | None = None
        self.result: T | None = None
        self.error: BaseException | None = None

    def tell(self) -> None:
        """Wake who waits; nobody does after a cancellation."""
        if self.future is None or self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)  # type: ignore[arg-type]


class Writer:
    """Runs jobs on the one writing connection. Belongs to one event loop.

    Args:
        db: in autocommit mode (`isolation_level` None); closed by `close`. How long it waits for
            another process's transaction is kept to, without keeping the event loop.
        inline: run and commit each job at once, without a thread, for simulation.
    """

    def __init__(self, db: sqlite3.Connection, *, inline: bool = False) -> None:
        self.commits = 0
        self._db = db
        self._busy_ms = db.execute("PRAGMA busy_timeout").fetchone()[0]
        db.execute("PRAGMA busy_timeout = 0")
        self._folding = Folding(db, _LOG_BYTES_MAX)
        self._polite = 0  #: transactions that are still to be begun politely
        self._jobs: deque[_Job[Any]] = deque()
        self._closed = False
        self._pump: asyncio.Task[None] | None = None
        self._thread = None if inline else ThreadPoolExecutor(1, thread_name_prefix="homing-writer")
        if self._thread is not None:
            sys.setswitchinterval(min(_SWITCH_S, sys.getswitchinterval()))

    async def submit(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` in a transaction; durable when this returns.

        Raises:
            Whatever `work` raised, its writes undone; StoreError for what the database did.
        """
        if self._closed:
            raise Unavailable("the store is closed")
        job = _Job(work)
        if self._thread is None:
            await self._transact([job], self._at_once)
            if job.error is not None:
                raise job.error
            return job.result  # type: ignore[return-value]
        job.future = asyncio.get_running_loop().create_future()
        self._jobs.append(job)
        if self._pump is None or self._pump.done():
            self._pump = asyncio.create_task(self._commit_all(), name="sqlite writer")
        return await job.future

    async def close(self) -> None:
        """Finish what is queued, then close the connection."""
        if self._closed:
            return
        self._closed = True
        if self._pump is not None:
            await asyncio.wait([self._pump])
        if self._thread is not None:
            await asyncio.to_thread(self._thread.shutdown)
        self._db.close()

    async def _commit_all(self) -> None:
        while self._jobs:
            group: list[_Job[Any]] = []
            await self._transact(group, self._in_thread)
            for job in group:
                job.tell()
            if self._folding.is_due():
                await self._in_thread(self._folding.fold)

    async def _transact(
        self,
        group: list[_Job[Any]],
        run: Callable[[Callable[[], object]], Awaitable[None]],
    ) -> None:
        """Run the group, or, if it is empty, all that is queued once the transaction has begun.

        Args:
            run: carries out what may have to wait.
        """
        db = self._db
        try:
            if self._polite or not self._begin():
                await run(self._wait_and_begin)
            if not group:
                self._gather(group)
            if len(group) == 1:  # as a rule: then there is nobody to keep its failure from
                group[0].result = group[0].work(db)
            else:
                for job in group:
                    self._attempt(job)
            await run(self._commit)
            self.commits += 1
        except BaseException as error:  # the pump must live: everyone is told instead
            if not group:
                self._gather(group)
            for job in group:
                job.error = store_error(error) if isinstance(error, sqlite3.Error) else error
            if db.in_transaction:
                # If it stays open, the next BEGIN brings us back here.
                with suppress(sqlite3.Error):
                    await run(self._roll_back)

    def _gather(self, group: list[_Job[Any]]) -> None:
        """Everything that is queued by now."""
        while self._jobs and len(group) < _JOBS_MAX:
            group.append(self._jobs.popleft())

    def _begin(self) -> bool:
        """Begin a transaction at once, unless another process is in one; whether it has begun."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            self._polite = _POLITE
            return False
        return True

    def _wait_and_begin(self) -> None:
        db = self._db
        self._polite = max(self._polite - 1, 0)
        db.execute(f"PRAGMA busy_timeout = {self._busy_ms}")
        try:
            db.execute("BEGIN IMMEDIATE")
        finally:
            db.execute("PRAGMA busy_timeout = 0")

    def _commit(self) -> None:
        self._db.execute("COMMIT")

    def _roll_back(self) -> None:
        self._db.execute("ROLLBACK")

    async def _in_thread(self, work: Callable[[], object]) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def _at_once(self, work: Callable[[], object]) -> None:
        work()

    def _attempt(self, job: _Job[Any]) -> None:
        """Run one job; its failure undoes it alone.

        Raises:
            BaseException: the database gave up the whole transaction with it.
        """
        db = self._db
        db.execute("SAVEPOINT job")
        try:
            job.result = job.work(db)
        except BaseException as error:
            if not db.in_transaction:  # out of space or an I/O error: SQLite rolled all of it back
                raise
            db.execute("ROLLBACK TO job")
            job.error = store_error(error) if isinstance(error, sqlite3.Error) else error
        db.execute("RELEASE job")
