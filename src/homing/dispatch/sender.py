"""Makes HTTP requests: one per attempt, never another behind anybody's back."""

from __future__ import annotations

import asyncio
import ssl
from functools import lru_cache
from time import monotonic
from typing import NamedTuple

import msgspec

from homing.core.outcome import Opening, Outcome, Reason
from homing.core.ports import Request
from homing.core.urls import Url, parse_url
from homing.dispatch.connection import (
    HEADERS_KEPT_MAX,
    Bounds,
    Connection,
    Deadlines,
    Ending,
)
from homing.dispatch.dialling import Dialler
from homing.dispatch.egress import Egress
from homing.dispatch.pool import Idle, Pool
from homing.dispatch.resolver import Resolver


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
        self._deadlines = deadlines or Deadlines()
        self._bounds = bounds or Bounds()
        self._dialler = Dialler(
            egress, resolver or Resolver(), tls or ssl.create_default_context(), self._deadlines
        )
        tick_s = min(0.1, *(s / 4 for s in msgspec.structs.astuple(self._deadlines)))
        self._pool = Pool(idle or Idle(), tick_s)

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
        connection = self._pool.take(key)
        opening = None
        if connection is None:
            marks: list[float] = []
            opened = await self._open(destination.url, request.app_id, key, total_at, marks)
            opening = _opening(marks, began)
            if isinstance(opened, Ending):
                return _without_response(opened, began, opening)
            connection = opened
        content = _content(destination, request)
        try:
            ending = await connection.exchange(content, total_at)
        except asyncio.CancelledError:
            connection.abort()
            raise
        outcome = _outcome(connection, ending, began, len(content), opening)
        self._pool.keep(connection)
        return outcome

    @property
    def open_connections(self) -> int:
        """In use or idle."""
        return self._pool.open_count

    @property
    def idle_connections(self) -> int:
        """Kept for the next request."""
        return self._pool.idle_count

    async def close(self) -> None:
        """Close every connection; requests under way end as reset."""
        await self._dialler.close()
        await self._pool.close()

    async def _open(
        self, url: Url, app_id: str, key: tuple[str, str], total_at: float, marks: list[float]
    ) -> Connection | Ending:
        opened = await self._dialler.open(
            url,
            app_id,
            total_at,
            lambda descriptor: Connection(
                self._deadlines, self._bounds, key, self._pool.forget, descriptor
            ),
            marks,
        )
        if isinstance(opened, Connection):
            self._pool.add(opened)
        return opened


@lru_cache(maxsize=10_000)
def _destination(text: str) -> _Destination:
    url = parse_url(text)
    return _Destination(
        url=url,
        origin=f"{url.scheme}://{url.host}:{url.port}",
        head=f"{url.target} HTTP/1.1\r\nhost: {url.authority}\r\n",
    )


def _content(destination: _Destination, request: Request) -> bytes:
    lines = "".join([f"{name}: {value}\r\n" for name, value in request.headers])
    head = f"{request.method} {destination.head}{lines}content-length: {len(request.body)}\r\n\r\n"
    return head.encode() + request.body


def _opening(marks: list[float], began: float) -> Opening | None:
    return Opening(*[_since_us(began, at) for at in marks]) if marks else None


def _without_response(ending: Ending, began: float, opening: Opening | None) -> Outcome:
    assert ending.reason is not None
    return Outcome(
        reason=ending.reason,
        detail=ending.detail,
        total_us=_since_us(began, monotonic()),
        opening=opening,
    )


def _outcome(
    connection: Connection,
    ending: Ending,
    began: float,
    request_bytes: int,
    opening: Opening | None,
) -> Outcome:
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
        opening=opening,
    )


def _since_us(began: float, at: float) -> int:
    return int((at - began) * 1_000_000)
