"""One simulated process: the production parts, over a database and a network that can fail."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, NoReturn, cast

from homing.core.identifiers import DeliveryId
from homing.core.journal import Journal
from homing.core.retry import RetryPolicy
from homing.core.sealing import Seals
from homing.core.store import Store
from homing.dispatch.health import HealthKeeper
from homing.dispatch.loop import Dispatcher, DispatchLimits
from homing.dispatch.sweeper import Sweeper
from homing.service.context import Service
from homing.service.intake import Intake
from homing.service.task_runner import TaskRunner
from homing.service.tokens import Tokens
from homing.sim.fault_injection import FaultySender, FaultyStore
from homing.sim.loop import VirtualLoop
from homing.sim.ports import Surroundings
from homing.sim.receivers import label_of
from homing.sim.trace import Event
from homing.store.memory.store import MemoryStore

#: 2026-01-01T00:00:00Z
START_US: Final = 1_767_225_600_000_000

#: the production rules with shorter spans, so that a minute holds a whole life
LIMITS: Final = DispatchLimits(
    sends_max=80,
    lease_s=12.0,
    request_total_s=5.0,
    poll_s=5.0,
    unanswered_max=3,
    policy=RetryPolicy(delays_s=(1.0, 4.0, 10.0), retry_after_max_s=30.0),
)
#: how often a process looks for what is parked, and for tasks: about as often as for what is due
_SWEEP_S: Final = 6.0
_TASKS_POLL_S: Final = 8.0
#: an endpoint that does nothing but fail for this long is disabled
_DISABLE_AFTER_S: Final = 40.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a simulated process is made of: production's own, unless a safeguard is taken out."""

    store: type[MemoryStore] = MemoryStore
    faulty_store: type[FaultyStore] = FaultyStore
    dispatcher: type[Dispatcher] = Dispatcher
    intake: type[Intake] = Intake
    sweeper: type[Sweeper] = Sweeper
    #: the pen that people's wishes are written with
    journal: type[Journal] = Journal
    limits: DispatchLimits = LIMITS
    #: days are minutes in here: finished rows older than this are cleaned away; 0: never
    keep_s: float = 0.0
    #: whether the clean-up also takes what is not finished
    cleans_unfinished: bool = False
    #: whether parked deliveries are resumed by whoever enables an endpoint, then and never else
    sweeps_on_enable: bool = False


@cache
def _keys() -> tuple[Tokens, Seals]:
    """Made once: deriving keys takes longer than a small world."""
    return Tokens("a secret of the simulation"), Seals("a secret of the simulation")


class SimClock:
    """A machine's clocks: the wall clock is off by some seconds, and jumps."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self.offset_us = START_US

    def now_us(self) -> int:
        return self.offset_us + self._loop.now_us

    def mono_us(self) -> int:
        return self._loop.now_us


class Node:
    """A process from its start to its crash or its end.

    Args:
        crashed: told when it dies.
        name: of the machine; its clock outlives the process.
        life: how many processes this machine had, this one included.
    """

    def __init__(
        self,
        world: Surroundings,
        parts: Parts,
        name: str,
        life: int,
        clock: SimClock,
        crashed: Callable[[Node], None],
    ) -> None:
        self.world = world
        self.name = name
        self.life = life
        self.holder = f"{name}{life}"
        self.clock = clock
        self.is_dead = False
        self.is_stuck = False  #: dead, or standing still
        self.gave_up = False  #: it ended with outcomes unwritten, and said so
        self._crashed = crashed
        self._waiting: list[asyncio.Future[None]] = []
        store = cast(Store, parts.faulty_store(world, self))
        self.journal = Journal(clock, self.holder)
        self.health = HealthKeeper(store, clock, disable_after_s=_DISABLE_AFTER_S)
        self.dispatcher = parts.dispatcher(
            store,
            FaultySender(world, self),
            world.chance,
            self.journal,
            label_of,
            limits=world.limits,
            health=self.health,
        )
        self.intake = parts.intake(
            store,
            world.chance,
            self.journal,
            dispatcher=self.dispatcher,
            lease_s=world.limits.lease_s,
        )
        self.sweeper = parts.sweeper(store, self.journal, self.dispatcher, sweep_s=_SWEEP_S)
        tokens, seals = _keys()
        self.service = Service(
            store=store,
            clock=clock,
            chance=world.chance,
            intake=self.intake,
            journal=self.journal if parts.journal is Journal else parts.journal(clock, self.holder),
            tokens=tokens,
            seals=seals,
            wake=self.dispatcher.wake,
        )
        self.task_runner = TaskRunner(
            self.service, rate_per_s=500.0, keep_s=1e6, poll_s=_TASKS_POLL_S
        )
        self._does_tasks = False
        self._tasks: list[asyncio.Task[Any]] = []

    def start(self) -> None:
        """Begin to dispatch, to sweep and to watch over endpoints."""
        for work in (self.dispatcher.run(), self.sweeper.run(), self.health.run()):
            self._run(work)
        if self.world.has_tasks:
            self.do_tasks()

    def do_tasks(self) -> None:
        """Begin to do background tasks; looking for them where there are none costs time."""
        if not self._does_tasks:
            self._does_tasks = True
            self._run(self.task_runner.run())

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        task.add_done_callback(self._look_at)
        self._tasks.append(task)

    def note(self, what: str, kind: str, which: DeliveryId | None = None) -> None:
        """Something for the trace."""
        trace = self.world.trace
        if trace.is_on:
            trace.events.append(
                Event(
                    at_s=self.world.loop.now_s,
                    lane=self.holder,
                    what=what,
                    kind=kind,
                    delivery=which,
                )
            )

    async def wait_until_running(self) -> None:
        """Return when it is neither dead nor standing still; never, if it is dead."""
        while self.is_stuck:
            self._waiting.append(self.world.loop.create_future())
            await self._waiting[-1]

    def stand_still(self, seconds: float) -> None:
        """As after SIGSTOP, or in a long collection of garbage: no call begins or ends."""
        self.is_stuck = True
        self.world.loop.call_later(seconds, self.wake_up)

    def wake_up(self) -> None:
        """Go on, unless it is dead."""
        if self.is_dead:
            return
        self.is_stuck = False
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def kill(self, why: str, which: DeliveryId | None = None) -> None:
        """As `kill -9`: nothing that it began goes on."""
        if not self.is_dead:
            self.is_dead = self.is_stuck = True
            self.note(f"crashes {why}", "crash", which)
            self._crashed(self)

    async def crash(self, why: str, which: DeliveryId | None = None) -> NoReturn:
        """`kill`, for the task that is at it: never returns."""
        self.kill(why, which)
        await self.world.loop.create_future()
        raise AssertionError("a crashed process went on")

    async def leave(self, within_s: float) -> bool:
        """Drain, as on SIGTERM; whether everything was finished and written."""
        finished = await self.dispatcher.drain(within_s)
        self.gave_up = not finished
        for task in self._tasks:
            task.cancel()
        await asyncio.sleep(0.0)
        return finished

    def _look_at(self, task: asyncio.Task[Any]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self.world.went_wrong(f"a part of {self.holder} failed: {task.exception()!r}")
