"""What goes along with each request to an endpoint: its signature's secret, and headers."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from homing.service import endpoints
from homing.web.operation import NO_CONTENT, Answer, Call, answer, operation
from homing.web.operations.endpoints import ONE, TAG, SecretText, names_of
from homing.web.schemas import (
    NoQuery,
    Schema,
)


class EndpointSecretOut(Schema, kw_only=True):
    """What receivers verify signatures with."""

    key: str


class EndpointSecretRotateIn(Schema, kw_only=True):
    """The next secret; none given: one is made."""

    key: SecretText | None = None
    grace_period_seconds: Annotated[int, Meta(ge=0, le=604_800)] | None = None


class EndpointHeadersIn(Schema, kw_only=True):
    """The headers to send with each attempt."""

    headers: dict[str, str]


class EndpointHeadersPatchIn(Schema, kw_only=True):
    """Headers to set; null, or a name in `deleteHeaders`, removes one."""

    headers: dict[str, str | None]
    delete_headers: list[str] = []


class EndpointHeadersOut(Schema, kw_only=True):
    """The headers sent with each attempt; the values of sensitive ones are not shown."""

    headers: dict[str, str]
    sensitive: list[str]


@operation(
    "GET",
    f"{ONE}/secret",
    "v1.endpoint.get-secret",
    "Get what receivers verify with; of an ed25519 pair the public key",
    tag=TAG,
    answers={200: EndpointSecretOut},
    tells_secret=True,
)
async def get_secret(call: Call[NoQuery, None]) -> Answer:
    key = await endpoints.verifying_key(call.service, call.caller, *names_of(call))
    return answer(200, EndpointSecretOut(key=key))


@operation(
    "POST",
    f"{ONE}/secret/rotate",
    "v1.endpoint.rotate-secret",
    "Sign with a new secret; the old one signs too, for a day unless said otherwise",
    tag=TAG,
    body=EndpointSecretRotateIn,
    answers={200: EndpointSecretOut},
    tells_secret=True,
)
async def rotate_secret(call: Call[NoQuery, EndpointSecretRotateIn]) -> Answer:
    # Svix's server answers 204 with nothing; its newest SDK reads the key, the others ignore it.
    grace_s = call.body.grace_period_seconds
    key = await endpoints.rotate_secret(
        call.service,
        call.caller,
        *names_of(call),
        key=call.body.key,
        grace_s=86_400 if grace_s is None else grace_s,
        once=lambda key: call.once(lambda _: answer(200, EndpointSecretOut(key=key))),
    )
    return answer(200, EndpointSecretOut(key=key))


@operation(
    "GET",
    f"{ONE}/headers",
    "v1.endpoint.get-headers",
    "Get the headers that are sent with each attempt",
    tag=TAG,
    answers={200: EndpointHeadersOut},
)
async def get_headers(call: Call[NoQuery, None]) -> Answer:
    shown, hidden = await endpoints.shown_headers(call.service, call.caller, *names_of(call))
    return answer(200, EndpointHeadersOut(headers=shown, sensitive=hidden))


@operation(
    "PUT",
    f"{ONE}/headers",
    "v1.endpoint.update-headers",
    "Replace the headers",
    tag=TAG,
    body=EndpointHeadersIn,
    answers={204: None},
)
async def put_headers(call: Call[NoQuery, EndpointHeadersIn]) -> Answer:
    await endpoints.change_headers(
        call.service, call.caller, *names_of(call), dict(call.body.headers), replace=True
    )
    return NO_CONTENT


@operation(
    "PATCH",
    f"{ONE}/headers",
    "v1.endpoint.patch-headers",
    "Set or remove some headers",
    tag=TAG,
    body=EndpointHeadersPatchIn,
    answers={204: None},
)
async def patch_headers(call: Call[NoQuery, EndpointHeadersPatchIn]) -> Answer:
    headers = {**dict.fromkeys(call.body.delete_headers), **call.body.headers}
    await endpoints.change_headers(
        call.service, call.caller, *names_of(call), headers, replace=False
    )
    return NO_CONTENT


OPERATIONS = (
    get_secret,
    rotate_secret,
    get_headers,
    put_headers,
    patch_headers,
)
