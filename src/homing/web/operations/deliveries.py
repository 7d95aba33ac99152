"""Deliveries and dead letters of an application: beyond what Svix has."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from msgspec import Meta

from homing.core.errors import Invalid, NotFound, Problem
from homing.core.issues import Filed
from homing.core.lifecycle import Delivery, State
from homing.core.money import decimal_text
from homing.service import attempts, deliveries, desk
from homing.service.listing import Ask, Listing
from homing.service.messages import Narrowing
from homing.web.operation import Answer, Call, answer, operation
from homing.web.operations.messages import TimedQuery
from homing.web.schemas import (
    ListOut,
    NoQuery,
    Schema,
    Timestamp,
    Uid,
    page_of,
    rfc3339,
)

_DELIVERY: Final = "/app/{app_id}/delivery"
_DEAD: Final = "/app/{app_id}/dead-letter"

StateName = Literal["waiting", "leased", "parked", "delivered", "dead", "cancelled"]


class DeadLettersQuery(TimedQuery, frozen=True, kw_only=True):
    """Which dead letters; those of an issue, or what was discarded, by nothing else."""

    endpoint_id: Uid | None = None
    issue_id: Uid | None = None
    discarded: bool = False


class DeliveriesQuery(TimedQuery, frozen=True, kw_only=True):
    """Which deliveries."""

    endpoint_id: Uid | None = None
    state: StateName | None = None


class DeliveryOut(Schema, kw_only=True):
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


class MoneyOut(Schema, kw_only=True):
    """An exact amount in one currency."""

    currency: str  #: ISO 4217
    amount: str  #: in the currency's unit, as a decimal


class DeadLetterOut(DeliveryOut, kw_only=True):
    """A dead letter, and its place at the desk."""

    issue_id: str | None
    died_at: Timestamp | None
    money: MoneyOut | None  #: what its payload says is at stake, where its event type says where
    discarded_at: Timestamp | None  #: it was withdrawn, and can be brought back for a time


#: why a dead letter is withdrawn; kept with it
Why = Annotated[str, Meta(pattern=r"^[^\u0000]+$", min_length=1, max_length=500)]


class DiscardIn(Schema, kw_only=True):
    """Why it is withdrawn; kept with it."""

    why: Why


class CancelIn(Schema, kw_only=True):
    """Why it is withdrawn; kept with it."""

    why: Why


def delivery_out(delivery: Delivery) -> DeliveryOut:
    return DeliveryOut(**_fields(delivery))


def dead_letter_out(delivery: Delivery, filed: Filed | None) -> DeadLetterOut:
    discarded_us = None if filed is None else filed.discarded_at_us
    money = None
    if filed is not None and filed.currency is not None:
        money = MoneyOut(currency=filed.currency, amount=decimal_text(filed.micro or 0))
    return DeadLetterOut(
        **_fields(delivery),
        issue_id=None if filed is None else filed.issue_id,
        died_at=None if filed is None else rfc3339(filed.died_at_us),
        money=money,
        discarded_at=None if discarded_us is None else rfc3339(discarded_us),
    )


def _fields(delivery: Delivery) -> dict[str, Any]:
    finished_us = delivery.finished_at_us
    due_us = delivery.ready_at_us if delivery.state is State.WAITING else None
    return {
        "id": str(delivery.id),
        "msg_id": delivery.message_id,
        "endpoint_id": delivery.endpoint_id,
        "state": delivery.state.value,
        "reason": delivery.reason,
        "attempts": delivery.leases,
        "failures": delivery.failures,
        "first_error": delivery.first_error,
        "last_error": delivery.last_error,
        "accepted_at": rfc3339(delivery.accepted_at_us),
        "due_at": None if due_us is None else rfc3339(due_us),
        "finished_at": None if finished_us is None else rfc3339(finished_us),
        "version": delivery.version,
    }


async def _listed(
    call: Call[Any, Any], which: Narrowing, ask: Ask, states: tuple[State, ...]
) -> Listing[Delivery]:
    return await attempts.list_deliveries(
        call.service,
        call.caller,
        call.path["app_id"],
        which,
        ask,
        states=states,
        endpoint=call.query.endpoint_id,
    )


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
    listing = await _listed(call, call.query.narrowing(), call.query.ask(), states)
    return answer(200, page_of(listing, delivery_out))


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
    "POST",
    f"{_DELIVERY}/{{delivery_id}}/cancel",
    "v1.delivery.cancel",
    "Withdraw a delivery that is waiting or parked; it stays in the books, as cancelled",
    tag="Delivery",
    body=CancelIn,
    answers={200: DeliveryOut},
)
async def cancel(call: Call[NoQuery, CancelIn]) -> Answer:
    found = await _find(call)
    after = await deliveries.cancel(
        call.service, found.app_id, found.id, actor=call.caller.actor, why=call.body.why
    )
    return answer(200, delivery_out(after))


@operation(
    "GET",
    _DEAD,
    "v1.dead-letter.list",
    "List dead letters, newest message first",
    tag="Dead Letter",
    query=DeadLettersQuery,
    answers={200: ListOut[DeadLetterOut]},
)
async def list_dead(call: Call[DeadLettersQuery, None]) -> Answer:
    query = call.query
    if query.issue_id is None and not query.discarded:
        listing = await _listed(call, query.narrowing(), query.ask(), (State.DEAD,))
    elif query.narrowing() == Narrowing() and query.endpoint_id is None:
        listing = await desk.list_letters(
            call.service,
            call.caller,
            call.path["app_id"],
            query.ask(),
            issue=query.issue_id,
            discarded=query.discarded,
        )
    else:
        text = "expected no other filter beside it"
        raise Invalid([Problem(("query", "issue_id" if query.issue_id else "discarded"), text)])
    places = await desk.places(call.service, listing.data)
    return answer(200, page_of(listing, lambda one: dead_letter_out(one, places.get(one.id))))


@operation(
    "GET",
    f"{_DEAD}/{{delivery_id}}",
    "v1.dead-letter.get",
    "Get a dead letter",
    tag="Dead Letter",
    answers={200: DeadLetterOut},
)
async def get_dead(call: Call[NoQuery, None]) -> Answer:
    delivery = await _find(call)
    filed = (await desk.places(call.service, [delivery])).get(delivery.id)
    if delivery.state is not State.DEAD and filed is None:
        raise NotFound(f"delivery {delivery.id} is not dead but {delivery.state}")
    return answer(200, dead_letter_out(delivery, filed))


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
    after = await deliveries.redrive(call.service, found.app_id, found.id, actor=call.caller.actor)
    return answer(202, delivery_out(after))


@operation(
    "POST",
    f"{_DEAD}/{{delivery_id}}/discard",
    "v1.dead-letter.discard",
    "Withdraw a dead letter; it stays in the books, and can be brought back for a time",
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
        actor=call.caller.actor,
        why=call.body.why,
    )
    return answer(200, delivery_out(after))


@operation(
    "POST",
    f"{_DEAD}/{{delivery_id}}/undo",
    "v1.dead-letter.undo",
    "Bring a discarded dead letter back",
    tag="Dead Letter",
    answers={200: DeliveryOut},
)
async def undo(call: Call[NoQuery, None]) -> Answer:
    found = await _find(call)
    after = await deliveries.undo_discard(
        call.service, found.app_id, found.id, actor=call.caller.actor
    )
    return answer(200, delivery_out(after))


OPERATIONS = (list_deliveries, get_delivery, cancel, list_dead, get_dead, redrive, discard, undo)
