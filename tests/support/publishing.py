"""A publisher that knows what was accepted, and how everything else was refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from support.processes import Homing, Shop, audit, serving, shop
from support.receiver import Receiver

#: longest time that publishing may take: hundreds, one after the other
_SENDING_S = 240.0


class Publisher:
    """Publishes one after the other, and knows what was accepted and how it was refused."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.accepted: list[str] = []
        self.refused: list[httpx.Response] = []

    async def send(self, count: int, *, padding: int = 0) -> None:
        for number in range(count):
            payload = {"number": number, "padding": "x" * padding}
            answer = await self.shop.http.post(
                "/app/shop/msg", json={"eventType": "payment.captured", "payload": payload}
            )
            if answer.status_code == 202:
                self.accepted.append(answer.json()["id"])
            else:
                self.refused.append(answer)

    async def send_until(self, is_enough: Callable[[], bool], **more: Any) -> None:
        """Raises: TimeoutError: even a busy machine would have had enough by then."""
        async with asyncio.timeout(_SENDING_S):
            while not is_enough():
                await self.send(1, **more)


def check_refusals(publisher: Publisher) -> None:
    """Each was told in JSON to come again."""
    assert publisher.refused
    for answer in publisher.refused:
        assert answer.status_code == 503, answer.text
        assert answer.json()["code"] == "unavailable"
        assert "be used now" in answer.json()["detail"]
        assert int(answer.headers["retry-after"]) >= 1


@asynccontextmanager
async def one_endpoint(
    folder: Path, **settings: Any
) -> AsyncIterator[tuple[Homing, Publisher, Receiver]]:
    async with (
        Receiver() as receiver,
        serving(folder, **settings) as homing,
        shop(homing, folder) as publisher,
    ):
        await publisher.add_endpoint(receiver.url("/hook"))
        yield homing, Publisher(publisher), receiver


async def wait_until_received(receiver: Receiver, publisher: Publisher, within_s: float) -> None:
    """Until what was accepted has arrived, however often."""
    async with asyncio.timeout(within_s):
        while not set(publisher.accepted) <= received(receiver):
            await asyncio.sleep(0.05)


def received(receiver: Receiver) -> set[str]:
    return {request.headers["webhook-id"] for request in receiver.requests}


async def all_delivered(folder: Path, count: int, **settings: Any) -> None:
    """The books say so; more than `count` where a commit was made whose answer was cut off."""
    async with asyncio.timeout(120):
        while True:
            report = await audit(folder, **settings)
            if report["total"]["delivered"] == report["total"]["accepted"]:
                break
            await asyncio.sleep(0.3)
    assert report["balanced"]
    assert report["total"]["accepted"] >= count
