"""`/app/{app_id}/msg`: what publishers send. One at a time is accepted in `web.create_message`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar, Final, NoReturn

import msgspec
from msgspec import UNSET, Meta, UnsetType

from homing.core.errors import HomingError, Invalid, Problem
from homing.core.records import Message
from homing.core.trace import read_traceparent
from homing.service import messages
from homing.service.applications import find_application
from homing.service.intake import Draft
from homing.service.messages import Narrowing, check_schedule
from homing.web.operation import Answer, Call, answer, operation
from homing.web.operations.applications import ApplicationIn
from homing.web.problems import describe
from homing.web.reading import decode_body
from homing.web.schemas import (
    Channel,
    EventTypeName,
    JsonObject,
    ListOut,
    Moment,
    NoQuery,
    PageQuery,
    Query,
    Schema,
    Tag,
    Timestamp,
    Uid,
    distinct,
    microseconds,
    page_of,
    rfc3339,
)

TAG: Final = "Message"
PATH: Final = "/app/{app_id}/msg"

_EMPTY: Final = msgspec.Raw(b"{}")
_EXPUNGED: Final = msgspec.Raw(b'{"expired":true}')


class MessageIn(Schema, kw_only=True):
    """A message. Its payload is kept, signed and sent byte by byte as it is here."""

    schema_extra: ClassVar = {"anyOf": [{"required": ["payload"]}, {"required": ["data"]}]}

    event_type: EventTypeName
    payload: JsonObject | UnsetType = UNSET
    data: JsonObject | UnsetType = UNSET  # another name of payload
    event_id: Uid | None = None
    channels: Annotated[list[Channel], Meta(max_length=10)] | None = None
    tags: Annotated[list[Tag], Meta(max_length=5)] | None = None
    #: creates the application if there is none with the path's name
    application: ApplicationIn | None = None
    #: `rawPayload`: a text to send instead of `payload`; it need not be JSON
    transformations_params: dict[str, Any] | None = None
    payload_retention_period: Annotated[int, Meta(ge=5, le=90)] | None = None
    payload_retention_hours: Annotated[int, Meta(ge=1, le=2_160)] | None = None
    #: not sent before; between one minute and 24 hours from now
    deliver_at: Moment | None = None

    def draft(self, traceparent: str | None = None) -> Draft:
        """Args: traceparent: that header.

        Raises: Invalid: no payload, or something that Homing does not do.
        """
        payload, is_raw = self._payload()
        return Draft(
            event_type=self.event_type,
            payload=payload,
            is_raw=is_raw,
            event_id=self.event_id,
            channels=distinct(self.channels),
            tags=distinct(self.tags),
            deliver_at_us=None if self.deliver_at is None else microseconds(self.deliver_at),
            traceparent=None if traceparent is None else read_traceparent(traceparent),
        )

    def _payload(self) -> tuple[bytes, bool]:
        payload, other = _object(self.payload), _object(self.data)
        payload = payload or other
        if payload is None:
            _refuse("payload", "Object missing required field `payload`")
        if self.transformations_params is not None:
            text = self.transformations_params.get("rawPayload")
            if isinstance(text, str):
                return text.encode(), True
        return payload, False


def _object(given: msgspec.Raw | UnsetType) -> bytes | None:
    if given is UNSET:
        return None
    payload = bytes(given)
    if not payload.startswith(b"{"):
        _refuse("payload", "expected a JSON object")
    return payload


def _refuse(field: str, text: str) -> NoReturn:
    raise Invalid([Problem(("body", field), text)])


class MessagePrecheckIn(Schema, kw_only=True):
    """A message that may be sent."""

    event_type: EventTypeName
    channels: Annotated[list[Channel], Meta(max_length=10)] | None = None


class MessagePrecheckOut(Schema, kw_only=True):
    """Whether anybody would get it."""

    active: bool


class MessageOut(Schema, kw_only=True):
    """A message."""

    id: str
    event_type: str
    event_id: str | None
    payload: JsonObject
    channels: list[str] | None
    tags: list[str] | None
    timestamp: Timestamp
    deliver_at: Timestamp | None


class ContentQuery(Query, frozen=True, kw_only=True):
    """How much to answer."""

    with_content: bool = True


class TimedQuery(PageQuery, frozen=True, kw_only=True):
    """Which page of what was accepted or tried when; `before` and `after` are exclusive."""

    before: Moment | None = None
    after: Moment | None = None
    channel: Channel | None = None
    event_types: list[EventTypeName] | None = None
    with_content: bool = True

    def narrowing(self, tag: str | None = None) -> Narrowing:
        return Narrowing(
            event_types=distinct(self.event_types),
            channel=self.channel,
            tag=tag,
            before_us=_us(self.before),
            after_us=_us(self.after),
        )


class MessagesQuery(TimedQuery, frozen=True, kw_only=True):
    """Which messages."""

    tag: Tag | None = None


class BatchIn(Schema, kw_only=True):
    """Messages to accept in one commit, each as it would be sent alone, and judged alone."""

    messages: Annotated[list[JsonObject], Meta(min_length=1, max_length=1_000)]


class BatchItemOut(Schema, kw_only=True):
    """What became of one message; `status` is what it would have been answered alone."""

    status: int
    id: str | None = None
    code: str | None = None
    detail: Any = None


class BatchOut(Schema, kw_only=True):
    """What became of each message, in their order."""

    data: list[BatchItemOut]


def _us(moment: datetime | None) -> int | None:
    return None if moment is None else microseconds(moment)


def shown_payload(message: Message) -> msgspec.Raw:
    """The payload as a JSON object, which is what the SDKs can read.

    A text that is not a JSON object comes as `{"rawPayload": text}`.
    """
    if message.payload is None:
        return _EXPUNGED
    if not message.is_raw or _is_json_object(message.payload):
        return msgspec.Raw(message.payload)
    text = message.payload.decode(errors="replace")
    return msgspec.Raw(msgspec.json.encode({"rawPayload": text}))


def _is_json_object(payload: bytes) -> bool:
    try:
        return isinstance(msgspec.json.decode(payload), dict)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False


def message_fields(message: Message, *, with_content: bool = True) -> dict[str, Any]:
    """What every representation of a message has."""
    deliver_at_us = message.deliver_at_us
    return {
        "id": message.id,
        "event_type": message.event_type,
        "event_id": message.event_id,
        "payload": shown_payload(message) if with_content else _EMPTY,
        "channels": list(message.channels) or None,
        "tags": list(message.tags) or None,
        "timestamp": rfc3339(message.accepted_at_us),
        "deliver_at": None if deliver_at_us is None else rfc3339(deliver_at_us),
    }


def message_out(message: Message, *, with_content: bool = True) -> MessageOut:
    return MessageOut(**message_fields(message, with_content=with_content))


@operation(
    "GET",
    PATH,
    "v1.message.list",
    "List messages, newest first",
    tag=TAG,
    query=MessagesQuery,
    answers={200: ListOut[MessageOut]},
)
async def list_messages(call: Call[MessagesQuery, None]) -> Answer:
    query = call.query
    listing = await messages.list_messages(
        call.service, call.caller, call.path["app_id"], query.narrowing(query.tag), query.ask()
    )
    page = page_of(listing, lambda m: message_out(m, with_content=query.with_content))
    return answer(200, page)


@operation(
    "POST",
    f"{PATH}/batch",
    "v1.message.create-batch",
    "Send up to 1,000 messages in one commit",
    tag=TAG,
    body=BatchIn,
    answers={202: BatchOut},
    org_only=True,
    is_batch=True,
)
async def create_batch(call: Call[NoQuery, BatchIn]) -> Answer:
    wrong = [
        Problem(("body", "messages", number), "expected a JSON object")
        for number, item in enumerate(call.body.messages)
        if not bytes(item).startswith(b"{")
    ]
    if wrong:
        raise Invalid(wrong)
    await find_application(call.service, call.caller, call.path["app_id"])
    results: list[BatchItemOut | None] = []
    drafts: list[Draft] = []
    for item in call.body.messages:
        try:
            draft = _batch_draft(item, call.traceparent)
            check_schedule(draft, at_us=call.service.clock.now_us())
            drafts.append(draft)
            results.append(None)
        except HomingError as error:
            results.append(_failed(error))
    accepted = iter(
        await call.service.intake.create_messages(call.caller.org_id, call.path["app_id"], drafts)
    )
    data = [_batch_item(next(accepted)) if result is None else result for result in results]
    return answer(202, BatchOut(data=data))


def _batch_draft(item: msgspec.Raw, traceparent: str | None) -> Draft:
    new = decode_body(MessageIn, bytes(item))
    if new.application is not None:
        _refuse("application", "create the application first; a batch does not")
    return new.draft(traceparent)


def _batch_item(result: Message | HomingError) -> BatchItemOut:
    if isinstance(result, Message):
        return BatchItemOut(status=202, id=result.id)
    return _failed(result)


def _failed(error: HomingError) -> BatchItemOut:
    status, _, body = describe(error)
    told = msgspec.json.decode(body)
    return BatchItemOut(status=status, code=told.get("code"), detail=told["detail"])


@operation(
    "POST",
    f"{PATH}/precheck/active",
    "v1.message.precheck",
    "Ask whether an enabled endpoint would get such a message",
    tag=TAG,
    body=MessagePrecheckIn,
    answers={200: MessagePrecheckOut},
    for_readers=True,
    keeps_reply=False,
)
async def precheck(call: Call[NoQuery, MessagePrecheckIn]) -> Answer:
    active = await messages.would_be_sent(
        call.service,
        call.caller,
        call.path["app_id"],
        call.body.event_type,
        distinct(call.body.channels),
    )
    return answer(200, MessagePrecheckOut(active=active))


@operation(
    "GET",
    f"{PATH}/{{msg_id}}",
    "v1.message.get",
    "Get a message by its id or event id",
    tag=TAG,
    query=ContentQuery,
    answers={200: MessageOut},
)
async def get_message(call: Call[ContentQuery, None]) -> Answer:
    message = await messages.find_message(
        call.service, call.caller, call.path["app_id"], call.path["msg_id"]
    )
    return answer(200, message_out(message, with_content=call.query.with_content))


OPERATIONS = (list_messages, create_batch, precheck, get_message)
