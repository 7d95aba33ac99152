"""What becomes of the alerts, and what people are told: state and findings in, state and news out.

An alert fires when its matter is first found, lasts while it is found, and is resolved when it has
not been found for a while. People are told of it once when it fires and once when it is resolved,
and reminded while nobody has acknowledged it. What is urgent is told at once, the rest gathered.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from homing.core.resources import Resource
from homing.insight.alerts.alert import SCOPE, Alert, Finding, Kind, Severity, Status, Told

_SECOND_US: Final = 1_000_000


class Manners(msgspec.Struct, frozen=True, kw_only=True):
    """How people are spoken to."""

    #: not found for so long, and it is resolved: what flaps is one alert, not ten
    clear_s: float = 300.0
    #: urgent news at most so often, but for what is found missing
    page_gap_s: float = 60.0
    #: other news is gathered: at most so often. Twelve messages an hour is what a person reads
    ticket_gap_s: float = 300.0
    remind_page_s: float = 4 * 3_600.0
    remind_ticket_s: float = 24 * 3_600.0
    #: told again when there are so many times as many as were told
    growth: int = 10
    #: alerts in one message at most, the most urgent; the others go with the next
    told_max: int = 200
    #: what is only a matter of numbers is written down at most so often
    refresh_s: float = 300.0


class Watch(Resource, frozen=True, kw_only=True):
    """Whose turn it is to watch, and when people were last spoken to. There is one."""

    kind = "alert_watch"

    holder: str = ""
    until_us: int = 0  #: from then on anybody may take over
    evaluated_at_us: int = 0  #: when somebody last looked at everything
    page_told_at_us: int = 0
    ticket_told_at_us: int = 0
    #: stretches of acceptance that did not balance, [since, until) each; looked at until they do
    stretches: tuple[tuple[int, int], ...] = ()


#: where the one `Watch` is
WATCH: Final = (SCOPE, "watch")


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What one evaluation leads to."""

    changed: tuple[Alert, ...]  #: to be written; new ones have version 1
    told: tuple[Told, ...]  #: to be told now, in one message; the most urgent first
    page_told_at_us: int
    ticket_told_at_us: int


def advance(
    known: Mapping[str, Alert],
    findings: Sequence[Finding],
    *,
    at_us: int,
    watch: Watch,
    manners: Manners = Manners(),  # noqa: B008 (frozen)
) -> Step:
    """One evaluation.

    Args:
        known: alerts as stored, by id; those not named here do not exist.
        findings: all that is the matter at `at_us`, each id once.
    """
    found = {one.id: one for one in findings}
    after = {id: _next(known.get(id), found.get(id), at_us, manners) for id in {**known, **found}}
    told = _news(after.values(), at_us, watch, manners)
    for one in told:
        after[one.alert_id] = _is_told(after[one.alert_id], at_us)
    changed = [_versioned(known.get(id), one, at_us) for id, one in sorted(after.items())]
    return Step(
        changed=tuple(one for one in changed if one is not None),
        told=told,
        page_told_at_us=at_us if any(map(_is_page, told)) else watch.page_told_at_us,
        ticket_told_at_us=at_us if told else watch.ticket_told_at_us,
    )


def _next(alert: Alert | None, finding: Finding | None, at_us: int, manners: Manners) -> Alert:
    """The alert after it was looked for, whatever people are told."""
    if finding is None:
        assert alert is not None
        return _not_found(alert, at_us, manners)
    if alert is None:
        return Alert(
            scope=SCOPE,
            id=finding.id,
            created_at_us=at_us,
            updated_at_us=at_us,
            finding=finding,
            fired_at_us=at_us,
            untold=Status.FIRING,
        )
    if alert.status is Status.RESOLVED:
        # Who was not told that it had ended is not told that it began again.
        untold = None if alert.untold is Status.RESOLVED else Status.FIRING
        return _replaced(
            alert,
            finding=finding,
            status=Status.FIRING,
            fired_at_us=alert.fired_at_us if untold is None else at_us,
            episode=alert.episode + 1,
            clear_since_us=None,
            resolved_at_us=None,
            untold=untold,
            acknowledged_by=None,
        )
    if not _is_worth_writing(alert, finding, at_us, manners):
        finding = alert.finding
    return _replaced(alert, finding=finding, clear_since_us=None)


