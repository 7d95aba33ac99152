"""The portal's door over HTTP: what the browser is told to keep, and whom it may be framed by."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import httpx
import pytest
from support.serving import Served, serving

from homing.store import open_store

from .conftest import ShiftedClock

HTML = {"accept": "text/html"}
ORIGINS = ("https://app.example.com", "https://*.example.org:8443")


@pytest.fixture
async def framed() -> AsyncIterator[Served]:
    """One whose portal two origins may frame."""
    store = await open_store("memory:")
    async with serving(store, dispatching=False, portal_origins=ORIGINS) as served:
        yield served


async def access(served: Served, app: str, **headers: str) -> tuple[str, str]:
    """The link and the token that a backend gets."""
    async with served.client() as backend:
        await backend.post("/api/v1/app", json={"name": app, "uid": app})
        url = f"/api/v1/auth/app-portal-access/{app}"
        answer = (await backend.post(url, json={}, headers=headers)).json()
    return answer["url"], answer["token"]


def browser(served: Served, **headers: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=served.url, headers=HTML | headers, timeout=60, trust_env=False
    )


async def test_the_link_leads_to_the_door_with_the_token_where_no_server_sees_it(
    quiet: Served,
) -> None:
    url, token = await access(quiet, "shop")
    assert url == f"{quiet.url}/portal/enter#key={token}"
    secure, _ = await access(quiet, "shop", **{"x-forwarded-proto": "https"})
    assert secure.startswith("https://")


async def test_the_cookie_is_partitioned_where_browsers_take_that(quiet: Served) -> None:
    _, token = await access(quiet, "shop")
    for headers, words in (
        ({"x-forwarded-proto": "https", "host": "hooks.example.com"}, "none"),
        ({}, "none"),  # 127.0.0.1, which browsers trust
        ({"host": "hooks.example.com"}, "lax"),
    ):
        async with browser(quiet, **headers) as person:
            answer = await person.post("/portal/enter", data={"token": token})
        assert answer.status_code == 303
        cookie = answer.headers["set-cookie"].lower()
        assert re.search(r"\bpath=/portal;", cookie), cookie
        assert "httponly" in cookie
        assert f"samesite={words}" in cookie
        assert ("partitioned" in cookie, "secure" in cookie) == (words == "none",) * 2, cookie


async def test_only_the_portal_is_framed_and_only_by_whom_the_operator_named(
    framed: Served, quiet: Served
) -> None:
    _, token = await access(framed, "shop")
    async with browser(framed) as person:
        entered = await person.post("/portal/enter", data={"token": token})
        person.cookies.set("homing_portal", token)
        for path in ("/portal/enter", entered.headers["location"], "/portal/app_x"):
            answer = await person.get(path)
            policy = answer.headers["content-security-policy"]
            assert policy.endswith(f"frame-ancestors {' '.join(ORIGINS)}"), path
            assert "x-frame-options" not in answer.headers
        for path in ("/", "/sign-in", "/endpoints", "/nothing"):
            answer = await person.get(path)
            assert "frame-ancestors 'none'" in answer.headers["content-security-policy"], path
            assert answer.headers["x-frame-options"] == "DENY"
    async with browser(quiet) as person:
        answer = await person.get("/portal/enter")
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


async def test_a_form_needs_a_key_of_its_own_session(quiet: Served) -> None:
    keys = {}
    for app in ("shop", "other"):
        _, token = await access(quiet, app)
        async with browser(quiet) as person:
            entered = await person.post("/portal/enter", data={"token": token})
            home = entered.headers["location"]
            person.cookies.set("homing_portal", token)
            text = (await person.get(home)).text
            keys[app] = text.partition('name="form_key" value="')[2].partition('"')[0]
            form = {"url": "https://example.com/hook"}
            for wrong in ({}, {"form_key": "0" * 32}, {"form_key": keys["shop"]}):
                answer = await person.post(f"{home}/endpoints", data=form | wrong)
                is_good = wrong.get("form_key") == keys[app]
                assert answer.status_code == (303 if is_good else 403)
            elsewhere = {"sec-fetch-site": "cross-site"}
            answer = await person.post(
                f"{home}/endpoints", data=form | {"form_key": keys[app]}, headers=elsewhere
            )
            assert answer.status_code == 403
    assert keys["shop"] != keys["other"]


async def test_a_link_that_is_over_is_not_held_against_whoever_opens_it(quiet: Served) -> None:
    _, token = await access(quiet, "shop")
    async with quiet.client() as backend:
        await backend.post("/api/v1/auth/app/shop/expire-all", json={})
    async with browser(quiet) as person:
        for _ in range(8):
            answer = await person.post("/portal/enter", data={"token": token})
            assert answer.status_code == 403
            assert "the token was ended" in answer.text
        _, fresh = await access(quiet, "shop")
        assert (await person.post("/portal/enter", data={"token": fresh})).status_code == 303


def stand_still(clock: ShiftedClock) -> None:
    """From now on it goes by its shifts alone: two seconds are soon over on a busy machine."""
    at_us = clock.now_us()
    clock.now_us = lambda: at_us + clock.shift_us  # type: ignore[method-assign]


async def test_wrong_tokens_have_to_wait(clock: ShiftedClock, quiet: Served) -> None:
    stand_still(clock)
    async with browser(quiet) as person:
        for _ in range(5):
            answer = await person.post("/portal/enter", data={"token": "no"})
            assert answer.status_code == 403
        assert (await person.post("/portal/enter", data={"token": "no"})).status_code == 429
        _, token = await access(quiet, "shop")
        assert (await person.post("/portal/enter", data={"token": token})).status_code == 429
        clock.shift(2.1)
        assert (await person.post("/portal/enter", data={"token": token})).status_code == 303


async def test_an_operator_opens_the_portal_of_an_application(quiet: Served) -> None:
    await access(quiet, "shop")
    async with browser(quiet) as person:
        await person.post("/sign-in", data={"token": quiet.token})
        text = (await person.get("/applications")).text
        key = text.partition('name="form_key" value="')[2].partition('"')[0]
        answer = await person.post("/applications/shop/portal", data={"form_key": key})
    assert answer.headers["location"].startswith("/portal/enter#key=")


async def test_parts_of_an_endpoints_page_are_asked_for_at_their_own_cost(quiet: Served) -> None:
    _, token = await access(quiet, "shop")
    async with quiet.client() as backend:
        body = {"url": "https://example.com/hook"}
        made = (await backend.post("/api/v1/app/shop/endpoint", json=body)).json()
    async with browser(quiet) as person:
        entered = await person.post("/portal/enter", data={"token": token})
        person.cookies.set("homing_portal", token)
        one = f"{entered.headers['location']}/endpoints/{made['id']}"
        whole = (await person.get(one)).text
        for part in ("health", "waiting"):
            answer = await person.get(one, params={"part": part})
            assert f'id="{part}"' in answer.text
            assert "<html" not in answer.text
            assert len(answer.text) < len(whole)
        for query in ({"part": "test-result"}, {"test": "msg_x"}, {"part": "other"}):
            assert (await person.get(one, params=query)).status_code == 200
