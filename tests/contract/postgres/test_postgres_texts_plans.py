"""How PostgreSQL reads and forgets the words of payloads: by keys, and along one index."""

from __future__ import annotations

import json
import re
from typing import Any

import asyncpg
import pytest
from support.making import START_US

from homing.store.postgres.database import QUERIES, READING_SETTINGS, TRAFFIC_SETTINGS

pytestmark = pytest.mark.postgres

_FILL = f"""
INSERT INTO messages
SELECT 'msg_' || lpad(n::text, 27, '0'), 'app_' || n % 3, 'payment.captured', '{{}}',
    {START_US} + n, 1, 0
FROM generate_series(1, 20000) AS n;
INSERT INTO text_segments
SELECT n, 'msg_' || lpad((n * 20 - 20)::text, 27, '0'), 'msg_' || lpad((n * 20)::text, 27, '0'),
    '[]', 20, 40, (n % 100 = 1)::int
FROM generate_series(1, 1000) AS n;
INSERT INTO text_entries SELECT n, '\\x00' FROM generate_series(256, 60000) AS n;
ANALYZE;
"""
_LOW, _HIGH = (f"msg_{n:027}" for n in (5_000, 5_100))
_READING: list[tuple[str, tuple[Any, ...], set[str]]] = [
    ("texts_of_all", (_LOW, _HIGH, 64, 100), {"messages_pkey"}),
    ("texts_of_app", (_LOW, _HIGH, 64, 100, "app_1"), {"messages_app"}),
    ("newest_of_all", ("msg_", "msg_~", 64, 100), {"messages_pkey"}),
    ("newest_of_app", ("msg_", "msg_~", 64, 100, "app_1"), {"messages_app"}),
    ("segments", (_LOW, 64), {"text_segments_pkey", "text_segments_last"}),
    ("stale_segments", (5,), {"text_segments_stale"}),
    ("entries", (7, [1, 2, 3]), {"text_entries_pkey"}),
]
_WRITING: list[tuple[str, tuple[Any, ...], set[str]]] = [
    ("count_texts", (_LOW, _HIGH), {"messages_pkey"}),
    ("delete_entries", ([3, 4],), {"text_entries_pkey"}),
    ("mark_stale", ([_LOW, _HIGH],), {"text_segments_pkey", "text_segments_last"}),
]


@pytest.mark.parametrize("settings", [READING_SETTINGS, TRAFFIC_SETTINGS])
async def test_payloads_and_their_words_are_found_by_keys(
    postgres_url: str, settings: dict[str, str]
) -> None:
    connection = await asyncpg.connect(postgres_url, server_settings=settings)
    await connection.execute(_FILL)
    for name, values, indexes in _READING if settings is READING_SETTINGS else _WRITING:
        rows = await connection.fetch(
            f"EXPLAIN (ANALYZE, BUFFERS, TIMING off, FORMAT json) {QUERIES[name]}", *values
        )
        text = rows[0][0]
        assert "Seq Scan" not in text, f"{name}: {text}"
        assert indexes <= set(re.findall(r'"Index Name": "(\w+)"', text)), f"{name}: {text}"
        [read] = json.loads(text)
        blocks = read["Plan"]["Shared Hit Blocks"] + read["Plan"]["Shared Read Blocks"]
        assert blocks < 1_200, f"{name}: {blocks} blocks, {text}"
    await connection.close()
