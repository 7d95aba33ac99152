"""What the parts of a world know of each other: each sees the world, and no part sees another.

`World` puts them together, so it alone imports them all.
"""

from __future__ import annotations

from typing import NoReturn, Protocol

from homing.core.identifiers import DeliveryId
from homing.dispatch.loop import DispatchLimits
from homing.insight.evidence import Breach
from homing.sim.draws import Draws, SimChance
from homing.sim.goals import Goal
from homing.sim.loop import VirtualLoop
from homing.sim.receivers import Answer
from homing.sim.result import SentHere
from homing.sim.trace import Trace
from homing.store.memory.store import MemoryStore


class Process(Protocol):
    """One simulated process, to those that act for it or upon it."""

    name: str  #: of its machine
    holder: str  #: names this process among all that ever ran
    is_dead: bool
    is_stuck: bool  #: dead, or standing still
    gave_up: bool  #: it ended with outcomes unwritten, and said so

    def note(self, what: str, kind: str, which: DeliveryId | None = None) -> None:
        """Something for the trace."""
        ...

    async def wait_until_running(self) -> None:
        """Return when it is neither dead nor standing still; never, if it is dead."""
        ...

    async def crash(self, why: str, which: DeliveryId | None = None) -> NoReturn:
        """As `kill -9`, for the task that is at it: never returns."""
        ...


class CommitWatch(Protocol):
    """Looks at the database after every commit."""

    def committed(self, node: Process, name: str, result: object = None) -> None:
        """`node` has just done `name`, or somebody has before."""
        ...


class Surroundings(Protocol):
    """The world, to the parts that are in it."""

    loop: VirtualLoop
    draws: Draws
    chance: SimChance
    limits: DispatchLimits
    store: MemoryStore
    trace: Trace
    counts: dict[str, int]  #: calls to the database so far, by who made them and which
    sending: dict[DeliveryId, dict[tuple[str, int], Process]]  #: by holder and attempt
    overlaps: int
    away_until_s: float  #: the database answers nobody before
    has_tasks: bool  #: somebody has asked for work in the background
    write_weights: tuple[float, ...]
    read_weights: tuple[float, ...]

    @property
    def watch(self) -> CommitWatch: ...

    def met(self, goal: Goal) -> None:
        """A goal was reached."""
        ...

    def broke(self, breach: Breach) -> None:
        """An invariant does not hold."""
        ...

    def went_wrong(self, text: str) -> None:
        """An error that nobody was to make."""
        ...

    def answer_of(self, which: DeliveryId, epoch: int) -> Answer:
        """How this attempt will go."""
        ...

    def receive(self, node: Process, which: DeliveryId, epoch: int, answer: Answer) -> SentHere:
        """A request arrives at its receiver."""
        ...
