"""What Homing tells an organisation of its own doings: which events there are and what each says.

They are delivered by Homing itself, as messages of one application for each organisation. It has
a scope that no token can name, so no listing shows it. Nothing is told of what happens to its own
deliveries and endpoints: one that fails would else tell of itself without end.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

import msgspec

from homing.core.issues import Issue
from homing.core.lifecycle import DeadReason, State
from homing.core.outcome import Reason
from homing.core.records import LogEntry, Message
from homing.core.resources import Application, Endpoint, Resource

#: the name of the hidden application within its scope
UID: Final = "operational"
#: tokens are for organisations, whose ids begin with "org_"
_SCOPE: Final = "operational/"

#: the failed attempt at which a message counts as failing. Source: Svix tells of it at the fourth.
FAILING_AT: Final = 4


class Event(StrEnum):
    """The event types; Svix's but for `endpoint.failing`, alerts and what begins `dead_letter`."""

    ENDPOINT_CREATED = "endpoint.created"
    ENDPOINT_UPDATED = "endpoint.updated"
    ENDPOINT_DELETED = "endpoint.deleted"
    ENDPOINT_ENABLED = "endpoint.enabled"
    ENDPOINT_FAILING = "endpoint.failing"  #: it will be disabled
    ENDPOINT_DISABLED = "endpoint.disabled"
    MESSAGE_FAILING = "message.attempt.failing"
    MESSAGE_EXHAUSTED = "message.attempt.exhausted"  #: a dead letter
    MESSAGE_RECOVERED = "message.attempt.recovered"
    TASK_FINISHED = "background_task.finished"
    LETTERS_EXPIRING = "dead_letter.expiring"  #: their retention is about to end
    LETTERS_EXPIRED = "dead_letter.expired"  #: it has ended, and nobody had handled them
    ALERT_FIRING = "alert.firing"  #: something is the matter, or still is
    ALERT_RESOLVED = "alert.resolved"


class Announcement(Resource, frozen=True, kw_only=True):
    """What is still to be told. Scope: the organisation; id: the event's, stable for ever.

    It is stored in the transaction of what it tells of, and removed once it is a message.
    """

    kind = "announcement"

    event_type: str
    data: dict[str, Any]  #: JSON values


class Follower(Resource, frozen=True, kw_only=True):
    """How far the delivery log has been told of: the fields of a `LogCursor`."""

    kind = "follower"

    transaction: int = 0
    line: int = 0


class Expiring(msgspec.Struct, frozen=True, kw_only=True):
    """Dead letters of one application whose retention is about to end."""

    count: int
    first_at_us: int  #: when the first of them goes
    sample: tuple[str, ...]  #: delivery ids, at most three


def scope_of(org_id: str) -> str:
    """Where an organisation's hidden application is."""
    return _SCOPE + org_id


def owner_of(scope: str) -> str:
    """Whose an application of this scope is, hidden or not."""
    return scope.removeprefix(_SCOPE)


def is_hidden(scope: str) -> bool:
    """Whether this is the scope of a hidden application."""
    return scope.startswith(_SCOPE)


def announcement(
    org_id: str, event_type: str, data: Mapping[str, Any], *, event_id: str, at_us: int
) -> Announcement:
    """Something to be told to an organisation.

    Args:
        event_id: the same for the same event, whenever it is told; at most 256 characters of
            letters, digits, "-", "_" and ".".
    """
    return Announcement(
        scope=org_id,
        id=event_id,
        created_at_us=at_us,
        updated_at_us=at_us,
        event_type=event_type,
        data=dict(data),
    )


def about_endpoint(
    event: Event,
    endpoint: Endpoint,
    app_uid: str | None,
    *,
    at_us: int,
    mark: int | None = None,
    more: Mapping[str, Any] | None = None,
) -> Announcement:
    """Something about an endpoint.

    Args:
        mark: tells this from other events of the same type and endpoint; None: there is one alone.
        more: what the event says besides.
    """
    data = _place(endpoint.scope, app_uid, endpoint.id) | {"endpointUid": endpoint.uid}
    name = f"{event}.{endpoint.id}"
    return announcement(
        endpoint.org_id,
        event,
        data | dict(more or {}),
        event_id=name if mark is None else f"{name}.{mark}",
        at_us=at_us,
    )


