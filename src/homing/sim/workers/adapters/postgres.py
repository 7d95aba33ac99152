"""A real PostgreSQL, asked through calls like those of psycopg's AsyncConnection.

Each statement, commit and rollback is one step on a connection of the process's own. A statement
that waits for a lock waits until others have gone on, as the server says who blocks it. A process
that dies loses its connection: the server rolls back what it left open.

Everything happens in one schema, made for the purpose and dropped at the end; each world begins
with empty tables. What asks the server for the time gets the machine's: pass the clock's instead.
"""

from __future__ import annotations

import atexit
import importlib
import os
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from homing.core.errors import Invalid, Problem
from homing.sim.workers.adapters import sql
from homing.sim.workers.adapters.sql import Cursor
from homing.sim.workers.process import Busy, Process
from homing.sim.workers.trace import fields_text

URL: Final = "HOMING_REPRODUCE_POSTGRES"
#: how often a statement that is not done is looked at, and how often it must be seen blocked
_LOOK_S: Final = 0.005
_SEEN_BLOCKED: Final = 3
_TRANSACTIONS: Final = frozenset({"begin", "commit", "rollback", "savepoint", "release"})
_SCHEMA: Final = f"homing_reproduce_{os.getpid()}"


class _Line:
    """A connection, and the thread that waits for its answers."""

    def __init__(self, server: _Server) -> None:
        self.connection = server.connect()
        self.pid: int = self.connection.info.backend_pid
        self.thread = ThreadPoolExecutor(1)

    def close(self) -> None:
        with suppress(Exception):
            self.connection.cancel()
        with suppress(Exception):
            self.connection.close()
        self.thread.shutdown(wait=False)


class _Server:
    """What a process of ours keeps from world to world."""

    def __init__(self, url: str) -> None:
        try:
            self.psycopg: Any = importlib.import_module("psycopg")
        except ImportError:
            text = "a store of PostgreSQL needs psycopg: pip install 'homing[reproduce]'"
            raise Invalid([Problem(("store",), text)]) from None
        self.url = url
        try:
            self.observer = self.connect()
        except self.psycopg.Error as error:
            text = f"{URL} leads to no PostgreSQL: {str(error).strip().splitlines()[0]}"
            raise Invalid([Problem(("store",), text)]) from error
        self.free: list[_Line] = []
        self.schema = ""
        self.tables: list[str] = []
        atexit.register(self.close)

    def connect(self) -> Any:
        """A connection that begins and ends transactions when it is told to."""
        return self.psycopg.connect(
            self.url, autocommit=True, options=f"-c search_path={_SCHEMA} -c synchronous_commit=off"
        )

    def begin(self, schema: str) -> None:
        """Empty tables."""
        if schema != self.schema:
            while self.free:
                self.free.pop().close()
            self.observer.execute(f"DROP SCHEMA IF EXISTS {_SCHEMA} CASCADE")
            self.observer.execute(f"CREATE SCHEMA {_SCHEMA}")
            try:
                self.observer.execute(schema)
            except self.psycopg.Error as error:
                text = f"its schema is refused: {str(error).strip().splitlines()[0]}"
                raise Invalid([Problem(("worker",), text)]) from error
            found = self.observer.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = %s", (_SCHEMA,)
            )
            self.tables = [name for (name,) in found]
            self.schema = schema
        if self.tables:  # not DELETE: what it leaves behind would change the order of rows
            self.observer.execute(f"TRUNCATE {', '.join(self.tables)} RESTART IDENTITY")

    def is_blocked(self, pid: int) -> bool:
        found = self.observer.execute("SELECT cardinality(pg_blocking_pids(%s)) > 0", (pid,))
        return bool(found.fetchone()[0])

    def close(self) -> None:
        while self.free:
            self.free.pop().close()
        with suppress(Exception):
            self.observer.execute(f"DROP SCHEMA IF EXISTS {_SCHEMA} CASCADE")
            self.observer.close()


