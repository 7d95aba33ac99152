"""What became of a message: attempts, deliveries, dead letters, the ledger and the log."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from support.receiver import Receiver, respond
from support.serving import Served, org_token

from homing.store.memory.store import MemoryStore

APP = "/api/v1/app/shop"


class Shop:
    """An application with one endpoint at a receiver."""

    def __init__(self, served: Served, client: httpx.AsyncClient, receiver: Receiver) -> None:
        self.served = served
        self.client = client
        self.receiver = receiver

    async def get(self, path: str, **params: Any) -> Any:
        response = await self.client.get(path, params=params)
        assert response.status_code == 200, response.text
        return response.json()

    async def send(self, **fields: Any) -> str:
        body = {"eventType": "a", "payload": {"n": 1}, **fields}
        response = await self.client.post(f"{APP}/msg", json=body)
        assert response.status_code == 202, response.text
        return str(response.json()["id"])

    async def until(self, path: str, is_so: Callable[[Any], bool], **params: Any) -> Any:
        """The answer, once it is as expected; the dispatcher writes in its own time."""

        async def ask() -> Any:
            while not is_so(answer := await self.get(path, **params)):
                await asyncio.sleep(0.02)
            return answer

        return await asyncio.wait_for(ask(), 60)

    async def dead(self) -> str:
        """The id of a dead letter."""
        self.receiver.script("/hook", respond(500, b"no"))
        await self.send()
        page = await self.until(f"{APP}/dead-letter", lambda page: page["data"])
        return str(page["data"][0]["id"])


@pytest.fixture
async def shop(served: Served, receiver: Receiver) -> Any:
    receiver.script("/hook", respond(200, b"thanks"))
    async with served.client() as client:
        await client.post("/api/v1/app", json={"name": "Shop", "uid": "shop"})
        made = await client.post(
            f"{APP}/endpoint", json={"url": receiver.url("/hook"), "uid": "main"}
        )
        assert made.status_code == 201, made.text
        yield Shop(served, client, receiver)


def _one(page: Any) -> Any:
    return page["data"][0] if page["data"] else None


async def test_a_delivered_message_shows_everywhere_as_delivered(shop: Shop) -> None:
    message = await shop.send()
    path = f"{APP}/attempt/msg/{message}"
    attempt = _one(await shop.until(path, lambda page: page["data"]))
    assert (attempt["status"], attempt["statusText"]) == (0, "success")
    assert attempt["responseStatusCode"] == 200
    assert attempt["response"] == "thanks"
    assert attempt["triggerType"] == 0
    assert "msg" not in attempt or attempt["msg"] is None
    assert _one(await shop.get(path, with_content="false"))["response"] == "{}"
    assert _one(await shop.get(path, with_msg="true"))["msg"]["payload"] == {"n": 1}
    assert (await shop.get(f"{APP}/msg/{message}/attempt/{attempt['id']}")) == attempt
    for other in (
        f"{APP}/attempt/endpoint/main",
        f"{APP}/msg/{message}/attempt",
        f"{APP}/msg/{message}/endpoint/main/attempt",
    ):
        assert _one(await shop.get(other)) == attempt
    of_endpoint = _one(await shop.get(f"{APP}/endpoint/main/msg"))
    assert (of_endpoint["id"], of_endpoint["status"]) == (message, 0)
    assert of_endpoint["nextAttempt"] is None
    of_message = _one(await shop.get(f"{APP}/msg/{message}/endpoint"))
    assert (of_message["uid"], of_message["statusText"]) == ("main", "success")
    assert (await shop.get(f"{APP}/endpoint/main/stats"))["success"] == 1
    delivery = _one(await shop.get(f"{APP}/delivery"))
    assert delivery["state"] == "delivered"
    assert await shop.get(f"{APP}/delivery/{delivery['id']}") == delivery


async def test_attempts_are_narrowed_by_status_class_type_and_channel(shop: Shop) -> None:
    shop.receiver.script("/hook", respond(503), respond(200))
    message = await shop.send(channels=["c"])
    path = f"{APP}/attempt/msg/{message}"
    await shop.until(path, lambda page: len(page["data"]) == 2)
    for params, expected in (
        ({"status": 0}, [200]),
        ({"status": 2}, [503]),
        ({"status": 1}, []),
        ({"status": 3}, []),
        ({"status_code_class": 500}, [503]),
        ({"status_code_class": 0}, []),
        ({"event_types": "b"}, []),
        ({"event_types": "a,b"}, [200, 503]),
        ({"channel": "c"}, [200, 503]),
        ({"channel": "d"}, []),
        ({"limit": 1}, [200]),
        ({"endpoint_id": "main"}, [200, 503]),
    ):
        page = await shop.get(path, **params)
        assert [row["responseStatusCode"] for row in page["data"]] == expected, params
    assert (await shop.client.get(path, params={"status": "7"})).status_code == 422
    assert (await shop.client.get(path, params={"status_code_class": "1"})).status_code == 422


async def test_messages_of_an_endpoint_are_narrowed_by_tag_and_channel(shop: Shop) -> None:
    tagged = await shop.send(tags=["t"], channels=["c"])
    await shop.send()
    path = f"{APP}/endpoint/main/msg"
    for params in ({"tag": "t"}, {"channel": "c"}, {"tag": "t", "limit": 1}):
        page = await shop.get(path, **params)
        assert [row["id"] for row in page["data"]] == [tagged], params
    assert (await shop.get(path, tag="u"))["data"] == []


async def test_an_endpoint_s_own_retry_schedule_is_followed(shop: Shop) -> None:
    shop.receiver.script("/hook", respond(500))
    await shop.client.patch(f"{APP}/endpoint/main", json={"retryDelaysSeconds": []})
    await shop.send()
    letter = _one(await shop.until(f"{APP}/dead-letter", lambda page: page["data"]))
    assert letter["attempts"] == 1


async def test_where_no_answer_came_the_attempt_says_why(shop: Shop) -> None:
    await shop.client.patch(f"{APP}/endpoint/main", json={"url": "http://127.0.0.1:1/"})
    message = await shop.send()
    attempt = _one(await shop.until(f"{APP}/attempt/msg/{message}", lambda page: page["data"]))
    assert attempt["responseStatusCode"] == 0
    assert attempt["response"].startswith("connect_refused")
    brief = _one(await shop.get(f"{APP}/attempt/msg/{message}", with_content="false"))
    assert brief["response"] == attempt["response"], "why there is no answer is no content"


async def test_an_answer_can_be_forgotten(shop: Shop) -> None:
    message = await shop.send()
    attempt = _one(await shop.until(f"{APP}/attempt/msg/{message}", lambda page: page["data"]))
    path = f"{APP}/msg/{message}/attempt/{attempt['id']}"
    assert (await shop.client.delete(f"{path}/content")).status_code == 204
    assert (await shop.get(path))["response"] == "EXPUNGED"


async def test_resend_sends_once_more(shop: Shop) -> None:
    message = await shop.send()
    await shop.until(f"{APP}/attempt/msg/{message}", lambda page: page["data"])
    await asyncio.sleep(0.005)  # attempts are listed in the order of their ids: steps of 4 ms
    resent = await shop.client.post(f"{APP}/msg/{message}/endpoint/main/resend")
    assert (resent.status_code, resent.json()) == (202, {})
    page = await shop.until(f"{APP}/attempt/msg/{message}", lambda page: len(page["data"]) == 2)
    assert [row["triggerType"] for row in page["data"]] == [1, 0]


async def test_without_its_payload_nothing_can_be_resent(shop: Shop) -> None:
    message = await shop.send()
    await shop.until(f"{APP}/attempt/msg/{message}", lambda page: page["data"])
    await shop.client.delete(f"{APP}/msg/{message}/content")
    refused = await shop.client.post(f"{APP}/msg/{message}/endpoint/main/resend")
    assert (refused.status_code, refused.json()["code"]) == (400, "missing_payload")


async def test_an_example_goes_to_the_one_endpoint(shop: Shop) -> None:
    schema = {"type": "object", "examples": [{"n": 7}]}
    for name, schemas in (("b", {"1": schema}), ("c", None)):
        body = {"name": name, "description": "", "schemas": schemas}
        await shop.client.post("/api/v1/event-type", json=body)
    path = f"{APP}/endpoint/main/send-example"
    sent = await shop.client.post(path, json={"eventType": "b"})
    assert (sent.status_code, sent.json()["payload"]) == (200, {"n": 7})
    await shop.receiver.wait_for(1)
    assert json.loads(shop.receiver.requests[0].body) == {"n": 7}
    refused = await shop.client.post(path, json={"eventType": "c"})
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_scheme")
    assert (await shop.client.post(path, json={"eventType": "d"})).status_code == 404
    assert (await shop.client.post(path, json={"eventType": "svix.ping"})).status_code == 200


async def test_a_disabled_endpoint_keeps_its_deliveries_pending(shop: Shop) -> None:
    await shop.client.patch(f"{APP}/endpoint/main", json={"disabled": True})
    await shop.send()
    page = await shop.until(f"{APP}/endpoint/main/msg", lambda page: page["data"])
    assert _one(page)["statusText"] == "pending"
    assert _one(await shop.get(f"{APP}/delivery"))["state"] == "parked"
    await shop.client.patch(f"{APP}/endpoint/main", json={"disabled": False})
    await shop.until(f"{APP}/delivery", lambda page: _one(page)["state"] == "delivered")


async def test_a_dead_letter_is_listed_got_and_redriven(shop: Shop) -> None:
    name = await shop.dead()
    path = f"{APP}/dead-letter/{name}"
    letter = await shop.get(path)
    assert (letter["state"], letter["reason"]) == ("dead", "attempts_exhausted")
    assert (letter["attempts"], letter["lastError"]) == (2, "status 500")
    assert (await shop.get(f"{APP}/dead-letter", endpoint_id="main"))["data"] == [letter]
    assert _one(await shop.get(f"{APP}/endpoint/main/msg", status=2))["statusText"] == "fail"
    shop.receiver.script("/hook", respond(200))
    assert (await shop.client.post(f"{path}/redrive")).status_code == 202
    await shop.until(f"{APP}/delivery/{name}", lambda found: found["state"] == "delivered")
    assert (await shop.client.get(path)).status_code == 404
    assert (await shop.client.post(f"{path}/redrive")).status_code == 409


async def test_a_discarded_dead_letter_is_cancelled_with_a_name_and_a_reason(shop: Shop) -> None:
    path = f"{APP}/dead-letter/{await shop.dead()}"
    discarded = await shop.client.post(f"{path}/discard", json={"why": "a test order"})
    assert (discarded.status_code, discarded.json()["state"]) == (200, "cancelled")
    assert discarded.json()["reason"].endswith("a test order")
    listed = _one(await shop.get(f"{APP}/endpoint/main/msg"))
    assert (listed["status"], listed["statusText"]) == (2, "fail")
    listed = _one(await shop.get(f"{APP}/endpoint/main/msg", expanded_statuses="true", status=4))
    assert (listed["status"], listed["statusText"]) == (4, "canceled")


async def test_destinations_say_done_only_when_there_are_no_more(shop: Shop) -> None:
    for uid in ("second", "third"):
        url = shop.receiver.url("/hook")
        await shop.client.post(f"{APP}/endpoint", json={"url": url, "uid": uid})
    message = await shop.send()
    path = f"{APP}/msg/{message}/endpoint"
    page = await shop.get(path, limit=2)
    assert (len(page["data"]), page["done"]) == (2, False)
    page = await shop.get(path, limit=2, iterator=page["iterator"])
    assert (len(page["data"]), page["done"]) == (1, True)


async def test_the_ledger_balances_and_counts_only_our_own(shop: Shop) -> None:
    await shop.send()
    await shop.until(f"{APP}/delivery", lambda page: _one(page)["state"] == "delivered")
    ledger = await shop.get("/api/v1/ledger")
    assert ledger["balanced"] is True
    assert ledger["unaccounted"] == 0
    assert (ledger["total"]["accepted"], ledger["total"]["delivered"]) == (1, 1)
    assert len(ledger["rows"]) == 1
    async with shop.served.client(org_token("org_other")) as other:
        theirs = (await other.get("/api/v1/ledger")).json()
        assert (theirs["rows"], theirs["total"]["accepted"]) == ([], 0)
        assert (await other.get("/api/v1/delivery-log")).content == b""


async def test_the_ledger_names_even_a_delivery_of_which_no_trace_is_left(
    quiet: Served, client: httpx.AsyncClient, app: str
) -> None:
    await client.post(f"{app}/endpoint", json={"url": "http://127.0.0.1:9/"})
    message = {"eventType": "payment.captured", "payload": {}}
    message_id = (await client.post(f"{app}/msg", json=message)).json()["id"]
    store = quiet.runtime.store
    assert isinstance(store, MemoryStore)
    store.hot.clear()
    store.lines.clear()  # the planted drop
    await asyncio.sleep(0.01)  # the books end before the present step of the ids, of 4 ms
    ledger = (await client.get("/api/v1/ledger")).json()
    assert (ledger["balanced"], ledger["unaccounted"]) == (False, 1)
    [misfit] = ledger["misfits"]
    assert (misfit["deliveryId"], misfit["kind"]) == (f"{message_id}.", "uncounted")
    async with quiet.client(org_token("org_other")) as other:
        assert (await other.get("/api/v1/ledger")).json()["misfits"] == []


async def test_the_log_is_read_on_from_any_line(shop: Shop) -> None:
    await shop.send()
    await shop.until(f"{APP}/delivery", lambda page: _one(page)["state"] == "delivered")
    response = await shop.client.get("/api/v1/delivery-log")
    assert response.headers["content-type"] == "application/jsonl"
    lines = [json.loads(line) for line in response.text.splitlines()]
    assert [line["op"] for line in lines] == ["accepted", "succeeded"]
    after = {"cursor": lines[0]["cursor"], "app_id": "shop"}
    rest = await shop.client.get("/api/v1/delivery-log", params=after)
    assert [json.loads(line) for line in rest.text.splitlines()] == lines[1:]
    first = await shop.client.get("/api/v1/delivery-log", params={"limit": 1})
    assert [json.loads(line) for line in first.text.splitlines()] == lines[:1]
    for cursor in ("x", "1", "1.", ".1", "-1.2", "1.2.3", "\u0661.\u0662"):
        refused = await shop.client.get("/api/v1/delivery-log", params={"cursor": cursor})
        assert refused.status_code == 422


async def test_the_log_comes_as_parquet_with_the_same_lines(shop: Shop) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    await shop.send()
    await shop.until(f"{APP}/delivery", lambda page: _one(page)["state"] == "delivered")
    jsonl = await shop.client.get("/api/v1/delivery-log")
    response = await shop.client.get("/api/v1/delivery-log", params={"format": "parquet"})
    assert response.headers["content-type"] == "application/vnd.apache.parquet"
    table = parquet.read_table(io.BytesIO(response.content))
    assert table.to_pylist() == [json.loads(line) for line in jsonl.text.splitlines()]


async def test_any_text_that_is_taken_can_be_kept(shop: Shop) -> None:
    odd = "\u0000 \ud7ff \U0010ffff \u2028 ' \" \\ %s :x"
    schema = {"description": odd, "examples": [{"a": odd}]}
    body = {"name": "odd", "description": odd[1:], "schemas": {"1": schema}}
    made = await shop.client.post("/api/v1/event-type", json=body)
    assert made.status_code == 201, made.text
    assert (await shop.get("/api/v1/event-type/odd"))["schemas"] == {"1": schema}
    message = await shop.send(payload={"a": odd})
    assert (await shop.get(f"{APP}/msg/{message}"))["payload"] == {"a": odd}
    named = await shop.client.post(
        "/api/v1/app", json={"name": odd[1:], "metadata": {"a": odd[1:]}}
    )
    assert named.json()["metadata"] == {"a": odd[1:]}
