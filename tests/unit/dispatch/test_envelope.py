"""The request that is made for an attempt: whose headers, which signature."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest
import standardwebhooks
from support.making import (
    SEALS,
    make_delivery,
    make_endpoint,
    make_headers,
    make_message,
    make_secret,
)

from homing.core.ports import Request, Work
from homing.core.resources import Endpoint, Secret
from homing.core.sealing import Seals
from homing.core.signature import HeaderStyle, generate_secret, parse_secret, sign
from homing.dispatch.envelope import Envelope, Envelopes, build_request, prepare

AT_US = 1_767_225_600_123_456
AT_S = AT_US // 1_000_000
SECRET = generate_secret(bytes(24))
OLDER = generate_secret(bytes(range(24)))
BODY = b'{"amount": 1}'


def endpoint(**fields: object) -> Endpoint:
    given = {"id": "ep_1", "url": "https://example.com/hook", "secrets": (secret(SECRET),)}
    if "headers" in fields:
        fields["headers"] = make_headers("ep_1", fields["headers"])  # type: ignore[arg-type]
    return make_endpoint("app_1", **(given | fields))


def secret(key: str, until_us: int | None = None) -> Secret:
    return make_secret("ep_1", key, expires_at_us=until_us)


def prepared(whose: Endpoint, style: HeaderStyle = HeaderStyle.WEBHOOK) -> Envelope:
    return prepare(whose, style, "Homing/9", SEALS.open)


def request_for(
    whose: Endpoint, style: HeaderStyle = HeaderStyle.WEBHOOK, at_us: int = AT_US
) -> Request:
    return build_request(prepared(whose, style), "msg_1", BODY, at_us)


def test_a_request_says_what_it_is_and_who_signed_it() -> None:
    request = request_for(endpoint())
    assert request == Request(
        url="https://example.com/hook",
        headers=(
            ("content-type", "application/json"),
            ("user-agent", "Homing/9"),
            ("webhook-id", "msg_1"),
            ("webhook-timestamp", str(AT_S)),
            ("webhook-signature", sign("msg_1", AT_S, BODY, [parse_secret(SECRET)])),
        ),
        body=BODY,
        pool=endpoint().id,
        app_id=endpoint().scope,
        signature=sign("msg_1", AT_S, BODY, [parse_secret(SECRET)]),
    )


def test_the_headers_can_have_svix_s_names() -> None:
    names = [name for name, _ in request_for(endpoint(), HeaderStyle.SVIX).headers]
    assert names[-3:] == ["svix-id", "svix-timestamp", "svix-signature"]


def test_every_secret_that_is_live_at_the_time_signs() -> None:
    rotated = endpoint(secrets=(secret(SECRET), secret(OLDER, AT_US + 1_000_000)))
    during = dict(request_for(rotated).headers)["webhook-signature"]
    after = dict(request_for(rotated, at_us=AT_US + 1_000_000).headers)["webhook-signature"]
    assert (len(during.split(" ")), len(after.split(" "))) == (2, 1)


def test_without_a_live_secret_there_is_no_request() -> None:
    lapsed = endpoint(secrets=(secret(SECRET, AT_US),))
    with pytest.raises(ValueError, match="at least one live secret"):
        request_for(lapsed)


def test_an_endpoint_s_own_headers_are_sent_with_their_case() -> None:
    request = request_for(endpoint(headers={"X-Tenant": "Ä 1", "authorization": "Bearer t"}))
    assert ("X-Tenant", "Ä 1") in request.headers
    assert ("authorization", "Bearer t") in request.headers


@pytest.mark.parametrize(
    "name",
    [
        "Webhook-Id",
        "WEBHOOK-SIGNATURE",
        "svix-id",
        "Svix-Anything",
        "Content-Type",
        "content-length",
        "Transfer-Encoding",
        "Host",
        "Connection",
        "User-Agent",
        "Expect",
        "Upgrade",
        "TE",
    ],
)
def test_an_endpoint_s_own_headers_never_override_ours(name: str) -> None:
    plain = request_for(endpoint())
    assert request_for(endpoint(headers={name: "evil"})) == plain


def test_credentials_in_the_url_become_a_header_that_nothing_overrides() -> None:
    request = request_for(
        endpoint(url="https://me:secret@example.com/x", headers={"Authorization": "other"})
    )
    assert request.url == "https://example.com/x"
    found = [value for name, value in request.headers if name.lower() == "authorization"]
    assert found == ["Basic bWU6c2VjcmV0"]


def test_of_two_headers_that_differ_in_case_only_one_is_sent() -> None:
    request = request_for(endpoint(headers={"X-A": "1", "x-a": "2"}))
    assert [value for name, value in request.headers if name.lower() == "x-a"] == ["1"]


@pytest.mark.parametrize(
    "headers",
    [
        {"X-A": "1\r\nX-B: 2"},
        {"X-A": "1\n"},
        {"X-A": "\x00"},
        {"X-A\r\nX-B": "2"},
        {"X A": "1"},
        {"": "1"},
        {"X:": "1"},
        {"X-A": "x" * 8_193},
    ],
)
def test_a_header_that_could_break_the_request_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="expected a header that HTTP allows"):
        prepared(endpoint(headers=headers))


def test_a_secret_that_cannot_be_used_says_why() -> None:
    with pytest.raises(ValueError, match="expected 24 to 75 bytes"):
        prepared(endpoint(secrets=(secret("whsec_"),)))


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"secrets": (make_secret("ep_2", SECRET),)}, "the secret cannot be opened: .* damaged"),
        (
            {"secrets": (make_secret("ep_1", SECRET, seals=Seals("another secret")),)},
            "the secret cannot be opened: .* HOMING_SECRET_PREVIOUS",
        ),
    ],
)
def test_without_the_key_that_sealed_it_a_secret_signs_nothing(
    fields: dict[str, object], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint) as error:
        prepared(endpoint(**fields))
    assert len(str(error.value)) <= 200  # as much as is kept of it
    assert SECRET not in str(error.value)


def test_a_header_that_was_sealed_for_another_is_not_sent() -> None:
    sealed = make_headers("ep_1", {"authorization": "Bearer t"})
    swapped = msgspec.structs.replace(endpoint(), headers={"x-shown": sealed["authorization"]})
    with pytest.raises(ValueError, match="the header 'x-shown' cannot be opened"):
        prepared(swapped)


def test_a_url_that_cannot_be_dialled_is_left_for_the_sender_to_complain_about() -> None:
    assert request_for(endpoint(url="ftp://x/")).url == "ftp://x/"


def test_an_envelope_is_remembered_until_its_endpoint_changes() -> None:
    envelopes = Envelopes(HeaderStyle.WEBHOOK, "Homing/9", SEALS.open)
    before = endpoint()
    message = make_message(payload=BODY)
    work = Work(make_delivery(), message, before)
    changed = Work(
        make_delivery(),
        message,
        endpoint(version=before.version + 1, headers={"X-New": "1"}),
    )
    assert envelopes(work, AT_US) == envelopes(work, AT_US)
    assert ("X-New", "1") not in envelopes(work, AT_US).headers
    assert ("X-New", "1") in envelopes(changed, AT_US).headers


def test_what_is_sent_verifies_with_a_receiver_s_library() -> None:
    at_us = int(datetime.now(UTC).timestamp()) * 1_000_000
    request = request_for(endpoint(), at_us=at_us)
    standardwebhooks.Webhook(SECRET).verify(request.body, dict(request.headers))
