"""Brings a PostgreSQL database to the schema that this version needs, or says that it is not."""

from __future__ import annotations

from typing import Final

from homing.core.errors import EmptyDatabase, SchemaMismatch
from homing.store.postgres.database import QUERIES, Connection, Database
from homing.store.queries import load_migrations

#: longest wait for one migration, or for another node's, in seconds: large tables take their time
_MIGRATION_MAX_S: Final = 86_400.0


async def migrate(database: Database) -> list[str]:
    """Apply what is missing, all of it or nothing; nodes that start together take turns.

    Returns:
        The names of the migrations that were applied now, in order.
    """

    async def apply(connection: Connection) -> list[str]:
        await connection.execute(QUERIES["lock_migrations"], timeout=_MIGRATION_MAX_S)
        await database.fetch(connection, "create_migrations")
        applied = await _applied(database, connection)
        missing = [(name, sql) for name, sql in load_migrations("postgres") if name not in applied]
        for name, sql in missing:
            await connection.execute(sql, timeout=_MIGRATION_MAX_S)
            await database.fetch(connection, "insert_migration", name)
        await connection.execute(QUERIES["renumber_log"], timeout=_MIGRATION_MAX_S)
        return [name for name, _ in missing]

    return await database.transact(apply)


async def check(database: Database) -> None:
    """Make sure that every migration was applied, and none that this version does not know.

    Raises:
        SchemaMismatch: says what to do.
    """
    if not (await database.query("find_table", "migrations"))[0][0]:
        raise EmptyDatabase("the database is empty; run `homing migrate`")
    applied = {row[0] for row in await database.query("applied_migrations")}
    known = {name for name, _ in load_migrations("postgres")}
    if known - applied:
        raise SchemaMismatch(
            f"the database lacks {', '.join(sorted(known - applied))}; run `homing migrate`"
        )
    if applied - known:
        raise SchemaMismatch(
            f"the database is newer than this version of Homing, which does not know "
            f"{', '.join(sorted(applied - known))}; install the version that wrote it"
        )


async def _applied(database: Database, connection: Connection) -> set[str]:
    return {row[0] for row in await database.fetch(connection, "applied_migrations")}
