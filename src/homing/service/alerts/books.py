"""Reads what the books cannot place, for as long as they cannot place it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Final

from homing.core.identifiers import made_at_us
from homing.core.ports import Clock
from homing.core.queries import LedgerRow, Misfit
from homing.core.resources import Application, Endpoint
from homing.core.store import Store
from homing.insight.alerts.change import Change, Window, find_rise
from homing.insight.alerts.readings import Missing
from homing.insight.alerts.stretches import Stretch, joined
from homing.insight.ledger import AuditReport, imbalance
from homing.service.alerts.worth import declared
from homing.service.books import Auditor, audit

MINUTE_US: Final = 60_000_000
#: how often a stretch is counted again: while it is young, and when it is not
_AGAIN_US: Final = (MINUTE_US, 10 * MINUTE_US)
_YOUNG_US: Final = 60 * MINUTE_US
#: messages that are read for what they declare: each may be a megabyte
_LOOKED_AT_MAX: Final = 100
#: log-likelihood ratio from which on a beginning is named. The drops themselves are certain, so
#: this only says when they began: a chance of one in 55
_BEGAN_LEAST: Final = 4.0


class Bookkeeper:
    """Counts again what did not balance.

    Args:
        auditor: of this process.
    """

    def __init__(self, store: Store, clock: Clock, auditor: Auditor) -> None:
        self._store = store
        self._clock = clock
        self._auditor = auditor
        self._counted: dict[Stretch, tuple[int, AuditReport]] = {}
        self._told_of: tuple[tuple[int, int], ...] = ()
        self._told: tuple[Missing, ...] = ()

    async def read(self, known: Sequence[Stretch]) -> tuple[tuple[Missing, ...], Sequence[Stretch]]:
        """What is missing now, by organisation, and the stretches that do not balance.

        Args:
            known: that did not balance before, whoever found them.
        """
        new = [(bad.since_us or 0, bad.until_us) for bad in self._auditor.bad]
        reports: list[AuditReport] = []
        open_still: list[Stretch] = []
        for stretch in joined(known, new):
            report = await self._count(stretch)
            if not report.is_balanced:
                reports.append(report)
                open_still.append(stretch)
        self._counted = {one: self._counted[one] for one in open_still}
        return await self._missing(reports), open_still

    async def _count(self, stretch: Stretch) -> AuditReport:
        now_us = self._clock.now_us()
        known = self._counted.get(stretch)
        again_us = _AGAIN_US[stretch[1] < now_us - _YOUNG_US]
        if known is not None and now_us - known[0] < again_us:
            return known[1]
        since_us, until_us = stretch
        report = await audit(
            self._store, self._clock, since_us=since_us, until_us=until_us, window_s=60
        )
        self._counted[stretch] = (now_us, report)
        return report

    async def _missing(self, reports: Sequence[AuditReport]) -> tuple[Missing, ...]:
        key = tuple((report.since_us or 0, report.at_us) for report in reports)
        if key != self._told_of:
            self._told = await self._describe(reports) if reports else ()
            self._told_of = key
        return self._told

    async def _describe(self, reports: Sequence[AuditReport]) -> tuple[Missing, ...]:
        misfits = [one for report in reports for one in report.misfits]
        rows = [row for report in reports for row in report.rows]
        count = sum(report.unaccounted for report in reports)
        span = (
            min(report.since_us or 0 for report in reports),
            max(report.until_us for report in reports),
        )
        by_org = await self._by_org(misfits)
        is_single = len(by_org) == 1
        return tuple(
            [
                _missing(
                    org_id,
                    found,
                    # the report may count more than it names; a single owner owns all of them
                    count=max(count, len(found)) if is_single else len(found),
                    accepted=sum(row.accepted for row in rows),
                    span=span,
                    began=_began(rows, misfits) if is_single else None,
                    money=await self._declared(org_id, found),
                )
                for org_id, found in sorted(by_org.items())
            ]
        )

    async def _by_org(self, misfits: Sequence[Misfit]) -> dict[str, list[Misfit]]:
        """By organisation; of what nobody can be named for, with an empty one."""
        endpoint_ids = list({one.delivery.endpoint_id for one in misfits} - {""})
        found = await self._store.by_ids(Endpoint, endpoint_ids) if endpoint_ids else []
        orgs = {one.id: one.org_id for one in found}
        by_org: dict[str, list[Misfit]] = defaultdict(list)
        lost: list[Misfit] = []
        for one in misfits:
            if one.delivery.endpoint_id in orgs:
                by_org[orgs[one.delivery.endpoint_id]].append(one)
            else:
                lost.append(one)
        for one, org_id in zip(lost, await self._orgs_of_messages(lost), strict=True):
            by_org[org_id].append(one)
        return by_org or {"": []}

    async def _orgs_of_messages(self, lost: Sequence[Misfit]) -> list[str]:
        """Where no endpoint is known, or it is gone; of the first of them, empty for the rest."""
        ids = [one.delivery.message_id for one in lost[:_LOOKED_AT_MAX]]
        messages = await self._store.messages_by_ids(ids) if ids else {}
        app_ids = list({message.app_id for message in messages.values()})
        applications = await self._store.by_ids(Application, app_ids) if app_ids else []
        scopes = {one.id: one.scope for one in applications}
        apps = {name: message.app_id for name, message in messages.items()}
        return [scopes.get(apps.get(one.delivery.message_id, ""), "") for one in lost]

    async def _declared(self, org_id: str, misfits: Sequence[Misfit]) -> dict[str, str]:
        """What the first of these declare to be at stake: their messages are there still."""
        ids = [one.delivery.message_id for one in misfits[:_LOOKED_AT_MAX]]
        messages = await self._store.messages_by_ids(ids) if ids else {}
        return await declared(self._store, org_id, messages.values())


def _missing(
    org_id: str,
    misfits: Sequence[Misfit],
    *,
    count: int,
    accepted: int,
    span: Stretch,
    began: Change | None,
    money: dict[str, str],
) -> Missing:
    ids = sorted(one.delivery for one in misfits)
    return Missing(
        org_id=org_id,
        count=max(count, 1),
        accepted=accepted,
        since_us=span[0],
        until_us=span[1],
        first_at_us=made_at_us(ids[0].message_id) if ids else span[0],
        kinds=dict(Counter(one.kind for one in misfits)),
        examples=tuple(str(one) if one.endpoint_id else one.message_id for one in ids[:3]),
        began=began,
        money=money,
        money_of=min(len(misfits), _LOOKED_AT_MAX),
    )


def _began(rows: Sequence[LedgerRow], misfits: Sequence[Misfit]) -> Change | None:
    """When the share of missing ones rose, by the minute of acceptance."""
    totals: Counter[int] = Counter()
    bad: Counter[int] = Counter()
    for row in rows:
        totals[row.window_at_us] += row.accepted
        bad[row.window_at_us] += abs(imbalance(row))
    if not misfits or not totals:
        return None
    windows = [
        Window(at_us, min(bad[at_us], totals[at_us]), totals[at_us]) for at_us in sorted(totals)
    ]
    return find_rise(windows, least=_BEGAN_LEAST)
