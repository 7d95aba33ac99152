"""A payment service that tells about its payments, through the public API as anybody would."""

from __future__ import annotations

import asyncio
from typing import Any, Final, NamedTuple

import httpx

from homing.system import SystemChance

APPLICATION: Final = "payments"
EVENT_TYPES: Final = {
    "payment.authorized": "The customer's bank has set the money aside.",
    "payment.captured": "The money has been taken.",
    "payment.failed": "The customer's bank has refused.",
    "refund.created": "Money is on its way back to the customer.",
}
_CURRENCIES: Final = ("EUR", "USD", "GBP", "JPY")
_FAILURES: Final = ("insufficient_funds", "card_expired", "do_not_honor")
#: share of payments that fail after being authorized, and of captured ones that are refunded
_FAILED: Final = 0.1
_REFUNDED: Final = 0.15
#: the API is asked again after this long when it does not answer 2xx
_AGAIN_S: Final = 0.5


class _Payment(NamedTuple):
    id: str
    amount: int  #: in the currency's minor unit
    currency: str


class Publisher:
    """Publishes at a steady rate until cancelled.

    Args:
        rate: messages per second.
    """

    def __init__(self, server_url: str, token: str, *, rate: float) -> None:
        self._url = f"{server_url}/api/v1/app/{APPLICATION}/msg"
        self._token = token
        self._rate = rate
        self._chance = SystemChance()
        self._next: list[tuple[str, _Payment]] = []

    async def run(self) -> None:
        """For ever."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        headers = {"authorization": f"Bearer {self._token}"}
        async with httpx.AsyncClient(headers=headers, timeout=10, trust_env=False) as http:
            while True:
                await self._publish(http, *self._step())
                due = max(due + 1 / self._rate, loop.time() - 1)
                await asyncio.sleep(max(0.0, due - loop.time()))

    def _step(self) -> tuple[str, _Payment]:
        """The next thing that happens: to a payment under way, or a new one."""
        if self._next and self._chance.fraction() < 0.6:
            kind, payment = self._next.pop(0)
        else:
            kind, payment = "payment.authorized", self._new_payment()
        if kind == "payment.authorized":
            fails = self._chance.fraction() < _FAILED
            self._next.append(("payment.failed" if fails else "payment.captured", payment))
        elif kind == "payment.captured" and self._chance.fraction() < _REFUNDED:
            self._next.append(("refund.created", payment))
        return kind, payment

    def _new_payment(self) -> _Payment:
        return _Payment(
            id=f"pay_{self._chance.entropy(6).hex()}",
            amount=round(500 + 20_000 * self._chance.fraction() ** 3),
            currency=self._pick(_CURRENCIES),
        )

    def _pick(self, words: tuple[str, ...]) -> str:
        return words[int(self._chance.fraction() * len(words))]

    async def _publish(self, http: httpx.AsyncClient, kind: str, payment: _Payment) -> None:
        """Until the API has said 2xx: the event id makes repeats harmless."""
        body: dict[str, Any] = {
            "eventType": kind,
            "eventId": f"{payment.id}.{kind}",
            "payload": {"type": kind, **payment._asdict(), **self._reason(kind)},
        }
        while True:
            try:
                answer = await http.post(self._url, json=body)
                if answer.status_code < 500:
                    answer.raise_for_status()
                    return
            except httpx.TransportError:
                pass  # it may be starting, or draining: the next try tells
            await asyncio.sleep(_AGAIN_S)

    def _reason(self, kind: str) -> dict[str, str]:
        return {"reason": self._pick(_FAILURES)} if kind == "payment.failed" else {}
