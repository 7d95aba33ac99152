"""What was for an endpoint, delivered or not: for its receiver. Beyond what Svix has."""

from __future__ import annotations

from datetime import datetime

from homing.core.lifecycle import Delivery, State
from homing.core.records import Message
from homing.service.sent import list_sent
from homing.web.operation import Answer, Call, answer, operation
from homing.web.operations.deliveries import StateName
from homing.web.operations.endpoints import ONE, TAG, names_of
from homing.web.schemas import (
    ListOut,
    Moment,
    PageQuery,
    Schema,
    Timestamp,
    microseconds,
    page_of,
    rfc3339,
)


class SentQuery(PageQuery, frozen=True, kw_only=True):
    """Which messages: accepted at `since` or later, and before `until`."""

    since: Moment | None = None
    until: Moment | None = None
    state: StateName | None = None


class SentOut(Schema, kw_only=True):
    """A message that was for this endpoint, and what became of it."""

    id: str  #: `webhook-id` of every request that carries it
    event_type: str
    event_id: str | None
    accepted_at: Timestamp
    state: StateName
    attempts: int  #: made, or under way
    finished_at: Timestamp | None


def _sent_out(row: tuple[Delivery, Message]) -> SentOut:
    delivery, message = row
    finished_us = delivery.finished_at_us
    return SentOut(
        id=message.id,
        event_type=message.event_type,
        event_id=message.event_id,
        accepted_at=rfc3339(delivery.accepted_at_us),
        state=delivery.state.value,
        attempts=delivery.leases,
        finished_at=None if finished_us is None else rfc3339(finished_us),
    )


def _us(moment: datetime | None) -> int | None:
    return None if moment is None else microseconds(moment)


@operation(
    "GET",
    f"{ONE}/sent",
    "v1.endpoint.list-sent",
    "List what was for this endpoint, delivered or not, oldest first",
    tag=TAG,
    query=SentQuery,
    answers={200: ListOut[SentOut]},
)
async def list_all(call: Call[SentQuery, None]) -> Answer:
    query = call.query
    listing = await list_sent(
        call.service,
        call.caller,
        *names_of(call),
        query.ask(),
        since_us=_us(query.since),
        until_us=_us(query.until),
        states=() if query.state is None else (State(query.state),),
    )
    return answer(200, page_of(listing, _sent_out))


OPERATIONS = (list_all,)
