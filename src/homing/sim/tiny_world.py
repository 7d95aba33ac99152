"""What a tiny world consists of: plain values, of which equal ones are the same world. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

from homing.core.lifecycle import Delivery, Fact
from homing.core.records import Change

DISPATCHERS: Final = 2
#: places of a delivery's hands: the dispatchers, then these two
SWEEPER: Final = DISPATCHERS
PERSON: Final = DISPATCHERS + 1
ACTORS: Final = ("dispatcher A", "dispatcher B", "the sweeper", "a person")

#: safeguards that can be left out, to see what they are for
SAFEGUARDS: Final = {
    "fence": "a decision is written only over the version that it was made on",
    "atomic-settle": "a row leaves one table and enters the other in one transaction",
    "written-ahead-lease": "a delivery is leased on disk before it is sent",
    "resend-resumes": "when a manual attempt fails, the retries that were due stay due",
    "lease-expiry": "a lease that ran out can be taken by anyone",
    "level-triggered-sweep": "what is parked is looked at again and again, not once",
}


class Bounds(NamedTuple):
    """What may happen how often; everything else happens as often as it can."""

    deliveries: int = 1
    retries: int = 1  #: in the schedule: one attempt more is made
    unanswered: int = 2  #: leases in a row with no outcome before a delivery is quarantined
    mishaps: int = 1  #: crashes, answers of the database that are lost, leases given back
    acts: int = 1  #: of a person: resend, redrive, cancel, forget the payload
    changes: int = (
        1  #: of the endpoint: disabled by a person or by a 410, deleted; enabling is free
    )


class Phase(StrEnum):
    """How far somebody is with a delivery."""

    TAKEN = "taken"  #: leased, its endpoint not looked at yet
    SENT = "sent"  #: the request is out
    DECIDED = "decided"  #: knows what to write


class Endpoint(StrEnum):
    ENABLED = "enabled"
    DISABLED = "disabled"
    DELETED = "deleted"


class Hand(NamedTuple):
    """What somebody knows of a delivery between two of their steps."""

    before: Delivery
    phase: Phase
    fact: Fact | None = None
    has_payload: bool = True  #: the message was read whole when it was claimed


class Recorded(NamedTuple):
    """An attempt that is in the database."""

    lease: int
    is_heard: bool  #: by whoever made it; otherwise by the claim that found no outcome
    is_late: bool


class Tables(NamedTuple):
    """What the database remembers of one delivery."""

    hot: Delivery | None
    history: Delivery | None = None
    attempts: frozenset[Recorded] = frozenset()

    @property
    def row(self) -> Delivery | None:
        return self.hot or self.history


class Lot(NamedTuple):
    """One delivery: its rows, who is busy with it, and what a bystander would have seen."""

    tables: Tables
    hands: tuple[Hand | None, ...]
    #: leases under which a request went out that is not recorded yet
    unrecorded: frozenset[int] = frozenset()
    half: Change | None = None  #: half of a settlement, when settling is not atomic


class World(NamedTuple):
    """All there is at one moment."""

    lots: tuple[Lot, ...]
    endpoint: Endpoint
    has_payload: bool
    mishaps: int
    acts: int
    changes: int


class Write(NamedTuple):
    """A decision that met the database."""

    before: Tables
    after: Tables
    change: Change
    answer: bool  #: what the store said: written or not


class Step(NamedTuple):
    """Something that can happen next."""

    what: str
    actor: int | None  #: an index of ACTORS; None: the world
    lot: int
    after: World
    helps: bool = False  #: needs neither a mishap nor a change of mind
    write: Write | None = None


def with_lot(world: World, index: int, lot: Lot) -> World:
    lots = world.lots
    return world._replace(lots=(*lots[:index], lot, *lots[index + 1 :]))


def with_hand(world: World, index: int, who: int, hand: Hand | None) -> World:
    lot = world.lots[index]
    hands = (*lot.hands[:who], hand, *lot.hands[who + 1 :])
    return with_lot(world, index, lot._replace(hands=hands))


def with_tables(world: World, index: int, tables: Tables) -> World:
    lot = world.lots[index]
    unrecorded = lot.unrecorded
    if unrecorded and tables.attempts != lot.tables.attempts:
        unrecorded -= {attempt.lease for attempt in tables.attempts}
    return with_lot(world, index, lot._replace(tables=tables, unrecorded=unrecorded))
