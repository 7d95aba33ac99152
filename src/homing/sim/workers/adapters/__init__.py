"""Clients that people use, each call of which is a place to be cut off at."""

from __future__ import annotations

from typing import Any

from homing.sim.workers.adapters.rows import RowsBackend
from homing.sim.workers.world import Backend


def open_backend(store: str, worker: Any) -> Backend:
    """An empty store for one world.

    Args:
        store: a word of `case.STORES`.
        worker: its attributes say what is in the store; see each adapter.
    """
    if store == "sqlite":
        from homing.sim.workers.adapters.sqlite import SqliteBackend

        return SqliteBackend(worker)
    if store == "redis":
        from homing.sim.workers.adapters.redis import RedisBackend

        return RedisBackend(worker)
    if store == "postgres":
        from homing.sim.workers.adapters.postgres import PostgresBackend

        return PostgresBackend(worker)
    return RowsBackend(worker)


__all__ = ["open_backend"]
