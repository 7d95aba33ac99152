"""What was for an endpoint, delivered or not: what its receiver compares its own books with."""

from __future__ import annotations

from homing.core.identifiers import STEP_US
from homing.core.lifecycle import Delivery, State
from homing.core.queries import DeliveryFilter, Page, Span
from homing.core.records import Message
from homing.service.context import Service
from homing.service.listing import Ask, Listing, is_id, paginate
from homing.service.operational import find_traffic_endpoint
from homing.service.tokens import Caller


async def list_sent(
    service: Service,
    caller: Caller,
    app: str,
    endpoint: str,
    ask: Ask,
    *,
    since_us: int | None,
    until_us: int | None,
    states: tuple[State, ...] = (),
) -> Listing[tuple[Delivery, Message]]:
    """Deliveries of an endpoint with their messages, in the order of acceptance.

    Args:
        since_us: accepted then or later: inclusive, so that spans that touch miss nothing.
        until_us: accepted before.

    Raises:
        NotFound: no such application or endpoint.
    """
    application, found = await find_traffic_endpoint(service, caller, app, endpoint)
    after_us = None if since_us is None else max(since_us - STEP_US, 0)
    matching = DeliveryFilter(
        app_id=application.id,
        endpoint_id=found.id,
        states=states,
        span=Span(since_us=after_us, until_us=until_us),
    )
    messages: dict[str, Message] = {}

    async def fetch(page: Page) -> list[Delivery]:
        deliveries = await service.store.deliveries(matching, page)
        ids = [delivery.message_id for delivery in deliveries]
        messages.update(await service.store.messages_by_ids(ids))
        return deliveries

    listing = await paginate(
        fetch,
        lambda delivery: delivery.message_id,
        ask,
        is_name=is_id("msg_"),
        keep=lambda delivery: delivery.message_id in messages,
    )
    return listing.map(lambda delivery: (delivery, messages[delivery.message_id]))
