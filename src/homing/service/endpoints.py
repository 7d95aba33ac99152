"""Endpoints: the URLs of an application, and their secrets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from homing.core import signature
from homing.core.errors import Invalid, NotFound, Problem, Refused
from homing.core.health import blank_health
from homing.core.resources import Application, Endpoint, Secret
from homing.core.sealing import CannotOpen, Sealed, header_place, secret_place
from homing.core.urls import parse_url
from homing.service.applications import find_application
from homing.service.context import Once, Service
from homing.service.editing import edit, refuse_id_as_uid
from homing.service.event_types import refuse_unknown
from homing.service.headers import SENSITIVE, check_headers, check_names
from homing.service.listing import Ask, Listing, is_id, paginate
from homing.service.operational import news_of_change
from homing.service.tokens import Caller

PREFIX = "ep_"

#: secrets that still sign beside the present one. Each adds to every request's header.
_OLD_SECRETS_MAX: Final = 10

#: of every address that is refused, whatever the reason: it tells nothing about what is there
_NOT_PERMITTED: Final = (
    "expected a public address, or one that the operator allows (HOMING_EGRESS_ALLOW)"
)


class EndpointDraft(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint as its owner describes it."""

    url: str
    uid: str | None = None
    description: str = ""
    event_types: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    metadata: dict[str, str] = {}
    rate_limit: int | None = None
    disabled: bool = False
    #: delays between attempts, seconds; None: the service's schedule; not given: as it is
    retry_delays_s: tuple[float, ...] | UnsetType | None = UNSET
    #: attempts under way at once; None: no limit; not given: as it is
    concurrency_limit: int | UnsetType | None = UNSET

    def given(self) -> dict[str, Any]:
        """The fields that are given."""
        fields = msgspec.structs.asdict(self)
        return {name: value for name, value in fields.items() if value is not UNSET}


async def find_endpoint(
    service: Service, caller: Caller, app: str, name: str
) -> tuple[Application, Endpoint]:
    """An endpoint by id or uid, and its application.

    Raises:
        NotFound: there is no such application, or no such endpoint in it.
    """
    application = await find_application(service, caller, app)
    endpoint = await service.store.get(Endpoint, application.id, name)
    if endpoint is None:
        raise NotFound(f"there is no endpoint {name!r} in this application")
    return application, endpoint


async def list_endpoints(service: Service, caller: Caller, app: str, ask: Ask) -> Listing[Endpoint]:
    """An application's endpoints, by id."""
    application = await find_application(service, caller, app)
    return await paginate(
        lambda page: service.store.list(Endpoint, application.id, page),
        lambda endpoint: endpoint.id,
        ask,
        is_name=is_id(PREFIX),
    )


async def create_endpoint(
    service: Service,
    caller: Caller,
    app: str,
    draft: EndpointDraft,
    *,
    secret: str | None = None,
    headers: Mapping[str, str] | None = None,
    once: Once[Endpoint] | None = None,
) -> Endpoint:
    """A new endpoint; it gets every message accepted from now on that it wants.

    Args:
        secret: "whsec_…" or "whsk_…"; None: one is made.
        headers: sent with each attempt.

    Raises:
        NotFound: no such application.
        Conflict: the uid is taken.
        Invalid: the URL, secret, a header, an event type or the uid cannot be used.
    """
    application = await find_application(service, caller, app)
    fields = draft.given()
    await _check(service, caller, application.id, fields)
    given = dict(headers or {})
    check_headers(given, where=("body", "headers"))
    endpoint_id, key = service.new_id(PREFIX), _secret(service, secret, where=("body", "secret"))
    at_us = service.clock.now_us()
    endpoint = Endpoint(
        scope=application.id,
        id=endpoint_id,
        org_id=application.scope,
        created_at_us=at_us,
        updated_at_us=at_us,
        secrets=(Secret(key=service.seal(key, secret_place(endpoint_id))),),
        headers=_sealed(service, endpoint_id, given),
        **_disabling(fields, None, at_us, caller),
    )
    await service.store.put(
        endpoint,
        touch=application.id,
        key=None if once is None else once.key,
        reply=None if once is None else once.reply(endpoint),
        also=await news_of_change(service, None, endpoint),
    )
    return endpoint


