"""The store under test: every test of the contract runs on each implementation."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

import asyncpg
import pytest
from support.making import make_application, make_endpoint

from homing.core.identifiers import DeliveryId
from homing.core.lifecycle import Delivery
from homing.core.ports import Store
from homing.core.resources import Application, Endpoint
from homing.store import open_store
from homing.store.memory import MemoryStore
from homing.store.rows import delivery_row

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


class Plant(Protocol):
    """Damages the books behind the store's back. Tables: "deliveries" and "history"."""

    async def remove(self, table: str, which: DeliveryId) -> None: ...

    async def insert(self, table: str, delivery: Delivery) -> None: ...


class MemoryPlant:
    def __init__(self, store: MemoryStore) -> None:
        self._tables = {"deliveries": store.hot, "history": store.history}

    async def remove(self, table: str, which: DeliveryId) -> None:
        del self._tables[table][which]

    async def insert(self, table: str, delivery: Delivery) -> None:
        self._tables[table][delivery.id] = delivery


class SqlitePlant:
    def __init__(self, path: str) -> None:
        self._path = path

    def _execute(self, sql: str, values: tuple[object, ...]) -> None:
        db = sqlite3.connect(self._path)
        with db:
            db.execute(sql, values)
        db.close()

    async def remove(self, table: str, which: DeliveryId) -> None:
        self._execute(f"DELETE FROM {table} WHERE message_id = ? AND endpoint_id = ?", which)

    async def insert(self, table: str, delivery: Delivery) -> None:
        row = delivery_row(delivery)
        self._execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)


class PostgresPlant:
    def __init__(self, url: str) -> None:
        self._url = url

    async def _execute(self, sql: str, values: tuple[object, ...]) -> None:
        connection = await asyncpg.connect(self._url)
        try:
            await connection.execute(sql, *values)
        finally:
            await connection.close()

    async def remove(self, table: str, which: DeliveryId) -> None:
        await self._execute(
            f"DELETE FROM {table} WHERE message_id = $1 AND endpoint_id = $2", which
        )

    async def insert(self, table: str, delivery: Delivery) -> None:
        row = delivery_row(delivery)
        marks = ", ".join(f"${number}" for number in range(1, len(row) + 1))
        await self._execute(f"INSERT INTO {table} VALUES ({marks})", row)


@pytest.fixture
def plant(store: Store, store_url: str) -> Plant:
    if isinstance(store, MemoryStore):
        return MemoryPlant(store)
    if store_url.startswith("sqlite:"):
        return SqlitePlant(store_url.removeprefix("sqlite:///"))
    return PostgresPlant(store_url)
