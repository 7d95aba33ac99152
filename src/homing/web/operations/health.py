"""Is it alive, can it work, and what does it count."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from homing.core.errors import StoreError
from homing.service.context import Service
from homing.web.operation import NO_CONTENT, Answer, Call, Operation, answer, operation
from homing.web.schemas import NoQuery, Schema, Timestamp, rfc3339

_TAG: Final = "Health"

#: a delivery that is due is normally taken at once; this late, dispatching does not keep up
LATE_S: Final = 60.0

METRICS_TYPE: Final = b"text/plain; version=0.0.4; charset=utf-8"


class Vitals(msgspec.Struct, frozen=True, kw_only=True):
    """What this process knows of itself. None: it has no such part."""

    stopping: bool = False  #: no new work, please
    dispatching: bool | None = None  #: its dispatcher runs
    accepting: str | None = None  #: why it takes no messages at the moment
    #: since when something has been due that neither a limit nor a breaker holds back
    late_since_us: int | None = None
    balanced: bool | None = None  #: what the latest audit found
    unaccounted: int = 0  #: deliveries that the latest audit could not place
    audited_at_us: int | None = None
    watched: bool | None = None  #: some process looks whether anything deserves an alert
    watched_at_us: int | None = None  #: when one last did


class PartOut(Schema, kw_only=True):
    """How one part is."""

    status: str  # "ok" or "error"
    detail: str | None = None


class HealthOut(Schema, kw_only=True):
    """How the parts are; in the shape that Svix's server has."""

    status: str
    database: PartOut
    queue: PartOut
    cache: PartOut
    alerts: PartOut  # beyond Svix; it does not count for `status`: deliveries go on without


class AuditOut(Schema, kw_only=True):
    """What the latest audit found."""

    balanced: bool | None
    unaccounted: int
    audited_at: Timestamp | None


class ReadyOut(Schema, kw_only=True):
    """Whether to send requests here.

    `status` is "ready"; "degraded" when it works but deliveries are late, the books do not
    balance or nobody watches for alerts; "unready" when it cannot accept messages or nobody
    delivers them (the response is 503).
    """

    status: str
    accepting: PartOut
    dispatching: PartOut
    oldest_due_age_s: float
    late: bool
    audit: AuditOut
    alerts: PartOut


def health_operations(
    service: Service, vitals: Callable[[], Vitals], metrics: Callable[[], bytes]
) -> tuple[Operation, ...]:
    """These operations look at this process, so they are made for it."""

    async def database() -> PartOut:
        try:
            await service.store.ping()
        except StoreError as error:
            return PartOut(status="error", detail=str(error))
        return PartOut(status="ok")

    def dispatching() -> PartOut:
        if vitals().dispatching is False:
            return PartOut(status="error", detail="this process's dispatcher does not run")
        return PartOut(status="ok")

    async def health(call: Call[NoQuery, None]) -> Answer:
        part = await database()
        queue = dispatching()
        is_well = part.status == queue.status == "ok"
        out = HealthOut(
            status="ok" if is_well else "error",
            database=part,
            queue=queue,
            cache=PartOut(status="ok"),
            alerts=_watched(vitals()),
        )
        return answer(200 if is_well else 500, out)

    async def alive(call: Call[NoQuery, None]) -> Answer:
        return NO_CONTENT

    async def live(call: Call[NoQuery, None]) -> Answer:
        return answer(200, PartOut(status="ok"))

    async def ready(call: Call[NoQuery, None]) -> Answer:
        accepting = await _accepting(database, vitals())
        known = vitals()
        age_s = await _oldest_due_age_s(service, known)
        out = ReadyOut(
            status="ready",
            accepting=accepting,
            dispatching=dispatching(),
            oldest_due_age_s=age_s,
            late=age_s > LATE_S,
            audit=AuditOut(
                balanced=known.balanced,
                unaccounted=known.unaccounted,
                audited_at=None if known.audited_at_us is None else rfc3339(known.audited_at_us),
            ),
            alerts=_watched(known),
        )
        if out.late or known.balanced is False or known.watched is False:
            out.status = "degraded"
        if out.accepting.status != "ok" or out.dispatching.status != "ok":
            out.status = "unready"
        return answer(503 if out.status == "unready" else 200, out)

    async def show_metrics(call: Call[NoQuery, None]) -> Answer:
        return Answer(200, metrics(), METRICS_TYPE)

    healthy: dict[int, Any] = {200: HealthOut, 500: HealthOut}
    made = [
        _public("GET", "/health", "v1.health.get", "Are the parts well?", healthy)(health),
        _public("HEAD", "/health", "v1.health.head", "Are the parts well?", {200: None})(health),
        _public("GET", "/health/ping", "v1.health.ping", "Is it alive?", {204: None})(alive),
        _public("HEAD", "/health/ping", "v1.health.ping-head", "Is it alive?", {204: None})(alive),
        _public("GET", "//health", "live", "Is it alive?", {200: PartOut})(live),
        _public("HEAD", "//health", "live-head", "Is it alive?", {200: None})(live),
        _public(
            "GET",
            "//ready",
            "ready",
            "Can it accept, and does somebody deliver?",
            {200: ReadyOut, 503: ReadyOut},
        )(ready),
        _public("HEAD", "//ready", "ready-head", "The same", {200: None, 503: None})(ready),
        operation(
            "GET",
            "//metrics",
            "metrics",
            "What it counts, for Prometheus",
            tag=_TAG,
            answers={200: str},
            public=True,
            content_types=("text/plain",),
        )(show_metrics),
    ]
    return tuple(made)


def _public(
    method: str, path: str, id: str, summary: str, answers: dict[int, Any]
) -> Callable[[Any], Operation]:
    return operation(method, path, id, summary, tag=_TAG, answers=answers, public=True)


def _watched(known: Vitals) -> PartOut:
    if known.watched is not False:
        return PartOut(status="ok")
    since = "ever" if known.watched_at_us is None else f"since {rfc3339(known.watched_at_us)}"
    detail = f"nobody has looked whether anything deserves an alert {since}"
    return PartOut(status="error", detail=detail)


async def _accepting(database: Callable[[], Any], known: Vitals) -> PartOut:
    if known.stopping:
        return PartOut(status="error", detail="it is stopping")
    if known.accepting is not None:
        return PartOut(status="error", detail=known.accepting)
    part: PartOut = await database()
    return part


async def _oldest_due_age_s(service: Service, known: Vitals) -> float:
    """How long something has been due; what its own limit or breaker holds back is not late."""
    oldest_us = known.late_since_us
    if oldest_us is None:  # nobody dispatches here
        try:
            oldest_us = await service.store.next_ready_at_us()
        except StoreError:
            return 0.0
    if oldest_us is None:
        return 0.0
    return max(service.clock.now_us() - oldest_us, 0) / 1_000_000
