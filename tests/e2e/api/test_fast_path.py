"""The short way of the hot request: the same answers as the general way, byte by byte."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from support.serving import Served

from homing.core.errors import Unavailable
from homing.core.queries import MessageFilter, Page

BODY = b'{"eventType": "payment.captured", "payload": {"amount": 4200}}'
#: a header that only the general way knows, and ignores
GENERAL = {"origin": "https://shop.example"}
#: what the general way adds for a browser, and what differs from request to request
APART = ("access-control-allow-origin", "access-control-expose-headers", "vary", "date")


@asynccontextmanager
async def connected(
    served: Served,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    host, _, port = served.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield reader, writer
    finally:
        writer.close()


def asking(served: Served, body: bytes = BODY, *lines: str, path: str = "shop") -> bytes:
    head = [
        f"POST /api/v1/app/{path}/msg HTTP/1.1",
        "Host: homing",
        f"Authorization: Bearer {served.token}",
        f"Content-Length: {len(body)}",
        *lines,
    ]
    return "\r\n".join([*head, "", ""]).encode() + body


async def answered(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    """(status, headers, body) of the next response."""
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)
    first, *lines = head.decode().rstrip().split("\r\n")
    headers = {n.lower(): v for n, _, v in (line.partition(": ") for line in lines)}
    body = await asyncio.wait_for(reader.readexactly(int(headers["content-length"])), 60)
    return int(first.split()[1]), headers, body


async def stored(served: Served, app_id: str) -> int:
    found = await served.runtime.store.messages(MessageFilter(app_id=app_id), Page(limit=1_000))
    return len(found)


@pytest.fixture
async def app_id(client: httpx.AsyncClient, app: str) -> str:
    return str((await client.get(app)).json()["id"])


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({}, 202),
        ({"content": b"{"}, 422),
        ({"content": b'{"eventType": "a b", "payload": {}}'}, 422),
        ({"content": b'{"eventType": "a"}'}, 422),
        ({"content": b"\xff"}, 422),
        ({"content": b""}, 422),
        ({"headers": {"authorization": "Bearer nonsense"}}, 401),
        ({"headers": {"authorization": ""}}, 401),
        ({"params": {"with_content": "false"}}, 202),
        ({"params": {"with_content": "maybe"}}, 422),
        ({"path": "nobody"}, 404),
        ({"path": "a b"}, 404),
        ({"path": "caf%C3%A9"}, 404),
        ({"headers": {"svix-req-id": "mine"}}, 202),
        ({"content": b'{"eventType":"a","payload":{"x":"' + b"y" * 70_000 + b'"}}'}, 202),
        ({"content": b'{"eventType":"a","payload":{"x":"' + b"y" * 1_100_000 + b'"}}'}, 413),
    ],
)
async def test_both_ways_answer_alike(
    client: httpx.AsyncClient, app: str, sent: dict[str, object], status: int
) -> None:
    path = f"/api/v1/app/{sent.pop('path', 'shop')}/msg"
    headers = {"svix-req-id": "same", **sent.pop("headers", {})}  # type: ignore[dict-item]
    short, general = [
        await client.post(
            path,
            **{"content": BODY, **sent},  # type: ignore[arg-type]
            headers={"content-type": "application/json", **headers, **more},
        )
        for more in ({}, GENERAL)
    ]
    assert short.status_code == general.status_code == status
    told = [
        {n: v for n, v in r.headers.items() if n not in APART and n != "content-length"}
        for r in (short, general)
    ]
    assert told[0] == told[1]
    bodies = [r.json() for r in (short, general)]
    if status == 202:
        for body in bodies:
            del body["id"], body["timestamp"]
    assert bodies[0] == bodies[1]


async def test_requests_that_are_sent_at_once_are_answered_in_order(
    quiet: Served, app_id: str
) -> None:
    ways = [
        [],
        ["Origin: https://shop.example"],
        [],
        ["Idempotency-Key: k"],
        ["Idempotency-Key: k"],
    ]
    requests = [asking(quiet, BODY, f"svix-req-id: r{n}", *ways[n % 5]) for n in range(20)]
    async with connected(quiet) as (reader, writer):
        writer.write(b"".join(requests))
        answers = [await answered(reader) for _ in requests]
    assert [headers["svix-req-id"] for _, headers, _ in answers] == [f"r{n}" for n in range(20)]
    assert {status for status, _, _ in answers} == {202}
    ids = [json.loads(body)["id"] for _, _, body in answers]
    repeats = {ids[n] for n in range(20) if n % 5 in (3, 4)}
    assert len(repeats) == 1, "one key, one message"
    assert await stored(quiet, app_id) == len(set(ids)) == 13


async def test_a_request_may_come_a_byte_at_a_time(quiet: Served, app_id: str) -> None:
    async with connected(quiet) as (reader, writer):
        for byte in asking(quiet):
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0)
        assert (await answered(reader))[0] == 202
    assert await stored(quiet, app_id) == 1


async def test_a_publisher_that_asks_to_close_is_answered_and_closed(
    quiet: Served, app_id: str
) -> None:
    async with connected(quiet) as (reader, writer):
        writer.write(asking(quiet, BODY, "Connection: close"))
        status, headers, _ = await answered(reader)
        assert (status, headers["connection"]) == (202, "close")
        assert await asyncio.wait_for(reader.read(), 60) == b""


async def test_a_publisher_that_leaves_harms_nobody(
    quiet: Served, app_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with connected(quiet) as (_, writer):
        writer.write(asking(quiet))
        await writer.drain()
    async with connected(quiet) as (reader, writer):
        writer.write(asking(quiet)[:-5])  # and this one leaves in the middle
        await writer.drain()
    async with connected(quiet) as (reader, writer):
        writer.write(asking(quiet))
        assert (await answered(reader))[0] == 202
    assert await stored(quiet, app_id) in (1, 2)
    assert not [r for r in caplog.records if r.levelno >= logging.ERROR]


async def test_a_closed_door_says_so_on_the_short_way_too(quiet: Served, app_id: str) -> None:
    quiet.runtime.intake.closed_because = "full"
    async with connected(quiet) as (reader, writer):
        writer.write(asking(quiet))
        status, headers, body = await answered(reader)
    assert (status, headers["retry-after"]) == (503, "5")
    assert json.loads(body)["code"] == "unavailable"


async def test_a_commit_that_fails_is_a_503_and_the_connection_lives_on(
    quiet: Served, app_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = quiet.runtime.store
    real = store.accept

    async def away(batch: object) -> None:
        raise Unavailable("the database is away")

    monkeypatch.setattr(store, "accept", away)
    async with connected(quiet) as (reader, writer):
        writer.write(asking(quiet))
        assert (await answered(reader))[0] == 503
        monkeypatch.setattr(store, "accept", real)
        writer.write(asking(quiet))
        assert (await answered(reader))[0] == 202
    assert await stored(quiet, app_id) == 1


async def test_a_server_that_stops_answers_what_it_was_asked(
    quiet: Served, app_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = quiet.runtime.store
    real, begun, go = store.accept, asyncio.Event(), asyncio.Event()

    async def slow(batch: object) -> object:
        begun.set()
        await go.wait()
        return await real(batch)  # type: ignore[arg-type]

    monkeypatch.setattr(store, "accept", slow)
    async with connected(quiet) as (reader, writer):
        writer.write(asking(quiet))
        await asyncio.wait_for(begun.wait(), 60)
        quiet.stop()
        await asyncio.sleep(0.3)  # the server looks for its end ten times a second
        go.set()
        status, headers, _ = await answered(reader)
        assert (status, headers.get("connection")) == (202, "close")
