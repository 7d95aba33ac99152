"""Seals secrets before they are stored: whoever has the database alone has none of them.

A sealed text is `s1.<key id>.<base64 of nonce, ciphertext and tag>`: ChaCha20-Poly1305 (RFC 8439)
under a key that HKDF-SHA256 (RFC 5869) derives from HOMING_SECRET. The key id tells which secret
that was, so that secrets can follow one another. What is sealed is bound to its place, such as
one endpoint's signing secret, and does not open anywhere else.

Nonces are drawn: 2^32 texts under one secret keep the chance of a repeat below 2^-32 (NIST SP
800-38D 8.3 sets the bound for nonces of this length). An endpoint's rotation is one text.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Final, NewType

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

#: a text that was sealed; nothing else may be stored where a secret belongs
Sealed = NewType("Sealed", str)
#: opens a text that was sealed for a place; raises CannotOpen
Opener = Callable[[Sealed, str], str]

NONCE_BYTES: Final = 12
_VERSION: Final = "s1"
_KEY_BYTES: Final = 32
#: tells a handful of secrets apart; says nothing about any of them
_KEY_ID_BYTES: Final = 4


class CannotOpen(ValueError):
    """Sealed with a secret that is not given here, for another place, or damaged."""


def secret_place(endpoint_id: str) -> str:
    """Where an endpoint's signing secrets belong."""
    return f"{endpoint_id}/secret"


def header_place(endpoint_id: str, name: str) -> str:
    """Where the value of one of an endpoint's own headers belongs."""
    return f"{endpoint_id}/header/{name.lower()}"


class Seals:
    """Seals with the present secret; opens what was sealed with it, or with a previous one.

    Args:
        secret: the value of HOMING_SECRET.
        previous: those that it had before, in any order.
    """

    def __init__(self, secret: str, previous: Sequence[str] = ()) -> None:
        self._key_id = _key_id(secret)
        self._keys = {_key_id(one): ChaCha20Poly1305(_key(one)) for one in (secret, *previous)}

    def seal(self, text: str, place: str, *, nonce: bytes) -> Sealed:
        """`text`, to be opened for `place` alone.

        Args:
            nonce: 12 uniform bytes, never used before.
        """
        assert len(nonce) == NONCE_BYTES, len(nonce)
        content = nonce + self._keys[self._key_id].encrypt(nonce, text.encode(), place.encode())
        return Sealed(f"{_VERSION}.{self._key_id}.{base64.b64encode(content).decode()}")

    def open(self, sealed: Sealed, place: str) -> str:
        """What was sealed for `place`.

        Raises:
            CannotOpen: says why and what to do, and nothing of what is inside.
        """
        version, _, rest = sealed.partition(".")
        key_id, _, encoded = rest.partition(".")
        if version != _VERSION:
            raise CannotOpen("expected a sealed text, found another")
        key = self._keys.get(key_id)
        if key is None:
            raise CannotOpen(
                f"sealed with the secret {key_id}, and HOMING_SECRET is {self._key_id}: "
                "give the former in HOMING_SECRET_PREVIOUS"
            )
        try:
            content = base64.b64decode(encoded, validate=True)
            nonce, ciphertext = content[:NONCE_BYTES], content[NONCE_BYTES:]
            return key.decrypt(nonce, ciphertext, place.encode()).decode()
        except (InvalidTag, binascii.Error, ValueError):
            raise CannotOpen("a sealed text was damaged, or belongs to another place") from None

    def is_present(self, sealed: Sealed) -> bool:
        """Whether it was sealed with the present secret."""
        return sealed.startswith(f"{_VERSION}.{self._key_id}.")


def _key(secret: str) -> bytes:
    return _derive(secret, b"homing sealing v1", _KEY_BYTES)


def _key_id(secret: str) -> str:
    return _derive(secret, b"homing sealing v1, name of the key", _KEY_ID_BYTES).hex()


def _derive(secret: str, purpose: bytes, length: int) -> bytes:
    """Bytes for one purpose alone, from which neither the secret nor others' can be found."""
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=purpose).derive(secret.encode())
