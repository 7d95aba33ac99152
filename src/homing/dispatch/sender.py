"""Makes HTTP requests: one per attempt, never another behind anybody's back.

What a receiver does is a value; `_FAILURES` is the one table from exceptions to reasons.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections import Counter
from collections.abc import Sequence
from enum import Enum
from functools import lru_cache
from time import monotonic
from typing import Final, NamedTuple

import msgspec

from homing.core.outcome import Outcome, Reason
from homing.core.ports import Request
from homing.core.urls import Url, parse_url
from homing.dispatch.connection import (
    HEADERS_KEPT_MAX,
    Bounds,
    Connection,
    Deadlines,
    Ending,
    tls_detail,
)
from homing.dispatch.egress import NOT_ALLOWED, Egress
from homing.dispatch.resolver import Resolver

#: of a name's addresses, how many are tried
_DIALS_MAX: Final = 3


class Idle(msgspec.Struct, frozen=True, kw_only=True):
    """How connections are kept for the next request."""

    #: Shorter than what servers commonly allow (gunicorn 2 s, Node, uvicorn and Apache 5 s): a
    #: request written while the receiver closes is an attempt lost. An endpoint with more than a
    #: request per second keeps its connection anyway, and the others do not miss it.
    kept_s: float = 1.5
    per_pool_max: int = 128
    total_max: int = 2_048


class _Stage(Enum):
    LOOK_UP = "look up"
    CONNECT = "connect"
    TLS = "tls"


#: what an exception means, by the stage it came in; the first that fits
_FAILURES: Final[tuple[tuple[_Stage, type[Exception], Reason, str], ...]] = (
    (_Stage.LOOK_UP, TimeoutError, Reason.DNS_FAILED, "the name was not resolved in time"),
    (_Stage.LOOK_UP, Exception, Reason.DNS_FAILED, "the name cannot be resolved"),
    (_Stage.CONNECT, ConnectionRefusedError, Reason.CONNECT_REFUSED, "connection refused"),
    (_Stage.CONNECT, TimeoutError, Reason.CONNECT_TIMEOUT, "no connection in time"),
    (_Stage.CONNECT, OSError, Reason.CONNECT_FAILED, ""),
    (_Stage.TLS, TimeoutError, Reason.TLS_TIMEOUT, "no TLS handshake in time"),
    (_Stage.TLS, OSError, Reason.TLS_FAILED, ""),
)


class _Destination(NamedTuple):
    """A URL with what is the same in every request to it."""

    url: Url
    origin: str
    head: str


class HttpSender:
    """`core.ports.Sender` over real sockets. Belongs to one event loop.

    Args:
        egress: which addresses may be dialled.
        tls: how certificates are checked; default: the system's authorities, host names checked.
    """

    def __init__(
        self,
        egress: Egress,
        *,
        deadlines: Deadlines | None = None,
        bounds: Bounds | None = None,
        idle: Idle | None = None,
        tls: ssl.SSLContext | None = None,
        resolver: Resolver | None = None,
    ) -> None:
        self._egress = egress
        self._deadlines = deadlines or Deadlines()
        self._bounds = bounds or Bounds()
        self._idle_limits = idle or Idle()
        self._tls = tls or ssl.create_default_context()
        self._resolver = resolver or Resolver()
        self._live: set[Connection] = set()
        self._idle: dict[tuple[str, str], list[Connection]] = {}
        self._idle_count = 0
        self._tick_s = min(0.1, *(s / 4 for s in msgspec.structs.astuple(self._deadlines)))
        self._ticking: asyncio.TimerHandle | None = None
        self._emptied: asyncio.Future[None] | None = None

    async def send(self, request: Request) -> Outcome:
        """One request and what came back. Raises nothing for what the other side did.

        Cancelling it closes its connection; the request may have been sent.
        """
        began = monotonic()
        try:
            destination = _destination(request.url)
        except ValueError as error:
            return Outcome(reason=Reason.URL_INVALID, detail=str(error)[:200])
        total_at = began + self._deadlines.total_s
        key = (request.pool, destination.origin)
        connection = self._take_idle(key)
        if connection is None:
            opened = await self._open(destination.url, key, total_at)
            if isinstance(opened, Ending):
                return _without_response(opened, began)
            connection = opened
        content = _content(destination, request)
        try:
            ending = await connection.exchange(content, total_at)
        except asyncio.CancelledError:
            connection.abort()
            raise
        outcome = _outcome(connection, ending, began, len(content))
        self._keep(connection)
        return outcome

    @property
    def open_connections(self) -> int:
        """In use or idle."""
        return len(self._live)

    @property
    def idle_connections(self) -> int:
        """Kept for the next request."""
        return self._idle_count

    async def close(self) -> None:
        """Close every connection; requests under way end as reset."""
        await self._resolver.close()
        for connection in list(self._live):
            connection.abort()
        if self._live:
            self._emptied = asyncio.get_running_loop().create_future()
            await asyncio.wait([self._emptied], timeout=1.0)
        if self._ticking is not None:
            self._ticking.cancel()
            self._ticking = None

    # ── opening ──

    async def _open(self, url: Url, key: tuple[str, str], total_at: float) -> Connection | Ending:
        """A new connection to an address that was checked, or why there is none."""
        stage = _Stage.LOOK_UP
        sock: socket.socket | None = None
        connect_s = _patience(self._deadlines.connect_s, total_at)
        until = monotonic() + connect_s
        try:
            async with asyncio.timeout(connect_s):
                addresses = await self._resolver.addresses(url.host)
                if not self._egress.permits_all(addresses):
                    return Ending(Reason.ADDRESS_BLOCKED, NOT_ALLOWED)
                stage = _Stage.CONNECT
                sock = await _dial(_in_turn(addresses)[:_DIALS_MAX], url.port, until)
            if url.is_tls:
                stage = _Stage.TLS
            async with asyncio.timeout(_patience(self._deadlines.tls_s, total_at)):
                return await self._attach(sock, url, key)
        except (OSError, UnicodeError) as error:
            if sock is not None:
                sock.close()
            return _failed(stage, error, is_over=monotonic() >= total_at)
        except asyncio.CancelledError:
            if sock is not None:
                sock.close()
            raise

    async def _attach(self, sock: socket.socket, url: Url, key: tuple[str, str]) -> Connection:
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: Connection(self._deadlines, self._bounds, key, self._lost, sock.fileno()),
            sock=sock,
            ssl=self._tls if url.is_tls else None,
            server_hostname=url.host if url.is_tls else None,
        )
        if not connection.is_lost:
            self._live.add(connection)
        if self._ticking is None:
            self._arm()
        return connection

    # ── keeping ──

    def _take_idle(self, key: tuple[str, str]) -> Connection | None:
        """The connection used last that can still be trusted."""
        pool = self._idle.get(key)
        if pool is None:
            return None
        now = monotonic()
        found = None
        while pool and found is None:
            connection = pool.pop()
            self._idle_count -= 1
            if connection.due_at > now and connection.is_sound and connection.is_silent:
                found = connection
            else:
                connection.abort()
        if not pool:
            del self._idle[key]
        return found

    def _keep(self, connection: Connection) -> None:
        """Let the next request use it, unless it is spent or there are enough."""
        if not connection.is_sound:
            connection.abort()
            return
        pool = self._idle.setdefault(connection.key, [])
        if (
            len(pool) >= self._idle_limits.per_pool_max
            or self._idle_count >= self._idle_limits.total_max
        ):
            connection.abort()
            return
        connection.due_at = monotonic() + self._idle_limits.kept_s
        pool.append(connection)
        self._idle_count += 1

    def _lost(self, connection: Connection) -> None:
        self._live.discard(connection)
        pool = self._idle.get(connection.key)
        if pool is not None and connection in pool:
            pool.remove(connection)
            self._idle_count -= 1
            if not pool:
                del self._idle[connection.key]
        if not self._live and self._emptied is not None and not self._emptied.done():
            self._emptied.set_result(None)

    # ── time ──

    def _arm(self) -> None:
        self._ticking = asyncio.get_running_loop().call_later(self._tick_s, self._tick)

    def _tick(self) -> None:
        """Look at every deadline: one timer for all of them is the cheapest there is."""
        now = monotonic()
        for connection in [c for c in self._live if c.due_at <= now]:
            connection.overdue()
        self._ticking = None
        if self._live:
            self._arm()


def _patience(stage_s: float, total_at: float) -> float:
    """How long a stage that begins now may last."""
    return max(0.0, min(stage_s, total_at - monotonic()))


def _in_turn(addresses: Sequence[str]) -> list[str]:
    """The same with IPv4 and IPv6 alternating: one of the two may lead nowhere from here."""
    seen: Counter[bool] = Counter()

    def turn(address: str) -> int:
        is_ipv6 = ":" in address
        seen[is_ipv6] += 1
        return seen[is_ipv6]

    return sorted(addresses, key=turn)


async def _dial(addresses: Sequence[str], port: int, until: float) -> socket.socket:
    """A connected socket to the first address that answers.

    Each gets its share of the time, so that one that swallows packets does not cost the others
    theirs.

    Raises:
        OSError: of the last address.
    """
    loop = asyncio.get_running_loop()
    for left in range(len(addresses), 0, -1):
        address = addresses[len(addresses) - left]
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            async with asyncio.timeout((until - monotonic()) / left):
                await loop.sock_connect(sock, (address, port))
        except OSError:
            sock.close()
            if left == 1:
                raise
        except asyncio.CancelledError:
            sock.close()
            raise
        else:
            return sock
    raise AssertionError("an answer without addresses was let through")


@lru_cache(maxsize=10_000)
def _destination(text: str) -> _Destination:
    url = parse_url(text)
    return _Destination(
        url=url,
        origin=f"{url.scheme}://{url.host}:{url.port}",
        head=f"POST {url.target} HTTP/1.1\r\nhost: {url.authority}\r\n",
    )


def _content(destination: _Destination, request: Request) -> bytes:
    lines = "".join([f"{name}: {value}\r\n" for name, value in request.headers])
    head = f"{destination.head}{lines}content-length: {len(request.body)}\r\n\r\n"
    return head.encode() + request.body


def _failed(stage: _Stage, error: Exception, *, is_over: bool) -> Ending:
    if is_over and isinstance(error, TimeoutError):
        return Ending(Reason.TOTAL_TIMEOUT, "the attempt took too long in all")
    for its_stage, kind, reason, detail in _FAILURES:
        if its_stage is stage and isinstance(error, kind):
            if reason is Reason.TLS_FAILED:
                detail = tls_detail(error)
            return Ending(reason, detail or _system_words(error))
    raise error


def _system_words(error: Exception) -> str:
    """What the system calls it, such as "network is unreachable"; never an address."""
    number = error.errno if isinstance(error, OSError) else None
    return os.strerror(number).lower() if number is not None else "the connection failed"


def _without_response(ending: Ending, began: float) -> Outcome:
    assert ending.reason is not None
    return Outcome(
        reason=ending.reason, detail=ending.detail, total_us=_since_us(began, monotonic())
    )


def _outcome(connection: Connection, ending: Ending, began: float, request_bytes: int) -> Outcome:
    status = connection.status
    first_byte_at = connection.first_byte_at
    reason = ending.reason
    if reason is None:
        assert status is not None
        reason = Reason.OK if 200 <= status < 300 else Reason.STATUS
    return Outcome(
        reason=reason,
        status=status,
        headers=tuple(
            [
                (name.decode("latin-1"), value.decode("latin-1"))
                for name, value in connection.headers[:HEADERS_KEPT_MAX]
            ]
        ),
        body=bytes(connection.body),
        body_truncated=connection.is_truncated,
        detail=ending.detail,
        first_byte_us=None if first_byte_at is None else _since_us(began, first_byte_at),
        total_us=_since_us(began, monotonic()),
        request_bytes=request_bytes,
    )


def _since_us(began: float, at: float) -> int:
    return int((at - began) * 1_000_000)
