"""One world: somebody's workers, their store, their receivers; its time and order are a seed's."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, Final, Protocol

import msgspec

from homing.sim.draws import Choices, Order, Turns, cumulative
from homing.sim.loop import Deadlock, Livelock
from homing.sim.workers.case import (
    RESTART_S,
    Case,
)
from homing.sim.workers.loading import (
    NotExplorable,
    must_be_awaited,
    told,
    unusable,
)
from homing.sim.workers.process import Process
from homing.sim.workers.quiet import quiet
from homing.sim.workers.surroundings import Rows, Surroundings, ring
from homing.sim.workers.trace import EPOCH_S, Event
from homing.sim.workers.watch import Breach

LETTERS: Final = "ABCD"
FRESH: Final = "Z"  #: a worker that is started when faults have stopped
#: how long nothing must have moved until what is open is given up: so many times the longest wait
#: that was seen, and so many seconds
_PATIENCE: Final = (2.0, 60.0)
#: how often a publisher asks again before it gives up
_ASKS_MAX: Final = 6
_GAPS_S: Final = (0.0, 0.05, 1.0, 30.0)
_GAP_WEIGHTS: Final = cumulative(6, 2, 1, 1)


class Backend(Rows, Protocol):
    """What the workers of one world keep their rows in."""

    def open(self, process: Process) -> Any:
        """What a worker of that process gets as its first argument."""
        ...

    def expect(self, delivery: str) -> None:
        """There will be such a delivery."""
        ...

    def insert(self, delivery: str, now: float) -> None:
        """Accept a delivery, where the worker does not say how."""
        ...

    def drop(self, process: Process) -> None:
        """The process is gone: what it left open is undone."""
        ...

    def close(self) -> None:
        """The world has ended."""
        ...


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one world."""

    seed: int
    breaches: tuple[Breach, ...]
    choices: Choices
    turns: Turns
    steps: int
    calls: int
    sent: int
    taken: int  #: requests answered 2xx
    settled: int  #: deliveries at an end
    processes: int
    virtual_s: float
    met: dict[str, int]
    waits: dict[float, int]  #: for how many seconds a worker slept, and how often
    plans: dict[float, int]  #: how many seconds ahead a worker planned something
    died_of: str  #: the first error that a worker let through
    events: list[Event] = []
    states: dict[str, str | None] = {}


