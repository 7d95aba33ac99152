"""The same analysis computed on a real PostgreSQL and a real Spark gives the same findings."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from click.testing import CliRunner
from support.delivery_logs import Service, attempts, full, iso

pytest.importorskip("ibis")

from homing.cli.impact import impact
from homing.cli.impact_assumptions import EXAMPLE
from homing.cli.verify import verify
from homing.core.errors import ConfigError
from homing.forensics.counting import count
from homing.forensics.document import document
from homing.forensics.engine import elsewhere
from homing.forensics.investigation import investigate
from homing.forensics.options import Options
from homing.forensics.reading.mapping import Column, Mapping
from homing.forensics.reading.sources import Unreadable

#: what must be the same wherever it is computed; each engine finds quantiles in its own way, so
#: that other features are tried
_SAME = (
    *("accepted", "dropped", "rate", "books", "since", "windows", "illegal_steps", "variants"),
    *("examples", "counter_examples", "hit", "cannot_tell", "horizon"),
)


def _lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def _here(folder: Path, text: str) -> dict[str, Any]:
    path = folder / "log.jsonl"
    path.write_text(text)
    return document(investigate([str(path)], Options(folder=str(folder))))


def _there(engine: str, *names: str) -> dict[str, Any]:
    return document(investigate(names, Options(engine=engine, threads=1)))


def _numbered_by_time(found: dict[str, Any]) -> dict[str, Any]:
    """Without the places of lines: a table has none, and files have names of their own."""
    for one in (*found["examples"], *found["counter_examples"]):
        for row in one["rows"]:
            row.pop("line", None)
            row.pop("file", None)
    return found


def _same(there: dict[str, Any], here: dict[str, Any]) -> None:
    there, here = _numbered_by_time(there), _numbered_by_time(here)
    for part in _SAME:
        assert there.get(part) == here.get(part), part
    for part in ("mechanism", "sentence", "mixture", "skeleton"):
        assert there["hypothesis"][part] == here["hypothesis"][part], part
    suspects = [
        {s["name"]: (s["having"], s["dropped"]) for s in found["suspects"] if s["kind"] == "life"}
        for found in (there, here)
    ]
    assert suspects[0] == suspects[1]


def _store(url: str, name: str, rows: list[dict[str, Any]], kinds: dict[str, str]) -> None:
    """A table of the rows; columns are texts where `kinds` does not say otherwise."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    described = ", ".join(f'"{c}" {kinds.get(c, "text")}' for c in columns)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE TABLE {name} ({described})")
        with connection.cursor().copy(f"COPY {name} FROM STDIN") as copy:
            for row in rows:
                values = (row.get(c) for c in columns)
                copy.write_row(
                    [json.dumps(v) if isinstance(v, dict) else v for v in values],
                )


@pytest.fixture
def reader(postgres_empty_url: str) -> Iterator[str]:
    """The URL of somebody who may read that database and keep temporary tables, and no more."""
    name = f"reader_{os.getpid()}"
    with psycopg.connect(postgres_empty_url, autocommit=True) as owner:
        owner.execute(f"CREATE ROLE {name} LOGIN")
        owner.execute("CREATE SCHEMA hooks")
        owner.execute(f"GRANT USAGE ON SCHEMA hooks TO {name}")
        owner.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        owner.execute(f"ALTER DEFAULT PRIVILEGES IN SCHEMA hooks GRANT SELECT ON TABLES TO {name}")
    parts = urlsplit(postgres_empty_url)
    yield parts._replace(netloc=f"{name}@{parts.hostname}:{parts.port}").geturl()
    with psycopg.connect(postgres_empty_url, autocommit=True) as owner:
        owner.execute(f"DROP OWNED BY {name}")
        owner.execute(f"DROP ROLE {name}")


@pytest.mark.postgres
def test_postgresql_finds_the_same_and_is_left_as_it_was(
    reader: str, postgres_empty_url: str, tmp_path: Path
) -> None:
    text = full(Service("D6", 4, deliveries=400, slow_share=0.1).run())[1]
    here = _here(tmp_path, text)
    assert here["hypothesis"]["mechanism"] == "D6"
    rows = _lines(text)
    for row in rows:
        row["t_wall"] = iso(row["t_wall"])  # exact: a float is rounded in another way by each
        row["detail"] = {"op": row.pop("op"), "state": {"to": row.pop("to_state", None)}}
    whole = ("attempt_no", "lease_epoch", "row_version_before", "row_version_after", "cas_rows")
    kinds = dict.fromkeys((*whole, "bytes", "status"), "bigint") | {
        "t_wall": "timestamptz",
        "detail": "jsonb",
        "lease_expires_at": "double precision",
        "commit_lag_ms": "double precision",
    }
    _store(postgres_empty_url, "hooks.changes", rows, kinds)
    # the same, as nested as it is there
    nested = [{**row} for row in rows]
    here = _here(tmp_path, "\n".join(map(json.dumps, nested)))
    _same(_there(reader, "hooks.changes"), here)
    with psycopg.connect(postgres_empty_url) as owner:
        left = owner.execute("SELECT count(*) FROM pg_class WHERE relname LIKE 'homing%'")
        assert left.fetchone() == (0,)


