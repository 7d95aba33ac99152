"""What Home tells: the books, the traffic, the promises, and what needs a person."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import msgspec

from homing.core.issues import IssueState
from homing.core.objectives import Measured, Sli
from homing.core.queries import Backlog, Page
from homing.core.resources import Application
from homing.insight.alerts.alert import Alert, Status
from homing.insight.objectives import Standing
from homing.review.incident import Incident
from homing.service.alerts.verbs import list_alerts
from homing.service.context import Service
from homing.service.day_books import Books, DayBooks
from homing.service.desk_reading import IssueLine, list_lines
from homing.service.incidents import open_incidents
from homing.service.listing import Ask
from homing.service.objectives import list_objectives, report
from homing.service.tokens import Caller

#: how much of each list is shown; the rest is behind a link
SHOWN_MAX: Final = 5
_HOUR_US: Final = 3_600_000_000
_HOURS: Final = 24
_OPEN: Final = tuple(state for state in IssueState if state is not IssueState.RESOLVED)


def _share(good: int, bad: int) -> float | None:
    """Of the good among all; None: there were none."""
    return good / (good + bad) if good + bad else None


class Traffic(msgspec.Struct, frozen=True, kw_only=True):
    """The deliveries of the last day, an hour each; lists of one length."""

    hours_us: list[int]  #: their beginnings; the last hour is still going on
    delivered: list[int]  #: that came to an end with a 2xx in it
    failed: list[int]  #: that died, or came too late
    prompt: list[float | None]  #: share of first attempts begun in time; None: there were none
    punctual: float | None  #: the same over the day

    @property
    def success(self) -> float | None:
        """Share of deliveries with a 2xx in time over the day; None: none came to an end."""
        return _share(sum(self.delivered), sum(self.failed))


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that Home shows."""

    at_us: int
    is_new: bool  #: there is no application yet
    books: Books
    traffic: Traffic
    backlog: Backlog | None  #: of everybody's deliveries, in this database; None: not looked yet
    backlog_at_us: int | None  #: when it was looked at
    looks: list[tuple[int, Backlog]]  #: of the last hours, the latest last
    measured: Measured | None  #: the audit of every minute
    issues: list[IssueLine]
    more_issues: bool
    standings: list[Standing]
    alerts: list[Alert]
    more_alerts: bool
    incidents: list[Incident]  #: that are open, of the newest


async def overview(service: Service, caller: Caller, day: DayBooks) -> Overview:
    """How things are, for the caller's organisation.

    Costs some tens of look-ups along indexes, whatever the database holds; only the books are
    counted, and those behind (see `day_books`).
    """
    at_us = service.clock.now_us()
    some, issues, alerts, incidents = await asyncio.gather(
        service.store.list(Application, caller.org_id, Page(limit=1)),
        list_lines(service, caller, Ask(limit=SHOWN_MAX), states=_OPEN),
        list_alerts(service, caller, Ask(limit=SHOWN_MAX), status=Status.FIRING),
        open_incidents(service, caller),
    )
    return Overview(
        at_us=at_us,
        is_new=not some,
        books=day.look(caller.org_id),
        traffic=await _traffic(service, caller, at_us),
        backlog=day.backlog[1] if day.backlog else None,
        backlog_at_us=day.backlog[0] if day.backlog else None,
        looks=[*service.looks(), *([day.backlog] if day.backlog else [])],
        measured=await service.store.get(Measured, "", "measured"),
        issues=issues.data,
        more_issues=not issues.done,
        standings=await report(service, caller, await list_objectives(service, caller)),
        alerts=alerts.data,
        more_alerts=not alerts.done,
        incidents=incidents[:SHOWN_MAX],
    )


async def _traffic(service: Service, caller: Caller, at_us: int) -> Traffic:
    present_us = at_us - at_us % _HOUR_US
    hours = [present_us - back * _HOUR_US for back in range(_HOURS - 1, -1, -1)]
    ends = await _by_hour(service, caller, Sli.DELIVERED, hours)
    firsts = await _by_hour(service, caller, Sli.FIRST_ATTEMPT, hours)
    return Traffic(
        hours_us=hours,
        delivered=[good for good, _ in ends],
        failed=[bad for _, bad in ends],
        prompt=[_share(good, bad) for good, bad in firsts],
        punctual=_share(sum(good for good, _ in firsts), sum(bad for _, bad in firsts)),
    )


async def _by_hour(
    service: Service, caller: Caller, sli: Sli, hours: Sequence[int]
) -> list[tuple[int, int]]:
    """(good, bad) of each hour."""
    found = dict.fromkeys(hours, (0, 0))
    series = await service.store.tally_series(
        caller.org_id, sli, 3_600, hours[0], hours[-1] + _HOUR_US
    )
    for one in series:
        good, bad = found[one.at_us]
        found[one.at_us] = (good + one.count, bad) if one.owner is None else (good, bad + one.count)
    return [found[hour] for hour in hours]
