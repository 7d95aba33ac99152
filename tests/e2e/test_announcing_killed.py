"""A process that is killed between a cause and its announcement loses neither."""

from __future__ import annotations

import asyncio
import json
import signal
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from support.processes import Homing, Shop, audit, serving, shop
from support.receiver import Receiver, respond

ROUNDS = 4
MESSAGES = 5


async def state_counts(shop: Shop) -> Counter[str]:
    answer = await shop.http.get("/app/shop/delivery", params={"limit": 250})
    return Counter(one["state"] for one in answer.json()["data"])


async def cause(shop: Shop, url: str) -> None:
    """Dead letters, and an endpoint that is made, disabled and deleted."""
    before = (await state_counts(shop))["dead"]
    for number in range(MESSAGES):
        await shop.send(number)
    async with asyncio.timeout(60):
        while (await state_counts(shop))["dead"] < before + MESSAGES:
            await asyncio.sleep(0.01)
    body = {"url": url, "eventTypes": []}
    made = (await shop.http.post("/app/shop/endpoint", json=body)).json()
    path = f"/app/shop/endpoint/{made['id']}"
    await shop.http.patch(path, json={"disabled": True})
    (await shop.http.delete(path)).raise_for_status()


async def kill(homing: Homing) -> None:
    homing.signal(signal.SIGKILL)
    await homing.process.wait()


def told(receiver: Receiver) -> dict[str, Any]:
    """By the event's id."""
    bodies = [json.loads(one.body) for one in receiver.requests if one.path == "/ops"]
    return {one["id"]: one for one in bodies}


def types_told(receiver: Receiver) -> Counter[str]:
    types = (one["type"] for one in told(receiver).values())
    # an alert that a slow machine sets off was not caused by the story
    return Counter(one for one in types if not one.startswith("alert."))


async def story(folder: Path, database_url: str) -> None:
    """Cause, kill, and see what is told by whoever comes after."""
    # what is under way at the kill waits for its lease, which is to end well before the patience
    lease = {"lease_s": "15", "total_s": "5"}
    given = {"database_url": database_url, "retry_delays_s": "0.05", **lease}
    async with Receiver() as receiver:
        receiver.script("/hook", respond(500))
        for number in range(ROUNDS):
            async with serving(folder, **given) as homing, shop(homing, folder) as publisher:
                if number == 0:
                    await publisher.http.post(
                        "/operational-webhook/endpoint", json={"url": receiver.url("/ops")}
                    )
                    await publisher.add_endpoint(receiver.url("/hook"))
                await cause(publisher, receiver.url("/other"))
                await kill(homing)
        async with serving(folder, **given):
            expected = {
                "message.attempt.exhausted": ROUNDS * MESSAGES,
                "endpoint.created": ROUNDS + 1,
                "endpoint.updated": ROUNDS,
                "endpoint.disabled": ROUNDS,
                "endpoint.deleted": ROUNDS,
            }
            with suppress(TimeoutError):
                async with asyncio.timeout(90):
                    while types_told(receiver) != expected:
                        await asyncio.sleep(0.05)
            assert types_told(receiver) == expected
        told_of = [
            one["data"]["msgId"]
            for one in told(receiver).values()
            if one["type"] == "message.attempt.exhausted"
        ]
        assert len(set(told_of)) == ROUNDS * MESSAGES
    report = await audit(folder, database_url=database_url)
    assert report["balanced"]


@pytest.mark.slow
async def test_what_was_caused_before_a_kill_is_told_after_it(tmp_path: Path) -> None:
    await story(tmp_path, f"sqlite:///{tmp_path}/homing.db")


@pytest.mark.slow
@pytest.mark.postgres
async def test_what_was_caused_before_a_kill_is_told_after_it_on_postgresql(
    tmp_path: Path, postgres_empty_url: str
) -> None:
    await story(tmp_path, postgres_empty_url)
