"""How large worlds are, and what comes of one."""

from __future__ import annotations

from typing import Final, Protocol

import msgspec

from homing.core.identifiers import DeliveryId
from homing.insight.evidence import Breach, Sent
from homing.sim.draws import Choices, Turns
from homing.sim.goals import Goal
from homing.sim.trace import Event


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """How large worlds are; each number is drawn up to here."""

    nodes: int = 5
    endpoints: int = 10
    messages: int = 80
    acts: int = 10  #: of people
    mishaps: int = 6  #: of processes and the database
    #: how likely the levels of trouble are: none, some, much
    trouble: tuple[float, ...] = (1.0, 4.0, 3.0)


#: for finding what a missing safeguard loses, and showing it
TINY: Final = Shape(nodes=3, endpoints=2, messages=6, acts=8, mishaps=4, trouble=(0, 1.0, 1.0))


class Result(msgspec.Struct, kw_only=True):
    """What came of one world."""

    seed: int
    breaches: list[Breach] = []
    goals: dict[Goal, int] = {}
    deliveries: int = 0
    attempts: int = 0
    crashes: int = 0
    overlaps: int = 0
    commits: int = 0
    steps: int = 0
    virtual_s: float = 0.0
    duplicates: int = 0  #: requests that a receiver answered 2xx and had answered 2xx before
    choices: Choices = {}
    turns: Turns = {}
    events: list[Event] = []
    digest: str = ""
    names: dict[str, str] = {}  #: short names of messages and endpoints, where events are kept


class Requester(Protocol):
    """The process that made a request."""

    holder: str
    is_dead: bool
    gave_up: bool  #: it ended with outcomes unwritten, and said so


class SentHere:
    """One request, as it is remembered while the world runs."""

    __slots__ = ("epoch", "is_seen", "node", "status", "which")

    def __init__(self, which: DeliveryId, node: Requester, epoch: int, status: int | None) -> None:
        self.which = which
        self.node = node
        self.epoch = epoch
        self.status = status
        self.is_seen = False

    def as_seen(self) -> Sent:
        """As its receiver saw it."""
        is_alive = not self.node.is_dead and not self.node.gave_up
        return Sent(
            delivery=self.which,
            holder=self.node.holder,
            epoch=self.epoch,
            status=self.status,
            answered=self.is_seen and is_alive,
        )
