"""What pages say of endpoints. Everything is read up to a bound, and it says where that was met."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from fractions import Fraction
from typing import Final, NamedTuple

import msgspec

from homing.core.health import EndpointHealth
from homing.core.queries import Page
from homing.core.resources import Application, Endpoint
from homing.core.watching import Failure, Load, Slice
from homing.insight.endpoints import Condition, added, condition, edges, percentiles, share_of
from homing.service.applications import find_application
from homing.service.context import Service
from homing.service.listing import Ask, Listing, is_id, paginate
from homing.service.operational import find_traffic_endpoint
from homing.service.tokens import Caller

_HOUR_US: Final = 3_600_000_000
#: how far back a recovery reaches, see `replays`
RECOVERED_US: Final = 14 * 24 * _HOUR_US
#: where each count of a list's line stops
LISTED_MOST: Final = 500
#: endpoints that once failed, and those that fail now, that a list looks at beyond its page
HEALTHS_MAX: Final = 1_000
FAILING_MAX: Final = 10
#: where each count of one endpoint's page stops
MOST: Final = 10_000
#: attempts of each stretch of time that are counted, and whose times are looked at
COUNTED: Final = 1_000
SAMPLED: Final = 60
#: failed attempts that are told apart by what went wrong
FAILURES_MOST: Final = 2_000
PERCENTILES: Final = (0.5, 0.95, 0.99)


class Range(NamedTuple):
    """How far a page looks back."""

    key: str
    label: str
    slice_us: int
    slices: int

    @property
    def length_us(self) -> int:
        return self.slice_us * self.slices


RANGES: Final = (
    Range("1h", "Last hour", 120_000_000, 30),
    Range("24h", "Last 24 hours", _HOUR_US, 24),
    Range("7d", "Last 7 days", 6 * _HOUR_US, 28),
)


class EndpointLine(msgspec.Struct, frozen=True, kw_only=True):
    """One endpoint among many."""

    endpoint: Endpoint
    application: Application | None  #: None: it was removed just now
    load: Load
    condition: Condition
    succeeded: Fraction | None  #: the share of the newest attempts of the last hour
    backlog: int  #: waiting, under way or parked


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """How one endpoint was over a stretch of time."""

    range: Range
    slices: Sequence[Slice]
    succeeded: Fraction | None
    attempts: int
    is_capped: bool  #: more were made than were counted
    #: p50, p95 and p99, microseconds; None: nothing was attempted
    percentiles: Sequence[int] | None
    failures: Sequence[Failure]

    def percentiles_of(self, one: Slice) -> Sequence[int] | None:
        """Those of one slice."""
        return percentiles([one], PERCENTILES)


class EndpointView(msgspec.Struct, frozen=True, kw_only=True):
    """One endpoint's page."""

    application: Application
    endpoint: Endpoint
    load: Load
    condition: Condition
    failing_since_us: int | None
    health: Health


async def list_lines(
    service: Service, caller: Caller, ask: Ask, *, app: str | None = None, text: str = ""
) -> Listing[EndpointLine]:
    """Endpoints of an application or of the whole organisation, by id, with how they are.

    Args:
        text: a part of the URL, description, id or uid, whatever the case; "": all.

    Raises:
        NotFound: no such application.
    """
    scope = None if app is None else (await find_application(service, caller, app)).id
    asked = text.strip().lower()

    def keep(endpoint: Endpoint) -> bool:
        if endpoint.org_id != caller.org_id:
            return False
        words = (endpoint.url, endpoint.description, endpoint.id, endpoint.uid or "")
        return not asked or any(asked in word.lower() for word in words)

    async def fetch(page: Page) -> list[Endpoint]:
        return await service.store.list(Endpoint, scope, page)

    found = await paginate(
        fetch, lambda endpoint: endpoint.id, ask, is_name=is_id("ep_"), keep=keep
    )
    lines = {line.endpoint.id: line for line in await _lines(service, found.data)}
    return found.map(lambda endpoint: lines[endpoint.id])


