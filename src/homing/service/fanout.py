"""Who gets a message: applications with their endpoints, remembered as they were at a version."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from homing.core.queries import Page
from homing.core.resources import Application, Endpoint, wants
from homing.core.store import Store

#: applications that are remembered
_FANOUTS_MAX: Final = 10_000
#: event types whose endpoints are remembered, per application
_MATCHES_MAX: Final = 1_000
_ENDPOINTS_PAGE: Final = 1_000


class Fanout:
    """An application and its endpoints as they were at the application's present version."""

    def __init__(self, application: Application, endpoints: Sequence[Endpoint]) -> None:
        self.application = application
        self.endpoints = endpoints
        self._matches: dict[tuple[str, tuple[str, ...]], tuple[Endpoint, ...]] = {}

    def match(
        self, event_type: str, channels: tuple[str, ...], only_endpoint: str | None
    ) -> tuple[Endpoint, ...]:
        """The endpoints that want such a message.

        Args:
            only_endpoint: the id of the one that gets it, whatever it wants.
        """
        if only_endpoint is not None:
            return tuple(e for e in self.endpoints if e.id == only_endpoint)
        key = (event_type, channels)
        found = self._matches.get(key)
        if found is None:
            found = tuple(e for e in self.endpoints if wants(e, event_type, channels))
            if len(self._matches) >= _MATCHES_MAX:
                self._matches.clear()
            self._matches[key] = found
        return found


class Fanouts:
    """The fan-outs that one process has read. Whoever finds one out of date forgets it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[tuple[str, str], Fanout] = {}

    def known(self, org_id: str, application: str) -> Fanout | None:
        """What is remembered of an application, by its id or uid."""
        return self._known.get((org_id, application))

    def forget(self, org_id: str, application: str) -> None:
        """It has changed since it was read."""
        self._known.pop((org_id, application), None)

    async def read(self, org_id: str, application: str) -> Fanout | None:
        """An application as it is now, remembered from here on; None: there is no such one."""
        # The application first: if an endpoint changes between the two reads, the version that
        # `accept` compares is already an old one, and the message is tried again.
        found = await self._store.get(Application, org_id, application)
        if found is None:
            return None
        if len(self._known) >= _FANOUTS_MAX:
            self._known.clear()
        fanout = Fanout(found, await self._endpoints(found.id))
        self._known[org_id, application] = fanout
        return fanout

    async def _endpoints(self, app_id: str) -> list[Endpoint]:
        endpoints: list[Endpoint] = []
        page = Page(limit=_ENDPOINTS_PAGE)
        while True:
            more = await self._store.list(Endpoint, app_id, page)
            endpoints += more
            if len(more) < _ENDPOINTS_PAGE:
                return endpoints
            page = Page(limit=_ENDPOINTS_PAGE, after=more[-1].id)
