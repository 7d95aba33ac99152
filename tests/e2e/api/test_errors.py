"""Every error on every route is JSON in one of two shapes, with a request id."""

from __future__ import annotations

import httpx
import pytest
from support.serving import Served, org_token

from homing.web.app import route_table


async def test_an_unknown_path_is_a_404_in_json(client: httpx.AsyncClient) -> None:
    response = await client.get("/api/v1/nowhere")
    assert response.status_code == 404
    assert response.json()["code"] == "not_found"


async def test_a_method_that_a_path_does_not_take_is_a_405_that_names_those_it_takes(
    client: httpx.AsyncClient,
) -> None:
    response = await client.patch("/api/v1/app")
    assert response.status_code == 405
    assert response.headers["allow"] == "GET, POST"
    assert response.json()["code"] == "method_not_allowed"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer"},
        {"authorization": "Basic eDp5"},
        {"authorization": "Bearer x"},
    ],
)
async def test_no_valid_token_is_a_401(quiet: Served, headers: dict[str, str]) -> None:
    async with httpx.AsyncClient(base_url=quiet.url) as client:
        for path in ("/api/v1/app", "/api/v1/app/shop/msg"):
            response = await client.post(path, json={"name": "x"}, headers=headers)
            assert response.status_code == 401
            assert response.json()["code"] == "authentication_failed"
            assert response.headers["www-authenticate"] == "Bearer"


async def test_every_operation_but_the_probes_wants_a_token(quiet: Served) -> None:
    async with httpx.AsyncClient(base_url=quiet.url) as client:
        for operation in route_table(quiet.runtime.service):
            if not operation.public:
                path = operation.path.format_map(_Anything())
                response = await client.request(operation.method, path, json={})
                assert (response.status_code, operation.id) == (401, operation.id)


async def test_another_organisation_sees_nothing_of_ours(quiet: Served, app: str) -> None:
    async with quiet.client(org_token("org_other")) as other:
        assert (await other.get(app)).status_code == 404
        assert (await other.get("/api/v1/app")).json()["data"] == []
        posted = await other.post(f"{app}/msg", json={"eventType": "x", "payload": {}})
        assert posted.status_code == 404
        assert (await other.post("/api/v1/app", json={"name": "x", "uid": "shop"})).is_success


async def test_every_operation_below_an_unknown_application_is_a_404(quiet: Served) -> None:
    bodies = {
        "v1.dead-letter.discard": {"why": "a test"},
        "v1.dead-letter.discard-many": {"why": "a test"},
        "v1.delivery.cancel": {"why": "a test"},
        "v1.issue.merge": {"into": "iss_1"},
        "v1.application.update": None,
        "v1.message.create": {"eventType": "x", "payload": {}},
        "v1.message.create-batch": {"messages": [{"eventType": "x", "payload": {}}]},
        "v1.message.precheck": {"eventType": "x"},
        "v1.endpoint.create": {"url": "https://example.com"},
        "v1.endpoint.update": {"url": "https://example.com"},
        "v1.endpoint.recover": {"since": "2026-01-01T00:00:00Z"},
        "v1.endpoint.replay-missing": {"since": "2026-01-01T00:00:00Z"},
        "v1.endpoint.bulk-replay": {"since": "2026-01-01T00:00:00Z"},
        "v1.endpoint.send-example": {"eventType": "svix.ping"},
        "v1.endpoint.update-headers": {"headers": {}},
        "v1.endpoint.patch-headers": {"headers": {}},
    }
    async with quiet.client() as client:
        for operation in route_table(quiet.runtime.service):
            body = bodies.get(operation.id, {})
            if "{app_id}" not in operation.path or body is None:
                continue
            response = await client.request(
                operation.method, operation.path.format_map(_Anything()), json=body
            )
            assert (response.status_code, operation.id) == (404, operation.id), response.text
            assert response.json()["code"] == "not_found"


async def test_a_body_that_is_not_json_is_a_422_that_says_so(
    client: httpx.AsyncClient, app: str
) -> None:
    for path, body in (
        ("/api/v1/app", b"{"),
        (f"{app}/msg", b"{"),
        (f"{app}/msg", b""),
        (f"{app}/msg", b'{"eventType":"x","payload":{"a":"\xff"}}'),
        (f"{app}/msg", b'{"eventType":"x","payload":' + b"[" * 100_000),
    ):
        response = await client.post(path, content=body)
        assert response.status_code == 422, response.text
        (item,) = response.json()["detail"]
        assert item["loc"][0] == "body"


async def test_a_422_names_the_place(client: httpx.AsyncClient, app: str) -> None:
    response = await client.post("/api/v1/app", json={"name": "x", "metadata": {"a": 1}})
    assert response.json()["detail"][0]["loc"] == ["body", "metadata", "..."]
    response = await client.post("/api/v1/app", json={})
    assert response.json()["detail"][0]["loc"] == ["body", "name"]
    response = await client.get("/api/v1/app", params={"limit": "251"})
    assert response.json()["detail"][0]["loc"] == ["query", "limit"]


