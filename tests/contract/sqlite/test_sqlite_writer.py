"""Group commit, and what happens when the file cannot be written."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from support.making import (
    ORG_ID,
    START_US,
    make_acceptance,
    make_application,
    make_delivery,
    make_key,
)

from homing.core.errors import SchemaMismatch, Stale, StoreError, Unavailable
from homing.core.queries import Page
from homing.core.records import Accepted
from homing.core.resources import Application
from homing.store.sqlite import SqliteStore, connection, open_sqlite
from homing.store.sqlite.writer import Writer


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "homing.db")


@pytest.fixture
async def store(path: str) -> AsyncIterator[SqliteStore]:
    store = await open_sqlite(path)
    yield store
    await store.close()


async def test_writes_asked_for_together_share_commits(store: SqliteStore) -> None:
    application = make_application()
    await store.put(application)
    before = store.commits
    results = await asyncio.gather(
        *(store.accept([make_acceptance(application)]) for _ in range(100))
    )
    assert results == [[Accepted()]] * 100
    assert store.commits - before < 50
    assert store.round_trips == 101


async def test_of_writes_that_share_a_commit_a_failing_one_fails_alone(store: SqliteStore) -> None:
    applications = [make_application() for _ in range(20)]
    wrong = make_application(version=7)
    puts = [store.put(application) for application in (*applications[:10], wrong)]
    puts += [store.put(application) for application in applications[10:]]
    results = await asyncio.gather(*puts, return_exceptions=True)
    assert [type(result) for result in results if result is not None] == [Stale]
    assert await store.list(Application, ORG_ID, Page(limit=100)) == applications


async def test_a_row_the_schema_refuses_fails_its_own_call_only(store: SqliteStore) -> None:
    application = make_application()
    await store.put(application)
    twice = make_acceptance(application)
    results = await asyncio.gather(
        store.accept([twice]),
        store.accept([twice]),
        store.accept([make_acceptance(application)]),
        return_exceptions=True,
    )
    assert results[0] == results[2] == [Accepted()]
    assert isinstance(results[1], StoreError)
    assert isinstance(results[1].__cause__, sqlite3.IntegrityError)


async def test_a_caller_that_gave_up_does_not_disturb_the_others(store: SqliteStore) -> None:
    application = make_application()
    await store.put(application)
    impatient = asyncio.ensure_future(store.accept([make_acceptance(application)]))
    patient = asyncio.ensure_future(store.accept([make_acceptance(application)]))
    await asyncio.sleep(0)
    impatient.cancel()
    assert await patient == [Accepted()]


async def test_a_file_somebody_else_keeps_locked_is_unavailable_after_a_bounded_wait(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "BUSY_MAX_S", 0.05)
    store = await open_sqlite(path)
    greedy = sqlite3.connect(path, isolation_level=None)
    greedy.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable, match="locked") as caught:
        await store.ping()
    assert isinstance(caught.value.__cause__, sqlite3.OperationalError)
    assert await store.first_accepted_at_us() is None  # reading goes on
    greedy.execute("ROLLBACK")
    await store.ping()
    greedy.close()
    await store.close()


async def test_the_event_loop_goes_on_while_another_process_writes(
    store: SqliteStore, path: str
) -> None:
    greedy = sqlite3.connect(path, isolation_level=None)
    greedy.execute("BEGIN IMMEDIATE")
    waiting = asyncio.ensure_future(store.ping())
    async with asyncio.timeout(connection.BUSY_MAX_S / 2):
        for _ in range(20):
            await asyncio.sleep(0.01)
    assert not waiting.done()
    greedy.execute("ROLLBACK")
    greedy.close()
    await waiting
    await store.ping()


async def test_a_full_disk_is_unavailable_and_what_was_committed_stays(store: SqliteStore) -> None:
    application = make_application()
    await store.put(application)
    kept = make_acceptance(application)
    await store.accept([kept])
    pages = store._writer._db.execute("PRAGMA page_count").fetchone()[0]
    store._writer._db.execute(f"PRAGMA max_page_count = {pages}")
    large = make_acceptance(application, payload=b"x" * 1_000_000)
    with pytest.raises(Unavailable, match="full"):
        await store.accept([large])
    assert await store.message(application.id, large.message.id) is None
    assert await store.message(application.id, kept.message.id) == kept.message
    store._writer._db.execute("PRAGMA max_page_count = 1000000")
    assert await store.accept([large]) == [Accepted()]


class BrokenFile(sqlite3.Connection):
    """Ends no transaction while `is_broken`."""

    is_broken = False

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        if self.is_broken and sql in ("COMMIT", "ROLLBACK"):
            raise sqlite3.OperationalError("disk I/O error")
        return super().execute(sql, *parameters)


async def test_the_writer_outlives_a_file_that_can_neither_commit_nor_roll_back(path: str) -> None:
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=BrokenFile)
    db.execute("CREATE TABLE told (word TEXT)")
    writer = Writer(db)
    db.is_broken = True
    async with asyncio.timeout(60):
        with pytest.raises(Unavailable, match="disk I/O error"):
            await writer.submit(lambda db: db.execute("INSERT INTO told VALUES ('lost')").rowcount)
        db.is_broken = False
        with pytest.raises(Unavailable, match="within a transaction"):
            await writer.submit(lambda db: db.execute("INSERT INTO told VALUES ('lost')").rowcount)
        await writer.submit(lambda db: db.execute("INSERT INTO told VALUES ('kept')").rowcount)
        found = await writer.submit(lambda db: db.execute("SELECT word FROM told").fetchall())
        assert found == [("kept",)]
        await writer.close()


async def test_dispatching_does_not_wait_behind_long_reads(store: SqliteStore) -> None:
    ended = threading.Event()
    long = [asyncio.create_task(store._browse(lambda _: ended.wait(600))) for _ in range(5)]
    async with asyncio.timeout(60):
        assert await store.next_ready_at_us() is None
        assert await store.by_ids(Application, ["app_1"]) == []
        assert await store.accept([]) == []
    ended.set()
    assert await asyncio.gather(*long) == [True] * 5


async def test_a_missing_table_names_the_command_that_mends_it(
    store: SqliteStore, path: str
) -> None:
    with sqlite3.connect(path) as db:
        db.execute("DROP TABLE pulse")
    db.close()
    with pytest.raises(SchemaMismatch, match="homing migrate"):
        await store.ping()


async def test_a_closed_store_is_unavailable(path: str) -> None:
    store = await open_sqlite(path)
    await store.close()
    await store.close()
    with pytest.raises(Unavailable):
        await store.ping()
    with pytest.raises(Unavailable):
        await store.backlog(START_US)


async def test_what_is_queued_is_finished_before_the_store_closes(path: str) -> None:
    store = await open_sqlite(path)
    application = make_application()
    await store.put(application)
    writing = [
        asyncio.ensure_future(store.accept([make_acceptance(application)])) for _ in range(20)
    ]
    await asyncio.sleep(0)
    await store.close()
    assert await asyncio.gather(*writing) == [[Accepted()]] * 20


async def test_expired_keys_are_forgotten_as_new_ones_come(store: SqliteStore, path: str) -> None:
    application = make_application()
    await store.put(application)
    for number in range(50):
        at_us = START_US + number
        key = make_key(f"key {number}", expires_at_us=at_us + 1)
        await store.accept([make_acceptance(application, keys=(key,), accepted_at_us=at_us)])
    with sqlite3.connect(path) as db:
        [count] = db.execute("SELECT COUNT(*) FROM keys").fetchone()
    db.close()
    assert count <= 2


async def test_without_threads_the_same_calls_give_the_same_answers(path: str) -> None:
    store = await open_sqlite(path, inline=True)
    application = make_application()
    await store.put(application)
    item = make_acceptance(application)
    accepting = store.accept([item])
    with pytest.raises(StopIteration):  # it never waits
        accepting.send(None)
    assert await store.delivery(item.deliveries[0].id) == item.deliveries[0]
    with pytest.raises(Stale):
        await store.put(make_application(version=2))
    assert await store.delivery(make_delivery().id) is None
    await store.close()
