"""The schema: how a database gets it, and what is said when it has another."""

from __future__ import annotations

import asyncio
import re
import subprocess
from importlib.resources import files
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from support.making import START_US, make_acceptance, make_application, make_id
from support.postgres import find_programs

from homing.core.errors import ConfigError, SchemaMismatch, Unavailable
from homing.core.queries import LogCursor, Span
from homing.store.postgres import open_postgres

pytestmark = pytest.mark.postgres


def dump_of(url: str) -> str:
    """The schema of a database as pg_dump writes it, without what differs from run to run."""
    command = [find_programs() / "pg_dump", "--schema-only", "--exclude-table=migrations", url]
    text = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
    return re.sub(r"(?m)^(--.*|\\.*|SET .*|SELECT pg_catalog.set_config.*)?\n", "", text)


async def test_all_migrations_together_make_the_schema(
    postgres_url: str, postgres_empty_url: str
) -> None:
    connection = await asyncpg.connect(postgres_empty_url)
    await connection.execute(
        (files("homing.store") / "sql" / "postgres" / "schema.sql").read_text()
    )
    await connection.close()

    assert "CREATE TABLE public.deliveries" in dump_of(postgres_url)
    assert dump_of(postgres_url) == dump_of(postgres_empty_url)


async def test_three_nodes_that_start_at_once_migrate_once(postgres_empty_url: str) -> None:
    stores = await asyncio.gather(
        *(open_postgres(postgres_empty_url, migrate=True) for _ in range(3))
    )
    for store in stores:
        await store.ping()
        await store.close()


async def test_an_empty_database_is_refused_with_the_command_that_mends_it(
    postgres_empty_url: str,
) -> None:
    with pytest.raises(SchemaMismatch, match="run `homing migrate`"):
        await open_postgres(postgres_empty_url, migrate=False)


async def test_a_database_of_a_newer_version_is_refused(postgres_url: str) -> None:
    connection = await asyncpg.connect(postgres_url)
    await connection.execute("INSERT INTO migrations VALUES ('9999_wings')")
    await connection.close()

    with pytest.raises(SchemaMismatch, match=r"newer than this version.*9999_wings"):
        await open_postgres(postgres_url, migrate=True)


async def test_a_database_that_is_not_there_is_the_operators_mistake(postgres_url: str) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        await open_postgres(f"{postgres_url}_nowhere", migrate=True)


async def test_a_server_that_is_not_there_may_come(postgres_url: str) -> None:
    nobody = urlunsplit(urlsplit(postgres_url)._replace(netloc="homing@127.0.0.1:1"))
    with pytest.raises(Unavailable):
        await open_postgres(nobody, migrate=True)


async def test_a_log_restored_into_another_server_keeps_its_order(postgres_url: str) -> None:
    """There, transactions are counted from the beginning again."""
    store = await open_postgres(postgres_url, migrate=True)
    application = make_application()
    await store.put(application)
    await store.accept([make_acceptance(application)])
    await store.accept([make_acceptance(application)])
    connection = await asyncpg.connect(postgres_url)
    await connection.execute(
        "UPDATE delivery_log SET transaction = (transaction::text::bigint + 1000000)::text::xid8"
    )
    await connection.close()
    assert await store.log(LogCursor(), limit=10) == []
    await store.close()

    store = await open_postgres(postgres_url, migrate=True)
    await store.accept([make_acceptance(application)])
    lines = await store.log(LogCursor(), limit=10)
    await store.close()

    assert len(lines) == 3
    assert [line.entry.sequence for line in lines] == sorted(line.entry.sequence for line in lines)


async def test_ids_are_ordered_as_bytes_whatever_the_servers_language(postgres_url: str) -> None:
    store = await open_postgres(postgres_url, migrate=False)
    application = make_application()
    await store.put(application)
    ids = sorted(make_id("msg_", START_US + hour * 3_600_000_000) for hour in range(60))
    await store.accept([make_acceptance(application, id=name) for name in reversed(ids)])

    assert await store.misfits(Span(), limit=9) == []
    books = await store.ledger(Span(), window_s=3_600)
    await store.close()

    assert len({row.window_at_us for row in books}) == 60
    assert all(row.accepted == row.leased == 1 for row in books)
