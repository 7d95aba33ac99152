"""Keeps an eye on endpoints: remembers since when one only fails, announces it, disables it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from homing.core.errors import Conflict, Stale, StoreError
from homing.core.health import EndpointHealth, Observed, Verdict, blank_health, judge
from homing.core.operational import Event
from homing.core.ports import Clock, Meters, NoMeters
from homing.core.resources import Endpoint, Resource
from homing.core.store import Resources

_log = logging.getLogger("homing.endpoints")

#: how often observations are written down, in seconds: far below any span that disables
_FLUSH_S: Final = 5.0
_TRIES_MAX: Final = 5
#: endpoints looked up by one query
_LOOKUP_MAX: Final = 500


#: what to store along with a change of an endpoint, so that it is told: the event, the endpoint as
#: it is then, what tells this event from its like, and what it says besides
Herald = Callable[[Event, Endpoint, int | None, Mapping[str, Any]], Awaitable[Sequence[Resource]]]


async def tell_nobody(
    event: Event, endpoint: Endpoint, mark: int | None, more: Mapping[str, Any]
) -> Sequence[Resource]:
    """The herald of those who have none."""
    return ()


class HealthKeeper:
    """One process's view of every endpoint that it sends to.

    Only changes are stored, so a well endpoint costs nothing, and what several processes saw is
    merged by `core.health.judge`.

    Args:
        disable_after_s: span of nothing but failure after which an endpoint is disabled; seconds.
        herald: makes what announces a warning and a disabling; it is stored with them.
    """

    def __init__(
        self,
        store: Resources,
        clock: Clock,
        *,
        disable_after_s: float = 432_000.0,
        meters: Meters | None = None,
        herald: Herald = tell_nobody,
    ) -> None:
        self._herald = herald
        self._store = store
        self._clock = clock
        self._disable_after_s = disable_after_s
        self._meters = meters or NoMeters()
        self._seen: dict[str, Observed] = {}
        self._scopes: dict[str, str] = {}

    def observe(self, endpoint: Endpoint, at_us: int, *, succeeded: bool) -> None:
        """An attempt for `endpoint` ended."""
        seen = self._seen.get(endpoint.id)
        if seen is None:
            seen = self._seen[endpoint.id] = Observed()
            self._scopes[endpoint.id] = endpoint.scope
        seen.add(at_us, succeeded=succeeded)

    async def run(self) -> None:
        """Write observations down now and then, for ever."""
        while True:
            await asyncio.sleep(_FLUSH_S)
            await self.flush()

    async def flush(self) -> None:
        """Write down what was seen; what cannot be written now is kept for the next time."""
        seen, self._seen = self._seen, {}
        ids = list(seen)
        for start in range(0, len(ids), _LOOKUP_MAX):
            some = ids[start : start + _LOOKUP_MAX]
            try:
                known = {h.id: h for h in await self._store.by_ids(EndpointHealth, some)}
                for endpoint_id in some:
                    await self._weigh(endpoint_id, known.get(endpoint_id), seen[endpoint_id])
            except StoreError as error:
                _log.warning("endpoint health waits for the database: %s", error)
                for endpoint_id in some:
                    self._keep(endpoint_id, seen[endpoint_id])

    def _keep(self, endpoint_id: str, observed: Observed) -> None:
        """For the next time, before what was seen meanwhile."""
        later = self._seen.get(endpoint_id)
        self._seen[endpoint_id] = observed if later is None else observed.then(later)

    async def disable(
        self, endpoint: Endpoint, reason: str, *, cause: str, failing_since_us: int | None = None
    ) -> bool:
        """Disable an endpoint, whatever else is being changed about it; whether we did.

        Its deliveries are parked as they come up, and resumed when it is enabled again.

        Args:
            reason: one line, for people.
            cause: "gone" or "failing".
            failing_since_us: since when there were nothing but failures, where that is the cause.
        """
        more = {"failSince": _moment(failing_since_us), "trigger": "automatic"}
        for _ in range(_TRIES_MAX):
            found = await self._store.by_ids(Endpoint, [endpoint.id])
            if not found or found[0].disabled:
                return False
            now_us = self._clock.now_us()
            disabled = msgspec.structs.replace(
                found[0],
                disabled=True,
                disabled_reason=reason,
                disabled_at_us=now_us,
                updated_at_us=now_us,
                version=found[0].version + 1,
            )
            event = Event.ENDPOINT_DISABLED
            news = await self._herald(event, disabled, disabled.version, more)
            try:
                await self._store.put(disabled, touch=endpoint.scope, also=news)
            except Stale:
                continue
            self._meters.endpoint_disabled(cause)
            _log.error(
                "endpoint disabled: %s; its deliveries are parked until it is enabled",
                reason,
                extra={"endpoint": endpoint.id, "application": endpoint.scope},
            )
            return True
        return False

    async def _weigh(
        self, endpoint_id: str, known: EndpointHealth | None, observed: Observed
    ) -> None:
        now_us = self._clock.now_us()
        before = known or blank_health(self._scopes[endpoint_id], endpoint_id, now_us)
        after, verdict = judge(
            before, observed, at_us=now_us, disable_after_s=self._disable_after_s
        )
        if verdict is Verdict.DISABLE:
            await self._disable_failing(endpoint_id, after)
            after = msgspec.structs.replace(after, failing_since_us=None, warned_at_us=None)
        if after == before:
            return
        news = await self._warning(after) if verdict is Verdict.WARN else ()
        after = msgspec.structs.replace(after, version=before.version + 1, updated_at_us=now_us)
        try:
            await self._store.put(after, also=news)
        except (Stale, Conflict):  # another process wrote it just now; look again next time
            self._keep(endpoint_id, observed)
            return
        if verdict is Verdict.WARN:
            _log.warning(
                "endpoint does nothing but fail since %s; it will be disabled after %.0f s of that",
                _date(after.failing_since_us),
                self._disable_after_s,
                extra={"endpoint": endpoint_id, "application": before.scope},
            )

    async def _warning(self, health: EndpointHealth) -> Sequence[Resource]:
        """What announces that an endpoint will be disabled."""
        since_us = health.failing_since_us
        assert since_us is not None
        for endpoint in await self._store.by_ids(Endpoint, [health.id]):
            if endpoint.disabled:
                continue
            disable_at_us = since_us + round(self._disable_after_s * 1_000_000)
            more = {"failSince": _moment(since_us), "disableAt": _moment(disable_at_us)}
            return await self._herald(Event.ENDPOINT_FAILING, endpoint, since_us, more)
        return ()

    async def _disable_failing(self, endpoint_id: str, health: EndpointHealth) -> None:
        for endpoint in await self._store.by_ids(Endpoint, [endpoint_id]):
            await self.disable(
                endpoint,
                f"nothing but failures since {_date(health.failing_since_us)}",
                cause="failing",
                failing_since_us=health.failing_since_us,
            )


def _moment(at_us: int | None) -> str | None:
    """As timestamps are in the API."""
    if at_us is None:
        return None
    moment = datetime.fromtimestamp(at_us / 1_000_000, UTC)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _date(at_us: int | None) -> str:
    assert at_us is not None
    return datetime.fromtimestamp(at_us / 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
