"""Forces the order of the real statements of two operations on one real database.

Each operation runs in a thread of its own, with a store of its own. Before every statement it
stops and waits for leave; who gets it next is decided here, and every way of deciding it is tried.
A statement that waits for a lock is noted, and the other side goes on.

What PostgreSQL runs as one statement and one transaction is cut in three: the moment at which it
sees the database, what it does, and its commit. A server may pause between them too.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg

from homing.core.store import Store
from homing.store.postgres import database, open_postgres
from homing.store.queries import load_queries
from homing.store.sqlite import open_sqlite

#: longest wait for something to happen, seconds: a deadlock is found by the server after one
STUCK_S = 20.0
#: interleavings of one pair; none of ours has a third of it
RUNS_MAX = 2_000

Operation = Callable[[Store], Awaitable[Any]]


class State(Enum):
    IDLE = "has nothing to do"
    RUNNING = "runs"
    READY = "waits for leave"
    BLOCKED = "waits for a lock"


class Turn(NamedTuple):
    """One statement that was let go."""

    side: str
    statement: str
    options: str  #: the sides that were ready


@dataclass
class Run:
    """What came of one interleaving."""

    turns: list[Turn]
    results: dict[str, Any]  #: by side; an exception is a result
    waited: list[str] = field(default_factory=list)  #: statements that waited for a lock

    @property
    def order(self) -> str:
        """Whose statement came when, e.g. "ABAB"."""
        return "".join(turn.side for turn in self.turns)

    def is_before(self, one: str, other: str) -> bool:
        """Whether `one` had ended before `other` began."""
        return self.order.rfind(one) < self.order.find(other)

    def __str__(self) -> str:
        return " · ".join(f"{turn.side} {turn.statement}" for turn in self.turns)


class Gate:
    """Where both sides stop before each statement."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.sides: dict[str, Side] = {}

    def settle(self) -> None:
        """Return when every side waits for leave or a lock, or has ended. The lock is held."""
        deadline_s = time.monotonic() + STUCK_S
        while True:
            for side in self.sides.values():
                if side.state is State.RUNNING and side.is_blocked():
                    side.state = State.BLOCKED
                    side.waits.append(side.statement)
                elif side.state is State.BLOCKED and side.watches_locks and not side.is_blocked():
                    side.state = State.RUNNING
            states = [side.state for side in self.sides.values()]
            if State.RUNNING not in states and (
                State.READY in states or not any(side.is_stuck for side in self.sides.values())
            ):
                return
            if time.monotonic() > deadline_s:
                raise AssertionError(f"it does not go on: {self.sides}")
            self.changed.wait(0.0005)


