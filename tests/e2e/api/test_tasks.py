"""Background tasks over the API: what starts one, what it tells, and that a repeat starts none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from support.receiver import Receiver, respond
from support.serving import Served, org_token

from homing.core.errors import Unavailable

APP = "/api/v1/app/shop"
SINCE = (datetime.now(UTC) - timedelta(hours=1)).isoformat()


class Shop:
    """An application with one endpoint at a receiver."""

    def __init__(self, served: Served, client: httpx.AsyncClient, receiver: Receiver) -> None:
        self.served = served
        self.client = client
        self.receiver = receiver

    async def post(self, path: str, expected: int = 202, **body: Any) -> Any:
        answer = await self.client.post(path, json=body)
        assert answer.status_code == expected, answer.text
        return answer.json()

    async def get(self, path: str, **params: Any) -> Any:
        answer = await self.client.get(path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def send(self, **fields: Any) -> str:
        body = {"eventType": "a", "payload": {"n": 1}, **fields}
        return str((await self.post(f"{APP}/msg", **body))["id"])

    async def ended(self, task: Any) -> Any:
        """The task, once it has ended."""
        async with asyncio.timeout(60):
            while (found := await self.get(f"/api/v1/background-task/{task['id']}"))[
                "status"
            ] == "running":
                await asyncio.sleep(0.02)
        return found

    async def until(self, state: str, count: int) -> list[Any]:
        """The deliveries in this state, once there are so many."""
        async with asyncio.timeout(60):
            while True:
                page = await self.get(f"{APP}/delivery", state=state, limit=250)
                if len(page["data"]) == count:
                    return list(page["data"])
                await asyncio.sleep(0.02)


@pytest.fixture
async def shop(served: Served, receiver: Receiver) -> AsyncIterator[Shop]:
    receiver.script("/hook", respond(200))
    async with served.client() as client:
        await client.post("/api/v1/app", json={"name": "Shop", "uid": "shop"})
        made = await client.post(
            f"{APP}/endpoint", json={"url": receiver.url("/hook"), "uid": "main"}
        )
        assert made.status_code == 201, made.text
        yield Shop(served, client, receiver)


async def test_recover_redrives_the_dead_letters_of_a_time(shop: Shop) -> None:
    shop.receiver.script("/hook", respond(500))
    for _ in range(3):
        await shop.send()
    await shop.until("dead", 3)
    shop.receiver.script("/hook", respond(200))
    task = await shop.post(f"{APP}/endpoint/main/recover", since=SINCE)
    assert task["id"].startswith("qtask_")
    assert (task["status"], task["task"]) == ("running", "endpoint.recover")
    ended = await shop.ended(task)
    assert (ended["status"], ended["data"]["messagesSent"]) == ("finished", 3)
    assert (ended["progress"], ended["action"], ended["error"]) == (1.0, "recover", None)
    assert ended["finishedAt"] is not None
    await shop.until("delivered", 3)


async def test_replay_missing_sends_what_an_endpoint_never_had_once(shop: Shop) -> None:
    for _ in range(4):
        await shop.send()
    late = {"url": shop.receiver.url("/late"), "uid": "late"}
    await shop.client.post(f"{APP}/endpoint", json=late)
    shop.receiver.script("/late", respond(200))
    path = f"{APP}/endpoint/late/replay-missing"
    both = await asyncio.gather(*(shop.post(path, since=SINCE) for _ in range(2)))
    ended = [await shop.ended(task) for task in both]
    assert sum(task["data"]["messagesSent"] for task in ended) == 4
    await shop.until("delivered", 8)
    again = await shop.ended(await shop.post(path, since=SINCE))
    assert (again["task"], again["data"]["messagesSent"]) == ("endpoint.replay", 0)
    assert len([r for r in shop.receiver.requests if r.path == "/late"]) == 4


async def test_bulk_replay_sends_the_delivered_again(shop: Shop) -> None:
    for tags in (["a"], ["b"], ["a"]):
        await shop.send(tags=tags)
    await shop.until("delivered", 3)
    task = await shop.post(f"{APP}/endpoint/main/bulk-replay", since=SINCE, tag="a", status=0)
    ended = await shop.ended(task)
    assert (ended["task"], ended["data"]["messagesSent"]) == ("endpoint.bulk-replay", 2)
    await shop.receiver.wait_for(5)


async def test_dead_letters_are_counted_before_they_are_redriven(shop: Shop) -> None:
    shop.receiver.script("/hook", respond(500))
    for kind in ("a", "a", "b"):
        await shop.send(eventType=kind)
    await shop.until("dead", 3)
    shop.receiver.script("/hook", respond(200))
    path = f"{APP}/dead-letter/redrive"
    counted = await shop.post(path, 200, dryRun=True, eventTypes=["a"], endpointId="main")
    assert (counted["count"], counted["atLeast"], counted["estimatedS"]) == (2, False, 0.0)
    assert len(counted["sample"]) == 2
    await shop.until("dead", 3)
    task = await shop.ended(await shop.post(path, eventTypes=["a"]))
    assert (task["action"], task["data"]["messagesDelivered"]) == ("redrive", 2)
    await shop.until("delivered", 2)
    none = await shop.post(path, 200, dryRun=True, reason="poison_worker_crash")
    assert (none["count"], none["sample"], none["endpoints"]) == (0, [], [])


async def test_what_was_still_to_be_sent_of_an_expunged_message_is_dead_and_counted(
    shop: Shop,
) -> None:
    await shop.client.patch(f"{APP}/endpoint/main", json={"disabled": True})
    parked = await shop.send(eventId="order-1")
    done = await shop.client.post(
        f"{APP}/msg/bulk-expunge", json={"ids": ["order-1", parked, "none"]}
    )
    assert done.status_code == 200, done.text
    assert done.json() == {
        "results": {"order-1": "expunged", parked: "expunged", "none": "not-found"},
        "deliveriesLost": 1,
    }
    (letter,) = (await shop.get(f"{APP}/dead-letter"))["data"]
    assert (letter["msgId"], letter["reason"]) == (parked, "payload_gone")
    assert (await shop.get(f"{APP}/msg/{parked}"))["payload"] == {"expired": True}


async def test_all_contents_are_expunged_but_those_that_are_to_be_kept(shop: Shop) -> None:
    await shop.send()
    await shop.until("delivered", 1)
    await shop.client.patch(f"{APP}/endpoint/main", json={"disabled": True})
    kept = await shop.send()
    path = f"{APP}/msg/expunge-all-contents"
    answer = await shop.client.post(path, params={"keep_unfinished": "true"})
    assert answer.status_code == 202, answer.text
    ended = await shop.ended(answer.json())
    assert ended["task"] == "application.purge_content"
    assert ended["data"] == {
        "messagesPurged": 1,
        "messagesKept": 1,
        "messagesLookedAt": 2,
        "deliveriesLost": 0,
    }
    assert (await shop.get(f"{APP}/msg/{kept}"))["payload"] == {"n": 1}
    ended = await shop.ended((await shop.client.post(path)).json())
    assert (ended["data"]["messagesPurged"], ended["data"]["deliveriesLost"]) == (1, 1)


async def test_statistics_come_as_tasks(shop: Shop) -> None:
    await shop.send()
    await shop.until("delivered", 1)
    put = await shop.client.put("/api/v1/stats/usage/event-types")
    assert put.status_code == 202, put.text
    (row,) = (await shop.ended(put.json()))["data"]["event_types"]
    assert (row["explicitlySubscribedEventTypes"], row["hasCatchAllEndpoint"]) == ([], True)
    until = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    asked = {"since": SINCE, "until": until}
    started = await shop.post("/api/v1/stats/usage/app", **asked, appIds=["shop", "nobody"])
    assert (started["task"], started["unresolvedAppIds"]) == ("application.stats", ["nobody"])
    (row,) = (await shop.ended(started))["data"]["appStats"]
    assert (row["appUid"], row["messageDestinations"]) == ("shop", 1)
    refused = await shop.client.post("/api/v1/stats/usage/app", json={**asked, "appIds": ["x"]})
    assert refused.status_code == 422
    stats = await shop.get(f"{APP}/endpoint/main/attempt-stats")
    assert stats == {"success": 1, "fail": 0, "canceled": 0}


async def test_tasks_are_listed_by_status_and_kind_newest_first(shop: Shop) -> None:
    first = await shop.post(f"{APP}/endpoint/main/recover", since=SINCE)
    await asyncio.sleep(0.01)
    second = await shop.post(f"{APP}/endpoint/main/replay-missing", since=SINCE)
    for task in (first, second):
        await shop.ended(task)
    path = "/api/v1/background-task"

    async def listed(**params: Any) -> list[str]:
        return [task["id"] for task in (await shop.get(path, **params))["data"]]

    assert await listed() == [second["id"], first["id"]]
    assert await listed(order="ascending") == [first["id"], second["id"]]
    assert await listed(task="endpoint.recover") == [first["id"]]
    assert await listed(status="failed") == []
    page = await shop.get(path, limit=1)
    assert await listed(limit=1, iterator=page["iterator"]) == [first["id"]]
    async with shop.served.client(org_token("org_other")) as other:
        assert (await other.get(path)).json()["data"] == []
        assert (await other.get(f"{path}/{first['id']}")).status_code == 404


async def test_a_task_can_be_cancelled(quiet: Served) -> None:
    async with quiet.client() as client:
        await client.post("/api/v1/app", json={"name": "Shop", "uid": "shop"})
        await client.post(f"{APP}/endpoint", json={"url": "http://127.0.0.1:9", "uid": "main"})
        asked = await client.post(f"{APP}/endpoint/main/recover", json={"since": SINCE})
        path = f"/api/v1/background-task/{asked.json()['id']}"
        cancelled = (await client.post(f"{path}/cancel")).json()
        assert (cancelled["status"], cancelled["progress"]) == ("failed", 0.0)
        assert cancelled["error"].startswith("cancelled by org_")
        assert (await client.post(f"{path}/cancel")).status_code == 409


async def forgetful(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the process were killed after each request's work, before its key is stored."""

    async def fail(*args: object, **more: object) -> None:
        raise Unavailable("killed")

    monkeypatch.setattr(served.runtime.store, "remember", fail)