_servers: dict[str, _Server] = {}


def _server() -> _Server:
    url = os.environ.get(URL)
    if not url:
        text = (
            f"a store of PostgreSQL needs {URL}=postgresql://…/scratch: a database in which it may "
            "make and drop a schema of its own"
        )
        raise Invalid([Problem(("store",), text)])
    if url not in _servers:
        _servers[url] = _Server(url)
    return _servers[url]


def forget() -> None:
    """Drop the schemas and close the connections that are kept from world to world."""
    while _servers:
        _servers.popitem()[1].close()


class PostgresBackend:
    """The tables of one world.

    Args:
        worker: has `schema` (SQL that makes the tables) and `states` (SQL that gives the id and
            the state of every delivery), and an `accept` that inserts one. `autocommit` is
            psycopg's.

    Raises:
        Invalid: it lacks one of these, or there is no server or no driver.
    """

    def __init__(self, worker: Any) -> None:
        sql.must_have(worker, "PostgreSQL")
        self._server = _server()
        self._server.begin(worker.schema)
        self._autocommit = bool(getattr(worker, "autocommit", False))
        self._states_sql: str = worker.states
        self._tables = sql.tables_of(worker.states)
        self._names: list[str] = []
        self._stores: dict[Process, PostgresStore] = {}

    def open(self, process: Process) -> PostgresStore:
        free = self._server.free
        line = free.pop() if free else _Line(self._server)
        store = PostgresStore(
            self._server, line, process, self._tables, autocommit=self._autocommit
        )
        self._stores[process] = store
        return store

    def expect(self, delivery: str) -> None:
        self._names.append(delivery)

    def states(self) -> Mapping[str, str | None]:
        found: dict[str, str | None] = dict.fromkeys(self._names)
        with sql.states_asked(self._server.psycopg.Error):
            for key, state, *_ in self._server.observer.execute(self._states_sql):
                if key in found:
                    found[key] = state
        return found

    def insert(self, delivery: str, now: float) -> None:
        raise AssertionError("accept is asked for")

    def row(self, delivery: str) -> str:
        cursor = self._server.observer.execute(self._states_sql)
        names = [column.name for column in cursor.description]
        for row in cursor:
            if row[0] == delivery:
                return fields_text(dict(zip(names[2:], row[2:], strict=True)))
        return ""

    def drop(self, process: Process) -> None:
        """What it left open is rolled back; a connection that waits for a lock is given up."""
        store = self._stores.pop(process, None)
        if store is None:
            return
        if store.is_waiting:
            store.line.close()
            return
        if store._is_open():
            store.line.connection.execute("ROLLBACK")
        self._server.free.append(store.line)

    def close(self) -> None:
        for process in list(self._stores):
            self.drop(process)


