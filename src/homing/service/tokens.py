"""Tokens: who may ask for what.

A token is a JWT signed with HMAC-SHA256, in the form that Svix's tokens have: `sub` is an
organisation (`org_…`), or `org` is the organisation and `sub` one application (`app_…`). Beyond
Svix's, `access` may be `read`: such a token changes nothing and is told no secret.

The token of an organisation may say the `role` of whoever holds it; without one it is an admin's,
and one that may only read is a viewer's whatever it says.

Nothing is stored: a token says itself what it may do, and until when. Those of applications can be
ended earlier (see `sessions`); for that they carry `gen`, `sid` and `jti`.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Final

import jwt
import msgspec

from homing.core.errors import Forbidden, NotFound, Unauthenticated
from homing.core.sessions import Session

#: the organisation of tokens that name none. Source: the id that Svix's server has by default, so
#: that its tools and examples work unchanged.
DEFAULT_ORG_ID: Final = "org_23rb8YdGqMT0qIzpgGwdXfHirMu"

#: how long a token for one application is valid. Source: Svix's portal tokens.
APP_TOKEN_S: Final = 28 * 86_400
#: how long a token of an organisation is valid: ten years, as Svix's command line makes them
ORG_TOKEN_S: Final = 3_650 * 86_400

_ISSUER: Final = "homing"
#: what Svix's server writes into the tokens that it signs
_SVIX_ISSUER: Final = "svix-server"
_READ: Final = "read"
_ALGORITHM: Final = "HS256"
#: verified tokens that are remembered; a caller uses one for thousands of requests
_CACHED_MAX: Final = 4_096
#: longest name of a token, characters
NAME_LENGTH_MAX: Final = 64
_TOKEN_LENGTH_MAX: Final = 4_096


class Role(StrEnum):
    """How much somebody may do; each may do what the one before it may."""

    VIEWER = "viewer"  #: look
    OPERATOR = "operator"  #: what concerns traffic: send, resend, redrive, park
    ADMIN = "admin"  #: what is configured: endpoints, secrets, tokens

    def covers(self, needed: Role) -> bool:
        """Whether it is at least `needed`."""
        roles = list(Role)
        return roles.index(self) >= roles.index(needed)


class Caller(msgspec.Struct, frozen=True, gc=False):
    """Whose token it is."""

    org_id: str
    #: the one application the token is for; None: all of the organisation's
    app_id: str | None = None
    read_only: bool = False
    #: what the token says; `may` counts `read_only` in
    role: Role = Role.ADMIN
    #: who holds it, as its maker wrote; empty: the token does not say
    name: str = ""

    def may(self, needed: Role) -> bool:
        """Whether the token is good for what `needed` may do."""
        role = Role.VIEWER if self.read_only else self.role
        return role.covers(needed)

    def must_be(self, needed: Role) -> None:
        """Raises: Forbidden: the token's role is a smaller one."""
        if self.read_only and needed is not Role.VIEWER:
            raise Forbidden("this needs a token that may change things; this one may only read")
        if not self.may(needed):
            raise Forbidden(f"this needs the role {needed}; this token's is {self.role}")

    @property
    def actor(self) -> str:
        """Who it is, for the delivery log: the name in the token, or else its subject."""
        return self.name or self.subject

    @property
    def subject(self) -> str:
        """One word for keys: the organisation, or the one application."""
        return self.app_id or self.org_id

    def must_be_org(self) -> None:
        """Raises: Forbidden: an application's token does not allow this."""
        if self.app_id is not None:
            raise Forbidden("this needs a token of the organisation, not of one application")

    def must_own(self, app_id: str) -> None:
        """Raises: NotFound: it is another application, whose existence is not told."""
        if self.app_id is not None and self.app_id != app_id:
            raise NotFound("there is no such application")


def sign_org_token(
    secret: str,
    *,
    at_us: int,
    org_id: str = DEFAULT_ORG_ID,
    valid_s: int = ORG_TOKEN_S,
    read_only: bool = False,
    role: Role = Role.ADMIN,
    name: str = "",
) -> str:
    """A token for one organisation and all of its applications.

    Args:
        secret: the value of HOMING_SECRET.
        at_us: now, microseconds UTC.
        org_id: "org_…"; any word makes a tenant of its own.
        valid_s: for how long, in seconds, >= 1.
        read_only: it may look, and do nothing.
        role: of whoever holds it.
        name: of whoever holds it, at most 64 characters; what is done with it is under this name.
    """
    claims = {"sub": org_id}
    if name:
        claims["name"] = name
    if role is not Role.ADMIN:
        claims["role"] = role
    return _sign(_signing_key(secret), claims, at_us, valid_s, read_only)


