"""A receiver that means harm: raw sockets on 127.0.0.1, one misdeed for each port.

    async with EvilReceiver(MISDEEDS["gzip bomb"]) as evil:
        ... send to evil.url() ...
        assert evil.whole_requests <= attempts

`support.receiver.Receiver` is HTTP with faults in the answer; this one also misbehaves below and
before HTTP: it does not accept, does not read, closes one half, resets within a handshake.
Nothing here is read or written by a library, so that nothing is corrected on the way.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import re
import socket
import ssl
import struct
import warnings
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from homing.core.outcome import Reason

_READ: Final = 65_536
_BLOCK: Final = 65_536
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *([0-9]+)\r\n", re.IGNORECASE)
_ID: Final = re.compile(rb"\r\nwebhook-id: *([^\r]+)\r\n", re.IGNORECASE)
OK: Final = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
_HEAD: Final = b"HTTP/1.1 200 OK\r\n"
_CHUNKED: Final = _HEAD + b"transfer-encoding: chunked\r\n\r\n"


@dataclass(slots=True)
class Peer:
    """One accepted connection."""

    sock: socket.socket
    receiver: EvilReceiver

    async def read_request(self) -> None:
        """Read one request whole, and count it. Raises: ConnectionError: there is none."""
        data = await self.read_head()
        head, _, body = data.partition(b"\r\n\r\n")
        found = _LENGTH.search(head + b"\r\n")
        left = int(found[1]) - len(body) if found else 0
        while left > 0:
            left -= len(await self._some())
        self.receiver.count(head)

    async def read_head(self) -> bytes:
        """Read until the head has come. Raises: ConnectionError: it does not come."""
        data = b""
        while b"\r\n\r\n" not in data:
            data += await self._some()
        return data

    async def _some(self) -> bytes:
        data = await asyncio.get_running_loop().sock_recv(self.sock, _READ)
        if not data:
            raise ConnectionResetError("the sender hung up")
        return data

    async def write(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.sock, data)

    async def write_for_ever(self, data: bytes) -> None:
        """Until the sender hangs up."""
        while True:
            await self.write(data)
            await asyncio.sleep(0)

    async def trickle(self, data: bytes, every_s: float = 0.05) -> None:
        """One byte at a time, and then for ever the last."""
        for number in range(len(data)):
            await self.write(data[number : number + 1])
            await asyncio.sleep(every_s)
        await self.trickle(data[-1:] * 1_000, every_s)

    async def hang(self) -> None:
        """Say nothing and do nothing until the sender has gone."""
        with contextlib.suppress(ConnectionError):
            while await asyncio.get_running_loop().sock_recv(self.sock, _READ):
                pass

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    async def shake_hands(self, context: ssl.SSLContext) -> None:
        """The receiver's half of a TLS handshake. Raises: ssl.SSLError, ConnectionError."""
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_side=True)
        while True:
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                await self.write(outgoing.read())
                incoming.write(await self._some())
            else:
                await self.write(outgoing.read())
                return


