"""Clients that hold connections, and send or take a byte at a time, stop nobody else."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.processes import serving, shop

from homing.cli.server import bind, make_server
from homing.web.connection_limits import ConnectionLimits

QUICK = ConnectionLimits(request_s=1.0, answer_s=1.0, connections_max=40)


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the length of the body; `/large` with 20 MB, `/unread` before it reads."""
    length = 0
    message = {"more_body": scope["path"] != "/unread"}
    while message.get("more_body"):
        message = await receive()
        length += len(message.get("body", b""))
    body = b"x" * 20_000_000 if scope["path"] == "/large" else str(length).encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def answering(limits: ConnectionLimits = QUICK) -> AsyncIterator[int]:
    """`make_server` over `echo`; the port."""
    listener = bind("127.0.0.1:0")
    server = make_server(echo, limits=limits)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    port = listener.getsockname()[1]
    try:
        yield port
    finally:
        server.should_exit = True
        await task


async def exchange(port: int, data: bytes, *, within_s: float = 60.0) -> bytes:
    """All that is answered until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        return await asyncio.wait_for(reader.read(), within_s)
    finally:
        writer.transport.abort()


def told(answer: bytes) -> tuple[bytes, str]:
    """The status line and the code of an error."""
    head, _, body = answer.partition(b"\r\n\r\n")
    return head.split(b"\r\n")[0][:12], json.loads(body)["code"]


@pytest.mark.parametrize(
    "begun",
    [
        b"GET / HT",
        b"GET / HTTP/1.1\r\nhost: x\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nabc",
    ],
)
async def test_a_request_that_does_not_end_is_given_up(begun: bytes) -> None:
    async with answering() as port:
        began = time.monotonic()
        with contextlib.suppress(ConnectionError):
            answer = await exchange(port, begun)
            assert answer == b"" or told(answer) == (b"HTTP/1.1 408", "too_slow")
        assert 0.9 < time.monotonic() - began < 30


def test_a_client_lets_go_of_an_idle_connection_before_the_server_does() -> None:
    """Or a request would cross the close, and nobody would know whether it was heard."""
    kept_by_the_client_s = httpx.Limits().keepalive_expiry
    assert kept_by_the_client_s is not None
    assert make_server(echo).config.timeout_keep_alive > 2 * kept_by_the_client_s


async def test_a_connection_that_asks_nothing_is_given_up() -> None:
    async with answering() as port:
        with contextlib.suppress(ConnectionError):
            assert await exchange(port, b"") == b""


async def test_a_byte_now_and_then_does_not_hold_the_connection() -> None:
    async with answering() as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 900\r\n\r\n")
        began = time.monotonic()
        with contextlib.suppress(ConnectionError):
            while time.monotonic() - began < 60:
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.1)
        assert time.monotonic() - began < 30
        writer.transport.abort()


async def test_a_slow_but_steady_upload_is_taken() -> None:
    async with answering(ConnectionLimits(request_s=2.0, bytes_per_s=10_000)) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n")
        for _ in range(20):
            writer.write(b"x" * 5_000)
            await writer.drain()
            await asyncio.sleep(0.15)
        assert b"100000" in await asyncio.wait_for(reader.read(4_096), 60)
        writer.transport.abort()


async def test_an_answer_that_nobody_takes_is_not_kept() -> None:
    async with answering() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n")
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.sleep(4)
        writer.transport.resume_reading()  # type: ignore[attr-defined]
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await asyncio.wait_for(reader.readexactly(20_000_000), 60)
        writer.transport.abort()


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (b"nonsense\r\n\r\n", b"HTTP/1.1 400", "malformed_request"),
        (b"\x16\x03\x01\x02\x00" + bytes(200), b"HTTP/1.1 400", "malformed_request"),
        (b"GET / HTTP/1.1\r\nhost: a\0b\r\n\r\n", b"HTTP/1.1 400", "malformed_request"),
        (b"GET /\xff HTTP/1.1\r\nhost: x\r\n\r\n", b"HTTP/1.1 400", "malformed_request"),
        (
            b"POST / HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            b"HTTP/1.1 400",
            "malformed_request",
        ),
        (b"GET / HTTP/1.1\r\nx: " + b"y" * 300_000, b"HTTP/1.1 431", "headers_too_large"),
        (b"GET /" + b"y" * 300_000, b"HTTP/1.1 431", "headers_too_large"),
        (b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 60_000, b"HTTP/1.1 431", "headers_too_large"),
    ],
)
async def test_what_is_not_http_or_too_much_is_told_in_json(
    data: bytes, status: bytes, code: str
) -> None:
    async with answering() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        with contextlib.suppress(ConnectionError):
            for start in range(0, len(data), 8_192):
                writer.write(data[start : start + 8_192])
                await writer.drain()
                await asyncio.sleep(0)
        answer = b""
        with contextlib.suppress(ConnectionError):
            while more := await asyncio.wait_for(reader.read(4_096), 60):
                answer += more
        writer.transport.abort()
        # A client that goes on sending may lose the answer to a reset; never the end.
        assert (answer == b"" and len(data) > 65_536) or told(answer) == (status, code)


@pytest.mark.parametrize("piece", [b"x: y\r\n", b"y" * 6])
async def test_trailers_without_end_are_neither_kept_nor_read_for_long(piece: bytes) -> None:
    async with answering(ConnectionLimits(request_s=60)) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        head = b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\n"
        writer.write(head + (b"" if piece.endswith(b"\n") else b"x: "))
        written = 0
        with contextlib.suppress(ConnectionError):
            while written < 100_000_000:
                writer.write(piece * 10_000)
                await writer.drain()
                written += len(piece) * 10_000
        assert written < 20_000_000
        writer.transport.abort()


async def test_a_body_larger_than_any_head_is_no_head() -> None:
    """In one piece, in many, and with the next request behind it."""
    one = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 200000\r\n\r\n" + b"x" * 200_000
    last = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    async with answering() as port:
        answers = await exchange(port, one * 5 + last)
        assert answers.count(b"200000") == 5
        assert answers.count(b"HTTP/1.1 200") == 6


async def test_when_there_are_too_many_the_one_that_waited_longest_goes() -> None:
    async with answering(ConnectionLimits(connections_max=40)) as port:
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(120)]
        for _, writer in held:
            writer.write(b"GET / HT")
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            for _ in range(20):
                assert (await client.get("/")).status_code == 200
        async with asyncio.timeout(60):
            while True:
                gone = [reader.at_eof() or reader.exception() is not None for reader, _ in held]
                if all(gone[:60]):
                    break
                await asyncio.sleep(0.05)
        assert not any(gone[-30:])
        for _, writer in held:
            writer.transport.abort()


async def test_many_slow_clients_stop_no_publisher(tmp_path: Path) -> None:
    """On a real process: 900 connections that hang or trickle, and a publisher beside them."""
    async with serving(tmp_path) as homing, shop(homing, tmp_path) as publisher:
        host, port = homing.url.removeprefix("http://").split(":")
        held = [await asyncio.open_connection(host, int(port)) for _ in range(900)]
        stop = asyncio.Event()

        async def trickle(writer: asyncio.StreamWriter, data: bytes) -> None:
            with contextlib.suppress(ConnectionError):
                for number in range(len(data)):
                    writer.write(data[number : number + 1])
                    await asyncio.sleep(1)
                    if stop.is_set():
                        return

        whole = b"POST /api/v1/app/shop/msg HTTP/1.1\r\nhost: x\r\ncontent-length: 99\r\n\r\n"
        trickles = [asyncio.create_task(trickle(writer, whole)) for _, writer in held[:600]]
        slowest_s = 0.0
        for number in range(50):
            began = time.monotonic()
            await publisher.send(number)
            slowest_s = max(slowest_s, time.monotonic() - began)
        assert slowest_s < 15
        stop.set()
        await asyncio.gather(*trickles)
        for _, writer in held:
            writer.transport.abort()