class Side:
    """One of the two: a thread with an event loop and a store.

    Args:
        name: "A" or "B".
        open_store: makes the store, whose statements then come through `statement`.
    """

    watches_locks = False

    def __init__(self, name: str, gate: Gate) -> None:
        self.name = name
        self.gate = gate
        self.state = State.IDLE
        self.statement = ""
        self.reads = False  #: it makes no difference to others when the statement comes
        self.waits: list[str] = []
        self.is_free = True  #: statements pass without leave: before and after a run
        self._granted = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()
        self.store: Store = self.call(self.open())
        gate.sides[name] = self

    async def open(self) -> Store:
        raise NotImplementedError

    def is_blocked(self) -> bool:
        """Whether the statement that it runs waits for a lock."""
        return False

    @property
    def is_stuck(self) -> bool:
        """Whether it waits for a lock, and will go on by itself when it gets it."""
        return self.state is State.BLOCKED and self.watches_locks

    def call(self, work: Any) -> Any:
        """Run a coroutine to its end in this side's thread."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(STUCK_S)

    def begin(self, operation: Operation) -> Any:
        """Start an operation; a future of what comes of it."""
        self.state, self.is_free = State.RUNNING, False

        async def run() -> Any:
            try:
                return await operation(self.store)
            except Exception as error:
                return error
            finally:
                with self.gate.changed:
                    self.state, self.is_free = State.IDLE, True
                    self.gate.changed.notify_all()

        return asyncio.run_coroutine_threadsafe(run(), self._loop)

    def stop_before(self, statement: str, *, reads: bool = False) -> None:
        """In the side's thread: wait for leave to run this."""
        if self.is_free:
            return
        self.reads = reads
        self._wait(State.READY, statement)

    def wait_for_lock(self) -> None:
        """In the side's thread: the database said that it is locked; wait for the other's turn."""
        if self.statement not in self.waits[-1:]:
            self.waits.append(self.statement)
        self._wait(State.BLOCKED, self.statement)

    def _wait(self, state: State, statement: str) -> None:
        with self.gate.changed:
            self.state, self.statement = state, statement
            self.gate.changed.notify_all()
            while not self._granted:
                if not self.gate.changed.wait(STUCK_S):
                    raise AssertionError(f"nobody lets {self.name} go on: {statement}")
            self._granted = False

    def grant(self) -> None:
        """Let it go on. The gate's lock is held."""
        self.state, self._granted = State.RUNNING, True
        self.gate.changed.notify_all()

    def close(self) -> None:
        self.call(self.store.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(STUCK_S)
        self._loop.close()

    def __repr__(self) -> str:
        return f"{self.name} {self.state.value}: {self.statement}"


# ── SQLite ──

_SQLITE_NAMES = {sql: name for name, sql in load_queries("sqlite").items()}


def _sqlite_name(sql: str) -> str:
    lines = [line for line in sql.splitlines() if not line.startswith("--")]
    return _SQLITE_NAMES.get(sql, " ".join(" ".join(lines).split()[:3]))


class SqliteSide(Side):
    """A store with the one connection of its writer and one for reading, both gated."""

    def __init__(self, name: str, gate: Gate, path: Path) -> None:
        self._path = path
        super().__init__(name, gate)

    async def open(self) -> Store:
        store = await open_sqlite(str(self._path), inline=True)
        store._writer._db = _GatedSqlite(store._writer._db, self)  # type: ignore[assignment]
        reader: Any = _GatedSqlite(store._reader(), self, reads=True)
        store._reader = lambda: reader  # type: ignore[method-assign]
        return store


class _GatedSqlite:
    """A connection that stops before each statement, and waits for locks where we can see it.

    Args:
        reads: it only ever reads, each time in a transaction, and so sees what there was at its
            beginning: it stops there and nowhere else.
    """

    def __init__(self, db: sqlite3.Connection, side: Side, *, reads: bool = False) -> None:
        self._db = db
        self._side = side
        self._reads = reads
        db.execute("PRAGMA busy_timeout = 0")

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        if not self._reads:
            # Between beginning and commit nobody sees what is written, and nobody else writes.
            is_seen = sql in ("BEGIN IMMEDIATE", "COMMIT")
            self._side.stop_before(_sqlite_name(sql), reads=not is_seen)
        elif sql == "BEGIN":
            self._side.stop_before("read", reads=True)
        while True:
            try:
                return self._db.execute(sql, *values)
            except sqlite3.OperationalError as error:
                if "locked" not in str(error):
                    raise
                self._side.wait_for_lock()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)


# ── PostgreSQL ──


class PostgresSide(Side):
    """A store whose sessions stop before each statement."""

    watches_locks = True

    def __init__(self, name: str, gate: Gate, url: str) -> None:
        self._url = url
        self.pid: int | None = None
        self._watch_loop = asyncio.new_event_loop()
        self._watch = self._watch_loop.run_until_complete(asyncpg.connect(url))
        super().__init__(name, gate)

    async def open(self) -> Store:
        store: Any = await open_postgres(self._url, migrate=False)
        pools = store._database
        pools.traffic = _GatedPool(pools.traffic, self)
        pools.reading = _GatedPool(pools.reading, self)
        opened: Store = store
        return opened

    def is_blocked(self) -> bool:
        if self.pid is None:
            return False
        asked = self._watch.fetchval("SELECT cardinality(pg_blocking_pids($1)) > 0", self.pid)
        return bool(self._watch_loop.run_until_complete(asked))

    def close(self) -> None:
        super().close()
        self._watch_loop.run_until_complete(self._watch.close())
        self._watch_loop.close()


class _GatedPool:
    def __init__(self, pool: Any, side: PostgresSide) -> None:
        self._pool = pool
        self._side = side

    @asynccontextmanager
    async def acquire(self, **options: Any) -> AsyncIterator[_GatedConnection]:
        async with self._pool.acquire(**options) as connection:
            self._side.pid = connection.get_server_pid()
            yield _GatedConnection(connection, self._side)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pool, name)


class _GatedConnection:
    def __init__(self, connection: Any, side: PostgresSide) -> None:
        self._connection = connection
        self._side = side
        self._is_in_transaction = False

    async def fetch(self, sql: str, *parameters: Any) -> Any:
        name = _name_of(sql)
        if self._is_in_transaction or _only_reads(sql):
            self._side.stop_before(name, reads=_only_reads(sql))
            return await self._connection.fetch(sql, *parameters)
        async with self._connection.transaction(isolation="repeatable_read"):
            self._side.stop_before(f"{name} sees", reads=True)
            await self._connection.execute("SELECT pg_current_snapshot()")
            self._side.stop_before(f"{name} acts")
            rows = await self._connection.fetch(sql, *parameters)
            self._side.stop_before(f"{name} commits")
        return rows

    @asynccontextmanager
    async def transaction(self, **options: Any) -> AsyncIterator[None]:
        async with self._connection.transaction(**options):
            self._is_in_transaction = True
            try:
                yield
            finally:
                self._is_in_transaction = False
            self._side.stop_before("commit")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def _only_reads(sql: str) -> bool:
    lines = [line for line in sql.splitlines() if not line.startswith("--")]
    text = " ".join(lines).strip()
    return text.startswith("SELECT") and "FOR UPDATE" not in text


