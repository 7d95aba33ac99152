"""Messages over HTTP: what is given is what is kept."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from support.receiver import Receiver
from support.serving import Served


async def test_the_payload_is_kept_byte_by_byte(client: httpx.AsyncClient, app: str) -> None:
    payload = b'{ "a" : 1.0 ,\n"\xc3\xa9":"\\u00e9", "a": 2e5}'
    sent = await client.post(
        f"{app}/msg", content=b'{"eventType":"x", "eventId":"e", "payload": ' + payload + b" }"
    )
    assert sent.status_code == 202, sent.text
    assert payload in sent.content
    for name in (sent.json()["id"], "e"):
        assert payload in (await client.get(f"{app}/msg/{name}")).content


async def test_data_is_another_name_of_payload(client: httpx.AsyncClient, app: str) -> None:
    sent = await client.post(f"{app}/msg", json={"eventType": "x", "data": {"a": 1}})
    assert sent.json()["payload"] == {"a": 1}


async def test_without_content_the_payload_is_empty(client: httpx.AsyncClient, app: str) -> None:
    body = {"eventType": "x", "payload": {"a": 1}}
    sent = await client.post(f"{app}/msg?with_content=false", json=body)
    assert sent.json()["payload"] == {}
    message = f"{app}/msg/{sent.json()['id']}"
    assert (await client.get(message)).json()["payload"] == {"a": 1}
    assert (await client.get(message, params={"with_content": "false"})).json()["payload"] == {}
    assert (await client.get(f"{app}/msg?with_content=false")).json()["data"][0]["payload"] == {}


async def test_a_raw_payload_need_not_be_json(client: httpx.AsyncClient, app: str) -> None:
    for text, shown in (("<a/>", {"rawPayload": "<a/>"}), ('{"b": 1}', {"b": 1})):
        sent = await client.post(
            f"{app}/msg",
            json={
                "eventType": "x",
                "payload": {},
                "transformationsParams": {"rawPayload": text},
            },
        )
        assert sent.json()["payload"] == shown


@pytest.mark.parametrize(
    "body",
    [
        {"eventType": "x"},
        {"payload": {}},
        {"eventType": "a b", "payload": {}},
        {"eventType": "x" * 257, "payload": {}},
        {"eventType": "x", "payload": []},
        {"eventType": "x", "payload": "text"},
        {"eventType": "x", "payload": None},
        {"eventType": "x", "payload": {}, "data": 1},
        {"eventType": "x", "payload": {}, "eventId": ""},
        {"eventType": "x", "payload": {}, "channels": ["c"] * 11},
        {"eventType": "x", "payload": {}, "tags": ["t"] * 6},
        {"eventType": "x", "payload": {}, "payloadRetentionPeriod": 4},
        {"eventType": "x", "payload": {}, "deliverAt": "2030-01-01T00:00:00Z"},
    ],
)
async def test_what_a_message_cannot_be_is_a_422(
    client: httpx.AsyncClient, app: str, body: object
) -> None:
    assert (await client.post(f"{app}/msg", json=body)).status_code == 422


async def test_a_message_may_bring_its_application_along(client: httpx.AsyncClient) -> None:
    body = {"eventType": "x", "payload": {}, "application": {"name": "New", "uid": "new"}}
    assert (await client.post("/api/v1/app/new/msg", json=body)).status_code == 202
    assert (await client.post("/api/v1/app/new/msg", json=body)).status_code == 202
    assert (await client.get("/api/v1/app/new")).json()["name"] == "New"
    refused = await client.post("/api/v1/app/other/msg", json=body)
    assert refused.status_code == 422
    assert refused.json()["detail"][0]["loc"] == ["body", "application", "uid"]


async def test_a_payload_can_be_forgotten(client: httpx.AsyncClient, app: str) -> None:
    sent = (await client.post(f"{app}/msg", json={"eventType": "x", "payload": {"a": 1}})).json()
    path = f"{app}/msg/{sent['id']}"
    assert (await client.delete(f"{path}/content")).status_code == 204
    assert (await client.get(path)).json()["payload"] == {"expired": True}


async def test_a_batch_has_a_result_for_each_message(client: httpx.AsyncClient, app: str) -> None:
    items = [
        {"eventType": "x", "payload": {"n": 0}, "eventId": "e"},
        {"eventType": "x", "payload": []},
        {"eventType": "x", "payload": {"n": 2}, "eventId": "e"},
        {"eventType": "x", "payload": {"n": 3}},
        {"payload": {}},
    ]
    sent = await client.post(f"{app}/msg/batch", json={"messages": items})
    assert sent.status_code == 202, sent.text
    results = sent.json()["data"]
    assert [r["status"] for r in results] == [202, 422, 409, 202, 422]
    assert results[1]["detail"][0]["loc"] == ["body", "payload"]
    assert results[2]["code"] == "conflict"
    assert results[4]["detail"][0]["loc"] == ["body", "eventType"]
    listed = (await client.get(f"{app}/msg")).json()["data"]
    assert {row["id"] for row in listed} == {results[0]["id"], results[3]["id"]}


async def test_what_is_not_even_an_object_refuses_the_batch(
    client: httpx.AsyncClient, app: str
) -> None:
    body = {"messages": [{"eventType": "x", "payload": {}}, 7]}
    refused = await client.post(f"{app}/msg/batch", json=body)
    assert refused.status_code == 422
    assert refused.json()["detail"][0]["loc"] == ["body", "messages", "1"]
    assert (await client.get(f"{app}/msg")).json()["data"] == []


async def test_a_batch_may_be_longer_than_one_message_but_not_endless(
    client: httpx.AsyncClient, app: str
) -> None:
    item = {"eventType": "x", "payload": {"text": "y" * 2_000}}
    sent = await client.post(f"{app}/msg/batch", json={"messages": [item] * 1_000})
    assert sent.status_code == 202
    assert len({r["id"] for r in sent.json()["data"]}) == 1_000
    for count in (0, 1_001):
        item = {"eventType": "x", "payload": {}}
        refused = await client.post(f"{app}/msg/batch", json={"messages": [item] * count})
        assert refused.status_code == 422


async def test_the_repeat_of_a_batch_stores_nothing_again(
    client: httpx.AsyncClient, app: str
) -> None:
    body = {"messages": [{"eventType": "x", "payload": {"n": n}} for n in range(3)]}
    headers = {"idempotency-key": "k"}
    one = await client.post(f"{app}/msg/batch", json=body, headers=headers)
    two = await client.post(f"{app}/msg/batch", json=body, headers=headers)
    assert one.json() == two.json()
    assert len((await client.get(f"{app}/msg")).json()["data"]) == 3


async def test_a_repeat_gets_the_first_one_s_message_and_another_body_a_conflict(
    client: httpx.AsyncClient, app: str
) -> None:
    async def send(number: int, **headers: str) -> httpx.Response:
        body = json.dumps({"eventType": "x", "payload": {"n": number}})
        return await client.post(f"{app}/msg", content=body, headers=headers)

    first = await send(1, **{"idempotency-key": "k"})
    again = await send(1, **{"idempotency-key": "k"})
    assert (again.status_code, again.json()) == (202, first.json())
    assert (await send(2, **{"idempotency-key": "k"})).status_code == 409
    assert (await send(2, **{"idempotency-key": "l"})).json()["id"] != first.json()["id"]
    at_once = await asyncio.gather(*(send(3, **{"idempotency-key": "m"}) for _ in range(20)))
    assert {r.status_code for r in at_once} == {202}
    assert len({r.json()["id"] for r in at_once}) == 1


async def test_an_event_id_is_a_key_too(client: httpx.AsyncClient, app: str) -> None:
    one = {"eventType": "x", "eventId": "e", "payload": {"n": 1}}
    first = await client.post(f"{app}/msg", json=one)
    again = await client.post(f"{app}/msg", json=one, headers={"idempotency-key": "k"})
    assert again.json() == first.json()
    other = await client.post(f"{app}/msg", json={**one, "payload": {"n": 2}})
    assert (other.status_code, other.json()["code"]) == (409, "conflict")


async def test_creating_anything_twice_with_one_key_creates_it_once(
    client: httpx.AsyncClient, app: str
) -> None:
    for path, body in (
        ("/api/v1/app", {"name": "x"}),
        (f"{app}/endpoint", {"url": "https://example.com/"}),
        ("/api/v1/event-type", {"name": "x", "description": ""}),
    ):
        headers = {"idempotency-key": "k"}
        answers = await asyncio.gather(
            *(client.post(path, json=body, headers=headers) for _ in range(5))
        )
        assert {a.status_code for a in answers} == {201}, [a.text for a in answers]
        assert len({a.content for a in answers}) == 1
        other = await client.post(path, json={**body, "metadata": {"a": "b"}}, headers=headers)
        assert (other.status_code, other.json()["code"]) == (409, "conflict")


async def test_what_was_refused_is_not_remembered(client: httpx.AsyncClient) -> None:
    headers = {"idempotency-key": "k"}
    body = {"eventType": "svix.ping"}
    path = "/api/v1/app/late/endpoint/main/send-example"
    assert (await client.post(path, json=body, headers=headers)).status_code == 404
    await client.post("/api/v1/app", json={"name": "x", "uid": "late"})
    await client.post(
        "/api/v1/app/late/endpoint", json={"url": "https://example.com/", "uid": "main"}
    )
    one = await client.post(path, json=body, headers=headers)
    two = await client.post(path, json=body, headers=headers)
    assert one.status_code == two.status_code == 200
    assert one.json()["id"] == two.json()["id"]


def in_seconds(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


async def test_a_message_for_later_says_when_and_waits(served: Served, receiver: Receiver) -> None:
    async with served.client() as client:
        await client.post("/api/v1/app", json={"name": "Shop", "uid": "shop"})
        app = "/api/v1/app/shop"
        await client.post(f"{app}/endpoint", json={"url": receiver.url("/hook")})
        body = {"eventType": "x", "payload": {}, "deliverAt": "2999-01-01T00:00:00Z"}
        for deliver_at in ("2999-01-01T00:00:00Z", "2001-01-01T00:00:00Z", in_seconds(30)):
            refused = await client.post(f"{app}/msg", json=body | {"deliverAt": deliver_at})
            assert refused.status_code == 422
            assert refused.json()["detail"][0]["loc"] == ["body", "deliverAt"]
        body["deliverAt"] = in_seconds(3_600)
        sent = (await client.post(f"{app}/msg", json=body)).json()
        at = datetime.fromisoformat(str(body["deliverAt"]))
        assert datetime.fromisoformat(sent["deliverAt"]) == at
        assert (await client.get(f"{app}/msg/{sent['id']}")).json()["deliverAt"] == sent[
            "deliverAt"
        ]
        (listed,) = (await client.get(f"{app}/msg")).json()["data"]
        assert listed["deliverAt"] == sent["deliverAt"]
        (delivery,) = (await client.get(f"{app}/delivery")).json()["data"]
        assert (delivery["state"], delivery["dueAt"]) == ("waiting", sent["deliverAt"])
        plain = await client.post(f"{app}/msg", json={"eventType": "x", "payload": {}})
        assert plain.json()["deliverAt"] is None
        await receiver.wait_for(1)
        assert receiver.requests[0].headers["webhook-id"] == plain.json()["id"]
        batch = {"messages": [body, body | {"deliverAt": in_seconds(1)}]}
        answers = (await client.post(f"{app}/msg/batch", json=batch)).json()["data"]
        assert [one["status"] for one in answers] == [202, 422]


async def test_a_repeat_after_its_time_gets_the_message_of_the_first(
    client: httpx.AsyncClient, app: str
) -> None:
    body = {"eventType": "x", "payload": {}, "deliverAt": in_seconds(60.5)}
    once = {"json": body, "headers": {"idempotency-key": "once"}}
    first = await client.post(f"{app}/msg", **once)  # type: ignore[arg-type]
    assert first.status_code == 202
    async with asyncio.timeout(60):  # until it would be too soon for a new one
        while (await client.post(f"{app}/msg", json=body)).status_code == 202:
            await asyncio.sleep(0.05)
    again = await client.post(f"{app}/msg", **once)  # type: ignore[arg-type]
    assert (again.status_code, again.json()["id"]) == (202, first.json()["id"])
    changed = {"json": body | {"eventType": "y"}, "headers": {"idempotency-key": "once"}}
    assert (await client.post(f"{app}/msg", **changed)).status_code == 409  # type: ignore[arg-type]
