"""What commands share that read the database directly, beside a running service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from homing.cli.configuration import load_settings, sqlite_path, without_password
from homing.core.errors import ConfigError
from homing.core.store import Store
from homing.settings import Settings
from homing.store import open_store

T = TypeVar("T")


@asynccontextmanager
async def existing_store(settings: Settings) -> AsyncIterator[Store]:
    """The store as it is: nothing is created and nothing migrated.

    Raises:
        ConfigError: there is no such database file.
        SchemaMismatch: it has another schema than this version needs.
    """
    path = sqlite_path(settings.database_url)
    if path is not None and not path.exists():
        raise ConfigError(
            [
                f"HOMING_DATABASE_URL={without_password(settings.database_url)!r}: "
                "there is no such file; `homing serve` makes one, or name the right one"
            ]
        )
    store = await open_store(settings.database_url, migrate=False)
    try:
        yield store
    finally:
        await store.close()


def with_store(use: Callable[[Store], Awaitable[T]]) -> T:
    """Run `use` on the store that the settings name."""

    async def run() -> T:
        async with existing_store(load_settings(make_secret=False)) as store:
            return await use(store)

    return asyncio.run(run())
