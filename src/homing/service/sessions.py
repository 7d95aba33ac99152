"""Ending the tokens of one application before their time, on every node at once."""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec

from homing.core.errors import Conflict, Refused, Stale, Unauthenticated, Unavailable
from homing.core.records import Reply, RequestKey, digest16
from homing.core.sessions import Session, TokenExpiry, ends, is_over
from homing.service.applications import find_application
from homing.service.context import Service
from homing.service.tokens import APP_TOKEN_S, Caller

_TRIES_MAX: Final = 8
#: names of sessions that one application's orders may hold: they are read with each of its requests
_SESSIONS_MAX: Final = 5_000
_NOTED: Final = Reply(status=204, body=b"")


async def must_be_live(service: Service, caller: Caller, token: str) -> None:
    """Look whether a token of an application, which is verified already, was ended.

    Raises:
        Unauthenticated: it was.
    """
    assert caller.app_id is not None
    session = service.tokens.session_of(token)
    at_us = service.clock.now_us()
    expiry, ended = await asyncio.gather(
        service.store.get(TokenExpiry, caller.org_id, caller.app_id),
        service.store.recall(_ended(session), at_us=at_us),
    )
    if ended is not None or (expiry is not None and is_over(expiry, session, at_us=at_us)):
        raise Unauthenticated("the token was ended; ask for a new one")


async def log_out(service: Service, caller: Caller, token: str) -> None:
    """End one token of an application.

    Raises:
        Refused: it is an organisation's.
    """
    if caller.app_id is None:
        text = "only a token for one application can be logged out"
        raise Refused("generic_error", text)
    key = _ended(service.tokens.session_of(token))
    await service.store.remember(key, _NOTED, at_us=service.clock.now_us())


async def expire_all(
    service: Service, caller: Caller, app: str, *, after_s: int, sessions: tuple[str, ...]
) -> None:
    """End all tokens of an application that were made so far, or those of some sessions.

    Args:
        after_s: how long they are still good, seconds, 0 to 259200.
        sessions: empty: all.

    Raises:
        NotFound: no such application.
        Refused: `limit_reached`: too many sessions were ended in the last 28 days.
    """
    application = await find_application(service, caller, app)
    for _ in range(_TRIES_MAX):
        at_us = service.clock.now_us()
        before = await _present(service, caller.org_id, application.id, at_us)
        after = ends(before, at_us=at_us, after_s=after_s, sessions=sessions, longest_s=APP_TOKEN_S)
        if sum(len(order.sessions) for order in after.orders) > _SESSIONS_MAX:
            text = f"at most {_SESSIONS_MAX} sessions can be ended within 28 days; end all tokens"
            raise Refused("limit_reached", text)
        try:
            await service.store.put(_next(after, at_us))
        except (Stale, Conflict):
            continue
        return
    raise Unavailable("somebody else keeps ending tokens of this application; try again")


async def _present(service: Service, org_id: str, app_id: str, at_us: int) -> TokenExpiry:
    """What was ordered so far; version 0: nothing."""
    found = await service.store.get(TokenExpiry, org_id, app_id)
    return found or TokenExpiry(
        scope=org_id, id=app_id, version=0, created_at_us=at_us, updated_at_us=at_us
    )


def _next(expiry: TokenExpiry, at_us: int) -> TokenExpiry:
    return msgspec.structs.replace(expiry, version=expiry.version + 1, updated_at_us=at_us)


def _ended(session: Session) -> RequestKey:
    """Under which it is known that a token was logged out, for as long as it would be good."""
    return RequestKey(
        digest=digest16("token ended", session.digest),
        fingerprint=digest16("token ended"),
        expires_at_us=session.expires_at_us,
    )
