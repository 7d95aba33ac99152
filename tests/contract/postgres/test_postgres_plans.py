"""How PostgreSQL finds rows: the hot path must stay on its indexes, whatever the tables hold."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import asyncpg
import pytest
from conftest import execute, url_of
from support.making import START_US

from homing.store.postgres.database import QUERIES, READING_SETTINGS, TRAFFIC_SETTINGS

pytestmark = pytest.mark.postgres

_ROWS = 50_000

_FILL = f"""
INSERT INTO messages
SELECT 'msg_' || lpad(n::text, 27, '0'), 'app_1', 'payment.captured', '{{}}', {START_US} + n, 1, 0
FROM generate_series(1, {_ROWS}) AS n;
INSERT INTO deliveries
SELECT id, 'ep_' || lpad((right(id, 2)::int % 50)::text, 27, '0'), app_id, 'waiting',
    accepted_at_us, 1, accepted_at_us, NULL, 0, 0, 0, 0
FROM messages;
INSERT INTO history
SELECT 'msg_1' || right(id, 26), 'ep_' || lpad((right(id, 2)::int % 50)::text, 27, '0'), app_id,
    CASE WHEN right(id, 3) = '007' THEN 'dead' ELSE 'delivered' END, accepted_at_us, 2, NULL, NULL,
    1, 0, 0, 0, NULL, NULL, 'attempts_exhausted', NULL, NULL, accepted_at_us
FROM messages;
INSERT INTO keys SELECT decode(md5(id), 'hex'), '\\x00', id, NULL, NULL, accepted_at_us
FROM messages;
"""

#: One row is left, at the end of the table, of the index by endpoint, and not of that by message.
_DRAIN = """
INSERT INTO deliveries
SELECT 'msg_', 'ep_~', app_id, state, accepted_at_us, version, ready_at_us, holder, leases,
    unanswered, failures, manual
FROM deliveries LIMIT 1;
DELETE FROM deliveries WHERE endpoint_id < 'ep_~';
"""

_DESK = """
INSERT INTO dead_letters
SELECT message_id, endpoint_id, app_id, 'iss_' || right(endpoint_id, 2), accepted_at_us, 'EUR', 1,
    CASE WHEN right(message_id, 2) = '01' THEN accepted_at_us END
FROM history;
INSERT INTO resources
SELECT 'issue', 'app_1', 'iss_' || n, 'uid' || n, 1, json_build_object(
    'state', CASE WHEN n % 100 = 0 THEN 'open' ELSE 'resolved' END,
    'merged_into', CASE WHEN n % 50 = 1 THEN 'iss_100' END)::text
FROM generate_series(1, 5000) AS n;
"""


@pytest.fixture
async def connection(postgres_url: str) -> AsyncIterator[asyncpg.Connection]:
    """To a database of the test's own, planning as the hot path does."""
    connection = await asyncpg.connect(postgres_url, server_settings=TRAFFIC_SETTINGS)
    yield connection
    await connection.close()


