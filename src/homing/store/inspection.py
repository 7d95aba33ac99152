"""What a doctor asks a database beside its contents: clock, version, durability."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from homing.core.errors import Unavailable

_POSTGRES_FACTS: Final = """
    SELECT current_setting('server_version')                             AS server_version,
           current_setting('fsync')                                      AS fsync,
           current_setting('synchronous_commit')                         AS synchronous_commit,
           current_setting('full_page_writes')                           AS full_page_writes,
           current_setting('max_connections')                            AS max_connections,
           (extract(epoch FROM clock_timestamp()) * 1000000)::bigint     AS clock_us
"""
_CONNECT_S: Final = 5.0


async def inspect_postgres(url: str) -> dict[str, str]:
    """A server's version, its durability settings and its clock (`clock_us`, microseconds UTC).

    Raises:
        Unavailable: it cannot be asked.
    """
    import asyncpg

    from homing.store.postgres.hosts import Server

    try:
        connection = await Server(url).connect(timeout=_CONNECT_S)
        try:
            row = await connection.fetchrow(_POSTGRES_FACTS)
        finally:
            await connection.close()
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise Unavailable(f"PostgreSQL cannot be asked: {error}") from error
    return {name: str(value) for name, value in row.items()}


def is_wal(path: Path) -> bool:
    """Whether a SQLite file is in write-ahead mode.

    Source: https://www.sqlite.org/fileformat2.html 1.3: bytes 18 and 19 are 2 for WAL.
    """
    with path.open("rb") as file:
        return file.read(20)[18:20] == b"\x02\x02"
