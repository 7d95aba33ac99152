"""Damages the books behind a store's back, for tests of what should notice."""

from __future__ import annotations

import sqlite3
from typing import Any, Protocol

import asyncpg

from homing.core.identifiers import DeliveryId
from homing.core.lifecycle import Delivery
from homing.core.store import Store
from homing.store.memory.store import MemoryStore
from homing.store.rows import delivery_row


class Plant(Protocol):
    """Damages the books behind the store's back. Tables: "deliveries", "history" and, to
    remove from, "dead_letters"."""

    async def remove(self, table: str, which: DeliveryId) -> None: ...

    async def insert(self, table: str, delivery: Delivery) -> None: ...


class MemoryPlant:
    def __init__(self, store: MemoryStore) -> None:
        self._tables: dict[str, dict[DeliveryId, Any]] = {
            "deliveries": store.hot,
            "history": store.history,
            "dead_letters": store.desk,
        }

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


def make_plant(store: Store, url: str) -> Plant:
    """The plant that fits what `open_store(url)` gave."""
    if isinstance(store, MemoryStore):
        return MemoryPlant(store)
    if url.startswith("sqlite:///"):
        return SqlitePlant(url.removeprefix("sqlite:///"))
    return PostgresPlant(url)
