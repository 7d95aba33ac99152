"""Sealed texts open with the right secret at the right place, and in no other way."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.core.sealing import (
    NONCE_BYTES,
    CannotOpen,
    Sealed,
    Seals,
    header_place,
    secret_place,
)

SECRET = "a secret of the tests"
NONCE = bytes(range(NONCE_BYTES))
TEXT = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
PLACE = secret_place("ep_1")
seals = Seals(SECRET)


@given(st.text(), st.text(), st.binary(min_size=NONCE_BYTES, max_size=NONCE_BYTES))
def test_what_was_sealed_opens_at_its_place(text: str, place: str, nonce: bytes) -> None:
    assert seals.open(seals.seal(text, place, nonce=nonce), place) == text


def test_a_sealed_text_never_changes_its_form() -> None:
    # What databases hold: computed by hand from RFC 5869 and RFC 8439 with other libraries' words
    # for the same steps, so that a change of format cannot go unnoticed.
    import hashlib
    import hmac

    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    def derive(purpose: bytes, length: int) -> bytes:
        extracted = hmac.digest(bytes(hashlib.sha256().digest_size), SECRET.encode(), "sha256")
        return hmac.digest(extracted, purpose + b"\x01", "sha256")[:length]

    key_id = derive(b"homing sealing v1, name of the key", 4).hex()
    cipher = ChaCha20Poly1305(derive(b"homing sealing v1", 32))
    content = NONCE + cipher.encrypt(NONCE, TEXT.encode(), b"ep_1/secret")
    expected = f"s1.{key_id}.{base64.b64encode(content).decode()}"
    assert seals.seal(TEXT, PLACE, nonce=NONCE) == expected


def test_nothing_of_the_text_or_of_the_secret_shows() -> None:
    sealed = seals.seal(TEXT, PLACE, nonce=NONCE)
    assert TEXT not in sealed
    assert TEXT.encode() not in base64.b64decode(sealed.rpartition(".")[2])
    assert SECRET not in f"{sealed} {seals!r} {vars(seals)}"


def test_another_nonce_makes_another_text() -> None:
    assert seals.seal(TEXT, PLACE, nonce=NONCE) != seals.seal(TEXT, PLACE, nonce=NONCE[::-1])


@pytest.mark.parametrize(
    "place", [secret_place("ep_2"), header_place("ep_1", "secret"), "", PLACE.upper()]
)
def test_a_text_that_was_moved_does_not_open(place: str) -> None:
    with pytest.raises(CannotOpen, match="another place"):
        seals.open(seals.seal(TEXT, PLACE, nonce=NONCE), place)


def test_a_header_s_name_may_change_its_case() -> None:
    sealed = seals.seal("Bearer t", header_place("ep_1", "Authorization"), nonce=NONCE)
    assert seals.open(sealed, header_place("ep_1", "authorization")) == "Bearer t"


@given(st.integers(min_value=0), st.integers(min_value=1, max_value=255))
def test_a_text_with_any_bit_changed_does_not_open(where: int, change: int) -> None:
    head, _, encoded = seals.seal(TEXT, PLACE, nonce=NONCE).rpartition(".")
    content = bytearray(base64.b64decode(encoded))
    content[where % len(content)] ^= change
    with pytest.raises(CannotOpen):
        seals.open(Sealed(f"{head}.{base64.b64encode(content).decode()}"), PLACE)


@given(st.text())
def test_what_was_never_sealed_does_not_open(text: str) -> None:
    key_id = seals.seal(TEXT, PLACE, nonce=NONCE).split(".")[1]
    for found in (text, f"s1.{text}", f"s1.{key_id}.{text}", TEXT):
        with pytest.raises(CannotOpen) as error:
            seals.open(Sealed(found), PLACE)
        assert TEXT not in str(error.value)


def test_another_secret_opens_nothing_and_the_error_says_what_to_do() -> None:
    sealed = seals.seal(TEXT, PLACE, nonce=NONCE)
    with pytest.raises(CannotOpen, match="HOMING_SECRET_PREVIOUS"):
        Seals("another secret").open(sealed, PLACE)


def test_a_previous_secret_opens_and_no_longer_seals() -> None:
    former = seals.seal(TEXT, PLACE, nonce=NONCE)
    rotated = Seals("the next secret", [SECRET, "one before"])
    assert rotated.open(former, PLACE) == TEXT
    assert not rotated.is_present(former)
    anew = rotated.seal(TEXT, PLACE, nonce=NONCE)
    assert rotated.is_present(anew)
    with pytest.raises(CannotOpen):
        seals.open(anew, PLACE)
