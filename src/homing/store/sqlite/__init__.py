"""The store on one SQLite file: one machine, any number of processes."""

from __future__ import annotations

import asyncio

from homing.store.sqlite.schema import check, with_connection
from homing.store.sqlite.schema import migrate as bring_up
from homing.store.sqlite.store import SqliteStore


async def open_sqlite(path: str, *, migrate: bool = True, inline: bool = False) -> SqliteStore:
    """The store in the file `path`, which is made if need be.

    Args:
        path: of the file; its folder must exist.
        migrate: bring the schema up to date first; otherwise it must be.
        inline: no threads: every call runs at once on the caller's, for simulation.

    Raises:
        Unavailable: the file cannot be opened.
        SchemaMismatch: the schema is not the one that this version needs.
    """
    prepare = bring_up if migrate else check
    if inline:
        with_connection(path, prepare)
    else:
        await asyncio.to_thread(with_connection, path, prepare)
    return SqliteStore(path, inline=inline)


async def migrate_sqlite(path: str) -> list[str]:
    """Bring the schema up to date; the names of the migrations that were applied."""
    return await asyncio.to_thread(with_connection, path, bring_up)
