"""Signatures, judged by the two libraries that receivers use."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest
import standardwebhooks
import svix.webhooks
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from homing.core.signature import (
    HeaderStyle,
    SigningKey,
    beginnings,
    generate_private_key,
    generate_secret,
    header_names,
    parse_secret,
    public_key,
    sign,
)

MESSAGE_ID = "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W"
BODY = b'{"amount": 4200, "note": "caf\xc3\xa9"}'
SECRET = generate_secret(bytes(range(24)))
OLDER_SECRET = generate_secret(bytes(range(100, 124)))
PRIVATE = generate_private_key(bytes(range(32)))


def now_s() -> int:
    return int(datetime.now(UTC).timestamp())  # the libraries compare with the wall clock


def headers(signature: str, at_s: int, style: HeaderStyle = HeaderStyle.WEBHOOK) -> dict[str, str]:
    names = header_names(style)
    return {names.id: MESSAGE_ID, names.timestamp: str(at_s), names.signature: signature}


def test_the_standardwebhooks_library_verifies_a_signature() -> None:
    at_s = now_s()
    signature = sign(MESSAGE_ID, at_s, BODY, [parse_secret(SECRET)])
    standardwebhooks.Webhook(SECRET).verify(BODY, headers(signature, at_s))


@pytest.mark.parametrize("style", HeaderStyle)
def test_the_svix_library_verifies_a_signature_under_both_names(style: HeaderStyle) -> None:
    at_s = now_s()
    signature = sign(MESSAGE_ID, at_s, BODY, [parse_secret(SECRET)])
    svix.webhooks.Webhook(SECRET).verify(BODY, headers(signature, at_s, style))


@pytest.mark.parametrize("known", [SECRET, OLDER_SECRET])
def test_during_a_rotation_either_secret_verifies(known: str) -> None:
    at_s = now_s()
    keys = [parse_secret(SECRET), parse_secret(PRIVATE), parse_secret(OLDER_SECRET)]
    signature = sign(MESSAGE_ID, at_s, BODY, keys)
    assert [part.partition(",")[0] for part in signature.split(" ")] == ["v1", "v1a", "v1"]
    standardwebhooks.Webhook(known).verify(BODY, headers(signature, at_s))


def test_another_body_another_time_or_another_secret_does_not_verify() -> None:
    at_s = now_s()
    signature = sign(MESSAGE_ID, at_s, BODY, [parse_secret(SECRET)])
    for secret, body, claimed_s in [
        (OLDER_SECRET, BODY, at_s),
        (SECRET, BODY + b" ", at_s),
        (SECRET, BODY, at_s - 1),
    ]:
        with pytest.raises(standardwebhooks.WebhookVerificationError):
            standardwebhooks.Webhook(secret).verify(body, headers(signature, claimed_s))


def test_a_signature_is_what_the_published_library_computes_for_a_fixed_time() -> None:
    at_s = 1_674_087_231
    assert sign(MESSAGE_ID, at_s, BODY, [parse_secret(SECRET)]) == standardwebhooks.Webhook(
        SECRET
    ).sign(MESSAGE_ID, datetime.fromtimestamp(at_s, UTC), BODY.decode())


def test_an_ed25519_signature_verifies_with_the_public_key_alone() -> None:
    signature = sign(MESSAGE_ID, 7, BODY, [parse_secret(PRIVATE)])
    scheme, _, encoded = signature.partition(",")
    assert scheme == "v1a"
    verifier = Ed25519PublicKey.from_public_bytes(
        base64.b64decode(public_key(PRIVATE).removeprefix("whpk_"))
    )
    verifier.verify(base64.b64decode(encoded), f"{MESSAGE_ID}.7.".encode() + BODY)
    with pytest.raises(InvalidSignature):
        verifier.verify(base64.b64decode(encoded), f"{MESSAGE_ID}.8.".encode() + BODY)


def test_an_ed25519_secret_may_be_the_seed_alone() -> None:
    seed = "whsk_" + base64.b64encode(bytes(range(32))).decode()
    assert public_key(seed) == public_key(PRIVATE)


def test_receivers_of_hmac_signatures_get_the_secret_itself() -> None:
    assert public_key(SECRET) == SECRET


@given(st.binary(min_size=24, max_size=75))
def test_any_secret_of_24_to_75_bytes_is_taken(key: bytes) -> None:
    assert parse_secret("whsec_" + base64.b64encode(key).decode()).hmac_key == key


@pytest.mark.parametrize(
    ("secret", "complaint"),
    [
        ("whsec_" + base64.b64encode(bytes(23)).decode(), "24 to 75 bytes after whsec_, found 23"),
        ("whsec_" + base64.b64encode(bytes(76)).decode(), "24 to 75 bytes after whsec_, found 76"),
        ("whsec_not base64!", "expected base64 after whsec_"),
        ("whsec_é", "expected base64 after whsec_"),
        ("whsk_" + base64.b64encode(bytes(31)).decode(), "found 31"),
        ("whsk_" + base64.b64encode(bytes(64)).decode(), "the seed's own public key"),
        (public_key(PRIVATE), "which is a public key"),
        ("hunter2hunter2", "begins with whsec_ or whsk_, found 14 characters"),
        ("", "found 0 characters"),
    ],
)
def test_a_secret_that_cannot_be_used_is_refused_with_what_was_expected(
    secret: str, complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint) as caught:
        parse_secret(secret)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("message_id", ["msg_1.2", "msg_é", "msg_1\n"])
def test_an_id_that_could_shift_what_is_signed_is_refused(message_id: str) -> None:
    with pytest.raises(ValueError, match="message id"):
        sign(message_id, 0, b"", [parse_secret(SECRET)])


def test_without_a_live_key_nothing_is_signed() -> None:
    with pytest.raises(ValueError, match="found none"):
        sign(MESSAGE_ID, 0, b"", [])


def test_a_key_never_shows_itself() -> None:
    shown = repr(parse_secret(SECRET)) + str(parse_secret(PRIVATE))
    assert shown == "SigningKey(********)" * 2
    assert isinstance(parse_secret(SECRET), SigningKey)


def test_what_is_kept_of_a_signature_tells_its_key_and_no_more() -> None:
    keys = [parse_secret(generate_secret(bytes([n]) * 24)) for n in (1, 2)]
    keys.append(parse_secret(generate_private_key(b"3" * 32)))
    sent = sign("msg_1", 1, b"{}", keys)
    kept = beginnings(sent)
    assert [len(one.partition(",")[2]) for one in kept.split(" ")] == [8, 8, 8]
    assert all(a.startswith(b) for a, b in zip(sent.split(" "), kept.split(" "), strict=True))
    assert beginnings(sign("msg_1", 1, b"{}", keys[:1])) == kept.split(" ")[0]
