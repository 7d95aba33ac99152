"""How PostgreSQL looks: along an index, as far as a look goes, and never over a table."""

from __future__ import annotations

import json
import re
from typing import Any

import asyncpg
import pytest
from support.making import START_US

from homing.store.postgres.database import QUERIES, READING_SETTINGS

pytestmark = pytest.mark.postgres

_ROWS = 40_000
_LOOKS = 50

_FILL = f"""
INSERT INTO messages
SELECT 'msg_' || lpad(n::text, 27, '0'), 'app_' || n % 3, 'payment.captured', '{{}}',
    {START_US} + n, 1, 0
FROM generate_series(1, {_ROWS}) AS n;
INSERT INTO history
SELECT id, 'ep_' || lpad((right(id, 2)::int % 50)::text, 27, '0'), app_id,
    CASE WHEN right(id, 2) IN ('07', '57', '11') THEN 'dead' ELSE 'delivered' END,
    accepted_at_us, 2, NULL, NULL, 1, 0, 0, 0, NULL, NULL, 'attempts_exhausted', NULL,
    NULL, accepted_at_us
FROM messages WHERE right(id, 1) <> '9';
INSERT INTO deliveries
SELECT id, 'ep_' || lpad((right(id, 2)::int % 50)::text, 27, '0'), app_id, 'waiting',
    accepted_at_us, 1, accepted_at_us, NULL, 0, 0, 0, 0
FROM messages WHERE right(id, 1) = '9';
INSERT INTO delivery_log (at_us, mono_us, holder, sequence, op, message_id, endpoint_id, app_id,
    from_state, to_state, version_before, version_after, rows_written, lease_epoch)
SELECT accepted_at_us, 0, 'h', 1, op, message_id, endpoint_id, app_id, before, after, 1, 2, 1, 1
FROM history, (VALUES ('accepted', NULL, 'leased'), ('failed', 'leased', 'waiting'),
    ('succeeded', 'leased', 'delivered')) AS v (op, before, after);
ANALYZE;
"""

_ALL = ("msg_", "msg_~", _LOOKS)
_IDS = [f"msg_{n:027}" for n in range(1, 51)]
_NOTHING: tuple[None, ...] = (None,) * 5


@pytest.fixture
async def connection(postgres_url: str) -> Any:
    connection = await asyncpg.connect(postgres_url, server_settings=READING_SETTINGS)
    await connection.execute(_FILL)
    yield connection
    await connection.close()


async def test_a_look_goes_along_an_index(connection: asyncpg.Connection) -> None:
    endpoint = "ep_" + "7".rjust(27, "0")
    for name, values, indexes in (
        ("walk_messages", _ALL, {"messages_pkey"}),
        ("walk_messages_of_app", (*_ALL, "app_1"), {"messages_app"}),
        ("walk_endpoint", (*_ALL, endpoint), {"deliveries_endpoint", "history_endpoint"}),
        ("walk_dead", _ALL, {"history_dead"}),
        ("walk_dead_of_app", (*_ALL, "app_1"), {"history_dead_app"}),
        # by either index of dead letters: here they are so few that sorting them is as good
        ("walk_dead_of_endpoint", (*_ALL, endpoint), set()),
        ("walk_unfinished", _ALL, {"deliveries_pkey"}),
        ("walk_unfinished_of_endpoint", (*_ALL, endpoint), {"deliveries_endpoint"}),
        ("sift_messages", (_IDS, 50, *_NOTHING), {"messages_pkey"}),
        (
            "sift_deliveries",
            (_IDS, 50, "msg_~", "", None, None, None),
            {"deliveries_pkey", "history_pkey"},
        ),
        ("life", (_IDS[0], "ep_1", 10), {"delivery_log_born", "delivery_log_life"}),
    ):
        rows = await connection.fetch(
            f"EXPLAIN (ANALYZE, BUFFERS, TIMING off, FORMAT json) {QUERIES[name]}", *values
        )
        text = rows[0][0]
        assert "Seq Scan" not in text, f"{name}: {text}"
        assert indexes <= set(re.findall(r'"Index Name": "(\w+)"', text)), f"{name}: {text}"
        [read] = json.loads(text)
        blocks = read["Plan"]["Shared Hit Blocks"] + read["Plan"]["Shared Read Blocks"]
        assert blocks < 1_200, f"{name}: {blocks} blocks, {text}"
