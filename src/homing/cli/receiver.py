"""A receiver of webhooks that verifies them independently and behaves as it is told."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from standardwebhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

from homing.core.ports import Chance

#: longest body that is read; longer than what Homing accepts by default
_BODY_BYTES_MAX: Final = 16_777_216
#: messages whose number of arrivals is remembered
_REMEMBERED_MAX: Final = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """How a receiver behaves."""

    status: int = 200  #: answered when all is well
    refusal: int = 503  #: answered otherwise
    refused_ratio: float = 0.0  #: share of requests refused, in [0, 1]
    refused_first: int = 0  #: each message is refused this often before anything else
    stalled_ratio: float = 0.0  #: share of requests that get no answer for `stall_s`, in [0, 1]
    stall_s: float = 60.0
    delay_s: float = 0.0  #: before each answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One webhook as it came."""

    message_id: str  #: empty: there was no such header
    body: bytes
    complaint: str | None  #: why the signature is wrong; None: it is right, or nobody checked
    times: int  #: how often this message has come by now, >= 1
    status: int  #: what it is answered


class Receiver:
    """An ASGI application.

    Args:
        secret: verified with when given, `whsec_…`; may be set later.
        on_arrival: called with each webhook, before it is answered.
    """

    def __init__(
        self,
        manners: Manners,
        chance: Chance,
        *,
        secret: str | None = None,
        on_arrival: Callable[[Arrival], None] = lambda arrival: None,
    ) -> None:
        self.manners = manners
        self.secret = secret
        self._chance = chance
        self.on_arrival = on_arrival
        self._times: Counter[str] = Counter()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http", scope["type"]
        body = await _read(receive)
        if body is None:
            return
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        arrival = self._judge(_renamed(headers), body)
        self.on_arrival(arrival)
        await asyncio.sleep(self._wait_s())
        await send({"type": "http.response.start", "status": arrival.status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    def _judge(self, headers: dict[str, str], body: bytes) -> Arrival:
        message_id = headers.get("webhook-id", "")
        if len(self._times) > _REMEMBERED_MAX:
            self._times.clear()
        self._times[message_id] += 1
        times = self._times[message_id]
        complaint = self._complaint(headers, body)
        manners = self.manners
        if complaint is not None:
            status = 401
        elif times <= manners.refused_first or self._chance.fraction() < manners.refused_ratio:
            status = manners.refusal
        else:
            status = manners.status
        return Arrival(
            message_id=message_id, body=body, complaint=complaint, times=times, status=status
        )

    def _complaint(self, headers: dict[str, str], body: bytes) -> str | None:
        if self.secret is None:
            return None
        try:
            Verifier(self.secret).verify(body, headers, json_parse=False)
        except (WebhookVerificationError, ValueError) as error:
            return str(error)
        return None

    def _wait_s(self) -> float:
        stalls = self._chance.fraction() < self.manners.stalled_ratio
        return self.manners.stall_s if stalls else self.manners.delay_s


def _renamed(headers: dict[str, str]) -> dict[str, str]:
    """The verifier knows the `webhook-` names; Svix's mean the same."""
    return {name.replace("svix-", "webhook-", 1): value for name, value in headers.items()}


async def _read(receive: Any) -> bytes | None:
    """The whole body; None when the sender has gone."""
    body = bytearray()
    while True:
        event = await receive()
        if event["type"] != "http.request":
            return None
        body += event.get("body", b"")
        if len(body) > _BODY_BYTES_MAX or not event.get("more_body", False):
            return bytes(body)
