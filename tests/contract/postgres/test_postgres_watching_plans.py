"""How PostgreSQL tells how endpoints are: along indexes, and no further than the bound."""

from __future__ import annotations

import json
from typing import Any

import asyncpg
import pytest
from support.making import START_US

from homing.core.identifiers import first_id
from homing.store.postgres.database import QUERIES, READING_SETTINGS

pytestmark = pytest.mark.postgres

_ROWS = 40_000
_FILL = f"""
INSERT INTO messages
SELECT 'msg_' || lpad(n::text, 27, '0'), 'app_1', 'payment.captured', '{{}}', {START_US} + n, 1, 0
FROM generate_series(1, {_ROWS}) AS n;
INSERT INTO deliveries
SELECT id, 'ep_' || right(id, 1), app_id, 'waiting', accepted_at_us, 1, accepted_at_us, NULL, 0,
    0, 0, 0
FROM messages;
INSERT INTO history
SELECT 'msg_1' || right(id, 26), 'ep_' || right(id, 1), app_id, 'dead', accepted_at_us, 2, NULL,
    NULL, 1, 0, 0, 0, NULL, NULL, 'attempts_exhausted', NULL, NULL, accepted_at_us
FROM messages;
INSERT INTO attempts (id, message_id, endpoint_id, app_id, number, trigger, at_us, url, reason,
    status, first_byte_us, total_us, request_bytes, detail, response_headers, response_body, late)
SELECT 'atmpt_' || right(id, 27), id, 'ep_' || right(id, 1), app_id, 1, 'scheduled',
    accepted_at_us, 'http://x', CASE WHEN right(id, 2) < '10' THEN 'status' ELSE 'ok' END, 500, 1,
    1, 1, '', NULL, NULL, 0
FROM messages;
ANALYZE;
"""
_LOW, _HIGH = "atmpt_" + "0" * 27, "atmpt_~"


async def test_how_an_endpoint_is_costs_what_its_bound_says(postgres_url: str) -> None:
    connection = await asyncpg.connect(postgres_url, server_settings=READING_SETTINGS)
    await connection.execute(_FILL)
    lows = [_LOW, f"atmpt_{20_000:027}"]
    given: dict[str, tuple[Any, ...]] = {
        "loads": (["app_1"] * 2, ["ep_1", "ep_2"], first_id("msg_", 0), _LOW, 50),
        "count_slices": ("ep_1", lows, [lows[1], _HIGH], 50),
        "sample_slices": ("ep_1", lows, [lows[1], _HIGH], 50),
        "count_failures": ("ep_1", _LOW, 50),
    }
    for name, asked in given.items():
        async with connection.transaction(readonly=True):
            await connection.fetch(QUERIES["walk_indexes"])
            rows = await connection.fetch(
                f"EXPLAIN (ANALYZE, BUFFERS, TIMING off, FORMAT json) {QUERIES[name]}", *asked
            )
        text = rows[0][0]
        plan = json.loads(text)[0]["Plan"]
        assert "Seq Scan" not in text, (name, text)
        read = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
        # Two endpoints or slices of fifty rows: a few blocks each, where 4,000 rows would do.
        assert read < 1_400 if name == "loads" else read < 300, (name, read, text)
    await connection.close()
