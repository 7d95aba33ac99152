"""Errors as pages for browsers, and as JSON for programs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from starlette.types import Message, Receive, Scope, Send
from support.making import FakeChance, FakeClock

from homing.core.errors import Forbidden, Invalid, NotFound, Problem, Unavailable
from homing.service.context import Service
from homing.web.frame import Frame
from homing.web.pages.errors import ErrorPages

BROWSER = [(b"accept", b"text/html,application/xhtml+xml,*/*;q=0.8")]


async def ask(error: Exception, path: str = "/endpoints", headers: Any = BROWSER) -> Any:
    """(status, headers, body) of what a request that fails so is answered."""

    async def failing(scope: Scope, receive: Receive, send: Send) -> None:
        raise error

    async def receive() -> Message:
        return {"type": "http.request", "body": b""}

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "scheme": "http",
        "server": ("127.0.0.1", 80),
        "headers": headers,
    }
    service = cast(Service, SimpleNamespace(clock=FakeClock()))
    pages = ErrorPages(service, [])
    await Frame(failing, clock=FakeClock(), chance=FakeChance(), error_page=pages)(
        scope, receive, send
    )
    start, body = sent
    return start["status"], dict(start["headers"]), body["body"].decode()


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (Forbidden("this needs the role admin"), 403, "That is not for you"),
        (NotFound("there is no endpoint"), 404, "There is nothing here"),
        (Unavailable("the database is away"), 503, "Not at this moment"),
        (Invalid([Problem(("body", "url"), "expected https")]), 422, "url: expected https"),
    ],
)
async def test_a_browser_is_told_by_a_page(error: Exception, status: int, words: str) -> None:
    found, headers, body = await ask(error)
    assert found == status
    assert headers[b"content-type"].startswith(b"text/html")
    assert b"default-src 'none'" in headers[b"content-security-policy"]
    assert words in body


async def test_a_bug_is_a_page_that_tells_nothing_but_where_to_look() -> None:
    status, _, body = await ask(KeyError("secret details"))
    assert status == 500
    assert "secret" not in body
    assert "req_" in body


async def test_what_an_error_says_is_text() -> None:
    _, _, body = await ask(NotFound("there is no <script>alert(1)</script>"))
    assert "<script>alert" not in body
    assert "&lt;script&gt;alert" in body


@pytest.mark.parametrize(
    ("path", "headers"),
    [("/api/v1/app", BROWSER), ("/endpoints", [(b"accept", b"application/json")]), ("/x", [])],
)
async def test_a_program_is_told_by_json(path: str, headers: Any) -> None:
    status, found, body = await ask(NotFound("there is none"), path, headers)
    assert (status, found[b"content-type"]) == (404, b"application/json")
    assert body == '{"code":"not_found","detail":"there is none"}'


async def test_a_page_says_when_to_come_back() -> None:
    _, headers, _ = await ask(Unavailable("away", retry_after_s=7))
    assert headers[b"retry-after"] == b"7"
