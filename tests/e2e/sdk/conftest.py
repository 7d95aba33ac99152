"""Homing on each kind of database, and Svix's published SDKs in environments of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.serving import Served, serving

from homing.store import open_store


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A fresh database of each kind."""
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite:///{tmp_path}/homing.db"


@pytest.fixture
async def served(store_url: str) -> AsyncIterator[Served]:
    """Accepts and dispatches; a failed delivery is tried once more."""
    store = await open_store(store_url)
    async with serving(store, retry_delays_s=(0.05,), retry_jitter=0.0) as served:
        yield served


@pytest.fixture
def environments(pytestconfig: pytest.Config) -> Path:
    """Where environments are kept from one run to the next."""
    return Path(pytestconfig.cache.mkdir("sdk"))
