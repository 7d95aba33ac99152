"""What every request goes through: its id, CORS, errors as JSON, and a line in the log."""

from __future__ import annotations

import logging
from collections.abc import Callable
from itertools import count
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from homing.core.errors import HomingError
from homing.core.ports import Chance, Clock
from homing.web.problems import INTERNAL, Headers, describe
from homing.web.reading import header

_log = logging.getLogger("homing.web")

REQUEST_ID: Final = b"svix-req-id"
#: as long as a caller's own id may be; longer ones would fill the log
_REQUEST_ID_MAX: Final = 128
#: how long a browser may remember what it is allowed, seconds
_CORS_AGE: Final = b"600"
_CORS_HEADERS: Final = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", REQUEST_ID),
    (b"vary", b"Origin"),
)


class Frame:
    """The outermost application.

    Args:
        app: everything that answers; it may raise.
        chance: begins the request ids of this process.
        error_page: what a browser is told: headers and body, by scope, status, JSON and request id;
            None, or None for one error: the JSON.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        clock: Clock,
        chance: Chance,
        error_page: Callable[[Scope, int, bytes, str], tuple[Headers, bytes] | None] | None = None,
    ) -> None:
        self._app = app
        self._error_page = error_page
        self._clock = clock
        self._prefix = chance.entropy(6).hex()
        self._count = count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = origin = None
        for name, value in scope["headers"]:
            if name == REQUEST_ID:
                given = value
            elif name == b"origin":
                origin = value
        request_id = self.request_id(given)
        extra: Headers = [(REQUEST_ID, request_id.encode("latin-1"))]
        if origin is not None:
            extra += _CORS_HEADERS
        began_us = self._clock.mono_us()
        status = 0

        async def send_framed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *extra]
            await send(message)

        try:
            if origin is not None and _is_preflight(scope):
                await _answer_preflight(scope, send_framed)
            else:
                await self._app(scope, receive, send_framed)
        except Exception as error:
            told = self.tell(scope["method"], scope["path"], request_id, error)
            await self._send_told(scope, send_framed, status, request_id, told)
        if _log.isEnabledFor(logging.DEBUG):
            took_ms = (self._clock.mono_us() - began_us) / 1_000
            measured = {"request_id": request_id, "status": status, "took_ms": took_ms}
            _log.debug("%s %s → %d", scope["method"], scope["path"], status, extra=measured)

    def tell(
        self, method: str, path: str, request_id: str, error: BaseException
    ) -> tuple[int, Headers, bytes]:
        """Status, extra headers and body that tell the caller; what is our fault is logged."""
        known = {"request_id": request_id}
        if not isinstance(error, HomingError):
            _log.error("%s %s failed", method, path, extra=known, exc_info=error)
            return 500, [], INTERNAL
        told = describe(error)
        if told[0] >= 500:
            _log.warning("%s %s: %s", method, path, error, extra=known)
        return told

    async def _send_told(
        self,
        scope: Scope,
        send: Send,
        begun: int,
        request_id: str,
        told: tuple[int, Headers, bytes],
    ) -> None:
        status, headers, body = told
        page = None
        if not begun and self._error_page is not None:
            page = self._error_page(scope, status, body, request_id)
        if page is None:
            headers = [*headers, (b"content-type", b"application/json")]
        else:
            headers, body = [*headers, *page[0]], page[1]
        await _tell(send, begun, status, headers, body)

    def request_id(self, given: bytes | None) -> str:
        """The caller's own, if it can be logged; otherwise a new one."""
        if given and len(given) <= _REQUEST_ID_MAX:
            text = given.decode("latin-1")
            if text.isascii() and text.isprintable():
                return text
        return f"req_{self._prefix}{next(self._count):x}"


async def _tell(send: Send, begun: int, status: int, headers: Headers, body: bytes) -> None:
    if begun:
        # Half an answer is out; breaking the connection is the only honest end of it.
        raise ConnectionAbortedError("the response could not be completed")
    start = [*headers, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": start})
    await send({"type": "http.response.body", "body": body})


def _is_preflight(scope: Scope) -> bool:
    asked = header(scope, b"access-control-request-method")
    return scope["method"] == "OPTIONS" and asked is not None


async def _answer_preflight(scope: Scope, send: Send) -> None:
    asked = header(scope, b"access-control-request-headers") or "*"
    headers = [
        (b"access-control-allow-methods", b"GET, HEAD, POST, PUT, PATCH, DELETE"),
        (b"access-control-allow-headers", asked.encode("latin-1")),
        (b"access-control-max-age", _CORS_AGE),
    ]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
