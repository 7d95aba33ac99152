"""Reads how things stand, for the conditions: bounded look-ups, each along an index."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Final

import msgspec

from homing.core.health import EndpointHealth
from homing.core.identifiers import DeliveryId
from homing.core.lifecycle import State
from homing.core.operational import is_hidden
from homing.core.ports import Clock
from homing.core.queries import (
    AttemptFilter,
    Backlog,
    DeliveryFilter,
    MessageFilter,
    Page,
    Span,
)
from homing.core.resources import Application, Endpoint
from homing.core.store import Store
from homing.insight.alerts import readings as reading
from homing.insight.alerts.alert import PENDING, Alert, Kind, Notice, Status
from homing.insight.alerts.change import Change
from homing.insight.alerts.minutes import MINUTE_US, Minutes
from homing.insight.alerts.past import HOUR_US, Profile, hour_of, silence, with_hour
from homing.insight.alerts.readings import Readings
from homing.insight.alerts.stretches import Stretch
from homing.insight.alerts.thresholds import Thresholds
from homing.service.alerts.books import Bookkeeper
from homing.service.alerts.piles import Piles, Worth, name_of, no_money
from homing.service.books import Auditor

#: deliveries looked at to see whose are late
_LATE_MAX: Final = 1_000
_PARKED_MAX: Final = 1_001
#: unfinished deliveries looked at for examples of what is due and in no lane
_UNSEEN_MAX: Final = 200
_EXAMPLES: Final = 3
#: applications whose past is kept
_PROFILES_MAX: Final = 1_000

Burns = Callable[[int], Awaitable[Sequence[reading.Burn]]]


async def no_burns(_: int) -> Sequence[reading.Burn]:
    """Where there are no objectives."""
    return ()


class Reader:
    """Reads for one process.

    Args:
        auditor: of this process.
        minutes: what its audits counted.
        disable_after_s: as the keeper of endpoints' health has it; infinite: never.
        worth: what dead letters are worth.
        burns: objectives whose budget is spent too fast, at a time.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        auditor: Auditor,
        minutes: Minutes,
        *,
        thresholds: Thresholds,
        disable_after_s: float,
        worth: Worth = no_money,
        burns: Burns = no_burns,
    ) -> None:
        self._store = store
        self._clock = clock
        self._auditor = auditor
        self._minutes = minutes
        self._thresholds = thresholds
        self._disable_after_s = disable_after_s
        self._burns = burns
        self._books = Bookkeeper(store, clock, auditor)
        self._piles = Piles(store, clock, thresholds, worth)
        self._started_at_us = clock.now_us()
        self._profiles_known: list[Profile] | None = None
        self._profiles_due_us = 0
        self._rises: list[tuple[str, str, Change]] = []
        self._rises_of: int | None = None

    async def read(
        self,
        known: Mapping[str, Alert],
        stretches: Sequence[Stretch],
        signalled: Iterable[str],
        pending: Sequence[Notice],
    ) -> tuple[Readings, Sequence[Stretch]]:
        """Everything, at this moment; and the stretches of time that do not balance.

        Args:
            known: alerts by id.
            stretches: that did not balance before.
            signalled: endpoints that something was heard of.
            pending: notices that no channel has taken yet.
        """
        at_us = self._clock.now_us()
        missing, open_still = await self._books.read(stretches)
        recent = self._auditor.recent
        piles, money = await self._piles.read(at_us)
        failures = await self._failures()
        lanes = await self._lanes(at_us)
        backlog_at_us, backlog, unseen = await self._backlog(at_us, lanes)
        return Readings(
            at_us=at_us,
            audited_at_us=recent.at_us if recent else None,
            started_at_us=self._started_at_us,
            missing=missing,
            backlog=backlog,
            backlog_at_us=backlog_at_us,
            unseen=unseen,
            accepted_per_s=self._minutes.accepted_per_s(),
            lanes=lanes,
            endpoints=await self._endpoints({*signalled, *_endpoints_of(known)}),
            dead=tuple(piles),
            money=tuple(money),
            failures=failures,
            steady_endpoints=max(self._minutes.endpoints - len(failures), 0),
            silences=await self._silences(at_us),
            burns=tuple(await self._burns(at_us)),
            channels=tuple(_troubles(pending)),
        ), open_still

    # --- what is late ---

    async def _lanes(self, at_us: int) -> tuple[reading.Lane, ...]:
        lanes = await self._store.due_lanes(self._late_before(at_us), limit=_LATE_MAX)
        if not lanes:
            return ()
        ids = [one.endpoint_id for one in lanes]
        endpoints = {one.id: one for one in await self._store.by_ids(Endpoint, ids)}
        apps = await self._applications(one.app_id for one in lanes)
        health = {one.id: one for one in await self._store.by_ids(EndpointHealth, ids)}
        found = []
        for lane in lanes:
            endpoint, app = endpoints.get(lane.endpoint_id), apps.get(lane.app_id)
            limits = [
                x for one in (endpoint, app) if one for x in (one.rate_limit, one.concurrency_limit)
            ]
            ill = health.get(lane.endpoint_id)
            found.append(
                reading.Lane(
                    org_id=app.scope if app else "",
                    app_id=lane.app_id,
                    endpoint_id=lane.endpoint_id,
                    count=lane.count,
                    due_at_us=lane.ready_at_us,
                    is_limited=any(limit is not None for limit in limits),
                    is_failing=ill is not None and ill.failing_since_us is not None,
                )
            )
        late = [place for place, one in enumerate(found) if not (one.is_limited or one.is_failing)]
        for place in late[:_EXAMPLES]:
            found[place] = await self._with_examples(found[place])
        return tuple(found)

    async def _backlog(
        self, at_us: int, lanes: Sequence[reading.Lane]
    ) -> tuple[int, Backlog | None, tuple[str, ...]]:
        """When it was counted, the backlog, and examples of what is due in it but in no lane.

        As a rule the latest audit's count. Where that says that something has been due for too
        long, and no lane has it, it is counted anew: it may have been sent since the audit.
        """
        latest = self._auditor.looks[-1] if self._auditor.looks else None
        if latest is None:
            return 0, None, ()
        oldest_us, late_us = latest[1].oldest_due_at_us, self._late_before(at_us)
        if lanes or oldest_us is None or oldest_us >= late_us:
            return *latest, ()
        backlog = await self._store.backlog(at_us)
        if backlog.oldest_due_at_us is None or backlog.oldest_due_at_us >= late_us:
            return at_us, backlog, ()
        which = DeliveryFilter(states=(State.WAITING, State.LEASED))
        first = await self._store.deliveries(which, Page(limit=_UNSEEN_MAX))
        due = [one for one in first if (one.ready_at_us or at_us) < late_us]
        return at_us, backlog, tuple(str(one.id) for one in due[:_EXAMPLES])

    def _late_before(self, at_us: int) -> int:
        """What was due before has been due for too long."""
        return at_us - round(self._thresholds.late_s * 1_000_000)

    async def _with_examples(self, lane: reading.Lane) -> reading.Lane:
        """With its oldest deliveries by name."""
        states = (State.WAITING, State.LEASED)
        which = DeliveryFilter(endpoint_id=lane.endpoint_id, states=states)
        first = await self._store.deliveries(which, Page(limit=_EXAMPLES))
        return msgspec.structs.replace(lane, examples=tuple(str(one.id) for one in first))

    # --- endpoints ---

    async def _endpoints(self, ids: set[str]) -> tuple[reading.Endpoint, ...]:
        if not ids:
            return ()
        endpoints = await self._store.by_ids(Endpoint, sorted(ids))
        health = {one.id: one for one in await self._store.by_ids(EndpointHealth, sorted(ids))}
        return tuple([await self._endpoint(one, health.get(one.id)) for one in endpoints])

    async def _endpoint(self, one: Endpoint, health: EndpointHealth | None) -> reading.Endpoint:
        parked = []
        if one.disabled:
            which = DeliveryFilter(endpoint_id=one.id, states=(State.PARKED,))
            parked = await self._store.deliveries(which, Page(limit=_PARKED_MAX))
        since_us = health.failing_since_us if health and health.warned_at_us else None
        disable_us = self._disable_after_s * 1_000_000
        return reading.Endpoint(
            org_id=one.org_id,
            app_id=one.scope,
            id=one.id,
            name=name_of(one, one.id),
            disabled_at_us=one.disabled_at_us if one.disabled else None,
            disabled_reason=one.disabled_reason or "",
            failing_since_us=since_us,
            disable_at_us=None if since_us is None else round(since_us + disable_us),
            parked=len(parked),
            examples=tuple(str(delivery.id) for delivery in parked[:_EXAMPLES]),
        )

    # --- what changed ---

    async def _failures(self) -> tuple[reading.FailureChange, ...]:
        latest_us = self._minutes.observed[-1] if self._minutes.observed else None
        if latest_us != self._rises_of:
            self._rises_of = latest_us
            # A thousand series take a moment, which nobody's delivery should wait for.
            self._rises = await asyncio.to_thread(lambda: list(self._minutes.rises()))
        if not self._rises:
            return ()
        apps = await self._applications(app_id for app_id, _, _ in self._rises)
        endpoints = await self._known_endpoints(one for _, one, _ in self._rises)
        found = []
        for app_id, endpoint_id, change in self._rises:
            app, endpoint = apps.get(app_id), endpoints.get(endpoint_id)
            if app is None or endpoint is None or is_hidden(app.scope) or endpoint.disabled:
                continue
            failed = await self._failed_since(endpoint_id, change.low_us)
            if failed < change.count / 2:
                continue  # not delivered yet because nobody tried: no failure of the receiver
            found.append(
                reading.FailureChange(
                    org_id=app.scope,
                    app_id=app_id,
                    endpoint_id=endpoint_id,
                    name=name_of(endpoint, endpoint_id),
                    change=change,
                    examples=await self._first_failed(app_id, endpoint_id, change.low_us),
                )
            )
        return tuple(found)

    async def _failed_since(self, endpoint_id: str, since_us: int) -> int:
        counts = await self._store.attempt_counts(endpoint_id, Span(since_us=since_us))
        return sum(count for reason, count in counts.items() if reason != "ok")

    async def _first_failed(self, app_id: str, endpoint_id: str, since_us: int) -> tuple[str, ...]:
        which = AttemptFilter(
            app_id=app_id, endpoint_id=endpoint_id, succeeded=False, span=Span(since_us=since_us)
        )
        found = await self._store.attempts(which, Page(limit=_EXAMPLES))
        return tuple(str(DeliveryId(one.message_id, one.endpoint_id)) for one in found)

    # --- silence ---

    async def _silences(self, at_us: int) -> tuple[reading.Silence, ...]:
        found = []
        for profile in await self._profiles():
            if at_us - profile.last_at_us < 15 * MINUTE_US:
                continue
            if silence(profile, last_at_us=profile.last_at_us, at_us=at_us) is None:
                continue
            newest = await self._store.messages(
                MessageFilter(app_id=profile.scope), Page(limit=1, descending=True)
            )
            last_us = newest[0].accepted_at_us if newest else profile.last_at_us
            expectation = silence(profile, last_at_us=last_us, at_us=at_us)
            apps = await self._applications([profile.scope])
            app = apps.get(profile.scope)
            if expectation is None or app is None or is_hidden(app.scope):
                continue
            found.append(
                reading.Silence(
                    org_id=app.scope,
                    app_id=app.id,
                    name=app.uid or app.name,
                    last_at_us=last_us,
                    last_message_id=newest[0].id if newest else "",
                    expected=expectation.count,
                    gap_past_s=expectation.pause_s,
                )
            )
        return tuple(found)

    async def _profiles(self) -> list[Profile]:
        """Of every application, with what this process has seen since they were written."""
        now_us = self._clock.mono_us()
        if self._profiles_known is None or now_us >= self._profiles_due_us:
            self._profiles_due_us = now_us + 5 * MINUTE_US
            self._profiles_known = await self._store.list(Profile, None, Page(limit=_PROFILES_MAX))
        stored = self._profiles_known
        seen = self._minutes.traffic()
        return [
            msgspec.structs.replace(
                one, last_at_us=max(one.last_at_us, max(seen.get(one.scope, {}), default=0))
            )
            for one in stored
        ]

    def profiles_after(self, stored: Mapping[str, Profile], at_us: int) -> list[Profile]:
        """Profiles with the hour that ended last, where they do not have it yet."""
        self._profiles_known = None
        hour = (at_us - 5 * MINUTE_US) // HOUR_US - 1
        seen = self._minutes.traffic()
        after = []
        room = _PROFILES_MAX - len(stored)
        for app_id in [*stored, *sorted(seen.keys() - stored.keys())[: max(room, 0)]]:
            known = stored.get(app_id)
            minutes = seen.get(app_id, {})
            what = hour_of(minutes, list(self._minutes.observed), hour)
            if what is None or (known is not None and hour in known.hours):
                continue
            base = known or Profile(
                scope=app_id, id="traffic", version=0, created_at_us=at_us, updated_at_us=at_us
            )
            last_us = max(base.last_at_us, max(minutes, default=0))
            grown = with_hour(base, hour, what)
            after.append(
                msgspec.structs.replace(
                    grown, version=base.version + 1, updated_at_us=at_us, last_at_us=last_us
                )
            )
        return after

    # --- names ---

    async def _applications(self, ids: Iterable[str]) -> dict[str, Application]:
        wanted = list(dict.fromkeys(ids))
        found = await self._store.by_ids(Application, wanted) if wanted else []
        return {one.id: one for one in found}

    async def _known_endpoints(self, ids: Iterable[str]) -> dict[str, Endpoint]:
        wanted = list(dict.fromkeys(ids))
        found = await self._store.by_ids(Endpoint, wanted) if wanted else []
        return {one.id: one for one in found}


def _endpoints_of(known: Mapping[str, Alert]) -> Iterable[str]:
    """Endpoints whose state an open alert is about."""
    for alert in known.values():
        if alert.status is Status.FIRING and alert.finding.kind in (
            Kind.ENDPOINT_DISABLED,
            Kind.ENDPOINT_FAILING,
        ):
            yield alert.finding.subject


def _troubles(pending: Sequence[Notice]) -> Iterable[reading.ChannelTrouble]:
    assert all(one.scope == PENDING for one in pending)
    for channel in dict.fromkeys(one.channel for one in pending):
        own = [one for one in pending if one.channel == channel]
        tried = [one for one in own if one.tries]
        if tried:
            yield reading.ChannelTrouble(
                channel=channel,
                since_us=min(one.created_at_us for one in own),
                waiting=len(own),
                error=tried[-1].error or "no answer",
            )