async def test_a_repeat_does_nothing_twice_even_if_nothing_was_stored_after_the_first(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = await shop.send()
    await shop.until("delivered", 1)
    await shop.client.post("/api/v1/event-type", json={"name": "b", "description": "b"})
    await shop.client.patch(
        "/api/v1/event-type/b", json={"schemas": {"1": {"examples": [{"e": 1}]}}}
    )
    await forgetful(shop.served, monkeypatch)
    posts: list[tuple[str, Any]] = [
        (f"{APP}/endpoint/main/recover", {"since": SINCE}),
        (f"{APP}/endpoint/main/secret/rotate", {}),
        (f"{APP}/endpoint/main/send-example", {"eventType": "b"}),
        (f"{APP}/msg/{message}/endpoint/main/resend", None),
    ]
    for number, (path, body) in enumerate(posts):
        headers = {"idempotency-key": f"once-{number}"}
        first = await shop.client.post(path, json=body, headers=headers)
        again = await shop.client.post(path, json=body, headers=headers)
        assert first.is_success, (path, first.text)
        assert (again.status_code, again.content) == (first.status_code, first.content), path
    await shop.until("delivered", 2)
    attempts = await shop.get(f"{APP}/attempt/msg/{message}")
    assert [attempt["triggerType"] for attempt in attempts["data"]] == [1, 0]
