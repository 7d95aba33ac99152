"""A sender that answers from a script: the port, without a network."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from homing.core.outcome import Outcome, Reason
from homing.core.ports import Request, Work

OK = Outcome(reason=Reason.OK, status=200, body=b"ok", total_us=900, first_byte_us=800)


def status(code: int, **headers: str) -> Outcome:
    """A complete response that is not 2xx."""
    return Outcome(
        reason=Reason.STATUS,
        status=code,
        headers=tuple((k.replace("_", "-"), v) for k, v in headers.items()),
    )


class ScriptedSender:
    """Answers each request with what `answer` says; remembers every request."""

    def __init__(self, answer: Callable[[Request], Outcome] = lambda _: OK) -> None:
        self.answer = answer
        self.requests: list[Request] = []
        self.held: asyncio.Event | None = None
        self.most_at_once = 0
        self._now = 0

    def hold(self) -> asyncio.Event:
        """Answer nothing until the event is set."""
        self.held = asyncio.Event()
        return self.held

    async def send(self, request: Request) -> Outcome:
        self.requests.append(request)
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        try:
            if self.held is not None:
                await self.held.wait()
            return self.answer(request)
        finally:
            self._now -= 1

    async def close(self) -> None:
        pass


def plain_envelope(work: Work, _at_us: int) -> Request:
    """The message as it is, unsigned, addressed to its endpoint."""
    assert work.endpoint is not None
    assert work.message.payload is not None
    return Request(
        url=work.endpoint.url,
        headers=(("webhook-id", work.message.id),),
        body=work.message.payload,
        pool=work.endpoint.id,
    )
