"""An asyncio event loop whose time is virtual and whose order is somebody's choice.

It never blocks: when nothing can run, time moves to the next timer. There are no threads, sockets
or signals in here; whoever asks for one gets an error.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Coroutine
from contextvars import Context
from inspect import CORO_CREATED, getcoroutinestate, iscoroutine
from itertools import count
from typing import Any, Final, TypeVar

from homing.sim.draws import Order

T = TypeVar("T")

#: callbacks that one world may run: fifty times what an ordinary one needs
STEPS_MAX: Final = 100_000


class Deadlock(RuntimeError):
    """Every task waits, and no timer is set."""


class Livelock(RuntimeError):
    """It goes on and on."""


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
        self._pick = order.pick
        #: a step of a task or a callback of a future, which nobody ever cancels, is kept as
        #: (context's run, callback, argument)
        self._ready: list[_Handle | tuple[Any, ...]] = []
        self._timers: list[tuple[float, int, _Handle]] = []
        self._timer_count = 0
        self._tasks: list[_Task] = []
        _Task._numbers = count(1)

    # --- what asyncio asks for ---

    def time(self) -> float:
        return self.now_s

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> _Handle | None:
        if context is not None:
            self._ready.append((context.run, callback, *args))
            return None
        handle = _Handle(callback, args)
        self._ready.append(handle)
        return handle

    def call_later(  # type: ignore[override]
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> _Handle:
        handle = _Handle(callback, args)
        self._timer_count = number = self._timer_count + 1
        heapq.heappush(self._timers, (self.now_s + delay, number, handle))
        return handle

    def call_at(  # type: ignore[override]
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> _Handle:
        handle = _Handle(callback, args)
        self._timer_count = number = self._timer_count + 1
        heapq.heappush(self._timers, (when, number, handle))
        return handle

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(  # type: ignore[override]
        self, coro: Coroutine[Any, Any, T], *, name: str | None = None, context: Any = None
    ) -> asyncio.Task[T]:
        task = _Task(coro, loop=self, name=name or "task")
        self._tasks.append(task)
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
            task = self.create_task(main)
            self._run_until(task)
            return task.result()
        finally:
            self._let_go()
            asyncio._set_running_loop(None)

    def _run_until(self, task: asyncio.Task[Any]) -> None:
        ready, pick = self._ready, self._pick
        is_done, steps_max = task.done, self.steps + STEPS_MAX
        steps = self.steps
        while not is_done():
            waiting = len(ready)
            if waiting == 0:
                self._advance()
                continue
            handle = ready.pop(0 if waiting == 1 else pick(steps, ready))
            self.steps = steps = steps + 1
            try:
                if type(handle) is tuple:
                    handle[0](*handle[1:])
                elif not handle.cancelled_:  # type: ignore[union-attr]
                    handle.callback(*handle.args)  # type: ignore[union-attr]
            except Exception as error:
                self.orphans.append(f"{type(error).__name__}: {error}")
            if steps > steps_max:
                raise Livelock(f"{STEPS_MAX} callbacks and no end, at {self.now_s:.3f} s")

    def _advance(self) -> None:
        """Move time to the next timer, and make ready all that are due then."""
        timers, ready = self._timers, self._ready
        while timers:
            when, _, handle = heapq.heappop(timers)
            if handle.cancelled_:
                continue
            self.now_s = max(self.now_s, when)
            self.now_us = round(self.now_s * 1_000_000)
            ready.append(handle)
            while timers and timers[0][0] <= when:
                handle = heapq.heappop(timers)[2]
                if not handle.cancelled_:
                    ready.append(handle)
            return
        raise Deadlock("every task waits, and no timer is set")

    def _let_go(self) -> None:
        """Look for errors nobody saw; silence what is unfinished, as the processes are gone."""
        for task in self._tasks:
            if not task.done():
                task._log_destroy_pending = False  # type: ignore[attr-defined]
                coro = task.get_coro()
                if iscoroutine(coro) and getcoroutinestate(coro) == CORO_CREATED:
                    coro.close()  # it never had its turn
            elif not task.cancelled() and task._log_traceback:
                error = task.exception()
                if error is not None:
                    self.orphans.append(f"{type(error).__name__}: {error}")
        self._tasks.clear()
        self._ready.clear()
        self._timers.clear()
