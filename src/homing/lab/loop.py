"""Runs coroutines under virtual time, and nothing else: a simulated week in seconds.

`sim.loop` is a whole asyncio loop that explores orders. The lab wants one order, by the seed, of
some millions of steps, so here a coroutine yields the seconds it wants to wait and that is all.
"""

from __future__ import annotations

import heapq
import types
from collections.abc import Coroutine, Generator
from typing import Any


@types.coroutine
def pause(seconds: float) -> Generator[float, None, None]:
    """Let this many seconds pass, >= 0."""
    yield seconds


class Task:
    """A coroutine under way; it can be killed as a process is, wherever it stands."""

    __slots__ = ("coroutine", "is_over", "may_stop")

    def __init__(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self.coroutine = coroutine
        self.is_over = False
        self.may_stop = False  #: it was asked to stop, and does when it next is idle

    def kill(self) -> None:
        """End it here and now; what it held in memory is gone. Not from inside itself."""
        self.is_over = True
        self.coroutine.close()


class Loop:
    """Time, and who runs when. Whoever waits for the same moment runs in the order of asking."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.current: Task | None = None
        self._waiting: list[tuple[float, int, Task]] = []
        self._count = 0

    def spawn(self, coroutine: Coroutine[Any, Any, None], *, at_s: float | None = None) -> Task:
        """Begin a coroutine, now or at a later time."""
        task = Task(coroutine)
        self._count += 1
        heapq.heappush(self._waiting, (self.now_s if at_s is None else at_s, self._count, task))
        return task

    def run_until(self, end_s: float) -> None:
        """Run everything that is due before `end_s`, and let it be that time.

        An error in a coroutine ends the run: here it is a bug of the lab.
        """
        waiting, push, pop = self._waiting, heapq.heappush, heapq.heappop
        while waiting and waiting[0][0] < end_s:
            self.now_s, _, task = pop(waiting)
            if task.is_over:
                continue
            self.current = task
            try:
                seconds = task.coroutine.send(None)
            except StopIteration:
                task.is_over = True
                continue
            self._count += 1
            push(waiting, (self.now_s + seconds, self._count, task))
        self.current = None
        self.now_s = end_s
