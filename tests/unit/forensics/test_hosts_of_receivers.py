"""A host beside each endpoint is the receiver's, and a lone attempt begins a request."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("duckdb")
pytest.importorskip("ibis")

from support.in_duckdb import in_duckdb

from homing.forensics.answers import of_answers
from homing.forensics.behaviours import Behaviours
from homing.forensics.operations import Op
from homing.forensics.reading.guessing import guess

HOSTS = ("hooks.shop-one.com", "in.books.io", "api.parcels.net", "crm.fields.org")


def lines(host_of: Any) -> list[dict[str, Any]]:
    return [
        {
            "time": f"2026-03-02T{n // 60:02}:{n % 60:02}:0{attempt}Z",
            "delivery_id": f"del-{n:05x}-{n * 7919 % 65536:04x}",
            "endpoint_id": f"ep-{n % 4}",
            "host": host_of(n, attempt),
            "event": "attempt failed" if attempt == 1 else "delivered",
            "attempt": attempt,
        }
        for n in range(200)
        for attempt in (1, 2)
    ]


def test_a_host_that_goes_with_its_endpoint_is_no_worker() -> None:
    mapping = guess(lines(lambda n, _: HOSTS[n % 4]))
    assert "worker" not in mapping.columns


def test_a_host_that_changes_within_a_delivery_is_a_worker() -> None:
    mapping = guess(lines(lambda n, attempt: HOSTS[(n + attempt) % 4]))
    assert mapping.columns["worker"].path == "host"


def test_an_attempt_that_an_answer_follows_is_the_beginning_of_a_request() -> None:
    said = ("accepted", "attempt", "response")
    table = in_duckdb(
        {
            "delivery": [f"d{n}" for n in range(60) for _ in said],
            "message": [None] * 180,
            "endpoint": [None] * 180,
            "op_raw": [word for _ in range(60) for word in said],
            "status": [200 if word == "response" else None for _ in range(60) for word in said],
            "at_us": list(range(180)),
            "rowid": list(range(180)),
            **dict.fromkeys(("changed_us", "due_us", "attempt", "retries"), [None] * 180),
            **dict.fromkeys(("finished_us", "worker", "actor"), [None] * 180),
        },
        schema={
            "delivery": "string", "message": "string", "endpoint": "string", "op_raw": "string",
            "status": "int64", "at_us": "int64", "rowid": "int64", "changed_us": "int64",
            "finished_us": "int64", "due_us": "int64", "attempt": "int64", "retries": "int64",
            "worker": "string", "actor": "string",
        },
    )  # fmt: skip
    lines = Behaviours(table)
    assert of_answers(lines, lines, said)["attempt"].op is Op.SENT
