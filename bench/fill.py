"""Fills a database before a bench: due deliveries by the store's own door, finished ones by SQL."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import asyncpg
import msgspec

from homing.core.errors import Conflict, Stale
from homing.core.identifiers import ENTROPY_BYTES, first_id, new_id
from homing.core.journal import Journal, newborn
from homing.core.objectives import Measured
from homing.core.queries import LogCursor
from homing.core.records import Acceptance, Accepted, Message
from homing.core.retention import DAY_US
from homing.service.measuring import PLACE
from homing.store import open_store
from homing.system import SystemClock

_BATCH = 1_000
#: runs one statement; its rows
Execute = Callable[[str], Awaitable[Sequence[Any]]]
#: rows of each table that one statement multiplies finished deliveries by
_COPIES = 250_000
_TRIES_MAX = 20
#: of a planted id, those that count
_DIGITS = 9
#: tables that a finished delivery has rows in
_TABLES = ("messages", "history", "attempts", "delivery_log")


async def due(url: str, app: str, endpoint: str, count: int, payload: bytes) -> None:
    """Store `count` messages whose deliveries are due now and belong to nobody.

    Args:
        url: of a database that is migrated and has the application and its endpoint.
    """
    clock = SystemClock()
    journal = Journal(clock, "bench")
    store = await open_store(url, migrate=False)
    version = await _application_version(url)
    try:
        for start in range(0, count, _BATCH):
            batch = [
                _acceptance(journal, app, endpoint, version, payload)
                for _ in range(min(_BATCH, count - start))
            ]
            results = await store.accept(batch)
            assert all(isinstance(result, Accepted) for result in results), results[0]
    finally:
        await store.close()


def _acceptance(
    journal: Journal, app: str, endpoint: str, version: int, payload: bytes
) -> Acceptance:
    at_us = journal.clock.now_us()
    message = Message(
        id=new_id("msg_", at_us, secrets.token_bytes(ENTROPY_BYTES)),
        app_id=app,
        event_type="payment.captured",
        payload=payload,
        accepted_at_us=at_us,
        fanout=1,
    )
    delivery = newborn(message_id=message.id, endpoint_id=endpoint, app_id=app, at_us=at_us)
    return Acceptance(
        message=message,
        deliveries=(delivery,),
        entries=(journal.accepted(delivery),),
        application_version=version,
    )


async def _application_version(url: str) -> int:
    """Of the only application, as the next acceptance must name it."""
    execute, close = await _door(url)
    try:
        (version,) = (await execute("SELECT version FROM resources WHERE kind = 'application'"))[0]
        return int(version)
    finally:
        await close()


async def finished(url: str, count: int) -> int:
    """Multiply the finished deliveries that are there until there are `count` more.

    Their ids are of the day before: they sort before all others, and nothing of them is beyond its
    retention. They are counted for objectives already. The service is to be running. Returns: how
    many.
    """
    execute, close = await _door(url)
    try:
        columns = {table: await _columns(execute, url, table) for table in _TABLES}
        (seed,) = (await execute("SELECT MAX(message_id) FROM history"))[0]
        base = first_id("", SystemClock().now_us() - DAY_US)[:-_DIGITS]
        for first in range(0, count, _COPIES):
            last = min(first + _COPIES, count) - 1
            for table, names in columns.items():
                await execute(_copy(url, table, names, seed, base, first, last))
        if not url.startswith("sqlite"):
            # A table that came to this size in months has been vacuumed and written on the way.
            for table in _TABLES:
                await execute(f"VACUUM (ANALYZE) {table}")
            await execute("CHECKPOINT")
            place, order = "transaction::text::bigint, line", "t.transaction DESC, t.line DESC"
        else:
            place, order = "0, line", "line DESC"
        last = await execute(f"SELECT {place} FROM delivery_log AS t ORDER BY {order} LIMIT 1")
    finally:
        await close()
    transaction, line = last[0]
    await _counted(url, LogCursor(transaction=transaction, line=line))
    return count


async def _counted(url: str, cursor: LogCursor) -> None:
    """Note that the log is counted up to a place, as it would be after as many real deliveries.

    Raises:
        RuntimeError: whoever counts meanwhile was faster every time.
    """
    store = await open_store(url, migrate=False)
    try:
        for _ in range(_TRIES_MAX):
            known = await store.get(Measured, *PLACE)
            assert known is not None, "nobody counts: is the service running?"
            after = msgspec.structs.replace(known, version=known.version + 1, cursor=cursor)
            try:
                await store.put(after)
            except (Stale, Conflict):
                continue
            return
        raise RuntimeError("could not note how far the log is counted")
    finally:
        await store.close()


def _copy(
    url: str, table: str, names: list[str], seed: str, base: str, first: int, last: int
) -> str:
    """A statement that copies the seed's rows of one table once for each number of a series.

    Args:
        base: what their ids begin with, after the kind.
    """
    is_sqlite = url.startswith("sqlite")
    number = f"printf('%0{_DIGITS}d', n)" if is_sqlite else f"lpad(n::text, {_DIGITS}, '0')"
    text = f"'{base}' || {number}"
    made = {
        "messages": {"id": f"'msg_' || {text}"},
        "attempts": {"id": f"'atmpt_' || {text}", "message_id": f"'msg_' || {text}"},
        "delivery_log": {"message_id": f"'msg_' || {text}"},
        "history": {"message_id": f"'msg_' || {text}"},
    }[table]
    which = "id" if table == "messages" else "message_id"
    quoted = [f'"{name}"' for name in names]
    chosen = [made.get(name, f'"{name}"') for name in names]
    series = (
        f"(WITH RECURSIVE s(n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM s WHERE n < {last}) "
        "SELECT n FROM s) AS series"
        if is_sqlite
        else f"generate_series({first}, {last}) AS series(n)"
    )
    return (
        f"INSERT INTO {table} ({', '.join(quoted)}) SELECT {', '.join(chosen)} "
        f"FROM {series} CROSS JOIN {table} WHERE {table}.{which} = '{seed}'"
    )


async def _door(url: str) -> tuple[Execute, Callable[[], Awaitable[None]]]:
    """How to run statements on a database, and how to let go of it."""
    if not url.startswith("sqlite"):
        connection = await asyncpg.connect(url)
        return connection.fetch, connection.close
    db = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    # What is only filling need not be on disk before it goes on.
    db.execute("PRAGMA synchronous = OFF")

    async def execute(statement: str) -> Sequence[Any]:
        return db.execute(statement).fetchall()

    async def close() -> None:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.close()

    return execute, close


async def _columns(execute: Execute, url: str, table: str) -> list[str]:
    """Of a table, without those that number themselves."""
    if url.startswith("sqlite"):
        found = await execute(f"SELECT name FROM pragma_table_info('{table}')")
    else:
        found = await execute(
            "SELECT column_name FROM information_schema.columns "
            f"WHERE table_name = '{table}' AND table_schema = current_schema() "
            "AND is_identity = 'NO' AND column_default IS NULL"
        )
    return [name for (name,) in found if name != "line"]
