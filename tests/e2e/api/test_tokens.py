"""Tokens over HTTP: what each kind may do, over the whole route table."""

from __future__ import annotations

from typing import cast

import httpx
import jwt
import pytest
from support.serving import SECRET, Served, serving

from homing.service.context import Service
from homing.service.tokens import DEFAULT_ORG_ID, sign_org_token
from homing.settings import SecretText
from homing.store import open_store
from homing.system import SystemClock
from homing.web.app import route_table
from homing.web.operation import Operation

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
    changing = {one.id for one in OPERATIONS if one.method != "GET"}
    assert refused == changing | {"v1.endpoint.get-secret"}
    assert {"v1.message.create", "v1.authentication.app-portal-access"} < refused


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
