"""Background tasks with several processes at them, and with the one that is at it killed."""

from __future__ import annotations

import asyncio
import json
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.processes import Homing, Shop, audit, run, serving, shop
from support.receiver import Receiver, respond
from support.tasks import service_of, start
from support.world import World

from homing.core.queries import LogCursor, Page
from homing.core.store import Store
from homing.core.tasks import Action, Task, TaskStatus
from homing.service.task_runner import TaskRunner
from homing.store import open_store
from homing.system import SystemClock

KINDS = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]
#: nothing is tried again, so nobody may be taken for silent who only is slow
SETTINGS = {"total_s": 5, "first_byte_s": 5, "lease_s": 15, "retry_delays_s": ""}
LETTERS = 1_000


@pytest.fixture(params=KINDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite:///{tmp_path}/homing.db"


@pytest.fixture
async def stores(database_url: str) -> AsyncIterator[tuple[Store, Store]]:
    """Two stores on one database."""
    one, other = await open_store(database_url), await open_store(database_url)
    yield one, other
    await one.close()
    await other.close()


class CountingRunner(TaskRunner):
    """Knows how many chunks it has tried."""

    chunks = 0

    async def _advance(self, task: Task) -> tuple[Task, int]:
        self.chunks += 1
        return await super()._advance(task)


async def test_two_processes_race_for_tasks_and_each_delivery_is_added_once(
    stores: tuple[Store, Store],
) -> None:
    one = World(stores[0], clock=SystemClock(), name="one:1:a")  # type: ignore[arg-type]
    await one.begin()
    for _ in range(250):
        await one.send()
    late = await one.add_endpoint()
    other = World(stores[1], clock=one.clock, name="other:1:b")
    other.application, other.endpoints = one.application, one.endpoints
    tasks = [await start(one, Action.REPLAY_MISSING, endpoint_id=late.id) for _ in range(10)]
    runners = [
        CountingRunner(service_of(world), rate_per_s=150.0, keep_s=86_400) for world in (one, other)
    ]
    works = [asyncio.create_task(runner.run()) for runner in runners]
    try:
        async with asyncio.timeout(120):
            while await one.store.running_tasks(limit=20):
                await asyncio.sleep(0.02)
    finally:
        for work in works:
            work.cancel()
            with suppress(asyncio.CancelledError):
                await work
    found = await one.store.list(Task, tasks[0].scope, Page(limit=20))
    assert {task.status for task in found} == {TaskStatus.FINISHED}
    assert sum(task.counts.get("sent", 0) for task in found) == 250
    assert all(task.counts["looked"] == 250 for task in found), "a chunk was done twice, or not"
    entries = [line.entry for line in await one.store.log(LogCursor(), limit=10_000)]
    added = Counter(e.message_id for e in entries if e.op == "added" and e.rows_written)
    assert (len(added), set(added.values())) == (250, {1})
    assert all(runner.chunks for runner in runners), "only one was at it: this showed nothing"


async def task_of(homing: Homing, task_id: str, token: str) -> dict[str, Any]:
    headers = {"authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(headers=headers, trust_env=False, timeout=60) as http:
        answer = await http.get(f"{homing.url}/api/v1/background-task/{task_id}")
        answer.raise_for_status()
        return dict(answer.json())


async def bury(publisher: Shop, folder: Path, database_url: str) -> None:
    """Publish LETTERS messages and see all of them dead."""
    one = {"eventType": "payment.captured", "payload": {}}
    for _ in range(LETTERS // 1_000):
        body = {"messages": [one] * 1_000}
        (await publisher.http.post("/app/shop/msg/batch", json=body)).raise_for_status()
    async with asyncio.timeout(240):
        while True:
            total = (await audit(folder, database_url=database_url, **SETTINGS))["total"]
            if total["dead"] == LETTERS:
                return
            await asyncio.sleep(0.5)


@pytest.mark.slow
async def test_a_recover_whose_process_is_killed_is_finished_by_another_and_redrives_each_once(
    tmp_path: Path, database_url: str
) -> None:
    async with Receiver() as receiver:
        receiver.script("/hook", respond(500))
        given = {"database_url": database_url, **SETTINGS, "replays_per_s": 150}
        slow = given | {"replays_per_s": 15}  # it is at it until the survivor is there, and longer
        async with serving(tmp_path, **slow) as doomed, shop(doomed, tmp_path) as publisher:
            await publisher.add_endpoint(receiver.url("/hook"))
            await bury(publisher, tmp_path, database_url)
            receiver.script("/hook", respond(200))
            token = publisher.http.headers["authorization"].removeprefix("Bearer ")
            endpoints = (await publisher.http.get("/app/shop/endpoint")).json()["data"]
            since = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
            path = f"/app/shop/endpoint/{endpoints[0]['id']}/recover"
            started = (await publisher.http.post(path, json={"since": since})).json()
            async with serving(tmp_path, **given) as survivor:
                async with asyncio.timeout(120):
                    while True:
                        task = await task_of(doomed, started["id"], token)
                        if task["data"]["messagesSent"] >= LETTERS // 50:
                            break
                        await asyncio.sleep(0.05)
                assert task["status"] == "running", "it was too quick to be killed"
                doomed.signal(signal.SIGKILL)
                await doomed.wait()
                async with asyncio.timeout(240):
                    while task["status"] == "running":
                        await asyncio.sleep(0.5)
                        task = await task_of(survivor, started["id"], token)
                    while True:
                        report = await audit(tmp_path, database_url=database_url, **SETTINGS)
                        if report["total"]["delivered"] == LETTERS:
                            break
                        await asyncio.sleep(0.5)
        assert (task["status"], task["error"]) == ("finished", None)
        assert task["data"]["messagesSent"] == LETTERS
        assert report["balanced"]
    code, out, err = await run(tmp_path, "export", database_url=database_url, **SETTINGS)
    assert code == 0, err
    lines = [json.loads(line) for line in out.splitlines()]
    redriven = Counter(line["message_id"] for line in lines if line["op"] == "redriven")
    assert (len(redriven), set(redriven.values())) == (LETTERS, {1})
    assert len({line["holder"] for line in lines if line["op"] == "redriven"}) == 2
