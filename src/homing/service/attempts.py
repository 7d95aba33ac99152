"""Reading back what was tried and what became of it."""

from __future__ import annotations

from typing import Final

import msgspec

from homing.core.errors import NotFound, Refused
from homing.core.identifiers import DeliveryId, parse_delivery_id
from homing.core.lifecycle import Delivery, State
from homing.core.outcome import Reason
from homing.core.queries import AttemptFilter, DeliveryFilter, Page, Span
from homing.core.records import Attempt, Message
from homing.core.resources import Endpoint
from homing.service.context import Service
from homing.service.listing import Ask, Listing, is_delivery_id, is_id, paginate
from homing.service.messages import Narrowing, find_message, from_oldest
from homing.service.operational import find_traffic, find_traffic_endpoint
from homing.service.tokens import Caller

PREFIX: Final = "atmpt_"
#: the longest span that attempts are counted over
_COUNTED_S_MAX: Final = 28 * 86_400


class AttemptNarrowing(Narrowing, frozen=True, kw_only=True):
    """Which attempts of a listing. Empty and None mean all."""

    succeeded: bool | None = None
    status_class: int | None = None  #: 100 … 500: that hundred; 0: no status came


async def list_attempts(
    service: Service,
    caller: Caller,
    app: str,
    which: AttemptNarrowing,
    ask: Ask,
    *,
    message: str | None = None,
    endpoint: str | None = None,
) -> Listing[Attempt]:
    """Attempts of a message, of an endpoint, or of both, newest first.

    Raises:
        NotFound: no such application, message or endpoint.
    """
    assert message is not None or endpoint is not None
    application = await find_traffic(service, caller, app)
    message_id = endpoint_id = None
    if message is not None:
        message_id = (await find_message(service, caller, app, message)).id
    if endpoint is not None:
        endpoint_id = (await find_traffic_endpoint(service, caller, app, endpoint))[1].id
    matching = AttemptFilter(
        app_id=application.id,
        message_id=message_id,
        endpoint_id=endpoint_id,
        succeeded=which.succeeded,
        status_class=which.status_class,
        event_types=which.event_types,
        channel=which.channel,
        tag=which.tag,
        span=which.span,
    )

    async def fetch(page: Page) -> list[Attempt]:
        return await service.store.attempts(matching, page)

    return await paginate(
        fetch,
        lambda attempt: attempt.id,
        msgspec.structs.replace(from_oldest(ask, which, PREFIX), descending=True),
        is_name=is_id(PREFIX),
    )


async def messages_of(service: Service, attempts: list[Attempt]) -> dict[str, Message]:
    """The messages of these attempts, by id."""
    return await service.store.messages_by_ids(list({a.message_id for a in attempts}))


async def find_attempt(
    service: Service, caller: Caller, app: str, message: str, attempt_id: str
) -> Attempt:
    """One attempt of a message.

    Raises:
        NotFound: no such application, message or attempt.
    """
    found = await find_message(service, caller, app, message)
    attempt = await service.store.attempt(found.id, attempt_id)
    if attempt is None:
        raise NotFound(f"there is no attempt {attempt_id!r} of this message")
    return attempt


async def expunge_attempt(
    service: Service, caller: Caller, app: str, message: str, attempt_id: str
) -> None:
    """Forget what a receiver answered.

    Raises:
        NotFound: no such application, message or attempt.
    """
    attempt = await find_attempt(service, caller, app, message, attempt_id)
    await service.store.expunge_attempt(attempt.message_id, attempt.id)


async def list_deliveries(
    service: Service,
    caller: Caller,
    app: str,
    which: Narrowing,
    ask: Ask,
    *,
    states: tuple[State, ...] = (),
    endpoint: str | None = None,
) -> Listing[Delivery]:
    """Deliveries of an application, newest message first.

    Raises:
        NotFound: no such application or endpoint.
    """
    application = await find_traffic(service, caller, app)
    endpoint_id = None
    if endpoint is not None:
        endpoint_id = (await find_traffic_endpoint(service, caller, app, endpoint))[1].id
    matching = DeliveryFilter(
        app_id=application.id,
        endpoint_id=endpoint_id,
        states=states,
        event_types=which.event_types,
        channel=which.channel,
        span=which.span,
    )
    return await paginate(
        lambda page: service.store.deliveries(matching, page),
        lambda delivery: str(delivery.id),
        msgspec.structs.replace(ask, descending=True),
        is_name=is_delivery_id,
    )