@pytest.mark.postgres
def test_a_table_of_texts_with_copies_and_a_second_table(
    reader: str, postgres_empty_url: str, tmp_path: Path
) -> None:
    rows = _lines(attempts(Service("D1", 6, deliveries=400).run())[1])
    one, other = rows[: len(rows) // 2], rows[len(rows) // 2 :]
    _store(postgres_empty_url, "hooks.old", [*one, *one], {})
    _store(postgres_empty_url, "hooks.new", other, {})
    found = _there(reader, "hooks.old", "hooks.new")
    whole = _here(tmp_path, "\n".join(json.dumps(row) for row in rows))
    for part in ("accepted", "dropped", "books"):
        assert found[part] == whole[part], part
    assert any(f"{len(one)} rows are in the log twice" in told for told in found["cannot_tell"])


@pytest.mark.postgres
def test_a_table_that_tells_its_states_by_times_and_waits_by_their_length(
    reader: str, postgres_empty_url: str
) -> None:
    outbox = [
        {
            "delivery_id": f"dlv_{n:05}",
            "created_at": iso(1_790_000_000 + 60 * n),
            "delivered_at": None if n % 100 == 7 else iso(1_790_000_001 + 60 * n),
        }
        for n in range(600)
    ]
    times = {"created_at": "timestamptz", "delivered_at": "timestamptz"}
    _store(postgres_empty_url, "hooks.outbox", outbox, times)
    found = _there(reader, "hooks.outbox")
    assert found["accepted"] == 600
    assert found["books"]["delivered"] == 594
    assert found["dropped"] == 6
    columns = {
        "delivery": Column(path="delivery_id"),
        "at": Column(path="created_at", others=("delivered_at",)),
        "op": Column(value="accepted"),
    }
    local = Mapping(
        layout="events", columns=columns | {"at": Column(path="day", zone="Asia/Tokyo")}
    )
    _store(postgres_empty_url, "hooks.local", [{**outbox[0], "day": "2026-09-21"}], {"day": "date"})
    with pytest.raises(ConfigError, match="a column with a time zone"):
        investigate(["hooks.local"], Options(engine=reader, mapping=local))
    late = [{**row, "created_at": None} for row in outbox if row["delivered_at"]]
    _store(postgres_empty_url, "hooks.late", late, times)
    mapping = Mapping(layout="events", columns=columns)
    found = document(investigate(["hooks.late"], Options(engine=reader, mapping=mapping)))
    assert (found["accepted"], found["rows"]) == (594, 594)


@pytest.mark.postgres
def test_a_change_is_verified_and_a_drop_priced_where_the_tables_live(
    reader: str, postgres_empty_url: str, tmp_path: Path
) -> None:
    for name, fault in (("before", "D6"), ("after", None)):
        rows = _lines(attempts(Service(fault, 4, deliveries=400, slow_share=0.1).run())[1])
        _store(postgres_empty_url, f"hooks.{name}", rows, {})
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    here = count([str(tmp_path / "before.jsonl")], Options(folder=str(tmp_path)), late_s=60.0)
    there = count(["hooks.before"], Options(engine=reader), late_s=60.0)
    assert here.drops
    assert here.late
    assert there == here
    told = CliRunner().invoke(verify, ["hooks.before", "hooks.after", "--engine", reader, "--json"])
    found = json.loads(told.output)
    assert found["all"]["before"] == {"n": here.arm.all.n, "k": here.arm.all.k}
    assert found["all"]["after"]["k"] == 0
    assert found["all"]["after"]["n"] > 0
    assumed = tmp_path / "impact.toml"
    value = '[value]\neach = 80\ncurrency = "USD"\n\n[margin]'
    begin, end = EXAMPLE.index("[payload]"), EXAMPLE.index("[margin]")
    assumed.write_text(EXAMPLE[:begin] + value + EXAMPLE[end + len("[margin]") :])
    words = ["hooks.before", "--engine", reader, "--assumptions", str(assumed), "--json"]
    priced = CliRunner().invoke(impact, words)
    assert [one["id"] for one in json.loads(priced.output)["affected"]] == list(here.drops)


@pytest.mark.postgres
def test_rows_of_the_service_itself_are_acceptances(
    reader: str, postgres_empty_url: str, tmp_path: Path
) -> None:
    rows: list[dict[str, Any]] = []
    for n in range(60):
        asked = {"path": "/v1/events", "status": 202}
        claimed = {"event": "claimed", "status": None}
        ended = {"event": "delivered", "status": 200} if n % 20 else claimed
        for after_s, more in enumerate((asked, claimed, ended)):
            at = iso(1_790_000_000 + 600 * n + after_s)
            rows.append({"time": at, "delivery_id": f"dlv_{n:05}", **more})
    whole = _here(tmp_path, "\n".join(map(json.dumps, rows)))
    _store(postgres_empty_url, "hooks.both", rows, {"status": "bigint"})
    found = _there(reader, "hooks.both")
    assert found["books"] == whole["books"]
    assert (found["accepted"], found["books"]["delivered"]) == (60, 57)


@pytest.mark.postgres
def test_a_server_that_goes_away_is_told_in_a_sentence(
    reader: str, postgres_empty_url: str
) -> None:
    _store(postgres_empty_url, "hooks.some", [{"n": "1"}], {})

    def work() -> None:
        with elsewhere(reader) as engine:
            some = engine.backend.table("some", database="hooks")
            engine.keep("one", some)
            with psycopg.connect(postgres_empty_url, autocommit=True) as owner:
                owner.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s",
                    [urlsplit(reader).username],
                )
            engine.keep("other", some)

    with pytest.raises(Unreadable, match="cannot compute this: terminating connection"):
        work()