class Tokens:
    """Signs and verifies; remembers what it verified.

    Args:
        secret: the value of HOMING_SECRET; signs and verifies.
        previous: values that it had before; they verify.
        svix_secret: the key of a Svix server, whose tokens are taken too; empty: none are.
    """

    def __init__(self, secret: str, *, previous: Sequence[str] = (), svix_secret: str = "") -> None:
        self._key = _signing_key(secret)
        self._secrets = (secret, *previous)
        #: each with whom it lets sign; None: nobody else has it
        self._keys: list[tuple[bytes, str | None]] = [
            (_signing_key(one), None) for one in (secret, *previous)
        ]
        if svix_secret:
            self._keys.append((svix_secret.encode(), _SVIX_ISSUER))
        self._verified: dict[str, tuple[Caller, Session]] = {}

    def sign_app_token(
        self,
        org_id: str,
        app_id: str,
        *,
        at_us: int,
        valid_s: int = APP_TOKEN_S,
        read_only: bool = False,
        generation: int = 0,
        session: str | None = None,
        nonce: str = "",
    ) -> str:
        """A token that may do what concerns one application, or only look at it.

        Args:
            generation: of the application's tokens (see `sessions`).
            session: a name by which it can be ended together with others.
            nonce: makes it differ from every other token.
        """
        claims: dict[str, Any] = {"org": org_id, "sub": app_id, "gen": generation, "jti": nonce}
        if session is not None:
            claims["sid"] = session
        return _sign(self._key, claims, at_us, valid_s, read_only)

    def verify(self, token: str, *, at_us: int) -> Caller:
        """Whose token it is.

        Raises:
            Unauthenticated: not signed by us or by the Svix server that we trust, expired, or
                not a token at all.
        """
        known = self._verified.get(token)
        if known is None:
            known = self._remember(token)
        caller, session = known
        if at_us >= session.expires_at_us:
            raise Unauthenticated("the token has expired; make a new one")
        return caller

    def keys_for(self, purpose: str) -> list[bytes]:
        """A key of 32 bytes for one other purpose, the present secret's first."""
        return [
            hmac.new(one.encode(), purpose.encode(), hashlib.sha256).digest()
            for one in self._secrets
        ]

    def session_of(self, token: str) -> Session:
        """What else a token says that was verified just now."""
        return (self._verified.get(token) or self._remember(token))[1]

    def _remember(self, token: str) -> tuple[Caller, Session]:
        known = self._read(token)
        if len(self._verified) >= _CACHED_MAX:
            self._verified.clear()
        self._verified[token] = known
        return known

    def _read(self, token: str) -> tuple[Caller, Session]:
        if len(token) > _TOKEN_LENGTH_MAX:
            raise Unauthenticated("Invalid token")
        for key, issuer in self._keys:
            claims = _claims(token, key)
            if claims is not None and issuer in (None, claims.get("iss")):
                return _caller_of(claims), _session_of(claims)
        raise Unauthenticated("Invalid token")


def _claims(token: str, key: bytes) -> dict[str, Any] | None:
    """What a token signed with `key` says; None when it is not signed with it."""
    try:
        # Expiry is compared by `verify`, with the clock that it is given.
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[_ALGORITHM],
            options={
                "require": ["sub", "exp"],
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
                "verify_aud": False,
            },
        )
    except jwt.PyJWTError:
        return None
    return claims


def _caller_of(claims: dict[str, Any]) -> Caller:
    subject, org_id, access = claims["sub"], claims.get("org"), claims.get("access")
    if access not in (None, _READ):
        raise Unauthenticated("Invalid token")  # of a later version: less than what we know
    read_only = access == _READ
    if subject.startswith("org_") and org_id is None:
        name = claims.get("name", "")
        if not is_token_name(name):
            raise Unauthenticated("Invalid token")
        return Caller(subject, read_only=read_only, role=_role_of(claims), name=name)
    if subject.startswith("app_") and isinstance(org_id, str) and org_id.startswith("org_"):
        return Caller(org_id, subject, read_only)
    raise Unauthenticated("Invalid token")


def is_token_name(name: object) -> bool:
    """Whether it can be the name of a token: one line that shows itself whole. Empty: it can."""
    return isinstance(name, str) and len(name) <= NAME_LENGTH_MAX and name.isprintable()


def _role_of(claims: dict[str, Any]) -> Role:
    try:
        return Role(claims.get("role", Role.ADMIN))
    except ValueError:
        raise Unauthenticated("Invalid token") from None  # of a later version, as above


def _session_of(claims: dict[str, Any]) -> Session:
    generation, name = claims.get("gen", 0), claims.get("sid")
    if not isinstance(generation, int) or not isinstance(name, str | None):
        raise Unauthenticated("Invalid token")
    text = json.dumps(claims, sort_keys=True).encode()
    return Session(
        generation=generation,
        name=name,
        # Of what it says, not of its text, which has more than one form.
        digest=hashlib.blake2b(text, digest_size=16).digest(),
        expires_at_us=_expiry_us(claims),
    )


def _expiry_us(claims: dict[str, Any]) -> int:
    expires_s = claims["exp"]
    if not isinstance(expires_s, int):
        raise Unauthenticated("Invalid token")
    return expires_s * 1_000_000


def _sign(key: bytes, claims: dict[str, Any], at_us: int, valid_s: int, read_only: bool) -> str:
    at_s = at_us // 1_000_000
    if read_only:
        claims = {**claims, "access": _READ}
    times = {"iat": at_s, "nbf": at_s, "exp": at_s + valid_s}
    return jwt.encode({"iss": _ISSUER, **times, **claims}, key, algorithm=_ALGORITHM)


def _signing_key(secret: str) -> bytes:
    """A key for this purpose alone, so that no other use of the secret can forge a token."""
    return hmac.new(secret.encode(), b"homing token signing v1", hashlib.sha256).digest()
