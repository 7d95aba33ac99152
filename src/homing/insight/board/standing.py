"""What a service says of itself, signed, and what a board remembers of who is on it.

A standing travels as an envelope: the JSON text of the standing, as it was signed, and the
signatures. Signed is, by Standard Webhooks, `board-standing.<seconds>.<payload>`, so a signature
that was made for a webhook is never one for a standing.
"""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Annotated, Final, TypeVar

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from msgspec import Meta

from homing.core.resources import Resource
from homing.core.sealing import Sealed
from homing.core.signature import PUBLIC_PREFIX, parse_secret, public_key, sign

T = TypeVar("T")

SCHEMA: Final = "homing.standing/1"
#: longest payload, in bytes: 200 objectives take a quarter of it
PAYLOAD_BYTES_MAX: Final = 262_144
#: how far ahead of the board's clock a standing may be, in microseconds
AHEAD_US: Final = 60_000_000
#: after so long without news a standing is stale, unless the member says otherwise, in seconds
STALE_S: Final = 300
_SIGNED_AS: Final = "board-standing"
#: signatures looked at: one for each secret that an instance has or had
_SIGNATURES_MAX: Final = 8
#: what has no place in a line of text: controls, marks that turn its direction, line ends
_UNSEEMLY: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
#: to the year 2100, in microseconds
_LATEST_US: Final = 4_102_444_800_000_000

