"""Dead letters in mixed groups, redriven with a canary by a process that is killed in the middle.

The full size is `pytest -m explore tests/e2e/test_dlq_survives.py`: ten thousand on each database.
"""

from __future__ import annotations

import asyncio
import json
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from support.processes import Shop, audit, run, serving, shop
from support.receiver import Receiver, respond

KINDS = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]
#: nothing is tried again, so nobody may be taken for silent who only is slow
SETTINGS = {"total_s": 5, "first_byte_s": 5, "lease_s": 15, "retry_delays_s": ""}
#: endpoints, and what their receivers do at first: an issue each
ILL = {
    "/broken": respond(500),
    "/busy": respond(503),
    "/moved": respond(404),
    "/moved-on": respond(302),
}
CANARY = 20


@pytest.fixture(params=KINDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite:///{tmp_path}/homing.db"


async def until(folder: Path, database_url: str, column: str, count: int) -> dict[str, Any]:
    """The audit's report, once so many deliveries are in a column of the books."""
    async with asyncio.timeout(400):
        while True:
            report = await audit(folder, database_url=database_url, **SETTINGS)
            if report["total"][column] == count:
                return report
            await asyncio.sleep(0.5)


async def publish(publisher: Shop, messages: int) -> None:
    for start in range(0, messages, 500):
        some = [
            {"eventType": "payment.captured", "payload": {"amount": n}}
            for n in range(start, min(start + 500, messages))
        ]
        answer = await publisher.http.post("/app/shop/msg/batch", json={"messages": some})
        answer.raise_for_status()


async def task_of(publisher: Shop, task_id: str) -> dict[str, Any]:
    answer = await publisher.http.get(f"/background-task/{task_id}")
    answer.raise_for_status()
    return dict(answer.json())


async def survive(folder: Path, database_url: str, letters: int, *, rate: int) -> None:
    """Bury, mend, redrive, kill, start again, and count: at the receiver, and in the books."""
    given = {"database_url": database_url, **SETTINGS, "replays_per_s": rate}
    async with Receiver() as receiver:
        for path, behaviour in ILL.items():
            receiver.script(path, behaviour)
        slow = given | {"replays_per_s": 50}  # it is killed in the middle, however late we look
        async with serving(folder, **slow) as doomed, shop(doomed, folder) as publisher:
            for path in ILL:
                await publisher.add_endpoint(receiver.url(path))
            await publish(publisher, letters // len(ILL))
            await until(folder, database_url, "dead", letters)
            issues = (await publisher.http.get("/app/shop/issue")).json()["data"]
            assert sorted(issue["count"] for issue in issues) == [letters // 4] * 4
            before = len(receiver.requests)
            for path in ILL:
                receiver.script(path, respond(200))
            body = {"canary": CANARY, "failureRatioMax": 0.1}
            headers = {"idempotency-key": "after the mend"}
            path = "/app/shop/dead-letter/redrive"
            started = [
                (await publisher.http.post(path, json=body, headers=headers)).json()["id"]
                for _ in range(2)
            ]
            assert started[0] == started[1]
            async with asyncio.timeout(120):
                while True:
                    task = await task_of(publisher, started[0])
                    if task["data"]["messagesSent"] >= letters // 8:
                        break
                    await asyncio.sleep(0.02)
            assert task["status"] == "running", "it was too quick to be killed"
            assert task["data"]["canaryPassed"] is True
            doomed.signal(signal.SIGKILL)
            await doomed.wait()
        async with serving(folder, **given) as again, shop(again, folder) as publisher:
            async with asyncio.timeout(400):
                while task["status"] == "running":
                    await asyncio.sleep(0.5)
                    task = await task_of(publisher, started[0])
            report = await until(folder, database_url, "delivered", letters)
            issues = (await publisher.http.get("/app/shop/issue")).json()["data"]
        received = Counter(
            (one.path, one.headers["webhook-id"]) for one in receiver.requests[before:]
        )
    assert (task["status"], task["error"]) == ("finished", None)
    data = task["data"]
    assert (data["messagesSent"], data["messagesUnderWay"]) == (letters, 0)
    assert data["messagesDelivered"] + data["messagesFailedAgain"] == letters
    assert report["balanced"]
    assert {(issue["count"], issue["state"]) for issue in issues} == {(0, "resolved")}
    assert len(received) == letters, "one was lost"
    await judge(folder, database_url, received, letters)


async def judge(
    folder: Path, database_url: str, received: Counter[tuple[str, str]], letters: int
) -> None:
    """Each was redriven once, by two processes together, and received once.

    Only what was under way at the kill may have been received a second time: its receiver had it
    and nobody was left to write that down. The log says of which leases nothing was heard.
    """
    code, out, err = await run(folder, "export", database_url=database_url, **SETTINGS)
    assert code == 0, err
    lines = [json.loads(line) for line in out.splitlines()]
    redriven = Counter(
        (line["message_id"], line["endpoint_id"]) for line in lines if line["op"] == "redriven"
    )
    assert (len(redriven), set(redriven.values())) == (letters, {1})
    assert len({line["holder"] for line in lines if line["op"] == "redriven"}) == 2
    unheard = {line["message_id"] for line in lines if line["outcome"] == "no_outcome"}
    twice = {message_id for (_, message_id), times in received.items() if times > 1}
    assert twice <= unheard, "received twice, and it was not under way at the kill"


@pytest.mark.slow
async def test_a_redrive_that_is_killed_in_the_middle_goes_on_and_sends_each_once(
    tmp_path: Path, database_url: str
) -> None:
    await survive(tmp_path, database_url, 800, rate=200)


@pytest.mark.explore
async def test_ten_thousand_dead_letters_are_redriven_once_each_over_a_kill(
    tmp_path: Path, database_url: str
) -> None:
    await survive(tmp_path, database_url, 10_000, rate=400)
