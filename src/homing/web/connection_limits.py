"""What one connection may take of the server, in time and bytes, and how many there may be.

uvicorn itself (read in its version 0.54) has no such bounds: it waits for ever for a request that
was begun, and keeps any number of headers and connections. So that many connections that say
nothing, or a byte a second, stop nobody else:

- a request must have come within `ConnectionLimits.request_s`, a long one at no less than a slow
  rate;
- its head, and what is around its body, have a size;
- what a client does not take is not kept for it;
- there are only so many connections, and when they are too many, the one goes that has waited
  longest without having asked for anything. A client that means it is never that one.
"""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Any, Final, cast

import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_TICK_S: Final = 1.0
#: of a body whose request has been answered already, what is read to be thrown away, bytes
_UNREAD_MAX: Final = 134_217_728


class ConnectionLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The bounds of one server."""

    request_s: float = 20.0  #: from the connection, or the request's first byte, to its last …
    #: … and a second more for each so many bytes: a body at a slower rate is given up
    bytes_per_s: int = 1_024
    answer_s: float = 30.0  #: within which a client must have taken as much for each second
    head_bytes_max: int = 65_536  #: nginx takes 32 KiB, Node 16 KiB
    #: around the body: sizes and extensions of chunks, trailers
    surplus_bytes_max: int = 1_048_576
    connections_max: int = 4_096


class _Nowhere(list[Any]):
    """Where trailers go."""

    def append(self, item: Any) -> None:
        pass


class OpenConnections:
    """The connections of one server, and the limits that each is held to."""

    def __init__(self, limits: ConnectionLimits) -> None:
        self.limits = limits
        self.connections: set[LimitedProtocol] = set()
        #: those of whom nothing is asked of us, the one that began to wait first in front
        self.waiting: dict[LimitedProtocol, float] = {}
        self._ticking: asyncio.TimerHandle | None = None

    def add(self, connection: LimitedProtocol) -> None:
        """A new connection; an old one may have to go for it."""
        self.connections.add(connection)
        self.waiting[connection] = monotonic()
        if len(self.connections) > self.limits.connections_max:
            next(iter(self.waiting)).give_up()
        if self._ticking is None:
            self._arm()

    def forget(self, connection: LimitedProtocol) -> None:
        """It is gone."""
        self.connections.discard(connection)
        self.waiting.pop(connection, None)

    def _arm(self) -> None:
        self._ticking = asyncio.get_running_loop().call_later(_TICK_S, self._tick)

    def _tick(self) -> None:
        now = monotonic()
        for connection in list(self.connections):
            connection.look(now, self.waiting.get(connection))
        self._ticking = None
        if self.connections:
            self._arm()


class LimitedProtocol(HttpToolsProtocol):
    """uvicorn's connection, held to the limits."""

    def __init__(self, *, open_connections: OpenConnections, **given: Any) -> None:
        super().__init__(**given)
        self.open_connections = open_connections

    def connection_made(self, transport: Any) -> None:
        super().connection_made(cast("asyncio.Transport", transport))
        self._in_head = True
        self._head_bytes = 0
        self._piece_bytes = 0
        self._surplus_bytes = 0
        self._request_bytes = 0
        self._unsent = (0, 0.0)  #: bytes that were left, and since when they have not become fewer
        self.open_connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.open_connections.forget(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        length = self._piece_bytes = len(data)
        self._request_bytes += length
        super().data_received(data)
        if self._in_head:
            self._head_bytes += length
            if self._head_bytes > self.open_connections.limits.head_bytes_max:
                self._refuse(431, "headers_too_large", "the headers of the request are too large")
        elif self.cycle is not None and self.cycle.more_body:
            self._surplus_bytes += length
            unread = self._request_bytes if self.cycle.response_complete else 0
            if (
                self._surplus_bytes > self.open_connections.limits.surplus_bytes_max
                or unread > _UNREAD_MAX
            ):
                self.give_up()

    def on_headers_complete(self) -> None:
        self.head_came()
        super().on_headers_complete()
        self.headers = _Nowhere()

    def on_body(self, body: bytes) -> None:
        self.body_came(len(body))
        super().on_body(body)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self.request_came()

    def head_came(self) -> None:
        """The headers are complete."""
        self._in_head = False
        self._head_bytes = 0

    def body_came(self, length: int) -> None:
        """So many bytes were of the body itself."""
        self._surplus_bytes -= length

    def request_came(self) -> None:
        """All of it is here; what comes now is another."""
        self._in_head = True
        self._head_bytes = -self._piece_bytes  # which was of this request
        self._surplus_bytes = 0
        self._request_bytes = 0
        self.open_connections.waiting.pop(self, None)
        if self.cycle.response_complete:
            self.open_connections.waiting[self] = monotonic()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.cycle.response_complete:
            self.open_connections.waiting.setdefault(self, monotonic())

    def send_400_response(self, msg: str) -> None:
        """What is not HTTP is told so in JSON, like everything else."""
        self._refuse(400, "malformed_request", "expected a request of HTTP/1.1")

    def look(self, now: float, waiting_since: float | None) -> None:
        """A second has gone by."""
        limits = self.open_connections.limits
        if waiting_since is not None:
            allowed_s = limits.request_s + self._request_bytes / limits.bytes_per_s
            if now - waiting_since > allowed_s:
                if self._request_bytes and (self.cycle is None or self.cycle.response_complete):
                    self._refuse(408, "too_slow", "the request did not come in time")
                self.give_up()
                return
        left, since = self._unsent
        unsent = self.transport.get_write_buffer_size()
        taken = left - unsent
        if unsent == 0 or taken < 0 or taken >= limits.bytes_per_s * max(1.0, now - since):
            self._unsent = (unsent, now)
        elif now - since > limits.answer_s:
            self.give_up()

    def give_up(self) -> None:
        """Close at once."""
        self.open_connections.forget(self)
        self.transport.abort()

    def _refuse(self, status: int, code: str, detail: str) -> None:
        if self.transport.is_closing():
            return
        body = msgspec.json.encode({"code": code, "detail": detail})
        head = (
            f"HTTP/1.1 {status} Refused\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()
