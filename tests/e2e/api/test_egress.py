"""What the API says about URLs that must not be called, and that they are not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_network
from pathlib import Path

import httpx
import pytest
from support.receiver import Receiver
from support.serving import serving

from homing.knobs import Allowance
from homing.store import open_store

SENTENCE = "expected a public address, or one that the operator allows (HOMING_EGRESS_ALLOW)"
NOT_CALLED = "address_blocked: address not allowed; an operator can allow it with "


@pytest.mark.parametrize(
    "url",
    [
        "http://10.0.0.1/",
        "http://192.168.0.1:8080/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::1]/",
        "http://[::ffff:10.0.0.1]/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://user:password@10.0.0.1/",
        "http://0.0.0.0/",
    ],
)
async def test_an_address_that_can_never_be_called_is_a_422_that_says_the_setting(
    client: httpx.AsyncClient, app: str, url: str
) -> None:
    made = await client.post(f"{app}/endpoint", json={"url": "https://example.com/", "uid": "main"})
    assert made.status_code == 201
    for answer in (
        await client.post(f"{app}/endpoint", json={"url": url}),
        await client.patch(f"{app}/endpoint/main", json={"url": url}),
        await client.put(f"{app}/endpoint/main", json={"url": url}),
        await client.put(f"{app}/endpoint/new", json={"url": url}),
    ):
        assert answer.status_code == 422, answer.text
        (problem,) = answer.json()["detail"]
        assert (problem["loc"], problem["msg"]) == (["body", "url"], SENTENCE)
    kept = (await client.get(f"{app}/endpoint")).json()["data"]
    assert [endpoint["url"] for endpoint in kept] == ["https://example.com/"]


async def test_an_endpoint_whose_network_was_closed_can_still_be_changed_otherwise(
    tmp_path: Path,
) -> None:
    url = {"url": "http://127.0.0.1:1/"}
    async with at_homing(tmp_path, dispatching=False) as client:
        await client.post("/api/v1/app", json={"name": "Shop", "uid": "shop"})
        made = await client.post("/api/v1/app/shop/endpoint", json={**url, "uid": "main"})
        assert made.status_code == 201
    async with at_homing(tmp_path, dispatching=False, egress_allow=()) as client:
        path = "/api/v1/app/shop/endpoint/main"
        assert (await client.patch(path, json={"disabled": True})).status_code == 200
        assert (await client.patch(path, json=url)).status_code == 422


@pytest.mark.parametrize("path", ["/health", "/metrics", "/api/v1/app"])
async def test_the_service_is_not_made_to_call_itself(path: str) -> None:
    """By its address this is refused at once; by a name, when it is dialled."""
    async with at_homing(retry_delays_s=()) as client:
        url = f"{client.base_url}".rstrip("/") + path
        await client.post("/api/v1/app", json={"name": "Shop", "uid": "shop"})
        made = await client.post("/api/v1/app/shop/endpoint", json={"url": url})
        assert made.status_code == 422, "although 127.0.0.0/8 is allowed there"
        by_name = {"url": url.replace("127.0.0.1", "localhost")}
        made = await client.post("/api/v1/app/shop/endpoint", json=by_name)
        assert made.status_code == 201
        assert (await response_to_a_message(client, "shop")).startswith(NOT_CALLED)


async def test_a_network_allowed_for_one_application_is_open_to_no_other(
    tmp_path: Path, receiver: Receiver
) -> None:
    async with at_homing(tmp_path, dispatching=False) as client:
        made = await client.post("/api/v1/app", json={"name": "inside", "uid": "inside"})
        await client.post("/api/v1/app", json={"name": "outside", "uid": "outside"})
    allowed = (Allowance(made.json()["id"], (ip_network("127.0.0.0/8"),)),)
    async with at_homing(
        tmp_path, egress_allow=(), egress_allow_for=allowed, retry_delays_s=()
    ) as client:
        for name, status in (("inside", 201), ("outside", 422)):
            made = await client.post(f"/api/v1/app/{name}/endpoint", json={"url": receiver.url()})
            assert made.status_code == status, made.text
        by_name = {"url": receiver.url(host="localhost")}
        made = await client.post("/api/v1/app/outside/endpoint", json=by_name)
        assert made.status_code == 201
        assert (await response_to_a_message(client, "outside")).startswith(NOT_CALLED)
        assert receiver.connections == 0
        await response_to_a_message(client, "inside")
        assert len(receiver.requests) == 1


@asynccontextmanager
async def at_homing(
    folder: Path | None = None, *, dispatching: bool = True, **fields: object
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a Homing that keeps everything in this folder, or in memory."""
    store = await open_store(f"sqlite:///{folder}/homing.db" if folder else "memory:")
    async with (
        serving(store, dispatching=dispatching, **fields) as served,
        served.client() as client,
    ):
        yield client


async def response_to_a_message(client: httpx.AsyncClient, app: str) -> str:
    """What the tenant is shown of the first attempt at a new message."""
    sent = await client.post(f"/api/v1/app/{app}/msg", json={"eventType": "a", "payload": {}})
    path = f"/api/v1/app/{app}/attempt/msg/{sent.json()['id']}"
    async with asyncio.timeout(60):
        while not (found := (await client.get(path)).json()["data"]):
            await asyncio.sleep(0.02)
    return str(found[0]["response"])
