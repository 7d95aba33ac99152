"""What every request goes through, around applications that misbehave."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from support.making import FakeChance, FakeClock

from homing.core.errors import Unavailable
from homing.web.frame import Frame

SCOPE = {"type": "http", "method": "GET", "path": "/x", "headers": [(b"svix-req-id", b"r1")]}


async def _ask(app: ASGIApp, **scope: Any) -> list[Message]:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b""}

    async def send(message: Message) -> None:
        sent.append(message)

    await Frame(app, clock=FakeClock(), chance=FakeChance())({**SCOPE, **scope}, receive, send)
    return sent


async def test_a_bug_is_a_500_in_json_that_tells_nothing_and_a_line_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def buggy(scope: Scope, receive: Receive, send: Send) -> None:
        raise KeyError("secret details")

    start, body = await _ask(buggy)
    assert start["status"] == 500
    assert dict(start["headers"])[b"content-type"] == b"application/json"
    assert dict(start["headers"])[b"svix-req-id"] == b"r1"
    assert json.loads(body["body"])["code"] == "internal_error"
    assert b"secret" not in body["body"]
    (record,) = caplog.records
    assert record.exc_info is not None
    assert record.__dict__["request_id"] == "r1"


async def test_a_database_that_is_away_is_a_503_and_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def away(scope: Scope, receive: Receive, send: Send) -> None:
        raise Unavailable("no database", retry_after_s=3)

    start, _ = await _ask(away)
    assert start["status"] == 503
    assert dict(start["headers"])[b"retry-after"] == b"3"
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


async def test_half_an_answer_is_broken_off_rather_than_ended_as_if_it_were_whole() -> None:
    async def halfway(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise Unavailable("the database went away")

    with pytest.raises(ConnectionAbortedError):
        await _ask(halfway)


async def test_request_ids_of_one_process_differ_and_strange_ones_are_not_taken() -> None:
    async def fine(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    for given in (b"", b"a\nb", b"\xff", b"x" * 129):
        (start,) = await _ask(fine, headers=[(b"svix-req-id", given)])
        assert dict(start["headers"])[b"svix-req-id"].startswith(b"req_")
