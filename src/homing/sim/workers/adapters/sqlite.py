"""A real SQLite database, asked through calls like those of aiosqlite: one connection a process.

Each `execute`, `fetch…`-less statement, `commit` and `rollback` is one step. A statement that meets
a lock waits for it, as SQLite's busy timeout does, and then raises OperationalError. A process
that dies leaves its transaction to be rolled back, as the kernel closing its file would.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Generator, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from homing.core.errors import Invalid, Problem
from homing.sim.workers.adapters import sql
from homing.sim.workers.adapters.sql import Cursor
from homing.sim.workers.process import Busy, Process
from homing.sim.workers.trace import fields_text

#: where a memory file system is, files cost less
_MEMORY: Final = Path("/dev/shm")  # noqa: S108 (a folder of our own is made in it)


class SqliteBackend:
    """The database of one world.

    Args:
        worker: has `schema` (SQL that makes the tables) and `states` (SQL that gives the id and
            the state of every delivery), and an `accept` that inserts one. `isolation_level` is
            that of `sqlite3.connect`: "" begins a transaction before the first write, None never.

    Raises:
        Invalid: it lacks one of these, or the schema is no SQL.
    """

    def __init__(self, worker: Any) -> None:
        sql.must_have(worker, "SQLite")
        self.isolation_level: Any = getattr(worker, "isolation_level", "")
        self._states_sql: str = worker.states
        self._tables = sql.tables_of(worker.states)
        self._names: list[str] = []
        self._connections: dict[Process, sqlite3.Connection] = {}
        parent = _MEMORY if _MEMORY.is_dir() else None
        self._folder = tempfile.mkdtemp(prefix="homing-worker-", dir=parent)
        self._path = str(Path(self._folder) / "worker.db")
        shutil.copyfile(_template(worker.schema), self._path)
        self._observer = self._connect()
        self._observer.isolation_level = None

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=0, isolation_level=self.isolation_level)
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA journal_mode = MEMORY")
        return connection

    def open(self, process: Process) -> SqliteStore:
        connection = self._connections[process] = self._connect()
        return SqliteStore(connection, process, self._tables)

    def expect(self, delivery: str) -> None:
        self._names.append(delivery)

    def states(self) -> Mapping[str, str | None]:
        found: dict[str, str | None] = dict.fromkeys(self._names)
        with sql.states_asked(sqlite3.Error):
            for key, state, *_ in self._observer.execute(self._states_sql):
                if key in found:
                    found[key] = state
        return found

    def insert(self, delivery: str, now: float) -> None:
        raise AssertionError("accept is asked for")

    def row(self, delivery: str) -> str:
        cursor = self._observer.execute(self._states_sql)
        names = [column[0] for column in cursor.description]
        for row in cursor:
            if row[0] == delivery:
                return fields_text(dict(zip(names[2:], row[2:], strict=True)))
        return ""

    def drop(self, process: Process) -> None:
        if process in self._connections:
            self._connections.pop(process).close()

    def close(self) -> None:
        for connection in self._connections.values():
            connection.close()
        self._observer.close()
        shutil.rmtree(self._folder, ignore_errors=True)


_templates: dict[str, str] = {}
_template_folder: list[tempfile.TemporaryDirectory[str]] = []


def _template(schema: str) -> str:
    """A file with the tables in it, made once: to copy it is quicker than to run the schema."""
    if schema not in _templates:
        if not _template_folder:
            _template_folder.append(tempfile.TemporaryDirectory(prefix="homing-worker-"))
        path = str(Path(_template_folder[0].name) / f"{len(_templates)}.db")
        connection = sqlite3.connect(path)
        try:
            connection.executescript(schema)
            connection.commit()
        except sqlite3.Error as error:
            raise Invalid([Problem(("worker",), f"its schema is refused: {error}")]) from error
        finally:
            connection.close()
        _templates[schema] = path
    return _templates[schema]


class _Pending:
    """What `execute` gives: to be awaited, or entered with `async with`, as aiosqlite has it."""

    def __init__(self, store: SqliteStore, text: str, parameters: Any, *, many: bool) -> None:
        self._call = store._run, text, parameters, many

    def __await__(self) -> Generator[Any, None, Cursor]:
        run, text, parameters, many = self._call
        return run(text, parameters, many).__await__()

    async def __aenter__(self) -> Cursor:
        return await self

    async def __aexit__(self, *_: object) -> None:
        pass


class SqliteStore:
    """A connection of one process: every call is awaited; rows are tuples, or `row_factory`'s."""

    def __init__(
        self, connection: sqlite3.Connection, process: Process, tables: frozenset[str]
    ) -> None:
        self._connection = connection
        self._tables = tables
        self._process = process
        self._last = ""  #: the last statement, in words
        self._is_dirty = False  #: something was changed since the last commit

    @property
    def in_transaction(self) -> bool:
        return self._connection.in_transaction

    @property
    def row_factory(self) -> Any:
        return self._connection.row_factory

    @row_factory.setter
    def row_factory(self, factory: Any) -> None:
        self._connection.row_factory = factory

    def execute(self, text: str, parameters: Any = ()) -> _Pending:
        """One statement; await it for its cursor."""
        return _Pending(self, text, parameters, many=False)

    def executemany(self, text: str, parameters: Iterable[Any]) -> _Pending:
        """One statement for each of the parameters, as one step."""
        return _Pending(self, text, list(parameters), many=True)

    async def execute_fetchall(self, text: str, parameters: Any = ()) -> list[Any]:
        """One statement, and all of its rows."""
        return await (await self.execute(text, parameters)).fetchall()

    async def commit(self) -> None:
        await self._run("COMMIT", (), False, self._connection.commit)

    async def rollback(self) -> None:
        await self._run("ROLLBACK", (), False, self._connection.rollback)

    async def _run(self, text: str, parameters: Any, many: bool, other: Any = None) -> Cursor:
        process, connection = self._process, self._connection
        sql.learn(process, parameters)

        word, is_write = sql.verb_of(text)

        def act() -> Cursor:
            try:
                if other is not None:
                    other()
                    dirty, self._is_dirty = self._is_dirty, False
                    process.world.stir()  # whoever waited for the lock
                    return Cursor([], int(dirty), None, None)
                run = connection.executemany if many else connection.execute
                found = run(text, parameters)
                rows = found.fetchall() if found.description else []
                self._is_dirty |= is_write and (found.rowcount != 0 or bool(rows))
                return Cursor(rows, found.rowcount, found.lastrowid, found.description)
            except sqlite3.OperationalError as error:
                if "locked" in str(error):
                    raise Busy from error
                raise

        is_state = any(table in text for table in self._tables)

        def say(cursor: Cursor) -> str:
            if other is not None:
                return f"{text} of {self._last}" if self._last else text
            self._last = sql.said(text, parameters, cursor)
            return self._last

        found = await process.call(
            word,
            act,
            say,
            is_write=is_write,
            about=sql.about(process, parameters),
            did=Cursor.has_changed,
            about_of=lambda cursor: sql.about_row(process, cursor),
            is_state=is_state,
        )
        if is_state:
            sql.touch(process, found.rows)
        return found
