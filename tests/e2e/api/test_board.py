"""`/board`: who is on it, what is pushed and pulled, and that a member harms its own row only."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import httpx
import msgspec
import pytest
from support.receiver import Behaviour, Receiver, respond
from support.serving import SECRET, Served, org_token

from homing.core.queries import Page
from homing.core.signature import generate_private_key, public_key
from homing.insight.board import standing as standing_module
from homing.insight.board.standing import (
    Member,
    Promise,
    ServiceStanding,
    enclose,
    token_place,
)
from homing.service.board_asker import ANSWER_BYTES_MAX, BoardAsker
from homing.service.resealing import reseal_members
from homing.service.tokens import sign_org_token
from homing.system import SystemChance, SystemClock

KEY = generate_private_key(b"k" * 32)
STRANGER = generate_private_key(b"s" * 32)
MEMBER = "/api/v1/board/member"
STANDING = "/api/v1/board/standing"


def said(name: str = "payments", *, ago_s: float = 0, **fields: Any) -> ServiceStanding:
    at_us = SystemClock().now_us() - round(ago_s * 1_000_000)
    given: dict[str, Any] = {
        "name": name, "owner": "payments team", "at_us": at_us, "unaccounted": 0,
        "audited_at_us": at_us, "dead": 0, "promises": (Promise(name="delivered", left="0.4"),),
    }  # fmt: skip
    return ServiceStanding(**(given | fields))


def signed(one: ServiceStanding, key: str = KEY) -> bytes:
    return msgspec.json.encode(enclose(one, [key]))


async def row(client: httpx.AsyncClient, name: str) -> dict[str, Any]:
    answer = await client.get("/api/v1/board")
    assert answer.status_code == 200, answer.text
    return next(one for one in answer.json()["data"] if one["name"] == name)


async def expect(client: httpx.AsyncClient, name: str = "payments", **fields: Any) -> None:
    body = {"how": "push", "publicKey": public_key(KEY)} | fields
    answer = await client.put(f"{MEMBER}/{name}", json=body)
    assert answer.status_code == 200, answer.text


async def push(client: httpx.AsyncClient, body: bytes) -> int:
    answer = await client.post(STANDING, content=body, headers={"authorization": ""})
    return answer.status_code


async def test_the_board_shows_its_own_instance_without_configuration(
    client: httpx.AsyncClient,
) -> None:
    [own] = (await client.get("/api/v1/board")).json()["data"]
    assert (own["name"], own["how"]) == ("homing", "self")
    assert own["light"] == "unknown", "nothing has audited its books yet"
    assert {one["name"] for one in own["objectives"]} >= {"delivered", "freshness"}


async def test_a_pushed_standing_is_shown_and_others_are_refused(
    client: httpx.AsyncClient,
) -> None:
    await expect(client)
    good = signed(said(ago_s=5))
    assert await push(client, good) == 204
    assert await push(client, good) == 204, "the same again is no news and no harm"
    assert (await row(client, "payments"))["light"] == "good"

    assert await push(client, signed(said(unaccounted=7), STRANGER)) == 401
    assert await push(client, signed(said("nobody"))) == 401
    assert await push(client, signed(said(ago_s=60))) == 409
    assert await push(client, signed(said(ago_s=-3_600))) == 422
    assert await push(client, good.replace(b"payments team", b"paymentz team")) == 401
    assert await push(client, b"{}") == 422
    assert await push(client, b"x" * 2_000_000) == 413
    found = await row(client, "payments")
    assert (found["light"], found["unaccounted"], found["owner"]) == ("good", 0, "payments team")


async def test_a_wrong_signature_would_be_seen_by_the_test_before(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The planted bug: a board that does not look at signatures."""
    await expect(client)
    monkeypatch.setattr("homing.service.board.is_signed", lambda envelope, key: True)
    monkeypatch.setattr(standing_module, "is_signed", lambda envelope, key: True)
    assert await push(client, signed(said(unaccounted=7), STRANGER)) == 204
    assert (await row(client, "payments"))["unaccounted"] == 7


async def test_boards_of_organisations_are_apart(quiet: Served, client: httpx.AsyncClient) -> None:
    await expect(client)
    async with quiet.client(org_token("org_other")) as other:
        assert (await other.get(f"{MEMBER}/payments")).status_code == 404
        assert [one["name"] for one in (await other.get("/api/v1/board")).json()["data"]] == [
            "homing"
        ]
        own, others = [(await one.get(STANDING)).json()["key"] for one in (client, other)]
        assert own != others, "one tenant's standing is never taken for another's"


