"""Attempts, and what became of a message at each endpoint."""

from __future__ import annotations

from typing import Any, Final, Literal

from homing.core.lifecycle import Delivery, State
from homing.core.outcome import Outcome, Reason
from homing.core.records import Attempt, Message, Trigger
from homing.core.resources import Endpoint
from homing.service import attempts, deliveries
from homing.service.attempts import AttemptNarrowing
from homing.service.listing import Ask, Listing
from homing.service.messages import find_message
from homing.service.operational import find_traffic_endpoint
from homing.web.operation import NO_CONTENT, Answer, Call, answer, operation
from homing.web.operations.endpoints import endpoint_fields
from homing.web.operations.messages import (
    MessageOut,
    TimedQuery,
    message_fields,
    message_out,
)
from homing.web.schemas import (
    ListOut,
    NoQuery,
    Nothing,
    PageQuery,
    Schema,
    Tag,
    Timestamp,
    Uid,
    page_of,
    rfc3339,
)

_TAG: Final = "Message Attempt"

SUCCESS, PENDING, FAIL, SENDING, CANCELED = range(5)
_TEXTS: Final = ("success", "pending", "fail", "sending", "canceled")
_STATUSES: Final = {
    State.DELIVERED: SUCCESS,
    State.WAITING: PENDING,
    State.PARKED: PENDING,
    State.DEAD: FAIL,
    State.LEASED: SENDING,
    State.CANCELLED: CANCELED,
}

Status = Literal[0, 1, 2, 3, 4]
StatusText = Literal["success", "pending", "fail", "sending", "canceled"]


class AttemptsQuery(TimedQuery, frozen=True, kw_only=True):
    """Which attempts."""

    status: Status | None = None
    status_code_class: Literal[0, 100, 200, 300, 400, 500] | None = None
    tag: Tag | None = None
    endpoint_id: Uid | None = None
    with_msg: bool = False
    expanded_statuses: bool = False


class AttemptedMessagesQuery(TimedQuery, frozen=True, kw_only=True):
    """Which messages of an endpoint."""

    status: Status | None = None
    tag: Tag | None = None
    expanded_statuses: bool = False


class DestinationsQuery(PageQuery, frozen=True, kw_only=True):
    """Which endpoints of a message."""

    expanded_statuses: bool = False


class MessageAttemptOut(Schema, kw_only=True):
    """One HTTP request, and what came of it."""

    id: str
    msg_id: str
    endpoint_id: str
    url: str
    response: str
    response_status_code: int
    response_duration_ms: int
    status: Status
    status_text: StatusText
    trigger_type: Literal[0, 1]
    timestamp: Timestamp
    msg: MessageOut | None = None


class EndpointMessageOut(MessageOut, kw_only=True):
    """A message, and how it stands with one endpoint."""

    status: Status
    status_text: StatusText
    next_attempt: Timestamp | None


class MessageEndpointOut(Schema, kw_only=True):
    """An endpoint, and how one message stands with it."""

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
    retry_delays_seconds: list[float] | None
    disabled_reason: str | None
    version: int
    created_at: Timestamp
    updated_at: Timestamp
    status: Status
    status_text: StatusText
    next_attempt: Timestamp | None


def status_of(delivery: Delivery, *, expanded: bool) -> int:
    """The number that Svix's SDKs know for a state; only with `expanded` "canceled" is one."""
    status = _STATUSES[delivery.state]
    return FAIL if status == CANCELED and not expanded else status


def states_of(status: int | None, *, expanded: bool) -> tuple[State, ...]:
    """The states that such a number stands for; None: all."""
    if status is None:
        return ()
    states = [state for state, number in _STATUSES.items() if number == status]
    if status == FAIL and not expanded:
        states.append(State.CANCELLED)
    return tuple(states)


def standing(delivery: Delivery, *, expanded: bool) -> dict[str, Any]:
    """How a delivery stands, in the fields of a representation."""
    status = status_of(delivery, expanded=expanded)
    due_at_us = delivery.ready_at_us if delivery.state is State.WAITING else None
    return {
        "status": status,
        "status_text": _TEXTS[status],
        "next_attempt": None if due_at_us is None else rfc3339(due_at_us),
    }


