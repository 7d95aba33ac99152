"""Ending tokens before their time: those of one application, all at once or some of them.

A token of an application carries the application's generation. Ending all of them raises it, so
that which tokens are meant is exact whatever the clocks of the nodes say.
"""

from __future__ import annotations

import msgspec

from homing.core.resources import Resource


class Session(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a token of an application says beside whose it is."""

    generation: int  #: of the application when the token was made
    name: str | None  #: whose session it is, in the publisher's words
    digest: bytes  #: 16 bytes; tells this token from every other
    expires_at_us: int


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens up to a generation end at a time."""

    generation: int  #: the last one that is meant
    made_at_us: int
    at_us: int  #: 0: at once, by whatever clock
    sessions: tuple[str, ...] = ()  #: the sessions that are meant; empty: all, named or not


class TokenExpiry(Resource, frozen=True, kw_only=True):
    """What was ordered for an application's tokens. Scope: the organisation; id: its own."""

    kind = "token_expiry"

    generation: int = 0  #: that tokens are made with
    orders: tuple[Order, ...] = ()


def ends(
    before: TokenExpiry, *, at_us: int, after_s: int, sessions: tuple[str, ...], longest_s: int
) -> TokenExpiry:
    """What is ordered once all tokens made so far, or those of some sessions, end as well.

    Args:
        before: as stored; its version is left alone.
        at_us: now.
        after_s: how long they are still good, seconds, >= 0.
        sessions: empty: all.
        longest_s: for how long a token is made at most, seconds. Orders that are older have
            nothing left to end, but for the latest that means all: it ends the tokens of others.
    """
    new = Order(
        generation=before.generation,
        made_at_us=at_us,
        at_us=at_us + after_s * 1_000_000 if after_s else 0,
        sessions=sessions,
    )
    orders = [*before.orders, new]
    whole = [one for one in orders if not one.sessions]
    oldest_us = at_us - longest_s * 1_000_000
    kept = [
        one
        for one in orders
        if one in whole[-1:] or (one.made_at_us >= oldest_us and not _is_covered(one, orders))
    ]
    return msgspec.structs.replace(before, generation=before.generation + 1, orders=tuple(kept))


def is_over(expiry: TokenExpiry, session: Session, *, at_us: int) -> bool:
    """Whether the token was ended."""
    return any(
        at_us >= one.at_us
        and session.generation <= one.generation
        and (not one.sessions or session.name in one.sessions)
        for one in expiry.orders
    )


def _is_covered(order: Order, orders: list[Order]) -> bool:
    """Whether another ends all that this one ends, and no later."""
    return any(
        other is not order
        and other.generation >= order.generation
        and other.at_us <= order.at_us
        and (not other.sessions or (order.sessions and set(order.sessions) <= set(other.sessions)))
        for other in orders
    )