@pytest.mark.parametrize(
    ("name", "body", "field"),
    [
        ("payments", {"how": "push"}, "publicKey"),
        ("payments", {"how": "push", "publicKey": "whpk_no"}, "publicKey"),
        ("payments", {"how": "push", "publicKey": public_key(KEY), "url": "http://a"}, "url"),
        ("payments", {"how": "pull"}, "url"),
        ("payments", {"how": "pull", "url": "file:///etc/passwd"}, "url"),
        ("payments", {"how": "pull", "url": "http://a:b@c"}, "url"),
        ("payments", {"how": "pull", "url": "http://a", "token": "a\nb"}, "token"),
        ("payments", {"how": "pull", "url": "http://a", "owner": "a\u202eb"}, "owner"),
        ("payments", {"how": "prometheus", "url": "http://a"}, "queries"),
        ("payments", {"how": "prometheus", "url": "http://a", "queries": {}}, "queries"),
        ("homing", {"how": "pull", "url": "http://a"}, "member"),
        ("Payments", {"how": "pull", "url": "http://a"}, "member"),
    ],
)
async def test_what_is_wrong_with_a_member_is_told(
    client: httpx.AsyncClient, name: str, body: dict[str, Any], field: str
) -> None:
    answer = await client.put(f"{MEMBER}/{name}", json=body)
    assert answer.status_code == 422, answer.text
    assert [one["loc"][-1] for one in answer.json()["detail"]] == [field]


async def test_a_token_is_sent_and_never_shown(served: Served, receiver: Receiver) -> None:
    receiver.script(STANDING, respond(200, signed(said())))
    async with served.client() as client:
        await _add_and_pull(served, client, receiver)


async def _add_and_pull(served: Served, client: httpx.AsyncClient, receiver: Receiver) -> None:
    body = {"how": "pull", "url": receiver.url(""), "token": "the secret token"}
    answer = await client.put(f"{MEMBER}/payments", json=body)
    assert "the secret token" not in answer.text
    assert await served.runtime.board_asker.look()
    [asked] = receiver.requests
    assert (asked.method, asked.path) == ("GET", STANDING)
    assert asked.headers["authorization"] == "Bearer the secret token"
    found = (await client.get(f"{MEMBER}/payments")).json()
    assert (found["hasToken"], found["publicKey"]) == (True, public_key(KEY))
    assert (await row(client, "payments"))["light"] == "good"
    assert (await client.delete(f"{MEMBER}/payments")).status_code == 204
    assert (await client.delete(f"{MEMBER}/payments")).status_code == 404


HOSTILE: dict[str, Callable[[], Behaviour]] = {
    "another key": lambda: respond(200, signed(said(), STRANGER)),
    "another name": lambda: respond(200, signed(said("quiet"))),
    "older": lambda: respond(200, signed(said(ago_s=3_600))),
    "ahead": lambda: respond(200, signed(said(ago_s=-3_600))),
    "text": lambda: respond(200, signed(said(owner="\x1b[2J<script>"))),
    "huge": lambda: respond(200, b'"' + b"x" * (ANSWER_BYTES_MAX + 1)),
    "deep": lambda: respond(200, b"[" * 500_000),
    "empty": lambda: respond(200, b""),
    "page": lambda: respond(200, b"<html>"),
}


@pytest.mark.parametrize("what", HOSTILE)
async def test_a_hostile_answer_harms_its_own_row_only(
    quiet: Served, client: httpx.AsyncClient, receiver: Receiver, what: str
) -> None:
    receiver.script(f"/quiet{STANDING}", respond(200, signed(said("quiet"))))
    receiver.script(f"/payments{STANDING}", respond(200, signed(said())), HOSTILE[what]())
    for name in ("payments", "quiet"):
        body = {"how": "pull", "url": receiver.url(f"/{name}")}
        assert (await client.put(f"{MEMBER}/{name}", json=body)).status_code == 200
    for _ in range(2):
        assert await quiet.runtime.board_asker.look()
    harmed, other = await row(client, "payments"), await row(client, "quiet")
    assert (harmed["light"], harmed["was"], harmed["unaccounted"]) == ("unknown", "good", 0)
    assert harmed["why"]
    assert (other["light"], other["why"]) == ("good", [])


@pytest.mark.parametrize(
    ("behaviour", "why"),
    [
        (respond(401), "401"),
        (respond(302, headers=[("location", "/elsewhere")]), "302"),
        (respond(500), "500"),
    ],
)
async def test_who_does_not_answer_keeps_its_last_standing(
    quiet: Served,
    client: httpx.AsyncClient,
    receiver: Receiver,
    behaviour: Behaviour,
    why: str,
) -> None:
    receiver.script(STANDING, respond(200, signed(said())), behaviour)
    await client.put(f"{MEMBER}/payments", json={"how": "pull", "url": receiver.url("")})
    for _ in range(2):
        await quiet.runtime.board_asker.look()
    found = await row(client, "payments")
    assert (found["light"], found["stale"]) == ("good", False)
    assert why in found["why"][0]
    assert len(receiver.requests) == 2, "a redirect is not followed"