def _name_of(sql: str) -> str:
    known = {text: name for name, text in database.QUERIES.items()}
    return known.get(sql, " ".join(sql.split()[:3]))


# ── trying them all ──


class Interleaver:
    """Two sides on one database."""

    def __init__(self, gate: Gate, clear: Callable[[], None]) -> None:
        self._gate = gate
        self._clear = clear
        self.runs = 0  #: of the last pair, those included that showed nothing new

    @property
    def side(self) -> Side:
        """For making and checking the world, between runs."""
        return self._gate.sides["A"]

    def every(
        self, prepare: Callable[[Store], Awaitable[tuple[Operation, Operation]]]
    ) -> Iterator[Run]:
        """Each interleaving of two operations, each in a database with nothing else in it.

        Of those that differ only in the order of two reads, one.

        Args:
            prepare: makes the world of one run, and the two operations in it.
        """
        todo = [("", "")]
        self.runs = 0
        while todo:
            assert self.runs < RUNS_MAX, "there is no end to it"
            self.runs += 1
            choices, asleep = todo.pop()
            self._clear()
            operations = self.side.call(prepare(self.side.store))
            run, others = self._run(operations, choices, asleep)
            todo += others
            if run is not None:
                yield run

    def _run(
        self, operations: tuple[Operation, Operation], choices: str, asleep: str
    ) -> tuple[Run | None, list[tuple[str, str]]]:
        """One run, and where others branch off; None: it is another run with two reads swapped.

        Sleep sets (Godefroid, 1996): a side that was tried here first needs not be tried again
        until something has happened that its statement could tell.

        Args:
            choices: whose turn it is, as far as that is decided.
            asleep: the side that needs not be tried after the choices; or nobody.
        """
        sides = self._gate.sides
        futures = {}
        with self._gate.changed:
            for (name, side), operation in zip(sides.items(), operations, strict=True):
                side.waits.clear()
                futures[name] = side.begin(operation)
        turns: list[Turn] = []
        others: list[tuple[str, str]] = []
        is_new = True
        with self._gate.changed:
            while True:
                self._gate.settle()
                ready = "".join(n for n, side in sides.items() if side.state is State.READY)
                if not ready:
                    break
                place = len(turns)
                if place < len(choices):
                    chosen = choices[place]
                    assert chosen in ready, f"{choices}: {chosen} is not ready after {turns}"
                else:
                    awake = [name for name in ready if name != asleep]
                    is_new = is_new and bool(awake)
                    chosen = awake[0] if awake else ready[0]
                    before = "".join(turn.side for turn in turns)
                    if is_new:
                        others += [
                            (before + other, chosen if _commute(sides.values()) else "")
                            for other in awake[1:]
                        ]
                    if asleep and not (sides[chosen].reads and sides[asleep].reads):
                        asleep = ""
                turns.append(Turn(chosen, sides[chosen].statement, ready))
                sides[chosen].grant()
                self._gate.settle()
                # Who waits for a lock of SQLite tries again after each turn of the other.
                for side in sides.values():
                    if side.state is State.BLOCKED and not side.watches_locks:
                        side.grant()
        results = {name: future.result(STUCK_S) for name, future in futures.items()}
        waited = [f"{side.name} {words}" for side in sides.values() for words in side.waits]
        return (Run(turns, results, waited) if is_new else None), others

    def close(self) -> None:
        for side in self._gate.sides.values():
            side.close()


def _commute(sides: Iterable[Side]) -> bool:
    """Whether it makes no difference in which order they do what they are about to do."""
    return all(side.reads for side in sides)


_TABLES = (
    *("resources", "messages", "deliveries", "history", "attempts", "delivery_log", "keys"),
    "dead_letters",
)


def on_sqlite(path: Path) -> Interleaver:
    """Two connections to one file."""
    gate = Gate()
    for name in "AB":
        SqliteSide(name, gate, path)

    def clear() -> None:
        db = sqlite3.connect(path)
        with db:
            for table in _TABLES:
                db.execute(f"DELETE FROM {table}")
        db.close()

    return Interleaver(gate, clear)


def on_postgres(url: str) -> Interleaver:
    """Two sessions of one server; the URL's database has the schema and nothing else."""
    gate = Gate()
    sides = [PostgresSide(name, gate, url) for name in "AB"]
    watch, loop = sides[0]._watch, sides[0]._watch_loop

    def clear() -> None:
        loop.run_until_complete(watch.execute("; ".join(f"DELETE FROM {t}" for t in _TABLES)))

    return Interleaver(gate, clear)
