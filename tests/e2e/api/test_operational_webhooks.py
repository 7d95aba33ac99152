"""Operational webhooks over HTTP, on each kind of store, to a real receiver."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import standardwebhooks
from support.receiver import Receiver, respond
from support.serving import Served, org_token

OPS = "/api/v1/operational-webhook/endpoint"
APP = "/api/v1/app/shop"
WAIT_S = 60.0


def told(receiver: Receiver) -> list[dict[str, Any]]:
    return [json.loads(one.body) for one in receiver.requests if one.path == "/ops"]


async def until(receiver: Receiver, holds: Callable[[list[str]], bool]) -> list[dict[str, Any]]:
    """What was told, once its types are as expected."""
    async with asyncio.timeout(WAIT_S):
        while not holds([one["type"] for one in told(receiver)]):
            await asyncio.sleep(0.02)
    return told(receiver)


async def listen(client: httpx.AsyncClient, receiver: Receiver, **more: object) -> dict[str, Any]:
    made = await client.post(OPS, json={"url": receiver.url("/ops"), "uid": "ops", **more})
    assert made.status_code == 201, made.text
    return dict(made.json())


async def make_endpoint(client: httpx.AsyncClient, receiver: Receiver, **more: object) -> str:
    await client.post("/api/v1/app", json={"name": "Shop", "uid": "shop"})
    made = await client.post(f"{APP}/endpoint", json={"url": receiver.url("/hook"), **more})
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


async def send(client: httpx.AsyncClient) -> str:
    sent = await client.post(f"{APP}/msg", json={"eventType": "order.paid", "payload": {}})
    assert sent.status_code == 202
    return str(sent.json()["id"])


async def test_an_organisation_is_told_and_can_verify_it(
    served: Served, receiver: Receiver
) -> None:
    async with served.client() as client:
        ops = await listen(client, receiver, headers={"X-Ops": "1"}, description="on call")
        endpoint_id = await make_endpoint(client, receiver, retryDelaysSeconds=[0.01] * 4)
        receiver.script("/hook", respond(500))
        message_id = await send(client)
        everything = await until(receiver, lambda types: len(types) >= 3)
        by_type = {one["type"]: one["data"] for one in everything}  # each goes its own way
        assert (len(everything), by_type.keys()) == (
            3,
            {"endpoint.created", "message.attempt.failing", "message.attempt.exhausted"},
        )
        dead = by_type["message.attempt.exhausted"]
        assert (dead["appUid"], dead["endpointId"], dead["msgId"]) == (
            "shop",
            endpoint_id,
            message_id,
        )
        assert dead["lastAttempt"]["responseStatusCode"] == 500

        secret = (await client.get(f"{OPS}/{ops['id']}/secret")).json()["key"]
        request = next(one for one in receiver.requests if one.path == "/ops")
        standardwebhooks.Webhook(secret).verify(request.body, request.headers)
        assert request.headers["x-ops"] == "1"

        await client.patch(f"{APP}/endpoint/{endpoint_id}", json={"disabled": True})
        found = await until(receiver, lambda types: "endpoint.disabled" in types)
        disabled = next(one for one in found if one["type"] == "endpoint.disabled")
        assert disabled["data"]["trigger"] == "manual"


async def test_they_are_managed_like_the_sdk_does(
    client: httpx.AsyncClient, receiver: Receiver
) -> None:
    assert (await client.get(OPS)).json() == {
        "data": [], "iterator": None, "prevIterator": None, "done": True,
    }  # fmt: skip
    assert (await client.get(f"{OPS}/ops")).status_code == 404
    wrong = await client.post(
        OPS, json={"url": "https://example.com", "eventTypes": ["order.paid"]}
    )
    assert wrong.status_code == 422
    given = {"eventTypes": ["endpoint.disabled"], "throttleRate": 5, "metadata": {"a": "b"}}
    made = await listen(client, receiver, **given)
    assert {name: made[name] for name in given} == given
    assert (made["filterTypes"], made["rateLimit"]) == (["endpoint.disabled"], 5)
    assert (await client.get(f"{OPS}/ops")).json() == made
    assert (await client.get(OPS)).json()["data"] == [made]
    put = await client.put(f"{OPS}/ops", json={"url": "https://example.com/", "uid": "ops"})
    assert (put.status_code, put.json()["id"], put.json()["eventTypes"]) == (200, made["id"], None)
    new = await client.put(f"{OPS}/second", json={"url": "https://example.com/", "uid": "second"})
    assert new.status_code == 201
    assert (
        await client.put(f"{OPS}/ops/headers", json={"headers": {"X-A": "1"}})
    ).status_code == 204
    headers = (await client.get(f"{OPS}/ops/headers")).json()
    assert headers == {"headers": {"X-A": "1"}, "sensitive": []}
    key = (await client.get(f"{OPS}/ops/secret")).json()["key"]
    assert (await client.post(f"{OPS}/ops/secret/rotate", json={})).status_code == 204
    assert (await client.get(f"{OPS}/ops/secret")).json()["key"] != key
    assert (await client.delete(f"{OPS}/ops")).status_code == 204
    assert [one["uid"] for one in (await client.get(OPS)).json()["data"]] == ["second"]


async def test_the_hidden_application_is_no_application_of_anybody(
    served: Served, receiver: Receiver
) -> None:
    async with served.client() as client, served.client(org_token("org_other")) as other:
        ops = await listen(client, receiver, retryDelaysSeconds=[])
        hidden = f"/api/v1/app/{ops['appId']}"
        assert (await client.get("/api/v1/app")).json()["data"] == []
        for one in (client, other):
            assert (await one.get(hidden)).status_code == 404
            assert (await one.delete(hidden)).status_code == 404
            assert (await one.patch(hidden, json={"uid": None})).status_code == 404
            assert (await one.get(f"{hidden}/endpoint")).status_code == 404
            assert (
                await one.post(f"{hidden}/endpoint", json={"url": "https://a.b"})
            ).status_code == 404
            forged = await one.post(f"{hidden}/msg", json={"eventType": "x", "payload": {}})
            assert forged.status_code == 404
        portal = await client.post(f"/api/v1/auth/app-portal-access/{ops['appId']}", json={})
        assert portal.status_code == 404
        assert (await other.get(OPS)).json()["data"] == []
        assert (await other.get(f"{OPS}/{ops['id']}")).status_code == 404


async def test_what_an_organisation_was_not_told_is_a_dead_letter_with_a_way_back(
    served: Served, receiver: Receiver
) -> None:
    receiver.script("/ops", respond(500))
    async with served.client() as client, served.client(org_token("org_other")) as other:
        ops = await listen(client, receiver)
        await make_endpoint(client, receiver)
        dead_letters = f"/api/v1/app/{ops['appId']}/dead-letter"
        async with asyncio.timeout(WAIT_S):
            while not (await client.get(dead_letters)).json()["data"]:
                await asyncio.sleep(0.05)
        assert (await other.get(dead_letters)).status_code == 404
        (dead,) = (await client.get(dead_letters)).json()["data"]
        receiver.script("/ops", respond(200))
        assert (await client.post(f"{dead_letters}/{dead['id']}/redrive")).status_code == 202
        async with asyncio.timeout(WAIT_S):
            while (await client.get(dead_letters)).json()["data"]:
                await asyncio.sleep(0.05)
        for path in (
            "msg",
            f"msg/{dead['msgId']}",
            f"attempt/endpoint/{ops['id']}",
            f"attempt/msg/{dead['msgId']}",
            f"endpoint/{ops['id']}/msg",
            f"msg/{dead['msgId']}/endpoint",
            f"delivery?endpoint_id={ops['id']}",
        ):
            shown = await client.get(f"/api/v1/app/{ops['appId']}/{path}")
            assert (shown.status_code, path) == (200, path)
            hidden = await other.get(f"/api/v1/app/{ops['appId']}/{path}")
            assert (hidden.status_code, path) == (404, path)
        ledger = (await client.get("/api/v1/ledger")).json()
        assert ledger["balanced"]
        assert [row["appId"] for row in ledger["rows"]] == [ops["appId"]]
        operations: list[str] = []
        async with asyncio.timeout(WAIT_S):
            while operations[-2:] != ["leased", "succeeded"]:
                await asyncio.sleep(0.05)
                log = await client.get("/api/v1/delivery-log", params={"app_id": ops["appId"]})
                operations = [json.loads(line)["op"] for line in log.text.splitlines()]
        assert (await other.get("/api/v1/ledger")).json()["rows"] == []


async def test_a_repeated_request_makes_one_endpoint(
    client: httpx.AsyncClient, receiver: Receiver
) -> None:
    once = {"idempotency-key": "once"}
    body = {"url": receiver.url("/ops")}
    one, other = [await client.post(OPS, json=body, headers=once) for _ in range(2)]
    assert one.json() == other.json()
    assert len((await client.get(OPS)).json()["data"]) == 1


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_they_are_the_organisations_alone(
    quiet: Served, client: httpx.AsyncClient, app: str, method: str
) -> None:
    portal = (await client.post("/api/v1/auth/app-portal-access/shop", json={})).json()
    async with quiet.client(portal["token"]) as holder:
        assert (await holder.request(method, OPS, json={"url": "https://a.b"})).status_code == 403


async def test_the_end_of_a_background_task_is_told(served: Served, receiver: Receiver) -> None:
    async with served.client() as client:
        await listen(client, receiver, eventTypes=["background_task.finished"])
        endpoint_id = await make_endpoint(client, receiver, retryDelaysSeconds=[])
        receiver.script("/hook", respond(500), respond(200))
        await send(client)
        async with asyncio.timeout(WAIT_S):
            while not (await client.get(f"{APP}/dead-letter")).json()["data"]:
                await asyncio.sleep(0.02)
        body = {"since": (datetime.now(UTC) - timedelta(hours=1)).isoformat()}
        task = (await client.post(f"{APP}/endpoint/{endpoint_id}/recover", json=body)).json()
        (ended,) = await until(receiver, lambda types: bool(types))
        assert ended["type"] == "background_task.finished"
        data = ended["data"]
        assert (data["taskId"], data["task"], data["status"]) == (
            task["id"],
            "endpoint.recover",
            "finished",
        )
        assert (data["data"]["messages_sent"], data["data"]["endp_id"]) == (1, endpoint_id)
