"""A programmable HTTP receiver on 127.0.0.1: a real socket that behaves well or badly on demand.

    async with Receiver() as receiver:
        receiver.script("/hook", respond(503), respond(200))   # the last one repeats
        ... send to receiver.url("/hook") ...
        await receiver.wait_for(2)
        assert receiver.requests[0].body == b"{}"

Every request that arrived whole is recorded, whatever is answered. A behaviour is an async function
of one `Exchange`; those below cover the usual misdeeds, and a test may write its own. It ends the
connection by returning `False`, or leaves it open for the next request by returning `True`.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

Headers = Iterable[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One request, as it came over the wire."""

    connection: int  #: the connection's number, from 1
    method: str
    target: str  #: path and query, as sent
    raw_head: bytes  #: request line and headers, up to and with the empty line
    body: bytes

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def raw_headers(self) -> list[tuple[bytes, bytes]]:
        """In order, case kept."""
        pairs = (line.partition(b":") for line in self.raw_head.split(b"\r\n")[1:] if line)
        return [(name, value.strip()) for name, _, value in pairs]

    @property
    def headers(self) -> dict[str, str]:
        """By lower-case name; the last of several."""
        return {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in self.raw_headers
        }


@dataclass(slots=True)
class Exchange:
    """One request and the means to answer it."""

    request: Received
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    released: asyncio.Event  #: set when the receiver closes: ends every hang

    async def write(self, chunk: bytes) -> None:
        self.writer.write(chunk)
        await self.writer.drain()

    async def pause(self, seconds: float) -> None:
        """Wait, at most until the receiver closes."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.released.wait(), seconds)

    async def wait_until_gone(self) -> None:
        """Wait until the sender hangs up or the receiver closes."""
        await _wait_until_gone(self.reader, self.released)


Behaviour = Callable[[Exchange], Awaitable[bool]]


def response_bytes(status: int = 200, body: bytes = b"", headers: Headers = ()) -> bytes:
    """A well-formed HTTP/1.1 response with a content length."""
    lines = [f"HTTP/1.1 {status} X", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def respond(
    status: int = 200,
    body: bytes = b"",
    headers: Headers = (),
    *,
    delay_s: float = 0.0,
    close: bool = False,
) -> Behaviour:
    """A good answer, after `delay_s`; `close`: says and does `connection: close`."""
    extra = [*headers, *([("connection", "close")] if close else [])]
    chunk = response_bytes(status, body, extra)

    async def behave(exchange: Exchange) -> bool:
        if delay_s:
            await exchange.pause(delay_s)
        await exchange.write(chunk)
        return not close

    return behave


def gzipped(body: bytes) -> Behaviour:
    """A compressed answer that nobody asked for."""
    return respond(200, gzip.compress(body), [("content-encoding", "gzip")])


def raw(chunk: bytes, *, then: Behaviour | None = None) -> Behaviour:
    """Exactly these bytes, then `then` (default: the connection is closed)."""

    async def behave(exchange: Exchange) -> bool:
        await exchange.write(chunk)
        return await then(exchange) if then is not None else False

    return behave


def hang(before: bytes = b"") -> Behaviour:
    """These bytes, and never another."""

    async def behave(exchange: Exchange) -> bool:
        if before:
            await exchange.write(before)
        await exchange.wait_until_gone()
        return False

    return behave


def dribble(chunk: bytes, *, every_s: float, size: int = 1) -> Behaviour:
    """`chunk` in pieces of `size` bytes, `every_s` apart; then the connection is left open."""

    async def behave(exchange: Exchange) -> bool:
        for start in range(0, len(chunk), size):
            await exchange.write(chunk[start : start + size])
            await exchange.pause(every_s)
            if exchange.released.is_set():
                return False
        return True

    return behave


def reset(before: bytes = b"") -> Behaviour:
    """These bytes, then a TCP reset."""

    async def behave(exchange: Exchange) -> bool:
        if before:
            await exchange.write(before)
        sock = exchange.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        exchange.writer.transport.abort()
        return False

    return behave


def endless_body(piece: bytes = b"x" * 4096) -> Behaviour:
    """A chunked body that goes on until the sender has had enough."""
    chunk = b"%x\r\n%s\r\n" % (len(piece), piece)

    async def behave(exchange: Exchange) -> bool:
        await exchange.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        while not exchange.released.is_set():
            await exchange.write(chunk)
        return False

    return behave


def huge_headers(count: int = 1_000, value: bytes = b"x" * 100) -> Behaviour:
    """A response with `count` headers."""
    lines = b"".join(b"x-%d: %s\r\n" % (number, value) for number in range(count))
    return raw(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n" + lines + b"\r\n")


def interim(count: int, then: Behaviour, status: int = 103) -> Behaviour:
    """`count` responses of class 1xx before the real one."""
    return raw(b"HTTP/1.1 %d Interim\r\n\r\n" % status * count, then=then)


@dataclass
class Receiver:
    """Listens as soon as it is entered; closes every connection when it is left.

    Args:
        tls: serve HTTPS with this context.
        is_silent: accept connections and never say anything (not even a TLS handshake).
        otherwise: what unscripted paths do.
    """

    tls: ssl.SSLContext | None = None
    is_silent: bool = False
    otherwise: Behaviour = field(default_factory=respond)
    host: str = "127.0.0.1"
    port: int = 0  #: 0: a free one, known once it listens
    requests: list[Received] = field(default_factory=list)
    connections: int = 0  #: accepted so far
    open_connections: int = 0

    def __post_init__(self) -> None:
        self._scripts: dict[str, list[Behaviour]] = {}
        self._released = asyncio.Event()
        self._changed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Receiver:
        self._server = await asyncio.start_server(
            self._accept, self.host, self.port, ssl=self.tls, backlog=1024
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def url(self, target: str = "/", *, host: str | None = None) -> str:
        scheme = "https" if self.tls is not None else "http"
        return f"{scheme}://{host or self.host}:{self.port}{target}"

    def script(self, path: str, *behaviours: Behaviour) -> None:
        """What requests to `path` get, in order of arrival; the last one repeats."""
        assert behaviours
        self._scripts[path] = list(behaviours)

    async def wait_for(self, count: int, *, within_s: float = 60.0) -> None:
        """Until `count` requests in all have arrived. Raises: TimeoutError."""
        await self._wait_until(lambda: len(self.requests) >= count, within_s)

    async def wait_until_closed(self, *, within_s: float = 60.0) -> None:
        """Until no connection is open. Raises: TimeoutError."""
        await self._wait_until(lambda: self.open_connections == 0, within_s)

    async def close(self) -> None:
        """Stop listening, end every hang and every connection."""
        self._released.set()
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _wait_until(self, claim: Callable[[], bool], within_s: float) -> None:
        async with asyncio.timeout(within_s):
            while not claim():
                self._changed.clear()
                await self._changed.wait()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.connections += 1
        self.open_connections += 1
        self._changed.set()
        try:
            await self._serve(reader, writer, self.connections)
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass  # the sender went away, which is its right
        except asyncio.CancelledError:
            if not self._released.is_set():
                raise
        finally:
            writer.transport.abort()
            self.open_connections -= 1
            self._changed.set()

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: int
    ) -> None:
        if self.is_silent:
            await _wait_until_gone(reader, self._released)
        keep = not self.is_silent
        while keep:
            request = await _read_request(reader, connection)
            behave = self._behaviour(request.path)
            self.requests.append(request)
            self._changed.set()
            keep = await behave(Exchange(request, reader, writer, self._released))

    def _behaviour(self, path: str) -> Behaviour:
        script = self._scripts.get(path)
        if script is None:
            return self.otherwise
        return script.pop(0) if len(script) > 1 else script[0]


async def _wait_until_gone(reader: asyncio.StreamReader, released: asyncio.Event) -> None:
    waits = [asyncio.ensure_future(reader.read()), asyncio.ensure_future(released.wait())]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)


async def _read_request(reader: asyncio.StreamReader, connection: int) -> Received:
    head = await reader.readuntil(b"\r\n\r\n")
    method, target, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)
    request = Received(connection=connection, method=method, target=target, raw_head=head, body=b"")
    length = int(request.headers.get("content-length", "0"))
    body = await reader.readexactly(length)
    return Received(connection=connection, method=method, target=target, raw_head=head, body=body)
