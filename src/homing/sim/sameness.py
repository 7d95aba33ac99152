"""When two tiny worlds are the same: what keeps the number of states small, and loses none."""

from __future__ import annotations

from functools import cache

import msgspec

from homing.core.lifecycle import Delivery
from homing.sim.tiny_world import DISPATCHERS, Hand, Lot, Tables, World


def canonical(world: World) -> tuple[World, bool]:
    """The same for worlds of which the same can be said from now on; whether A and B changed roles.

    It does not matter which dispatcher is which; how high a version or a lease has become, only
    which are equal and which follow each other; which attempts are recorded that nobody can ask
    for again; the words of errors; nor what a decision was made on that is bound to be refused.
    """
    lots = tuple([_canonical(lot) for lot in world.lots])
    first, second = ([_key(lot.hands[who]) for lot in lots] for who in range(DISPATCHERS))
    swapped = second < first
    if swapped:
        lots = tuple(
            lot._replace(hands=(lot.hands[1], lot.hands[0], *lot.hands[DISPATCHERS:]))
            for lot in lots
        )
    return world._replace(lots=lots), swapped


def _key(hand: Hand | None) -> tuple[int, str, str, bool]:
    # A version is one row of the past, so these say all that a hand does.
    if hand is None:
        return (-1, "", "", False)
    return (hand.before.version, hand.phase, type(hand.fact).__name__, hand.has_payload)


def _canonical(lot: Lot) -> Lot:
    row = lot.tables.row
    if row is None:
        return lot
    hands = [hand for hand in lot.hands if hand is not None]
    versions = _closed_up({row.version, *(hand.before.version for hand in hands)}, first=1)
    # A person and the sweeper made no attempt that they could be asked about.
    held = {hand.before.leases for hand in lot.hands[:DISPATCHERS] if hand is not None}
    leases = _closed_up(
        {row.leases, *(hand.before.leases for hand in hands), *lot.unrecorded}, first=0
    )
    present = _plain(row, versions[row.version], leases[row.leases])
    return Lot(
        tables=Tables(
            present if lot.tables.hot is not None else None,
            present if lot.tables.history is not None else None,
            frozenset(
                [
                    one._replace(lease=leases[one.lease])
                    for one in lot.tables.attempts
                    if one.lease in held
                ]
            ),
        ),
        hands=tuple(
            [
                hand
                and hand._replace(
                    before=_seen(
                        hand.before,
                        versions[hand.before.version],
                        leases[hand.before.leases],
                        present.version,
                    )
                )
                for hand in lot.hands
            ]
        ),
        unrecorded=frozenset([leases[lease] for lease in lot.unrecorded]),
        half=lot.half,
    )


def _closed_up(numbers: set[int], *, first: int) -> dict[int, int]:
    """Other numbers for these: neighbours stay neighbours, wider gaps shrink to one step of two."""
    names: dict[int, int] = {}
    name = before = 0
    for number in sorted(numbers):
        name = name + min(number - before, 2) if names else first
        names[number] = name
        before = number
    return names


@cache
def _plain(row: Delivery, version: int, leases: int) -> Delivery:
    plain: Delivery = msgspec.structs.replace(
        row, version=version, leases=leases, first_error=None, last_error=None
    )
    return plain


@cache
def _seen(before: Delivery, version: int, leases: int, present: int) -> Delivery:
    """What is left of a row that somebody has seen, now that the row has version `present`."""
    if version >= present - 1:
        return _plain(before, version, leases)
    return Delivery(
        message_id=before.message_id,
        endpoint_id=before.endpoint_id,
        app_id=before.app_id,
        state=before.state,
        accepted_at_us=before.accepted_at_us,
        version=version,
        leases=leases,
        ready_at_us=0,
        finished_at_us=0,
    )
