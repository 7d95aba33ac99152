"""Reads requests: parameters, bodies, tokens, idempotency keys."""

from __future__ import annotations

import re
import types
from collections.abc import Iterable
from datetime import datetime
from functools import cache
from typing import Any, Final, TypeVar, cast, get_args, get_origin, get_type_hints

import msgspec
from starlette.types import Receive, Scope

from homing.core.errors import NotFound, TooLarge, Unauthenticated
from homing.core.records import RequestKey, digest16
from homing.service.context import Service
from homing.service.listing import is_plain_name
from homing.service.tokens import Caller
from homing.web.problems import invalid_from
from homing.web.schemas import Query

Q = TypeVar("Q", bound=Query)
B = TypeVar("B")

#: how much of a body that is too long is read and thrown away, bytes
_DISCARDED_MAX: Final = 67_108_864
_INTEGER: Final = re.compile(r"-?[0-9]{1,18}")
_BOOLEANS: Final = {"true": True, "false": False}


def header(scope: Scope, name: bytes) -> str | None:
    """The first header of this (lower-case) name."""
    for key, value in scope["headers"]:
        if key == name:
            text: str = value.decode("latin-1")
            return text
    return None


def authenticate(service: Service, authorization: str | None) -> Caller:
    """Whose token the Authorization header carries.

    Raises:
        Unauthenticated: none, or not a valid one.
    """
    return service.tokens.verify(bearer(authorization), at_us=service.clock.now_us())


def bearer(authorization: str | None) -> str:
    """The token that the Authorization header carries.

    Raises:
        Unauthenticated: none.
    """
    if authorization is None:
        raise Unauthenticated("expected a header `Authorization: Bearer <token>`")
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated("expected a header `Authorization: Bearer <token>`")
    return token.strip()


async def read_body(receive: Receive, bytes_max: int, declared: str | None) -> bytes:
    """The whole body.

    Args:
        declared: the content-length header.

    Raises:
        TooLarge: it is longer than `bytes_max`.
    """
    if declared is not None and declared.isdigit() and int(declared) > bytes_max:
        await _discard(receive)
        raise TooLarge(f"expected at most {bytes_max} bytes, found {declared}")
    message = await receive()
    body: bytes = message.get("body", b"")
    if message.get("more_body"):
        chunks = [body]
        length = len(body)
        while message.get("more_body") and length <= bytes_max:
            message = await receive()
            chunks.append(message.get("body", b""))
            length += len(chunks[-1])
        body = b"".join(chunks)
    if len(body) > bytes_max:
        if message.get("more_body"):
            await _discard(receive)
        raise TooLarge(f"expected at most {bytes_max} bytes, found more")
    return body


async def _discard(receive: Receive) -> None:
    """Read on for a while, keeping nothing.

    Most clients look for an answer only after they have sent all, and a connection that is closed
    before that loses the answer.
    """
    length = 0
    while length < _DISCARDED_MAX:
        message = await receive()
        length += len(message.get("body", b""))
        if not message.get("more_body"):
            return


@cache
def _decoder(kind: type[Any]) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


def decode_body(kind: type[B], body: bytes) -> B:
    """The JSON body as `kind`.

    Raises:
        Invalid: it is not.
    """
    try:
        if not body.isascii():
            body.decode()  # msgspec does not look into what it hands through raw
        decoded: B = _decoder(cast(Any, kind)).decode(body)
        return decoded
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise invalid_from(error, "body") from error


def check_path(path: dict[str, str]) -> None:
    """Raises: NotFound: a name in the path that nothing can have."""
    for name, value in path.items():
        if not is_plain_name(value):
            raise NotFound(f"there is nothing with this {name.replace('_', ' ')}")


def decode_query(kind: type[Q], pairs: Iterable[tuple[str, str]]) -> Q:
    """The parameters of a URL as `kind`.

    A list is given by repeating the name, with or without `[]` behind it, or joined by commas.

    Raises:
        Invalid: a value that the parameter cannot have.
    """
    shapes = _shapes(kind)
    given: dict[str, Any] = {}
    for name, text in pairs:
        name = name.removesuffix("[]")
        shape = shapes.get(name)
        if shape is list:
            given.setdefault(name, []).extend(part for part in text.split(",") if part)
        elif shape is not None:
            given[name] = _coerce(shape, text)
    try:
        return msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        raise invalid_from(error, "query") from error


def _coerce(shape: type, text: str) -> object:
    """`text` as the JSON value it stands for; as it is when it stands for none."""
    if shape is int and _INTEGER.fullmatch(text):
        return int(text)
    if shape is bool:
        return _BOOLEANS.get(text, text)
    if shape is datetime:
        return text.replace(" ", "+")  # a plus sign that was not percent-encoded
    return text


@cache
def _shapes(kind: type[Query]) -> dict[str, type]:
    hints = get_type_hints(kind)
    return {name: _shape(hint) for name, hint in hints.items()}


def _shape(hint: Any) -> type:
    if isinstance(hint, type) and get_origin(hint) is None:
        return hint
    if get_origin(hint) is list:
        return list
    if get_origin(hint) is types.UnionType or str(get_origin(hint)) == "typing.Union":
        return _shape(next(part for part in get_args(hint) if part is not type(None)))
    first = get_args(hint)[0]
    return (
        type(first) if not isinstance(first, type) and get_origin(first) is None else _shape(first)
    )


def request_key(
    service: Service,
    caller: Caller,
    method: str,
    path: str,
    query_string: bytes,
    key: str,
    body: bytes,
) -> RequestKey:
    """Recognises the repeat of this request.

    Args:
        key: the idempotency-key header.
        body: of the request; a repeat must have the same.
    """
    lifetime_us = round(service.limits.idempotency_s * 1_000_000)
    return RequestKey(
        digest=digest16(
            caller.org_id,
            caller.subject,
            method,
            path.rstrip("/"),
            query_string,
            key,
        ),
        # With the key, which is not stored and as a rule cannot be guessed: who has the database
        # cannot try passwords that a body may have had against its fingerprint.
        fingerprint=digest16(key, body),
        expires_at_us=service.clock.now_us() + lifetime_us,
    )