class World(Surroundings):
    """One run, from beginning to end.

    Args:
        case: everything but the seed.
        make: makes a worker.
        backend: an empty store, of this world alone.
        choices: None: draw; otherwise what happens, calm where nothing is said.
        is_traced: keep the events.
    """

    def __init__(
        self,
        case: Case,
        make: Any,
        backend: Backend,
        seed: int,
        *,
        order: Order | None = None,
        choices: Choices | None = None,
        is_traced: bool = False,
    ) -> None:
        super().__init__(case, backend, seed, order=order, choices=choices, is_traced=is_traced)
        self.backend = backend
        self.died_of = ""
        self._make = make
        self._processes: list[Process] = []
        self._asking = 0

    # --- running ---

    def run(self) -> Result:
        """To its end.

        Raises:
            Invalid: this worker cannot be explored.
        """
        try:
            with quiet(self.hears):
                self.loop.run(self._main())
        except NotExplorable as error:
            raise unusable(str(error)) from None
        except Livelock:  # it may still come to its end: that is no loss
            self.met["endless"] += 1
        except Deadlock:
            self.watch.at_rest()
        finally:
            for process in self._processes:  # whatever still runs while it is let go of
                process.is_dead = True
            with suppress(Exception):
                self.backend.close()
        watch = self.watch
        return Result(
            seed=self.seed,
            breaches=tuple(watch.breaches),
            choices=self.draws.made,
            turns=self.order.turns,
            steps=self.loop.steps,
            calls=self.calls,
            sent=self.sent,
            taken=self.taken,
            settled=sum(watch.is_settled(name) for name in watch.deliveries),
            processes=len(self._processes),
            virtual_s=self.loop.now_s,
            met=dict(self.met),
            waits=dict(self.waits),
            plans=dict(self.plans),
            died_of=self.died_of,
            events=self.events,
            states={name: watch.state(name) for name in watch.deliveries},
        )

    async def _main(self) -> None:
        for letter in LETTERS[: self.case.workers]:
            self._start(letter, 1)
        for number in range(1, self.case.deliveries + 1):
            self._publish(f"d{number}", number)
        await self._until_quiet()
        if self.is_broken:
            return
        self.draws.stop_faults()
        self.mishaps_left = 0
        if self.watch.open_ones:
            self.note("world", "calm", "faults have stopped; a fresh worker starts", "")
            self.active_s = self.loop.now_s
            self._start(FRESH, 1)
            await self._until_quiet()
        if not self.watch.open_ones:
            await self._linger()
        self.sync("", "world")
        if not self.is_broken:
            self.watch.at_rest()

    @property
    def patience_s(self) -> float:
        """How long nothing must move until nothing will."""
        times, plus = _PATIENCE
        return times * max(self.longest_s, self.case.timeout_s) + plus

    async def _until_quiet(self) -> None:
        """Until everything is settled, something is broken, or nothing moves any more."""
        while not self.is_broken and (self._asking or self.watch.open_ones):
            left_s = self.active_s + self.patience_s - self.loop.now_s
            if left_s <= 1e-6:
                return
            await self._wait(left_s)

    async def _linger(self) -> None:
        """Until whoever still had something in hand has come round once."""
        until_s = self.wake_s
        while not self.is_broken:
            is_busy = any(p.busy for p in self._processes if not p.is_dead)
            if not is_busy and self.loop.now_s > until_s:
                return
            await self._wait(max(until_s - self.loop.now_s, 0.0) + 0.5)

    async def _wait(self, most_s: float) -> None:
        self.alarm = alarm = self.loop.create_future()
        timer = self.loop.call_later(most_s, ring, alarm)
        await alarm
        timer.cancel()
        self.alarm = None

    # --- workers and publishers ---

    def _process(self, letter: str, life: int) -> Process:
        process = Process(self, letter, life, drop=self.backend.drop, restart=self._restart)
        self._processes.append(process)
        return process

    def _start(self, letter: str, life: int) -> None:
        process = self._process(letter, life)
        if life > 1:
            self.note(process.name, "start", "is started again", "")
        self.loop.create_task(self._live(process), name=process.name)

    async def _live(self, process: Process) -> None:
        try:
            worker = self._make(self.backend.open(process), process, process, process, process.name)
            await must_be_awaited(worker.run(), "run")
            what = "returns from run"
        except (Exception, SystemExit) as error:
            what = f"dies of {type(error).__name__}: {error}"
            if not isinstance(error, ConnectionError):  # ours, most likely
                self.died_of = self.died_of or f"dies of {told(error)}"
        if not process.is_dead:
            process.end()
            self.note(process.name, "end", what, "", is_mishap=True)
            self._restart(process)

    def _restart(self, process: Process) -> None:
        """Somebody starts it again, a little later."""
        if process.letter.startswith("P"):
            return
        self.loop.call_later(RESTART_S, self._start, process.letter, process.life + 1)

    def _publish(self, delivery: str, number: int) -> None:
        self.watch.open(delivery)
        self.backend.expect(delivery)
        gap_s = self.draws.user("publisher.gap", number, _GAPS_S, _GAP_WEIGHTS)
        if hasattr(self._make, "accept"):
            self._asking += 1
            self.loop.create_task(self._ask(delivery, f"P{number}", gap_s), name=f"P{number}")
        elif gap_s:
            self._asking += 1
            self.loop.call_later(gap_s, self._insert, delivery)
        else:
            self._asking += 1
            self._insert(delivery)

    def _insert(self, delivery: str) -> None:
        self._asking -= 1
        self.backend.insert(delivery, EPOCH_S + self.loop.now_s)
        self.sync("", "publisher")
        self._accept(delivery)

    def _accept(self, delivery: str) -> None:
        self.watch.accepted(delivery)
        self.note("publisher", "accepted", f"{delivery} is accepted", delivery)
        self.moved()

    async def _ask(self, delivery: str, letter: str, gap_s: float) -> None:
        """The worker's own way of accepting; whoever gets no answer asks again."""
        await asyncio.sleep(gap_s)
        for life in range(1, _ASKS_MAX + 1):
            process = self._process(letter, life)
            over = self.loop.create_future()
            self.loop.create_task(self._accept_once(process, delivery, over), name=letter)
            while not over.done() and not process.is_dead:
                await asyncio.sleep(RESTART_S)
            if over.done() and over.result():
                break
            if not process.is_dead:
                process.end()
        self._asking -= 1
        self.moved()

    async def _accept_once(
        self, process: Process, delivery: str, over: asyncio.Future[bool]
    ) -> None:
        try:
            worker = self._make(self.backend.open(process), process, process, process, process.name)
            await must_be_awaited(worker.accept(delivery), "accept")
        except (Exception, SystemExit) as error:
            what = f"is told that {delivery} was not accepted: {type(error).__name__}: {error}"
            if not isinstance(error, ConnectionError):
                self.died_of = self.died_of or f"fails to accept by {told(error)}"
            self.note(process.name, "end", what, delivery, is_mishap=True)
            over.set_result(False)
            return
        if not process.is_dead:
            over.set_result(True)
            self._accept(delivery)
