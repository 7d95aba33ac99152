"""Sessions of people who look at pages in a browser, signed in with a token.

The cookie is a signed text that says whose token it was, until when, and its own name; nothing is
stored until somebody signs out. Signing out is remembered by every process, because it is in the
database: a page asks for it each time, by two look-ups of a key.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from typing import Any, Final

import jwt
import msgspec

from homing.core.errors import Conflict, Stale, Unauthenticated, Unavailable
from homing.core.records import Reply, RequestKey, digest16
from homing.core.sessions import TokenExpiry
from homing.service.context import Service
from homing.service.sessions import must_be_live
from homing.service.tokens import Caller, Role

#: how long a session lasts, seconds: a working day, so that nobody is asked twice in one
SESSION_S: Final = 12 * 3_600
_PURPOSE: Final = "homing page session v1"
_ALGORITHM: Final = "HS256"
_TEXT_LENGTH_MAX: Final = 2_048
_TRIES_MAX: Final = 8
_NOTED: Final = Reply(status=204, body=b"")


class PageSession(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who has signed in."""

    caller: Caller
    name: str  #: tells this session from every other; drawn at sign-in
    token: str  #: which token it was begun with: 32 hexadecimal digits of its digest
    generation: int  #: of the sessions that were begun with that token
    expires_at_us: int


async def sign_in(service: Service, token: str) -> PageSession:
    """A new session of whoever holds `token`.

    Raises:
        Unauthenticated: it is not a valid token, or was ended.
    """
    at_us = service.clock.now_us()
    caller = service.tokens.verify(token, at_us=at_us)
    if caller.app_id is not None:
        await must_be_live(service, caller, token)
    said = service.tokens.session_of(token)
    digest = said.digest.hex()
    return PageSession(
        caller=caller,
        name=service.chance.entropy(16).hex(),
        token=digest,
        generation=await _generation(service, caller.org_id, digest),
        expires_at_us=min(said.expires_at_us, at_us + SESSION_S * 1_000_000),
    )


def seal_session(service: Service, session: PageSession) -> str:
    """The session as the text of a cookie: signed, not secret."""
    key = service.tokens.keys_for(_PURPOSE)[0]
    return jwt.encode(_claims_of(session), key, algorithm=_ALGORITHM)


async def open_session(service: Service, text: str) -> PageSession:
    """The session that a cookie's text stands for.

    Raises:
        Unauthenticated: not ours, over, or signed out.
    """
    session = _read(service, text)
    at_us = service.clock.now_us()
    if at_us >= session.expires_at_us:
        raise Unauthenticated("the session is over; sign in again")
    ended, generation = await asyncio.gather(
        service.store.recall(_ended(session), at_us=at_us),
        _generation(service, session.caller.org_id, session.token),
    )
    if ended is not None or session.generation < generation:
        raise Unauthenticated("this session was signed out; sign in again")
    return session


async def open_portal(service: Service, token: str) -> PageSession:
    """The session of somebody in the portal: it is the application's token, for as long as that is.

    Raises:
        Unauthenticated: it is not a valid token of an application, or was ended.
    """
    caller = service.tokens.verify(token, at_us=service.clock.now_us())
    if caller.app_id is None:
        raise Unauthenticated("the portal wants a token of one application")
    await must_be_live(service, caller, token)
    said = service.tokens.session_of(token)
    name = said.digest.hex()
    return PageSession(
        caller=caller,
        name=name,
        token=name,
        generation=0,
        expires_at_us=said.expires_at_us,
    )


def form_key(service: Service, session: PageSession) -> str:
    """What every form of this session carries, so that no other site can send one."""
    key = service.tokens.keys_for(_PURPOSE)[0]
    return hmac.new(key, f"form {session.name}".encode(), hashlib.sha256).hexdigest()[:32]


async def sign_out(service: Service, session: PageSession) -> None:
    """End one session, in every process."""
    await service.store.remember(_ended(session), _NOTED, at_us=service.clock.now_us())


async def sign_out_everywhere(service: Service, session: PageSession) -> None:
    """End every session that was begun with the same token, in every process.

    Raises:
        Unavailable: others keep doing the same.
    """
    scope, id = session.caller.org_id, _id_of(session.token)
    for _ in range(_TRIES_MAX):
        at_us = service.clock.now_us()
        found = await service.store.get(TokenExpiry, scope, id)
        before = found or TokenExpiry(
            scope=scope, id=id, version=0, created_at_us=at_us, updated_at_us=at_us
        )
        after = msgspec.structs.replace(
            before,
            version=before.version + 1,
            generation=before.generation + 1,
            updated_at_us=at_us,
        )
        try:
            await service.store.put(after)
        except (Stale, Conflict):
            continue
        return
    raise Unavailable("somebody else is signing out at this moment; try again")


async def _generation(service: Service, org_id: str, token: str) -> int:
    found = await service.store.get(TokenExpiry, org_id, _id_of(token))
    return found.generation if found else 0


def _id_of(token: str) -> str:
    return f"pages_{token}"


def _claims_of(session: PageSession) -> dict[str, Any]:
    caller = session.caller
    return {
        "org": caller.org_id,
        "app": caller.app_id,
        "ro": caller.read_only,
        "role": caller.role,
        "name": caller.name,
        "sid": session.name,
        "tok": session.token,
        "gen": session.generation,
        "exp_us": session.expires_at_us,
    }


def _read(service: Service, text: str) -> PageSession:
    if len(text) <= _TEXT_LENGTH_MAX:
        for key in service.tokens.keys_for(_PURPOSE):
            try:
                claims = jwt.decode(text, key, algorithms=[_ALGORITHM])
            except jwt.PyJWTError:
                continue
            return PageSession(
                caller=Caller(
                    claims["org"], claims["app"], claims["ro"], Role(claims["role"]), claims["name"]
                ),
                name=claims["sid"],
                token=claims["tok"],
                generation=claims["gen"],
                expires_at_us=claims["exp_us"],
            )
    raise Unauthenticated("sign in first")


def _ended(session: PageSession) -> RequestKey:
    """Under which it is known that a session was signed out, for as long as it would last."""
    return RequestKey(
        digest=digest16("page session ended", session.name),
        fingerprint=digest16("page session ended"),
        expires_at_us=session.expires_at_us,
    )
