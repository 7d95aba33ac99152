"""Tokens over HTTP: what each kind may do, over the whole route table."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import httpx
import jwt
import pytest
from support.serving import SECRET, Served, serving

from homing.knobs import SecretText
from homing.service.context import Service
from homing.service.tokens import DEFAULT_ORG_ID, Role, sign_org_token
from homing.store import open_store
from homing.system import SystemClock
from homing.web.app import route_table
from homing.web.operation import Operation
from homing.web.roles import role_of

OPERATIONS = [one for one in route_table(cast(Service, None)) if not one.public]
PORTAL = "/api/v1/auth/app-portal-access/shop"
ALL = ["ViewBase", "ManageEndpoint", "ManageEndpointSecret", "CreateAttempts"]


async def ask(client: httpx.AsyncClient, operation: Operation) -> httpx.Response:
    path = operation.path.replace("{app_id}", "shop").replace("{", "").replace("}", "")
    return await client.request(operation.method, path, json={} if operation.body else None)


async def test_a_token_that_may_only_read_changes_nothing_and_is_told_no_secret(
    quiet: Served, app: str
) -> None:
    token = sign_org_token(SECRET, at_us=SystemClock().now_us(), read_only=True)
    refused = set()
    async with quiet.client(token) as reader:
        for operation in OPERATIONS:
            answer = await ask(reader, operation)
            if answer.status_code == 403:
                assert "only read" in answer.json()["detail"]
                refused.add(operation.id)
    looking = {"v1.authentication.logout", "v1.message.precheck"}
    changing = {one.id for one in OPERATIONS if one.method != "GET"} - looking
    secret = {"v1.endpoint.get-secret", "v1.operational-webhook.endpoint.get-secret"}
    assert refused == changing | secret
    assert {"v1.message.create", "v1.authentication.app-portal-access"} < refused


async def test_an_operator_moves_traffic_and_changes_nothing_that_is_configured(
    quiet: Served, app: str
) -> None:
    token = sign_org_token(SECRET, at_us=SystemClock().now_us(), role=Role.OPERATOR)
    refused = set()
    async with quiet.client(token) as operator:
        for operation in OPERATIONS:
            answer = await ask(operator, operation)
            if answer.status_code == 403:
                assert "needs the role admin" in answer.json()["detail"]
                refused.add(operation.id)
        message = {"eventType": "a.b", "payload": {}}
        sent = await operator.post("/api/v1/app/shop/msg", json=message)
        assert sent.status_code == 202
    looking = {"v1.authentication.logout", "v1.message.precheck"}
    changing = {one.id for one in OPERATIONS if one.method != "GET"} - looking
    allowed = {one.id for one in OPERATIONS if role_of(one) is Role.OPERATOR}
    secret = {"v1.endpoint.get-secret", "v1.operational-webhook.endpoint.get-secret"}
    assert refused == (changing - allowed) | secret
    assert {"v1.endpoint.create", "v1.authentication.app-portal-access"} < refused


async def test_an_operator_parks_and_enables_an_endpoint_and_changes_nothing_else_of_it(
    quiet: Served, app: str, client: httpx.AsyncClient
) -> None:
    made = {"uid": "kept", "url": "https://kept.example.com/"}
    assert (await client.post("/api/v1/app/shop/endpoint", json=made)).status_code == 201
    token = sign_org_token(SECRET, at_us=SystemClock().now_us(), role=Role.OPERATOR)
    async with quiet.client(token) as operator:
        for disabled in (True, False):
            change = {"disabled": disabled}
            answer = await operator.patch("/api/v1/app/shop/endpoint/kept", json=change)
            assert (answer.status_code, answer.json()["disabled"]) == (200, disabled)
        url = {"disabled": True, "url": "https://elsewhere.example.com/"}
        answer = await operator.patch("/api/v1/app/shop/endpoint/kept", json=url)
        assert answer.status_code == 403
        assert "needs the role admin" in answer.json()["detail"]


async def test_a_repeat_by_a_token_that_may_only_read_is_refused_too(
    quiet: Served, client: httpx.AsyncClient
) -> None:
    once = {"json": {"name": "Two"}, "headers": {"idempotency-key": "once"}}
    assert (await client.post("/api/v1/app", **once)).status_code == 201  # type: ignore[arg-type]
    token = sign_org_token(SECRET, at_us=SystemClock().now_us(), read_only=True)
    async with quiet.client(token) as reader:
        assert (await reader.post("/api/v1/app", **once)).status_code == 403  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("asked", "may_write"),
    [
        ({}, True),
        ({"readOnly": False}, True),
        ({"readOnly": True}, False),
        ({"capabilities": ALL}, True),
        ({"capabilities": ["ViewBase"]}, False),
        ({"capabilities": []}, False),
        ({"capabilities": ALL[:-1]}, False),
        ({"capabilities": ["ViewBase"], "readOnly": False}, False),
    ],
)
async def test_a_portal_token_may_never_do_more_than_was_asked_for(
    quiet: Served, client: httpx.AsyncClient, app: str, asked: dict[str, object], may_write: bool
) -> None:
    granted = await client.post(PORTAL, json=asked)
    async with quiet.client(granted.json()["token"]) as portal:
        assert (await portal.get(f"{app}/endpoint")).status_code == 200
        made = await portal.post(f"{app}/endpoint", json={"url": "https://example.com/"})
        assert made.status_code == (201 if may_write else 403)


async def test_a_portal_token_ends_when_it_was_asked_to(
    client: httpx.AsyncClient, app: str
) -> None:
    def life_s(answer: httpx.Response) -> int:
        claims = jwt.decode(answer.json()["token"], options={"verify_signature": False})
        return int(claims["exp"] - claims["iat"])

    assert life_s(await client.post(PORTAL, json={})) == 28 * 86_400
    assert life_s(await client.post(PORTAL, json={"expiry": 3_600})) == 3_600
    for wrong in (0, 3_599, 10**9):
        assert (await client.post(PORTAL, json={"expiry": wrong})).status_code == 422
    assert (await client.post(PORTAL, json={"capabilities": ["Everything"]})).status_code == 422


async def test_a_token_of_svix_s_server_is_good_when_we_are_told_its_secret() -> None:
    secret = "the secret of a Svix server, of 32 bytes or more"
    now_s = SystemClock().now_us() // 1_000_000
    claims = {"iss": "svix-server", "sub": DEFAULT_ORG_ID, "iat": now_s, "exp": now_s + 60}
    token = jwt.encode(claims, secret, algorithm="HS256")
    for given, status in ((secret, 200), ("", 401)):
        store = await open_store("memory:")
        async with (
            serving(store, dispatching=False, svix_jwt_secret=SecretText(given)) as served,
            served.client(token) as client,
        ):
            assert (await client.get("/api/v1/app")).status_code == status


async def granted(client: httpx.AsyncClient, **more: object) -> str:
    answer = await client.post(PORTAL, json=more)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["token"])


async def status_for(served: Served, token: str) -> int:
    async with served.client(token) as holder:
        return (await holder.get("/api/v1/app/shop/endpoint")).status_code


EXPIRE = "/api/v1/auth/app/shop/expire-all"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def shared_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A fresh store of each kind that several processes can share."""
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite:///{tmp_path}/homing.db"


