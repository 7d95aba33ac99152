"""The store under test: every test of the contract runs on each implementation."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.making import make_application, make_endpoint
from support.planting import Plant, make_plant

from homing.core.resources import Application, Endpoint
from homing.core.store import Store
from homing.store import open_store

SHARED = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]


def _url(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if kind == "postgres":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite:///{tmp_path}/homing.db" if kind == "sqlite" else "memory:"


@pytest.fixture(params=["memory", *SHARED])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A fresh world of each kind."""
    return _url(request.param, request, tmp_path)


@pytest.fixture(params=SHARED)
def shared_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A fresh database that several stores can open, as several processes would."""
    return _url(request.param, request, tmp_path)


@pytest.fixture
async def store(store_url: str) -> AsyncIterator[Store]:
    store = await open_store(store_url)
    yield store
    await store.close()


@pytest.fixture
async def stores(shared_url: str) -> AsyncIterator[tuple[Store, Store]]:
    """Two stores on one database."""
    one, other = await open_store(shared_url), await open_store(shared_url)
    yield one, other
    await one.close()
    await other.close()


@pytest.fixture
async def application(store: Store) -> Application:
    """One that is stored, at version 1."""
    application = make_application()
    await store.put(application)
    return application


@pytest.fixture
def endpoint(application: Application) -> Endpoint:
    """One of `application`; not stored, which no delivery needs."""
    return make_endpoint(application.id)


@pytest.fixture
def plant(store: Store, store_url: str) -> Plant:
    return make_plant(store, store_url)