def about_expiring(
    application: Application, expiring: Expiring, *, at_us: int, day: int
) -> Announcement:
    """Dead letters of an application go soon, unless somebody handles them; told once a day."""
    data = {
        "appId": application.id,
        "appUid": application.uid,
        "count": expiring.count,
        "firstAt": _timestamp(expiring.first_at_us),
        "sample": list(expiring.sample),
    }
    event = Event.LETTERS_EXPIRING
    event_id = f"{event}.{application.id}.{day}"
    return announcement(application.scope, event, data, event_id=event_id, at_us=at_us)


def about_expired(application: Application, issue: Issue) -> Announcement:
    """Dead letters of an issue went; how many ever did tells one time from another."""
    data = _place(application.id, application.uid, issue.endpoint_id) | {
        "issueId": issue.id,
        "reason": issue.reason,
        "status": issue.status,
        "error": issue.fingerprint,
        "expired": issue.expired,
    }
    event = Event.LETTERS_EXPIRED
    event_id = f"{event}.{issue.id}.{issue.expired}"
    at_us = issue.expired_at_us or 0
    return announcement(application.scope, event, data, event_id=event_id, at_us=at_us)


def changes_of(before: Endpoint, after: Endpoint) -> list[Event]:
    """What a person's change of an endpoint is called."""
    if before.disabled == after.disabled:
        return [Event.ENDPOINT_UPDATED]
    change = Event.ENDPOINT_DISABLED if after.disabled else Event.ENDPOINT_ENABLED
    return [Event.ENDPOINT_UPDATED, change]


def news_of(entry: LogEntry, *, in_trouble: bool, manual: bool) -> Event | None:
    """What a notable line of the delivery log tells an organisation.

    Args:
        in_trouble: it was told before that this delivery is failing or exhausted.
        manual: the line's attempt was asked for by a person.
    """
    if entry.to_state is State.DEAD:
        return Event.MESSAGE_EXHAUSTED if _has_died(entry, manual) else None
    if entry.outcome is Reason.OK:
        return Event.MESSAGE_RECOVERED if in_trouble else None
    is_failure = entry.outcome not in (None, Reason.NO_OUTCOME)
    goes_on = entry.to_state in (State.WAITING, State.PARKED)
    if is_failure and goes_on and not in_trouble and (entry.attempt_no or 0) >= FAILING_AT:
        return Event.MESSAGE_FAILING
    return None


def _has_died(entry: LogEntry, manual: bool) -> bool:
    """Whether it died just now: a dead letter whose resend came to nothing goes back to the dead
    (in words of the lifecycle: `resume`)."""
    if entry.op == "lost":
        return entry.reason == DeadReason.PAYLOAD_GONE
    return entry.op in ("failed", "leased") and not manual


def about_delivery(
    event: Event,
    entry: LogEntry,
    org_id: str,
    message: Message | None,
    *,
    app_uid: str | None,
    endpoint_uid: str | None,
    attempt_at: str | None,
) -> Announcement:
    """What a line of the delivery log says; its id is the same whenever it is read.

    Args:
        attempt_at: when the line's attempt began, as a timestamp; None: there was no attempt.
    """
    last_attempt = {
        "id": entry.attempt_id,
        "responseStatusCode": entry.status or 0,
        "timestamp": attempt_at,
    }
    data = _place(entry.app_id, app_uid, entry.endpoint_id) | {
        "endpointUid": endpoint_uid,
        "msgId": entry.message_id,
        "msgEventId": None if message is None else message.event_id,
        "lastAttempt": None if entry.attempt_id is None else last_attempt,
    }
    if event is Event.MESSAGE_EXHAUSTED:
        data["reason"] = entry.reason
    which = f"{entry.message_id}.{entry.endpoint_id}.{entry.version_after}"
    return announcement(org_id, event, data, event_id=f"{event}.{which}", at_us=entry.at_us)


def payload_of(announcement: Announcement) -> bytes:
    """The message's payload; `id` is the event's, to know it by when it comes twice."""
    return msgspec.json.encode(
        {"id": announcement.id, "type": announcement.event_type, "data": announcement.data}
    )


def _place(app_id: str, app_uid: str | None, endpoint_id: str) -> dict[str, Any]:
    return {"appId": app_id, "appUid": app_uid, "endpointId": endpoint_id}


def _timestamp(at_us: int) -> str:
    moment = datetime.fromtimestamp(at_us / 1_000_000, UTC)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