@pytest.fixture(scope="module")
def full_url(postgres_admin: str, postgres_template: str) -> Iterator[str]:
    """A database with a backlog and its statistics, for all tests that only plan and read."""
    name = f"homing_test_plans_{os.getpid()}"
    url = url_of(postgres_admin, name)

    async def fill() -> None:
        await execute(postgres_admin, f"CREATE DATABASE {name} TEMPLATE {postgres_template}")
        await execute(url, _FILL + _DESK)
        await execute(url, "VACUUM ANALYZE")

    asyncio.run(fill())
    yield url
    asyncio.run(execute(postgres_admin, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
async def full(full_url: str) -> AsyncIterator[asyncpg.Connection]:
    """To that one."""
    connection = await asyncpg.connect(full_url, server_settings=TRAFFIC_SETTINGS)
    yield connection
    await connection.close()


async def plan_of(connection: asyncpg.Connection, name: str, types: str, values: str) -> str:
    """The plan that the prepared statement gets, as text."""
    await connection.execute(f"PREPARE {name} ({types}) AS {QUERIES[name]}")
    rows = await connection.fetch(f"EXPLAIN EXECUTE {name} ({values})")
    await connection.execute(f"DEALLOCATE {name}")
    return "\n".join(row[0] for row in rows)


@pytest.mark.parametrize("analyzed", [False, True])
async def test_a_claim_walks_the_index_and_stops_at_its_limit(
    connection: asyncpg.Connection, full: asyncpg.Connection, analyzed: bool
) -> None:
    connection = full if analyzed else connection
    if not analyzed:
        await connection.execute(_FILL)
    later = START_US * 2
    one, many = "'{app_1}', '{ep_000000000000000000000000001}'", "text[], text[]"
    for name, index, types, values in (
        ("due_lanes", "deliveries_ready", "bigint, bigint", f"{later}, 100"),
        ("due_deliveries", "deliveries_lane", f"bigint, {many}, int[]", f"{later}, {one}, '{{9}}'"),
        (
            "walk_lanes",
            "deliveries_lane",
            "text, text, text, int, int",
            "'waiting', '', '', 200, 8",
        ),
        (
            "count_leases",
            "deliveries_lane",
            "bigint, text[], text[], text[], int[]",
            "0, '{app_1,ep_1}', '{app_1,app_1}', '{NULL,ep_1}', '{3,3}'",
        ),
    ):
        plan = await plan_of(connection, name, types, values)
        assert "Seq Scan" not in plan, plan
        walks = [line for line in plan.splitlines() if " on deliveries" in line]
        assert walks, plan
        assert all("Index" in line and index in line for line in walks), plan
        # What was found, at most the limit, may be grouped by sorting it; the table is not sorted.
        above, _, below = plan.partition("Limit")
        assert "Sort" not in below, plan
        assert name == "due_lanes" or "Sort" not in above, plan


async def test_stepping_from_lane_to_lane_costs_a_step_each(full: asyncpg.Connection) -> None:
    rows = await full.fetch(
        f"EXPLAIN (ANALYZE, BUFFERS, TIMING off, FORMAT json) {QUERIES['walk_lanes']}",
        "waiting",
        "",
        "",
        30,
        100,
    )
    [read] = json.loads(rows[0][0])
    plan = read["Plan"]
    assert plan["Actual Rows"] == 30
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 30 * 12, plan


async def test_dead_letters_are_looked_at_in_an_index_of_nothing_else(
    full: asyncpg.Connection,
) -> None:
    rows = await full.fetch(
        f"EXPLAIN (ANALYZE, BUFFERS, TIMING off, FORMAT json) {QUERIES['dead_letters']}",
        START_US * 2,
        0,
        "",
        20,
        5,
    )
    [read] = json.loads(rows[0][0])
    text = rows[0][0]
    assert "Seq Scan" not in text, text
    assert set(re.findall(r'"Index Name": "(\w+)"', text)) == {"history_dead_age"}, text
    plan = read["Plan"]
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 20 * 40, text


_SETTLE_TYPES = "deliveries[], deliveries[], deliveries[], deliveries[], deliveries[], attempts[]"
_ACCEPT_TYPES = "messages[], deliveries[], delivery_log[], keys[], bigint[], text[], text[]"


@pytest.mark.parametrize("where", ["empty", "full"])
async def test_a_batch_meets_the_tables_by_their_keys_only(
    connection: asyncpg.Connection, full: asyncpg.Connection, where: str
) -> None:
    connection = full if where == "full" else connection
    settle = await plan_of(
        connection, "settle", f"{_SETTLE_TYPES}, delivery_log[]", ", ".join(["'{}'"] * 7)
    )
    accept = await plan_of(
        connection, "accept", f"{_ACCEPT_TYPES}, bigint[], text[]", ", ".join(["'{}'"] * 9)
    )

    for plan in (settle, accept):
        assert "Seq Scan" not in plan, plan
        # Two parts of a batch are compared through a hash table, never each with each.
        assert "hashed SubPlan" in plan, plan
        assert "Join Filter" not in plan, plan
    assert settle.count("Index Scan using deliveries_") == 2, settle
    assert settle.count("Index Scan using history_") == 2, settle
    assert settle.count("Tid Scan on deliveries") == 2, settle
    assert settle.count("Tid Scan on history") == 2, settle
    assert settle.count("Index Only Scan using history_") == 1, settle
    assert settle.count("Index Scan using messages_") == 1, settle
    assert "keys_pkey" in accept


@pytest.mark.parametrize(
    ("name", "values", "index"),
    [
        (
            "list_deliveries",
            ("msg_", "", "msg_~", "", 50, "app_1", ["dead"], None, None),
            "history_dead",
        ),
        (
            "list_deliveries_of_endpoint",
            ("ep_" + "7".rjust(27, "0"), "msg_", "msg_~", 50, None, ["dead"], None, None),
            "history_dead_endpoint",
        ),
        (
            "list_deliveries_of_endpoint",
            ("ep_" + "7".rjust(27, "0"), "msg_", "msg_~", 50, None, None, None, None),
            "history_endpoint",
        ),
        (
            "list_deliveries_descending",
            ("msg_", "", "msg_~", "", 50, None, None, None, None),
            "history_pkey",
        ),
    ],
)
async def test_a_page_of_deliveries_costs_a_page(
    full_url: str, name: str, values: tuple[Any, ...], index: str
) -> None:
    connection = await asyncpg.connect(full_url, server_settings=READING_SETTINGS)
    rows = await connection.fetch(f"EXPLAIN (ANALYZE, TIMING off) {QUERIES[name]}", *values)
    await connection.close()

    plan = "\n".join(row[0] for row in rows)
    assert index in plan, plan
    assert "Seq Scan" not in plan, plan


_PURGES = [
    ("applications_kept", "text, bigint", "'', 10", {"messages_app"}),
    (
        "standings",
        "text, text, text, bigint",
        "'app_1', 'msg_0', 'msg_1', 100",
        {"messages_app", "attempts_pkey", "deliveries_pkey", "history_pkey"},
    ),
    (
        "standings_of",
        "text[]",
        "array['msg_1', 'msg_2']",
        {"messages_pkey", "attempts_pkey", "deliveries_pkey", "history_pkey"},
    ),
    ("lock_messages", "text[]", "array['msg_1', 'msg_2']", {"messages_pkey"}),
    ("lock_history", "text[]", "array['msg_1', 'msg_2']", {"history_pkey"}),
    (
        "purge",
        "text[], text[], text[]",
        "array['msg_1'], array['msg_1'], array['msg_2']",
        {"messages_pkey", "attempts_pkey", "history_pkey", "delivery_log_born"},
    ),
    (
        "purge_lines",
        "text, bigint, bigint, bigint",
        "'5', 0, 9000000000000000, 1000",
        {"delivery_log_pkey", "messages_pkey", "deliveries_pkey", "delivery_log_born"},
    ),
]


@pytest.mark.parametrize("when", ["never", "empty", "full"])
async def test_one_more_delivery_of_a_message_looks_it_up_by_its_key(
    connection: asyncpg.Connection, full: asyncpg.Connection, when: str
) -> None:
    """Also in a plan made from the statistics of empty tables, when a join looks cheap."""
    connection = full if when == "full" else connection
    if when == "empty":
        await connection.execute("VACUUM ANALYZE")
    settle = await plan_of(
        connection, "settle", f"{_SETTLE_TYPES}, delivery_log[]", ", ".join(["'{}'"] * 7)
    )
    added = settle.partition("CTE added\n")[2].partition("CTE entered\n")[0]
    assert "LockRows" in added, added
    assert "Join Filter" not in added, added
    # by either index: both hold all that is asked for
    assert re.search(
        r"Index Scan using messages_(pkey|app) on messages.*\n"
        r"\s+Index Cond: \(?\(.*id = a_4.message_id\)",
        added,
    ), added
    assert "messages_app" not in added or "app_id = a_4.app_id" in added, added


@pytest.mark.parametrize("when", ["never", "empty", "full", "drained"])
async def test_each_decision_looks_its_row_up_by_its_key(
    connection: asyncpg.Connection, full: asyncpg.Connection, when: str
) -> None:
    """Also in a plan made from the statistics of empty tables, when a join looks cheap.

    And it asks for the version of the row that it writes, as that is when it is written.
    """
    connection = full if when == "full" else connection
    if when == "drained":
        await connection.execute(_FILL + _DRAIN)
    if when in ("empty", "drained"):
        await connection.execute("VACUUM ANALYZE")
    settle = await plan_of(
        connection, "settle", f"{_SETTLE_TYPES}, delivery_log[]", ", ".join(["'{}'"] * 7)
    )
    for part, table in (
        ("finished", "deliveries"),
        ("kept", "deliveries"),
        ("revived", "history"),
        ("amended", "history"),
    ):
        plan = settle.partition(f"CTE {part}\n")[2].partition("\n  CTE ")[0]
        assert "Join Filter" not in plan, plan
        # by either index: both lead to one row
        assert re.search(
            rf"Index Scan using {table}_(pkey|endpoint) on {table}.*\n"
            r"\s+Index Cond: .*(endpoint_id = a\S*endpoint_id.*message_id = a"
            r"|message_id = a\S*message_id.*endpoint_id = a)",
            plan,
        ), plan
        assert re.search(
            rf"Tid Scan on {table} .*\n\s+TID Cond: .*found\S*place.*\n"
            r"\s+Filter: .*version >= found\S*version\) AND .*version <= found\S*version\)",
            plan,
        ), plan
        assert plan.count(f" on {table}") == 3, plan  # what is written, the look, and its place


@pytest.mark.parametrize("analyzed", ["never", "empty", "full", "drained"])
async def test_a_purge_walks_indexes_and_stops_at_its_limit(
    connection: asyncpg.Connection, full: asyncpg.Connection, analyzed: str
) -> None:
    """Also when the hot table has just been emptied, as after a burst."""
    connection = full if analyzed == "full" else connection
    if analyzed == "empty":
        await connection.execute("VACUUM ANALYZE")
    if analyzed != "full":
        await connection.execute(_FILL)
    if analyzed == "drained":
        await connection.execute(_DRAIN)
        await connection.execute("VACUUM ANALYZE")
    for name, types, values, indexes in _PURGES:
        plan = await plan_of(connection, name, types, values)
        for index in indexes:
            assert index in plan, plan
        # An index that is read without a condition is read whole, as for a hash table.
        walks = len(re.findall(r"Index (?:Only )?Scan using", plan))
        assert plan.count("Index Cond") >= walks - (name == "applications_kept"), plan
        assert "Join Filter" not in plan, plan
        assert "Seq Scan" not in plan, plan


async def test_the_notable_lines_are_found_by_their_index(connection: asyncpg.Connection) -> None:
    how = await plan_of(connection, "notable_log", "text, bigint, int", "'1', 0, 100")
    assert "Index Scan using delivery_log_notable" in how
    assert "Sort" not in how


@pytest.mark.parametrize(
    ("name", "types", "values", "index"),
    [
        ("burdens", "text[]", "'{iss_01,iss_02}'", "dead_letters_burden"),
        (
            "list_filed_of_issue",
            "text, text, text, text, text, int, boolean",
            "'iss_01', 'msg_0', '', 'msg_z', '', 50, false",
            "dead_letters_issue",
        ),
        (
            "list_discarded",
            "text, text, text, text, text, int",
            "'app_1', 'msg_0', '', 'msg_z', '', 50",
            "dead_letters_discarded",
        ),
        ("unresolved_issues", "text, text, int", "'', 'z', 50", "resources_unresolved"),
        (
            "unresolved_issues_descending",
            "text, text, int",
            "'', 'z', 50",
            "resources_unresolved",
        ),
        ("merged_issues", "text[]", "'{iss_100}'", "resources_merged"),
        ("nonempty_issues", "text[]", "'{iss_01}'", "dead_letters"),
        ("lock_issues_by_uids", "text[], text[]", "'{app_1}', '{uid1}'", "resources_uid"),
    ],
)
async def test_the_desk_is_read_along_its_indexes(
    full: asyncpg.Connection, name: str, types: str, values: str, index: str
) -> None:
    how = await plan_of(full, name, types, values)
    assert index in how, how
    assert "Seq Scan" not in how, how
    assert not name.startswith("list_") or "Sort" not in how, how
