"""Tokens: who may ask for what."""

from __future__ import annotations

import jwt
import pytest
from support.making import START_US

from homing.core.errors import Forbidden, NotFound, Unauthenticated
from homing.service.tokens import DEFAULT_ORG_ID, Caller, Role, Tokens, sign_org_token

SECRET = "a secret of the tests"
DAY_US = 86_400_000_000


def test_a_token_of_an_organisation_is_known_again() -> None:
    token = sign_org_token(SECRET, at_us=START_US)
    assert Tokens(SECRET).verify(token, at_us=START_US) == Caller(DEFAULT_ORG_ID)
    other = sign_org_token(SECRET, at_us=START_US, org_id="org_2")
    assert Tokens(SECRET).verify(other, at_us=START_US) == Caller("org_2")


def test_a_token_of_an_application_ends_after_28_days() -> None:
    tokens = Tokens(SECRET)
    token = tokens.sign_app_token("org_1", "app_1", at_us=START_US)
    assert tokens.verify(token, at_us=START_US + 28 * DAY_US - 1) == Caller("org_1", "app_1")
    with pytest.raises(Unauthenticated):
        tokens.verify(token, at_us=START_US + 28 * DAY_US)


def test_what_was_verified_once_still_expires() -> None:
    tokens = Tokens(SECRET)
    token = sign_org_token(SECRET, at_us=START_US, valid_s=60)
    tokens.verify(token, at_us=START_US)
    with pytest.raises(Unauthenticated):
        tokens.verify(token, at_us=START_US + 60_000_000)


def test_only_our_own_secret_signs() -> None:
    foreign = sign_org_token("another secret of them", at_us=START_US)
    raw = jwt.encode({"sub": "org_1", "exp": 4_000_000_000}, SECRET.ljust(32), algorithm="HS256")
    unsigned = jwt.encode({"sub": "org_1", "exp": 4_000_000_000}, None, algorithm="none")
    tokens = Tokens(SECRET)
    for token in (foreign, raw, unsigned, "", "x", "a.b.c", "x" * 10_000, "\u00e9"):
        with pytest.raises(Unauthenticated):
            tokens.verify(token, at_us=START_US)


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": "app_1"},
        {"sub": "org_1", "org": "org_2"},
        {"sub": "app_1", "org": "x"},
        {"sub": "app_1", "org": 1},
        {"sub": "user_1"},
        {"sub": ""},
        {"sub": "org_1", "exp": "soon"},
        {"sub": "org_1", "exp": None},
        {"org": "org_1"},
    ],
)
def test_claims_that_name_nobody_are_refused(claims: dict[str, object]) -> None:
    tokens = Tokens(SECRET)
    token = jwt.encode({"exp": 4_000_000_000, **claims}, tokens._key, algorithm="HS256")
    with pytest.raises(Unauthenticated):
        tokens.verify(token, at_us=START_US)


def test_an_application_is_not_the_organisation_and_sees_only_itself() -> None:
    portal = Caller("org_1", "app_1")
    with pytest.raises(Forbidden):
        portal.must_be_org()
    portal.must_own("app_1")
    with pytest.raises(NotFound):
        portal.must_own("app_2")
    Caller("org_1").must_be_org()
    Caller("org_1").must_own("app_2")


def test_what_is_remembered_has_a_bound() -> None:
    tokens = Tokens(SECRET)
    for number in range(5_000):
        tokens._verified[f"token {number}"] = (Caller("org_1"), 0)
    tokens.verify(sign_org_token(SECRET, at_us=START_US), at_us=START_US)
    assert len(tokens._verified) == 1


def test_a_token_that_may_only_read_says_so() -> None:
    tokens = Tokens(SECRET)
    org = sign_org_token(SECRET, at_us=START_US, org_id="org_1", read_only=True)
    app = tokens.sign_app_token("org_1", "app_1", at_us=START_US, read_only=True)
    assert tokens.verify(org, at_us=START_US) == Caller("org_1", read_only=True)
    assert tokens.verify(app, at_us=START_US) == Caller("org_1", "app_1", read_only=True)
    for token in (org, app):
        with pytest.raises(Forbidden):
            tokens.verify(token, at_us=START_US).must_be(Role.OPERATOR)
    Caller("org_1").must_be(Role.OPERATOR)


