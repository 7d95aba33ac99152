"""The desk over the API: issues, redrives with a plan, discards and what is at stake."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from support.receiver import Exchange, Receiver, respond
from support.serving import Served

APP = "/api/v1/app/shop"


class Shop:
    """An application with one endpoint, and dead letters in it."""

    def __init__(self, client: httpx.AsyncClient, receiver: Receiver) -> None:
        self.client = client
        self.receiver = receiver

    async def post(self, path: str, expected: int = 200, **body: Any) -> Any:
        answer = await self.client.post(path, json=body)
        assert answer.status_code == expected, answer.text
        return answer.json()

    async def get(self, path: str, **params: Any) -> Any:
        answer = await self.client.get(path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def issues(self, **params: Any) -> list[Any]:
        return list((await self.get(f"{APP}/issue", **params))["data"])

    async def bury(self, *amounts: str, status: int = 503) -> None:
        self.receiver.script("/hook", respond(status))
        before = len((await self.get(f"{APP}/dead-letter", limit=250))["data"])
        for amount in amounts:
            payload = {"sum": amount, "currency": "EUR"}
            await self.post(f"{APP}/msg", 202, eventType="payment.failed", payload=payload)
        async with asyncio.timeout(60):
            while True:
                found = (await self.get(f"{APP}/dead-letter", limit=250))["data"]
                if len(found) == before + len(amounts):
                    return
                await asyncio.sleep(0.02)

    async def ended(self, task: Any) -> Any:
        async with asyncio.timeout(60):
            while True:
                found = await self.get(f"/api/v1/background-task/{task['id']}")
                if found["status"] != "running":
                    return found
                await asyncio.sleep(0.02)


@pytest.fixture
async def shop(served: Served, receiver: Receiver) -> AsyncIterator[Shop]:
    async with served.client() as client:
        found = Shop(client, receiver)
        await found.post("/api/v1/app", 201, name="Shop", uid="shop")
        await found.post(f"{APP}/endpoint", 201, url=receiver.url("/hook"), uid="main")
        money = {"amount": "sum", "currency": "currency"}
        await found.post(
            "/api/v1/event-type", 201, name="payment.failed", description="", money=money
        )
        yield found


async def test_an_issue_says_what_and_how_many_and_what_is_at_stake(shop: Shop) -> None:
    await shop.bury("10.10", "0.20")
    [issue] = await shop.issues(state="open")
    assert (issue["reason"], issue["status"], issue["count"]) == ("attempts_exhausted", 503, 2)
    assert issue["atStake"] == [{"currency": "EUR", "amount": "10.30"}]
    one = await shop.get(f"{APP}/issue/{issue['id']}")
    assert len(one["sample"]) == 2
    letters = [await shop.get(f"{APP}/dead-letter/{each}") for each in one["sample"]]
    assert {each["issueId"] for each in letters} == {issue["id"]}
    assert {each["money"]["amount"] for each in letters} == {"10.10", "0.20"}
    listed = await shop.get(f"{APP}/dead-letter", issue_id=issue["id"])
    assert sorted(each["id"] for each in listed["data"]) == sorted(one["sample"])
    said = await shop.post(f"{APP}/issue/{issue['id']}/acknowledge", note="at it")
    assert (said["state"], said["note"]) == ("acknowledged", "at it")
    assert await shop.issues(state="open") == []


async def test_issues_are_merged_and_redriven_as_one(shop: Shop) -> None:
    await shop.bury("1", "2")
    await shop.bury("3", status=500)
    one, other = [issue["id"] for issue in await shop.issues()]
    merged = await shop.post(f"{APP}/issue/{other}/merge", into=one)
    assert (merged["count"], merged["merged"]) == (3, [other])
    path = f"{APP}/dead-letter/redrive"
    counted = await shop.post(path, issueId=one, dryRun=True, ratePerS=0.5)
    assert (counted["count"], counted["estimatedS"]) == (3, 6.0)
    assert counted["atStake"] == [{"currency": "EUR", "amount": "6.00"}]
    shop.receiver.script("/hook", respond(200))
    task = await shop.ended(await shop.post(path, 202, issueId=one, canary=1))
    assert (task["status"], task["data"]["messagesDelivered"]) == ("finished", 3)
    assert task["data"]["canaryPassed"] is True
    [issue] = await shop.issues()
    assert (issue["state"], issue["count"], issue["deaths"]) == ("resolved", 0, 3)


async def test_a_bad_canary_ends_a_redrive(shop: Shop) -> None:
    await shop.bury("1", "2", "3")
    task = await shop.post(f"{APP}/dead-letter/redrive", 202, canary=1, failureRatioMax=0)
    found = await shop.ended(task)
    assert (found["status"], found["data"]["messagesSent"]) == ("failed", 1)
    assert "the canary failed" in found["error"]


async def test_a_discard_is_taken_back(shop: Shop) -> None:
    await shop.bury("1", "2")
    [issue] = await shop.issues()
    path = f"{APP}/dead-letter"
    refused = await shop.client.post(f"{path}/discard", json={"issueId": issue["id"]})
    assert refused.status_code == 422, "without a reason"
    task = await shop.post(f"{path}/discard", 202, issueId=issue["id"], why="a test")
    assert (await shop.ended(task))["data"]["deliveriesDiscarded"] == 2
    gone = (await shop.get(path, discarded="true"))["data"]
    assert {one["reason"].partition(": ")[2] for one in gone} == {"a test"}
    back = await shop.post(f"{path}/{gone[0]['id']}/undo")
    assert (back["state"], back["reason"]) == ("dead", "attempts_exhausted")
    task = await shop.post(f"{path}/undo", 202, issueId=issue["id"])
    assert (await shop.ended(task))["data"]["deliveriesRestored"] == 1
    [issue] = await shop.issues()
    assert (issue["state"], issue["count"]) == ("open", 2)
    again = await shop.client.post(f"{path}/{gone[0]['id']}/undo", json={})
    assert again.status_code == 409


async def test_a_redrive_is_paused_resumed_and_asked_for_once(shop: Shop) -> None:
    await shop.bury(*("1" for _ in range(6)))
    answered = asyncio.Event()

    async def answer(exchange: Exchange) -> bool:
        await answered.wait()
        return await respond(200)(exchange)

    # Until the canary is answered the rest waits for it, however slow we are to pause it.
    shop.receiver.script("/hook", answer)
    body, key = {"canary": 1}, {"idempotency-key": "after the mend"}
    path = f"{APP}/dead-letter/redrive"
    answers = [await shop.client.post(path, json=body, headers=key) for _ in range(2)]
    [task_id] = {answer.json()["id"] for answer in answers}
    paused = await shop.post(f"/api/v1/background-task/{task_id}/pause")
    assert (paused["status"], paused["pausedBy"] is not None) == ("running", True)
    resumed = await shop.post(f"/api/v1/background-task/{task_id}/resume")
    assert resumed["pausedBy"] is None
    answered.set()
    assert (await shop.ended({"id": task_id}))["data"]["messagesDelivered"] == 6


@pytest.mark.parametrize(
    "body",
    [
        {"issueId": "iss_1", "endpointId": "main"},
        {"deliveryIds": ["nonsense"]},
        {"canary": -1},
        {"failureRatioMax": 2},
        {"status": 99},
    ],
)
async def test_a_redrive_that_makes_no_sense_is_refused(shop: Shop, body: dict[str, Any]) -> None:
    answer = await shop.client.post(f"{APP}/dead-letter/redrive", json=body)
    assert answer.status_code == 422, answer.text


async def test_money_is_declared_whole(shop: Shop) -> None:
    for money in ({"amount": "a"}, {"amount": "a", "currency": "c", "currencyCode": "EUR"}):
        answer = await shop.client.patch("/api/v1/event-type/payment.failed", json={"money": money})
        assert answer.status_code == 422, answer.text
    cleared = await shop.client.patch("/api/v1/event-type/payment.failed", json={"money": None})
    assert cleared.json()["money"] is None