def attempt_out(
    attempt: Attempt, *, with_content: bool = True, message: Message | None = None
) -> MessageAttemptOut:
    status = SUCCESS if attempt.reason is Reason.OK else FAIL
    return MessageAttemptOut(
        id=attempt.id,
        msg_id=attempt.message_id,
        endpoint_id=attempt.endpoint_id,
        url=attempt.url,
        response=_response(attempt) if with_content or attempt.status is None else "{}",
        response_status_code=attempt.status or 0,
        response_duration_ms=attempt.total_us // 1_000,
        status=status,  # type: ignore[arg-type]
        status_text=_TEXTS[status],
        trigger_type=1 if attempt.trigger is Trigger.MANUAL else 0,
        timestamp=rfc3339(attempt.at_us),
        msg=None if message is None else message_out(message, with_content=with_content),
    )


def _response(attempt: Attempt) -> str:
    """What the receiver said, or, where nothing came, what went wrong."""
    if attempt.response_body is None:
        return "EXPUNGED"
    if attempt.status is None:
        outcome = Outcome(reason=attempt.reason, status=None, detail=attempt.detail)
        return outcome.error
    return attempt.response_body.decode(errors="replace")


async def _attempts_page(
    call: Call[AttemptsQuery, None], *, message: str | None = None, endpoint: str | None = None
) -> Answer:
    query = call.query
    if query.status in (PENDING, SENDING, CANCELED):
        empty: Listing[Attempt] = Listing(data=[], iterator=None, prev_iterator=None, done=True)
        return answer(200, page_of(empty, attempt_out))  # an attempt has ended one way or other
    span = query.narrowing(query.tag)
    which = AttemptNarrowing(
        event_types=span.event_types,
        channel=span.channel,
        tag=span.tag,
        before_us=span.before_us,
        after_us=span.after_us,
        succeeded=None if query.status is None else query.status == SUCCESS,
        status_class=query.status_code_class,
    )
    listing = await attempts.list_attempts(
        call.service,
        call.caller,
        call.path["app_id"],
        which,
        query.ask(),
        message=message,
        endpoint=endpoint,
    )
    found = await attempts.messages_of(call.service, listing.data) if query.with_msg else {}
    page = page_of(
        listing,
        lambda a: attempt_out(a, with_content=query.with_content, message=found.get(a.message_id)),
    )
    return answer(200, page)


@operation(
    "GET",
    "/app/{app_id}/attempt/endpoint/{endpoint_id}",
    "v1.message-attempt.list-by-endpoint",
    "List the attempts made to an endpoint, newest first",
    tag=_TAG,
    query=AttemptsQuery,
    answers={200: ListOut[MessageAttemptOut]},
)
async def list_by_endpoint(call: Call[AttemptsQuery, None]) -> Answer:
    return await _attempts_page(call, endpoint=call.path["endpoint_id"])


@operation(
    "GET",
    "/app/{app_id}/attempt/msg/{msg_id}",
    "v1.message-attempt.list-by-msg",
    "List the attempts made with a message, newest first",
    tag=_TAG,
    query=AttemptsQuery,
    answers={200: ListOut[MessageAttemptOut]},
)
async def list_by_message(call: Call[AttemptsQuery, None]) -> Answer:
    return await _attempts_page(call, message=call.path["msg_id"], endpoint=call.query.endpoint_id)


@operation(
    "GET",
    "/app/{app_id}/msg/{msg_id}/attempt",
    "v1.message-attempt.list",
    "List the attempts made with a message (the older path)",
    tag=_TAG,
    query=AttemptsQuery,
    answers={200: ListOut[MessageAttemptOut]},
    deprecated=True,
)
async def list_by_message_deprecated(call: Call[AttemptsQuery, None]) -> Answer:
    return await _attempts_page(call, message=call.path["msg_id"], endpoint=call.query.endpoint_id)


@operation(
    "GET",
    "/app/{app_id}/msg/{msg_id}/endpoint/{endpoint_id}/attempt",
    "v1.message-attempt.list-by-endpoint-deprecated",
    "List the attempts made with a message to an endpoint (the older path)",
    tag=_TAG,
    query=AttemptsQuery,
    answers={200: ListOut[MessageAttemptOut]},
    deprecated=True,
)
async def list_by_both_deprecated(call: Call[AttemptsQuery, None]) -> Answer:
    return await _attempts_page(
        call, message=call.path["msg_id"], endpoint=call.path["endpoint_id"]
    )


