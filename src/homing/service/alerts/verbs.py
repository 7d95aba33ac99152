"""What people can ask of the alerts: list, look, silence, acknowledge, test a channel."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from homing.core.errors import Conflict, Forbidden, NotFound, Stale, Unavailable
from homing.core.queries import Page
from homing.insight.alerts.alert import (
    FAILED,
    PENDING,
    SCOPE,
    SENT,
    Alert,
    Finding,
    Kind,
    Notice,
    Owner,
    Severity,
    Status,
    Told,
)
from homing.service.alerts.channel import Channel, NotTaken
from homing.service.context import Service
from homing.service.listing import Ask, Listing, is_plain_name, paginate
from homing.service.tokens import DEFAULT_ORG_ID, Caller

_TRIES_MAX: Final = 8
#: how long a person waits for a test
_TEST_S: Final = 20.0
_NOTICES_MAX: Final = 1_000
#: the latest notices, by which a channel is judged
_LATEST_MAX: Final = 200


def is_operator(caller: Caller) -> bool:
    """Whether it is whoever runs this Homing: the organisation of tokens that name none."""
    return caller.org_id == DEFAULT_ORG_ID and caller.app_id is None


def may_see(caller: Caller, alert: Alert) -> bool:
    """The operator sees all; an organisation what is about its own traffic."""
    return is_operator(caller) or alert.finding.org_id == caller.org_id


async def list_alerts(
    service: Service, caller: Caller, ask: Ask, *, status: Status | None = None
) -> Listing[Alert]:
    """Alerts, by id."""
    return await paginate(
        lambda page: service.store.list(Alert, SCOPE, page),
        lambda alert: alert.id,
        ask,
        is_name=is_plain_name,
        keep=lambda alert: may_see(caller, alert) and status in (None, alert.status),
    )


async def find_alert(service: Service, caller: Caller, alert_id: str) -> Alert:
    """One alert.

    Raises:
        NotFound: there is none, or it is not the caller's.
    """
    alert = await service.store.get(Alert, SCOPE, alert_id)
    if alert is None or not may_see(caller, alert):
        raise NotFound(f"there is no alert {alert_id!r}; `homing alerts list` shows all")
    return alert


async def notices_of(service: Service, alert_id: str) -> list[Notice]:
    """What was told of an alert through which channel, and what became of it; newest first."""
    found = [
        notice
        for scope in (PENDING, SENT, FAILED)
        for notice in await service.store.list(
            Notice, scope, Page(limit=_NOTICES_MAX, descending=True)
        )
        if any(told.alert_id == alert_id for told in notice.alerts)
    ]
    return sorted(found, key=lambda notice: notice.created_at_us, reverse=True)


async def silence(service: Service, caller: Caller, alert_id: str, *, until_us: int) -> Alert:
    """Tell nothing of an alert before a time; in the past or now: tell again.

    Raises:
        NotFound: there is none, or it is not the caller's.
    """
    return await _change(
        service,
        caller,
        alert_id,
        lambda alert: msgspec.structs.replace(
            alert, silenced_until_us=until_us, silenced_by=caller.actor
        ),
    )


async def acknowledge(service: Service, caller: Caller, alert_id: str) -> Alert:
    """Somebody looks after it: no more reminders in this episode.

    Raises:
        NotFound: there is none, or it is not the caller's.
        Conflict: it is resolved.
    """

    def after(alert: Alert) -> Alert:
        if alert.status is Status.RESOLVED:
            raise Conflict(f"alert {alert_id} is resolved; there is nothing to acknowledge")
        return msgspec.structs.replace(alert, acknowledged_by=caller.actor)

    return await _change(service, caller, alert_id, after)


async def _change(
    service: Service, caller: Caller, alert_id: str, after: Callable[[Alert], Alert]
) -> Alert:
    for _ in range(_TRIES_MAX):
        alert = await find_alert(service, caller, alert_id)
        changed = msgspec.structs.replace(
            after(alert), version=alert.version + 1, updated_at_us=service.clock.now_us()
        )
        try:
            await service.store.put(changed)
        except Stale:  # the watch has written it just now
            continue
        return changed
    raise Unavailable("the alert keeps changing; ask again")


def channels(service: Service, caller: Caller) -> tuple[Channel, ...]:
    """The channels of this process.

    Raises:
        Forbidden: they are the operator's.
    """
    if not is_operator(caller):
        raise Forbidden("channels are for whoever runs this Homing, not for its organisations")
    return tuple(service.channels)


class Reach(msgspec.Struct, frozen=True, kw_only=True):
    """A channel, and whether what was told through it arrives."""

    id: str
    url: str  #: without credentials
    taken_at_us: int | None = None  #: when it last took something
    waiting: int = 0  #: notices that it has not taken yet
    error: str | None = None  #: why it did not take the latest; None: it did, or there was none


async def reaches(service: Service, caller: Caller) -> list[Reach]:
    """The channels, with what became of the latest notices through each.

    Raises:
        Forbidden: channels are the operator's.
    """
    known = channels(service, caller)
    page = Page(limit=_LATEST_MAX, descending=True)
    found = {
        scope: await service.store.list(Notice, scope, page) if known else []
        for scope in (PENDING, SENT, FAILED)
    }
    return [_reach(one, found) for one in known]


def _reach(channel: Channel, found: Mapping[str, Sequence[Notice]]) -> Reach:
    own = {
        scope: [one for one in notices if one.channel == channel.id]
        for scope, notices in found.items()
    }
    taken_at_us = max((one.finished_at_us or 0 for one in own[SENT]), default=None)
    troubles = [one for one in (*own[PENDING], *own[FAILED]) if one.error is not None]
    worst = max(troubles, key=lambda one: one.updated_at_us, default=None)
    is_over = worst is None or (taken_at_us or 0) > worst.updated_at_us
    return Reach(
        id=channel.id,
        url=channel.shown,
        taken_at_us=taken_at_us,
        waiting=len(own[PENDING]),
        error=None if is_over or worst is None else worst.error,
    )


async def test_channel(service: Service, caller: Caller, name: str) -> str | None:
    """Send a marked test through a channel, now; None when it was taken, else why not.

    Raises:
        Forbidden: channels are the operator's.
        NotFound: there is no such channel.
    """
    found = {one.id: one for one in channels(service, caller)}
    if name not in found:
        known = ", ".join(found) or "none: HOMING_ALERTS is empty"
        raise NotFound(f"there is no channel {name!r}; there are: {known}")
    at_us = service.clock.now_us()
    try:
        async with asyncio.timeout(_TEST_S):
            await found[name].carry([test_alert(name, at_us)], at_us=at_us)
    except NotTaken as error:
        return str(error)
    except TimeoutError:
        return f"no answer within {_TEST_S:.0f} s"
    return None


def test_alert(name: str, at_us: int) -> Told:
    """What a test says."""
    finding = Finding(
        kind=Kind.CHANNEL_FAILING,
        subject=f"test-{name}",
        severity=Severity.TICKET,
        owner=Owner.CONFIGURATION,
        name=name,
        what=f"Homing tests the channel {name}: when you read this, alerts arrive here",
        since_us=at_us,
        command="homing alerts channels",
    )
    return Told(
        alert_id="test", status=Status.FIRING, finding=finding, fired_at_us=at_us, is_test=True
    )
