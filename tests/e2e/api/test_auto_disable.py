"""The whole story of an endpoint that only fails, over HTTP, with a clock that the test moves."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from support.receiver import Receiver, respond
from support.serving import Served, serving

from homing.store import open_store

from .conftest import ShiftedClock

APP = "/api/v1/app/shop"
HOUR_S = 3_600
WAIT_S = 60.0


@pytest.fixture
async def served(store_url: str, clock: ShiftedClock) -> AsyncIterator[Served]:
    """Disables what only failed for four hours, after a warning at half of that."""
    store = await open_store(store_url)
    fields = {"retry_delays_s": (HOUR_S,) * 20, "retry_jitter": 0.0}
    async with serving(store, disable_after_s=4.0 * HOUR_S, **fields) as served:
        for task in served.runtime._tasks:
            if task.get_name() == "health":  # the test says when observations are written down
                task.cancel()
        yield served


async def until(look: Callable[[], Awaitable[Any]]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not await look():
            await asyncio.sleep(0.02)


async def test_it_is_warned_about_disabled_parked_and_resumed(
    served: Served,
    clock: ShiftedClock,
    receiver: Receiver,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def told() -> list[dict[str, Any]]:
        """In order. What is under way while the clock is moved comes again, as after any lapse."""
        hooks = [one for one in receiver.requests if one.path == "/ops"]
        return [
            json.loads(body) for body in {h.headers["webhook-id"]: h.body for h in hooks}.values()
        ]

    def hits() -> int:
        return sum(one.path == "/hook" for one in receiver.requests)

    async def states() -> set[str]:
        return {one["state"] for one in (await client.get(f"{APP}/delivery")).json()["data"]}

    async def has_failed(times: int) -> bool:
        attempts = await client.get(f"{APP}/attempt/endpoint/main")
        return len(attempts.json()["data"]) == times

    async def send() -> None:
        message = {"eventType": "order.paid", "payload": {}}
        assert (await client.post(f"{APP}/msg", json=message)).status_code == 202

    caplog.set_level(logging.WARNING, "homing.endpoints")
    receiver.script("/hook", respond(500))
    async with served.client() as client:
        wanted = ["endpoint.failing", "endpoint.disabled", "endpoint.enabled"]
        ops = {"url": receiver.url("/ops"), "eventTypes": wanted}
        made = await client.post("/api/v1/operational-webhook/endpoint", json=ops)
        assert made.status_code == 201
        await client.post("/api/v1/app", json={"name": "Shop", "uid": "shop"})
        body = {"url": receiver.url("/hook"), "uid": "main"}
        assert (await client.post(f"{APP}/endpoint", json=body)).status_code == 201
        await send()
        for number in range(1, 6):
            await until(lambda number=number: has_failed(number))  # type: ignore[misc]
            await served.runtime.health.flush()
            clock.shift(HOUR_S + 60)
        assert (await client.get(f"{APP}/endpoint/main")).json()["disabled"]
        await send()

        async def is_parked() -> bool:
            return await states() == {"parked"}

        await until(is_parked)
        assert hits() == 5, "nothing was sent once it was disabled"
        await until(lambda: _true(len(told()) == 2))
        assert [one["type"] for one in told()] == wanted[:2]
        assert told()[0]["data"]["failSince"] == told()[1]["data"]["failSince"]
        warned, disabled = (
            [r for r in caplog.records if r.levelno == level and words in r.getMessage()]
            for level, words in (
                (logging.WARNING, "it will be disabled after"),
                (logging.ERROR, "endpoint disabled: nothing but failures since"),
            )
        )
        assert (len(warned), len(disabled)) == (1, 1)

        receiver.script("/hook", respond(200))
        await client.patch(f"{APP}/endpoint/main", json={"disabled": False})

        async def is_delivered() -> bool:
            return await states() == {"delivered"}

        await until(is_delivered)
        await until(lambda: _true(len(told()) == 3))
        assert told()[2]["type"] == "endpoint.enabled"
        ledger = (await client.get("/api/v1/ledger")).json()
        assert ledger["balanced"]


async def _true(claim: bool) -> bool:
    return claim
