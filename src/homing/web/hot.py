"""`POST /api/v1/app/{app_id}/msg`: the one request that everything else is small beside.

It goes around the router and the general machinery: one pass over the headers, one decoding, one
commit shared with whatever arrives at the same time. Errors are raised, and told by the frame.
"""

from __future__ import annotations

from typing import Final

from starlette.datastructures import QueryParams
from starlette.types import Receive, Scope, Send

from homing.core.errors import Invalid, NotFound
from homing.core.records import Message, RequestKey
from homing.service.context import Service
from homing.service.intake import Draft
from homing.service.listing import is_plain_name
from homing.service.messages import check_schedule, ensure_application
from homing.service.tokens import Caller
from homing.web.operation import Answer, Call, answer, operation
from homing.web.operations.messages import (
    PATH,
    TAG,
    ContentQuery,
    MessageIn,
    MessageOut,
    message_out,
)
from homing.web.reading import authenticate, decode_body, decode_query, read_body, request_key
from homing.web.running import respond

_PREFIX: Final = "/api/v1/app/"
_SUFFIX: Final = "/msg"
#: what the SDKs send, read already
_QUERIES: Final = {
    b"": ContentQuery(),
    b"with_content=true": ContentQuery(),
    b"with_content=false": ContentQuery(with_content=False),
}


def application_of(scope: Scope) -> str | None:
    """The application's name, if this is the request; the path has no slash at its end."""
    path: str = scope["path"]
    if scope["method"] != "POST" or not path.endswith(_SUFFIX) or not path.startswith(_PREFIX):
        return None
    name = path[len(_PREFIX) : -len(_SUFFIX)]
    return name if name and "/" not in name else None


class CreateMessage:
    """Answers this one request."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def __call__(self, app: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Accept a message for the application `app` (id or uid)."""
        service = self._service
        authorization = key_text = length = None
        for name, value in scope["headers"]:
            if name == b"authorization":
                authorization = value.decode("latin-1")
            elif name == b"idempotency-key":
                key_text = value.decode("latin-1")
            elif name == b"content-length":
                length = value.decode("latin-1")
        caller = authenticate(service, authorization)
        caller.must_be_org()
        caller.must_write()
        if not is_plain_name(app):
            raise NotFound("there is nothing with this app id")
        query = _QUERIES.get(scope["query_string"]) or decode_query(
            ContentQuery, QueryParams(scope["query_string"]).multi_items()
        )
        body = await read_body(receive, service.limits.body_bytes_max, length)
        new = decode_body(MessageIn, body)
        key = request_key(service, caller, scope, key_text, body) if key_text else None
        await respond(send, await _accept(service, caller, app, new, key, query))


async def _accept(
    service: Service,
    caller: Caller,
    app: str,
    new: MessageIn,
    key: RequestKey | None,
    query: ContentQuery,
) -> Answer:
    draft = new.draft()
    if draft.deliver_at_us is not None:
        known = await _scheduled_before(service, draft, key)
        if known is not None:
            return answer(202, message_out(known, with_content=query.with_content))
    if new.application is not None:
        await ensure_application(service, caller, app, new.application.draft())
    message, _ = await service.intake.create_message(
        caller.org_id, app, draft, keys=() if key is None else (key,)
    )
    return answer(202, message_out(message, with_content=query.with_content))


async def _scheduled_before(
    service: Service, draft: Draft, key: RequestKey | None
) -> Message | None:
    """The message of an earlier request with this key, whose repeat may come after its time.

    Raises:
        Invalid: there is none, and the draft's time is out of bounds.
    """
    at_us = service.clock.now_us()
    try:
        check_schedule(draft, at_us=at_us)
    except Invalid:
        known = None if key is None else await service.store.recall(key, at_us=at_us)
        if isinstance(known, Message):
            return known
        raise
    return None


@operation(
    "POST",
    PATH,
    "v1.message.create",
    "Send a message",
    tag=TAG,
    query=ContentQuery,
    body=MessageIn,
    answers={202: MessageOut},
    org_only=True,
    keeps_reply=False,
)
async def create_message(call: Call[ContentQuery, MessageIn]) -> Answer:
    """The same by the general way; its line in the route table."""
    return await _accept(
        call.service, call.caller, call.path["app_id"], call.body, call.key, call.query
    )


OPERATIONS = (create_message,)
