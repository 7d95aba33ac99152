"""An asyncio event loop whose time is virtual and whose order is somebody's choice.

It never blocks: when nothing can run, time moves to the next timer. There are no threads, sockets
or signals in here; whoever asks for one gets an error.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import Context
from functools import partial
from heapq import heappop, heappush
from inspect import CORO_CREATED, getcoroutinestate, iscoroutine
from itertools import count
from typing import Any, Final, TypeVar

from homing.sim.draws import Order

T = TypeVar("T")

#: callbacks that one world may run: fifty times what an ordinary one needs
STEPS_MAX: Final = 100_000
#: tasks that are kept, at the least, before those that have ended are let go of
_TASKS_MIN: Final = 50
#: what `asyncio.sleep` has called when its time has come
_WAKE: Final = getattr(asyncio.futures, "_set_result_unless_cancelled", None)


class Deadlock(RuntimeError):
    """Every task waits, and no timer is set."""


class Livelock(RuntimeError):
    """It goes on and on."""


class _Stop(BaseException):
    """The main task has ended."""


def _stop(_: asyncio.Task[Any]) -> None:
    raise _Stop


class _Handle:
    """A callback that is to run and may be cancelled before."""

    __slots__ = ("args", "callback", "cancelled_")

    def __init__(self, callback: Callable[..., object], args: tuple[Any, ...]) -> None:
        self.callback = callback
        self.args = args
        self.cancelled_ = False

    def cancel(self) -> None:
        self.cancelled_ = True

    def cancelled(self) -> bool:
        return self.cancelled_

    def run(self) -> None:
        if not self.cancelled_:
            self.callback(*self.args)


class _Task(asyncio.Task[Any]):
    """A task that hashes by its number: sets of tasks are walked in the same order every time."""

    _numbers = count(1)
    _number = 0

    def __hash__(self) -> int:
        number = self._number
        if not number:  # asked for once in the beginning: every task is put into a set by asyncio
            number = self._number = next(_Task._numbers)
        return number


class VirtualLoop(asyncio.AbstractEventLoop):
    """Runs one world.

    Args:
        order: picks what runs next wherever there is a choice.
    """

    def __init__(self, order: Order) -> None:
        self.now_s = 0.0
        self.now_us = 0
        self.steps = 0
        self.orphans: list[str] = []  #: errors that nobody looked at
        self._order = order
        #: callbacks that can run, with their arguments: to be looked at, not changed
        self.ready: list[tuple[Callable[..., object], tuple[Any, ...]]] = []
        #: when, in which order, and what: a callback, or somebody's sleep
        self._timers: list[tuple[float, int, _Handle | asyncio.Future[Any]]] = []
        self._timer_count = 0
        self._tasks: list[_Task] = []  #: that have not ended, or badly; some others
        self._tasks_max = _TASKS_MIN
        self.create_future = partial(asyncio.Future, loop=self)  # type: ignore[method-assign]
        _Task._numbers = count(1)

    # --- what asyncio asks for ---

    #: no debugging: asked for with every future, and this answers False
    get_debug = bool

    def time(self) -> float:
        return self.now_s

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> _Handle | None:
        # With a context: a step of a task or a callback of a future, which nobody ever cancels.
        # All run in one context, as nothing in here has variables of its own there.
        if context is not None:
            self.ready.append((callback, args))
            return None
        handle = _Handle(callback, args)
        self.ready.append((handle.run, ()))
        return handle

    def call_later(  # type: ignore[override]
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> _Handle | asyncio.Future[Any]:
        # What `asyncio.sleep` asks for is done in one step instead of two; cancelling a future that
        # is done, as it does afterwards, does nothing.
        entry = args[0] if callback is _WAKE and args[1] is None else _Handle(callback, args)
        self._timer_count = number = self._timer_count + 1
        heappush(self._timers, (self.now_s + delay, number, entry))
        return entry

    def call_at(  # type: ignore[override]
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> _Handle:
        entry = _Handle(callback, args)
        self._timer_count = number = self._timer_count + 1
        heappush(self._timers, (when, number, entry))
        return entry

    def sleep(self, seconds: float) -> asyncio.Future[None]:
        """To be awaited at once: as `asyncio.sleep`, without a coroutine of its own."""
        future: asyncio.Future[None] = self.create_future()
        self._timer_count = number = self._timer_count + 1
        heappush(self._timers, (self.now_s + seconds, number, future))
        return future

    def create_task(  # type: ignore[override]
        self, coro: Coroutine[Any, Any, T], *, name: str | None = None, context: Any = None
    ) -> asyncio.Task[T]:
        task = _Task(coro, loop=self, name=name or "task")
        tasks = self._tasks
        tasks.append(task)
        if len(tasks) > self._tasks_max:  # what ended well need not be kept
            tasks[:] = [one for one in tasks if one._log_traceback or not one.done()]
            self._tasks_max = 2 * len(tasks) + _TASKS_MIN
        return task

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        error = context.get("exception")
        self.orphans.append(f"{context.get('message')}: {type(error).__name__}: {error}")

    # --- running ---

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Run `main` to its end; tasks that are left then are let go of, unfinished.

        Raises:
            Deadlock, Livelock: see there.
        """
        asyncio._set_running_loop(self)
        try:
            with _unregistered(), _at_hand(self):
                task = self.create_task(main)
                self._run_until(task)
            return task.result()
        finally:
            self._let_go()
            asyncio._set_running_loop(None)

    def _run_until(self, task: asyncio.Task[Any]) -> None:
        task.add_done_callback(_stop)
        ready, take, order = self.ready, self.ready.pop, self._order
        pick, choice_at = order.pick, order.choice_at
        step = 0
        try:
            for step in range(STEPS_MAX):
                if not ready:
                    self._advance()
                if step < choice_at or len(ready) == 1:
                    callback, args = take(0)
                else:
                    callback, args = take(pick(step, ready))
                    choice_at = order.choice_at
                try:
                    callback(*args)
                except Exception as error:
                    self.orphans.append(f"{type(error).__name__}: {error}")
            raise Livelock(f"{STEPS_MAX} callbacks and no end, at {self.now_s:.3f} s")
        except _Stop:
            pass
        finally:
            self.steps = step + 1

    def _advance(self) -> None:
        """Move time to the next timer; all that are due then become ready."""
        timers, ready = self._timers, self.ready
        while timers:
            when, _, entry = heappop(timers)
            if when > self.now_s:
                self.now_s = when
                self.now_us = round(when * 1_000_000)
            while True:
                if type(entry) is _Handle:
                    if not entry.cancelled_:
                        ready.append((entry.run, ()))
                elif not entry.done():  # type: ignore[union-attr]
                    entry.set_result(None)  # type: ignore[union-attr]
                if not timers or timers[0][0] > when:
                    break
                entry = heappop(timers)[2]
            if ready:
                return
        raise Deadlock("every task waits, and no timer is set")

    def _let_go(self) -> None:
        """Look for errors nobody saw; silence what is unfinished, as the processes are gone."""
        for task in self._tasks:
            if task._log_traceback:
                error = task.exception()
                if error is not None:
                    self.orphans.append(f"{type(error).__name__}: {error}")
            elif not task.done():
                task._log_destroy_pending = False  # type: ignore[attr-defined]
                coro = task.get_coro()
                if iscoroutine(coro) and getcoroutinestate(coro) == CORO_CREATED:
                    coro.close()  # it never had its turn
        self._tasks.clear()
        self.ready.clear()
        self._timers.clear()


