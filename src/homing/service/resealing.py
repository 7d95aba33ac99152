"""Brings what is sealed under the present secret, so that a previous one can be forgotten."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

import msgspec

from homing.core.errors import Stale, Unavailable
from homing.core.ports import Chance, Clock
from homing.core.queries import Page
from homing.core.resources import Endpoint, Secret
from homing.core.sealing import (
    NONCE_BYTES,
    CannotOpen,
    Sealed,
    Seals,
    header_place,
    secret_place,
)
from homing.core.store import Resources
from homing.insight.board.standing import Member, token_place

_PAGE: Final = 500
_MEMBERS_MAX: Final = 10_000
#: an endpoint that somebody edits at the same moment is read again this often
_TRIES_MAX: Final = 8


class Sealing(msgspec.Struct, kw_only=True):
    """Under which secret the endpoints' secrets and headers are sealed."""

    present: int = 0  #: endpoints that are wholly under HOMING_SECRET
    previous: list[str] = []  #: ids of those with something under HOMING_SECRET_PREVIOUS
    lost: list[str] = []  #: ids of those with something that none of them opens


async def survey(store: Resources, seals: Seals) -> Sealing:
    """How every endpoint is sealed; nothing is changed."""
    found = Sealing()
    async for endpoint in _every_endpoint(store):
        if not _opens(endpoint, seals):
            found.lost.append(endpoint.id)
        elif all(seals.is_present(sealed) for sealed, _ in _sealed(endpoint)):
            found.present += 1
        else:
            found.previous.append(endpoint.id)
    return found


async def reseal(store: Resources, clock: Clock, chance: Chance, seals: Seals) -> Sealing:
    """Seal under the present secret what is under a previous one; beside a running service.

    Returns:
        How it was before: all of `previous` is `present` now, what is `lost` is as it was.

    Raises:
        Unavailable: somebody else kept changing an endpoint; run it again.
    """
    found = await survey(store, seals)
    for endpoint_id in found.previous:
        await _reseal_one(store, clock, chance, seals, endpoint_id)
    return found


async def reseal_members(store: Resources, clock: Clock, chance: Chance, seals: Seals) -> Sealing:
    """The same for the tokens of those who are on boards; a member is named by its id."""
    found = Sealing()
    for member in await store.list(Member, None, Page(limit=_MEMBERS_MAX)):
        if member.token is None:
            continue
        if seals.is_present(member.token):
            found.present += 1
            continue
        place = token_place(member.scope, member.id)
        try:
            token = seals.open(member.token, place)
        except CannotOpen:
            found.lost.append(member.id)
            continue
        after = msgspec.structs.replace(
            member,
            token=seals.seal(token, place, nonce=chance.entropy(NONCE_BYTES)),
            version=member.version + 1,
            updated_at_us=clock.now_us(),
        )
        try:
            await store.put(after)
        except Stale:  # it was asked just now
            raise Unavailable(f"somebody keeps changing {member.id}; run it again") from None
        found.previous.append(member.id)
    return found


async def _reseal_one(
    store: Resources, clock: Clock, chance: Chance, seals: Seals, endpoint_id: str
) -> None:
    for _ in range(_TRIES_MAX):
        endpoints = await store.by_ids(Endpoint, [endpoint_id])
        if not endpoints:
            return
        try:
            after = _resealed(endpoints[0], clock.now_us(), chance, seals)
            await store.put(after, touch=after.scope)
        except Stale:
            continue
        return
    raise Unavailable(f"somebody keeps changing {endpoint_id}; run it again")


def _resealed(endpoint: Endpoint, at_us: int, chance: Chance, seals: Seals) -> Endpoint:
    def anew(sealed: Sealed, place: str) -> Sealed:
        return seals.seal(seals.open(sealed, place), place, nonce=chance.entropy(NONCE_BYTES))

    place = secret_place(endpoint.id)
    return msgspec.structs.replace(
        endpoint,
        secrets=tuple(
            Secret(key=anew(one.key, place), expires_at_us=one.expires_at_us)
            for one in endpoint.secrets
        ),
        headers={
            name: anew(sealed, header_place(endpoint.id, name))
            for name, sealed in endpoint.headers.items()
        },
        version=endpoint.version + 1,
        updated_at_us=at_us,
    )


def _sealed(endpoint: Endpoint) -> list[tuple[Sealed, str]]:
    """Everything of an endpoint that is sealed, each with its place."""
    secrets = [(secret.key, secret_place(endpoint.id)) for secret in endpoint.secrets]
    headers = [
        (sealed, header_place(endpoint.id, name)) for name, sealed in endpoint.headers.items()
    ]
    return secrets + headers


def _opens(endpoint: Endpoint, seals: Seals) -> bool:
    try:
        for sealed, place in _sealed(endpoint):
            seals.open(sealed, place)
    except CannotOpen:
        return False
    return True


async def _every_endpoint(store: Resources) -> AsyncIterator[Endpoint]:
    page = Page(limit=_PAGE)
    while True:
        endpoints = await store.list(Endpoint, None, page)
        for endpoint in endpoints:
            yield endpoint
        if len(endpoints) < page.limit:
            return
        page = Page(limit=_PAGE, after=endpoints[-1].id)