class PostgresStore:
    """A connection of one process: every call is awaited."""

    def __init__(
        self,
        server: _Server,
        line: _Line,
        process: Process,
        tables: frozenset[str],
        *,
        autocommit: bool,
    ) -> None:
        self._autocommit = autocommit
        self.line = line
        self._server = server
        self._process = process
        self._tables = tables
        self._pending: Future[Cursor] | None = None
        self._last = ""
        self._is_dirty = False
        self.row_factory: Any = server.psycopg.rows.tuple_row  #: psycopg's, as are cursors'

    @property
    def is_waiting(self) -> bool:
        """A statement is at the server, and waits there."""
        return self._pending is not None

    async def execute(self, query: str, params: Any = None, row_factory: Any = None) -> Cursor:
        """One statement; its cursor has the rows."""
        factory = row_factory or self.row_factory

        def run() -> Cursor:
            if not self._autocommit and not self._is_open():
                self.line.connection.execute("BEGIN")
            found = self.line.connection.cursor(row_factory=factory).execute(query, params)
            rows = found.fetchall() if found.description else []
            return Cursor(rows, found.rowcount, None, found.description)

        return await self._step(query, params, run)

    def cursor(self, *, row_factory: Any = None) -> CursorStore:
        return CursorStore(self, row_factory)

    async def commit(self) -> None:
        await self._end("COMMIT")

    async def rollback(self) -> None:
        await self._end("ROLLBACK")

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[PostgresStore]:
        """BEGIN (or a savepoint), and COMMIT, or ROLLBACK after an error."""
        if self._is_open():
            begin, commit, rollback = (
                "SAVEPOINT s",
                "RELEASE SAVEPOINT s",
                "ROLLBACK TO SAVEPOINT s",
            )
        else:
            begin, commit, rollback = "BEGIN", "COMMIT", "ROLLBACK"
        await self._end(begin)
        try:
            yield self
        except Exception:
            await self._end(rollback)
            raise
        await self._end(commit)

    def _is_open(self) -> bool:
        """Whether a transaction is open, failed or not."""
        return bool(self.line.connection.info.transaction_status)

    async def close(self) -> None:
        await self.rollback()

    async def __aenter__(self) -> PostgresStore:
        return self

    async def __aexit__(self, kind: object, *_: object) -> None:
        await (self.commit() if kind is None else self.rollback())

    async def _end(self, command: str) -> None:
        def run() -> Cursor:
            self.line.connection.execute(command)
            dirty = self._is_dirty
            if command in ("COMMIT", "ROLLBACK"):
                self._is_dirty = False
            return Cursor([], int(dirty), None, None)

        await self._step(command, None, run)

    async def _step(self, query: str, params: Any, run: Callable[[], Cursor]) -> Cursor:
        process = self._process
        sql.learn(process, params)
        word, is_write = sql.verb_of(query)
        is_state = any(table in query for table in self._tables)
        is_plain = params is not None or word not in _TRANSACTIONS

        def act() -> Cursor:
            if self._pending is None:
                self._pending = self.line.thread.submit(run)
            seen = 0
            while not wait([self._pending], _LOOK_S).done:
                seen = seen + 1 if self._server.is_blocked(self.line.pid) else 0
                if seen >= _SEEN_BLOCKED:
                    raise Busy
            pending, self._pending = self._pending, None
            found = pending.result()
            if is_plain:
                self._is_dirty |= is_write and found.has_changed()
            else:
                process.world.stir()  # whoever waited for a lock
            return found

        def say(cursor: Cursor) -> str:
            if not is_plain:
                return f"{query} of {self._last}" if self._last and word == "commit" else query
            self._last = sql.said(query, params, cursor)
            return self._last

        found = await process.call(
            word,
            act,
            say,
            is_write=is_write,
            about=sql.about(process, params),
            did=Cursor.has_changed,
            about_of=lambda cursor: sql.about_row(process, cursor),
            is_state=is_state,
        )
        if is_state:
            sql.touch(process, found.rows)
        return found


class CursorStore:
    """A cursor that statements are executed with."""

    def __init__(self, store: PostgresStore, row_factory: Any) -> None:
        self._store = store
        self._row_factory = row_factory
        self._found = Cursor([], -1, None, None)

    async def __aenter__(self) -> CursorStore:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def execute(self, query: str, params: Any = None) -> CursorStore:
        self._found = await self._store.execute(query, params, self._row_factory)
        return self

    @property
    def rowcount(self) -> int:
        return self._found.rowcount

    async def fetchone(self) -> Any:
        return await self._found.fetchone()

    async def fetchmany(self, size: int = 1) -> list[Any]:
        return await self._found.fetchmany(size)

    async def fetchall(self) -> list[Any]:
        return await self._found.fetchall()

    async def __aiter__(self) -> AsyncIterator[Any]:
        async for row in self._found:
            yield row


__all__ = ["URL", "PostgresBackend", "PostgresStore", "forget"]
