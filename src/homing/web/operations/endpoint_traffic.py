"""What went to an endpoint, what is to go once more, and an example to try it with."""

from __future__ import annotations

from datetime import datetime

from homing.core.outcome import Reason
from homing.service import attempts, messages
from homing.web.operation import Answer, Call, answer, operation
from homing.web.operations.endpoints import ONE, TAG, names_of
from homing.web.operations.messages import MessageOut, message_out
from homing.web.schemas import (
    EventTypeName,
    Moment,
    NoQuery,
    Query,
    Schema,
    microseconds,
)

_HOUR_US = 3_600_000_000


class EndpointStats(Schema, kw_only=True):
    """Attempts by what they came to. An attempt is made or not, so three of these are 0."""

    success: int
    fail: int
    pending: int = 0
    sending: int = 0
    canceled: int = 0


class EndpointAttemptStats(Schema, kw_only=True):
    """Attempts by whether they succeeded. An attempt that was made is not canceled."""

    success: int
    fail: int
    canceled: int = 0


class StatsQuery(Query, frozen=True, kw_only=True):
    """Which attempts: those begun in this time, at most 28 days."""

    since: Moment | None = None
    until: Moment | None = None


class EventExampleIn(Schema, kw_only=True):
    """Which event type to send an example of."""

    event_type: EventTypeName


@operation(
    "GET",
    f"{ONE}/stats",
    "v1.endpoint.get-stats",
    "Count attempts by what they came to",
    tag=TAG,
    query=StatsQuery,
    answers={200: EndpointStats},
)
async def get_stats(call: Call[StatsQuery, None]) -> Answer:
    counts = await attempts.count_attempts(
        call.service,
        call.caller,
        *names_of(call),
        since_us=_us(call.query.since),
        until_us=_us(call.query.until),
    )
    success = counts.get(Reason.OK, 0)
    return answer(200, EndpointStats(success=success, fail=sum(counts.values()) - success))


@operation(
    "GET",
    f"{ONE}/attempt-stats",
    "v1.endpoint.get-attempt-stats",
    "Count attempts by whether they succeeded, in whole hours",
    tag=TAG,
    query=StatsQuery,
    answers={200: EndpointAttemptStats},
)
async def get_attempt_stats(call: Call[StatsQuery, None]) -> Answer:
    until_us = _us(call.query.until) or call.service.clock.now_us()
    since_us = _us(call.query.since)
    counts = await attempts.count_attempts(
        call.service,
        call.caller,
        *names_of(call),
        since_us=None if since_us is None else since_us - since_us % _HOUR_US,
        until_us=until_us + -until_us % _HOUR_US,
    )
    success = counts.get(Reason.OK, 0)
    return answer(200, EndpointAttemptStats(success=success, fail=sum(counts.values()) - success))


@operation(
    "POST",
    f"{ONE}/send-example",
    "v1.endpoint.send-example",
    "Send this endpoint an example of an event type",
    tag=TAG,
    body=EventExampleIn,
    answers={200: MessageOut},
    keeps_reply=False,
)
async def send_example(call: Call[NoQuery, EventExampleIn]) -> Answer:
    message = await messages.send_example(
        call.service, call.caller, *names_of(call), call.body.event_type, key=call.key
    )
    return answer(200, message_out(message))


def _us(moment: datetime | None) -> int | None:
    return None if moment is None else microseconds(moment)


OPERATIONS = (
    get_stats,
    get_attempt_stats,
    send_example,
)
