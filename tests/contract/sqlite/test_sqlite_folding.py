"""The write-ahead log stays short, whoever reads meanwhile."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.making import make_acceptance, make_application

from homing.core.records import Accepted
from homing.store.sqlite import SqliteStore, connection, folding, open_sqlite, writer

_FOLDED_FROM_BYTES = 100 * connection.PAGE_BYTES
_READING_S = 0.02


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Of a file whose log is folded, and cut off, a hundred times sooner than usual."""
    monkeypatch.setattr(connection, "CHECKPOINT_PAGES", 100)
    monkeypatch.setattr(writer, "_LOG_BYTES_MAX", 2 * _FOLDED_FROM_BYTES)
    monkeypatch.setattr(folding, "_PATIENCE", 4)
    return str(tmp_path / "homing.db")


@contextmanager
def reading_without_a_gap(path: str) -> Iterator[None]:
    """Two readers, each for a moment at a time, one of whom is always at it."""
    over = threading.Event()

    def read(first_s: float) -> None:
        db = sqlite3.connect(path, isolation_level=None)
        over.wait(first_s)
        while not over.is_set():
            db.execute("BEGIN")
            db.execute("SELECT count(*) FROM messages").fetchone()
            time.sleep(_READING_S)
            db.execute("COMMIT")
        db.close()

    readers = [threading.Thread(target=read, args=(_READING_S / 2 * n,)) for n in range(2)]
    for reader in readers:
        reader.start()
    try:
        yield
    finally:
        over.set()
        for reader in readers:
            reader.join()


async def write_much(store: SqliteStore, log: Path, commits: int) -> int:
    """Some 50 pages a commit; the most bytes that the log came to."""
    application = make_application()
    await store.put(application)
    longest = 0
    for _ in range(commits):
        items = [make_acceptance(application, payload=b"x" * 4_000) for _ in range(20)]
        assert await store.accept(items) == [Accepted()] * 20
        longest = max(longest, log.stat().st_size)
        await asyncio.sleep(0)
    return longest


async def test_the_log_stays_short_although_somebody_always_reads(path: str) -> None:
    store = await open_sqlite(path)
    with reading_without_a_gap(path):
        longest = await write_much(store, Path(f"{path}-wal"), 100)
    await store.close()
    assert longest < 8 * _FOLDED_FROM_BYTES


async def test_a_reader_that_stays_keeps_nobody_from_writing_for_long(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folding, "_TRIES", 1)
    store = await open_sqlite(path)
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM messages").fetchone()
    log = Path(f"{path}-wal")
    async with asyncio.timeout(60):
        await write_much(store, log, 30)
        assert log.stat().st_size > 2 * _FOLDED_FROM_BYTES
        reader.execute("COMMIT")
        reader.close()
        for _ in range(10):
            await store.ping()
    assert log.stat().st_size < _FOLDED_FROM_BYTES
    await store.close()