@pytest.mark.parametrize("access", ["write", "", 1, ["read"], False])
def test_an_access_that_is_not_known_is_refused_and_not_taken_for_more(access: object) -> None:
    tokens = Tokens(SECRET)
    claims = {"exp": 4_000_000_000, "sub": "org_1", "access": access}
    with pytest.raises(Unauthenticated):
        tokens.verify(jwt.encode(claims, tokens._key, algorithm="HS256"), at_us=START_US)


def test_a_token_of_a_previous_secret_is_good_and_new_ones_are_signed_with_the_present() -> None:
    former = sign_org_token(SECRET, at_us=START_US)
    rotated = Tokens("the next secret", previous=[SECRET])
    assert rotated.verify(former, at_us=START_US) == Caller(DEFAULT_ORG_ID)
    new = rotated.sign_app_token("org_1", "app_1", at_us=START_US)
    with pytest.raises(Unauthenticated):
        Tokens(SECRET).verify(new, at_us=START_US)


SVIX_SECRET = "x" * 32
SVIX_CLAIMS = {
    "iss": "svix-server",
    "sub": "org_23rb8YdGqMT0qIzpgGwdXfHirMu",
    "iat": START_US // 1_000_000,
    "nbf": START_US // 1_000_000,
    "exp": START_US // 1_000_000 + 60,
}


def test_svix_s_own_tokens_are_good_when_its_secret_is_given() -> None:
    tokens = Tokens(SECRET, svix_secret=SVIX_SECRET)
    org = jwt.encode(SVIX_CLAIMS, SVIX_SECRET, algorithm="HS256")
    portal = {**SVIX_CLAIMS, "org": SVIX_CLAIMS["sub"], "sub": "app_1"}
    app = jwt.encode(portal, SVIX_SECRET, algorithm="HS256")
    assert tokens.verify(org, at_us=START_US) == Caller(DEFAULT_ORG_ID)
    assert tokens.verify(app, at_us=START_US) == Caller(DEFAULT_ORG_ID, "app_1")
    with pytest.raises(Unauthenticated, match="expired"):
        tokens.verify(org, at_us=START_US + 60_000_000)
    with pytest.raises(Unauthenticated):
        Tokens(SECRET).verify(org, at_us=START_US)


@pytest.mark.parametrize(
    ("claims", "secret", "algorithm"),
    [
        ({"iss": "homing"}, SVIX_SECRET, "HS256"),
        ({"iss": None}, SVIX_SECRET, "HS256"),
        ({}, "y" * 32, "HS256"),
        ({}, SVIX_SECRET * 2, "HS512"),
        ({}, None, "none"),
    ],
)
def test_of_svix_s_secret_nothing_but_its_own_tokens_is_taken(
    claims: dict[str, object], secret: str | None, algorithm: str
) -> None:
    given = {name: value for name, value in (SVIX_CLAIMS | claims).items() if value is not None}
    token = jwt.encode(given, secret, algorithm=algorithm)
    with pytest.raises(Unauthenticated):
        Tokens(SECRET, svix_secret=SVIX_SECRET).verify(token, at_us=START_US)


def test_a_token_says_the_role_of_whoever_holds_it() -> None:
    tokens = Tokens(SECRET)
    operator = tokens.verify(
        sign_org_token(SECRET, at_us=START_US, role=Role.OPERATOR), at_us=START_US
    )
    assert operator.role is Role.OPERATOR
    operator.must_be(Role.VIEWER)
    operator.must_be(Role.OPERATOR)
    with pytest.raises(Forbidden, match="needs the role admin; this token's is operator"):
        operator.must_be(Role.ADMIN)
    assert tokens.verify(sign_org_token(SECRET, at_us=START_US), at_us=START_US).may(Role.ADMIN)


def test_a_role_of_a_later_version_is_less_than_what_we_know() -> None:
    claims = {"sub": "org_1", "exp": START_US // 1_000_000 + 60, "role": "overlord"}
    key = Tokens(SECRET)._key
    with pytest.raises(Unauthenticated):
        Tokens(SECRET).verify(jwt.encode(claims, key, algorithm="HS256"), at_us=START_US)


def test_who_may_only_read_is_a_viewer_whatever_the_role() -> None:
    assert not Caller("org_1", read_only=True, role=Role.ADMIN).may(Role.OPERATOR)