@operation(
    "GET",
    "/app/{app_id}/endpoint/{endpoint_id}/msg",
    "v1.message-attempt.list-attempted-messages",
    "List the messages of an endpoint and how they stand, newest first",
    tag=_TAG,
    query=AttemptedMessagesQuery,
    answers={200: ListOut[EndpointMessageOut]},
)
async def list_attempted_messages(call: Call[AttemptedMessagesQuery, None]) -> Answer:
    query = call.query
    expanded = query.expanded_statuses
    states = states_of(query.status, expanded=expanded)
    if query.status is not None and not states:
        listing: Any = Listing(data=[], iterator=None, prev_iterator=None, done=True)
    else:
        listing = await attempts.list_messages_of_endpoint(
            call.service,
            call.caller,
            call.path["app_id"],
            call.path["endpoint_id"],
            query.narrowing(query.tag),
            query.ask(),
            states=states,
        )

    def out(row: tuple[Delivery, Message]) -> EndpointMessageOut:
        fields = message_fields(row[1], with_content=query.with_content)
        return EndpointMessageOut(**fields, **standing(row[0], expanded=expanded))

    return answer(200, page_of(listing, out))


@operation(
    "GET",
    "/app/{app_id}/msg/{msg_id}/endpoint",
    "v1.message-attempt.list-attempted-destinations",
    "List the endpoints of a message and how it stands with them",
    tag=_TAG,
    query=DestinationsQuery,
    answers={200: ListOut[MessageEndpointOut]},
)
async def list_attempted_destinations(call: Call[DestinationsQuery, None]) -> Answer:
    ask: Ask = call.query.ask()
    listing = await attempts.list_endpoints_of_message(
        call.service, call.caller, call.path["app_id"], call.path["msg_id"], ask
    )

    def out(row: tuple[Delivery, Endpoint]) -> MessageEndpointOut:
        stands = standing(row[0], expanded=call.query.expanded_statuses)
        return MessageEndpointOut(**endpoint_fields(row[1]), **stands)

    return answer(200, page_of(listing, out))


@operation(
    "GET",
    "/app/{app_id}/msg/{msg_id}/attempt/{attempt_id}",
    "v1.message-attempt.get",
    "Get an attempt",
    tag=_TAG,
    answers={200: MessageAttemptOut},
)
async def get_attempt(call: Call[NoQuery, None]) -> Answer:
    attempt = await attempts.find_attempt(
        call.service,
        call.caller,
        call.path["app_id"],
        call.path["msg_id"],
        call.path["attempt_id"],
    )
    return answer(200, attempt_out(attempt))


@operation(
    "DELETE",
    "/app/{app_id}/msg/{msg_id}/attempt/{attempt_id}/content",
    "v1.message-attempt.expunge-content",
    "Forget what the receiver answered",
    tag=_TAG,
    answers={204: None},
    org_only=True,
)
async def expunge_attempt(call: Call[NoQuery, None]) -> Answer:
    await attempts.expunge_attempt(
        call.service,
        call.caller,
        call.path["app_id"],
        call.path["msg_id"],
        call.path["attempt_id"],
    )
    return NO_CONTENT


@operation(
    "POST",
    "/app/{app_id}/msg/{msg_id}/endpoint/{endpoint_id}/resend",
    "v1.message-attempt.resend",
    "Send a message to an endpoint once more, now; retries that are due stay due",
    tag=_TAG,
    answers={202: Nothing},
)
async def resend(call: Call[NoQuery, None]) -> Answer:
    app = call.path["app_id"]
    message = await find_message(call.service, call.caller, app, call.path["msg_id"])
    application, endpoint = await find_traffic_endpoint(
        call.service, call.caller, app, call.path["endpoint_id"]
    )
    asked = answer(202, Nothing())
    call.key_is_kept = await deliveries.resend(
        call.service,
        application.id,
        message.id,
        endpoint.id,
        actor=call.caller.actor,
        after=call.aftermath(asked),
    )
    return asked


OPERATIONS = (
    list_by_endpoint,
    list_by_message,
    list_by_message_deprecated,
    list_by_both_deprecated,
    list_attempted_messages,
    list_attempted_destinations,
    get_attempt,
    expunge_attempt,
    resend,
)
