"""What a board believes of what a service says of itself."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from homing.core.signature import generate_private_key, parse_secret, public_key, sign
from homing.insight.board.standing import (
    Envelope,
    NotBelieved,
    Promise,
    Replayed,
    ServiceStanding,
    believed,
    check_public_key,
    enclose,
    is_signed,
    one_line,
    read_envelope,
)

NOW_US = 1_790_000_000_000_000
SECRET = generate_private_key(b"a" * 32)
OTHER = generate_private_key(b"b" * 32)
SAID = ServiceStanding(
    name="payments",
    owner="payments team",
    at_us=NOW_US,
    promises=(Promise(name="delivered", target="0.995", period="30d", left="0.4"),),
    unaccounted=0,
    audited_at_us=NOW_US,
    dead=2,
    money={"EUR": "12.50"},
)


def read(envelope: Envelope, **given: object) -> ServiceStanding:
    arguments = {"name": "payments", "key": public_key(SECRET), "after_us": 0, "now_us": NOW_US}
    return believed(envelope, **(arguments | given))  # type: ignore[arg-type]


def signed(document: dict[str, object]) -> Envelope:
    """Signed as it is, whatever it is."""
    payload, at_us = msgspec.json.encode(document), document["at_us"]
    assert isinstance(at_us, int)
    signature = sign("board-standing", at_us // 1_000_000, payload, [parse_secret(SECRET)])
    return Envelope(payload=payload.decode(), signature=signature, key=public_key(SECRET))


def test_what_was_signed_is_read_again() -> None:
    travelled = read_envelope(msgspec.json.encode(enclose(SAID, [SECRET])))
    assert read(travelled) == SAID
    assert travelled.key == public_key(SECRET)


def test_a_standing_is_signed_with_the_former_secret_too() -> None:
    envelope = enclose(SAID, [OTHER, SECRET])
    assert is_signed(envelope, public_key(SECRET))
    assert is_signed(envelope, public_key(OTHER))


@pytest.mark.parametrize(
    ("change", "given", "why"),
    [
        ({}, {"key": public_key(OTHER)}, "signature"),
        ({"payload": None}, {}, "signature"),
        ({"signature": "v1,c2lnbmF0dXJl"}, {}, "signature"),
        ({"signature": ""}, {}, "signature"),
        ({}, {"key": "whpk_no"}, "signature"),
        ({}, {"name": "another"}, "calls itself"),
        ({}, {"after_us": NOW_US + 1}, "older"),
        ({}, {"now_us": NOW_US - 61_000_000}, "ahead"),
    ],
)
def test_what_is_not_believed(
    change: dict[str, str | None], given: dict[str, object], why: str
) -> None:
    envelope = enclose(SAID, [SECRET])
    for field, value in change.items():
        text = value if value is not None else envelope.payload.replace('"dead":2', '"dead":0')
        envelope = msgspec.structs.replace(envelope, **{field: text})
    with pytest.raises(NotBelieved, match=why):
        read(envelope, **given)


def test_an_older_one_is_told_apart_and_the_same_one_again_is_taken() -> None:
    with pytest.raises(Replayed):
        read(enclose(SAID, [SECRET]), after_us=NOW_US + 1)
    assert read(enclose(SAID, [SECRET]), after_us=NOW_US) == SAID


def test_a_signature_for_a_webhook_is_none_for_a_standing() -> None:
    envelope = enclose(SAID, [SECRET])
    signature = sign(
        "msg_1", NOW_US // 1_000_000, envelope.payload.encode(), [parse_secret(SECRET)]
    )
    assert not is_signed(msgspec.structs.replace(envelope, signature=signature), public_key(SECRET))


@pytest.mark.parametrize(
    "change",
    [
        {"owner": "team\x1b[2J"},
        {"owner": "team\u202egood"},
        {"owner": "a\nb"},
        {"owner": "x" * 257},
        {"money": {"euro": "1.00"}},
        {"money": {"EUR": "lots"}},
        {"unaccounted": -1},
        {"dead": 1.5},
        {"promises": [{"name": "x", "left": "1e9999"}]},
        {"promises": [{"name": "x", "exhausted_in_s": -1}]},
        {"promises": [{"name": "x"}] * 201},
        {"schema": "homing.standing/2"},
        {"name": "../payments"},
        {"at_us": -1},
    ],
)
def test_hostile_values_are_not_believed_though_signed(change: dict[str, object]) -> None:
    document = msgspec.to_builtins(SAID) | change
    assert read(signed(msgspec.to_builtins(SAID) | {"unknown": 1})) == SAID
    with pytest.raises(NotBelieved):
        read(signed(document))


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b"\xff", b"[" * 100_000, b'{"payload":1}', b'{"payload":"{}"}']
)
def test_what_is_no_envelope_is_not_believed(body: bytes) -> None:
    with pytest.raises(NotBelieved):
        read_envelope(body)


@pytest.mark.parametrize("payload", ["", "null", "[" * 100_000, '{"at_us":1}', "\ud800"])
def test_what_has_no_standing_inside_is_not_believed(payload: str) -> None:
    with pytest.raises(NotBelieved):
        read(Envelope(payload=payload, signature="v1a,AAAA", key=public_key(SECRET)))


def test_every_field_of_a_standing_is_in_the_reference() -> None:
    page = (Path(__file__).parents[4] / "docs/reference/standing.md").read_text()
    for kind in (Envelope, ServiceStanding, Promise):
        for field in kind.__struct_fields__:
            assert f"`{field}`" in page, field


def test_a_line_has_nothing_in_it_that_moves_others() -> None:
    assert one_line("a\x1b[31m\u202eb\r\nc") == "a[31mbc"
    assert one_line("Zahlungen für März") == "Zahlungen für März"


def test_a_public_key_is_checked() -> None:
    check_public_key(public_key(SECRET))
    for text in ("", "whpk_", "whpk_AAAA", SECRET):
        with pytest.raises(ValueError, match="expected"):
            check_public_key(text)
