"""Reads the dead letters that nobody has handled, by endpoint, and what is said of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final
from urllib.parse import urlsplit

import msgspec

from homing.core.lifecycle import State
from homing.core.operational import is_hidden
from homing.core.ports import Clock
from homing.core.queries import DeadLetters, DeliveryFilter, Page
from homing.core.resources import Application, Endpoint
from homing.core.store import Store
from homing.insight.alerts import readings as reading
from homing.insight.alerts.thresholds import Thresholds

#: endpoints with dead letters that are looked at, and where the counting of one's stops
_PILES_MAX: Final = 1_000
_PAGE: Final = 200
_COUNT_MAX: Final = 1_001
_EXAMPLES: Final = 3
#: piles whose examples are looked up by one reading; the next reads the others'
_DETAILS_MAX: Final = 50
#: a look at all dead letters is made so seldom that it takes at most this share of the time
_SHARE: Final = 0.05

#: what unresolved dead letters are worth
Worth = Callable[[], Awaitable[reading.Stakes]]


async def no_money() -> reading.Stakes:
    """Where no payload declares an amount."""
    return reading.Stakes()


class _Details(msgspec.Struct, frozen=True):
    """What is looked up once of a pile."""

    oldest_at_us: int
    examples: tuple[str, ...]
    error: str


class Piles:
    """Reads for one process.

    Args:
        worth: what dead letters are worth.
    """

    def __init__(self, store: Store, clock: Clock, thresholds: Thresholds, worth: Worth) -> None:
        self._store = store
        self._clock = clock
        self._thresholds = thresholds
        self._worth = worth
        self._piles: list[reading.DeadPile] = []
        self._stakes = reading.Stakes()
        self._due_us = 0
        self._details: dict[str, _Details] = {}

    async def read(self, at_us: int) -> tuple[Sequence[reading.DeadPile], Sequence[reading.Money]]:
        """The piles, and what they are worth; as of a moment ago where looking takes long."""
        began_us = self._clock.mono_us()
        if began_us >= self._due_us:
            letters = await self._letters(at_us)
            self._stakes = await self._worth()
            self._piles = await self._described(letters)
            took_us = self._clock.mono_us() - began_us
            self._due_us = began_us + round(took_us / _SHARE)
        return self._piles, self._stakes.by_org

    async def _letters(self, at_us: int) -> list[DeadLetters]:
        found: list[DeadLetters] = []
        while len(found) < _PILES_MAX:
            some = await self._store.dead_letters(
                recent_us=at_us - round(self._thresholds.recent_s * 1_000_000),
                past_us=at_us - round(self._thresholds.past_s * 1_000_000),
                after=found[-1].endpoint_id if found else "",
                limit=_PAGE,
                most=_COUNT_MAX,
            )
            found += some
            if len(some) < _PAGE:
                break
        return found

    async def _described(self, letters: Sequence[DeadLetters]) -> list[reading.DeadPile]:
        app_ids = list(dict.fromkeys(one.app_id for one in letters))
        apps = {one.id: one for one in await self._store.by_ids(Application, app_ids)}
        endpoint_ids = [one.endpoint_id for one in letters]
        endpoints = {one.id: one for one in await self._store.by_ids(Endpoint, endpoint_ids)}
        self._details = {
            one.endpoint_id: known
            for one in letters
            if (known := self._details.get(one.endpoint_id))
            and known.oldest_at_us == one.oldest_at_us
        }
        new = [one for one in letters if one.endpoint_id not in self._details]
        for one in new[:_DETAILS_MAX]:
            self._details[one.endpoint_id] = await self._look_at(one)
        nothing = _Details(0, (), "")
        return [
            reading.DeadPile(
                org_id=apps[one.app_id].scope,
                name=name_of(endpoints.get(one.endpoint_id), one.endpoint_id),
                letters=one,
                money=self._stakes.by_endpoint.get(one.endpoint_id, {}),
                examples=self._details.get(one.endpoint_id, nothing).examples,
                reason=self._details.get(one.endpoint_id, nothing).error,
            )
            for one in letters
            if one.app_id in apps
            and not is_hidden(apps[one.app_id].scope)
            and one.endpoint_id not in self._stakes.muted
        ]

    async def _look_at(self, letters: DeadLetters) -> _Details:
        which = DeliveryFilter(endpoint_id=letters.endpoint_id, states=(State.DEAD,))
        first = await self._store.deliveries(which, Page(limit=_EXAMPLES))
        error = (first[0].last_error or first[0].reason or "") if first else ""
        return _Details(letters.oldest_at_us, tuple(str(one.id) for one in first), error)


def name_of(endpoint: Endpoint | None, endpoint_id: str) -> str:
    """As people know it; of its URL the host alone, because paths and queries hold credentials."""
    if endpoint is None:
        return endpoint_id
    host = urlsplit(endpoint.url).hostname or "?"
    return f"{endpoint.uid or endpoint.description[:40] or endpoint.id} ({host})"
