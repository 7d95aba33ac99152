"""The probes, the metrics and the description."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
from openapi_spec_validator import validate
from support.serving import Served

from homing.core.lifecycle import DeadReason, State
from homing.core.outcome import Reason

SVIX = Path(__file__).with_name("svix_operations.txt")


async def test_the_probes_answer_without_a_token(quiet: Served) -> None:
    async with httpx.AsyncClient(base_url=quiet.url) as client:
        for path, status in (
            ("/health", 200),
            ("/ready", 200),
            ("/metrics", 200),
            ("/api/v1/health", 200),
            ("/api/v1/health/", 200),
            ("/api/v1/health/ping", 204),
        ):
            assert (await client.get(path)).status_code == status, path
        for path, status in (("/api/v1/health", 200), ("/api/v1/health/ping", 204)):
            head = await client.head(path)
            assert (head.status_code, head.content) == (status, b"")


async def test_readiness_tells_of_accepting_dispatching_lateness_and_the_books(
    quiet: Served,
) -> None:
    async with quiet.client() as client:
        ready = (await client.get("/ready")).json()
        assert ready["status"] == "ready"
        assert ready["accepting"]["status"] == ready["dispatching"]["status"] == "ok"
        assert (ready["late"], ready["audit"]["balanced"]) == (False, None)
        await quiet.runtime.auditor.once()
        ready = (await client.get("/ready")).json()
        assert ready["audit"]["balanced"] is True
        assert ready["audit"]["auditedAt"].endswith("Z")
        quiet.runtime.stopping = True
        stopping = await client.get("/ready")
        assert (stopping.status_code, stopping.json()["status"]) == (503, "unready")


async def test_every_series_is_there_from_the_start(quiet: Served) -> None:
    async with quiet.client() as client:
        text = (await client.get("/metrics")).text
    for reason in Reason:
        assert f'homing_attempts_total{{reason="{reason}"}} 0.0' in text
    for dead in DeadReason:
        assert f'homing_deliveries_dead_total{{reason="{dead}"}} 0.0' in text
    for state in State:
        assert f'homing_deliveries_settled_total{{state="{state}"}} 0.0' in text
        assert f'homing_ledger{{column="{state}"}} 0.0' in text
    for name in (
        "messages_accepted_total",
        "receipt_seconds_count",
        "unaccounted",
        "in_flight",
        "breakers_open",
    ):
        assert f"homing_{name} 0.0" in text
    for change in ("opened", "closed"):
        assert f'homing_breaker_changes_total{{change="{change}"}} 0.0' in text
    for kind in ("accept", "claim", "settle"):
        assert f'homing_batch_size_count{{kind="{kind}"}} 0.0' in text
    assert "homing_store_round_trips_total" in text


async def test_the_description_is_valid_openapi(client: httpx.AsyncClient) -> None:
    response = await client.get("/api/v1/openapi.json")
    assert response.headers["content-type"] == "application/json"
    validate(response.json())


async def test_every_operation_of_the_svix_server_is_described(client: httpx.AsyncClient) -> None:
    paths = json.loads((await client.get("/api/v1/openapi.json")).content)["paths"]
    described = {f"{method.upper()} {path}" for path, found in paths.items() for method in found}
    missing = set(SVIX.read_text().splitlines()) - described
    assert missing == set()


async def test_no_two_operations_share_a_name(client: httpx.AsyncClient) -> None:
    paths = (await client.get("/api/v1/openapi.json")).json()["paths"]
    ids = [o["operationId"] for found in paths.values() for o in found.values()]
    assert len(ids) == len(set(ids))
