"""How PostgreSQL counts what objectives are about: along the log, and by primary keys."""

from __future__ import annotations

import re

import asyncpg
import pytest
from support.making import START_US

from homing.store.postgres.database import QUERIES, READING_SETTINGS

pytestmark = pytest.mark.postgres

_ROWS = 30_000
_ID = "'msg_' || lpad(n::text, 27, '0')"
_FILL = f"""
INSERT INTO messages
SELECT {_ID}, 'app_1', 'payment.captured', '{{}}', {START_US} + n, 1, 0
FROM generate_series(1, {_ROWS}) AS n;
INSERT INTO history
SELECT id, 'ep_1', app_id, 'delivered', accepted_at_us, 2, NULL, NULL,
    1, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, accepted_at_us
FROM messages;
INSERT INTO delivery_log (at_us, mono_us, holder, sequence, op, message_id, endpoint_id, app_id,
    from_state, to_state, version_before, version_after, rows_written, lease_epoch, attempt_id,
    attempt_no, total_us, outcome)
SELECT accepted_at_us, 0, 'h', 1, 'succeeded', id, 'ep_1', app_id, 'leased', 'delivered', 1, 2, 1,
    1, 'atmpt_1', 1, 1000, 'ok'
FROM messages;
INSERT INTO tallies
SELECT 'org_1', 60, {START_US} + n::bigint * 60000000, 'delivered', '', '', 1
FROM generate_series(1, {_ROWS}) AS n;
"""


@pytest.mark.parametrize("analyzed", [False, True])
async def test_a_piece_of_the_log_costs_a_piece(postgres_url: str, analyzed: bool) -> None:
    connection = await asyncpg.connect(postgres_url, server_settings=READING_SETTINGS)
    await connection.execute(_FILL)
    if analyzed:
        await connection.execute("ANALYZE")
    [first] = await connection.fetch(
        "SELECT transaction::text::bigint AS transaction, min(line) AS line "
        "FROM delivery_log GROUP BY transaction"
    )
    place = (str(first["transaction"]), first["line"] + 5_000)
    end = (str(first["transaction"]), first["line"] + 6_000)
    asked = (*place, *end, 5_000_000, 60_000_000, 30_000_000)
    rows = await connection.fetch(f"EXPLAIN (ANALYZE, TIMING off) {QUERIES['seen']}", *asked)
    plan = "\n".join(row[0] for row in rows)
    # Of a table with nothing in it, any plan will do; each call makes its own.
    scanned = set(re.findall(r"Seq Scan on (\w+)", plan))
    assert not scanned - {"deliveries", "attempts"}, plan
    assert "delivery_log_pkey" in plan, plan
    # two indexes have both columns of the key
    assert re.search(r"history_(pkey|endpoint) on history h .* rows=1 loops=1000", plan), plan
    assert "attempts_endpoint" not in plan, plan
    assert "delivery_log_life on delivery_log r" in plan, plan
    assert "rows=1000 loops=1)" in plan, plan
    rows = await connection.fetch(
        f"EXPLAIN (ANALYZE, TIMING off) {QUERIES['seen_plain']}", *asked[:-1]
    )
    plan = "\n".join(row[0] for row in rows)
    assert "Seq Scan" not in plan, plan
    assert re.search(r"history_(pkey|endpoint) on history h .* rows=1 loops=1000", plan), plan

    for name, given, index in (
        ("seen_end", (*place, 1_000), "delivery_log_pkey"),
        ("seen_last", place, "delivery_log_pkey"),
        ("tallied", ("org_1", 60, START_US, START_US + 3_600_000_000), "tallies_"),
        (
            "tally_series",
            ("org_1", 60, START_US, START_US + 3_600_000_000, "delivered"),
            "tallies_",
        ),
        ("forget_tallies", (60, START_US + 3_600_000_000), "tallies_age"),
    ):
        rows = await connection.fetch(f"EXPLAIN {QUERIES[name]}", *given)
        plan = "\n".join(row[0] for row in rows)
        assert index in plan, plan
        assert "Seq Scan" not in plan, plan
        # the index has the order: to sort is to have read all that is after the place
        assert "Sort" not in plan or not (analyzed and name.startswith("seen")), plan
    await connection.close()
