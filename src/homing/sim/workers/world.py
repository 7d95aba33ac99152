"""One world: somebody's workers, their store, their receivers; its time and order are a seed's."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final, Protocol

import msgspec

from homing.sim.draws import AtRandom, Choices, Draws, Order, SimChance, Turns, cumulative
from homing.sim.loop import Deadlock, Livelock, VirtualLoop
from homing.sim.workers.case import (
    RESTART_S,
    Answer,
    Case,
    answer_weights,
    read_mishaps,
    read_weights,
    write_mishaps,
    write_weights,
)
from homing.sim.workers.loading import where
from homing.sim.workers.process import Process
from homing.sim.workers.trace import EPOCH_S, Event
from homing.sim.workers.watch import Breach, Watch

LETTERS: Final = "ABCD"
FRESH: Final = "Z"  #: a worker that is started when faults have stopped
#: how long nothing must have moved until what is open is given up: so many times the longest wait
#: that was seen, and so many seconds
_PATIENCE: Final = (2.0, 60.0)
_LONGEST_MAX_S: Final = 86_400.0
#: answers other than a quick 200 to one delivery
_BAD_ANSWERS_MAX: Final = 7
#: how often a publisher asks again before it gives up
_ASKS_MAX: Final = 6
#: how much trouble there is, in percent of the calls, and how many mishaps at most
_TROUBLE: Final = ((0.0, 0), (4.0, 1), (8.0, 2), (15.0, 2), (8.0, 4), (25.0, 4))
_GAPS_S: Final = (0.0, 0.05, 1.0, 30.0)
_GAP_WEIGHTS: Final = cumulative(6, 2, 1, 1)


class Backend(Protocol):
    """What the workers of one world keep their rows in."""

    def open(self, process: Process) -> Any:
        """What a worker of that process gets as its first argument."""
        ...

    def expect(self, delivery: str) -> None:
        """There will be such a delivery."""
        ...

    def states(self) -> Mapping[str, str | None]:
        """The state of each expected delivery as anybody would read it now; None: no row."""
        ...

    def insert(self, delivery: str, now: float) -> None:
        """Accept a delivery, where the worker does not say how."""
        ...

    def row(self, delivery: str) -> str:
        """What else is in its row, in a few words."""
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


class World:
    """One run.

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
        backend: Any,
        seed: int,
        *,
        order: Order | None = None,
        choices: Choices | None = None,
        is_traced: bool = False,
    ) -> None:
        self.case = case
        self.seed = seed
        self.is_traced = is_traced
        self.order = order or AtRandom(seed)
        self.loop = VirtualLoop(self.order)  # type: ignore[abstract]
        self.draws = Draws(seed, choices)
        self.chance = SimChance(seed)
        self.watch = Watch(case.ends)
        self.met: Counter[str] = Counter()
        self.events: list[Event] = []
        self.calls = self.sent = self.taken = 0
        self.changes = 0  #: how often anything changed
        self.longest_s = 1.0
        self.died_of = ""
        self._make = make
        self._processes: list[Process] = []
        self._waits: Counter[float] = Counter()
        self._plans: Counter[float] = Counter()
        self._wake_s = 0.0
        self._active_s = 0.0
        self._asking = 0
        self._bad_answers: dict[str, int] = {}
        self._sending: Counter[str] = Counter()
        self._flying: dict[str, set[str]] = {}
        self._alarm: asyncio.Future[None] | None = None
        self._changed: list[asyncio.Future[None]] = []
        self.backend: Backend = backend
        self._set_trouble(is_given=choices is not None)

    def _set_trouble(self, *, is_given: bool) -> None:
        percent, most = _TROUBLE[self.seed % len(_TROUBLE)]
        delays = self.case.delays_s
        self.write_mishaps = write_mishaps(delays)
        self.read_mishaps = read_mishaps(delays)
        self.write_weights = write_weights(len(delays), percent)
        self.read_weights = read_weights(len(delays), percent * 0.4)
        self.answer_weights = answer_weights(len(delays))
        self.mishaps_left = 1_000 if is_given else min(most, self.case.mishaps_max)

    # --- running ---

    def run(self) -> Result:
        """To its end."""
        try:
            self.loop.run(self._main())
        except Livelock:
            self.watch.at_rest()
        except Deadlock:
            self.watch.at_rest()
        finally:
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
            waits=dict(self._waits),
            plans=dict(self._plans),
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
        if self._is_broken:
            return
        self.draws.stop_faults()
        self.mishaps_left = 0
        if self.watch.open_ones:
            self.note("world", "calm", "faults have stopped; a fresh worker starts", "")
            self._active_s = self.loop.now_s
            self._start(FRESH, 1)
            await self._until_quiet()
        if not self.watch.open_ones:
            await self._linger()
        self._sync("", "world")
        if not self._is_broken:
            self.watch.at_rest()

    @property
    def _is_broken(self) -> bool:
        return bool(self.watch.breaches)

    @property
    def patience_s(self) -> float:
        """How long nothing must move until nothing will."""
        times, plus = _PATIENCE
        return times * max(self.longest_s, self.case.timeout_s) + plus

    async def _until_quiet(self) -> None:
        """Until everything is settled, something is broken, or nothing moves any more."""
        while not self._is_broken and (self._asking or self.watch.open_ones):
            left_s = self._active_s + self.patience_s - self.loop.now_s
            if left_s <= 1e-6:
                return
            await self._wait(left_s)

    async def _linger(self) -> None:
        """Until whoever still had something in hand has come round once."""
        until_s = self._wake_s
        while not self._is_broken:
            is_busy = any(p.busy for p in self._processes if not p.is_dead)
            if not is_busy and self.loop.now_s > until_s:
                return
            await self._wait(max(until_s - self.loop.now_s, 0.0) + 0.5)

    async def _wait(self, most_s: float) -> None:
        self._alarm = alarm = self.loop.create_future()
        timer = self.loop.call_later(most_s, _ring, alarm)
        await alarm
        timer.cancel()
        self._alarm = None

    # --- workers and publishers ---

    def _start(self, letter: str, life: int) -> None:
        process = Process(self, letter, life)
        self._processes.append(process)
        if life > 1:
            self.note(process.name, "start", "is started again", "")
        self.loop.create_task(self._live(process), name=process.name)

    async def _live(self, process: Process) -> None:
        try:
            worker = self._make(self.backend.open(process), process, process, process, process.name)
            await worker.run()
            what = "returns from run"
        except Exception as error:
            what = f"dies of {type(error).__name__}: {error}"
            if not isinstance(error, ConnectionError):  # ours, most likely
                self.died_of = self.died_of or f"{what}, at {where(error).partition(': ')[0]}"
        if not process.is_dead:
            process.end()
            self.note(process.name, "end", what, "", is_mishap=True)
            self.restart(process)

    def restart(self, process: Process) -> None:
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
        self._sync("", "publisher")
        self._accept(delivery)

    def _accept(self, delivery: str) -> None:
        self.watch.accepted(delivery)
        self.note("publisher", "accepted", f"{delivery} is accepted", delivery)
        self._moved()

    async def _ask(self, delivery: str, letter: str, gap_s: float) -> None:
        """The worker's own way of accepting; whoever gets no answer asks again."""
        await asyncio.sleep(gap_s)
        for life in range(1, _ASKS_MAX + 1):
            process = Process(self, letter, life)
            self._processes.append(process)
            over = self.loop.create_future()
            self.loop.create_task(self._accept_once(process, delivery, over), name=letter)
            while not over.done() and not process.is_dead:
                await asyncio.sleep(RESTART_S)
            if over.done() and over.result():
                break
            if not process.is_dead:
                process.end()
        self._asking -= 1
        self._moved()

    async def _accept_once(
        self, process: Process, delivery: str, over: asyncio.Future[bool]
    ) -> None:
        try:
            worker = self._make(self.backend.open(process), process, process, process, process.name)
            await worker.accept(delivery)
        except Exception as error:
            what = f"is told that {delivery} was not accepted: {type(error).__name__}: {error}"
            if not isinstance(error, ConnectionError):
                text = f"{type(error).__name__}: {error}, at {where(error).partition(': ')[0]}"
                self.died_of = self.died_of or f"fails to accept by {text}"
            self.note(process.name, "end", what, delivery, is_mishap=True)
            over.set_result(False)
            return
        if not process.is_dead:
            over.set_result(True)
            self._accept(delivery)

    # --- what processes tell ---

    def answer(self, process: Process, delivery: str) -> Answer:
        """What will come of a request that is about to be made."""
        answers = self.case.answers
        bad = self._bad_answers.get(delivery, 0)
        if bad >= _BAD_ANSWERS_MAX:
            return answers[0]
        place = f"{process.name}.send.{delivery}"
        number = self._sending[place] = self._sending[place] + 1
        answer = self.draws.fault(place, number, answers, self.answer_weights)
        if answer is not answers[0]:
            self._bad_answers[delivery] = bad + 1
        return answer

    def send(self, process: Process, delivery: str, attempt: int, answer: Answer) -> None:
        """A request goes out, and the receiver makes up its mind."""
        self.sent += 1
        if delivery in self.watch.deliveries:
            self.watch.sends(process.name, delivery)
            if answer.is_taken:
                self.taken += 1
                self.watch.took(delivery)
        flying = self._flying.setdefault(delivery, set())
        if flying - {process.name}:
            self.met["overlap"] += 1
        flying.add(process.name)
        self.met["again"] += attempt > 1
        self.met["lost answer"] += answer.is_lost
        if self.is_traced:
            self.note(process.name, "send", _sending(delivery, attempt, answer), delivery)
        self._moved()

    def sees(self, process: Process, delivery: str, status: int | None) -> None:
        """A process learns what came of its request."""
        self._flying[delivery].discard(process.name)
        if status is None or status // 100 != 2:
            self.met["refusal"] += 1
            if delivery in self.watch.deliveries:
                self.watch.saw_refusal(delivery)
        what = f"sees {status}" if status is not None else "sees no answer in time"
        self.note(process.name, "answer", what, delivery)
        self._moved()

    def done(
        self, process: Process, op: str, what: str, *, is_write: bool, about: str, is_state: bool
    ) -> None:
        """A process has done something at the store.

        Args:
            is_write: it changed something.
            is_state: by it the process learnt the state of the delivery, or would have.
        """
        if is_state and about in self.watch.deliveries:
            self.watch.touched(process.name, about)
        if is_write:
            self._sync(what, process.name, op, about)
            self.stir()
        elif self.is_traced:
            self.note(process.name, op, what, about)

    def touched(self, process: Process, delivery: str) -> None:
        """A process has read or written the row of a delivery."""
        if delivery in self.watch.deliveries:
            self.watch.touched(process.name, delivery)

    def _sync(self, what: str, lane: str, op: str = "", about: str = "") -> None:
        """Read what the deliveries are now, and tell the watch what has changed."""
        watch, is_told = self.watch, False
        self.changes += 1
        for delivery, state in self.backend.states().items():
            before = watch.state(delivery)
            if before == state:
                continue
            if self.is_traced and what:
                is_told = True
                self.note(lane, op, what, delivery, before=before or "")
            watch.touched(lane, delivery)
            watch.wrote(lane, delivery, state)
            self._moved()
        if self.is_traced and what and not is_told:
            self.note(lane, op, what, about)

    def learn(self, seconds: float, *, is_plan: bool = False) -> None:
        """The worker sleeps for so long, or has planned something so far ahead."""
        if seconds > self.longest_s:
            self.longest_s = min(seconds, _LONGEST_MAX_S)
        (self._plans if is_plan else self._waits)[round(seconds, 1)] += 1

    def wakes(self, seconds: float) -> None:
        """Somebody sleeps for so long from now."""
        self._wake_s = max(self._wake_s, self.loop.now_s + seconds)

    def stir(self) -> None:
        """Whoever waits for a lock, or for something to come, looks again."""
        waiting, self._changed = self._changed, []
        for future in waiting:
            _ring(future)

    async def wait_for_change(self, most_s: float) -> None:
        """Until somebody has done something at the store."""
        future = self.loop.create_future()
        self._changed.append(future)
        timer = self.loop.call_later(most_s, _ring, future)
        await future
        timer.cancel()

    def _moved(self) -> None:
        self.changes += 1
        self._active_s = self.loop.now_s
        if self._alarm is not None and (self._is_broken or not self.watch.open_ones):
            _ring(self._alarm)

    def note(
        self,
        lane: str,
        op: str,
        what: str,
        about: str,
        *,
        before: str = "",
        is_mishap: bool = False,
    ) -> None:
        """For people."""
        if not self.is_traced:
            return
        state = row = ""
        if about in self.watch.deliveries:
            state = self.backend.states().get(about) or ""
            row = self.backend.row(about)
        self.events.append(
            Event(
                at_s=self.loop.now_s,
                lane=lane,
                op=op,
                what=what,
                delivery=about if about in self.watch.deliveries else "",
                before=before or state,
                state=state,
                row=row,
                is_refused="refused" in what,
                is_mishap=is_mishap,
            )
        )


def _ring(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _sending(delivery: str, attempt: int, answer: Answer) -> str:
    if answer.is_lost:
        then = f"taken ({answer.status}), and the answer is lost"
    elif not answer.status:
        then = "it will never be answered"
    elif answer.after_s > 1:
        then = f"{answer.status} will take {answer.after_s:g} s"
    else:
        then = f"{answer.status}"
    return f"sends {delivery}, attempt {attempt}: {then}"
