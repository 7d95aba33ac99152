"""Deliveries and dead letters of an application: beyond what Svix has."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from msgspec import Meta

from homing.core.errors import NotFound
from homing.core.lifecycle import Delivery, State
from homing.service import attempts, deliveries
from homing.service.listing import Ask
from homing.service.messages import Narrowing
from homing.web.operation import Answer, Call, answer, operation
from homing.web.operations.messages import TimedQuery
from homing.web.wire import (
    ListOut,
    NoQuery,
    Timestamp,
    Uid,
    Wire,
    page_of,
    rfc3339,
)

_DELIVERY: Final = "/app/{app_id}/delivery"
_DEAD: Final = "/app/{app_id}/dead-letter"

StateName = Literal["waiting", "leased", "parked", "delivered", "dead", "cancelled"]


class DeadLettersQuery(TimedQuery, frozen=True, kw_only=True):
    """Which dead letters."""

    endpoint_id: Uid | None = None


class DeliveriesQuery(TimedQuery, frozen=True, kw_only=True):
    """Which deliveries."""

    endpoint_id: Uid | None = None
    state: StateName | None = None


class DeliveryOut(Wire, kw_only=True):
    """One message for one endpoint, and how it stands."""

    id: str
    msg_id: str
    endpoint_id: str
    state: StateName
    #: dead: why it was given up; cancelled: who and why; parked: why
    reason: str | None
    attempts: int  #: leases given so far: attempts made, or under way
    failures: int  #: failed attempts of the present retry schedule
    first_error: str | None
    last_error: str | None
    accepted_at: Timestamp
    due_at: Timestamp | None  #: waiting: when it is tried next
    finished_at: Timestamp | None
    version: int


class DiscardIn(Wire, kw_only=True):
    """Why it is withdrawn; kept with it."""

    reason: Annotated[str, Meta(pattern=r"^[^\u0000]+$", min_length=1, max_length=500)] = (
        "discarded"
    )


def delivery_out(delivery: Delivery) -> DeliveryOut:
    finished_us = delivery.finished_at_us
    due_us = delivery.ready_at_us if delivery.state is State.WAITING else None
    return DeliveryOut(
        id=str(delivery.id),
        msg_id=delivery.message_id,
        endpoint_id=delivery.endpoint_id,
        state=delivery.state.value,
        reason=delivery.reason,
        attempts=delivery.leases,
        failures=delivery.failures,
        first_error=delivery.first_error,
        last_error=delivery.last_error,
        accepted_at=rfc3339(delivery.accepted_at_us),
        due_at=None if due_us is None else rfc3339(due_us),
        finished_at=None if finished_us is None else rfc3339(finished_us),
        version=delivery.version,
    )


async def _page(
    call: Call[Any, Any], which: Narrowing, ask: Ask, states: tuple[State, ...]
) -> Answer:
    listing = await attempts.list_deliveries(
        call.service,
        call.caller,
        call.path["app_id"],
        which,
        ask,
        states=states,
        endpoint=call.query.endpoint_id,
    )
    return answer(200, page_of(listing, delivery_out))


async def _find(call: Call[Any, Any]) -> Delivery:
    return await attempts.find_delivery(
        call.service, call.caller, call.path["app_id"], call.path["delivery_id"]
    )


@operation(
    "GET",
    _DELIVERY,
    "v1.delivery.list",
    "List deliveries, newest message first",
    tag="Delivery",
    query=DeliveriesQuery,
    answers={200: ListOut[DeliveryOut]},
)
async def list_deliveries(call: Call[DeliveriesQuery, None]) -> Answer:
    states = () if call.query.state is None else (State(call.query.state),)
    return await _page(call, call.query.narrowing(), call.query.ask(), states)


@operation(
    "GET",
    f"{_DELIVERY}/{{delivery_id}}",
    "v1.delivery.get",
    "Get a delivery",
    tag="Delivery",
    answers={200: DeliveryOut},
)
async def get_delivery(call: Call[NoQuery, None]) -> Answer:
    return answer(200, delivery_out(await _find(call)))


@operation(
    "GET",
    _DEAD,
    "v1.dead-letter.list",
    "List dead letters, newest message first",
    tag="Dead Letter",
    query=DeadLettersQuery,
    answers={200: ListOut[DeliveryOut]},
)
async def list_dead(call: Call[DeadLettersQuery, None]) -> Answer:
    return await _page(call, call.query.narrowing(), call.query.ask(), (State.DEAD,))


@operation(
    "GET",
    f"{_DEAD}/{{delivery_id}}",
    "v1.dead-letter.get",
    "Get a dead letter",
    tag="Dead Letter",
    answers={200: DeliveryOut},
)
async def get_dead(call: Call[NoQuery, None]) -> Answer:
    delivery = await _find(call)
    if delivery.state is not State.DEAD:
        raise NotFound(f"delivery {delivery.id} is not dead but {delivery.state}")
    return answer(200, delivery_out(delivery))


@operation(
    "POST",
    f"{_DEAD}/{{delivery_id}}/redrive",
    "v1.dead-letter.redrive",
    "Give a dead letter its whole retry schedule again, the first attempt now",
    tag="Dead Letter",
    answers={202: DeliveryOut},
)
async def redrive(call: Call[NoQuery, None]) -> Answer:
    found = await _find(call)
    after = await deliveries.redrive(
        call.service, found.app_id, found.id, actor=call.caller.subject
    )
    return answer(202, delivery_out(after))


@operation(
    "POST",
    f"{_DEAD}/{{delivery_id}}/discard",
    "v1.dead-letter.discard",
    "Withdraw a dead letter; it stays in the books as cancelled",
    tag="Dead Letter",
    body=DiscardIn,
    answers={200: DeliveryOut},
)
async def discard(call: Call[NoQuery, DiscardIn]) -> Answer:
    found = await _find(call)
    after = await deliveries.discard(
        call.service,
        found.app_id,
        found.id,
        actor=call.caller.subject,
        reason=call.body.reason,
    )
    return answer(200, delivery_out(after))


OPERATIONS = (list_deliveries, get_delivery, list_dead, get_dead, redrive, discard)
