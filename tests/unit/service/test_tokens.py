"""Tokens: who may ask for what."""

from __future__ import annotations

import jwt
import pytest
from support.making import START_US

from homing.core.errors import Forbidden, NotFound, Unauthenticated
from homing.service.tokens import DEFAULT_ORG_ID, Caller, Tokens, sign_org_token

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
