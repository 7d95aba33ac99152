"""A process that is killed between a cause, its alert and its mail loses none of the three."""

from __future__ import annotations

import asyncio
import random
import signal
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest
from support.mailbox import Mailbox, mailbox, text_of
from support.processes import Homing, Shop, audit, serving, shop
from support.receiver import Receiver, respond

ROUNDS = 3
SETTINGS = {
    "alerts_every_s": 1,
    "alerts_gather_s": 1,
    "audit_every_s": 1,
    "retry_delays_s": "0.05",
}


async def kill(homing: Homing) -> None:
    homing.signal(signal.SIGKILL)
    await homing.process.wait()


def told(box: Mailbox, endpoint_ids: list[str]) -> list[str]:
    """Those endpoints whose first dead letter some mail tells of."""
    texts = [text_of(letter) for letter in box.letters]
    return [one for one in endpoint_ids if any(f"first_dead_letter.{one}" in t for t in texts)]


async def story(folder: Path, database_url: str, *, nodes: int) -> None:
    """A dead letter of a new endpoint each round, and kills at no particular moment."""
    draws = random.Random(7)
    given = {"database_url": database_url, **SETTINGS}
    endpoint_ids: list[str] = []
    async with mailbox() as box, Receiver() as receiver:
        receiver.script("/dead", respond(500))
        for number in range(ROUNDS):
            box.refuses = number % 2 == 0  # so that there are notices that wait
            async with (
                serving(folder, alerts=box.url, **given) as one,
                shop(one, folder) as publisher,
            ):
                if nodes == 1:
                    await _cause(publisher, receiver, endpoint_ids, draws)
                    await kill(one)
                else:
                    async with serving(folder, alerts=box.url, **given) as other:
                        await _cause(publisher, receiver, endpoint_ids, draws)
                        await kill(one)
                        await asyncio.sleep(draws.random())
                        await kill(other)
        box.refuses = False
        async with serving(folder, alerts=box.url, **given):
            async with asyncio.timeout(180):  # leases of notices and of the turn run out first
                while len(told(box, endpoint_ids)) < ROUNDS:
                    await asyncio.sleep(0.1)
    assert (await audit(folder, database_url=database_url))["balanced"]


async def _cause(
    publisher: Shop, receiver: Receiver, endpoint_ids: list[str], draws: random.Random
) -> None:
    endpoint = await publisher.add_endpoint(receiver.url("/dead"))
    endpoint_ids.append(endpoint["id"])
    await publisher.send(len(endpoint_ids))
    await asyncio.sleep(draws.uniform(0.5, 3.0))


@pytest.mark.slow
async def test_what_was_caused_before_a_kill_is_mailed_after_it(tmp_path: Path) -> None:
    await story(tmp_path, f"sqlite:///{tmp_path}/homing.db", nodes=1)


@pytest.mark.explore
@pytest.mark.postgres
async def test_what_was_caused_before_two_nodes_are_killed_is_mailed_after_it(
    tmp_path: Path, postgres_empty_url: str
) -> None:
    await story(tmp_path, postgres_empty_url, nodes=2)


@pytest.mark.slow
@pytest.mark.postgres
async def test_another_node_takes_over_when_the_one_that_watches_is_killed(
    tmp_path: Path, postgres_empty_url: str
) -> None:
    given = {"database_url": postgres_empty_url, **SETTINGS}
    async with mailbox() as box, Receiver() as receiver:
        receiver.script("/dead", respond(500))
        async with serving(tmp_path, alerts=box.url, **given) as one, AsyncExitStack() as stack:
            # The first has the turn before the second is there.
            async with asyncio.timeout(60):
                while "evaluation_timestamp_seconds 0.0" in await _metrics(one):
                    await asyncio.sleep(0.1)
            other = await stack.enter_async_context(serving(tmp_path, alerts=box.url, **given))
            publisher = await stack.enter_async_context(shop(other, tmp_path))
            await kill(one)
            endpoint = await publisher.add_endpoint(receiver.url("/dead"))
            await publisher.send(1)
            await box.wait_for(f"first_dead_letter.{endpoint['id']}", within_s=60)


async def _metrics(homing: Homing) -> str:
    async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
        return (await http.get(f"{homing.url}/metrics")).text
