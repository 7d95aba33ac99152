"""The board: who is on it, what this instance says of itself, and what others push."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any, Final

import msgspec

from homing.core.errors import (
    Conflict,
    Invalid,
    NotFound,
    Problem,
    Stale,
    Unauthenticated,
    Unavailable,
)
from homing.core.money import amounts
from homing.core.objectives import Sli
from homing.core.ports import Clock
from homing.core.queries import Page
from homing.core.signature import ED25519_ENTROPY_BYTES, generate_private_key
from homing.core.store import Store
from homing.core.urls import parse_url
from homing.insight.board.prometheus import check_queries
from homing.insight.board.standing import (
    STALE_S,
    Envelope,
    How,
    Member,
    NotBelieved,
    Promise,
    Queries,
    Replayed,
    ServiceStanding,
    believed,
    check_public_key,
    claimed_name,
    enclose,
    is_name,
    is_signed,
    one_line,
    token_place,
)
from homing.insight.board.view import Row, rows
from homing.insight.figures import exact
from homing.insight.objectives import Standing, spent_text
from homing.service.context import Service
from homing.service.desk_reading import unhandled
from homing.service.objectives import list_objectives, report
from homing.service.tokens import Caller

#: members of one organisation's board: as many as a page can be read with
MEMBERS_MAX: Final = 200
_TRIES_MAX: Final = 8


class MemberDraft(msgspec.Struct, frozen=True, kw_only=True):
    """A member as whoever adds it describes it."""

    how: How
    url: str = ""
    token: str | None = None
    public_key: str | None = None
    owner: str = ""
    stale_s: int = STALE_S
    queries: Queries | None = None


def standing_key(secret: str, org_id: str) -> str:
    """The ed25519 secret ("whsk_…") that an organisation's standings are signed with.

    Of each organisation its own, so that one tenant's standing is never taken for another's.
    """
    purpose = b"homing board standing v1 " + org_id.encode()
    seed = hmac.new(secret.encode(), purpose, hashlib.sha256).digest()
    return generate_private_key(seed[:ED25519_ENTROPY_BYTES])


# --- what this instance says of itself ---


async def own_standing(service: Service, caller: Caller) -> ServiceStanding:
    """How this instance stands, for the caller's organisation."""
    at_us = service.clock.now_us()
    standings = await report(service, caller, await list_objectives(service, caller))
    integrity = next((one for one in standings if one.unaccounted is not None), None)
    burden = await unhandled(service.store, caller.org_id)
    return ServiceStanding(
        name=service.identity.name,
        owner=one_line(service.identity.owner),
        at_us=at_us,
        promises=tuple(
            _promise(one) for one in standings if one.objective.sli is not Sli.INTEGRITY
        ),
        unaccounted=None if integrity is None else integrity.unaccounted,
        audited_at_us=None if integrity is None else integrity.audited_at_us,
        dead=burden.count,
        oldest_at_us=burden.oldest_at_us,
        money=amounts(burden.micro),
    )


async def signed_standing(service: Service, caller: Caller) -> Envelope:
    """The same, as it travels."""
    return enclose(await own_standing(service, caller), service.identity.keys(caller.org_id))


def _promise(found: Standing) -> Promise:
    objective, counts = found.objective, found.counts
    return Promise(
        name=objective.id,
        target=objective.target,
        period=one_line(objective.period),
        team=one_line(objective.team),
        left=exact(found.left, digits=6),
        because="" if found.is_met else spent_text(found),
        exhausted_in_s=None if found.exhaustion_s is None else round(float(found.exhaustion_s), 1),
        fires=any(one.fires for one in found.burning),
        # The guard of the burn-rate alerts: one bad minute in the first hour is no broken promise.
        is_few=counts.total < objective.events_min or counts.bad < objective.bad_min,
    )


# --- the board ---


async def board(service: Service, caller: Caller) -> list[Row]:
    """What the board shows now: this instance, and the members."""
    members = await list_members(service, caller)
    own = await own_standing(service, caller)
    return rows(members, own, at_us=service.clock.now_us())


async def list_members(service: Service, caller: Caller) -> list[Member]:
    """By name."""
    return await service.store.list(Member, caller.org_id, Page(limit=MEMBERS_MAX))


async def find_member(service: Service, caller: Caller, name: str) -> Member:
    """Raises: NotFound: there is none."""
    found = await service.store.get(Member, caller.org_id, name)
    if found is None:
        raise NotFound(f"there is no {name!r} on the board")
    return found


