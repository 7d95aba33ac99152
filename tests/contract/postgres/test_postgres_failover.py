"""What is accepted on a primary is on its standby, and the store finds the one that takes over."""

from __future__ import annotations

import asyncio
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest
from support.making import START_US, make_acceptance, make_application, make_key

from bench.chaos.servers import Pair, Postgres
from homing.core.errors import Unavailable
from homing.core.records import Acceptance, Accepted, Repeated, Reply
from homing.core.resources import Application
from homing.core.store import Store
from homing.store.postgres import PostgresStore, open_postgres
from homing.store.postgres.database import TRAFFIC_SETTINGS, Connection

pytestmark = [pytest.mark.postgres, pytest.mark.slow]

_PATIENCE_S = 90
_WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"


@pytest.fixture
def pair(postgres_admin: str) -> Iterator[Pair]:
    """A primary and its synchronous standby."""
    home = Path(tempfile.mkdtemp(prefix="homing-failover-"))
    home.chmod(0o755)
    pair = Pair(Postgres("one", home / "one"), Postgres("other", home / "other"))
    try:
        pair.start()
        yield pair
    finally:
        pair.stop()
        shutil.rmtree(home)


@pytest.fixture
async def store(pair: Pair) -> AsyncIterator[Store]:
    store = await open_postgres(pair.url, migrate=True)
    yield store
    await store.close()


@pytest.fixture
async def application(store: Store) -> Application:
    made = make_application()
    await store.put(made)
    return made


async def accept(store: Store, item: Acceptance) -> object:
    """As a publisher does: again until there is an answer."""
    async with asyncio.timeout(_PATIENCE_S):
        while True:
            try:
                return (await store.accept([item]))[0]
            except Unavailable:
                await asyncio.sleep(0.2)


async def cancel_the_wait(pair: Pair) -> None:
    """As an administrator does who wonders why a session hangs."""
    async with asyncio.timeout(_PATIENCE_S):
        while pair.primary.sql(_WAITING).strip() == "0":
            await asyncio.sleep(0.05)
    where = _WAITING.replace("count(*)", "pg_cancel_backend(pid)")
    pair.primary.sql(where)


async def test_what_was_accepted_is_there_after_a_failover_and_more_can_be_accepted(
    pair: Pair, store: Store, application: Application
) -> None:
    before = [make_acceptance(application) for _ in range(20)]
    assert await store.accept(before) == [Accepted()] * 20
    await asyncio.to_thread(pair.primary.stop, signal.SIGKILL)
    with pytest.raises(Unavailable):
        await store.ping()
    await asyncio.to_thread(pair.promote)
    assert await accept(store, make_acceptance(application)) == Accepted()
    for item in before:
        assert await store.message(application.id, item.message.id) is not None


async def test_what_is_on_one_machine_only_is_not_accepted_however_it_got_there(
    pair: Pair, store: Store, application: Application
) -> None:
    assert pair.standby is not None
    pair.standby.stop(signal.SIGKILL)
    key = make_key("one")
    first = asyncio.create_task(store.accept([make_acceptance(application, keys=(key,))]))
    await cancel_the_wait(pair)
    with pytest.raises(Unavailable, match="on one machine only"):
        await first
    # It is committed there, so a second request sees it; but the standby still has not got it.
    again = asyncio.create_task(store.accept([make_acceptance(application, keys=(key,))]))
    done, _ = await asyncio.wait([again], timeout=1.0)
    assert not done, f"told as accepted before the standby has it: {again.result()}"
    pair.standby.start()
    (result,) = await asyncio.wait_for(again, _PATIENCE_S)
    assert isinstance(result, Repeated)


async def test_a_reply_that_is_on_one_machine_only_is_not_given_again(
    pair: Pair, store: Store
) -> None:
    assert pair.standby is not None
    pair.standby.stop(signal.SIGKILL)
    key, reply = make_key("one"), Reply(status=201, body=b"{}")
    first = asyncio.create_task(store.remember(key, reply, at_us=START_US))
    await cancel_the_wait(pair)
    with pytest.raises(Unavailable, match="on one machine only"):
        await first
    again = asyncio.create_task(store.recall(key, at_us=START_US))
    done, _ = await asyncio.wait([again], timeout=1.0)
    assert not done, f"told before the standby has it: {again.result()}"
    pair.standby.start()
    assert await asyncio.wait_for(again, _PATIENCE_S) == reply


async def test_a_commit_that_takes_too_long_is_left_and_not_cancelled(
    pair: Pair, store: PostgresStore
) -> None:
    database = store._database
    with pytest.raises(Unavailable):
        await database._run(database.traffic, lambda c: c.fetch("SELECT pg_sleep(60)"), 0.5)
    await asyncio.sleep(0.5)
    running = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
    assert pair.primary.sql(running).strip() == "1"


async def test_a_connection_that_breaks_under_a_cancelled_statement_stays_a_cancellation(
    pair: Pair, store: PostgresStore
) -> None:
    database = store._database

    async def hang(connection: Connection) -> None:
        try:
            await connection.execute("SELECT pg_sleep(60)")
        except asyncpg.PostgresError:
            raise asyncio.CancelledError from None

    hanging = asyncio.create_task(database._run(database.traffic, hang))
    async with asyncio.timeout(_PATIENCE_S):
        end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
        while pair.primary.sql(end).strip() != "t":
            await asyncio.sleep(0.05)
    with pytest.raises(asyncio.CancelledError):
        await hanging
    await store.ping()


async def test_a_node_that_is_frozen_in_a_transaction_does_not_keep_rows_from_the_others(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(TRAFFIC_SETTINGS, "idle_in_transaction_session_timeout", "300ms")
    frozen = await open_postgres(pair.url, migrate=True)
    assert isinstance(frozen, PostgresStore)
    other = await open_postgres(pair.url, migrate=False)
    holds, thaw = asyncio.Event(), asyncio.Event()

    async def freeze(connection: Connection) -> None:
        await connection.execute("INSERT INTO pulse VALUES (1, 1) ON CONFLICT DO NOTHING")
        await connection.execute("SELECT FROM pulse WHERE one = 1 FOR UPDATE")
        holds.set()
        await thaw.wait()
        await connection.execute("UPDATE pulse SET beats = 0")

    try:
        freezing = asyncio.create_task(frozen._database.transact(freeze))
        await asyncio.wait_for(holds.wait(), _PATIENCE_S)
        await asyncio.wait_for(other.ping(), _PATIENCE_S)
        thaw.set()
        with pytest.raises(Unavailable):
            await freezing
    finally:
        await frozen.close()
        await other.close()