#: `$` alone would let a line break at the end pass
_END: Final = r"(?!\n)$"
Name = Annotated[str, Meta(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?" + _END, max_length=63)]
_Line = Annotated[str, Meta(max_length=256)]
_Share = Annotated[str, Meta(pattern=r"^-?[0-9]{1,12}(\.[0-9]{1,18})?" + _END, max_length=32)]
_Code = Annotated[str, Meta(pattern=r"^[A-Z]{3}" + _END)]
_Count = Annotated[int, Meta(ge=0, le=10**15)]
_At = Annotated[int, Meta(ge=0, le=_LATEST_US)]


class Promise(msgspec.Struct, frozen=True, kw_only=True):
    """A ratio objective, as far as others need to know it. Shares are decimals as text."""

    name: _Line
    target: _Share | None = None  #: "0.999"; None: not told
    period: _Line = ""
    team: _Line = ""
    left: _Share | None = None  #: of the budget; negative when overspent; None: not told
    #: seconds until it is spent at the present rate; 0: it is; None: never
    exhausted_in_s: Annotated[float, Meta(ge=0, le=1e12)] | None = None
    fires: bool = False  #: it burns so fast that somebody has to know
    is_few: bool = False  #: there were too few events to judge it by
    because: _Line = ""  #: what spent a budget that is overspent, in words

    @property
    def is_broken(self) -> bool:
        """Whether the budget is overspent, by enough events to say so."""
        return self.left is not None and self.left.startswith("-") and not self.is_few


class ServiceStanding(msgspec.Struct, frozen=True, kw_only=True):
    """What one service says of itself at one time. None: it does not tell."""

    schema: str = SCHEMA
    name: Name
    owner: _Line = ""  #: the team that answers for it
    at_us: _At
    promises: Annotated[tuple[Promise, ...], Meta(max_length=200)] = ()
    unaccounted: _Count | None = None  #: deliveries that the latest audit could not place
    audited_at_us: _At | None = None
    dead: _Count | None = None  #: dead letters that nobody has handled or muted
    oldest_at_us: _At | None = None  #: when the oldest of them died
    #: at stake in them: exact decimals by currency, never added together
    money: Annotated[dict[_Code, _Share], Meta(max_length=200)] = {}


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """A standing as it travels."""

    payload: Annotated[str, Meta(max_length=PAYLOAD_BYTES_MAX)]  #: the JSON that was signed
    signature: Annotated[str, Meta(max_length=1_024)]  #: "v1a,…", several apart by spaces
    key: Annotated[str, Meta(max_length=64)] = ""  #: the signer's public key, "whpk_…"


class NotBelieved(Exception):
    """A standing that is not taken; the text says why, and has nothing of it inside."""


class Replayed(NotBelieved):
    """It is older than what is known."""


class How(StrEnum):
    """How a board learns of a member."""

    SELF = "self"  #: it is the instance that shows the board
    PULL = "pull"
    PUSH = "push"
    PROMETHEUS = "prometheus"


class Queries(msgspec.Struct, frozen=True, kw_only=True):
    """What a Prometheus is asked about a service, in PromQL; what is empty is not asked.

    Those of objectives give a series for each, told apart by the label; the others one number.
    """

    label: str = "slo"
    period: str = "30d"  #: of the objectives; said, and not asked
    target: str = ""  #: the promised share, 0 to 1
    budget_left: str = ""  #: the share of the budget that is left; negative when overspent
    exhausted_in_s: str = ""  #: seconds until it is spent; +Inf: never
    unaccounted: str = ""
    audited_at_s: str = ""  #: when they were last counted, in seconds since 1970
    dead: str = ""
    oldest_age_s: str = ""  #: of the oldest dead letter
    money: str = ""  #: at stake in dead letters, a series for each label `currency`


class Member(Resource, frozen=True, kw_only=True):
    """A service on a board, and the last that is known of it. Scope: the organisation; id: name."""

    kind = "board_member"

    how: How
    url: str = ""  #: of the instance or of its Prometheus; empty: it pushes
    token: Sealed | None = None  #: sent with each request
    public_key: str | None = None  #: None: that of its first standing will be the one
    owner: str = ""  #: in place of what the standing says
    stale_s: int = STALE_S
    queries: Queries | None = None  #: asked of its Prometheus
    said: ServiceStanding | None = None  #: the last that was believed
    trouble: str = ""  #: why there is nothing newer; empty: there is
    trouble_since_us: int | None = None
    is_refused: bool = False  #: it answered, and was not believed


class Turn(Resource, frozen=True, kw_only=True):
    """Which process asks the members. There is one: scope "", id "turn"."""

    kind = "board_turn"

    holder: str = ""
    until_us: int = 0


def is_name(text: str) -> bool:
    """Whether a service can be called that."""
    return re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", text) is not None


def token_place(org_id: str, name: str) -> str:
    """Where a member's token belongs."""
    return f"board/{org_id}/{name}/token"


def one_line(text: str, length_max: int = 256) -> str:
    """`text` without what has no place in a line."""
    kept = "".join(c for c in text if unicodedata.category(c) not in _UNSEEMLY)
    return kept[:length_max]


def enclose(standing: ServiceStanding, secrets: Sequence[str]) -> Envelope:
    """The standing, signed with each of these ed25519 secrets, the present one first."""
    payload = msgspec.json.encode(standing)
    keys = [parse_secret(secret) for secret in secrets]
    signature = sign(_SIGNED_AS, standing.at_us // 1_000_000, payload, keys)
    return Envelope(payload=payload.decode(), signature=signature, key=public_key(secrets[0]))


def read_envelope(body: bytes) -> Envelope:
    """Raises: NotBelieved: it is none."""
    return _decoded(body, Envelope)


def believed(
    envelope: Envelope,
    *,
    name: str,
    key: str,
    after_us: int,
    now_us: int,
) -> ServiceStanding:
    """The standing inside, once everything about it has been checked.

    Args:
        name: who it must be.
        key: "whpk_…", with which it must be signed.
        after_us: the time of the last one that was believed; older ones are not.

    Raises:
        NotBelieved: says why.
    """
    if not is_signed(envelope, key):
        raise NotBelieved("its signature is not of the key that is known of it")
    standing = _decoded(_payload(envelope), ServiceStanding)
    if standing.schema != SCHEMA:
        raise NotBelieved(f"expected the schema {SCHEMA}, found another")
    if standing.name != name:
        raise NotBelieved(f"it calls itself {standing.name!r}; HOMING_NAME there must be {name!r}")
    if standing.at_us < after_us:
        raise Replayed("it says something older than what is known of it")
    if standing.at_us > now_us + AHEAD_US:
        raise NotBelieved("its clock is more than a minute ahead")
    if any(one_line(text) != text for text in _texts(standing)):
        raise NotBelieved("a text of it has characters that have no place in a line")
    return standing


class _Claim(msgspec.Struct):
    """All that is read of a payload before its signature is checked."""

    name: Name
    at_us: _At


def claimed_name(envelope: Envelope) -> str:
    """Who it says it is, which is still to be proved. Raises: NotBelieved: it does not say."""
    return _decoded(_payload(envelope), _Claim).name


def is_signed(envelope: Envelope, key: str) -> bool:
    """Whether one of its signatures is of this public key, "whpk_…"."""
    payload = _payload(envelope)
    try:
        at_s = _decoded(payload, _Claim).at_us // 1_000_000
        public = _public_key(key)
    except (NotBelieved, ValueError):
        return False
    content = f"{_SIGNED_AS}.{at_s}.".encode() + payload
    for one in envelope.signature.split(" ")[:_SIGNATURES_MAX]:
        scheme, _, encoded = one.partition(",")
        if scheme != "v1a":
            continue
        try:
            public.verify(base64.b64decode(encoded, validate=True), content)
        except (InvalidSignature, binascii.Error, ValueError):
            continue
        return True
    return False


def _payload(envelope: Envelope) -> bytes:
    return envelope.payload.encode("utf-8", "surrogatepass")


def _texts(standing: ServiceStanding) -> Iterable[str]:
    yield standing.owner
    for one in standing.promises:
        yield from (one.name, one.period, one.team)


def check_public_key(text: str) -> None:
    """Raises: ValueError: it is no "whpk_…"."""
    _public_key(text)


def _public_key(text: str) -> Ed25519PublicKey:
    if not text.startswith(PUBLIC_PREFIX):
        raise ValueError(f"expected a public key that begins with {PUBLIC_PREFIX}")
    try:
        raw = base64.b64decode(text.removeprefix(PUBLIC_PREFIX), validate=True)
        return Ed25519PublicKey.from_public_bytes(raw)
    except (binascii.Error, ValueError):
        raise ValueError(f"expected base64 of 32 bytes after {PUBLIC_PREFIX}") from None


def _decoded(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        text = one_line(str(error), 200)
        raise NotBelieved(f"what it says is not in the form of a standing: {text}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise NotBelieved("what it says is not JSON") from None
