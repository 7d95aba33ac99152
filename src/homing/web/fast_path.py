"""The HTTP protocol of the server: uvicorn's, with a fast path for the one hot request.

`POST /api/v1/app/{app_id}/msg` in its usual form is read by the parser's callbacks, joins the next
commit, and is answered by that commit's callback: no task, no scope, no ASGI messages. That took a
seventh off what a delivery costs. Whatever is unusual about a request (a browser's, one without a
length, a long one, one behind another on the same connection) goes the general way, to the same
code in `web.create_message`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Any, Final, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from homing.core.records import Message
from homing.web.connection_limits import LimitedProtocol
from homing.web.create_message import CreateMessage, Submitted, application_of
from homing.web.frame import REQUEST_ID, Frame
from homing.web.problems import Headers

_log = logging.getLogger("homing.web")

#: longest body that is gathered here, bytes; uvicorn reads longer ones piece by piece
_BODY_BYTES_MAX: Final = 65_536
#: headers that ask for something which the general way knows
_UNUSUAL: Final = frozenset({b"origin", b"expect", b"transfer-encoding", b"upgrade", b"connection"})
_RESPONSE: Final = (
    b"%b%bcontent-length: %d\r\ncontent-type: application/json\r\n"
    + REQUEST_ID
    + b": %b\r\n%b\r\n%b"
)


def _lines(headers: Headers) -> bytes:
    return b"".join([b"%b: %b\r\n" % line for line in headers])


class _DefaultHeaders:
    """The headers of every response, which the server makes anew each second, as lines."""

    def __init__(self) -> None:
        self._headers: Headers | None = None
        self._lines = b""

    def lines_of(self, headers: Headers) -> bytes:
        if headers is not self._headers:
            self._headers, self._lines = headers, _lines(headers)
        return self._lines


class _JoinedWrites:
    """A transport that sends what is written in one turn of the event loop with one system call.

    uvicorn writes the head and the body of a response apart, and uvloop sends each at once: the
    second system call, and the publisher's second wake-up, were 8% of what a delivery costs.
    """

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._pieces: list[bytes] = []
        self._loop = asyncio.get_running_loop()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if not self._pieces:
            self._loop.call_soon(self._flush)
        self._pieces.append(data)

    def write_now(self, data: bytes) -> None:
        """Write, and wait for nothing else."""
        if self._pieces:
            self._pieces.append(data)
            self._flush()
        else:
            self._transport.write(data)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._pieces:
            data = b"".join(self._pieces)
            self._pieces.clear()
            self._transport.write(data)


class _FastRequest:
    """A request on its short way: what uvicorn's protocol asks of its request in hand."""

    __slots__ = (
        "app",
        "authorization",
        "body",
        "disconnected",
        "keep_alive",
        "key",
        "message_event",
        "more_body",
        "path",
        "query",
        "request_id",
        "response_complete",
        "traceparent",
    )

    def __init__(self, app: str, path: str, query: bytes) -> None:
        self.app = app
        self.path = path
        self.query = query
        self.authorization: str | None = None
        self.key: str | None = None
        self.request_id: bytes | None = None
        self.traceparent: str | None = None
        self.body = b""
        self.keep_alive = True
        self.disconnected = False
        self.response_complete = False
        self.more_body = True
        self.message_event = _NOBODY_WAITS


class _NobodyWaits:
    def set(self) -> None:
        pass


_NOBODY_WAITS: Final = _NobodyWaits()


