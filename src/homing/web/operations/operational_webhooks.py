"""`/operational-webhook/endpoint`: where an organisation is told what Homing does.

They are endpoints of the organisation's hidden application; see `homing.core.operational`.
"""

from __future__ import annotations

from typing import Any, Final

from homing.core.errors import NotFound
from homing.core.operational import UID
from homing.core.resources import Endpoint
from homing.service import endpoints, operational
from homing.service.endpoints import EndpointDraft
from homing.service.listing import Listing
from homing.service.tokens import Caller
from homing.web.operation import NO_CONTENT, Answer, Call, answer, operation
from homing.web.operations.applications import OrderedQuery
from homing.web.operations.endpoint_requests import (
    EndpointHeadersIn,
    EndpointHeadersOut,
    EndpointSecretOut,
    EndpointSecretRotateIn,
)
from homing.web.operations.endpoints import EventTypeNames, SecretText, Url
from homing.web.schemas import (
    ListOut,
    Metadata,
    NoQuery,
    Rate,
    Schema,
    Text,
    Timestamp,
    Uid,
    distinct,
    page_of,
    rfc3339,
)

_TAG: Final = "Operational Webhook"
_ALL: Final = "/operational-webhook/endpoint"
_ONE: Final = f"{_ALL}/{{endpoint_id}}"


class OperationalWebhookEndpointUpsertIn(Schema, kw_only=True):
    """What an endpoint is to be. No event types, or an empty list of them, means all."""

    url: Url
    uid: Uid | None = None
    description: Text = ""
    disabled: bool = False
    event_types: EventTypeNames | None = None
    filter_types: EventTypeNames | None = None  # the older SDKs' name of eventTypes
    throttle_rate: Rate | None = None
    rate_limit: Rate | None = None  # the older SDKs' name of throttleRate
    metadata: Metadata = {}

    def draft(self) -> EndpointDraft:
        return EndpointDraft(
            url=self.url,
            uid=self.uid,
            description=self.description,
            disabled=self.disabled,
            event_types=distinct(self.event_types or self.filter_types),
            rate_limit=self.throttle_rate or self.rate_limit,
            metadata=self.metadata,
        )


class OperationalWebhookEndpointIn(OperationalWebhookEndpointUpsertIn, kw_only=True):
    """A new endpoint."""

    secret: SecretText | None = None
    headers: dict[str, str] | None = None


class OperationalWebhookEndpointOut(Schema, kw_only=True):
    """An endpoint."""

    id: str
    uid: str | None
    url: str
    description: str
    disabled: bool
    disabled_reason: str | None  # who or what disabled it
    event_types: list[str] | None
    filter_types: list[str] | None
    throttle_rate: int | None
    rate_limit: int | None
    metadata: dict[str, str]
    app_id: str  # of the hidden application: what it is sent is found under this name
    created_at: Timestamp
    updated_at: Timestamp


def _out(endpoint: Endpoint) -> OperationalWebhookEndpointOut:
    event_types = list(endpoint.event_types) or None
    return OperationalWebhookEndpointOut(
        id=endpoint.id,
        uid=endpoint.uid,
        url=endpoint.url,
        description=endpoint.description,
        disabled=endpoint.disabled,
        disabled_reason=endpoint.disabled_reason,
        event_types=event_types,
        filter_types=event_types,
        throttle_rate=endpoint.rate_limit,
        rate_limit=endpoint.rate_limit,
        metadata=endpoint.metadata,
        app_id=endpoint.scope,
        created_at=rfc3339(endpoint.created_at_us),
        updated_at=rfc3339(endpoint.updated_at_us),
    )


def _which(call: Call[Any, Any]) -> tuple[Caller, str, str]:
    return operational.insider(call.caller), UID, call.path["endpoint_id"]


@operation(
    "GET",
    _ALL,
    "v1.operational-webhook.endpoint.list",
    "List the endpoints that are told of events here",
    tag=_TAG,
    query=OrderedQuery,
    answers={200: ListOut[OperationalWebhookEndpointOut]},
    org_only=True,
)
async def list_endpoints(call: Call[OrderedQuery, None]) -> Answer:
    ask = call.query.ask(descending=call.query.order != "ascending")
    insider = operational.insider(call.caller)
    try:
        listing = await endpoints.list_endpoints(call.service, insider, UID, ask)
    except NotFound:
        listing = Listing(data=[], iterator=None, prev_iterator=None, done=True)
    return answer(200, page_of(listing, _out))


