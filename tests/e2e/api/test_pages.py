"""What a browser is told by the frame of the pages, without a browser."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, Router
from support.serving import SECRET, Served

from homing.service.tokens import Role, sign_org_token
from homing.system import SystemClock
from homing.web.frame import Frame
from homing.web.pages.shell import PathPages, Visit, get, post

from .conftest import ShiftedClock

HTML = {"accept": "text/html"}


def org_token(role: Role = Role.ADMIN, *, org: str = "org_1", valid_s: int = 600) -> str:
    at_us = SystemClock().now_us()
    return sign_org_token(
        SECRET,
        at_us=at_us,
        org_id=org,
        role=role,
        read_only=role is Role.VIEWER,
        valid_s=valid_s,
    )


def browser(quiet: Served) -> httpx.AsyncClient:
    """A client that keeps cookies and follows nothing."""
    return httpx.AsyncClient(base_url=quiet.url, headers=HTML, timeout=60, trust_env=False)


async def sign_in(person: httpx.AsyncClient, token: str, **fields: str) -> httpx.Response:
    return await person.post("/sign-in", data={"token": token, **fields})


def key_in(text: str) -> str:
    """The key that a page's forms carry."""
    return text.partition('name="form_key" value="')[2].partition('"')[0]


async def test_signing_in_voids_the_session_that_was_there(quiet: Served) -> None:
    async with browser(quiet) as person:
        assert (await sign_in(person, org_token())).status_code == 303
        first = person.cookies["homing_session"]
        page = (await person.get("/")).text
        again = await sign_in(person, org_token(), form_key=key_in(page))
        assert again.status_code == 303
        assert person.cookies["homing_session"] != first
    async with browser(quiet) as other:
        other.cookies.set("homing_session", first)
        old = await other.get("/")
        assert (old.status_code, old.headers["location"]) == (303, "/sign-in")


async def test_a_session_is_over_when_its_token_is(clock: ShiftedClock, quiet: Served) -> None:
    async with browser(quiet) as person:
        assert (await sign_in(person, org_token(valid_s=600))).status_code == 303
        text = person.cookies["homing_session"]
        assert (await person.get("/")).status_code == 200
        clock.shift(601)
        person.cookies.set("homing_session", text)
        assert (await person.get("/")).status_code == 303


@pytest.mark.parametrize("text", ["", "nonsense", "a.b.c", "x" * 9_000])
async def test_a_cookie_that_is_not_ours_is_nobodys(quiet: Served, text: str) -> None:
    async with browser(quiet) as person:
        person.cookies.set("homing_session", text)
        assert (await person.get("/")).headers["location"] == "/sign-in"


async def test_a_token_of_an_application_is_for_the_portal_alone(
    quiet: Served, client: httpx.AsyncClient, app: str
) -> None:
    granted = await client.post("/api/v1/auth/app-portal-access/shop", json={})
    async with browser(quiet) as person:
        answer = await sign_in(person, granted.json()["token"])
        assert answer.status_code == 403
        assert "for the portal" in answer.text
        assert "homing_session" not in person.cookies


@pytest.mark.parametrize(
    ("after", "place"),
    [
        ("/deliveries?status=dead", "/deliveries?status=dead"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example", "/"),
        ("/a\nb", "/"),
        ("", "/"),
    ],
)
async def test_nobody_is_sent_to_another_site(quiet: Served, after: str, place: str) -> None:
    async with browser(quiet) as person:
        answer = await sign_in(person, org_token(), next=after)
        assert answer.headers["location"] == place


async def test_part_of_a_page_that_asks_without_a_session_sends_the_whole_page_to_sign_in(
    quiet: Served,
) -> None:
    async with browser(quiet) as person:
        answer = await person.get("/?part=books", headers={"hx-request": "true"})
        assert answer.status_code == 401
        assert answer.headers["hx-redirect"] == "/sign-in?next=%2F%3Fpart%3Dbooks"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"content": b"x=" + b"y" * 2_000_000}, 413),
        ({"json": {"token": "x"}}, 422),
        ({"content": b"token=%ff\xff"}, 422),
        ({"content": b"&".join(b"a=1" for _ in range(3_000))}, 422),
    ],
)
async def test_a_form_is_read_within_bounds(quiet: Served, sent: Any, status: int) -> None:
    headers = {} if "json" in sent else {"content-type": "application/x-www-form-urlencoded"}
    async with browser(quiet) as person:
        answer = await person.post("/sign-in", headers=headers, **sent)
        assert answer.status_code == status
        assert answer.headers["content-type"].startswith("text/html")


