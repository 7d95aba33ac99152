"""Group commit: writes that are asked for at the same time share one transaction of SQLite.

One thread owns the writing connection. It takes everything that is queued, runs each job under a
savepoint, commits once, and only then tells those who wait. A job that fails fails alone.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Generic, TypeVar

from homing.core.errors import Unavailable
from homing.store.sqlite.errors import store_error

T = TypeVar("T")

#: how long a busy event loop keeps the interpreter's lock from the writing thread, seconds. Each
#: statement asks for it about three times; with Python's 5 ms a saturated loop starved the writer
#: (340 to 2,400 µs a message, 90 to 160 with this; bench/store.py --busy)
_SWITCH_S = 0.0005
#: while commits follow each other this closely, the next one waits for company, seconds
_BUSY_S = 0.01
#: how long it waits: a commit of few rows writes nearly as many pages as one of fifty
_COMPANY_S = 0.001
#: jobs in one transaction: bounds how long the write lock is kept from other processes
_JOBS_MAX = 256


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
    """Runs jobs on the one writing connection.

    Args:
        db: in autocommit mode (`isolation_level` None); closed by `close`.
        inline: run each job at once on the calling thread, for simulation.
    """

    def __init__(self, db: sqlite3.Connection, *, inline: bool = False) -> None:
        self.commits = 0
        self._db = db
        self._jobs: queue.SimpleQueue[_Job[Any] | None] = queue.SimpleQueue()
        self._closed = False
        self._thread = None if inline else threading.Thread(target=self._run, name="homing-writer")
        if self._thread is not None:
            sys.setswitchinterval(min(_SWITCH_S, sys.getswitchinterval()))
            self._thread.daemon = True  # a commit cut off by the end of the process never happened
            self._thread.start()

    async def submit(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` in a transaction; durable when this returns.

        Raises:
            Whatever `work` raised, its writes undone; StoreError for what the database did.
        """
        if self._closed:
            raise Unavailable("the store is closed")
        job = _Job(work)
        if self._thread is None:
            self._commit([job])
            if job.error is not None:
                raise job.error
            return job.result  # type: ignore[return-value]
        job.future = asyncio.get_running_loop().create_future()
        self._jobs.put(job)
        return await job.future

    async def close(self) -> None:
        """Finish what is queued, then close the connection."""
        if self._closed:
            return
        self._closed = True
        if self._thread is not None:
            self._jobs.put(None)
            await asyncio.to_thread(self._thread.join)
        self._db.close()

    def _run(self) -> None:
        committed_at = 0.0
        while (first := self._jobs.get()) is not None:
            if time.monotonic() - committed_at < _BUSY_S:
                time.sleep(_COMPANY_S)
            group, ended = self._gather(first)
            self._commit(group)
            committed_at = time.monotonic()
            _tell(group)
            if ended:
                return

    def _gather(self, first: _Job[Any]) -> tuple[list[_Job[Any]], bool]:
        """Everything that is queued by now; whether the end came with it."""
        group = [first]
        while len(group) < _JOBS_MAX:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                break
            if job is None:
                return group, True
            group.append(job)
        return group, False

    def _commit(self, group: Sequence[_Job[Any]]) -> None:
        db = self._db
        try:
            db.execute("BEGIN IMMEDIATE")
            if len(group) == 1:  # as a rule: then there is nobody to keep its failure from
                group[0].result = group[0].work(db)
            else:
                for job in group:
                    self._attempt(job)
            db.execute("COMMIT")
            self.commits += 1
        except BaseException as error:  # the thread must live: everyone is told instead
            for job in group:
                job.error = store_error(error) if isinstance(error, sqlite3.Error) else error
            if db.in_transaction:
                with suppress(
                    sqlite3.Error
                ):  # if it stays open, the next BEGIN brings us back here
                    db.execute("ROLLBACK")

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


def _tell(group: Sequence[_Job[Any]]) -> None:
    """One wake-up per loop, however many wait on it."""
    loops = {job.future.get_loop() for job in group if job.future is not None}
    for loop in loops:
        waiting = [job for job in group if job.future and job.future.get_loop() is loop]
        try:
            loop.call_soon_threadsafe(_tell_all, waiting)
        except RuntimeError:  # the loop is closed: nobody waits any more
            continue


def _tell_all(jobs: Sequence[_Job[Any]]) -> None:
    for job in jobs:
        job.tell()
