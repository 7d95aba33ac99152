"""`POST /api/v1/app/{app_id}/msg`: the one request that everything else is small beside.

It goes around the router and the general machinery: one pass over the headers, one decoding, one
commit shared with whatever arrives at the same time. Errors are raised, and told by the frame.
`web.fast_path` takes an even shorter way to `submit`.
"""

from __future__ import annotations

import asyncio
from typing import Final, NamedTuple

import msgspec
from starlette.datastructures import QueryParams
from starlette.types import Receive, Scope, Send

from homing.core.errors import Invalid, NotFound
from homing.core.records import Message, RequestKey
from homing.service.context import Service
from homing.service.intake import Draft
from homing.service.listing import is_plain_name
from homing.service.messages import check_schedule, ensure_application
from homing.service.tokens import Caller, Role
from homing.web.operation import Answer, Call, answer, operation
from homing.web.operations.messages import (
    PATH,
    TAG,
    ContentQuery,
    MessageIn,
    MessageOut,
    message_out,
)
from homing.web.reading import (
    authenticate,
    decode_body,
    decode_query,
    header,
    read_body,
    request_key,
)
from homing.web.running import respond

_PREFIX: Final = "/api/v1/app/"
_SUFFIX: Final = "/msg"
#: what the SDKs send, read already
_QUERIES: Final = {
    b"": ContentQuery(),
    b"with_content=true": ContentQuery(),
    b"with_content=false": ContentQuery(with_content=False),
}


def application_of(method: str, path: str) -> str | None:
    """The application's name, if this is the request; the path has no slash at its end."""
    if method != "POST" or not path.endswith(_SUFFIX) or not path.startswith(_PREFIX):
        return None
    name = path[len(_PREFIX) : -len(_SUFFIX)]
    return name if name and "/" not in name else None


class Submitted(NamedTuple):
    """A message on its way to a commit."""

    future: asyncio.Future[tuple[Message, bool]]  #: as `Intake.create_message` returns
    with_content: bool

    def body_of(self, message: Message) -> bytes:
        """What its publisher is told."""
        return msgspec.json.encode(message_out(message, with_content=self.with_content))


class CreateMessage:
    """Answers this one request."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.body_bytes_max = service.limits.body_bytes_max

    async def __call__(self, app: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Accept a message for the application `app` (id or uid)."""
        authorization = header(scope, b"authorization")
        self._caller(authorization, app)
        body = await read_body(receive, self.body_bytes_max, header(scope, b"content-length"))
        submitted = self.submit(
            app,
            path=scope["path"],
            authorization=authorization,
            key_text=header(scope, b"idempotency-key"),
            traceparent=header(scope, b"traceparent"),
            query_string=scope["query_string"],
            body=body,
        )
        message, _ = await submitted.future
        await respond(send, Answer(202, submitted.body_of(message)))

    def submit(
        self,
        app: str,
        *,
        path: str,
        authorization: str | None,
        key_text: str | None,
        traceparent: str | None,
        query_string: bytes,
        body: bytes,
    ) -> Submitted:
        """Let a message join the next commit.

        Args:
            app: the application's id or uid.
            path: of the request.
            authorization: that header.
            key_text: the idempotency-key header.
            traceparent: that header.

        Raises:
            HomingError: nothing was stored.
        """
        service = self._service
        caller = self._caller(authorization, app)
        query = _QUERIES.get(query_string) or decode_query(
            ContentQuery, QueryParams(query_string).multi_items()
        )
        new = decode_body(MessageIn, body)
        key = None
        if key_text:
            key = request_key(service, caller, "POST", path, query_string, key_text, body)
        submitted = _submit(service, caller, app, new, key, traceparent)
        return Submitted(submitted, query.with_content)

    def _caller(self, authorization: str | None, app: str) -> Caller:
        caller = authenticate(self._service, authorization)
        caller.must_be_org()
        caller.must_be(Role.OPERATOR)
        if not is_plain_name(app):
            raise NotFound("there is nothing with this app id")
        return caller


def _submit(
    service: Service,
    caller: Caller,
    app: str,
    new: MessageIn,
    key: RequestKey | None,
    traceparent: str | None,
) -> asyncio.Future[tuple[Message, bool]]:
    draft = new.draft(traceparent)
    keys = () if key is None else (key,)
    if new.application is not None or draft.deliver_at_us is not None:
        return asyncio.ensure_future(_submit_more(service, caller, app, new, draft, keys))
    return service.intake.submit(caller.org_id, app, draft, keys=keys)


async def _submit_more(
    service: Service,
    caller: Caller,
    app: str,
    new: MessageIn,
    draft: Draft,
    keys: tuple[RequestKey, ...],
) -> tuple[Message, bool]:
    """What has to be looked up first for some messages."""
    if draft.deliver_at_us is not None:
        known = await _scheduled_before(service, draft, keys)
        if known is not None:
            return known, False
    if new.application is not None:
        await ensure_application(service, caller, app, new.application.draft())
    return await service.intake.create_message(caller.org_id, app, draft, keys=keys)


async def _scheduled_before(
    service: Service, draft: Draft, keys: tuple[RequestKey, ...]
) -> Message | None:
    """The message of an earlier request with this key, whose repeat may come after its time.

    Raises:
        Invalid: there is none, and the draft's time is out of bounds.
    """
    at_us = service.clock.now_us()
    try:
        check_schedule(draft, at_us=at_us)
    except Invalid:
        for key in keys:
            known = await service.store.recall(key, at_us=at_us)
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
    app = call.path["app_id"]
    message, _ = await _submit(
        call.service, call.caller, app, call.body, call.key, call.traceparent
    )
    return answer(202, message_out(message, with_content=call.query.with_content))


OPERATIONS = (create_message,)
