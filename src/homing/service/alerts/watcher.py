"""Watches: evaluates every few seconds what is the matter, in one process at a time.

Whose turn it is stands in a document with a version. What an evaluation concludes (the alerts as
they are now, the notices that tell of it, whose turn it is) is one transaction over that version,
so two that evaluate at once cannot both conclude, and no crash comes between an alert and its
notice. A watcher that dies leaves its turn to run out, and another goes on with what is stored.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Final, Protocol

import msgspec

from homing.core.errors import Conflict, Stale, StoreError
from homing.core.identifiers import ENTROPY_BYTES, new_id
from homing.core.operational import Announcement, Event, announcement
from homing.core.ports import Chance, Clock
from homing.core.queries import Page
from homing.core.store import Aftermath, Store
from homing.insight.alerts.advance import WATCH, Manners, Step, Watch, advance
from homing.insight.alerts.alert import (
    FAILED,
    PENDING,
    SCOPE,
    SENT,
    Alert,
    Kind,
    Notice,
    Severity,
    Status,
    Told,
)
from homing.insight.alerts.conditions import find
from homing.insight.alerts.minutes import Minutes
from homing.insight.alerts.past import HOUR_US, Profile
from homing.insight.alerts.thresholds import Thresholds
from homing.insight.alerts.wording import document
from homing.insight.ledger import AuditReport
from homing.service.alerts.channel import Channel, NotTaken
from homing.service.alerts.reader import Reader
from homing.service.alerts.signals import Signal
from homing.service.books import Auditor
from homing.service.operational import hidden_application
from homing.service.tokens import DEFAULT_ORG_ID

_log = logging.getLogger("homing.alerts")

NOTICE_PREFIX: Final = "ntc_"
_ALERTS_MAX: Final = 10_000
_PAGE: Final = 1_000
#: how long alerts that are resolved, and notices that are done, can be looked up
_KEPT_US: Final = 7 * 24 * 3_600_000_000
_SWEEP_US: Final = 3_600_000_000
#: how often it is repeated what goes on, to channels that forget what is not repeated
_REFRESH_US: Final = 60_000_000
_REFRESH_S: Final = 10.0
#: the wait after an alert was written by somebody else in the middle of an evaluation
_AGAIN_S: Final = 0.5
#: a turn outlasts so many evaluations
_TURNS: Final = 3


class WatchMeters(Protocol):
    """Counts what the watch does. Must be cheap and must never raise."""

    def alerts_evaluated(self, at_us: int, firing: Mapping[str, int]) -> None:
        """Somebody has evaluated at `at_us`; how many of each kind fire, as far as is known."""

    def notices_pending(self, count: int) -> None: ...


class NoWatchMeters:
    """Counts nothing."""

    def alerts_evaluated(self, at_us: int, firing: Mapping[str, int]) -> None:
        pass

    def notices_pending(self, count: int) -> None:
        pass


class Watcher:
    """Watches for one process, when it has the turn.

    Args:
        holder: names this process among all that ever ran.
        reader: of this process.
        minutes: kept up with this process's audits, also while it is another's turn.
        every_s: seconds between evaluations.
        wake: tells this process's carrier that there are notices.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        chance: Chance,
        holder: str,
        reader: Reader,
        auditor: Auditor,
        minutes: Minutes,
        channels: Sequence[Channel],
        *,
        every_s: float = 15.0,
        thresholds: Thresholds = Thresholds(),  # noqa: B008 (frozen)
        manners: Manners = Manners(),  # noqa: B008 (frozen)
        meters: WatchMeters | None = None,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._chance = chance
        self._holder = holder
        self._reader = reader
        self._auditor = auditor
        self._minutes = minutes
        self._channels = channels
        self._every_s = every_s
        self._thresholds = thresholds
        self._manners = manners
        self._meters = meters or NoWatchMeters()
        self._wake = wake
        self._started_us = clock.now_us()
        self._seen_report: AuditReport | None = None
        self._swept_us: int | None = None
        self._refreshed_us = 0
        self._hour = 0
        #: when somebody last evaluated, by what is stored; None: nobody ever has, as far as known
        self.evaluated_at_us: int | None = None

    @property
    def dead_after_s(self) -> float:
        """For so long nobody may have evaluated before that is a finding in itself."""
        return max(4 * _TURNS * self._every_s / 3, 60.0)

    def is_watched(self) -> bool:
        """Whether somebody evaluates; true in the first moments of a process."""
        since_us = max(self.evaluated_at_us or 0, self._started_us)
        return self._clock.now_us() - since_us <= self.dead_after_s * 1_000_000

    async def run(self) -> None:
        """Evaluate whenever it is this process's turn, for ever."""
        while True:
            try:
                await self.look()
            except (Stale, Conflict):  # somebody has acknowledged or silenced one just now
                await asyncio.sleep(_AGAIN_S)
                continue
            except StoreError as error:
                _log.warning("the watch waits for the database: %s", error)
            await asyncio.sleep(self._every_s)

    async def look(self) -> Step | None:
        """One evaluation, if it is this process's turn; None: it is not, or it is too early."""
        self._keep_minutes()
        watch = await self._watch()
        self.evaluated_at_us = watch.evaluated_at_us or None
        at_us = self._clock.now_us()
        if watch.until_us > at_us and watch.holder != self._holder:
            await self._show(watch)
            return None
        if self._auditor.recent is None and not self._is_audit_overdue(at_us):
            return None  # the books say in a moment what would be resolved now for want of them
        return await self._evaluate(watch)

    def _keep_minutes(self) -> None:
        report = self._auditor.recent
        if report is None or report is self._seen_report:
            return
        self._seen_report = report
        self._minutes.add(report.rows, report.since_us or report.at_us, report.at_us)

    def _is_audit_overdue(self, at_us: int) -> bool:
        return at_us - self._started_us > self._thresholds.audit_missed_s * 1_000_000

    async def _watch(self) -> Watch:
        known = await self._store.get(Watch, *WATCH)
        at_us = self._clock.now_us()
        return known or Watch(
            scope=WATCH[0], id=WATCH[1], version=0, created_at_us=at_us, updated_at_us=at_us
        )

    async def _evaluate(self, watch: Watch) -> Step:
        known = {one.id: one for one in await self._alerts()}
        signals = await self._store.list(Signal, SCOPE, Page(limit=_PAGE))
        pending = await self._store.list(Notice, PENDING, Page(limit=_PAGE))
        readings, stretches = await self._reader.read(
            known, watch.stretches, [one.id for one in signals], pending
        )
        at_us = readings.at_us
        findings = find(readings, self._thresholds)
        step = advance(known, findings, at_us=at_us, watch=watch, manners=self._manners)
        after = msgspec.structs.replace(
            watch,
            version=watch.version + 1,
            updated_at_us=at_us,
            holder=self._holder,
            until_us=at_us + round(_TURNS * self._every_s * 1_000_000),
            evaluated_at_us=at_us,
            page_told_at_us=step.page_told_at_us,
            ticket_told_at_us=step.ticket_told_at_us,
            stretches=tuple(stretches),
        )
        notices = self._notices(step.told, at_us)
        news = await self._announcements(step.told, at_us)
        await self._store.settle_with(
            [],
            lambda _: Aftermath(resource=after, more=step.changed, also=(*notices, *news)),
        )
        self.evaluated_at_us = at_us
        self._say(step.told)
        if notices:
            self._wake()
        now = known | {one.id: one for one in step.changed}
        self._count(now.values(), at_us)
        self._meters.notices_pending(len(pending) + len(notices))
        for one in signals:
            await self._store.delete(one)
        await self._refresh(list(now.values()), at_us)
        await self._sweep(now.values(), at_us)
        return step

    async def _alerts(self) -> list[Alert]:
        found: list[Alert] = []
        while len(found) < _ALERTS_MAX:
            after = found[-1].id if found else None
            some = await self._store.list(Alert, SCOPE, Page(limit=_PAGE, after=after))
            found += some
            if len(some) < _PAGE:
                break
        return found

    async def _show(self, watch: Watch) -> None:
        """What another process concluded, in this one's metrics."""
        self._count(await self._alerts(), watch.evaluated_at_us)

    def _count(self, alerts: Iterable[Alert], at_us: int) -> None:
        firing = dict.fromkeys(map(str, Kind), 0)
        for one in alerts:
            firing[str(one.finding.kind)] += one.status is Status.FIRING
        self._meters.alerts_evaluated(at_us, firing)

    # --- telling ---

    def _notices(self, told: tuple[Told, ...], at_us: int) -> tuple[Notice, ...]:
        """One for each channel."""
        if not told:
            return ()
        return tuple(
            Notice(
                scope=PENDING,
                id=new_id(NOTICE_PREFIX, at_us, self._chance.entropy(ENTROPY_BYTES)),
                created_at_us=at_us,
                updated_at_us=at_us,
                channel=channel.id,
                alerts=told,
            )
            for channel in self._channels
        )

    async def _announcements(self, told: Sequence[Told], at_us: int) -> tuple[Announcement, ...]:
        """For the operational webhooks of those who asked for any."""
        listening: dict[str, bool] = {}
        found = []
        for one in told:
            org_id = one.finding.org_id or DEFAULT_ORG_ID
            if org_id not in listening:
                hidden = await hidden_application(self._store, org_id)
                listening[org_id] = hidden is not None
            if not listening[org_id]:
                continue
            is_over = one.status is Status.RESOLVED
            event = Event.ALERT_RESOLVED if is_over else Event.ALERT_FIRING
            event_id = f"{event}.{one.alert_id}.{at_us}"
            found.append(announcement(org_id, event, document(one), event_id=event_id, at_us=at_us))
        return tuple(found)

    @staticmethod
    def _say(told: Sequence[Told]) -> None:
        """In the service's own log, whatever channels there are."""
        for one in told:
            is_page = one.finding.severity is Severity.PAGE
            level = logging.CRITICAL if is_page else logging.WARNING
            if one.status is Status.RESOLVED:
                level = logging.INFO
            _log.log(
                level,
                "alert %s: %s",
                "is resolved" if one.status is Status.RESOLVED else "fires",
                one.finding.what,
                extra={"alert": one.alert_id},
            )

    async def _refresh(self, alerts: Sequence[Alert], at_us: int) -> None:
        if at_us - self._refreshed_us < _REFRESH_US:
            return
        self._refreshed_us = at_us
        firing = [
            Told(alert_id=a.id, status=a.status, finding=a.finding, fired_at_us=a.fired_at_us)
            for a in alerts
            if a.status is Status.FIRING and a.told_at_us is not None and not a.is_silent(at_us)
        ]
        for channel in self._channels:
            with suppress(NotTaken, TimeoutError):  # the notices say what does not come through
                async with asyncio.timeout(_REFRESH_S):
                    await channel.refresh(firing, at_us=at_us)

    # --- keeping house ---

    async def _sweep(self, alerts: Iterable[Alert], at_us: int) -> None:
        """Write the hour that has ended, and forget what is old; once an hour each."""
        hour = (at_us - HOUR_US // 12) // HOUR_US
        if hour != self._hour:
            await self._write_past(at_us)
            self._hour = hour
        if self._swept_us is not None and at_us - self._swept_us < _SWEEP_US:
            return
        self._swept_us = at_us
        for alert in alerts:
            if alert.resolved_at_us is not None and at_us - alert.resolved_at_us > _KEPT_US:
                await self._store.delete(alert)
        for scope in (SENT, FAILED):
            for notice in await self._store.list(Notice, scope, Page(limit=_PAGE)):
                if at_us - (notice.finished_at_us or 0) > _KEPT_US:
                    await self._store.delete(notice)

    async def _write_past(self, at_us: int) -> None:
        found = await self._store.list(Profile, None, Page(limit=_PAGE))
        stored = {one.scope: one for one in found}
        for profile in self._reader.profiles_after(stored, at_us):
            with suppress(Stale, Conflict):  # written by the watch before this one
                await self._store.put(profile)