async def list_messages_of_endpoint(
    service: Service,
    caller: Caller,
    app: str,
    endpoint: str,
    which: Narrowing,
    ask: Ask,
    *,
    states: tuple[State, ...] = (),
) -> Listing[tuple[Delivery, Message]]:
    """What was sent, or is to be sent, to one endpoint, newest first.

    Raises:
        NotFound: no such application or endpoint.
    """
    application, found = await find_traffic_endpoint(service, caller, app, endpoint)
    matching = DeliveryFilter(
        app_id=application.id,
        endpoint_id=found.id,
        states=states,
        event_types=which.event_types,
        channel=which.channel,
        span=which.span,
    )
    messages: dict[str, Message] = {}

    async def fetch(page: Page) -> list[Delivery]:
        deliveries = await service.store.deliveries(matching, page)
        ids = [delivery.message_id for delivery in deliveries]
        messages.update(await service.store.messages_by_ids(ids))
        return deliveries

    def is_tagged(delivery: Delivery) -> bool:
        message = messages.get(delivery.message_id)
        return message is not None and (which.tag is None or which.tag in message.tags)

    listing = await paginate(
        fetch,
        lambda delivery: delivery.message_id,
        msgspec.structs.replace(from_oldest(ask, which, "msg_"), descending=True),
        is_name=is_id("msg_"),
        keep=is_tagged,
    )
    return listing.map(lambda delivery: (delivery, messages[delivery.message_id]))


async def list_endpoints_of_message(
    service: Service, caller: Caller, app: str, message: str, ask: Ask
) -> Listing[tuple[Delivery, Endpoint]]:
    """Where a message goes or went, by endpoint id; endpoints that were deleted are left out.

    Raises:
        NotFound: no such application or message.
    """
    found = await find_message(service, caller, app, message)
    matching = DeliveryFilter(app_id=found.app_id, message_id=found.id)
    endpoints: dict[str, Endpoint] = {}

    async def fetch(page: Page) -> list[Delivery]:
        deliveries = await service.store.deliveries(matching, page)
        ids = [delivery.endpoint_id for delivery in deliveries]
        endpoints.update((e.id, e) for e in await service.store.by_ids(Endpoint, ids))
        return deliveries

    listing = await paginate(
        fetch,
        lambda delivery: delivery.endpoint_id,
        ask,
        is_name=is_id("ep_"),
        keep=lambda delivery: delivery.endpoint_id in endpoints,
    )
    return listing.map(lambda delivery: (delivery, endpoints[delivery.endpoint_id]))


async def find_delivery(service: Service, caller: Caller, app: str, delivery_id: str) -> Delivery:
    """By its id, `msg_….ep_…`.

    Raises:
        NotFound: no such application, or no such delivery in it.
    """
    application = await find_traffic(service, caller, app)
    which = _delivery_id(delivery_id)
    delivery = await service.store.delivery(which) if which is not None else None
    if delivery is None or delivery.app_id != application.id:
        raise NotFound(f"there is no delivery {delivery_id!r} in this application")
    return delivery


async def count_attempts(
    service: Service,
    caller: Caller,
    app: str,
    endpoint: str,
    *,
    since_us: int | None,
    until_us: int | None,
) -> dict[Reason, int]:
    """Attempts of an endpoint by what they came to; by default of the last 28 days.

    Raises:
        NotFound: no such application or endpoint.
        Refused: `invalid_range`: longer than 28 days, or its end before its beginning.
    """
    _, found = await find_traffic_endpoint(service, caller, app, endpoint)
    until_us = until_us if until_us is not None else service.clock.now_us()
    since_us = since_us if since_us is not None else until_us - _COUNTED_S_MAX * 1_000_000
    if not 0 <= until_us - since_us <= _COUNTED_S_MAX * 1_000_000:
        raise Refused("invalid_range", "expected since before until, at most 28 days apart")
    return await service.store.attempt_counts(found.id, Span(since_us=since_us, until_us=until_us))


def _delivery_id(text: str) -> DeliveryId | None:
    try:
        return parse_delivery_id(text)
    except ValueError:
        return None
