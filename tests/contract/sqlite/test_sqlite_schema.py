"""The schema of a SQLite file: how it gets it, and what is said when it has another."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from support.making import make_delivery

from homing.core.errors import ConfigError, SchemaMismatch, Unavailable
from homing.core.lifecycle import State
from homing.store import migrate, open_store
from homing.store.queries import load_migrations, load_queries
from homing.store.rows import delivery_row
from homing.store.sqlite.bulk import execute_bulk

SQL = load_queries("sqlite")


def objects(db: sqlite3.Connection) -> list[tuple[str, str]]:
    return db.execute(
        "SELECT name, sql FROM sqlite_schema WHERE name <> 'migrations' AND sql IS NOT NULL "
        "ORDER BY name"
    ).fetchall()


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/homing.db"


async def test_all_migrations_together_make_the_schema(
    url: str, tmp_path: Path, database: sqlite3.Connection
) -> None:
    assert await migrate(url) == [name for name, _ in load_migrations("sqlite")]
    assert await migrate(url) == []
    migrated = sqlite3.connect(tmp_path / "homing.db")
    assert objects(migrated) == objects(database)
    migrated.close()


async def test_a_new_file_is_refused_with_the_command_that_mends_it(url: str) -> None:
    with pytest.raises(SchemaMismatch, match="run `homing migrate`"):
        await open_store(url, migrate=False)
    await migrate(url)
    store = await open_store(url, migrate=False)
    await store.close()


async def test_a_file_of_a_later_version_is_refused(url: str, tmp_path: Path) -> None:
    await migrate(url)
    with sqlite3.connect(tmp_path / "homing.db") as db:
        db.execute("INSERT INTO migrations VALUES ('9999_later')")
    db.close()
    for migrating in (False, True):
        with pytest.raises(SchemaMismatch, match="9999_later"):
            await open_store(url, migrate=migrating)


async def test_what_is_no_database_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("not a database, but long enough to be looked at" * 50)
    with pytest.raises(Unavailable, match="not a database"):
        await open_store(f"sqlite:///{tmp_path}/text.db")
    with pytest.raises(Unavailable, match="unable to open"):
        await open_store(f"sqlite:///{tmp_path}/no/such/folder.db")


@pytest.mark.parametrize("wrong", ["mysql://host/db", "sqlite:homing.db", "sqlite:///", ""])
async def test_a_url_of_no_known_kind_is_a_mistake_of_the_settings(wrong: str) -> None:
    with pytest.raises(ConfigError, match="expected"):
        await open_store(wrong)


@pytest.mark.parametrize(
    ("table", "wrong"),
    [
        ("insert_deliveries", {"state": State.WAITING, "ready_at_us": None}),
        ("insert_deliveries", {"state": State.WAITING, "holder": "somebody"}),
        ("insert_deliveries", {"state": State.LEASED, "holder": None}),
        ("insert_deliveries", {"state": State.DELIVERED}),
        ("insert_deliveries", {"manual": True}),
        ("insert_deliveries", {"resume": State.DEAD}),
        ("insert_deliveries", {"unanswered": 1}),
        ("insert_history", {"state": State.WAITING}),
        ("insert_history", {"state": State.DELIVERED, "finished_at_us": None}),
        ("insert_history", {"state": State.DEAD, "reason": None}),
    ],
)
def test_a_row_that_contradicts_itself_cannot_be_stored(
    database: sqlite3.Connection, table: str, wrong: dict[str, object]
) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        execute_bulk(database, table, [delivery_row(make_delivery(**wrong))])


def plan(database: sqlite3.Connection, name: str, **given: object) -> str:
    steps = database.execute(f"EXPLAIN QUERY PLAN {SQL[name]}", given)
    return "\n".join(step[3] for step in steps)


_LANE = {"state": "waiting", "app_id": "app_1", "endpoint_id": "ep_1", "at_us": 1, "most": 3}


@pytest.mark.parametrize(
    ("name", "walk"),
    [
        ("due_lanes", "deliveries_ready (ready_at_us<?)"),
        ("due_deliveries", "deliveries_lane (state=? AND app_id=? AND endpoint_id=? AND ready_"),
        ("leases_of_endpoint", "deliveries_lane (state=? AND app_id=? AND endpoint_id=? AND read"),
        ("leases_of_app", "deliveries_lane (state=? AND app_id=?)"),
    ],
)
def test_claiming_walks_an_index_and_stops_at_its_limit(
    database: sqlite3.Connection, name: str, walk: str
) -> None:
    how = plan(database, name, **_LANE, count=1, limit=1).splitlines()
    walks = [step for step in how if "deliveries" in step]
    assert len(walks) == 1, how
    assert walk in walks[0], how
    # What was found, at most the limit, is grouped; the table is not.
    assert [step for step in how if "TEMP B-TREE" in step] == (
        ["USE TEMP B-TREE FOR GROUP BY"] if name == "due_lanes" else []
    )


def test_the_next_lane_is_one_step_away(database: sqlite3.Connection) -> None:
    steps = database.execute(f"EXPLAIN QUERY PLAN {SQL['next_lane']}", ("waiting", "a", "b"))
    walk = "COVERING INDEX deliveries_lane (state=? AND (app_id,endpoint_id)>(?,?))"
    assert [step[3] for step in steps] == [f"SEARCH deliveries USING {walk}"]


@pytest.mark.parametrize(
    ("name", "given", "walk"),
    [
        ("next_dead_endpoint", ("ep_1",), "(endpoint_id>?)"),
        ("dead_since", {"endpoint_id": "ep_1", "since_us": 1, "most": 9}, "(endpoint_id=? AND fin"),
        ("newest_dead", ("ep_1",), "(endpoint_id=?)"),
    ],
)
def test_dead_letters_are_looked_at_in_an_index_of_nothing_else(
    database: sqlite3.Connection, name: str, given: Any, walk: str
) -> None:
    steps = database.execute(f"EXPLAIN QUERY PLAN {SQL[name]}", given).fetchall()
    how = [step[3] for step in steps if "history" in step[3]]
    assert len(how) == 1, steps
    assert f"COVERING INDEX history_dead_age {walk}" in how[0], how
    assert not [step for step in steps if "TEMP B-TREE" in step[3]], steps


def test_who_is_behind_is_counted_from_an_index_alone(database: sqlite3.Connection) -> None:
    how = plan(database, "behind", at_us=1)
    walks = [step for step in how.splitlines() if "deliveries" in step]
    assert walks, how
    assert all("COVERING INDEX deliveries_lane" in step for step in walks), how


def test_the_backlog_is_counted_from_indexes_alone(database: sqlite3.Connection) -> None:
    how = plan(database, "backlog", at_us=1)
    assert "TEMP B-TREE" not in how
    walks = [step for step in how.splitlines() if "deliveries" in step]
    assert all("deliveries_ready" in step or "deliveries_parked" in step for step in walks), walks


@pytest.mark.parametrize("name", ["count_born", "find_unaccounted", "find_uncounted"])
def test_the_books_are_read_from_the_index_alone(database: sqlite3.Connection, name: str) -> None:
    how = plan(database, name, low="", high="", limit=1)
    assert "USING COVERING INDEX delivery_log_born (message_id" in how
    assert "SCAN delivery_log" not in how


@pytest.mark.parametrize("name", sorted(name for name in SQL if name.startswith("list_")))
def test_a_listing_never_sorts_and_never_scans(database: sqlite3.Connection, name: str) -> None:
    names = (
        "kind scope low high limit app_id event_types channel tag endpoint_id message_id states "
        "any_message message_low message_high endpoint_low endpoint_high succeeded status_class "
        "issue_id discarded message_high endpoint_high"
    )
    how = plan(database, name, **dict.fromkeys(names.split(), 1))
    steps = [step for step in how.splitlines() if "json_each" not in step]
    # Sorting the "right part", the few endpoints of one message, is no sorting of the table.
    dear = ("SCAN", "MATERIALIZE", "USE TEMP B-TREE FOR ORDER BY")
    assert not [step for step in steps if step.startswith(dear)]


def test_many_rows_are_taken_by_their_key(database: sqlite3.Connection) -> None:
    for name, table in (("take_deliveries", "deliveries"), ("take_history", "history")):
        steps = database.execute(f"EXPLAIN QUERY PLAN {SQL[name]}", ("m", "e", 1))
        assert f"SEARCH {table} USING PRIMARY KEY" in "\n".join(step[3] for step in steps)


@pytest.mark.parametrize(
    ("name", "searches"),
    [
        ("applications_kept", ["messages USING COVERING INDEX messages_app"]),
        (
            "standings",
            [
                "messages USING INDEX messages_app (app_id=? AND id>? AND id<?)",
                "attempts USING COVERING INDEX sqlite_autoindex_attempts_1 (message_id=?)",
                "deliveries USING PRIMARY KEY (message_id=?)",
                "history USING PRIMARY KEY (message_id=?)",
            ],
        ),
        ("standings_of", ["messages USING INDEX sqlite_autoindex_messages_1 (id=?)"]),
        ("purge_payloads", ["messages USING INDEX sqlite_autoindex_messages_1 (id=?)"]),
        ("purge_messages", ["messages USING INDEX sqlite_autoindex_messages_1 (id=?)"]),
        ("purge_attempts", ["attempts USING INDEX sqlite_autoindex_attempts_1 (message_id=?)"]),
        ("purge_history", ["history USING PRIMARY KEY (message_id=?)"]),
        ("count_dead", ["history USING PRIMARY KEY (message_id=?)"]),
        (
            "purge_born_lines",
            ["delivery_log USING INDEX delivery_log_born (message_id=?)"],
        ),
        ("looked_at_lines", ["delivery_log USING INTEGER PRIMARY KEY (rowid>?)"]),
        (
            "purge_lines",
            [
                "delivery_log USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)",
                "messages USING COVERING INDEX sqlite_autoindex_messages_1 (id=?)",
                "deliveries USING PRIMARY KEY (message_id=?)",
                "born USING COVERING INDEX delivery_log_born (message_id=?)",
            ],
        ),
    ],
)
def test_a_purge_walks_indexes_and_never_a_table(
    database: sqlite3.Connection, name: str, searches: list[str]
) -> None:
    names = "app_id after until limit ids line last until_us"
    how = plan(database, name, **dict.fromkeys(names.split(), "1"))
    for search in searches:
        assert f"SEARCH {search}" in how, how
    scans = [step for step in how.splitlines() if step.startswith("SCAN")]
    cheap = ("json_each", "kept", "(subquery", "CONSTANT")
    assert not [step for step in scans if not any(name in step for name in cheap)], how


async def test_processes_that_start_at_once_migrate_once(url: str) -> None:
    stores = await asyncio.gather(*(open_store(url) for _ in range(4)))
    for store in stores:
        await store.ping()
        await store.close()


def test_the_notable_lines_are_found_by_their_index(database: sqlite3.Connection) -> None:
    how = plan(database, "notable_lines", line=1, limit=1)
    assert "SEARCH delivery_log USING INDEX delivery_log_notable (line>?)" in how
    assert "TEMP B-TREE" not in how


@pytest.mark.parametrize(
    ("name", "search"),
    [
        ("burdens", "dead_letters USING COVERING INDEX dead_letters_burden (issue_id=?)"),
        ("nonempty_issues", "dead_letters USING COVERING INDEX dead_letters_burden (issue_id=?)"),
        ("list_filed_of_issue", "dead_letters USING INDEX dead_letters_issue (issue_id=?"),
        ("list_discarded", "dead_letters USING INDEX dead_letters_discarded (app_id=?"),
        ("unresolved_issues", "resources USING INDEX resources_unresolved (id>? AND id<?)"),
        (
            "unresolved_issues_descending",
            "resources USING INDEX resources_unresolved (id>? AND id<?)",
        ),
        ("merged_issues", "resources USING INDEX resources_merged (<expr>=?)"),
        ("filed_of_messages", "dead_letters USING PRIMARY KEY (message_id=?)"),
        ("unfile_messages", "dead_letters USING PRIMARY KEY (message_id=?)"),
        ("payloads_at_stake", "m USING INDEX sqlite_autoindex_messages_1 (id=?)"),
        ("find_unfiled", "filed USING PRIMARY KEY (message_id=? AND endpoint_id=?)"),
        ("find_misfiled", "history USING PRIMARY KEY (message_id=? AND endpoint_id=?)"),
    ],
)
def test_the_desk_is_read_along_its_indexes(
    database: sqlite3.Connection, name: str, search: str
) -> None:
    given = (
        "ids issue_id app_id message_low endpoint_low message_high endpoint_high discarded limit "
        "low high"
    )
    how = plan(database, name, **dict.fromkeys(given.split(), "1"))
    assert f"SEARCH {search}" in how, how
