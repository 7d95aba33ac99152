"""What is done to Homing, and when: drawn from a seed before anything runs. Pure."""

from __future__ import annotations

import random
from collections.abc import Sequence
from enum import StrEnum

import msgspec


class Kind(StrEnum):
    """A fault."""

    KILL = "kill"  #: a node gets SIGKILL and is started again
    PAUSE = "pause"  #: a node gets SIGSTOP, and SIGCONT when its leases have run out
    CUT_DATABASE = "cut-database"  #: no packet passes between a node and the database
    CUT_RECEIVERS = "cut-receivers"  #: no packet passes between a node and the receivers
    SKEW = "skew"  #: a running node's wall clock jumps by a minute, and back
    RESTART = "restart"  #: PostgreSQL ends its sessions and restarts
    CRASH = "crash"  #: PostgreSQL's processes get SIGKILL, all of them, and it starts again
    FAILOVER = "failover"  #: the primary is killed or cut off; its standby is promoted


OF_DATABASE = frozenset({Kind.RESTART, Kind.CRASH, Kind.FAILOVER})
OF_NETWORK = frozenset({Kind.CUT_DATABASE, Kind.CUT_RECEIVERS})
#: what can be done where there is one file and no server
ON_SQLITE = (Kind.KILL, Kind.PAUSE, Kind.CUT_RECEIVERS, Kind.SKEW)

#: a lease, in these runs, seconds; `bench.chaos.run` sets it
LEASE_S = 11.5
SKEW_S = 60

#: how long each lasts, seconds: from, to
_LASTS_S: dict[Kind, tuple[float, float]] = {
    Kind.KILL: (0.0, 1.0),
    Kind.PAUSE: (LEASE_S + 1, LEASE_S + 4),
    Kind.CUT_DATABASE: (3.0, 15.0),
    Kind.CUT_RECEIVERS: (3.0, 12.0),
    Kind.SKEW: (5.0, 15.0),
    Kind.RESTART: (0.0, 1.0),
    Kind.CRASH: (0.0, 1.0),
    Kind.FAILOVER: (1.0, 3.0),  # until the standby is promoted
}


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One fault, in seconds since the load began."""

    kind: Kind
    at_s: float
    lasts_s: float
    #: which node, from 0; -1: the database
    node: int
    #: in [0, 1): decides what the kind leaves open, such as which way a clock jumps
    chance: float

    @property
    def until_s(self) -> float:
        return self.at_s + self.lasts_s

    @property
    def place(self) -> str:
        return "database" if self.node < 0 else f"node-{self.node + 1}"


def make_plan(
    kinds: Sequence[Kind], *, seed: int, nodes: int, duration_s: float, every_s: float
) -> list[Fault]:
    """Faults in the order in which they begin; each kind once before any comes again.

    Several may be under way at once, on different nodes; of those of the database, one.

    Args:
        duration_s: no fault begins later; one may end later.
        every_s: from the beginning of one to the beginning of the next, on average.
    """
    chance = random.Random(seed)
    plan: list[Fault] = []
    at_s = every_s * chance.uniform(0.5, 1.0)
    bag: list[Kind] = []
    while at_s < duration_s and kinds:
        if not bag:
            bag = list(kinds)
            chance.shuffle(bag)
        kind = bag.pop()
        node = -1 if kind in OF_DATABASE else chance.randrange(nodes)
        free_s = max((f.until_s for f in plan if f.node == node), default=0.0) + 1.0
        begin_s = max(at_s, free_s)
        if begin_s < duration_s:
            plan.append(
                Fault(
                    kind=kind,
                    at_s=round(begin_s, 2),
                    lasts_s=round(chance.uniform(*_LASTS_S[kind]), 2),
                    node=node,
                    chance=chance.random(),
                )
            )
        at_s += every_s * chance.uniform(0.5, 1.5)
    return sorted(plan, key=lambda fault: fault.at_s)