async def test_static_files_are_packed_for_whoever_takes_it(quiet: Served) -> None:
    async with browser(quiet) as person:
        packed = await person.get("/static/homing.css")
        plain = await person.get("/static/homing.css", headers={"accept-encoding": "identity"})
        assert packed.headers["content-encoding"] == "gzip"
        assert packed.text == plain.text
        tag = {"if-none-match": packed.headers["etag"]}
        assert (await person.get("/static/homing.css", headers=tag)).status_code == 304
        for path in ("/static/", "/static/../pages/shell.py", "/static/vendor"):
            assert (await person.get(path)).status_code == 404


async def test_a_head_request_is_answered_as_a_get_without_its_body(quiet: Served) -> None:
    async with browser(quiet) as person:
        answer = await person.head("/sign-in")
        assert (answer.status_code, answer.content) == (200, b"")
        assert (await person.put("/sign-in")).headers["allow"] == "GET, HEAD, POST"


async def done(visit: Visit) -> Response:
    return PlainTextResponse(f"{visit.role} {(await visit.form()).get('what')}")


async def looked(visit: Visit) -> Response:
    return PlainTextResponse(visit.form_key)


@pytest.mark.parametrize("role", list(Role))
async def test_a_page_that_changes_something_needs_its_role_and_its_key(
    quiet: Served, role: Role
) -> None:
    service = quiet.runtime.service
    paths = (
        PathPages(service, [get("/look", looked)], []),
        PathPages(service, [post("/operate", done, role="operator")], []),
        PathPages(service, [post("/configure", done, role="admin")], []),
    )
    names = ("/look", "/operate", "/configure")
    router = Router([Route(name, pages) for name, pages in zip(names, paths, strict=True)])
    frame = Frame(router, clock=service.clock, chance=service.chance)
    async with browser(quiet) as person:
        await sign_in(person, org_token(role))
        cookies = {"homing_session": person.cookies["homing_session"]}
    transport = httpx.ASGITransport(frame)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://homing", cookies=cookies
    ) as person:
        key = (await person.get("/look")).text
        for path, needed in (("/operate", Role.OPERATOR), ("/configure", Role.ADMIN)):
            without = await person.post(path, data={"what": "it"})
            assert without.status_code == 403
            answer = await person.post(path, data={"what": "it", "form_key": key})
            assert answer.status_code == (200 if role.covers(needed) else 403)
            if role.covers(needed):
                assert answer.text == f"{role} it"


async def test_no_view_of_home_waits_for_the_books_to_be_counted(
    quiet: Served, client: httpx.AsyncClient, app: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counting hangs, as on a database that is busy: Home says what it knows, which is little."""
    await client.post(f"{app}/endpoint", json={"url": "https://example.com/hook"})
    await client.post(f"{app}/msg", json={"eventType": "a.b", "payload": {}})
    counted: list[Any] = []

    async def hang(*given: Any, **more: Any) -> Any:
        counted.append(given)
        await asyncio.Event().wait()

    monkeypatch.setattr(quiet.runtime.service.store, "ledger", hang)
    async with browser(quiet) as person:
        await sign_in(person, quiet.token)
        for _ in range(3):
            answer = await asyncio.wait_for(person.get("/"), 60)
            assert answer.status_code == 200
            assert "Counting the last 24 hours" in answer.text
    assert len(counted) == 1  # however many look, one counts
