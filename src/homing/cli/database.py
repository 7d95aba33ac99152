"""What commands share that read the database directly, beside a running service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Final, TypeVar

import click

from homing.cli.configuration import load_settings, sqlite_path
from homing.core.errors import ConfigError
from homing.core.store import Store
from homing.settings import Settings, without_password
from homing.store import open_store
from homing.system import SystemClock

T = TypeVar("T")

_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


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


def moment(text: str) -> int:
    """A time on the command line, as microseconds since 1970 UTC.

    Args:
        text: ISO 8601, in UTC when it names no zone; or how long ago: 90s, 15m, 6h, 2d, 1w.

    Raises:
        click.BadParameter: neither.
    """
    text = text.strip()
    if text[-1:] in _UNITS and text[:-1].isdecimal():
        return SystemClock().now_us() - int(text[:-1]) * _UNITS[text[-1]] * 1_000_000
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(
            f"expected a time such as 2026-11-23T10:00Z or 6h (ago), found {text!r}"
        ) from None
    return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1_000_000)