async def put_member(service: Service, caller: Caller, name: str, draft: MemberDraft) -> Member:
    """Put a service on the board, in place of the one of that name; what was known is forgotten.

    Raises:
        Invalid: a field is not as it must be.
        Conflict: there are too many.
    """
    problems = _problems(service, name, draft)
    if problems:
        raise Invalid(problems)
    at_us = service.clock.now_us()
    place = token_place(caller.org_id, name)
    for _ in range(_TRIES_MAX):
        known = await service.store.get(Member, caller.org_id, name)
        if known is None and len(await list_members(service, caller)) >= MEMBERS_MAX:
            raise Conflict(f"a board has at most {MEMBERS_MAX} members")
        after = Member(
            scope=caller.org_id,
            id=name,
            version=known.version + 1 if known else 1,
            created_at_us=known.created_at_us if known else at_us,
            updated_at_us=at_us,
            how=draft.how,
            url=draft.url.rstrip("/"),
            token=None if draft.token is None else service.seal(draft.token, place),
            public_key=draft.public_key,
            owner=draft.owner,
            stale_s=draft.stale_s,
            queries=draft.queries,
        )
        try:
            await service.store.put(after)
        except (Stale, Conflict):
            continue
        return after
    raise Unavailable("the member keeps changing; send the request again")


def _problems(service: Service, name: str, draft: MemberDraft) -> list[Problem]:
    found: list[Problem] = []

    def wrong(field: str, text: str) -> None:
        found.append(Problem(("body", field), text))

    if not is_name(name):
        text = "expected 1 to 63 lower-case letters, digits and hyphens"
        found.append(Problem(("path", "member"), text))
    if name == service.identity.name:
        text = "this instance is on its board by itself; set HOMING_NAME of the other one"
        found.append(Problem(("path", "member"), text))
    if draft.how is How.PUSH:
        if draft.url or draft.token:
            wrong("url", "expected none, nor a token, of a member that pushes")
        if draft.public_key is None:
            wrong("publicKey", "a member that pushes needs one: `homing board key` there shows it")
    else:
        try:
            if parse_url(draft.url).authorization is not None:
                wrong("url", "expected no password in it; give a token")
        except ValueError as error:
            wrong("url", str(error))
    if draft.public_key is not None:
        try:
            check_public_key(draft.public_key)
        except ValueError as error:
            wrong("publicKey", str(error))
    if (draft.queries is not None) != (draft.how is How.PROMETHEUS):
        wrong("queries", "expected of a Prometheus, and of no other member")
    elif draft.queries is not None:
        try:
            check_queries(draft.queries)
        except ValueError as error:
            wrong("queries", str(error))
    if draft.owner != one_line(draft.owner):
        wrong("owner", "expected one line of at most 256 characters")
    if draft.token is not None and not (draft.token.isascii() and draft.token.isprintable()):
        wrong("token", "expected printable ASCII")
    return found


async def remove_member(service: Service, caller: Caller, name: str) -> None:
    """Raises: NotFound: there is none."""
    await service.store.delete(await find_member(service, caller, name))


# --- what others push ---


async def take_push(service: Service, envelope: Envelope) -> None:
    """Take a standing that a member pushes; its signature says who it is.

    A refused one leaves the board as it was: anybody can send one.

    Raises:
        Unauthenticated: no board expects one that is signed with this key.
        Conflict: it is older than what is known.
        Invalid: it is signed, and not in the form that it must have.
    """
    try:
        name = claimed_name(envelope)
    except NotBelieved as error:
        raise Invalid([Problem(("body", "payload"), str(error))]) from error
    signed = [
        one
        for one in await service.store.by_ids(Member, [name])
        if one.how is How.PUSH and is_signed(envelope, one.public_key or "")
    ]
    if not signed:
        raise Unauthenticated("no board here expects a standing that is signed with this key")
    for member in signed:
        try:
            await keep(service.store, service.clock, member, envelope)
        except Replayed as error:
            raise Conflict(str(error)) from error
        except NotBelieved as error:
            raise Invalid([Problem(("body", "payload"), str(error))]) from error


async def keep(store: Store, clock: Clock, member: Member, envelope: Envelope) -> None:
    """Remember what a member says, once it is believed; the first key is the one from then on.

    Raises:
        NotBelieved: says why; nothing is changed.
    """
    for _ in range(_TRIES_MAX):
        at_us = clock.now_us()
        key = member.public_key or envelope.key
        said = believed(
            envelope,
            name=member.id,
            key=key,
            after_us=member.said.at_us if member.said else 0,
            now_us=at_us,
        )
        if await changed(store, member, at_us, said=said, public_key=key, **NO_TROUBLE):
            return
        found = await store.get(Member, member.scope, member.id)
        if found is None:
            return
        member = found
    raise Unavailable("the member keeps changing; send the request again")


NO_TROUBLE: Final[dict[str, Any]] = {"trouble": "", "trouble_since_us": None, "is_refused": False}


async def changed(store: Store, member: Member, at_us: int, **fields: Any) -> bool:
    """Write what is known of a member now; False: somebody else was first."""
    after = msgspec.structs.replace(
        member, version=member.version + 1, updated_at_us=at_us, **fields
    )
    try:
        await store.put(after)
    except (Stale, Conflict):
        return False
    return True