async def test_what_prometheus_says_of_a_wrong_query_is_told(
    quiet: Served, client: httpx.AsyncClient, receiver: Receiver
) -> None:
    error = b'{"status":"error","errorType":"bad_data","error":"parse error: unexpected end"}'
    receiver.script("/api/v1/query", respond(400, error))
    body = {"how": "prometheus", "url": receiver.url(""), "queries": {"dead": "sum("}}
    assert (await client.put(f"{MEMBER}/legacy", json=body)).status_code == 200
    await quiet.runtime.board_asker.look()
    assert receiver.requests[0].body == b"query=sum%28"
    found = await row(client, "legacy")
    assert found["light"] == "unknown"
    assert "parse error: unexpected end" in " ".join(found["why"])


async def test_a_private_address_is_not_called_unless_it_is_allowed(
    quiet: Served, client: httpx.AsyncClient
) -> None:
    await client.put(f"{MEMBER}/payments", json={"how": "pull", "url": "http://10.255.255.1:1"})
    await quiet.runtime.board_asker.look()
    assert "HOMING_BOARD_ALLOW" in (await row(client, "payments"))["why"][0]


# --- the page ---


def basic(token: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"me:{token}".encode()).decode()}


async def test_the_page_is_for_whoever_has_a_token(
    quiet: Served, client: httpx.AsyncClient
) -> None:
    async with httpx.AsyncClient(base_url=quiet.url) as browser:
        for headers in ({}, basic("wrong"), {"authorization": "Basic %"}):
            answer = await browser.get("/board", headers=headers)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"].startswith("Basic realm=")
        assert (await browser.get(f"/board?token={quiet.token}")).status_code == 401
        at_us = SystemClock().now_us()
        reader = sign_org_token(SECRET, at_us=at_us, read_only=True)
        answer = await browser.get("/board", headers=basic(reader))
        assert answer.status_code == 200
        assert (await browser.post("/board", headers=basic(reader))).status_code == 405
        application = (await client.post("/api/v1/app", json={"name": "Shop"})).json()["id"]
        access = await client.post(f"/api/v1/auth/app-portal-access/{application}", json={})
        answer = await browser.get("/board", headers=basic(access.json()["token"]))
        assert answer.status_code == 401


async def test_the_page_shows_what_members_say_as_text(client: httpx.AsyncClient) -> None:
    await expect(client)
    hostile = '<script>alert("x")</script><img src=x onerror=y>'
    promise = Promise(name=hostile, period=hostile, left="-0.5")
    body = signed(said(owner=hostile, promises=(promise, Promise(name='"><b>'))))
    assert await push(client, body) == 204
    answer = await client.get("/board")
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; script-src")
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"
    for forbidden in ("<script>", "<img", "<b>", " style=", "javascript:"):
        assert forbidden not in answer.text
    assert "&lt;script&gt;" in answer.text
    assert ">broken</span>" in answer.text
    assert "the budget of" in answer.text
    assert "refresh" not in answer.headers
    for given, expected in (("60", "60"), ("1", None), ("60;url=//evil", None), ("²", None)):
        page = await client.get("/board", params={"refresh": given})
        assert page.headers.get("refresh") == expected


def test_a_document_of_the_standing_is_small() -> None:
    promises = tuple(Promise(name="x" * 63, team="t" * 256, left="0.5") for _ in range(200))
    assert len(json.loads(signed(said(promises=promises)))["payload"]) < 262_144 / 2


async def test_after_resealing_a_member_is_asked_with_the_same_token(
    quiet: Served, client: httpx.AsyncClient
) -> None:
    store, seals = quiet.runtime.store, quiet.runtime.service.seals
    body = {"how": "pull", "url": "http://127.0.0.1:1", "token": "the secret token"}
    await client.put(f"{MEMBER}/payments", json=body)
    next_ones = type(seals)("another secret, long enough", [SECRET])
    for expected in (["payments"], []):
        found = await reseal_members(store, SystemClock(), SystemChance(), next_ones)
        assert (found.previous, found.lost) == (expected, [])
    [member] = await store.list(Member, None, Page(limit=10))
    alone = type(seals)("another secret, long enough")
    assert alone.open(member.token, token_place(member.scope, "payments")) == "the secret token"
    unknown = await reseal_members(store, SystemClock(), SystemChance(), type(seals)("x" * 20))
    assert unknown.lost == ["payments"]


async def test_two_processes_do_not_ask_at_once(quiet: Served, client: httpx.AsyncClient) -> None:
    await client.put(f"{MEMBER}/payments", json={"how": "pull", "url": "http://127.0.0.1:1"})
    runtime = quiet.runtime
    other = BoardAsker(
        runtime.store, SystemClock(), runtime.board_sender, runtime.service.seals, "another"
    )
    assert await runtime.board_asker.look()
    assert not await other.look()
    assert await runtime.board_asker.look()
