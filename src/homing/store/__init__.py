"""Remembers; the only package that contains SQL."""

from __future__ import annotations

from homing.core.errors import ConfigError
from homing.core.store import Store

_EXPECTED = "memory:, sqlite:///relative.db, sqlite:////absolute/path.db or postgresql://…"


async def open_store(url: str, *, migrate: bool = True) -> Store:
    """The store that `url` names, ready for use.

    Args:
        url: `memory:`, `sqlite:///relative.db`, `sqlite:////absolute/path.db` or `postgresql://…`.
        migrate: bring the schema up to date first; otherwise it must be.

    Raises:
        ConfigError: no such kind of store, or its driver is not installed.
        Unavailable: the database cannot be reached.
        SchemaMismatch: the schema is not the one that this version of Homing needs.
    """
    if url == "memory:":
        from homing.store.memory.store import MemoryStore

        return MemoryStore()
    if url.startswith("sqlite:///"):
        from homing.store.sqlite import open_sqlite

        return await open_sqlite(_sqlite_path(url), migrate=migrate)
    if url.startswith(("postgresql://", "postgres://")):
        _require_asyncpg()
        from homing.store.postgres import open_postgres

        return await open_postgres(url, migrate=migrate)
    raise ConfigError([f"database_url: expected {_EXPECTED}, found {url!r}"])


async def migrate(url: str) -> list[str]:
    """Bring the schema up to date.

    Returns:
        The names of the migrations that were applied, in order; empty when there was none to apply.

    Raises:
        ConfigError, Unavailable, SchemaMismatch: as `open_store`.
    """
    if url.startswith("sqlite:///"):
        from homing.store.sqlite import migrate_sqlite

        return await migrate_sqlite(_sqlite_path(url))
    if url.startswith(("postgresql://", "postgres://")):
        _require_asyncpg()
        from homing.store.postgres import migrate_postgres

        return await migrate_postgres(url)
    await (await open_store(url)).close()
    return []


def _sqlite_path(url: str) -> str:
    path = url.removeprefix("sqlite:///")
    if not path:
        raise ConfigError([f"database_url: expected a file after sqlite:///, found {url!r}"])
    return path


def _require_asyncpg() -> None:
    try:
        import asyncpg  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            ["database_url: PostgreSQL needs one more package: pip install 'homing[postgres]'"]
        ) from error