async def test_a_body_over_the_limit_is_a_413_on_every_way_in(
    client: httpx.AsyncClient, app: str
) -> None:
    async def endless() -> object:
        for _ in range(40):
            yield b"x" * 65_536

    for path in ("/api/v1/app", f"{app}/msg"):
        for content in (b"x" * 1_048_577, endless()):
            response = await client.post(path, content=content)  # type: ignore[arg-type]
            assert response.status_code == 413
            assert response.json()["code"] == "payload_too_large"


async def test_a_closed_door_is_a_503_that_says_when_to_try_again(
    quiet: Served, client: httpx.AsyncClient, app: str
) -> None:
    quiet.runtime.intake.closed_because = "the disk is full"
    response = await client.post(f"{app}/msg", json={"eventType": "x", "payload": {}})
    assert response.status_code == 503
    assert int(response.headers["retry-after"]) >= 1
    assert response.json() == {"code": "unavailable", "detail": "the disk is full"}
    ready = await client.get("/ready")
    assert ready.status_code == 503
    assert ready.json()["accepting"] == {"status": "error", "detail": "the disk is full"}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/v1/auth/one-time-token"),
        ("GET", "/api/v1/app/shop/integration"),
        ("POST", "/api/v1/app/shop/endpoint/e/cancel-msgs"),
        ("POST", "/api/v1/app/shop/auto-config"),
    ],
)
async def test_what_the_sdks_have_and_we_do_not_is_a_501(
    client: httpx.AsyncClient, method: str, path: str
) -> None:
    response = await client.request(method, path)
    assert response.status_code == 501
    assert response.json()["code"] == "not_implemented"
    assert "docs/reference/api.md#what-is-not-offered" in response.json()["detail"]


async def test_a_request_id_comes_back_and_is_made_where_there_is_none(
    client: httpx.AsyncClient,
) -> None:
    response = await client.get("/api/v1/nowhere", headers={"svix-req-id": "7"})
    assert response.headers["svix-req-id"] == "7"
    one, other = await client.get("/api/v1/app"), await client.get("/api/v1/app")
    assert one.headers["svix-req-id"] != other.headers["svix-req-id"]
    hostile = await client.get("/api/v1/app", headers={"svix-req-id": "x" * 1_000})
    assert len(hostile.headers["svix-req-id"]) < 100


async def test_a_browser_may_call_from_anywhere(client: httpx.AsyncClient) -> None:
    asked = {
        "origin": "https://shop.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type",
    }
    preflight = await client.options("/api/v1/app", headers=asked)
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == "*"
    assert preflight.headers["access-control-allow-headers"] == "authorization,content-type"
    for path in ("/api/v1/app", "/api/v1/nowhere"):
        answer = await client.get(path, headers={"origin": "https://shop.example"})
        assert answer.headers["access-control-allow-origin"] == "*"


async def test_a_name_that_nothing_can_have_is_a_404(client: httpx.AsyncClient) -> None:
    for name in ("a%20b", "%00", "a" * 257, "%F0%9F%95%8A"):
        assert (await client.get(f"/api/v1/app/{name}")).status_code == 404
        sent = await client.post(f"/api/v1/app/{name}/msg", json={"eventType": "x", "payload": {}})
        assert sent.status_code == 404


async def test_an_application_s_token_opens_that_application_only(
    client: httpx.AsyncClient, quiet: Served, app: str
) -> None:
    await client.post("/api/v1/app", json={"name": "Other", "uid": "other"})
    granted = (await client.post("/api/v1/auth/app-portal-access/shop", json={})).json()
    async with quiet.client(granted["token"]) as portal:
        assert (await portal.get(app)).status_code == 200
        assert (await portal.get(f"{app}/endpoint")).status_code == 200
        assert (await portal.get("/api/v1/event-type")).status_code == 200
        assert (await portal.get("/api/v1/app/other")).status_code == 404
        assert (await portal.get("/api/v1/app/other/endpoint")).status_code == 404
        for method, path in (
            ("GET", "/api/v1/app"),
            ("DELETE", app),
            ("POST", f"{app}/msg"),
            ("POST", f"{app}/msg/batch"),
            ("POST", "/api/v1/event-type"),
            ("GET", "/api/v1/ledger"),
            ("GET", "/api/v1/delivery-log"),
        ):
            response = await portal.request(method, path, json={})
            assert (response.status_code, path) == (403, path)
            assert response.json()["code"] == "insufficient access"


class _Anything(dict[str, str]):
    """A name for each place in a path."""

    def __missing__(self, key: str) -> str:
        return "nope"
