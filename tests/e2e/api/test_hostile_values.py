"""Whatever is written where an id, a parameter or a value belongs: an answer below 500, in JSON."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest
from support.serving import Served, org_token, serving

from homing.store import open_store
from homing.web.app import route_table

NAMES = ("a%00b", "%0d%0a", "..%2f..", "%ff", "msg_", "x" * 300)
TEXTS = ("a%00b", "%0d%0a", "%ff%fe", "%F0%9F%95%8A", "'", "9" * 40, "%ed%a0%80")
#: what a JSON value may be replaced by
VALUES: tuple[Any, ...] = (
    None, True, -1, 2**63, 2**70, 1e308, "", "a\0b", "\r\nx: y", "'; --", "\U0010ffff",
    "x" * 5_000, [], {}, {"\0": "\0"}, "9999-12-31T23:59:59-23:59",
)  # fmt: skip
#: where Homing itself is the one that reads what was written, and must not be made to write more
HEADER_BREAKS = ("a\r\nx-injected: 1", "a\nb", "a\0b", "\x7f", "\u2028\r\n")


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.postgres)])
def store_url(request: pytest.FixtureRequest) -> str:
    """The two that differ most in what they can keep."""
    return str(request.getfixturevalue("postgres_url")) if request.param != "memory" else "memory:"


@pytest.fixture
async def served(store_url: str) -> AsyncIterator[Served]:
    """Sends nothing; has one of each thing."""
    async with (
        serving(await open_store(store_url), dispatching=False) as served,
        served.client() as client,
    ):
        for path, body in (
            ("/app", {"name": "Shop", "uid": "shop"}),
            ("/event-type", {"name": "x", "description": "", "schemas": {"1": {}}}),
            ("/app/shop/endpoint", {"url": "http://127.0.0.1:1/", "uid": "e"}),
            ("/app/shop/msg", {"eventType": "x", "payload": {}, "eventId": "m"}),
        ):
            assert (await client.post(f"/api/v1{path}", json=body)).is_success
        yield served


def check(response: httpx.Response, *what: object) -> None:
    assert response.status_code < 500 or response.status_code == 501, (what, response.text)
    if response.status_code >= 400:
        assert response.json()["detail"], what


async def check_all(
    client: httpx.AsyncClient, requests: list[tuple[str, str, bytes | None]]
) -> None:
    """Forty at a time: each waits for the network rather than for us."""
    for start in range(0, len(requests), 40):
        some = requests[start : start + 40]
        answers = await asyncio.gather(
            *(client.request(method, path, content=body) for method, path, body in some)
        )
        for asked, answer in zip(some, answers, strict=True):
            check(answer, *asked)


GOOD = {"app_id": "shop", "endpoint_id": "e", "msg_id": "m", "event_type_name": "x"}


async def test_hostile_names_in_paths(served: Served) -> None:
    requests: list[tuple[str, str, bytes | None]] = []
    async with served.client() as client:
        for operation in route_table(served.runtime.service):
            places = [p[1:-1] for p in operation.path.split("/") if p.startswith("{")]
            for place, name in itertools.product(places, NAMES):
                names = {one: GOOD.get(one, "x") for one in places} | {place: name}
                path = operation.path.format(**names)
                requests.append((operation.method, path, b"{}"))
        await check_all(client, requests)


async def test_hostile_values_of_parameters(served: Served) -> None:
    requests: list[tuple[str, str, bytes | None]] = []
    async with served.client() as client:
        for operation in route_table(served.runtime.service):
            if operation.method != "GET":
                continue
            places = [p[1:-1] for p in operation.path.split("/") if p.startswith("{")]
            path = operation.path.format(**{one: GOOD.get(one, "x") for one in places})
            for field, text in itertools.product(msgspec.structs.fields(operation.query), TEXTS):
                requests.append(("GET", f"{path}?{field.encode_name}={text}", None))
        await check_all(client, requests)


async def test_hostile_values_in_bodies(served: Served) -> None:
    requests: list[tuple[str, str, bytes | None]] = []
    async with served.client() as client:
        for operation in route_table(served.runtime.service):
            if operation.body is None or not hasattr(operation.body, "__struct_fields__"):
                continue
            places = [p[1:-1] for p in operation.path.split("/") if p.startswith("{")]
            path = operation.path.format(**{one: GOOD.get(one, "x") for one in places})
            required = {"name": "n", "url": "https://example.com", "eventType": "x", "payload": {}}
            required |= {"since": "2026-01-01T00:00:00Z", "description": "d", "headers": {}}
            names = {f.encode_name for f in msgspec.structs.fields(operation.body)}
            base = {name: value for name, value in required.items() if name in names}
            for name, value in itertools.product(sorted(names), VALUES):
                body = json.dumps(base | {name: value}).encode()
                requests.append((operation.method, path, body))
        await check_all(client, requests)


async def test_what_would_break_a_header_is_refused(served: Served) -> None:
    async with served.client() as client:
        for text in HEADER_BREAKS:
            for body in ({"headers": {"x-a": text}}, {"headers": {text: "a"}}):
                path = "/api/v1/app/shop/endpoint/e/headers"
                assert (await client.put(path, json=body)).status_code == 422, body
            for body in (
                {"eventType": text, "payload": {}},
                {"eventType": "x", "payload": {}, "eventId": text},
            ):
                response = await client.post("/api/v1/app/shop/msg", json=body)
                assert response.status_code == 422, body


async def test_deeply_nested_and_unknown_things_are_told_or_ignored(served: Served) -> None:
    deep = b"[" * 50_000 + b"]" * 50_000
    async with served.client() as client:
        for path, before, after in (
            ("/api/v1/app", b'{"name":"x","metadata":', b"}"),
            ("/api/v1/app/shop/msg", b'{"eventType":"x","payload":{"a":', b"}}"),
            ("/api/v1/event-type", b'{"name":"y","description":"","schemas":{"1":', b"}}"),
            ("/api/v1/app/shop/msg/batch", b'{"messages":[', b"]}"),
        ):
            response = await client.post(path, content=before + deep + after)
            assert response.status_code == 422, (path, response.text)
        unknown = {"name": "x", "uid": "other", "nobodyKnowsThis": {"a": [1]}}
        assert (await client.post("/api/v1/app", json=unknown)).status_code == 201


async def test_an_expired_and_a_foreign_token_are_a_401_and_another_s_ids_a_404(
    served: Served,
) -> None:
    from support.serving import SECRET

    from homing.service.tokens import sign_org_token
    from homing.system import SystemClock

    now_us = SystemClock().now_us()
    expired = sign_org_token(SECRET, at_us=now_us - 7_200_000_000, valid_s=3_600)
    foreign = sign_org_token("the secret of another Homing, as long", at_us=now_us)
    for token in (expired, foreign):
        async with served.client(token) as client:
            for path in ("/api/v1/app", "/api/v1/app/shop"):
                response = await client.get(path)
                assert response.status_code == 401
                assert response.json()["code"] == "authentication_failed"
    async with served.client() as ours, served.client(org_token("org_other")) as theirs:
        app_id = (await ours.get("/api/v1/app/shop")).json()["id"]
        endpoint = (await ours.get("/api/v1/app/shop/endpoint/e")).json()["id"]
        message = (await ours.get("/api/v1/app/shop/msg/m")).json()["id"]
        assert (await theirs.post("/api/v1/app", json={"name": "x", "uid": "own"})).is_success
        for app in (app_id, "shop", "own"):
            for path in (f"endpoint/{endpoint}", f"msg/{message}", f"attempt/msg/{message}"):
                response = await theirs.get(f"/api/v1/app/{app}/{path}")
                assert response.status_code == 404, (app, path, response.text)
                assert response.json()["code"] == "not_found"


async def test_an_iterator_that_no_listing_gave_is_a_422(served: Served) -> None:
    async with served.client() as client:
        for path in ("/app", "/app/shop/endpoint", "/app/shop/msg", "/event-type"):
            for iterator in ("", "-", "nonsense\0", "msg_", "ep_" + "z" * 27 + "0", "x" * 5_000):
                response = await client.get(f"/api/v1{path}", params={"iterator": iterator})
                assert response.status_code in (200, 422), (path, iterator)
                if response.status_code == 422:
                    assert response.json()["detail"][0]["loc"] == ["query", "iterator"]