async def put_endpoint(
    service: Service, caller: Caller, app: str, name: str, draft: EndpointDraft
) -> tuple[Endpoint, bool]:
    """Replace an endpoint, or create one where there is none.

    Its secrets and headers stay as they are; so does its retry schedule, if none is given.

    Returns:
        The endpoint, and whether it is new. A new one has a new id and the draft's uid.

    Raises:
        as `create_endpoint`.
    """
    try:
        return await patch_endpoint(service, caller, app, name, draft.given()), False
    except NotFound:
        return await create_endpoint(service, caller, app, draft), True


async def patch_endpoint(
    service: Service, caller: Caller, app: str, name: str, fields: Mapping[str, Any]
) -> Endpoint:
    """Replace the given fields. Enabling it sends what was parked.

    Raises:
        NotFound: no such application or endpoint.
        Conflict, Invalid: as `create_endpoint`.
    """
    application, present = await find_endpoint(service, caller, app, name)
    await _check(service, caller, application.id, fields)
    at_us = service.clock.now_us()
    if fields.get("disabled") is False and present.disabled:
        # Failures from before it was disabled must not disable it again at its first new one.
        await service.store.delete(blank_health(application.id, present.id, at_us))
    endpoint = await _edit(
        service, application, name, lambda present: _disabling(fields, present, at_us, caller)
    )
    service.wake()
    return endpoint


async def delete_endpoint(service: Service, caller: Caller, app: str, name: str) -> None:
    """Remove an endpoint; what it was not yet sent is cancelled.

    Raises:
        NotFound: no such application or endpoint.
    """
    application, endpoint = await find_endpoint(service, caller, app, name)
    news = await news_of_change(service, endpoint, None)
    await service.store.delete(endpoint, touch=application.id, also=news)
    service.wake()


async def verifying_key(service: Service, caller: Caller, app: str, name: str) -> str:
    """What receivers verify with: the secret itself, or the public key of an ed25519 pair.

    Raises:
        NotFound: no such application or endpoint.
        Unavailable: the secret cannot be opened.
    """
    _, endpoint = await find_endpoint(service, caller, app, name)
    key = service.open(endpoint.secrets[0].key, secret_place(endpoint.id))
    return signature.public_key(key)


async def rotate_secret(
    service: Service,
    caller: Caller,
    app: str,
    name: str,
    *,
    key: str | None,
    grace_s: int,
    once: Callable[[str], Once[Endpoint] | None] = lambda key: None,
) -> str:
    """Sign with a new secret from now on, and beside it with the old one for a while.

    A secret that cannot be opened any more is left behind: rotating is the way out of that.

    Args:
        key: the new secret; None: one of the same kind is made.
        grace_s: how long the old one still signs, seconds, 0 to 604800.
        once: makes the request repeatable, given what it returns.

    Returns:
        What receivers verify with from now on.

    Raises:
        NotFound: no such application or endpoint.
        Invalid: the key cannot be used.
        Refused: `limit_reached`: too many old secrets still sign.
    """
    application, endpoint = await find_endpoint(service, caller, app, name)
    if key is None and _is_private(service, endpoint):
        entropy = service.chance.entropy(signature.ED25519_ENTROPY_BYTES)
        key = signature.generate_private_key(entropy)
    new = _secret(service, key, where=("body", "key"))
    sealed = Secret(key=service.seal(new, secret_place(endpoint.id)))
    at_us = service.clock.now_us()

    def change(present: Endpoint) -> dict[str, object]:
        newest, *older = present.secrets
        older = [s for s in older if _opened(service, endpoint.id, s) is not None]
        live = [s for s in older if s.expires_at_us is not None and s.expires_at_us > at_us]
        if grace_s > 0 and _opened(service, endpoint.id, newest) is not None:
            live.insert(0, Secret(key=newest.key, expires_at_us=at_us + grace_s * 1_000_000))
        if len(live) > _OLD_SECRETS_MAX:
            text = f"{_OLD_SECRETS_MAX} old secrets still sign; wait until one expires"
            raise Refused("limit_reached", text)
        return {"secrets": (sealed, *live)}

    shown = signature.public_key(new)
    await _edit(service, application, name, change, once=once(shown))
    return shown


async def shown_headers(
    service: Service, caller: Caller, app: str, name: str
) -> tuple[dict[str, str], list[str]]:
    """The headers that are sent with each attempt.

    Returns:
        Value by name, and the names of those whose values are not shown.

    Raises:
        NotFound: no such application or endpoint.
        Unavailable: a value cannot be opened.
    """
    _, endpoint = await find_endpoint(service, caller, app, name)
    hidden = [header for header in endpoint.headers if header.lower() in SENSITIVE]
    shown = {
        header: service.open(sealed, header_place(endpoint.id, header))
        for header, sealed in endpoint.headers.items()
        if header not in hidden
    }
    return shown, hidden


