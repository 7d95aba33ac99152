"""One operation of the API: what it is called, takes and answers, and the function that does it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, NamedTuple, TypeVar

import msgspec

from homing.core.records import Reply, RequestKey
from homing.core.resources import Resource
from homing.core.store import Aftermath
from homing.service.context import Once, Service
from homing.service.tokens import Caller
from homing.web.schemas import NoQuery, Query

Q = TypeVar("Q", bound=Query)
B = TypeVar("B")
R = TypeVar("R", bound=Resource)

JSON: Final = b"application/json"

_encode = msgspec.json.Encoder().encode


class Answer(NamedTuple):
    """What goes out."""

    status: int
    body: bytes
    content_type: bytes = JSON


class Streamed(NamedTuple):
    """What goes out piece by piece, with status 200."""

    content_type: bytes
    chunks: AsyncIterator[bytes]


def answer(status: int, content: msgspec.Struct) -> Answer:
    """`content` as JSON."""
    return Answer(status, _encode(content))


NO_CONTENT: Final = Answer(204, b"")


@dataclass(slots=True, kw_only=True)
class Call(Generic[Q, B]):
    """One request, read and checked."""

    service: Service
    caller: Caller
    path: Mapping[str, str]
    query: Q
    body: B
    base_url: str  #: as the caller sees it, without a slash at the end
    token: str = ""  #: what the caller is known by
    traceparent: str | None = None  #: that header
    key: RequestKey | None = None  #: of the idempotency header
    key_is_kept: bool = False  #: the reply is stored already, with what it replies to
    seal_reply: Callable[[bytes], bytes] = bytes  #: makes of a reply's body what is stored

    def once(self, reply: Callable[[R], Answer]) -> Once[R] | None:
        """For a verb that creates a resource: stores key and reply in the same transaction."""
        if self.key is None:
            return None

        def reply_to(resource: R) -> Reply:
            self.key_is_kept = True
            return self._reply(reply(resource))

        return Once(self.key, reply_to)

    def aftermath(self, answered: Answer) -> Aftermath:
        """For a verb that changes deliveries: what to store with the change.

        Who uses it says by `key_is_kept` whether it was stored.
        """
        if self.key is None:
            return Aftermath()
        at_us = self.service.clock.now_us()
        return Aftermath(key=self.key, reply=self._reply(answered), at_us=at_us)

    def _reply(self, answered: Answer) -> Reply:
        return Reply(status=answered.status, body=self.seal_reply(answered.body))


Handle = Callable[[Any], Awaitable[Answer | Streamed]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A line of the route table."""

    method: str
    path: str  #: with {names}, from the root of the server
    id: str
    summary: str
    tag: str
    handle: Handle
    answers: Mapping[int, Any]  #: status to type; None: no body
    query: type[Query] = NoQuery
    body: type[Any] | None = None
    is_batch: bool = False  #: its body may be as long as a batch
    org_only: bool = False  #: not with a token for one application
    public: bool = False  #: without a token
    deprecated: bool = False
    #: whether the reply to a POST is kept for its repeat
    keeps_reply: bool = True
    #: its answer has a secret: not for a token that may only read, and kept for a repeat sealed
    tells_secret: bool = False
    #: it changes nothing (or the caller's own token), so who may only read may ask for it too
    for_readers: bool = False
    content_types: tuple[str, ...] = ("application/json",)

    @property
    def changes(self) -> bool:
        """Whether it is not for tokens that may only read."""
        return self.method != "GET" and not self.for_readers


def operation(
    method: str,
    path: str,
    id: str,
    summary: str,
    *,
    tag: str,
    answers: Mapping[int, Any],
    **more: Any,
) -> Callable[[Handle], Operation]:
    """Makes an operation of a function; `path` is below /api/v1 unless it begins with "//"."""
    full = path[1:] if path.startswith("//") else f"/api/v1{path}"

    def make(handle: Handle) -> Operation:
        return Operation(
            method=method,
            path=full,
            id=id,
            summary=summary,
            tag=tag,
            handle=handle,
            answers=answers,
            **more,
        )

    return make