def _absent(name: str) -> Callable[..., Any]:
    def refuse(*_: object, **__: object) -> Any:
        raise NotImplementedError(
            f"{name}: in a simulated world there are no threads, sockets, signals or other programs"
        )

    return refuse


for _name in vars(asyncio.AbstractEventLoop):
    if not _name.startswith("_") and _name not in vars(VirtualLoop):
        setattr(VirtualLoop, _name, _absent(_name))


@contextmanager
def _unregistered() -> Iterator[None]:
    """Keep tasks out of the set that asyncio has for `all_tasks`: nobody asks for it in a world."""
    known = getattr(asyncio.tasks, "_all_tasks", None)  # up to Python 3.11
    if known is None:
        yield
        return
    known.add = _ignore
    try:
        yield
    finally:
        del known.add


@contextmanager
def _at_hand(loop: VirtualLoop) -> Iterator[None]:
    """Spare what asks for a sleep or a task the way through asyncio's functions to `loop`."""
    usual: Any = asyncio.sleep, asyncio.create_task

    def sleep(seconds: float) -> Any:
        return loop.sleep(seconds) if seconds > 0 else usual[0](seconds)

    asyncio.sleep, asyncio.create_task = sleep, loop.create_task  # type: ignore[assignment]
    try:
        yield
    finally:
        asyncio.sleep, asyncio.create_task = usual


def _ignore(_: object) -> None:
    """Do nothing."""
