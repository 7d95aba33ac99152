"""`/app/{app_id}/endpoint`: the URLs of an application."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET, Meta, UnsetType

from homing.core.resources import Endpoint
from homing.core.urls import URL_CHARACTERS_MAX
from homing.service import endpoints
from homing.service.endpoints import EndpointDraft
from homing.service.tokens import Role
from homing.web.operation import NO_CONTENT, Answer, Call, answer, operation
from homing.web.operations.applications import OrderedQuery, given_fields
from homing.web.schemas import (
    Channel,
    Concurrency,
    EventTypeName,
    ListOut,
    Metadata,
    NoQuery,
    Rate,
    Schema,
    Text,
    Timestamp,
    Uid,
    distinct,
    matching,
    page_of,
    rfc3339,
)

TAG = "Endpoint"
_APP = "/app/{app_id}/endpoint"
ONE = "/app/{app_id}/endpoint/{endpoint_id}"

Url = Annotated[
    str,
    matching(
        "^[hH][tT][tT][pP][sS]?://",
        "a URL that begins with https:// or http://",
        max_length=URL_CHARACTERS_MAX,
    ),
    Meta(extra_json_schema={"format": "uri"}),
]
EventTypeNames = Annotated[list[EventTypeName], Meta(max_length=1_000)]
Channels = Annotated[list[Channel], Meta(max_length=10)]
#: at most a week each; an empty list means one attempt
RetryDelays = Annotated[list[Annotated[float, Meta(ge=0, le=604_800)]], Meta(max_length=50)]
SecretText = Annotated[str, Meta(min_length=1, max_length=256)]


class EndpointUpdate(Schema, kw_only=True):
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
    #: beyond Svix: attempts under way at once; null: no limit; absent: as it is
    concurrency_limit: Concurrency | UnsetType | None = UNSET
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
            concurrency_limit=self.concurrency_limit,
        )


class EndpointIn(EndpointUpdate, kw_only=True):
    """A new endpoint."""

    secret: SecretText | None = None
    headers: dict[str, str] | None = None


class EndpointPatch(Schema, kw_only=True):
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
    concurrency_limit: Concurrency | UnsetType | None = UNSET
    version: int | UnsetType | None = UNSET


class EndpointOut(Schema, kw_only=True):
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
    concurrency_limit: int | None
    retry_delays_seconds: list[float] | None  # None: the service's schedule
    disabled_reason: str | None  # who or what disabled it
    metadata: dict[str, str]
    version: int
    created_at: Timestamp
    updated_at: Timestamp


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
        "concurrency_limit": endpoint.concurrency_limit,
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
    tag=TAG,
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
    tag=TAG,
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


@operation("GET", ONE, "v1.endpoint.get", "Get an endpoint", tag=TAG, answers={200: EndpointOut})
async def get_endpoint(call: Call[NoQuery, None]) -> Answer:
    return answer(200, endpoint_out(await find_named(call)))


@operation(
    "PUT",
    ONE,
    "v1.endpoint.update",
    "Replace an endpoint (its secret and headers stay), or create one",
    tag=TAG,
    body=EndpointUpdate,
    answers={200: EndpointOut, 201: EndpointOut},
)
async def put_endpoint(call: Call[NoQuery, EndpointUpdate]) -> Answer:
    endpoint, is_new = await endpoints.put_endpoint(
        call.service, call.caller, *names_of(call), call.body.draft()
    )
    return answer(201 if is_new else 200, endpoint_out(endpoint))


@operation(
    "PATCH",
    ONE,
    "v1.endpoint.patch",
    "Change an endpoint",
    tag=TAG,
    body=EndpointPatch,
    answers={200: EndpointOut},
)
async def patch_endpoint(call: Call[NoQuery, EndpointPatch]) -> Answer:
    """An operator may park and enable, as on pages; what else is changed is an admin's."""
    fields = _patched(call.body)
    if fields.keys() - {"disabled"}:
        call.caller.must_be(Role.ADMIN)
    endpoint = await endpoints.patch_endpoint(call.service, call.caller, *names_of(call), fields)
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
    ONE,
    "v1.endpoint.delete",
    "Delete an endpoint; what it was not sent yet is cancelled",
    tag=TAG,
    answers={204: None},
)
async def delete_endpoint(call: Call[NoQuery, None]) -> Answer:
    await endpoints.delete_endpoint(call.service, call.caller, *names_of(call))
    return NO_CONTENT


def names_of(call: Call[Any, Any]) -> tuple[str, str]:
    return call.path["app_id"], call.path["endpoint_id"]


async def find_named(call: Call[Any, Any]) -> Endpoint:
    _, endpoint = await endpoints.find_endpoint(call.service, call.caller, *names_of(call))
    return endpoint


OPERATIONS = (
    list_endpoints,
    create_endpoint,
    get_endpoint,
    put_endpoint,
    patch_endpoint,
    delete_endpoint,
)
