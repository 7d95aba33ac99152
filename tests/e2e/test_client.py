"""`homing.client` against a real Homing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import pytest
from support.receiver import Receiver, respond
from support.serving import Served, serving

from homing.client import Client, ClientError, NewMessage, NoAnswer, Rejected
from homing.store import open_store

T = TypeVar("T")
AGO = datetime.now(UTC) - timedelta(hours=1)


class Shop:
    """A client whose calls are made in a thread, since Homing runs in the test's own loop."""

    def __init__(self, served: Served, receiver: Receiver) -> None:
        self.client = Client(served.url, served.token)
        self.served, self.receiver = served, receiver

    async def until(self, call: Callable[[Client], T], is_so: Callable[[T], bool]) -> T:
        async with asyncio.timeout(60):
            while not is_so(found := await self.ask(call)):
                await asyncio.sleep(0.02)
        return found

    async def ask(self, call: Callable[[Client], T]) -> T:
        return await asyncio.to_thread(call, self.client)


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with (
        Receiver() as receiver,
        serving(await open_store("memory:"), retry_delays_s=(0.05,), retry_jitter=0.0) as served,
    ):
        async with served.client() as http:
            await http.post("/api/v1/app", json={"name": "Shop", "uid": "shop"})
            body = {"url": receiver.url("/hook"), "uid": "main"}
            await http.post("/api/v1/app/shop/endpoint", json=body)
        shop = Shop(served, receiver)
        with shop.client:
            yield shop


async def test_a_batch_is_judged_message_by_message_and_a_repeat_is_the_same_message(
    shop: Shop,
) -> None:
    batch = [NewMessage("a", {"n": 1}, event_id="one"), NewMessage("not a name", {"n": 2})]
    first, wrong = await shop.ask(lambda client: client.send_batch("shop", batch))
    assert first.accepted
    assert (wrong.accepted, wrong.status) == (False, 422)
    [again] = await shop.ask(lambda client: client.send_batch("shop", batch[:1]))
    assert again.id == first.id
    assert await shop.ask(lambda client: client.find_message("shop", "one")) == first.id
    assert await shop.ask(lambda client: client.find_message("shop", "two")) is None


async def test_the_books_the_log_and_what_was_sent_are_read(shop: Shop) -> None:
    batch = [NewMessage("a", {"n": n}, event_id=f"e{n}") for n in range(300)]
    results = await shop.ask(lambda client: client.send_batch("shop", batch))
    ledger = await shop.until(lambda client: client.ledger(), lambda it: it.total.delivered == 300)
    assert ledger.balanced
    sent = await shop.ask(lambda client: list(client.sent("shop", "main", since=AGO)))
    assert [one.id for one in sent] == sorted(one.id or "" for one in results)
    assert {(one.state, one.event_type, one.attempts) for one in sent} == {("delivered", "a", 1)}
    assert {one.event_id for one in sent} == {f"e{n}" for n in range(300)}
    log = await shop.ask(lambda client: list(client.delivery_log("shop", limit=700)))
    assert [line["op"] for line in log].count("accepted") == 300
    assert len(await shop.ask(lambda client: list(client.deliveries("shop")))) == 300
    assert {one.objective.name for one in await shop.ask(lambda client: client.objectives())}


async def test_dead_letters_are_found_by_their_issue_and_redriven(shop: Shop) -> None:
    shop.receiver.script("/hook", respond(500, b"no"))
    await shop.ask(lambda client: client.send_batch("shop", [NewMessage("a", {"n": 1})]))
    [letter] = await shop.until(lambda client: list(client.dead_letters("shop")), bool)
    assert letter.reason == "attempts_exhausted"
    [issue] = await shop.ask(lambda client: list(client.issues("shop")))
    assert (issue.count, issue.status) == (1, 500)
    assert [letter] == await shop.ask(
        lambda client: list(client.dead_letters("shop", issue=issue.id))
    )
    shop.receiver.script("/hook", respond(200, b"thanks"))
    task = await shop.ask(lambda client: client.redrive_issue("shop", issue.id))
    assert task.status == "running"
    await shop.until(lambda client: list(client.dead_letters("shop")), lambda found: not found)


async def test_an_incident_is_opened_added_to_and_listed(shop: Shop) -> None:
    made = await shop.ask(lambda client: client.open_incident("Webhooks are lost", actor="ada"))
    await shop.ask(lambda client: client.add_to_incident(made.id, "said", text="0.3% of them"))
    found = await shop.ask(lambda client: client.incident(made.id))
    assert "0.3% of them" in str(found.record)
    assert found.version > made.version
    [listed] = await shop.ask(lambda client: list(client.incidents()))
    assert (listed.id, listed.title, listed.record) == (made.id, "Webhooks are lost", None)


async def test_errors_are_sentences_that_say_what_to_do(shop: Shop) -> None:
    with pytest.raises(Rejected, match="GET /app/nobody/dead-letter") as caught:
        await shop.ask(lambda client: list(client.dead_letters("nobody")))
    assert (caught.value.status, caught.value.may_pass) == (404, False)
    with Client(shop.served.url, "no token") as client, pytest.raises(ClientError, match="token"):
        await asyncio.to_thread(client.ledger)
    with (
        Client("http://127.0.0.1:9", "x") as client,
        pytest.raises(NoAnswer, match="homing serve"),
    ):
        await asyncio.to_thread(client.ledger)
    with pytest.raises(ValueError, match="zone"):
        await shop.ask(lambda client: client.ledger(since=datetime(2026, 1, 1)))
