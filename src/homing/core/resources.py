"""What people configure: applications, endpoints, event types. Traffic is in `records`.

A resource is a document: the store keeps it whole and knows its kind, scope, id, uid and version.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from homing.core.money import MoneyPaths
from homing.core.retention import Retention
from homing.core.sealing import Sealed


class Resource(msgspec.Struct, frozen=True, kw_only=True):
    """Anything that is configured.

    `version` is raised by one at each write; a write names the version that it was made from.
    """

    kind: ClassVar[str]

    scope: str  #: whose it is: the organisation's id, or the application's id
    id: str
    uid: str | None = None  #: the owner's own name for it, unique within kind and scope
    version: int = 1
    created_at_us: int
    updated_at_us: int


class Application(Resource, frozen=True, kw_only=True):
    """A tenant: whoever owns a set of endpoints. Scope: the organisation.

    Its version is also raised by every write to one of its endpoints, so that an unchanged version
    proves that a cached fan-out is still right.
    """

    kind = "application"

    name: str
    rate_limit: int | None = None  #: attempts per second, all its endpoints together
    concurrency_limit: int | None = None  #: attempts under way at once, of all its endpoints
    weight: int = 1  #: its share beside other applications when there is not enough for all
    metadata: dict[str, str] = {}
    retention: Retention = Retention()  #: its own; where it says nothing, the service's


class Secret(msgspec.Struct, frozen=True, kw_only=True):
    """One signing key of an endpoint."""

    key: Sealed  #: inside: "whsec_…" (HMAC-SHA256) or "whsk_…" (ed25519, private)
    expires_at_us: int | None = None  #: None: the present key; otherwise still signed with until


class Endpoint(Resource, frozen=True, kw_only=True):
    """A URL that wants some messages. Scope: the application."""

    kind = "endpoint"

    org_id: str
    url: str
    description: str = ""
    secrets: tuple[Secret, ...]  #: the present one first, n >= 1
    event_types: tuple[str, ...] = ()  #: wanted; empty: all
    channels: tuple[str, ...] = ()  #: wanted; empty: all
    headers: dict[str, Sealed] = {}  #: sent with each attempt; many are credentials
    metadata: dict[str, str] = {}
    rate_limit: int | None = None  #: attempts per second
    concurrency_limit: int | None = None  #: attempts under way at once
    disabled: bool = False
    disabled_reason: str | None = None  #: who or what disabled it, one line
    disabled_at_us: int | None = None
    retry_delays_s: tuple[float, ...] | None = None  #: None: the service's schedule


class EventType(Resource, frozen=True, kw_only=True):
    """A kind of message. Scope: the organisation; its id is its name."""

    kind = "event_type"

    description: str = ""
    schemas: dict[str, object] | None = None  #: JSON Schema (draft 7) by version
    archived: bool = False
    deprecated: bool = False
    feature_flags: tuple[str, ...] = ()
    group_name: str | None = None
    money: MoneyPaths | None = None  #: where its payloads say what is at stake; None: nowhere


def parking_reason(endpoint: Endpoint) -> str | None:
    """Why deliveries of this endpoint are parked now; None when they are not."""
    if not endpoint.disabled:
        return None
    return endpoint.disabled_reason or "the endpoint is disabled"


def wants(endpoint: Endpoint, event_type: str, channels: tuple[str, ...]) -> bool:
    """Whether `endpoint` gets a message of this type and these channels.

    An endpoint without channels gets every message; one with channels gets those that share one.
    """
    if endpoint.event_types and event_type not in endpoint.event_types:
        return False
    return not endpoint.channels or any(channel in endpoint.channels for channel in channels)