async def change_headers(
    service: Service,
    caller: Caller,
    app: str,
    name: str,
    headers: Mapping[str, str | None],
    *,
    replace: bool,
) -> None:
    """Set the headers that are sent with each attempt.

    Args:
        headers: None as a value removes one (whatever the case of its name).
        replace: the others are removed; otherwise they stay.

    Raises:
        NotFound: no such application or endpoint.
        Invalid: a header that must not be set.
    """
    application, endpoint = await find_endpoint(service, caller, app, name)
    given = {key: value for key, value in headers.items() if value is not None}
    check_headers(given, where=("body", "headers"))
    sealed = _sealed(service, endpoint.id, given)
    named = {key.lower() for key in headers}

    def change(present: Endpoint) -> dict[str, object]:
        kept = {k: v for k, v in present.headers.items() if k.lower() not in named}
        after = sealed if replace else {**kept, **sealed}
        check_names(after, where=("body", "headers"))
        return {"headers": after}

    await _edit(service, application, name, change)


async def _edit(
    service: Service,
    application: Application,
    name: str,
    change: Callable[[Endpoint], Mapping[str, object]],
    once: Once[Endpoint] | None = None,
) -> Endpoint:
    """Replace fields of an endpoint, and tell of it."""
    return await edit(
        service,
        lambda: _read(service, application.id, name),
        change,
        touch=application.id,
        also=partial(news_of_change, service),
        once=once,
    )


async def _read(service: Service, app_id: str, name: str) -> Endpoint:
    endpoint = await service.store.get(Endpoint, app_id, name)
    if endpoint is None:
        raise NotFound(f"there is no endpoint {name!r} in this application")
    return endpoint


async def _check(service: Service, caller: Caller, app_id: str, fields: Mapping[str, Any]) -> None:
    refuse_id_as_uid(fields.get("uid"), PREFIX)
    if "url" in fields:
        _check_url(service, app_id, fields["url"])
    await refuse_unknown(service, caller, fields.get("event_types") or ())


def _disabling(
    fields: Mapping[str, Any], present: Endpoint | None, at_us: int, caller: Caller
) -> dict[str, Any]:
    """`fields`, and what is recorded when they disable or enable the endpoint."""
    disabled = fields.get("disabled")
    was = present is not None and present.disabled
    if disabled is None or disabled == was:
        return dict(fields)
    if not disabled:
        return {**fields, "disabled_reason": None, "disabled_at_us": None}
    return {
        **fields,
        "disabled_reason": f"disabled by {caller.actor}",
        "disabled_at_us": at_us,
    }


def _sealed(service: Service, endpoint_id: str, headers: Mapping[str, str]) -> dict[str, Sealed]:
    return {
        name: service.seal(value, header_place(endpoint_id, name))
        for name, value in headers.items()
    }


def _opened(service: Service, endpoint_id: str, secret: Secret) -> str | None:
    """The key, or None when it cannot be opened."""
    try:
        return service.seals.open(secret.key, secret_place(endpoint_id))
    except CannotOpen:
        return None


def _is_private(service: Service, endpoint: Endpoint) -> bool:
    """Whether its present secret is an ed25519 key; of one that cannot be opened nobody knows."""
    key = _opened(service, endpoint.id, endpoint.secrets[0])
    return key is not None and key.startswith(signature.PRIVATE_PREFIX)


def _secret(service: Service, key: str | None, *, where: tuple[str, ...]) -> str:
    """The text of a new secret: `key`, if it can be used, or one that is made."""
    if key is None:
        entropy = service.chance.entropy(signature.HMAC_ENTROPY_BYTES)
        return signature.generate_secret(entropy)
    if not key.startswith((signature.HMAC_PREFIX, signature.PRIVATE_PREFIX)):
        key = signature.HMAC_PREFIX + key  # Svix takes the bare base64 too
    try:
        signature.parse_secret(key)
    except ValueError as error:
        raise Invalid([Problem(where, str(error))]) from error
    return key


def _check_url(service: Service, app_id: str, text: str) -> None:
    """Raises: Invalid: not a URL that the sender could dial; the same reader decides there."""
    try:
        url = parse_url(text)
    except ValueError as error:
        raise Invalid([Problem(("body", "url"), str(error))]) from error
    if not service.permits(url, app_id):
        raise Invalid([Problem(("body", "url"), _NOT_PERMITTED)])
