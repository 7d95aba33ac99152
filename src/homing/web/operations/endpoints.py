"""`/app/{app_id}/endpoint`: the URLs, their secrets, headers and figures."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from msgspec import UNSET, Meta, UnsetType

from homing.core.errors import Invalid, Problem
from homing.core.outcome import Reason
from homing.core.resources import Endpoint
from homing.core.signature import public_key
from homing.core.urls import URL_CHARACTERS_MAX
from homing.service import attempts, deliveries, endpoints, messages
from homing.service.endpoints import EndpointDraft
from homing.service.headers import SENSITIVE
from homing.web.operation import NO_CONTENT, Answer, Call, answer, operation
from homing.web.operations.applications import OrderedQuery, given_fields
from homing.web.operations.messages import MessageOut, message_out
from homing.web.wire import (
    Channel,
    EventTypeName,
    ListOut,
    Metadata,
    Moment,
    NoQuery,
    Query,
    Rate,
    Text,
    Timestamp,
    Uid,
    Wire,
    distinct,
    microseconds,
    page_of,
    rfc3339,
)

_TAG = "Endpoint"
_APP = "/app/{app_id}/endpoint"
_ONE = "/app/{app_id}/endpoint/{endpoint_id}"

Url = Annotated[
    str,
    Meta(
        pattern="^[hH][tT][tT][pP][sS]?://",
        max_length=URL_CHARACTERS_MAX,
        extra_json_schema={"format": "uri"},
    ),
]
EventTypeNames = Annotated[list[EventTypeName], Meta(max_length=1_000)]
Channels = Annotated[list[Channel], Meta(max_length=10)]
#: at most a week each; an empty list means one attempt
RetryDelays = Annotated[list[Annotated[float, Meta(ge=0, le=604_800)]], Meta(max_length=50)]
SecretText = Annotated[str, Meta(min_length=1, max_length=256)]

#: how far back `recover` may reach: 14 days and 5 minutes for clocks that disagree
_RECOVERED_US_MAX = (14 * 86_400 + 300) * 1_000_000


class EndpointUpdate(Wire, kw_only=True):
    """What an endpoint is to be. An empty list of event types or channels means all."""

    url: Url
    uid: Uid | None = None
    description: Text = ""
    disabled: bool = False
    event_types: EventTypeNames | None = None
    filter_types: EventTypeNames | None = None  # the older SDKs' name of eventTypes
    channels: Channels | None = None
    throttle_rate: Rate | None = None
    rate_limit: Rate | None = None  # the older SDKs' name of throttleRate
    metadata: Metadata = {}
    #: beyond Svix: delays between attempts; null: the service's schedule; absent: as it is
    retry_delays_seconds: RetryDelays | UnsetType | None = UNSET
    version: int | None = None  # of older SDKs; has no meaning any more

    def draft(self) -> EndpointDraft:
        return EndpointDraft(
            url=self.url,
            uid=self.uid,
            description=self.description,
            disabled=self.disabled,
            event_types=distinct(self.event_types or self.filter_types),
            channels=distinct(self.channels),
            rate_limit=self.throttle_rate or self.rate_limit,
            metadata=self.metadata,
            retry_delays_s=_delays(self.retry_delays_seconds),
        )


class EndpointIn(EndpointUpdate, kw_only=True):
    """A new endpoint."""

    secret: SecretText | None = None
    headers: dict[str, str] | None = None


class EndpointPatch(Wire, kw_only=True):
    """What to change of an endpoint; null clears."""

    url: Url | UnsetType = UNSET
    uid: Uid | UnsetType | None = UNSET
    description: Text | UnsetType = UNSET
    disabled: bool | UnsetType = UNSET
    event_types: EventTypeNames | UnsetType | None = UNSET
    filter_types: EventTypeNames | UnsetType | None = UNSET
    channels: Channels | UnsetType | None = UNSET
    throttle_rate: Rate | UnsetType | None = UNSET
    rate_limit: Rate | UnsetType | None = UNSET
    metadata: Metadata | UnsetType = UNSET
    retry_delays_seconds: RetryDelays | UnsetType | None = UNSET
    version: int | UnsetType | None = UNSET


class EndpointOut(Wire, kw_only=True):
    """An endpoint."""

    id: str
    uid: str | None
    url: str
    description: str
    disabled: bool
    event_types: list[str] | None
    filter_types: list[str] | None
    channels: list[str] | None
    throttle_rate: int | None
    rate_limit: int | None
    retry_delays_seconds: list[float] | None  # None: the service's schedule
    disabled_reason: str | None  # who or what disabled it
    metadata: dict[str, str]
    version: int
    created_at: Timestamp
    updated_at: Timestamp


class EndpointSecretOut(Wire, kw_only=True):
    """What receivers verify signatures with."""

    key: str


class EndpointSecretRotateIn(Wire, kw_only=True):
    """The next secret; none given: one is made."""

    key: SecretText | None = None
    grace_period_seconds: Annotated[int, Meta(ge=0, le=604_800)] | None = None


class EndpointHeadersIn(Wire, kw_only=True):
    """The headers to send with each attempt."""

    headers: dict[str, str]


class EndpointHeadersPatchIn(Wire, kw_only=True):
    """Headers to set; null, or a name in `deleteHeaders`, removes one."""

    headers: dict[str, str | None]
    delete_headers: list[str] = []


class EndpointHeadersOut(Wire, kw_only=True):
    """The headers sent with each attempt; the values of sensitive ones are not shown."""

    headers: dict[str, str]
    sensitive: list[str]


class EndpointStats(Wire, kw_only=True):
    """Attempts by what they came to. An attempt is made or not, so three of these are 0."""

    success: int
    fail: int
    pending: int = 0
    sending: int = 0
    canceled: int = 0


class StatsQuery(Query, frozen=True, kw_only=True):
    """Which attempts: those begun in this time, at most 28 days."""

    since: Moment | None = None
    until: Moment | None = None


class RecoverIn(Wire, kw_only=True):
    """Which dead letters: of messages accepted in this time."""

    since: Moment
    until: Moment | None = None


class RecoverOut(Wire, kw_only=True):
    """What was done. It is done when this is answered."""

    id: str
    status: str
    task: str
    updated_at: Timestamp


class EventExampleIn(Wire, kw_only=True):
    """Which event type to send an example of."""

    event_type: EventTypeName


def endpoint_fields(endpoint: Endpoint) -> dict[str, Any]:
    """What every representation of an endpoint has."""
    event_types = list(endpoint.event_types) or None
    delays = endpoint.retry_delays_s
    return {
        "id": endpoint.id,
        "uid": endpoint.uid,
        "url": endpoint.url,
        "description": endpoint.description,
        "disabled": endpoint.disabled,
        "event_types": event_types,
        "filter_types": event_types,
        "channels": list(endpoint.channels) or None,
        "throttle_rate": endpoint.rate_limit,
        "rate_limit": endpoint.rate_limit,
        "retry_delays_seconds": None if delays is None else list(delays),
        "disabled_reason": endpoint.disabled_reason,
        "version": 1,
        "created_at": rfc3339(endpoint.created_at_us),
        "updated_at": rfc3339(endpoint.updated_at_us),
    }


def endpoint_out(endpoint: Endpoint) -> EndpointOut:
    return EndpointOut(metadata=endpoint.metadata, **endpoint_fields(endpoint))


@operation(
    "GET",
    _APP,
    "v1.endpoint.list",
    "List endpoints",
    tag=_TAG,
    query=OrderedQuery,
    answers={200: ListOut[EndpointOut]},
)
async def list_endpoints(call: Call[OrderedQuery, None]) -> Answer:
    ask = call.query.ask(descending=call.query.order != "ascending")
    listing = await endpoints.list_endpoints(call.service, call.caller, call.path["app_id"], ask)
    return answer(200, page_of(listing, endpoint_out))


@operation(
    "POST",
    _APP,
    "v1.endpoint.create",
    "Create an endpoint",
    tag=_TAG,
    body=EndpointIn,
    answers={201: EndpointOut},
)
async def create_endpoint(call: Call[NoQuery, EndpointIn]) -> Answer:
    endpoint = await endpoints.create_endpoint(
        call.service,
        call.caller,
        call.path["app_id"],
        call.body.draft(),
        secret=call.body.secret,
        headers=call.body.headers,
        once=call.once(lambda made: answer(201, endpoint_out(made))),
    )
    return answer(201, endpoint_out(endpoint))


@operation("GET", _ONE, "v1.endpoint.get", "Get an endpoint", tag=_TAG, answers={200: EndpointOut})
async def get_endpoint(call: Call[NoQuery, None]) -> Answer:
    return answer(200, endpoint_out(await _find(call)))


@operation(
    "PUT",
    _ONE,
    "v1.endpoint.update",
    "Replace an endpoint (its secret and headers stay), or create one",
    tag=_TAG,
    body=EndpointUpdate,
    answers={200: EndpointOut, 201: EndpointOut},
)
async def put_endpoint(call: Call[NoQuery, EndpointUpdate]) -> Answer:
    endpoint, is_new = await endpoints.put_endpoint(
        call.service, call.caller, *_names(call), call.body.draft()
    )
    return answer(201 if is_new else 200, endpoint_out(endpoint))


@operation(
    "PATCH",
    _ONE,
    "v1.endpoint.patch",
    "Change an endpoint",
    tag=_TAG,
    body=EndpointPatch,
    answers={200: EndpointOut},
)
async def patch_endpoint(call: Call[NoQuery, EndpointPatch]) -> Answer:
    endpoint = await endpoints.patch_endpoint(
        call.service, call.caller, *_names(call), _patched(call.body)
    )
    return answer(200, endpoint_out(endpoint))


def _patched(patch: EndpointPatch) -> dict[str, Any]:
    fields = given_fields(patch, {})
    fields.pop("version", None)
    for new, old in (("event_types", "filter_types"), ("throttle_rate", "rate_limit")):
        if old in fields:
            fields.setdefault(new, fields.pop(old))
    if "throttle_rate" in fields:
        fields["rate_limit"] = fields.pop("throttle_rate")
    for name in ("event_types", "channels"):
        if name in fields:
            fields[name] = distinct(fields[name])
    fields.pop("filter_types", None)
    if "retry_delays_seconds" in fields:
        fields["retry_delays_s"] = _delays(fields.pop("retry_delays_seconds"))
    return fields


def _delays(given: list[float] | UnsetType | None) -> tuple[float, ...] | UnsetType | None:
    return tuple(given) if isinstance(given, list) else given


@operation(
    "DELETE",
    _ONE,
    "v1.endpoint.delete",
    "Delete an endpoint; what it was not sent yet is cancelled",
    tag=_TAG,
    answers={204: None},
)
async def delete_endpoint(call: Call[NoQuery, None]) -> Answer:
    await endpoints.delete_endpoint(call.service, call.caller, *_names(call))
    return NO_CONTENT


@operation(
    "GET",
    f"{_ONE}/secret",
    "v1.endpoint.get-secret",
    "Get what receivers verify with; of an ed25519 pair the public key",
    tag=_TAG,
    answers={200: EndpointSecretOut},
)
async def get_secret(call: Call[NoQuery, None]) -> Answer:
    endpoint = await _find(call)
    return answer(200, EndpointSecretOut(key=public_key(endpoint.secrets[0].key)))


@operation(
    "POST",
    f"{_ONE}/secret/rotate",
    "v1.endpoint.rotate-secret",
    "Sign with a new secret; the old one signs too, for a day unless said otherwise",
    tag=_TAG,
    body=EndpointSecretRotateIn,
    answers={200: EndpointSecretOut},
)
async def rotate_secret(call: Call[NoQuery, EndpointSecretRotateIn]) -> Answer:
    # Svix's server answers 204 with nothing; its newest SDK reads the key, the others ignore it.
    grace_s = call.body.grace_period_seconds
    endpoint = await endpoints.rotate_secret(
        call.service,
        call.caller,
        *_names(call),
        key=call.body.key,
        grace_s=86_400 if grace_s is None else grace_s,
    )
    return answer(200, EndpointSecretOut(key=public_key(endpoint.secrets[0].key)))


@operation(
    "GET",
    f"{_ONE}/headers",
    "v1.endpoint.get-headers",
    "Get the headers that are sent with each attempt",
    tag=_TAG,
    answers={200: EndpointHeadersOut},
)
async def get_headers(call: Call[NoQuery, None]) -> Answer:
    headers = (await _find(call)).headers
    shown = {name: value for name, value in headers.items() if name.lower() not in SENSITIVE}
    hidden = [name for name in headers if name not in shown]
    return answer(200, EndpointHeadersOut(headers=shown, sensitive=hidden))


@operation(
    "PUT",
    f"{_ONE}/headers",
    "v1.endpoint.update-headers",
    "Replace the headers",
    tag=_TAG,
    body=EndpointHeadersIn,
    answers={204: None},
)
async def put_headers(call: Call[NoQuery, EndpointHeadersIn]) -> Answer:
    await endpoints.change_headers(
        call.service, call.caller, *_names(call), dict(call.body.headers), replace=True
    )
    return NO_CONTENT


@operation(
    "PATCH",
    f"{_ONE}/headers",
    "v1.endpoint.patch-headers",
    "Set or remove some headers",
    tag=_TAG,
    body=EndpointHeadersPatchIn,
    answers={204: None},
)
async def patch_headers(call: Call[NoQuery, EndpointHeadersPatchIn]) -> Answer:
    headers = {**dict.fromkeys(call.body.delete_headers), **call.body.headers}
    await endpoints.change_headers(call.service, call.caller, *_names(call), headers, replace=False)
    return NO_CONTENT


@operation(
    "GET",
    f"{_ONE}/stats",
    "v1.endpoint.get-stats",
    "Count attempts by what they came to",
    tag=_TAG,
    query=StatsQuery,
    answers={200: EndpointStats},
)
async def get_stats(call: Call[StatsQuery, None]) -> Answer:
    counts = await attempts.count_attempts(
        call.service,
        call.caller,
        *_names(call),
        since_us=_us(call.query.since),
        until_us=_us(call.query.until),
    )
    success = counts.get(Reason.OK, 0)
    return answer(200, EndpointStats(success=success, fail=sum(counts.values()) - success))


@operation(
    "POST",
    f"{_ONE}/recover",
    "v1.endpoint.recover",
    "Send the dead letters of a time again; what still has retries due is left to them",
    tag=_TAG,
    body=RecoverIn,
    answers={202: RecoverOut},
)
async def recover(call: Call[NoQuery, RecoverIn]) -> Answer:
    application, endpoint = await endpoints.find_endpoint(call.service, call.caller, *_names(call))
    now_us = call.service.clock.now_us()
    since_us = microseconds(call.body.since)
    until_us = now_us if call.body.until is None else microseconds(call.body.until)
    if since_us < now_us - _RECOVERED_US_MAX:
        raise Invalid([Problem(("body", "since"), "expected at most 14 days ago")])
    if until_us <= since_us:
        raise Invalid([Problem(("body", "until"), "expected a time after `since`")])
    await deliveries.recover(
        call.service,
        application.id,
        endpoint.id,
        since_us=since_us,
        until_us=until_us,
        actor=call.caller.subject,
    )
    out = RecoverOut(
        id=call.service.new_id("qtask_"),
        status="finished",
        task="endpoint.recover",
        updated_at=rfc3339(call.service.clock.now_us()),
    )
    return answer(202, out)


@operation(
    "POST",
    f"{_ONE}/send-example",
    "v1.endpoint.send-example",
    "Send this endpoint an example of an event type",
    tag=_TAG,
    body=EventExampleIn,
    answers={200: MessageOut},
)
async def send_example(call: Call[NoQuery, EventExampleIn]) -> Answer:
    message = await messages.send_example(
        call.service, call.caller, *_names(call), call.body.event_type
    )
    return answer(200, message_out(message))


def _names(call: Call[Any, Any]) -> tuple[str, str]:
    return call.path["app_id"], call.path["endpoint_id"]


async def _find(call: Call[Any, Any]) -> Endpoint:
    _, endpoint = await endpoints.find_endpoint(call.service, call.caller, *_names(call))
    return endpoint


def _us(moment: datetime | None) -> int | None:
    return None if moment is None else microseconds(moment)


OPERATIONS = (
    list_endpoints,
    create_endpoint,
    get_endpoint,
    put_endpoint,
    patch_endpoint,
    delete_endpoint,
    get_secret,
    rotate_secret,
    get_headers,
    put_headers,
    patch_headers,
    get_stats,
    recover,
    send_example,
)
