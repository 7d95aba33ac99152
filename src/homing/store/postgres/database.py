"""Connections to PostgreSQL: few, counted, and with its errors in our words."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final, NamedTuple, TypeVar

import asyncpg

from homing.core.errors import ConfigError, SchemaMismatch, StoreError, Unavailable
from homing.store.postgres.hosts import SILENCE_MAX_S, Server
from homing.store.queries import load_queries

_log = logging.getLogger(__name__)

T = TypeVar("T")
#: asyncpg has no types of its own
Connection = Any

QUERIES: Final = load_queries("postgres")

#: connections for traffic (accepting, claiming, settling) and for everything that reads at length
TRAFFIC_CONNECTIONS: Final = 4
READING_CONNECTIONS: Final = 2

#: longest wait for a connection, and for a statement, in seconds
CONNECT_MAX_S: Final = 10.0
STATEMENT_MAX_S: Final = 60.0
#: the same for what reads at length: the books of ten million deliveries
READING_MAX_S: Final = 600.0

#: how often a statement is run that met another's write; each time somebody else got further
_TRIES_MAX: Final = 10

#: Most statements are one transaction each, and must see one moment.
_SETTINGS: Final = {
    "application_name": "homing",
    "default_transaction_isolation": "repeatable read",
    "TimeZone": "UTC",
    "jit": "off",
    # A node that is frozen, or cut off, in the middle of a transaction must not keep its rows
    # locked: those are passed over by every other node's claim. By default, for two hours.
    "idle_in_transaction_session_timeout": "15s",
    "tcp_user_timeout": f"{SILENCE_MAX_S}s",
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "2",
}

#: A plan for the hot path is made once and never from statistics, which are those of an empty
#: table when a service starts: by index, row by row, is right for a batch whatever the tables hold.
TRAFFIC_SETTINGS: Final = _SETTINGS | {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
}

#: Reading filters by whatever was asked for: each plan is made for its parameters. The books of a
#: long span are compared in memory: room for some hundred thousand deliveries.
READING_SETTINGS: Final = _SETTINGS | {
    "plan_cache_mode": "force_custom_plan",
    "work_mem": "32MB",
}

#: what another transaction's write, or another version's migration, does to ours: run it again
_AGAIN: Final = (
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.InvalidCachedStatementError,
    asyncpg.OutdatedSchemaCacheError,
)

#: the function of the server that tells when somebody cut a commit's wait for a standby short; its
#: message is in the server's language (PostgreSQL: src/backend/replication/syncrep.c)
_STANDBY_WAIT: Final = "SyncRepWaitForLSN"

#: everything that the driver raises, or lets through
_DRIVER_ERRORS: Final = (
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)

#: SQLSTATE classes and codes that pass (PostgreSQL documentation, appendix A)
_PASSING: Final = (
    "08",  # connection exception
    "25006",  # read-only transaction: a standby, or a full disk's guard
    "25P03",  # we were frozen in mid-transaction for too long
    "53",  # insufficient resources: disk full, too many connections
    "55P03",  # lock not available
    "57",  # operator intervention: shutdown, crash recovery, cancelled
    "58",  # system error, e.g. I/O
)

#: SQLSTATEs at the start that only an operator can mend
_MISCONFIGURED: Final = ("28", "3D000", "42501")


class Database:
    """Two pools and a tally.

    Attributes:
        round_trips: requests sent to the server and answered, statements and transaction marks.
        commits: transactions that wrote.
    """

    def __init__(self, traffic: asyncpg.Pool, reading: asyncpg.Pool) -> None:
        self.traffic = traffic
        self.reading = reading
        self.round_trips = 0
        self.commits = 0

    async def fetch(self, connection: Connection, name: str, *parameters: Any) -> list[Any]:
        """The rows of a named statement, in one round trip."""
        self.round_trips += 1
        rows: list[Any] = await connection.fetch(QUERIES[name], *parameters)
        return rows

    async def query(self, name: str, *parameters: Any) -> list[Any]:
        """Rows of a short look-up by key."""
        return await self._run(self.traffic, lambda c: self.fetch(c, name, *parameters))

    async def browse(self, name: str, *parameters: Any) -> list[Any]:
        """Rows of a listing or a count, kept apart from traffic."""
        return await self._run(
            self.reading, lambda c: self.fetch(c, name, *parameters), READING_MAX_S
        )

    async def write(self, name: str, *parameters: Any) -> list[Any]:
        """What one writing statement returned; it is a transaction of its own, now on disk."""
        rows = await self.query(name, *parameters)
        self.commits += 1
        return rows

    async def transact(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Several statements that write, in one transaction under READ COMMITTED.

        `work` may be called more than once.
        """

        async def inside(connection: Connection) -> T:
            self.round_trips += 2
            async with connection.transaction(isolation="read_committed"):
                result = await work(connection)
            self.commits += 1
            return result

        return await self._run(self.traffic, inside)

    async def look(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Several statements that read, all of them the same moment."""

        async def inside(connection: Connection) -> T:
            self.round_trips += 2
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                return await work(connection)

        return await self._run(self.reading, inside, READING_MAX_S)

    async def close(self) -> None:
        """Let go of the connections; those in use are waited for, briefly."""
        for pool in (self.traffic, self.reading):
            try:
                await asyncio.wait_for(pool.close(), CONNECT_MAX_S)
            except _DRIVER_ERRORS:
                pool.terminate()

    async def _run(
        self,
        pool: asyncpg.Pool,
        work: Callable[[Connection], Awaitable[T]],
        within_s: float = STATEMENT_MAX_S,
    ) -> T:
        for tries_left in reversed(range(_TRIES_MAX)):
            try:
                async with pool.acquire(timeout=CONNECT_MAX_S) as connection:
                    return await _carry_out(connection, work, within_s)
            except _AGAIN as error:
                if not tries_left:
                    raise Unavailable(f"PostgreSQL: {error}") from error
            except _DRIVER_ERRORS as error:
                raise in_our_words(error) from error
        raise AssertionError("unreachable")


class Within(NamedTuple):
    """A transaction that is under way, with the words of `Database` for single statements."""

    database: Database
    connection: Connection

    async def query(self, name: str, *parameters: Any) -> list[Any]:
        return await self.database.fetch(self.connection, name, *parameters)

    async def write(self, name: str, *parameters: Any) -> list[Any]:
        return await self.database.fetch(self.connection, name, *parameters)


async def _carry_out(
    connection: Connection, work: Callable[[Connection], Awaitable[T]], within_s: float
) -> T:
    """What `work` returns, if all that it wrote is as safe as the server is set up to make it.

    What takes too long is not cancelled but left: a commit that waits for a standby and is
    cancelled counts as committed, is seen by everybody, and is lost with the primary.
    """
    unsafe: list[str] = []

    def listen(_: Connection, message: Any) -> None:
        if message.server_source_function == _STANDBY_WAIT:
            unsafe.append(str(message))

    alarm = asyncio.get_running_loop().call_later(within_s, _leave, connection)
    connection.add_log_listener(listen)
    try:
        result = await work(connection)
    except (
        # asyncpg lost track of the conversation: this happens when a session is ended in the
        # middle of a word. The connection is of no more use.
        asyncpg.InternalClientError,
        # A primary that has become a standby: the next connection finds who is primary now.
        asyncpg.ReadOnlySQLTransactionError,
        asyncio.CancelledError,
    ):
        _leave(connection)
        raise
    finally:
        alarm.cancel()
        with suppress(asyncpg.InterfaceError):  # it is gone, and its listeners with it
            connection.remove_log_listener(listen)
    if unsafe:
        raise Unavailable(f"PostgreSQL committed on one machine only: {unsafe[0]}")
    return result


def _leave(connection: Connection) -> None:
    """Close without a word. One that broke has left its pool already, which makes it unusable."""
    with suppress(asyncpg.InterfaceError):
        connection.terminate()


def in_our_words(error: Exception) -> StoreError:
    """The error to raise for one of the driver's."""
    state = str(getattr(error, "sqlstate", None) or "")
    text = str(error) or type(error).__name__
    if isinstance(error, asyncpg.UndefinedTableError | asyncpg.UndefinedColumnError):
        return SchemaMismatch(f"the database has another schema ({text}); run `homing migrate`")
    if isinstance(error, asyncpg.PostgresError) and not state.startswith(_PASSING):
        return StoreError(f"PostgreSQL refused: {text}")
    return Unavailable(f"PostgreSQL cannot be used now: {text}")


async def connect(url: str) -> Database:
    """Open the pools; one connection is made, the others when they are needed.

    Raises:
        ConfigError: the URL, the user, the password or the database's name is wrong.
        Unavailable: no answer.
    """
    server = Server(url)
    try:
        settings = await _settings_of(server)
        traffic = await asyncpg.create_pool(
            connect=server.connect,
            min_size=1,
            max_size=TRAFFIC_CONNECTIONS,
            server_settings=TRAFFIC_SETTINGS | settings,
            **_POOL,
        )
        reading = await asyncpg.create_pool(
            connect=server.connect,
            min_size=0,
            max_size=READING_CONNECTIONS,
            server_settings=READING_SETTINGS | settings,
            **_POOL,
        )
    except (ValueError, asyncpg.ClientConfigurationError) as error:
        raise ConfigError([f"the database URL cannot be used: {error}"]) from error
    except asyncpg.PostgresError as error:
        if str(error.sqlstate).startswith(_MISCONFIGURED):
            raise ConfigError([f"PostgreSQL does not let us in: {error}"]) from error
        raise in_our_words(error) from error
    except _DRIVER_ERRORS as error:
        raise in_our_words(error) from error
    return Database(traffic, reading)


async def _settings_of(server: Server) -> dict[str, str]:
    """What to ask for beyond the server's own settings, so that committed means on disk."""
    connection = await server.connect(timeout=CONNECT_MAX_S)
    try:
        fsync, commit, pages = await connection.fetchrow(QUERIES["durability"])
    finally:
        await connection.close()
    for name, value in (("fsync", fsync), ("full_page_writes", pages)):
        if value == "off":
            _log.warning(
                "PostgreSQL runs with %s=off: a power failure loses what it confirmed", name
            )
    return {"synchronous_commit": "on"} if commit == "off" else {}


async def _no_reset(connection: Connection) -> None:
    pass


_POOL: Final[dict[str, Any]] = {
    "timeout": CONNECT_MAX_S,
    # Statements are few and stay prepared, however long they are.
    "max_cached_statement_lifetime": 0,
    "max_cacheable_statement_size": 0,
    "max_queries": 10_000_000,
    # Nothing we do leaves traces in a session; asyncpg's own reset is a round trip each time.
    "reset": _no_reset,
}
