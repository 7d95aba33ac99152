"""Signatures that a receiver can verify: Standard Webhooks 1.0.0.

What is signed is `id.timestamp.body`. Each live key adds one signature; several, separated by
spaces, let a secret be rotated without a gap.

| secret | scheme | signature |
|---|---|---|
| `whsec_` + base64 of 24 to 75 bytes | HMAC-SHA256 | `v1,` + base64 |
| `whsk_` + base64 of 32 or 64 bytes | ed25519, private | `v1a,` + base64 |
| `whpk_` + base64 of 32 bytes | ed25519, public: what receivers get | |

Source: https://www.standardwebhooks.com, "Signature scheme". The specification says at most 64
bytes of HMAC key; 75 is what Svix's server takes, and its users bring their secrets along.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

HMAC_PREFIX: Final = "whsec_"
PRIVATE_PREFIX: Final = "whsk_"
PUBLIC_PREFIX: Final = "whpk_"

HMAC_BYTES_MIN: Final = 24
HMAC_BYTES_MAX: Final = 75
#: base-64 digits kept of a signature that was sent
_KEPT_DIGITS: Final = 8
#: chance that a new HMAC secret takes
HMAC_ENTROPY_BYTES: Final = 24
#: chance that a new ed25519 key takes: its seed (RFC 8032 5.1.5)
ED25519_ENTROPY_BYTES: Final = 32


class HeaderStyle(StrEnum):
    """Which names the three headers have."""

    WEBHOOK = "webhook"  #: webhook-id, …: Standard Webhooks
    SVIX = "svix"  #: svix-id, …: for receivers that already verify with Svix's library


class HeaderNames(NamedTuple):
    """The three headers that every request carries."""

    id: str
    timestamp: str
    signature: str


_HEADER_NAMES: Final = {
    style: HeaderNames(f"{style}-id", f"{style}-timestamp", f"{style}-signature")
    for style in HeaderStyle
}


def header_names(style: HeaderStyle) -> HeaderNames:
    """The names of the id, timestamp and signature headers, lower case."""
    return _HEADER_NAMES[style]


class SigningKey(NamedTuple):
    """A secret, decoded once so that signing is cheap. Exactly one of the two is set."""

    hmac_key: bytes | None
    private_key: Ed25519PrivateKey | None

    def __repr__(self) -> str:
        return "SigningKey(********)"


def parse_secret(secret: str) -> SigningKey:
    """The key that `secret` stands for.

    Args:
        secret: `whsec_…` or `whsk_…`.

    Raises:
        ValueError: it is neither; says what was expected and what was found, never the secret.
    """
    if secret.startswith(HMAC_PREFIX):
        key = _decode(secret, HMAC_PREFIX)
        if not HMAC_BYTES_MIN <= len(key) <= HMAC_BYTES_MAX:
            raise ValueError(
                f"expected {HMAC_BYTES_MIN} to {HMAC_BYTES_MAX} bytes after {HMAC_PREFIX}, "
                f"found {len(key)}"
            )
        return SigningKey(hmac_key=key, private_key=None)
    if secret.startswith(PRIVATE_PREFIX):
        return SigningKey(hmac_key=None, private_key=_private_key(_decode(secret, PRIVATE_PREFIX)))
    raise ValueError(
        f"expected a secret that begins with {HMAC_PREFIX} or {PRIVATE_PREFIX}, "
        f"found {_beginning(secret)}"
    )


def generate_secret(entropy: bytes) -> str:
    """A new HMAC secret, `whsec_…`.

    Args:
        entropy: 24 uniform bytes.
    """
    assert len(entropy) == HMAC_ENTROPY_BYTES, len(entropy)
    return HMAC_PREFIX + _base64(entropy)


def generate_private_key(entropy: bytes) -> str:
    """A new ed25519 secret, `whsk_…`: the seed, then the public key, as Svix writes it.

    Args:
        entropy: 32 uniform bytes.
    """
    assert len(entropy) == ED25519_ENTROPY_BYTES, len(entropy)
    private_key = Ed25519PrivateKey.from_private_bytes(entropy)
    return PRIVATE_PREFIX + _base64(entropy + private_key.public_key().public_bytes_raw())


def public_key(secret: str) -> str:
    """What receivers verify with: `whpk_…` of an ed25519 secret, an HMAC secret itself.

    Raises:
        ValueError: `secret` cannot be read.
    """
    private_key = parse_secret(secret).private_key
    if private_key is None:
        return secret
    return PUBLIC_PREFIX + _base64(private_key.public_key().public_bytes_raw())


def sign(message_id: str, at_s: int, body: bytes, keys: Sequence[SigningKey]) -> str:
    """The value of the signature header; about 2 µs for one HMAC key, 50 µs for ed25519.

    Args:
        message_id: without a `.`, so that no other split of what is signed is possible.
        at_s: when the attempt is made, seconds since 1970 UTC.
        body: exactly the bytes that are sent.
        keys: every live one, the present one first, n >= 1.

    Raises:
        ValueError: no key, or an id that must not be signed.
    """
    if not keys:
        raise ValueError("expected at least one live secret, found none")
    if "." in message_id or not message_id.isascii() or not message_id.isprintable():
        raise ValueError(f"expected a message id of printable ASCII, no dot: {message_id!r}")
    content = b"%s.%d.%s" % (message_id.encode(), at_s, body)
    if len(keys) == 1:
        return _signature(keys[0], content)
    return " ".join([_signature(key, content) for key in keys])


def beginnings(signatures: str) -> str:
    """What is kept of a signature header: enough to tell which key each was made with.

    Six bytes of each: another key's agree once in 2^48, and nobody can be fooled with them.

    Args:
        signatures: as `sign` gives them.
    """
    if " " in signatures:
        return " ".join([_beginning_of(one) for one in signatures.split(" ")])
    return _beginning_of(signatures)


def _beginning_of(signature: str) -> str:
    return signature[: signature.index(",") + _KEPT_DIGITS + 1]


def _signature(key: SigningKey, content: bytes) -> str:
    if key.hmac_key is not None:
        return "v1," + _base64(hmac.digest(key.hmac_key, content, "sha256"))
    assert key.private_key is not None
    return "v1a," + _base64(key.private_key.sign(content))


def _private_key(encoded: bytes) -> Ed25519PrivateKey:
    if len(encoded) not in (32, 64):
        raise ValueError(
            f"expected 32 bytes (seed) or 64 (seed and public key) after {PRIVATE_PREFIX}, "
            f"found {len(encoded)}"
        )
    private_key = Ed25519PrivateKey.from_private_bytes(encoded[:32])
    if len(encoded) == 64 and private_key.public_key().public_bytes_raw() != encoded[32:]:
        raise ValueError(f"expected the seed's own public key at the end of a {PRIVATE_PREFIX}")
    return private_key


def _decode(secret: str, prefix: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix(prefix), validate=True)
    except (binascii.Error, ValueError) as problem:
        raise ValueError(f"expected base64 after {prefix}: {problem}") from None


def _base64(content: bytes) -> str:
    return binascii.b2a_base64(content, newline=False).decode()


def _beginning(secret: str) -> str:
    """Enough of a secret to recognise a wrong prefix, never more."""
    if secret.startswith(PUBLIC_PREFIX):
        return f"{PUBLIC_PREFIX}…, which is a public key"
    return f"{len(secret)} characters that begin otherwise"
