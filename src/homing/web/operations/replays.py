"""Sending again in bulk: each request starts a background task."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from homing.core.tasks import Selection
from homing.service import replays
from homing.web.operation import Answer, Call, operation
from homing.web.operations.attempts import states_of
from homing.web.operations.endpoints import ONE, TAG, names_of
from homing.web.operations.tasks import TaskStarted, started
from homing.web.schemas import (
    Channel,
    EventTypeName,
    Moment,
    NoQuery,
    Schema,
    Tag,
    distinct,
    microseconds,
)

MessageStatus = Literal[0, 1, 2, 3, 4]
StatusCodeClass = Literal[0, 100, 200, 300, 400, 500]


class RecoverIn(Schema, kw_only=True):
    """Which dead letters: of messages accepted in this time, which began at most 14 days ago."""

    since: Moment
    until: Moment | None = None


class ReplayIn(Schema, kw_only=True):
    """Which messages: accepted in this time."""

    since: Moment
    until: Moment | None = None


class BulkReplayIn(Schema, kw_only=True):
    """Which messages that the endpoint had: accepted in this time, and matching all that is given.

    `status` is as in listings; without it, what was withdrawn is left out.
    """

    since: Moment
    until: Moment | None = None
    event_types: list[EventTypeName] | None = None
    channel: Channel | None = None
    tag: Tag | None = None
    status: MessageStatus | None = None
    status_code_class: StatusCodeClass | None = None


def _us(moment: datetime | None) -> int | None:
    return None if moment is None else microseconds(moment)


@operation(
    "POST",
    f"{ONE}/recover",
    "v1.endpoint.recover",
    "Send the dead letters of a time again; what still has retries due is left to them",
    tag=TAG,
    body=RecoverIn,
    answers={202: TaskStarted},
)
async def recover(call: Call[NoQuery, RecoverIn]) -> Answer:
    task = await replays.recover(
        call.service,
        call.caller,
        *names_of(call),
        since_us=microseconds(call.body.since),
        until_us=_us(call.body.until),
        once=call.once(started),
    )
    return started(task)


@operation(
    "POST",
    f"{ONE}/replay-missing",
    "v1.endpoint.replay-missing",
    "Send the messages of a time that this endpoint wants and never had",
    tag=TAG,
    body=ReplayIn,
    answers={202: TaskStarted},
)
async def replay_missing(call: Call[NoQuery, ReplayIn]) -> Answer:
    task = await replays.replay_missing(
        call.service,
        call.caller,
        *names_of(call),
        since_us=microseconds(call.body.since),
        until_us=_us(call.body.until),
        once=call.once(started),
    )
    return started(task)


@operation(
    "POST",
    f"{ONE}/bulk-replay",
    "v1.endpoint.bulk-replay",
    "Send again what this endpoint had in a time, whatever became of it",
    tag=TAG,
    body=BulkReplayIn,
    answers={202: TaskStarted},
)
async def bulk_replay(call: Call[NoQuery, BulkReplayIn]) -> Answer:
    asked = call.body
    which = Selection(
        since_us=microseconds(asked.since),
        until_us=_us(asked.until),
        event_types=distinct(asked.event_types),
        channel=asked.channel,
        tag=asked.tag,
        states=states_of(asked.status, expanded=True),
        status_class=asked.status_code_class,
    )
    task = await replays.replay(
        call.service, call.caller, *names_of(call), which, once=call.once(started)
    )
    return started(task)


OPERATIONS = (recover, replay_missing, bulk_replay)
