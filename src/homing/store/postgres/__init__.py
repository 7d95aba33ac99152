"""The store on PostgreSQL: many nodes on one database."""

from __future__ import annotations

from homing.core.store import Store
from homing.store.postgres.claiming import PostgresClaiming
from homing.store.postgres.database import Database, connect
from homing.store.postgres.deliveries import PostgresDeliveries
from homing.store.postgres.desk import PostgresDesk
from homing.store.postgres.measuring import PostgresMeasuring
from homing.store.postgres.purging import PostgresForgetting
from homing.store.postgres.records import PostgresRecords
from homing.store.postgres.resources import PostgresResources
from homing.store.postgres.schema import check
from homing.store.postgres.schema import migrate as bring_up
from homing.store.postgres.searching import PostgresSearching
from homing.store.postgres.texts import PostgresTexts
from homing.store.postgres.watching import PostgresWatching


class PostgresStore(
    PostgresDeliveries,
    PostgresClaiming,
    PostgresResources,
    PostgresRecords,
    PostgresForgetting,
    PostgresDesk,
    PostgresMeasuring,
    PostgresWatching,
    PostgresSearching,
    PostgresTexts,
):
    """Everything that is remembered, in PostgreSQL 14 or later."""

    def __init__(self, database: Database) -> None:
        PostgresDeliveries.__init__(self, database)
        PostgresClaiming.__init__(self, database)

    @property
    def round_trips(self) -> int:
        """Requests sent to the server and answered, so far."""
        return self._database.round_trips

    @property
    def commits(self) -> int:
        """Transactions that wrote, so far."""
        return self._database.commits

    async def ping(self) -> None:
        await self._database.write("beat")

    async def close(self) -> None:
        await self._database.close()


async def open_postgres(url: str, *, migrate: bool) -> Store:
    """The store at `url`.

    Args:
        url: `postgresql://user:password@host:port/database`, as libpq reads it.
        migrate: bring the schema up to date first; otherwise only check it.

    Raises:
        ConfigError: the URL, the user, the password or the database's name is wrong.
        SchemaMismatch: the schema is older or newer than this version needs.
        Unavailable: no answer.
    """
    database = await connect(url)
    try:
        if migrate:
            await bring_up(database)
        await check(database)
    except BaseException:
        await database.close()
        raise
    return PostgresStore(database)


async def migrate_postgres(url: str) -> list[str]:
    """Bring the schema up to date; the names of the migrations that were applied."""
    database = await connect(url)
    try:
        return await bring_up(database)
    finally:
        await database.close()
