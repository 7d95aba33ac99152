"""How long an application keeps what, and forgetting one message, over HTTP."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from support.receiver import Exchange, Receiver, respond
from support.serving import Served

NONE = {"payloadDays": None, "attemptDays": None, "logDays": None, "deadLetterDays": None}


async def test_an_application_says_how_long_it_keeps_things(client: httpx.AsyncClient) -> None:
    made = await client.post(
        "/api/v1/app", json={"name": "Clinic", "uid": "clinic", "retention": {"payloadDays": 7}}
    )
    assert made.status_code == 201
    assert made.json()["retention"] == NONE | {"payloadDays": 7}
    path = "/api/v1/app/clinic"
    changed = await client.patch(path, json={"retention": {"logDays": 0, "deadLetterDays": 30}})
    own = NONE | {"logDays": 0, "deadLetterDays": 30}
    assert changed.json()["retention"] == own
    assert (await client.get(path)).json()["retention"] == own
    # An SDK that does not know of it must not undo it.
    await client.put(path, json={"name": "The Clinic", "uid": "clinic"})
    assert (await client.get(path)).json() | {"name": ""} == changed.json() | {
        "name": "",
        "updatedAt": (await client.get(path)).json()["updatedAt"],
    }
    cleared = await client.patch(path, json={"retention": None})
    assert cleared.json()["retention"] == NONE


@pytest.mark.parametrize("days", [-1, 36_501, "7", 1.5])
async def test_days_are_whole_and_within_bounds(client: httpx.AsyncClient, days: object) -> None:
    body = {"name": "Clinic", "retention": {"payloadDays": days}}
    answer = await client.post("/api/v1/app", json=body)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", "retention", "payloadDays"]


async def test_a_message_that_is_being_sent_is_forgotten_with_what_comes_back(
    served: Served, receiver: Receiver
) -> None:
    """The response is under way when its message is expunged, and repeats the payload."""
    arrived, go_on = asyncio.Event(), asyncio.Event()

    async def echo(exchange: Exchange) -> bool:
        arrived.set()
        await go_on.wait()
        return await respond(200, exchange.request.body)(exchange)

    receiver.script("/echo", echo)
    async with served.client() as client:
        await client.post("/api/v1/app", json={"name": "Shop", "uid": "shop"})
        shop = "/api/v1/app/shop"
        await client.post(f"{shop}/endpoint", json={"url": receiver.url("/echo")})
        body = {"eventType": "x", "payload": {"iban": "secret"}}
        sent = (await client.post(f"{shop}/msg", json=body)).json()
        await arrived.wait()
        forgetting = asyncio.create_task(client.delete(f"{shop}/msg/{sent['id']}/content"))
        await asyncio.sleep(0.1)
        go_on.set()
        assert (await forgetting).status_code == 204
        attempts = await client.get(f"{shop}/attempt/msg/{sent['id']}")
        [attempt] = attempts.json()["data"]
        assert (attempt["response"], attempt["responseStatusCode"]) == ("EXPUNGED", 200)
        everything = [attempts.text, (await client.get(f"{shop}/msg/{sent['id']}")).text]
        everything += [(await client.get("/api/v1/delivery-log")).text]
        assert "secret" not in "".join(everything)


async def test_what_is_still_to_be_delivered_of_a_forgotten_message_dies_and_says_why(
    served: Served, receiver: Receiver
) -> None:
    receiver.script("/down", respond(500, b"no"))
    async with served.client() as client:
        await client.post("/api/v1/app", json={"name": "Shop", "uid": "shop"})
        shop = "/api/v1/app/shop"
        endpoint = {"url": receiver.url("/down")}
        made = (await client.post(f"{shop}/endpoint", json=endpoint)).json()
        where = f"{shop}/endpoint/{made['id']}"
        await client.patch(where, json={"disabled": True})
        sent = (await client.post(f"{shop}/msg", json={"eventType": "x", "payload": {}})).json()
        assert (await client.delete(f"{shop}/msg/{sent['id']}/content")).status_code == 204
        await client.patch(where, json={"disabled": False})
        async with asyncio.timeout(60):
            while True:
                dead = (await client.get(f"{shop}/dead-letter")).json()["data"]
                if dead:
                    break
                await asyncio.sleep(0.05)
        assert [(one["msgId"], one["reason"]) for one in dead] == [(sent["id"], "payload_gone")]
    assert receiver.requests == []