def _not_found(alert: Alert, at_us: int, manners: Manners) -> Alert:
    if alert.status is Status.RESOLVED:
        return alert
    if alert.clear_since_us is None:
        return _replaced(alert, clear_since_us=at_us)
    if at_us - alert.clear_since_us < manners.clear_s * _SECOND_US:
        return alert
    return _replaced(
        alert,
        status=Status.RESOLVED,
        resolved_at_us=alert.clear_since_us,
        clear_since_us=None,
        # What nobody was told of need not be told to have ended.
        untold=None if alert.untold is Status.FIRING else Status.RESOLVED,
    )


def _is_worth_writing(alert: Alert, finding: Finding, at_us: int, manners: Manners) -> bool:
    before = alert.finding
    if (before.severity, before.owner) != (finding.severity, finding.owner):
        return True
    if finding.count > before.count:
        return True
    is_old = at_us - alert.updated_at_us >= manners.refresh_s * _SECOND_US
    return before != finding and is_old


def _news(alerts: Iterable[Alert], at_us: int, watch: Watch, manners: Manners) -> tuple[Told, ...]:
    """What to tell now; nothing while it is too early for all of it."""
    waiting = [one for one in alerts if _wants_telling(one, at_us, manners)]
    pages = any(_is_urgent(one) for one in waiting)
    page_due = at_us - watch.page_told_at_us >= manners.page_gap_s * _SECOND_US
    ticket_due = at_us - watch.ticket_told_at_us >= manners.ticket_gap_s * _SECOND_US
    is_missing = any(_is_urgent(one) and one.finding.kind is Kind.UNACCOUNTED for one in waiting)
    if not (is_missing or (pages and page_due) or (waiting and ticket_due)):
        return ()
    waiting.sort(key=lambda one: (not _is_urgent(one), one.status, one.finding.kind, one.id))
    return tuple(_telling(one) for one in waiting[: manners.told_max])


def _wants_telling(alert: Alert, at_us: int, manners: Manners) -> bool:
    if alert.is_silent(at_us):
        return False
    if alert.untold is not None:
        return True
    if alert.status is not Status.FIRING or alert.clear_since_us is not None:
        return False
    if alert.told_at_us is None:
        return False
    if alert.told_count and alert.finding.count >= manners.growth * alert.told_count:
        return True
    is_page = alert.finding.severity is Severity.PAGE
    remind_s = manners.remind_page_s if is_page else manners.remind_ticket_s
    is_due = at_us - alert.told_at_us >= remind_s * _SECOND_US
    return is_due and alert.acknowledged_by is None


def _is_urgent(alert: Alert) -> bool:
    return alert.status is Status.FIRING and alert.finding.severity is Severity.PAGE


def _is_page(told: Told) -> bool:
    return told.status is Status.FIRING and told.finding.severity is Severity.PAGE


def _telling(alert: Alert) -> Told:
    return Told(
        alert_id=alert.id,
        status=alert.status,
        finding=alert.finding,
        fired_at_us=alert.fired_at_us,
        resolved_at_us=alert.resolved_at_us,
        is_reminder=alert.untold is None,
    )


def _is_told(alert: Alert, at_us: int) -> Alert:
    return _replaced(alert, untold=None, told_at_us=at_us, told_count=alert.finding.count)


def _versioned(before: Alert | None, after: Alert, at_us: int) -> Alert | None:
    """As it is to be written; None: nothing has changed."""
    if before is None:
        return after
    if before == after:
        return None
    return _replaced(after, version=before.version + 1, updated_at_us=at_us)


def _replaced(alert: Alert, **fields: Any) -> Alert:
    return msgspec.structs.replace(alert, **fields)
