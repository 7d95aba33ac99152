"""Two sides on one real database, whose statements come in the order that a test decides."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.interleaving import Interleaver, on_postgres, on_sqlite

from homing.store.sqlite import migrate_sqlite


@pytest.fixture
def sqlite_sides(tmp_path: Path) -> Iterator[Interleaver]:
    path = tmp_path / "homing.db"
    asyncio.run(migrate_sqlite(str(path)))
    sides = on_sqlite(path)
    yield sides
    sides.close()


@pytest.fixture
def postgres_sides(request: pytest.FixtureRequest) -> Iterator[Interleaver]:
    sides = on_postgres(request.getfixturevalue("postgres_url"))
    yield sides
    sides.close()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def sides(request: pytest.FixtureRequest) -> Interleaver:
    found: Interleaver = request.getfixturevalue(f"{request.param}_sides")
    return found