async def list_failing(
    service: Service, caller: Caller, *, app: str | None = None
) -> list[EndpointLine]:
    """Endpoints that have done nothing but fail since some time, the longest first.

    Of the newest that ever failed, `HEALTHS_MAX` are looked at, and at most `FAILING_MAX` told.

    Raises:
        NotFound: no such application.
    """
    scope = None if app is None else (await find_application(service, caller, app)).id
    page = Page(limit=HEALTHS_MAX, descending=True)
    healths = await service.store.list(EndpointHealth, scope, page)
    since = {one.id: one.failing_since_us for one in healths if one.failing_since_us is not None}
    found = await service.store.by_ids(Endpoint, list(since))
    own = [one for one in found if one.org_id == caller.org_id and not one.disabled]
    own.sort(key=lambda one: since[one.id] or 0)
    return await _lines(service, own[:FAILING_MAX])


async def _lines(service: Service, endpoints: Sequence[Endpoint]) -> list[EndpointLine]:
    if not endpoints:
        return []
    ids = [endpoint.id for endpoint in endpoints]
    apps, healths, loads = await asyncio.gather(
        service.store.by_ids(Application, sorted({one.scope for one in endpoints})),
        service.store.by_ids(EndpointHealth, ids),
        _loads(service, endpoints, LISTED_MOST),
    )
    by_id = {application.id: application for application in apps}
    failing = {health.id: health.failing_since_us for health in healths}
    return [
        EndpointLine(
            endpoint=one,
            application=by_id.get(one.scope),
            load=loads[one.id],
            condition=_condition(service, one, loads[one.id], failing.get(one.id)),
            succeeded=share_of(loads[one.id].attempts),
            backlog=loads[one.id].waiting + loads[one.id].leased + loads[one.id].parked,
        )
        for one in endpoints
    ]


async def _loads(service: Service, endpoints: Sequence[Endpoint], most: int) -> dict[str, Load]:
    at_us = service.clock.now_us()
    return await service.store.loads(
        [(one.scope, one.id) for one in endpoints],
        since_us=at_us - _HOUR_US,
        accepted_us=at_us - RECOVERED_US,
        most=most,
    )


def _condition(
    service: Service, endpoint: Endpoint, load: Load, failing_since_us: int | None
) -> Condition:
    return condition(
        load,
        disabled=endpoint.disabled,
        failing_since_us=failing_since_us,
        breaker_open=service.breaker_is_open(endpoint.id),
    )


async def endpoint_load(service: Service, caller: Caller, app: str, name: str) -> Load:
    """What lies before one endpoint.

    Raises:
        NotFound: no such application or endpoint.
    """
    _, endpoint = await find_traffic_endpoint(service, caller, app, name)
    return (await _loads(service, [endpoint], MOST))[endpoint.id]


async def endpoint_view(
    service: Service, caller: Caller, app: str, name: str, *, range_key: str = ""
) -> EndpointView:
    """How one endpoint is, and was.

    Args:
        range_key: of `RANGES`; anything else means the second.

    Raises:
        NotFound: no such application or endpoint.
    """
    application, endpoint = await find_traffic_endpoint(service, caller, app, name)
    range = next((one for one in RANGES if one.key == range_key), RANGES[1])
    loads, healths, health = await asyncio.gather(
        _loads(service, [endpoint], MOST),
        service.store.by_ids(EndpointHealth, [endpoint.id]),
        _health(service, endpoint, range),
    )
    load = loads[endpoint.id]
    failing_since_us = healths[0].failing_since_us if healths else None
    return EndpointView(
        application=application,
        endpoint=endpoint,
        load=load,
        condition=_condition(service, endpoint, load, failing_since_us),
        failing_since_us=failing_since_us,
        health=health,
    )


async def _health(service: Service, endpoint: Endpoint, range: Range) -> Health:
    at_us = service.clock.now_us()
    ends = edges(until_us=at_us, slice_us=range.slice_us, count=range.slices)
    slices, failures = await asyncio.gather(
        service.store.slices(endpoint.id, ends, counted=COUNTED, sampled=SAMPLED),
        service.store.failures(endpoint.id, ends[0], most=FAILURES_MOST),
    )
    counts = added(slices)
    return Health(
        range=range,
        slices=slices,
        succeeded=share_of(counts),
        attempts=sum(counts.values()),
        is_capped=any(sum(one.counts.values()) >= COUNTED for one in slices),
        percentiles=percentiles(slices, PERCENTILES),
        failures=failures,
    )