class FastPathProtocol(LimitedProtocol):
    """One connection of a publisher, or of anybody else.

    Args:
        frame: the application; tells errors the same way here.
        create_message: what the hot request runs.
        default_headers: shared by all connections.
    """

    def __init__(
        self,
        frame: Frame,
        create_message: CreateMessage,
        default_headers: _DefaultHeaders,
        **given: Any,
    ) -> None:
        super().__init__(**given)
        self._frame = frame
        self._create_message = create_message
        self._default_headers = default_headers
        self._request: _FastRequest | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(_JoinedWrites(transport))

    # ── called by the parser ──

    def on_message_begin(self) -> None:
        self._request = None
        self.url = b""
        self.headers = []
        self.expect_100_continue = False

    def on_headers_complete(self) -> None:
        self._request = self._fast_request()
        if self._request is not None:
            self.head_came()
            self.cycle = cast(Any, self._request)
            return
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers += headers  # the list is in the scope by now
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        request = self._request
        if request is None:
            super().on_body(body)
        else:
            self.body_came(len(body))
            request.body = request.body + body if request.body else body

    def on_message_complete(self) -> None:
        request = self._request
        if request is None:
            super().on_message_complete()
            return
        self._request = None  # what the parser says from now on is about another request
        request.more_body = False
        self.request_came()
        try:
            submitted = self._create_message.submit(
                request.app,
                path=request.path,
                authorization=request.authorization,
                key_text=request.key,
                traceparent=request.traceparent,
                query_string=request.query,
                body=request.body,
            )
        except Exception as error:
            self._tell(request, error)
        else:
            submitted.future.add_done_callback(partial(self._answer, request, submitted))

    # ── inside ──

    def _fast_request(self) -> _FastRequest | None:
        """The request, if it is the hot one in its usual form; all of its body is still to come."""
        parser, cycle = self.parser, self.cycle
        if (
            parser.get_method() != b"POST"
            or (cycle is not None and not cycle.response_complete)
            or parser.get_http_version() != "1.1"
            or _log.isEnabledFor(logging.DEBUG)  # the general way writes a line for each request
        ):
            return None
        raw_path, _, query = self.url.partition(b"?")
        app = application_of("POST", path := raw_path.decode("latin-1"))
        if app is None or not path.isascii() or "%" in path or "#" in path or b"#" in query:
            return None
        request = _FastRequest(app, path, query)
        length = b""
        for name, value in self.headers:
            if name == b"authorization":
                request.authorization = request.authorization or value.decode("latin-1")
            elif name == b"idempotency-key":
                request.key = request.key or value.decode("latin-1")
            elif name == b"content-length":
                length = value
            elif name == REQUEST_ID:
                request.request_id = value
            elif name == b"traceparent":
                request.traceparent = request.traceparent or value.decode("latin-1")
            elif name in _UNUSUAL and not (name == b"connection" and value == b"keep-alive"):
                return None
        bytes_max = min(_BODY_BYTES_MAX, self._create_message.body_bytes_max)
        if not length.isdigit() or int(length) > bytes_max:
            return None
        return request

    def _answer(
        self,
        request: _FastRequest,
        submitted: Submitted,
        future: asyncio.Future[tuple[Message, bool]],
    ) -> None:
        if future.cancelled():  # the event loop ends
            self.transport.close()
            return
        error = future.exception()
        if error is None:
            self._respond(request, 202, [], submitted.body_of(future.result()[0]))
        else:
            self._tell(request, error)

    def _tell(self, request: _FastRequest, error: BaseException) -> None:
        request_id = self._frame.request_id(request.request_id)
        status, headers, body = self._frame.tell("POST", request.path, request_id, error)
        request.request_id = request_id.encode("latin-1")
        self._respond(request, status, headers, body)

    def _respond(self, request: _FastRequest, status: int, headers: Headers, body: bytes) -> None:
        request.response_complete = True
        if request.disconnected:
            return
        request_id = self._frame.request_id(request.request_id).encode("latin-1")
        more = _lines(headers) if headers else b""
        if (b"connection", b"close") in headers:
            request.keep_alive = False
        elif not request.keep_alive:
            more += b"connection: close\r\n"
        content = _RESPONSE % (
            STATUS_LINE[status],
            self._default_headers.lines_of(self.server_state.default_headers),
            len(body),
            request_id,
            more,
            body,
        )
        cast(Any, self.transport).write_now(content)
        if not request.keep_alive:
            self.transport.close()
        self.on_response_complete()


def protocol_factory(
    frame: Frame, create_message: CreateMessage
) -> Callable[..., FastPathProtocol]:
    """What makes a protocol for each connection; uvicorn's `http`."""
    return partial(FastPathProtocol, frame, create_message, _DefaultHeaders())