@operation(
    "POST",
    _ALL,
    "v1.operational-webhook.endpoint.create",
    "Create an endpoint that is told of events here",
    tag=_TAG,
    body=OperationalWebhookEndpointIn,
    answers={201: OperationalWebhookEndpointOut},
    org_only=True,
)
async def create_endpoint(call: Call[NoQuery, OperationalWebhookEndpointIn]) -> Answer:
    await operational.open_hidden(call.service, call.caller)
    endpoint = await endpoints.create_endpoint(
        call.service,
        operational.insider(call.caller),
        UID,
        call.body.draft(),
        secret=call.body.secret,
        headers=call.body.headers,
        once=call.once(lambda made: answer(201, _out(made))),
    )
    return answer(201, _out(endpoint))


@operation(
    "GET",
    _ONE,
    "v1.operational-webhook.endpoint.get",
    "Get such an endpoint",
    tag=_TAG,
    answers={200: OperationalWebhookEndpointOut},
    org_only=True,
)
async def get_endpoint(call: Call[NoQuery, None]) -> Answer:
    _, endpoint = await endpoints.find_endpoint(call.service, *_which(call))
    return answer(200, _out(endpoint))


@operation(
    "PUT",
    _ONE,
    "v1.operational-webhook.endpoint.update",
    "Replace such an endpoint (its secret and headers stay), or create one",
    tag=_TAG,
    body=OperationalWebhookEndpointUpsertIn,
    answers={200: OperationalWebhookEndpointOut, 201: OperationalWebhookEndpointOut},
    org_only=True,
)
async def put_endpoint(call: Call[NoQuery, OperationalWebhookEndpointUpsertIn]) -> Answer:
    await operational.open_hidden(call.service, call.caller)
    endpoint, is_new = await endpoints.put_endpoint(call.service, *_which(call), call.body.draft())
    return answer(201 if is_new else 200, _out(endpoint))


@operation(
    "DELETE",
    _ONE,
    "v1.operational-webhook.endpoint.delete",
    "Delete such an endpoint; what it was not told yet is cancelled",
    tag=_TAG,
    answers={204: None},
    org_only=True,
)
async def delete_endpoint(call: Call[NoQuery, None]) -> Answer:
    await endpoints.delete_endpoint(call.service, *_which(call))
    return NO_CONTENT


@operation(
    "GET",
    f"{_ONE}/secret",
    "v1.operational-webhook.endpoint.get-secret",
    "Get what such an endpoint verifies with; of an ed25519 pair the public key",
    tag=_TAG,
    answers={200: EndpointSecretOut},
    org_only=True,
    tells_secret=True,
)
async def get_secret(call: Call[NoQuery, None]) -> Answer:
    key = await endpoints.verifying_key(call.service, *_which(call))
    return answer(200, EndpointSecretOut(key=key))


@operation(
    "POST",
    f"{_ONE}/secret/rotate",
    "v1.operational-webhook.endpoint.rotate-secret",
    "Sign with a new secret; the old one signs too, for a day unless said otherwise",
    tag=_TAG,
    body=EndpointSecretRotateIn,
    answers={204: None},
    org_only=True,
)
async def rotate_secret(call: Call[NoQuery, EndpointSecretRotateIn]) -> Answer:
    grace_s = call.body.grace_period_seconds
    await endpoints.rotate_secret(
        call.service,
        *_which(call),
        key=call.body.key,
        grace_s=86_400 if grace_s is None else grace_s,
    )
    return NO_CONTENT


@operation(
    "GET",
    f"{_ONE}/headers",
    "v1.operational-webhook.endpoint.get-headers",
    "Get the headers that are sent to such an endpoint",
    tag=_TAG,
    answers={200: EndpointHeadersOut},
    org_only=True,
)
async def get_headers(call: Call[NoQuery, None]) -> Answer:
    shown, hidden = await endpoints.shown_headers(call.service, *_which(call))
    return answer(200, EndpointHeadersOut(headers=shown, sensitive=hidden))


@operation(
    "PUT",
    f"{_ONE}/headers",
    "v1.operational-webhook.endpoint.update-headers",
    "Replace the headers that are sent to such an endpoint",
    tag=_TAG,
    body=EndpointHeadersIn,
    answers={204: None},
    org_only=True,
)
async def put_headers(call: Call[NoQuery, EndpointHeadersIn]) -> Answer:
    headers = dict(call.body.headers)
    await endpoints.change_headers(call.service, *_which(call), headers, replace=True)
    return NO_CONTENT


OPERATIONS = (
    list_endpoints,
    create_endpoint,
    get_endpoint,
    put_endpoint,
    delete_endpoint,
    get_secret,
    rotate_secret,
    get_headers,
    put_headers,
)