@pytest.fixture
async def nodes(shared_url: str) -> AsyncIterator[tuple[Served, Served]]:
    """Two processes on one store."""
    async with (
        serving(await open_store(shared_url), dispatching=False) as one,
        serving(await open_store(shared_url), dispatching=False) as other,
    ):
        yield one, other


async def test_every_node_refuses_what_one_of_them_ended(nodes: tuple[Served, Served]) -> None:
    one, other = nodes
    async with one.client() as client:
        await client.post("/api/v1/app", json={"name": "Shop", "uid": "shop"})
        await client.post("/api/v1/app", json={"name": "Spare", "uid": "spare"})
        before = await granted(client)
        spare = await client.post("/api/v1/auth/app-portal-access/spare", json={})
        assert [await status_for(node, before) for node in nodes] == [200, 200]
        assert (await client.post(EXPIRE, json={})).status_code == 204
        assert [await status_for(node, before) for node in nodes] == [401, 401]
        after = await granted(client)
        assert [await status_for(node, after) for node in nodes] == [200, 200]
    async with other.client(spare.json()["token"]) as holder:
        assert (await holder.get("/api/v1/app/spare")).status_code == 200, "another's tokens stay"
    async with other.client() as client:
        assert (await client.get("/api/v1/app")).status_code == 200, "so do the organisation's"


