"""What was for an endpoint, as its receiver asks for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from support.receiver import Receiver, respond
from support.serving import Served

APP = "/api/v1/app/shop"
SENT = f"{APP}/endpoint/main/sent"


@pytest.fixture
async def shop(served: Served, receiver: Receiver) -> AsyncIterator[httpx.AsyncClient]:
    receiver.script("/hook", respond(200, b"thanks"))
    async with served.client() as client:
        await client.post("/api/v1/app", json={"name": "Shop", "uid": "shop"})
        for uid, path in (("main", "/hook"), ("other", "/other")):
            body = {"url": receiver.url(path), "uid": uid}
            assert (await client.post(f"{APP}/endpoint", json=body)).status_code == 201
        yield client


async def _send(client: httpx.AsyncClient, number: int) -> Any:
    body = {"eventType": "a", "payload": {"n": number}, "eventId": f"e{number}"}
    answer = await client.post(f"{APP}/msg", json=body)
    assert answer.status_code == 202, answer.text
    return answer.json()


async def _settled(client: httpx.AsyncClient, **params: Any) -> list[Any]:
    async with asyncio.timeout(60):
        while True:
            data = (await client.get(SENT, params=params)).json()["data"]
            if all(one["state"] in ("delivered", "dead") for one in data):
                return list(data)
            await asyncio.sleep(0.02)


async def test_delivered_and_dead_are_both_listed_oldest_first(
    shop: httpx.AsyncClient, receiver: Receiver
) -> None:
    first = await _send(shop, 1)
    await _settled(shop)
    receiver.script("/hook", respond(500, b"no"))
    second = await _send(shop, 2)
    found = await _settled(shop)
    assert [(one["id"], one["eventId"]) for one in found] == [
        (first["id"], "e1"),
        (second["id"], "e2"),
    ]
    assert [(one["state"], one["attempts"]) for one in found] == [("delivered", 1), ("dead", 2)]
    assert found[0]["acceptedAt"] == first["timestamp"]
    assert [one["id"] for one in await _settled(shop, state="dead")] == [second["id"]]


async def test_since_takes_in_its_own_moment_and_until_does_not(shop: httpx.AsyncClient) -> None:
    message = await _send(shop, 1)
    at = message["timestamp"]
    assert [one["id"] for one in await _settled(shop, since=at)] == [message["id"]]
    assert (await shop.get(SENT, params={"until": at})).json()["data"] == []


async def test_it_comes_in_pages(shop: httpx.AsyncClient) -> None:
    sent = [(await _send(shop, number))["id"] for number in range(5)]
    found, iterator = [], None
    while True:
        params = {"limit": 2} | ({} if iterator is None else {"iterator": iterator})
        page = (await shop.get(SENT, params=params)).json()
        found += [one["id"] for one in page["data"]]
        if page["done"]:
            break
        iterator = page["iterator"]
    assert found == sorted(sent)


async def test_a_receiver_asks_with_the_token_of_its_application_and_for_no_other(
    shop: httpx.AsyncClient, served: Served
) -> None:
    message = await _send(shop, 1)
    answer = await shop.post("/api/v1/auth/app-portal-access/shop", json={"capabilities": []})
    assert answer.status_code == 200, answer.text
    token = answer.json()["token"]
    await shop.post("/api/v1/app", json={"name": "Bank", "uid": "bank"})
    async with served.client(token=token) as reader:
        listed = (await reader.get(SENT)).json()["data"]
        assert [one["id"] for one in listed] == [message["id"]]
        assert (await reader.get(SENT.replace("shop", "bank"))).status_code in (403, 404)
