"""One process of somebody's: everything that it does to the world goes through here.

So this is where it can be cut off, stand still, lose answers and wait for its turn. A process that
has crashed gets no answer ever again: its tasks wait for good, and none of its `finally` runs, as
under SIGKILL.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, TypeVar

from homing.sim.fault_injection import TURN
from homing.sim.workers.case import Mishap
from homing.sim.workers.surroundings import Surroundings
from homing.sim.workers.trace import EPOCH_S

T = TypeVar("T")

#: calls in a row at one instant, after which a call takes time: busy polling must not stop time
_BUSY_CALLS: Final = 60
#: looks that found nothing new before an idle poller is let sleep longer, and how much
_IDLE_POLLS: Final = 3
_STRETCH_MAX: Final = 0.2
_DOUBLINGS_MAX: Final = 20
#: how long a statement waits for a lock before the client gives up
LOCK_WAIT_S: Final = 5.0


def _nobody(_: object) -> str:
    return ""


class Busy(Exception):
    """The database is locked by somebody else's transaction; ask again when it has ended.

    Its cause, if it has one, is what the client raises when it has waited for too long; without a
    cause it waits for as long as it takes.
    """


class Process:
    """One life of a worker or a publisher.

    Args:
        letter: its lane; "P1" is the publisher of the first delivery, and "P1/2" its second life.
        life: 1, and one more after each crash.
        drop: undoes what it left open at the store.
        restart: told when it crashes.
    """

    def __init__(
        self,
        world: Surroundings,
        letter: str,
        life: int,
        *,
        drop: Callable[[Process], None],
        restart: Callable[[Process], None],
    ) -> None:
        self.world = world
        self.letter = letter
        self.life = life
        self.name = letter if life == 1 else f"{letter}{'/' * (len(letter) > 1)}{life}"
        self.is_dead = False
        self.busy = 0  #: calls under way
        self._drop, self._restart = drop, restart
        self._counts: dict[str, int] = {}
        self._spin = 0
        self._spin_s = -1.0
        self._fruitless = 0
        self._seen = -1

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(
            f"sender.send, clock.now, clock.sleep and chance.random are all that these ports have; "
            f"there is no {name!r}"
        )

    # --- calls ---

    async def call(
        self,
        op: str,
        act: Callable[[], T],
        say: Callable[[T], str],
        *,
        is_write: bool,
        about: str = "",
        did: Callable[[T], bool] = bool,
        about_of: Callable[[T], str] = _nobody,
        is_state: bool = True,
    ) -> T:
        """One step at the database: in its turn, if nothing happens to it.

        Args:
            op: a word for it.
            act: does it, at once; what it raises goes to the worker, but for Busy, which waits.
            say: words for what was done, given the result; asked for only if somebody listens.
            about: the delivery that it is about, if it is about one.
            did: whether anything is different now, given the result of a write.
            about_of: the delivery that the result is about, where `about` is empty.
            is_state: the process learns the delivery's state by it, or would.
        """
        world = self.world
        if self.is_dead:
            await self.stop()
        self.busy += 1
        try:
            if world.loop.ready:  # a turn that nobody else could take is none
                await TURN
                if self.is_dead:
                    await self.stop()
            if world.loop.now_s != self._spin_s:
                self._spin, self._spin_s = 0, world.loop.now_s
            else:
                self._spin += 1
                if self._spin > _BUSY_CALLS:
                    await asyncio.sleep(min(0.001 * 1.2 ** (self._spin - _BUSY_CALLS), 1.0))
            world.calls += 1
            if world.mishaps_left:
                mishap = self._draw(op, is_write=is_write)
                if mishap.kind:
                    return await self._meet(
                        mishap, op, act, say, is_write, about, did, about_of, is_state
                    )
            return await self._act(op, act, say, is_write, about, did, about_of, is_state)
        finally:
            self.busy -= 1

    def _draw(self, op: str, *, is_write: bool) -> Mishap:
        world = self.world
        number = self._counts[op] = self._counts.get(op, 0) + 1
        options = world.write_mishaps if is_write else world.read_mishaps
        weights = world.write_weights if is_write else world.read_weights
        mishap = world.draws.fault(f"{self.name}.{op}", number, options, weights)
        if mishap.kind:
            world.mishaps_left -= 1
        return mishap

    async def _act(
        self,
        op: str,
        act: Callable[[], T],
        say: Callable[[T], str],
        is_write: bool,
        about: str,
        did: Callable[[T], bool],
        about_of: Callable[[T], str],
        is_state: bool,
    ) -> T:
        world = self.world
        until_s = -1.0
        waited = False
        while True:
            try:
                result = act()
            except Busy as busy:
                now_s = world.loop.now_s
                until_s = now_s + LOCK_WAIT_S if until_s < 0 else until_s
                if now_s >= until_s - 1e-6:
                    if busy.__cause__ is not None:
                        raise busy.__cause__ from None
                    until_s = now_s + LOCK_WAIT_S
                if not waited:
                    world.note(self.name, op, "waits for a lock", about)
                waited = True
                await world.wait_for_change(until_s - now_s)
                if self.is_dead:
                    await self.stop()
                continue
            except Exception as error:
                what = f"{op}: {type(error).__name__}: {error}"
                world.done(self.name, op, what, is_write=False, about=about, is_state=False)
                raise
            what = say(result) if world.is_traced else ""
            world.done(
                self.name,
                op,
                what,
                is_write=is_write and did(result),
                about=about or about_of(result),
                is_state=is_state,
            )
            return result

    async def _meet(
        self,
        mishap: Mishap,
        op: str,
        act: Callable[[], T],
        say: Callable[[T], str],
        is_write: bool,
        about: str,
        did: Callable[[T], bool],
        about_of: Callable[[T], str],
        is_state: bool,
    ) -> T:
        """The same when something happens to it."""
        world, kind = self.world, mishap.kind
        world.met[kind] += 1
        if kind == "away":
            self.note(op, f"{op}: the store is away", about)
            raise ConnectionError("the store is away")
        if kind == "crash before":
            await self.crash(f"dies before its {op} arrives", about)
        if kind == "slow":
            self.note(op, f"{op} takes {mishap.after_s:g} s to arrive", about)
            await asyncio.sleep(mishap.after_s)
            if self.is_dead:
                await self.stop()
        result = await self._act(op, act, say, is_write, about, did, about_of, is_state)
        about = about or about_of(result)
        if kind == "answer lost":
            self.note(op, f"{op}: done, and the answer is lost", about)
            raise ConnectionError("the connection was lost; whether it was done is not known")
        if kind == "crash after":
            await self.crash(f"dies after its {op}", about)
        if kind == "slow answer":
            self.note(op, f"stands still for {mishap.after_s:g} s after its {op}", about)
            await asyncio.sleep(mishap.after_s)
            if self.is_dead:
                await self.stop()
        return result

    # --- the way to the receiver ---

    async def send(self, delivery: str, attempt: int) -> int:
        """The port: one request."""
        world = self.world
        delivery = str(delivery)
        if self.is_dead:
            await self.stop()
        self.busy += 1
        try:
            if world.loop.ready:  # a turn that nobody else could take is none
                await TURN
                if self.is_dead:
                    await self.stop()
            answer = world.answer(self.name, delivery)
            if answer.crash == "before":
                await self.crash("dies before its request goes out", delivery)
            world.send(self.name, delivery, attempt, answer)
            if answer.crash == "after":
                await self.crash("dies before it sees the answer", delivery)
            timeout_s = world.case.timeout_s
            is_silent = answer.is_lost or not answer.status or answer.after_s >= timeout_s
            wait_s = timeout_s if answer.is_lost else min(answer.after_s, timeout_s)
            try:
                await world.loop.sleep(wait_s)
            except asyncio.CancelledError:  # a deadline of its own
                world.sees(self.name, delivery, None)
                raise
            if self.is_dead:
                await self.stop()
            world.sees(self.name, delivery, None if is_silent else answer.status)
            if is_silent:
                raise TimeoutError(f"no answer in {wait_s:g} s")
            return answer.status
        finally:
            self.busy -= 1

    # --- time and chance ---

    def now(self) -> float:
        """The port: seconds."""
        return EPOCH_S + self.world.loop.now_s

    async def sleep(self, seconds: float) -> None:
        """The port: wait."""
        world = self.world
        if self.is_dead:
            await self.stop()
        seconds = max(float(seconds), 0.0)
        world.learn(seconds)
        if world.mishaps_left:
            mishap = self._draw("sleep", is_write=False)
            if mishap.kind == "crash after":
                world.met[mishap.kind] += 1
                await asyncio.sleep(seconds)
                await self.crash("dies while it sleeps", "")
            seconds += mishap.after_s
        seconds = self._stretched(seconds)
        world.wakes(seconds)
        await world.loop.sleep(seconds)
        if self.is_dead:
            await self.stop()

    def _stretched(self, seconds: float) -> float:
        """An idle poller sleeps longer and longer: nothing has changed since it last looked."""
        world = self.world
        if self._seen != world.changes:
            self._seen, self._fruitless = world.changes, 0
            return seconds
        self._fruitless += 1
        if self._fruitless <= _IDLE_POLLS:
            return seconds
        most = world.longest_s * _STRETCH_MAX
        times = 2.0 ** min(self._fruitless - _IDLE_POLLS, _DOUBLINGS_MAX)
        return max(seconds, min(seconds * times, most))

    def random(self) -> float:
        """The port: a number in [0, 1)."""
        return self.world.chance.fraction()

    # --- its end ---

    async def crash(self, what: str, about: str) -> None:
        """The process is gone; somebody starts it again. Never returns."""
        self.end()
        self.world.met["crash"] += 1
        self.world.note(self.name, "crash", what, about, is_mishap=True)
        self._restart(self)
        await self.stop()

    def end(self) -> None:
        """No answer reaches it from now on, and what it left open at the store is undone."""
        self.is_dead = True
        self._drop(self)
        self.world.stir()

    async def stop(self) -> None:
        """Wait for good."""
        await self.world.loop.create_future()

    def note(self, op: str, what: str, about: str) -> None:
        self.world.note(self.name, op, what, about, is_mishap=True)
