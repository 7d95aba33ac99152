"""One HTTP/1.1 connection: writes a request, reads the answer to it, within bounds.

A library parses; what is ours is the patience: how long, how much, and how often. A connection
carries one exchange at a time and is given up at the first thing that is not as it should be.
"""

from __future__ import annotations

import asyncio
import fcntl
import select
import socket
import ssl
import struct
import termios
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Any, Final, NamedTuple, cast

import httptools
import msgspec

from homing.core.outcome import Reason

_NEVER: Final = float("inf")
#: of the response's headers, how many are kept
HEADERS_KEPT_MAX: Final = 64
#: 101 Switching Protocols: of class 1xx, but nothing follows that we could read
_SWITCHING: Final = 101


class Deadlines(msgspec.Struct, frozen=True, kw_only=True):
    """How long each stage of an attempt may last, in seconds, each > 0."""

    connect_s: float = 5.0  #: name look-up and TCP: two lost SYNs are forgiven (1 s, then 2 s)
    tls_s: float = 5.0
    first_byte_s: float = 15.0  #: what receivers are commonly told to stay within
    idle_s: float = 5.0  #: silence within a response
    total_s: float = 20.0  #: all of it; a lease is longer


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a response is read."""

    body_bytes_max: int = 16_384  #: kept; one byte more and the rest is not read
    header_bytes_max: int = 32_768  #: nginx and Apache send at most 8 KiB by default
    headers_max: int = 128
    interims_max: int = 16  #: responses of class 1xx before the real one

    @property
    def wire_bytes_max(self) -> int:
        """All that is read of one response: room for the body in one-byte chunks."""
        return self.header_bytes_max + 8 * self.body_bytes_max


class Ending(NamedTuple):
    """How an exchange ended: with a whole response (`reason` None) or otherwise."""

    reason: Reason | None
    detail: str = ""


_COMPLETE: Final = Ending(None)
_NO_RESPONSE: Final = Ending(Reason.RESET, "the connection ended before a response began")


#: `struct linger`: on, for no time at all
_RESET_NOW: Final = struct.pack("ii", 1, 0)


class _Refused(Exception):
    """Raised inside the parser to make it stop."""


class Connection(asyncio.Protocol):
    """A connection to one receiver.

    Args:
        key: whose it is and where it goes; only requests with an equal one may share it.
        on_lost: called once, when the connection is gone.
        descriptor: of the socket, so that it can be looked at without the event loop.
    """

    status: int | None  #: of the response, when its head has come
    headers: list[tuple[bytes, bytes]]  #: of the response, as received
    body: bytearray  #: at most `Bounds.body_bytes_max`
    is_truncated: bool  #: the body is longer than that
    first_byte_at: float | None  #: monotonic seconds
    due_at: float  #: monotonic seconds after which `overdue` is to be called
    is_lost: bool
    key: tuple[str, str]
    _fed_bytes: int  #: read of the present response
    _room: int  #: left for its body

    __slots__ = (
        "_bounds",
        "_complete",
        "_deadlines",
        "_fed_bytes",
        "_has_head",
        "_header_bytes",
        "_interims",
        "_keep",
        "_on_lost",
        "_parser",
        "_readable",
        "_room",
        "_total_at",
        "_transport",
        "_waiter",
        "body",
        "due_at",
        "first_byte_at",
        "headers",
        "is_lost",
        "is_truncated",
        "key",
        "status",
    )

    def __init__(
        self,
        deadlines: Deadlines,
        bounds: Bounds,
        key: tuple[str, str],
        on_lost: Callable[[Connection], None],
        descriptor: int,
    ) -> None:
        self._deadlines = deadlines
        self._bounds = bounds
        self._on_lost = on_lost
        self._readable = select.poll()
        self._readable.register(descriptor, select.POLLIN)
        self._parser: Any = httptools.HttpResponseParser(self)
        self._waiter: asyncio.Future[Ending] | None = None
        self._transport: asyncio.Transport | None = None
        self.key = key
        self.is_lost = False
        self.due_at = _NEVER
        self._total_at = _NEVER
        self._expect()

    # ── for the sender ──

    def exchange(self, content: bytes, total_at: float) -> asyncio.Future[Ending]:
        """Write one request; the future tells when its response is read, or why it will not be.

        Args:
            content: the whole request.
            total_at: monotonic seconds at which all must be over.
        """
        assert self._waiter is None
        self._expect()
        waiter: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        if self._transport is None:  # it opened and broke at once
            waiter.set_result(_NO_RESPONSE)
            return waiter
        self._total_at = total_at
        self.due_at = min(monotonic() + self._deadlines.first_byte_s, total_at)
        self._waiter = waiter
        self._transport.write(content)
        return waiter

    @property
    def is_sound(self) -> bool:
        """Whether it may be kept for another request."""
        transport = self._transport
        return (
            self._keep
            and transport is not None
            and not transport.is_closing()
            # An answer that came before all of the request was sent: the rest would be read as
            # the beginning of the next one.
            and transport.get_write_buffer_size() == 0
        )

    @property
    def is_silent(self) -> bool:
        """Whether nothing has arrived since the event loop looked last.

        It would be the end of the connection or an answer to nothing: a request written now would
        be lost, or answered by the wrong one.
        """
        return not self._readable.poll(0)

    def overdue(self) -> None:
        """The time `due_at` has come."""
        if self._waiter is None:
            self.abort()
        elif self.due_at >= self._total_at:
            self._end(Reason.TOTAL_TIMEOUT, "the attempt took too long in all")
        elif self.first_byte_at is None:
            self._end(Reason.FIRST_BYTE_TIMEOUT, "no response in time")
        else:
            self._end(Reason.IDLE_TIMEOUT, "the response stalled")

    def abort(self) -> None:
        """Close at once, whatever is under way."""
        self._keep = False
        if self._transport is not None:
            self._forget_unsent(self._transport)
            self._transport.abort()

    # ── called by the event loop ──

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self._waiter is None:  # nobody asked for this
            self.abort()
            return
        now = monotonic()
        if self.first_byte_at is None:
            self.first_byte_at = now
        self.due_at = min(now + self._deadlines.idle_s, self._total_at)
        self._fed_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._keep = False
            self._complete = True
        except httptools.HttpParserError as error:
            self._keep = False  # after a whole response, what follows matters to nobody
            if not self._complete and not self.is_truncated:
                self._end(Reason.GARBAGE, _garbage(error))
                return
        if self._complete:
            self._end(None)
        elif self.is_truncated:
            self._keep = False
            self._end(None)
        elif self._fed_bytes > self._fed_bytes_max():
            self._end(Reason.GARBAGE, "the response has more around its body than in it")

    def eof_received(self) -> None:
        self._ended_by_peer(None)

    def connection_lost(self, error: Exception | None) -> None:
        self.is_lost = True
        self._ended_by_peer(error)
        self._on_lost(self)
        # The parser holds our methods and we hold it: without this only the collector frees us.
        self._parser = None
        self._transport = None

    # ── called by the parser ──

    def on_message_begin(self) -> None:
        if self._complete:  # a second response to one request
            self._keep = False

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._has_head:  # a trailer
            return
        self.headers.append((name, value))
        self._header_bytes += len(name) + len(value)
        if len(self.headers) > self._bounds.headers_max:
            raise _Refused(f"more than {self._bounds.headers_max} headers")
        if self._header_bytes > self._bounds.header_bytes_max:
            raise _Refused(f"more than {self._bounds.header_bytes_max} bytes of headers")

    def on_headers_complete(self) -> None:
        if self._complete:
            return
        status = self._parser.get_status_code()
        if status < 100:
            raise _Refused(f"expected a status of at least 100, found {status:03}")
        self.status = status
        self._has_head = True

    def on_body(self, chunk: bytes) -> None:
        if self._complete:
            return
        self.body += chunk[: self._room]
        self._room -= len(chunk)
        if self._room < 0:
            self._room = 0
            self.is_truncated = True

    def on_message_complete(self) -> None:
        if self._complete:
            return
        if self.status is not None and self.status < 200 and self.status != _SWITCHING:
            self._forget_interim()
            return
        self._complete = True
        self._keep = self._parser.should_keep_alive()

    # ── inside ──

    def _forget_unsent(self, transport: asyncio.Transport) -> None:
        """Let the system throw away what the receiver has not taken.

        Otherwise it keeps up to some megabytes for each connection that we have long given up, for
        as long as a receiver says that it is there and has no room.
        """
        sock = transport.get_extra_info("socket")
        with suppress(OSError):
            waiting = fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4))
            if any(waiting):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_NOW)

    def _expect(self) -> None:
        """Forget the response before; expect one."""
        self.status = None
        self.headers = []
        self.body = bytearray()
        self.is_truncated = False
        self.first_byte_at = None
        self._has_head = False
        self._complete = False
        self._keep = False
        self._room = self._bounds.body_bytes_max
        self._fed_bytes = 0
        self._header_bytes = 0
        self._interims = 0

    def _forget_interim(self) -> None:
        self.status = None
        self.headers = []
        self._has_head = False
        self._interims += 1
        if self._interims > self._bounds.interims_max:
            raise _Refused(f"more than {self._bounds.interims_max} interim responses")

    def _fed_bytes_max(self) -> int:
        return self._bounds.wire_bytes_max if self._has_head else self._bounds.header_bytes_max

    def _ended_by_peer(self, error: Exception | None) -> None:
        """The peer sends no more, or the connection broke."""
        self._keep = False
        if self._waiter is None:
            return
        if isinstance(error, ssl.SSLError):
            self._end(Reason.TLS_FAILED, tls_detail(error))
        elif error is None and self._has_head and not self._is_framed():
            self._end(None)  # a body that goes on until the connection ends (RFC 9112 6.3)
        elif self.first_byte_at is None:
            self._end(*_NO_RESPONSE)
        else:
            self._end(Reason.RESET, "the connection ended within the response")

    def _is_framed(self) -> bool:
        """Whether the response said how long its body is."""
        return any(
            name.lower() in (b"content-length", b"transfer-encoding") for name, _ in self.headers
        )

    def _end(self, reason: Reason | None, detail: str = "") -> None:
        waiter = self._waiter
        self._waiter = None
        self.due_at = _NEVER
        if waiter is not None and not waiter.done():
            waiter.set_result(_COMPLETE if reason is None else Ending(reason, detail))


def tls_detail(error: Exception) -> str:
    """What the TLS library complains about, in a few words without its source lines."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate: {error.verify_message}"
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.replace("_", " ").lower()
    return "the connection ended during the handshake"


def _garbage(error: Exception) -> str:
    cause = error.__context__
    return str(cause if isinstance(cause, _Refused) else error)[:200]