@pytest.mark.postgres
def test_what_is_no_table_there_is_said_in_a_sentence(reader: str, postgres_empty_url: str) -> None:
    with psycopg.connect(postgres_empty_url, autocommit=True) as owner:
        owner.execute("CREATE TABLE hooks.nothing (delivery_id text, at timestamptz)")
        owner.execute("CREATE TABLE hooks.odd (a int, b int)")
        owner.execute("INSERT INTO hooks.odd VALUES (1, 2)")
    for name, said in (
        ("hooks.absent", "expected a table that postgres can read"),
        ("hooks.nothing", "the table has none"),
        ("log.parquet", "found that of a file"),
    ):
        with pytest.raises(Unreadable, match=said):
            _there(reader, name)
    for engine, name, said in (
        (reader, "hooks.odd", "expected a column"),
        ("postgresql://a:hidden@127.0.0.1:1/x", "t", "expected a URL of a warehouse that answers"),
        ("nowhere://x", "t", "Don't know how to connect"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "homing.cli", "investigate", "--engine", engine, name],
            env={**os.environ, "HOMING_INCIDENT": ""},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 2, done.stderr
        assert said in done.stderr
        assert "hidden" not in done.stderr
        assert "Traceback" not in done.stderr


def test_a_file_of_duckdb_is_read_and_left_as_it_was(tmp_path: Path) -> None:
    import duckdb

    here = _here(tmp_path, full(Service("D2", 1, deliveries=150).run())[1])
    file = tmp_path / "warehouse.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute("CREATE SCHEMA hooks")
        # a name of ours: nothing of theirs is written over
        connection.execute(
            f"CREATE TABLE hooks.raw AS SELECT * FROM read_json('{tmp_path}/log.jsonl')"
        )
        connection.execute("CREATE TABLE raw AS FROM hooks.raw")
    before = file.read_bytes()
    for name in ("hooks.raw", "raw"):
        _same(_there(f"duckdb://{file}", name), here)
    assert file.read_bytes() == before
    with pytest.raises(ConfigError, match="expected a database of DuckDB that can be read"):
        _there(f"duckdb://{tmp_path}/absent", "raw")


def test_sqlite_says_what_it_lacks(tmp_path: Path) -> None:
    file = tmp_path / "service.db"
    with pytest.raises(ConfigError, match="there is no such file"):
        _there(f"sqlite://{file}", "changes")
    assert not file.exists()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE changes (delivery_id text, at text, event text)")
        made = ((f"dlv_{n}", iso(1_790_000_000 + n), "accepted") for n in range(50))
        connection.executemany("INSERT INTO changes VALUES (?, ?, ?)", made)
        connection.commit()
    with pytest.raises(Unreadable, match=r"sqlite cannot compute this: .*; export the table"):
        _there(f"sqlite://{file}", "changes")


@pytest.mark.spark
@pytest.mark.slow
def test_spark_finds_the_same_in_files_that_it_reads_itself(
    tmp_path: Path, missing: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A Java that lives for half a minute compiles for longer than it saves: half of its work.
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
    pytest.importorskip("pyspark")
    if shutil.which("java") is None:
        missing("spark", "no Java, which Spark needs")  # type: ignore[operator]
    import duckdb

    here = _here(tmp_path, full(Service("D2", 1, deliveries=150).run())[1])
    assert here["hypothesis"]["mechanism"] == "D2"
    with duckdb.connect() as connection:
        read = f"SELECT * FROM read_json('{tmp_path}/log.jsonl')"
        connection.execute(f"COPY ({read}) TO '{tmp_path}/log.parquet'")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Spark's own start
        _same(_there("spark", str(tmp_path / "log.parquet")), here)
