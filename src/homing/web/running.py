"""Runs the operations of one path."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.datastructures import QueryParams
from starlette.types import Receive, Scope, Send

from homing.core.records import RequestKey
from homing.core.sealing import Sealed
from homing.service.context import Service
from homing.service.sessions import must_be_live
from homing.service.tokens import Caller
from homing.web.idempotency import PLAIN, IdempotentRequests, ReplyCodec
from homing.web.operation import Answer, Call, Operation, Streamed
from homing.web.problems import MethodNotAllowed
from homing.web.reading import (
    authenticate,
    bearer,
    check_path,
    decode_body,
    decode_query,
    header,
    read_body,
    request_key,
)
from homing.web.roles import role_of

_NOBODY = Caller("")


class PathOperations:
    """The operations of one path, as an ASGI application."""

    def __init__(
        self, service: Service, idempotent: IdempotentRequests, operations: Sequence[Operation]
    ) -> None:
        self._service = service
        self._idempotent = idempotent
        self._operations = {operation.method: operation for operation in operations}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        operation = self._operations.get(scope["method"])
        if operation is None:
            raise MethodNotAllowed(sorted(self._operations))
        await respond(send, await self._answer(operation, scope, receive))

    async def _answer(
        self, operation: Operation, scope: Scope, receive: Receive
    ) -> Answer | Streamed:
        caller, token = _NOBODY, ""
        if not operation.public:
            authorization = header(scope, b"authorization")
            caller, token = authenticate(self._service, authorization), bearer(authorization)
            if caller.app_id is not None:
                await must_be_live(self._service, caller, token)
            if operation.org_only:
                caller.must_be_org()
            caller.must_be(role_of(operation))
        check_path(scope["path_params"])
        query = QueryParams(scope["query_string"]).multi_items()
        call: Call[Any, Any] = Call(
            service=self._service,
            caller=caller,
            path=scope["path_params"],
            query=decode_query(operation.query, query),
            body=None,
            base_url=_base_url(scope),
            token=token,
            traceparent=header(scope, b"traceparent"),
        )
        body = b""
        if operation.body is not None:
            limits = self._service.limits
            bytes_max = limits.batch_bytes_max if operation.is_batch else limits.body_bytes_max
            body = await read_body(receive, bytes_max, header(scope, b"content-length"))
            call.body = decode_body(operation.body, body)
        text = header(scope, b"idempotency-key")
        if text is None or operation.method != "POST" or operation.public:
            return await operation.handle(call)
        place = (scope["method"], scope["path"], scope["query_string"])
        call.key = request_key(self._service, caller, *place, text, body)
        if not operation.keeps_reply:
            return await operation.handle(call)
        codec = _sealing(self._service, call.key) if operation.tells_secret else PLAIN
        call.seal_reply = codec.encode
        return await self._idempotent.once(
            call.key,
            self._service.clock.now_us(),
            lambda: operation.handle(call),
            lambda: call.key_is_kept,
            codec,
        )


def _sealing(service: Service, key: RequestKey) -> ReplyCodec:
    """Keeps a reply sealed, for the repeats of this one request."""
    place = f"reply/{key.digest.hex()}"
    return ReplyCodec(
        lambda body: service.seal(body.decode(), place).encode(),
        lambda body: service.open(Sealed(body.decode()), place).encode(),
    )


async def respond(send: Send, answer: Answer | Streamed) -> None:
    """Send a response."""
    if isinstance(answer, Streamed):
        await _stream(send, answer)
        return
    headers = []
    if answer.status != 204:
        headers.append((b"content-length", str(len(answer.body)).encode()))
        headers.append((b"content-type", answer.content_type))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


async def _stream(send: Send, streamed: Streamed) -> None:
    """The status goes out with the first piece, so that an error before it can still be told."""
    headers = [(b"content-type", streamed.content_type)]
    start = {"type": "http.response.start", "status": 200, "headers": headers}
    begun = False
    async for chunk in streamed.chunks:
        if not begun:
            await send(start)
            begun = True
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    if not begun:
        await send(start)
    await send({"type": "http.response.body", "body": b""})


def _base_url(scope: Scope) -> str:
    host = header(scope, b"host")
    if host is None:
        name, port = scope.get("server") or ("127.0.0.1", 0)
        host = f"{name}:{port}"
    return f"{scope['scheme']}://{host}"
