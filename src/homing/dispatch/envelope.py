"""Makes the signed request for an attempt. Pure."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from homing.core.ports import NoTracer, Request, Tracer, Work
from homing.core.resources import Endpoint, Secret
from homing.core.sealing import CannotOpen, Opener, Sealed, header_place, secret_place
from homing.core.signature import (
    HeaderNames,
    HeaderStyle,
    SigningKey,
    header_names,
    parse_secret,
    sign,
)
from homing.core.urls import parse_url

#: endpoints whose prepared headers and keys are remembered, per process
_REMEMBERED_MAX: Final = 10_000

#: names that frame the request or speak for us: an endpoint's own headers never override them
_OURS: Final = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "http2-settings",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "traceparent",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
    }
)
_OUR_PREFIXES: Final = ("webhook-", "svix-")
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")  # RFC 9110 5.6.2
_NOT_IN_VALUE: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class Envelope(NamedTuple):
    """What the requests to one endpoint have in common, prepared once."""

    url: str  #: without user and password
    headers: tuple[tuple[str, str], ...]
    keys: tuple[tuple[SigningKey, int | None], ...]  #: each with the time (µs) it is live until
    names: HeaderNames
    pool: str
    app_id: str


def prepare(endpoint: Endpoint, style: HeaderStyle, user_agent: str, opener: Opener) -> Envelope:
    """What all requests to `endpoint`, as it is now, have in common.

    A URL that cannot be dialled is left as it is: the sender says what is wrong with it.

    Args:
        opener: of secrets and header values.

    Raises:
        ValueError: a header or a secret cannot be opened or used; says which.
    """
    url, authorization = _split_url(endpoint.url)
    headers = [("content-type", "application/json"), ("user-agent", user_agent)]
    taken = set(_OURS)
    if authorization is not None:
        headers.append(("authorization", authorization))
        taken.add("authorization")
    for name, sealed in endpoint.headers.items():
        value = _open(opener, sealed, header_place(endpoint.id, name), f"the header {name[:64]!r}")
        if not is_header_name(name) or not is_header_value(value):
            raise ValueError(f"expected a header that HTTP allows, found one named {name[:64]!r}")
        if name.lower() not in taken and not name.lower().startswith(_OUR_PREFIXES):
            headers.append((name, value))
            taken.add(name.lower())
    return Envelope(
        url=url,
        headers=tuple(headers),
        keys=tuple((_signing_key(endpoint, s, opener), s.expires_at_us) for s in endpoint.secrets),
        names=header_names(style),
        pool=endpoint.id,
        app_id=endpoint.scope,
    )


def _signing_key(endpoint: Endpoint, secret: Secret, opener: Opener) -> SigningKey:
    return parse_secret(_open(opener, secret.key, secret_place(endpoint.id), "the secret"))


def _open(opener: Opener, sealed: Sealed, place: str, what: str) -> str:
    try:
        return opener(sealed, place)
    except CannotOpen as error:
        raise ValueError(f"{what} cannot be opened: {error}") from error


def build_request(
    envelope: Envelope, message_id: str, body: bytes, at_us: int, traceparent: str | None = None
) -> Request:
    """The request for one attempt, signed with every key that is live.

    Args:
        body: exactly what was accepted.
        at_us: when the attempt is made, microseconds UTC; it is in the signature.
        traceparent: header by which the receiver goes on with a trace.

    Raises:
        ValueError: no live key, or an id that must not be signed.
    """
    keys = [key for key, until_us in envelope.keys if until_us is None or until_us > at_us]
    at_s = at_us // 1_000_000
    names = envelope.names
    headers = envelope.headers
    if traceparent is not None:
        headers = (*headers, ("traceparent", traceparent))
    signature = sign(message_id, at_s, body, keys)
    return Request(
        url=envelope.url,
        headers=(
            *headers,
            (names.id, message_id),
            (names.timestamp, str(at_s)),
            (names.signature, signature),
        ),
        body=body,
        pool=envelope.pool,
        app_id=envelope.app_id,
        signature=signature,
    )


class Envelopes:
    """Remembers each endpoint's envelope until the endpoint changes. What a dispatcher is given.

    Args:
        style: names of the three headers.
        user_agent: e.g. "Homing/1.0".
        opener: of the endpoints' secrets.
        tracer: says which trace a receiver is to go on with.
    """

    def __init__(
        self, style: HeaderStyle, user_agent: str, opener: Opener, tracer: Tracer | None = None
    ) -> None:
        self._tracer = tracer or NoTracer()
        self._style = style
        self._user_agent = user_agent
        self._opener = opener
        self._remembered: dict[str, tuple[int, Envelope]] = {}

    def __call__(self, work: Work, at_us: int) -> Request:
        """The signed request for an attempt begun at `at_us`.

        Raises:
            ValueError: a header or a key that cannot be opened or used.
        """
        assert work.endpoint is not None
        assert work.message.payload is not None
        envelope = self._envelope(work.endpoint)
        traceparent = self._tracer.traceparent(work.message, work.endpoint.id, work.delivery.leases)
        return build_request(envelope, work.message.id, work.message.payload, at_us, traceparent)

    def _envelope(self, endpoint: Endpoint) -> Envelope:
        known = self._remembered.get(endpoint.id)
        if known is not None and known[0] == endpoint.version:
            return known[1]
        envelope = prepare(endpoint, self._style, self._user_agent, self._opener)
        if len(self._remembered) >= _REMEMBERED_MAX:
            self._remembered.pop(next(iter(self._remembered)))
        self._remembered[endpoint.id] = (endpoint.version, envelope)
        return envelope


def _split_url(text: str) -> tuple[str, str | None]:
    """The URL without credentials, and these as the value of a header."""
    try:
        url = parse_url(text)
    except ValueError:
        return text, None
    return str(url), url.authorization


def is_header_name(text: str) -> bool:
    """Whether HTTP allows this as the name of a header."""
    return _TOKEN.fullmatch(text) is not None


def is_header_value(text: str) -> bool:
    """Whether HTTP allows this as a value: no control characters, above all no line end."""
    return len(text) <= 8_192 and _NOT_IN_VALUE.search(text) is None
