"""What a process sees of its world: time, chance, and books in which it tells what it does."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final, Protocol

from homing.sim.draws import AtRandom, Choices, Draws, Order, SimChance
from homing.sim.loop import VirtualLoop
from homing.sim.workers.case import (
    Answer,
    Case,
    answer_weights,
    read_mishaps,
    read_weights,
    write_mishaps,
    write_weights,
)
from homing.sim.workers.trace import EPOCH_S, Event, instants_of
from homing.sim.workers.watch import Watch

_LONGEST_MAX_S: Final = 86_400.0
_NO_TIMES: Final = frozenset({str, bool, type(None)})
#: a number so far ahead of now is taken for a time that somebody has planned
_AHEAD_MAX_S: Final = 100_000.0
#: answers other than a quick 200 to one delivery
_BAD_ANSWERS_MAX: Final = 7
#: how much trouble there is, in percent of the calls, and how many mishaps at most
_TROUBLE: Final = ((0.0, 0), (4.0, 1), (8.0, 2), (15.0, 2), (8.0, 4), (25.0, 4))


class Rows(Protocol):
    """The deliveries in the store, as anybody would read them."""

    def states(self) -> Mapping[str, str | None]:
        """The state of each expected delivery as anybody would read it now; None: no row."""
        ...

    def row(self, delivery: str) -> str:
        """What else is in its row, in a few words."""
        ...


class Surroundings:
    """The books of one run: processes tell what they do, by their names.

    Args:
        case: everything but the seed.
        choices: None: draw; otherwise what happens, calm where nothing is said.
        is_traced: keep the events.
    """

    def __init__(
        self,
        case: Case,
        rows: Rows,
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
        self.waits: Counter[float] = Counter()  #: for how many seconds a worker slept
        self.plans: Counter[float] = Counter()  #: how many seconds ahead it planned something
        self.wake_s = 0.0  #: when the last of those that sleep wakes
        self.active_s = 0.0  #: when anything moved last
        self.alarm: asyncio.Future[None] | None = None  #: rung when all is settled, or broken
        self._rows = rows
        self._bad_answers: dict[str, int] = {}
        self._sending: Counter[str] = Counter()
        self._flying: dict[str, set[str]] = {}
        self._changed: list[asyncio.Future[None]] = []
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

    @property
    def is_broken(self) -> bool:
        return bool(self.watch.breaches)

    def answer(self, process: str, delivery: str) -> Answer:
        """What will come of a request that is about to be made."""
        answers = self.case.answers
        bad = self._bad_answers.get(delivery, 0)
        if bad >= _BAD_ANSWERS_MAX:
            return answers[0]
        place = f"{process}.send.{delivery}"
        number = self._sending[place] = self._sending[place] + 1
        answer = self.draws.fault(place, number, answers, self.answer_weights)
        if answer is not answers[0]:
            self._bad_answers[delivery] = bad + 1
        return answer

    def send(self, process: str, delivery: str, attempt: int, answer: Answer) -> None:
        """A request goes out, and the receiver makes up its mind."""
        self.sent += 1
        if delivery in self.watch.deliveries:
            self.watch.sends(process, delivery)
            if answer.is_taken:
                self.taken += 1
                self.watch.took(delivery)
        flying = self._flying.setdefault(delivery, set())
        if flying - {process}:
            self.met["overlap"] += 1
        flying.add(process)
        self.met["again"] += attempt > 1
        self.met["lost answer"] += answer.is_lost
        if self.is_traced:
            self.note(process, "send", _sending(delivery, attempt, answer), delivery)
        self.moved()

    def sees(self, process: str, delivery: str, status: int | None) -> None:
        """A process learns what came of its request."""
        self._flying[delivery].discard(process)
        if status is None or status // 100 != 2:
            self.met["refusal"] += 1
            if delivery in self.watch.deliveries:
                self.watch.saw_refusal(delivery)
        what = f"sees {status}" if status is not None else "sees no answer in time"
        self.note(process, "answer", what, delivery)
        self.moved()

    def done(
        self, process: str, op: str, what: str, *, is_write: bool, about: str, is_state: bool
    ) -> None:
        """A process has done something at the store.

        Args:
            is_write: it changed something.
            is_state: by it the process learnt the state of the delivery, or would have.
        """
        if is_state and about in self.watch.deliveries:
            self.watch.touched(process, about)
        if is_write:
            self.sync(what, process, op, about)
            self.stir()
        elif self.is_traced:
            self.note(process, op, what, about)

    def touched(self, process: str, delivery: str) -> None:
        """A process has read or written the row of a delivery."""
        if delivery in self.watch.deliveries:
            self.watch.touched(process, delivery)

    def sync(self, what: str, lane: str, op: str = "", about: str = "") -> None:
        """Read what the deliveries are now, and tell the watch what has changed."""
        watch, is_told = self.watch, False
        self.changes += 1
        for delivery, state in self._rows.states().items():
            before = watch.state(delivery)
            if before == state:
                continue
            if self.is_traced and what:
                is_told = True
                self.note(lane, op, what, delivery, before=before or "")
            watch.touched(lane, delivery)
            watch.wrote(lane, delivery, state)
            self.moved()
        if self.is_traced and what and not is_told:
            self.note(lane, op, what, about)

    def learn(self, seconds: float, *, is_plan: bool = False) -> None:
        """The worker sleeps for so long, or has planned something so far ahead."""
        if seconds > self.longest_s:
            self.longest_s = min(seconds, _LONGEST_MAX_S)
        (self.plans if is_plan else self.waits)[round(seconds, 1)] += 1

    def learn_plans(self, values: Iterable[object]) -> None:
        """The worker writes these: what is a time ahead of now is a lease or a backoff."""
        now = EPOCH_S + self.loop.now_s
        for value in values:
            if type(value) in _NO_TIMES:
                continue
            for instant in instants_of(value):
                if now < instant < now + _AHEAD_MAX_S:
                    self.learn(instant - now, is_plan=True)

    def wakes(self, seconds: float) -> None:
        """Somebody sleeps for so long from now."""
        self.wake_s = max(self.wake_s, self.loop.now_s + seconds)

    def stir(self) -> None:
        """Whoever waits for a lock, or for something to come, looks again."""
        waiting, self._changed = self._changed, []
        for future in waiting:
            ring(future)

    async def wait_for_change(self, most_s: float) -> None:
        """Until somebody has done something at the store."""
        future = self.loop.create_future()
        self._changed.append(future)
        timer = self.loop.call_later(most_s, ring, future)
        await future
        timer.cancel()

    def moved(self) -> None:
        """Something has come further: whoever waits for quiet waits on."""
        self.changes += 1
        self.active_s = self.loop.now_s
        if self.alarm is not None and (self.is_broken or not self.watch.open_ones):
            ring(self.alarm)

    def hears(self, text: str) -> None:
        """A worker prints or logs a line."""
        if self.is_traced:
            task = asyncio.current_task()
            name = task.get_name() if task is not None else ""
            self.note(name if name[:1].isupper() else "world", "says", f"says: {text}", "")

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
            state = self._rows.states().get(about) or ""
            row = self._rows.row(about)
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


def ring(future: asyncio.Future[None]) -> None:
    """Wake whoever waits for it."""
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
