"""What went to an endpoint, what is to go once more, and an example to try it with."""

from __future__ import annotations

from datetime import datetime

from homing.core.errors import Invalid, Problem
from homing.core.outcome import Reason
from homing.service import attempts, deliveries, endpoints, messages
from homing.web.operation import Answer, Call, answer, operation
from homing.web.operations.endpoints import ONE, TAG, names_of
from homing.web.operations.messages import MessageOut, message_out
from homing.web.wire import (
    EventTypeName,
    Moment,
    NoQuery,
    Query,
    Timestamp,
    Wire,
    microseconds,
    rfc3339,
)

#: how far back `recover` may reach: 14 days and 5 minutes for clocks that disagree
_RECOVERED_US_MAX = (14 * 86_400 + 300) * 1_000_000


class EndpointStats(Wire, kw_only=True):
    """Attempts by what they came to. An attempt is made or not, so three of these are 0."""

    success: int
    fail: int
    pending: int = 0
    sending: int = 0
    canceled: int = 0


class StatsQuery(Query, frozen=True, kw_only=True):
    """Which attempts: those begun in this time, at most 28 days."""

    since: Moment | None = None
    until: Moment | None = None


class RecoverIn(Wire, kw_only=True):
    """Which dead letters: of messages accepted in this time."""

    since: Moment
    until: Moment | None = None


class RecoverOut(Wire, kw_only=True):
    """What was done. It is done when this is answered."""

    id: str
    status: str
    task: str
    updated_at: Timestamp


class EventExampleIn(Wire, kw_only=True):
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
    "POST",
    f"{ONE}/recover",
    "v1.endpoint.recover",
    "Send the dead letters of a time again; what still has retries due is left to them",
    tag=TAG,
    body=RecoverIn,
    answers={202: RecoverOut},
)
async def recover(call: Call[NoQuery, RecoverIn]) -> Answer:
    application, endpoint = await endpoints.find_endpoint(
        call.service, call.caller, *names_of(call)
    )
    now_us = call.service.clock.now_us()
    since_us = microseconds(call.body.since)
    until_us = now_us if call.body.until is None else microseconds(call.body.until)
    if since_us < now_us - _RECOVERED_US_MAX:
        raise Invalid([Problem(("body", "since"), "expected at most 14 days ago")])
    if until_us <= since_us:
        raise Invalid([Problem(("body", "until"), "expected a time after `since`")])
    await deliveries.recover(
        call.service,
        application.id,
        endpoint.id,
        since_us=since_us,
        until_us=until_us,
        actor=call.caller.subject,
    )
    out = RecoverOut(
        id=call.service.new_id("qtask_"),
        status="finished",
        task="endpoint.recover",
        updated_at=rfc3339(call.service.clock.now_us()),
    )
    return answer(202, out)


@operation(
    "POST",
    f"{ONE}/send-example",
    "v1.endpoint.send-example",
    "Send this endpoint an example of an event type",
    tag=TAG,
    body=EventExampleIn,
    answers={200: MessageOut},
)
async def send_example(call: Call[NoQuery, EventExampleIn]) -> Answer:
    message = await messages.send_example(
        call.service, call.caller, *names_of(call), call.body.event_type
    )
    return answer(200, message_out(message))


def _us(moment: datetime | None) -> int | None:
    return None if moment is None else microseconds(moment)


OPERATIONS = (
    get_stats,
    recover,
    send_example,
)
