"""Forgetting payloads: of one message, of several, of all."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from homing.core.errors import NotFound
from homing.service import expunging
from homing.web.operation import NO_CONTENT, Answer, Call, answer, operation
from homing.web.operations.messages import PATH, TAG
from homing.web.operations.tasks import TaskStarted, started
from homing.web.schemas import NoQuery, Query, Schema, Uid, distinct


class BulkExpungeIn(Schema, kw_only=True):
    """Which messages, by id or event id."""

    ids: Annotated[list[Uid], Meta(max_length=1_000)] = []


class BulkExpungeOut(Schema, kw_only=True):
    """What became of each; and how many unfinished deliveries are dead because of it."""

    results: dict[str, Literal["expunged", "not-found"]]
    deliveries_lost: int  #: beyond Svix


class ExpungeAllQuery(Query, frozen=True, kw_only=True):
    """Beyond Svix: messages of which something is still to be sent may keep their payload."""

    keep_unfinished: bool = False


@operation(
    "DELETE",
    f"{PATH}/{{msg_id}}/content",
    "v1.message.expunge-content",
    "Forget a message's payload; what was still to be sent of it is dead",
    tag=TAG,
    answers={204: None},
    org_only=True,
)
async def expunge_message(call: Call[NoQuery, None]) -> Answer:
    name = call.path["msg_id"]
    done = await expunging.expunge_messages(call.service, call.caller, call.path["app_id"], [name])
    if not done.found[name]:
        raise NotFound(f"there is no message {name!r} in this application")
    return NO_CONTENT


@operation(
    "POST",
    f"{PATH}/bulk-expunge",
    "v1.message.bulk-expunge-content",
    "Forget the payloads of several messages; what was still to be sent of them is dead",
    tag=TAG,
    body=BulkExpungeIn,
    answers={200: BulkExpungeOut},
    org_only=True,
)
async def bulk_expunge(call: Call[NoQuery, BulkExpungeIn]) -> Answer:
    done = await expunging.expunge_messages(
        call.service, call.caller, call.path["app_id"], distinct(call.body.ids)
    )
    results: dict[str, Any] = {
        name: "expunged" if found else "not-found" for name, found in done.found.items()
    }
    return answer(200, BulkExpungeOut(results=results, deliveries_lost=done.lost))


@operation(
    "POST",
    f"{PATH}/expunge-all-contents",
    "v1.message.expunge-all-contents",
    "Forget the payloads of everything that the application has sent until now",
    tag=TAG,
    query=ExpungeAllQuery,
    answers={202: TaskStarted},
    org_only=True,
)
async def expunge_all(call: Call[ExpungeAllQuery, None]) -> Answer:
    task = await expunging.expunge_all(
        call.service,
        call.caller,
        call.path["app_id"],
        keep_unfinished=call.query.keep_unfinished,
        once=call.once(started),
    )
    return started(task)


OPERATIONS = (expunge_message, bulk_expunge, expunge_all)
