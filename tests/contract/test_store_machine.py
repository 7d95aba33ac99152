"""Any sequence of calls: SQLite and PostgreSQL answer as the contract in plain Python does."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from support.machine import StoreMachine, open_machine

from homing.core.errors import StoreError
from homing.store import open_store
from homing.store.sqlite import open_sqlite

TABLES = (
    *("resources", "messages", "deliveries", "history", "attempts", "delivery_log", "keys"),
    "dead_letters",
)
CLEAR = "; ".join(f"DELETE FROM {table}" for table in TABLES)

#: the same draws each time: this gates
FIXED = settings(
    derandomize=True,
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
#: new draws, for minutes
LONG = settings(FIXED, derandomize=False, max_examples=2_000, stateful_step_count=60)


@pytest.fixture
def sqlite_machine(tmp_path: Path) -> Iterator[type[StoreMachine]]:
    path = tmp_path / "homing.db"
    with asyncio.Runner() as runner:
        store = runner.run(open_sqlite(str(path), inline=True))
        side = sqlite3.connect(path, isolation_level=None)
        for db in (store._writer._db, side):  # no power fails here, and the disk is slow
            db.execute("PRAGMA synchronous = OFF")
        yield open_machine(store, runner.run, lambda: side.executescript(CLEAR) and None)
        side.close()
        runner.run(store.close())


@pytest.fixture
def postgres_machine(request: pytest.FixtureRequest) -> Iterator[type[StoreMachine]]:
    url = request.getfixturevalue("postgres_url")
    with asyncio.Runner() as runner:
        store = runner.run(open_store(url))
        side = runner.run(asyncpg.connect(url))

        async def clear() -> None:
            await side.execute(CLEAR)

        yield open_machine(store, runner.run, lambda: runner.run(clear()))
        runner.run(side.close())
        runner.run(store.close())


Machine = Callable[[], type[StoreMachine]]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def machine(request: pytest.FixtureRequest) -> type[StoreMachine]:
    found: type[StoreMachine] = request.getfixturevalue(f"{request.param}_machine")
    return found


def test_any_sequence_of_calls_is_answered_as_the_contract_says(
    machine: type[StoreMachine],
) -> None:
    run_state_machine_as_test(machine, settings=FIXED)


@pytest.mark.explore
def test_any_longer_sequence_of_calls_too(machine: type[StoreMachine]) -> None:
    run_state_machine_as_test(machine, settings=LONG)


def test_a_store_that_forgets_one_thing_is_found_out(
    sqlite_machine: type[StoreMachine], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine itself: without the fence in SQL, it comes upon a difference."""
    from homing.store.sqlite import bulk

    fenced = bulk._SQL["take_deliveries"]
    bare = fenced.replace(
        "endpoint_id, version) IN (SELECT * FROM (VALUES (?, ?, ?)))",
        "endpoint_id) IN (SELECT column1, column2 FROM (SELECT * FROM (VALUES (?, ?, ?))))",
    )
    assert bare != fenced
    monkeypatch.setattr(bulk, "_SQL", {**bulk._SQL, "take_deliveries": bare})
    bulk._widened.cache_clear()
    try:
        with pytest.raises((AssertionError, StoreError, ExceptionGroup)):
            run_state_machine_as_test(
                sqlite_machine, settings=settings(FIXED, phases=[Phase.generate])
            )
    finally:
        bulk._widened.cache_clear()