Deed = Callable[[Peer], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Misdeed:
    """What is done to one connection, and what the sender must make of it."""

    do: Deed
    reasons: frozenset[Reason]  #: any of these
    statuses: frozenset[int | None] = frozenset({None})
    scheme: str = "http"
    backlog: int = 128  #: of the listening socket
    accepts: bool = True
    body_bytes: int = 2  #: of the request that provokes it

    @property
    def may_be_kept(self) -> bool:
        """Whether some answer is whole, so that the connection may live on."""
        return bool(self.reasons & {Reason.OK, Reason.STATUS})


@dataclass
class EvilReceiver:
    """Listens as soon as it is entered."""

    misdeed: Misdeed
    connections: int = 0
    open_connections: int = 0
    whole_requests: int = 0  #: read whole; fewer than were sent where it does not read
    ids: Counter[str] = field(default_factory=Counter)  #: webhook-id to whole requests
    port: int = 0

    async def __aenter__(self) -> EvilReceiver:
        self._listening = socket.socket()
        self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        self._listening.bind(("127.0.0.1", 0))
        self._listening.listen(self.misdeed.backlog)
        self._listening.setblocking(False)
        self.port = self._listening.getsockname()[1]
        self._tasks: set[asyncio.Task[None]] = set()
        self._queued: list[socket.socket] = []
        if self.misdeed.accepts:
            self._accepting = asyncio.create_task(self._accept())
            self._tasks.add(self._accepting)
        elif self.misdeed.backlog == 0:
            self._fill_queue()
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for sock in (self._listening, *self._queued):
            sock.close()

    def url(self, path: str = "/") -> str:
        return f"{self.misdeed.scheme}://127.0.0.1:{self.port}{path}"

    def count(self, head: bytes) -> None:
        """A request came whole."""
        self.whole_requests += 1
        found = _ID.search(head + b"\r\n")
        if found:
            self.ids[found[1].decode()] += 1

    async def wait_until_left(self, within_s: float = 60.0) -> None:
        """Until no connection is open. Raises: TimeoutError."""
        async with asyncio.timeout(within_s):
            while self.open_connections:
                await asyncio.sleep(0.01)

    def _fill_queue(self) -> None:
        """So that a SYN is answered by nobody."""
        for _ in range(3):
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect_ex(("127.0.0.1", self.port))
            self._queued.append(sock)

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            sock, _ = await loop.sock_accept(self._listening)
            sock.setblocking(False)
            self.connections += 1
            self.open_connections += 1
            task = asyncio.create_task(self._serve(sock))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _serve(self, sock: socket.socket) -> None:
        try:
            with contextlib.suppress(OSError, ssl.SSLError):
                await self.misdeed.do(Peer(sock, self))
        finally:
            sock.close()
            self.open_connections -= 1


# ── deeds ──


def answer(data: bytes, *, then: Deed | None = None) -> Deed:
    """Read the request, write exactly these bytes, then `then`, or close."""

    async def do(peer: Peer) -> None:
        await peer.read_request()
        await peer.write(data)
        if then is not None:
            await then(peer)

    return do


def answer_for_ever(before: bytes, piece: bytes) -> Deed:
    """Read the request, write `before`, and `piece` until the sender has gone."""
    large = piece * max(1, _BLOCK // len(piece))
    return answer(before, then=lambda peer: peer.write_for_ever(large))


def trickled(data: bytes) -> Deed:
    return answer(b"", then=lambda peer: peer.trickle(data))


async def hang(peer: Peer) -> None:
    await peer.hang()


async def hold_unread(peer: Peer) -> None:
    """Read nothing at all: the window closes. Ends when the sender has gone."""
    while not _is_gone(peer.sock):
        await asyncio.sleep(0.02)


async def read_slowly(peer: Peer) -> None:
    """A byte at a time, although more has come."""
    while not _is_gone(peer.sock):
        await asyncio.get_running_loop().sock_recv(peer.sock, 1)
        await asyncio.sleep(0.02)


async def reset(peer: Peer) -> None:
    peer.reset()


async def reset_within_handshake(peer: Peer) -> None:
    await asyncio.get_running_loop().sock_recv(peer.sock, 64)
    peer.reset()


async def half_close(peer: Peer) -> None:
    """No more from here; the other half stays open."""
    peer.sock.shutdown(socket.SHUT_WR)
    await peer.hang()


async def answer_unread(peer: Peer) -> None:
    """Answer when the head has come; never read the body."""
    await peer.read_head()
    await peer.write(OK)
    await hold_unread(peer)


async def answer_unasked(peer: Peer) -> None:
    await peer.write(OK)
    await hang(peer)


async def answer_twice_late(peer: Peer) -> None:
    """A surplus answer, when the first has been taken."""
    await peer.read_request()
    await peer.write(OK)
    await asyncio.sleep(0.05)
    await peer.write(b"HTTP/1.1 500 Surplus\r\ncontent-length: 0\r\n\r\n")
    await hang(peer)


def hands(make: Callable[[], ssl.SSLContext]) -> Deed:
    """A TLS handshake with this context, then a good answer to nobody."""

    async def do(peer: Peer) -> None:
        await peer.shake_hands(make())
        await peer.hang()

    return do


async def trickle_hello(peer: Peer) -> None:
    """The beginning of a TLS record, a byte at a time."""
    await peer.trickle(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc\x03\x03" + bytes(4_096))


async def plain_on_tls_port(peer: Peer) -> None:
    await asyncio.get_running_loop().sock_recv(peer.sock, 64)
    await peer.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")


def _is_gone(sock: socket.socket) -> bool:
    """Whether the sender reset or closed, without reading what it wrote before."""
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
    return info[0] != 1  # TCP_ESTABLISHED


# ── the list ──


def _as(do: Deed, *reasons: Reason, status: int | None = None, **more: object) -> Misdeed:
    return Misdeed(do, frozenset(reasons), frozenset({status}), **more)  # type: ignore[arg-type]


_GARBAGE, _RESET, _IDLE = Reason.GARBAGE, Reason.RESET, Reason.IDLE_TIMEOUT
_TOTAL, _FIRST, _OK = Reason.TOTAL_TIMEOUT, Reason.FIRST_BYTE_TIMEOUT, Reason.OK
_LARGE: Final = 4 * 2**20  # more than both sides' buffers

MISDEEDS: Final[dict[str, Misdeed]] = {
    # hangs at each stage
    "never accepts": _as(hang, Reason.CONNECT_TIMEOUT, accepts=False, backlog=0),
    "accepts in the kernel only": _as(hang, _FIRST, accepts=False),
    "reads nothing": _as(hold_unread, _FIRST, body_bytes=_LARGE),
    "reads a byte at a time": _as(read_slowly, _FIRST, body_bytes=_LARGE),
    "hangs within TLS": _as(hang, Reason.TLS_TIMEOUT, scheme="https"),
    "hangs before the first byte": _as(answer(b"", then=hang), _FIRST),
    "hangs within the status line": _as(answer(b"HTTP/1.1 2", then=hang), _IDLE),
    "hangs within the headers": _as(answer(_HEAD + b"x: y", then=hang), _IDLE),
    "hangs within the body": _as(
        answer(_HEAD + b"content-length: 9\r\n\r\nabc", then=hang), _IDLE, status=200
    ),
    "hangs within a chunk": _as(answer(_CHUNKED + b"9\r\nabc", then=hang), _IDLE, status=200),
    "hangs before the last chunk": _as(
        answer(_CHUNKED + b"3\r\nabc\r\n", then=hang), _IDLE, status=200
    ),
    "hangs after an interim response": _as(
        answer(b"HTTP/1.1 100 Continue\r\n\r\n", then=hang), _IDLE
    ),
    # a byte at a time
    "trickles TLS": _as(trickle_hello, Reason.TLS_TIMEOUT, scheme="https"),
    "trickles headers": _as(trickled(_HEAD + b"x: " + b"y" * 500), _TOTAL),
    "trickles the body": _as(
        answer(_HEAD + b"content-length: 5000\r\n\r\n", then=lambda peer: peer.trickle(b"x" * 500)),
        _TOTAL,
        status=200,
    ),
    "trickles interim responses": _as(trickled(b"HTTP/1.1 102 P\r\n\r\n" * 50), _TOTAL),
    # garbage
    "speaks garbage": _as(answer(b"what?\r\n\r\n"), _GARBAGE),
    "speaks binary": _as(answer(bytes(range(256)) * 8), _GARBAGE),
    "speaks HTTP/0.9": _as(answer(b"<html>hello</html>"), _GARBAGE),
    "speaks HTTP/2": _as(answer(b"\0\0\x12\4\0\0\0\0\0" + bytes(18), then=hang), _GARBAGE),
    "sends the preface of HTTP/2": _as(answer(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), _GARBAGE),
    "sends a request": _as(answer(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"), _GARBAGE),
    "answers TLS on a plain port": _as(answer(b"\x15\x03\x03\0\2\2\x46"), _GARBAGE),
    "garbage for ever": _as(answer_for_ever(b"", b"\xff"), _GARBAGE),
    "a status line for ever": _as(answer_for_ever(b"HTTP/1.1 200 ", b"x"), _GARBAGE),
    "empty lines for ever": _as(answer_for_ever(b"", b"\r\n"), _GARBAGE),
    # headers without end
    "headers for ever": _as(answer_for_ever(_HEAD, b"x: y\r\n"), _GARBAGE),
    "a header for ever": _as(answer_for_ever(_HEAD + b"x: ", b"y"), _GARBAGE),
    "a header's name for ever": _as(answer_for_ever(_HEAD, b"y"), _GARBAGE),
    "thousands of headers": _as(
        answer(_HEAD + b"".join(b"x-%d: y\r\n" % n for n in range(5_000)) + b"\r\n"), _GARBAGE
    ),
    # interim responses
    "100 for ever": _as(answer_for_ever(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), _GARBAGE),
    "103 with headers for ever": _as(
        answer_for_ever(b"", b"HTTP/1.1 103 Hints\r\nlink: </x>\r\n\r\n"), _GARBAGE
    ),
    "switches protocols": _as(
        answer_for_ever(b"HTTP/1.1 101 S\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n", b"z"),
        Reason.STATUS,
        status=101,
    ),
    # bodies
    "gzip bomb": _as(
        answer(
            _HEAD
            + b"content-encoding: gzip\r\ncontent-length: %d\r\n\r\n"
            % len(bomb := gzip.compress(bytes(8 * 2**20)))
            + bomb
        ),
        _OK,
        status=200,
    ),
    "a body for ever": _as(answer_for_ever(_HEAD + b"\r\n", b"z"), _OK, status=200),
    "a terabyte": _as(
        answer_for_ever(_HEAD + b"content-length: 1099511627776\r\n\r\n", b"z"), _OK, status=200
    ),
    "chunks for ever": _as(answer_for_ever(_CHUNKED, b"1\r\nz\r\n"), _OK, status=200),
    "chunk extensions for ever": _as(
        answer_for_ever(_CHUNKED + b"1;", b"x=y;"), _GARBAGE, status=200
    ),
    "trailers for ever": _as(
        answer_for_ever(_CHUNKED + b"2\r\nok\r\n0\r\n", b"x: y\r\n"), _GARBAGE, status=200
    ),
    "a trailer for ever": _as(
        answer_for_ever(_CHUNKED + b"2\r\nok\r\n0\r\nx: ", b"y"), _GARBAGE, status=200
    ),
    "a chunk of no size": _as(answer(_CHUNKED + b"zz\r\nok\r\n0\r\n\r\n"), _GARBAGE, status=200),
    "a chunk of negative size": _as(
        answer(_CHUNKED + b"-2\r\nok\r\n0\r\n\r\n"), _GARBAGE, status=200
    ),
    "a chunk of 2^64 bytes": _as(
        answer(_CHUNKED + b"10000000000000000\r\nok"), _GARBAGE, status=200
    ),
    "a chunk longer than it says": _as(
        answer(_CHUNKED + b"2\r\nokok\r\n0\r\n\r\n"), _GARBAGE, status=200
    ),
    # lengths
    "a length too short": _as(answer(_HEAD + b"content-length: 2\r\n\r\nokokok"), _OK, status=200),
    "a length too long": _as(answer(_HEAD + b"content-length: 9\r\n\r\nok"), _RESET, status=200),
    "a negative length": _as(answer(_HEAD + b"content-length: -2\r\n\r\nok"), _GARBAGE),
    "a length of 2^64": _as(
        answer(_HEAD + b"content-length: 18446744073709551616\r\n\r\nok"), _GARBAGE
    ),
    "a length that is no number": _as(answer(_HEAD + b"content-length: two\r\n\r\nok"), _GARBAGE),
    "two lengths": _as(
        answer(_HEAD + b"content-length: 2\r\ncontent-length: 3\r\n\r\nok"), _GARBAGE
    ),
    "a length and chunks": _as(
        answer(
            _HEAD + b"content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
        ),
        _GARBAGE,
    ),
    "chunks and a length": _as(
        answer(
            _HEAD + b"transfer-encoding: chunked\r\ncontent-length: 2\r\n\r\n2\r\nok\r\n0\r\n\r\n"
        ),
        _GARBAGE,
    ),
    # statuses
    "status 000": _as(answer(b"HTTP/1.1 000 Zero\r\ncontent-length: 0\r\n\r\n"), _GARBAGE),
    # Above 599 is to be taken for a 5xx (RFC 9110 15).
    "status 999": _as(
        answer(b"HTTP/1.1 999 Most\r\ncontent-length: 0\r\n\r\n"), Reason.STATUS, status=999
    ),
    "a status that is no number": _as(answer(b"HTTP/1.1 abc X\r\n\r\n"), _GARBAGE),
    "a status of four digits": _as(answer(b"HTTP/1.1 2000 X\r\n\r\n"), _GARBAGE),
    "a version that does not exist": _as(answer(b"HTTP/9.9 200 OK\r\n\r\n"), _GARBAGE),
    # bytes that do not belong into headers
    "a NUL in a header": _as(answer(_HEAD + b"x: a\0b\r\ncontent-length: 0\r\n\r\n"), _GARBAGE),
    "a lone CR in a header": _as(
        answer(_HEAD + b"x: a\rset-cookie: b\r\ncontent-length: 0\r\n\r\n"), _GARBAGE
    ),
    "a header without a colon": _as(answer(_HEAD + b"nonsense\r\n\r\n"), _GARBAGE),
    "a space before the colon": _as(answer(_HEAD + b"content-length : 0\r\n\r\n"), _GARBAGE),
    # redirects
    "redirects to itself": _as(
        answer(b"HTTP/1.1 307 Loop\r\nlocation: /\r\ncontent-length: 0\r\n\r\n"),
        Reason.STATUS,
        status=307,
    ),
    "redirects to the inside": _as(
        answer(
            b"HTTP/1.1 302 In\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n"
        ),
        Reason.STATUS,
        status=302,
    ),
    # ends
    "resets when accepted": _as(reset, _RESET),
    "resets within TLS": _as(reset_within_handshake, Reason.TLS_FAILED, scheme="https"),
    "resets instead of answering": _as(answer(b"", then=reset), _RESET),
    "resets within the headers": _as(answer(_HEAD + b"x: ", then=reset), _RESET),
    "resets within the body": _as(
        answer(_HEAD + b"content-length: 9\r\n\r\nab", then=reset), _RESET, status=200
    ),
    "closes one half instead of answering": _as(answer(b"", then=half_close), _RESET),
    "closes one half within the body": _as(
        answer(_HEAD + b"content-length: 9\r\n\r\nab", then=half_close), _RESET, status=200
    ),
    "closes one half after an endless body": _as(
        answer(_HEAD + b"\r\nok", then=half_close), _OK, status=200
    ),
    "closes at once what it promised to keep": _as(answer(OK), _OK, status=200),
    # answers to nothing
    "answers twice": _as(
        answer(OK + b"HTTP/1.1 500 X\r\ncontent-length: 0\r\n\r\n", then=hang), _OK, status=200
    ),
    # It may take its own surplus for the answer to its next request; nobody else's.
    "answers twice, later": Misdeed(
        answer_twice_late, frozenset({_OK, Reason.STATUS}), frozenset({200, 500})
    ),
    "garbage after the answer": _as(answer(OK + b"\0" * 999, then=hang), _OK, status=200),
    "answers before it reads": _as(answer_unread, _OK, status=200, body_bytes=_LARGE),
    # Before or after our request was written: the network decides.
    "answers before it is asked": Misdeed(
        answer_unasked, frozenset({_OK, _RESET, _FIRST}), frozenset({200, None})
    ),
    "speaks plainly on a TLS port": _as(plain_on_tls_port, Reason.TLS_FAILED, scheme="https"),
}


def tls_misdeeds(authority: object) -> dict[str, Misdeed]:
    """Bad certificates and protocols. The sender trusts `authority` (support.authority)."""
    from support.authority import LONG_AGO, Authority

    assert isinstance(authority, Authority)

    def old() -> ssl.SSLContext:
        context = authority.server_context("127.0.0.1")
        context.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():  # that it is old is the point
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        return context

    contexts: dict[str, Callable[[], ssl.SSLContext]] = {
        "an expired certificate": lambda: authority.server_context("127.0.0.1", until=LONG_AGO),
        "a certificate signed by itself": lambda: authority.server_context(
            "127.0.0.1", is_self_signed=True
        ),
        "a certificate of another host": lambda: authority.server_context("other.example"),
        "a protocol of 2006": old,
    }
    return {
        name: _as(hands(make), Reason.TLS_FAILED, scheme="https") for name, make in contexts.items()
    }
