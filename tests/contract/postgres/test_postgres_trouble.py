"""What a store on PostgreSQL does when the server, or the way to it, fails."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator

import asyncpg
import pytest
from support.making import (
    SECOND_US,
    START_US,
    aged,
    make_acceptance,
    make_application,
    make_attempt,
    make_change,
    make_key,
)
from support.postgres import Server

from homing.core.errors import SchemaMismatch, StoreError, Unavailable
from homing.core.lifecycle import State
from homing.core.queries import LogCursor, Span
from homing.core.records import Acceptance, Accepted, Change, Repeated
from homing.core.resources import Application
from homing.core.store import Store
from homing.store.postgres import open_postgres
from homing.store.postgres.database import in_our_words

pytestmark = pytest.mark.postgres

#: how long a server that was killed may take to be back, in attempts of 50 ms
_PATIENCE = 1_200


@pytest.fixture
async def store(postgres_url: str) -> AsyncIterator[Store]:
    store = await open_postgres(postgres_url, migrate=False)
    yield store
    await store.close()


@pytest.fixture
async def application(store: Store) -> Application:
    made = make_application()
    await store.put(made)
    return made


def delivered(item: Acceptance) -> Change:
    before = item.deliveries[0]
    after = aged(
        before,
        state=State.DELIVERED,
        ready_at_us=None,
        holder=None,
        unanswered=0,
        finished_at_us=START_US + SECOND_US,
    )
    return make_change(before, after, attempt=make_attempt(before))


async def hang_up(url: str) -> None:
    """End every other session of the database, as a restarting server or proxy would."""
    connection = await asyncpg.connect(url)
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    await connection.close()


async def test_a_connection_that_was_cut_is_replaced(store: Store, postgres_url: str) -> None:
    await store.ping()
    await hang_up(postgres_url)
    try:
        await store.ping()
    except Unavailable as error:
        assert error.__cause__ is not None  # noqa: PT017 (either may come first)
    await store.ping()


async def test_a_server_killed_in_mid_load_loses_nothing_that_was_accepted(
    store: Store, application: Application, postgres_server: Server, postgres_url: str
) -> None:
    if f":{postgres_server.port}/" not in postgres_url:
        pytest.skip("postgres: the server in HOMING_TEST_POSTGRES is not ours to kill")
    accepted: list[Acceptance] = []
    refusals = 0
    killed = asyncio.Event()

    async def publish(publisher: int) -> None:
        """Publish, and send again what got no answer, with the same key, as publishers do."""
        nonlocal refusals
        for number in range(1_000):
            key = make_key(f"{publisher}.{number}")
            for _ in range(_PATIENCE):
                item = make_acceptance(application, keys=(key,))
                try:
                    (result,) = await store.accept([item])
                except Unavailable:
                    refusals += 1
                    await asyncio.sleep(0.05)
                    continue
                name = result.message_id if isinstance(result, Repeated) else item.message.id
                assert isinstance(result, Accepted | Repeated)
                accepted.append(item)
                assert await read(name)
                break
            if killed.is_set() and number > 20:
                return

    async def read(name: str) -> bool:
        nonlocal refusals
        for _ in range(_PATIENCE):
            try:
                return await store.message(application.id, name) is not None
            except Unavailable:
                refusals += 1
                await asyncio.sleep(0.05)
        return False

    async def kill() -> None:
        while len(accepted) < 50:
            await asyncio.sleep(0.01)
        await asyncio.to_thread(postgres_server.halt, signal.SIGQUIT)
        postgres_server.launch()
        killed.set()

    await asyncio.gather(kill(), *(publish(number) for number in range(3)))

    assert refusals > 0, "the server was never missed"
    assert await store.misfits(Span(), limit=10) == []
    (books,) = await asyncpg_rows(
        postgres_url, "SELECT count(*), count(DISTINCT message_id) FROM deliveries"
    )
    assert books[0] == books[1] == len(accepted)


async def asyncpg_rows(url: str, sql: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(url)
    rows: list[asyncpg.Record] = await connection.fetch(sql)
    await connection.close()
    return rows


async def test_a_settlement_whose_connection_broke_is_settled_again_without_a_trace(
    store: Store, application: Application, postgres_url: str
) -> None:
    """The connection is cut at random moments: before, during and after the statement."""
    items = [make_acceptance(application) for _ in range(40)]
    await store.accept(items)
    broken = 0
    for start in range(0, 40, 4):
        batch = [delivered(item) for item in items[start : start + 4]]
        for _ in range(_PATIENCE):
            settling = asyncio.create_task(store.settle(batch))
            await asyncio.sleep(0.001 * (start % 12))
            if broken < 5:
                await hang_up(postgres_url)
            try:
                assert await settling == [True] * 4
                break
            except Unavailable:
                broken += 1
    assert broken > 0, "no statement was ever cut"
    lines = await store.log(LogCursor(), limit=1_000)
    assert [line.entry.rows_written for line in lines] == [1] * 80
    assert (await store.backlog(START_US)).leased == 0


async def test_a_database_that_cannot_be_written_refuses_and_is_not_ready(
    store: Store, application: Application, postgres_url: str
) -> None:
    name = postgres_url.rpartition("/")[2]
    connection = await asyncpg.connect(postgres_url)
    await connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    await connection.close()
    await hang_up(postgres_url)

    refused = 0
    for _ in range(2):  # the first may only find out that its connection was cut
        with pytest.raises(Unavailable):
            await store.accept([make_acceptance(application)])
        with pytest.raises(Unavailable):
            await store.ping()
        refused += 1

    assert await store.get(Application, application.scope, application.id) == application
    assert refused == 2


@pytest.mark.parametrize(
    ("error", "meant"),
    [
        (asyncpg.DiskFullError("no space left on device"), Unavailable),
        (asyncpg.TooManyConnectionsError("sorry, too many clients already"), Unavailable),
        (asyncpg.CannotConnectNowError("the database system is starting up"), Unavailable),
        (asyncpg.AdminShutdownError("terminating connection"), Unavailable),
        (asyncpg.ConnectionDoesNotExistError("closed in the middle of operation"), Unavailable),
        (asyncpg.ReadOnlySQLTransactionError("cannot execute INSERT"), Unavailable),
        (asyncpg.InterfaceError("connection is closed"), Unavailable),
        (ConnectionResetError(), Unavailable),
        (TimeoutError(), Unavailable),
        (asyncpg.UndefinedTableError('relation "keys" does not exist'), SchemaMismatch),
        (asyncpg.CheckViolationError("ready_unless_parked"), StoreError),
        (asyncpg.DataError("invalid input"), StoreError),
    ],
)
def test_each_error_of_the_driver_has_one_meaning(
    error: Exception, meant: type[StoreError]
) -> None:
    assert type(in_our_words(error)) is meant


async def test_text_that_postgresql_cannot_hold_is_kept_as_far_as_it_can(
    store: Store, application: Application
) -> None:
    """A receiver decides what is in an error's text; it must not be able to stop a settlement."""
    items = [make_acceptance(application) for _ in range(2)]
    await store.accept(items)
    plain, odd = [delivered(item) for item in items]
    assert odd.attempt is not None
    attempt = make_attempt(items[1].deliveries[0], detail="nul \0 and half a pair \ud83d")
    odd = Change(before=odd.before, after=odd.after, entry=odd.entry, attempt=attempt)

    assert await store.settle([plain, odd]) == [True, True]

    kept = await store.attempt(attempt.message_id, attempt.id)
    assert kept is not None
    assert kept.detail == "nul \N{REPLACEMENT CHARACTER} and half a pair ?"
