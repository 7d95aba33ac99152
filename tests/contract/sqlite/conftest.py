"""What the tests of SQLite share."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from importlib.resources import files

import pytest

SCHEMA = (files("homing.store") / "sql" / "sqlite" / "schema.sql").read_text("utf-8")


@pytest.fixture
def database() -> Iterator[sqlite3.Connection]:
    """An empty database in memory with today's schema."""
    database = sqlite3.connect(":memory:")
    database.executescript(SCHEMA)
    yield database
    database.close()