async def test_tokens_end_by_session_and_later_if_so_wanted(
    quiet: Served, client: httpx.AsyncClient, app: str
) -> None:
    ann, bob = [await granted(client, sessionId=name) for name in ("ann", "bob")]
    assert (await client.post(EXPIRE, json={"sessionIds": ["ann"]})).status_code == 204
    assert [await status_for(quiet, token) for token in (ann, bob)] == [401, 200]
    assert (await client.post(EXPIRE, json={"expiry": 3_600})).status_code == 204
    assert await status_for(quiet, bob) == 200, "for an hour"
    assert (await client.post(EXPIRE, json={"expiry": 259_201})).status_code == 422
    async with quiet.client(bob) as holder:
        assert (await holder.post(EXPIRE, json={})).status_code == 403


async def test_a_token_of_a_svix_server_ends_with_the_others(store_url: str) -> None:
    key = "a key of a svix server, 32 characters"
    at_s = SystemClock().now_us() // 1_000_000
    store = await open_store(store_url)
    async with serving(store, dispatching=False, svix_jwt_secret=SecretText(key)) as served:
        async with served.client() as client:
            made = await client.post("/api/v1/app", json={"name": "Shop", "uid": "shop"})
            claims = {"iss": "svix-server", "org": DEFAULT_ORG_ID, "sub": made.json()["id"]}
            token = jwt.encode({**claims, "exp": at_s + 600}, key, algorithm="HS256")
            assert await status_for(served, token) == 200
            await client.post(EXPIRE, json={})
        assert await status_for(served, token) == 401


async def test_logging_out_ends_one_token_in_all_its_forms(
    quiet: Served, client: httpx.AsyncClient, app: str
) -> None:
    one, other = await granted(client, readOnly=True), await granted(client, readOnly=True)
    assert one != other
    async with quiet.client(one) as holder:
        assert (await holder.post("/api/v1/auth/logout")).status_code == 204
    alike = one[:-1] + chr(ord(one[-1]) + 1)  # the last digit has bits that say nothing
    for token in (one, alike):
        assert await status_for(quiet, token) == 401
    assert await status_for(quiet, other) == 200
    assert (await client.post("/api/v1/auth/logout")).status_code == 400


async def test_a_message_can_be_checked_before_it_is_sent(
    quiet: Served, client: httpx.AsyncClient, app: str
) -> None:
    async def is_active(**message: object) -> bool:
        answer = await client.post(f"{app}/msg/precheck/active", json=message)
        assert answer.status_code == 200, answer.text
        return bool(answer.json()["active"])

    assert not await is_active(eventType="order.paid")
    await client.post("/api/v1/event-type", json={"name": "order.paid", "description": ""})
    body = {
        "url": "https://example.com/",
        "uid": "main",
        "eventTypes": ["order.paid"],
        "channels": ["eu"],
    }
    assert (await client.post(f"{app}/endpoint", json=body)).status_code == 201
    assert await is_active(eventType="order.paid", channels=["us", "eu"])
    assert not await is_active(eventType="order.paid", channels=["us"])
    assert not await is_active(eventType="order.sent", channels=["eu"])
    await client.patch(f"{app}/endpoint/main", json={"disabled": True})
    assert not await is_active(eventType="order.paid", channels=["eu"])
    nowhere = await client.post("/api/v1/app/no/msg/precheck/active", json={"eventType": "x"})
    assert nowhere.status_code == 404
    async with quiet.client(await granted(client, readOnly=True)) as reader:
        asked = await reader.post(f"{app}/msg/precheck/active", json={"eventType": "x"})
        assert asked.status_code == 200
