"""Does background tasks for one process, beside whoever else does.

A task is taken by a write that raises its version, and its lease is renewed with each chunk. A
process that is killed leaves its lease behind; when that has run out, another goes on from the last
chunk that was written. Waking it only makes it faster: it looks for tasks by itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from homing.core.errors import NotFound, Stale, StoreError
from homing.core.queries import Page
from homing.core.store import Aftermath
from homing.core.tasks import Task
from homing.service.context import Service
from homing.service.desk_chunks import ALL_CHUNKERS
from homing.service.task_chunks import CHUNK_MAX
from homing.service.task_news import listens, news_of_end
from homing.service.task_rules import LEASE_US, advanced, failed, put_off, released, taken

_log = logging.getLogger("homing.tasks")

#: how often the store is asked for tasks: one look-up in an index that is empty as a rule
POLL_S: Final = 1.0
#: tasks that one process does at a time: a long one does not keep a short one waiting
AT_ONCE_MAX: Final = 4
#: tasks that are looked at to choose from
_LOOKED_AT_MAX: Final = 200
#: how often old tasks are looked for, and how many are forgotten at a time
_FORGET_EVERY_S: Final = 600.0
_FORGOTTEN_MAX: Final = 500
#: how long a stopping process tries to give a task back; its lease does it otherwise
_RELEASE_S: Final = 2.0
#: longest text of an error that is kept with a task
_ERROR_MAX: Final = 300

#: longest pause between two chunks: well within the lease
_PAUSE_MAX_US: Final = LEASE_US / 3

_Owner = tuple[str, str | None]


class Pace:
    """Spreads the work of all tasks of a process over time.

    Args:
        rate_per_s: deliveries a second that are sent again, > 0.
    """

    def __init__(self, rate_per_s: float) -> None:
        self._rate_per_s = rate_per_s
        self._free_at_us = 0.0

    @property
    def chunk(self) -> int:
        """How many in one chunk: about what may be sent in a second."""
        return min(max(round(self._rate_per_s), 1), CHUNK_MAX)

    def pause_us(self, count: int, began_us: int, now_us: int) -> float:
        """How long to wait after a chunk, by the monotonic clock.

        Args:
            count: deliveries that it sent again, >= 0.
            began_us: when it began; reading may take half of the time, whatever is found.
            now_us: when it ended.
        """
        self._free_at_us = max(self._free_at_us, began_us) + count / self._rate_per_s * 1_000_000
        return min(max(self._free_at_us - now_us, now_us - began_us, 0.0), _PAUSE_MAX_US)


def choose(found: Sequence[Task], at_work: Counter[_Owner], room: int) -> list[Task]:
    """Which tasks to try to take: first of those who have the fewest at work here, then oldest.

    Args:
        found: that anybody may take, oldest first.
        at_work: how many this process does, by owner.
        room: how many more it can do, >= 0.
    """
    left, counts = list(found), Counter(at_work)
    chosen: list[Task] = []
    while left and len(chosen) < room:
        best = min(left, key=lambda task: counts[owner_of(task)])
        left.remove(best)
        counts[owner_of(best)] += 1
        chosen.append(best)
    return chosen


def owner_of(task: Task) -> _Owner:
    """Whose task it is, as far as fairness is concerned."""
    return task.scope, task.app_id


class TaskRunner:
    """Takes tasks and does them until it is cancelled.

    Args:
        service: of this process.
        rate_per_s: deliveries a second that all tasks of this process together send again.
        keep_s: how long a task that has ended is kept, in seconds.
        poll_s: how often it looks for tasks when nothing tells it of one, in seconds, > 0.
    """

    def __init__(
        self, service: Service, *, rate_per_s: float, keep_s: float, poll_s: float = POLL_S
    ) -> None:
        self._service = service
        self._store = service.store
        self._clock = service.clock
        self._pace = Pace(rate_per_s)
        self._poll_s = poll_s
        self._keep_us = round(keep_s * 1_000_000)
        self._forgot_at_us: int | None = None
        self._awake = asyncio.Event()
        self._at_work: dict[str, tuple[Task, asyncio.Task[None]]] = {}

    def wake(self) -> None:
        """There may be a new task."""
        self._awake.set()

    async def run(self) -> None:
        """Look for tasks, do them and forget old ones, for ever."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                self._awake.clear()
                try:
                    await self._take_some()
                    await self._forget()
                except StoreError as error:
                    _log.warning("background tasks wait for the database: %s", error)
                timer = loop.call_later(self._poll_s, self._awake.set)
                try:
                    await self._awake.wait()
                finally:
                    timer.cancel()
        except asyncio.CancelledError:
            works = [work for _, work in self._at_work.values()]
            for work in works:
                work.cancel()
            await asyncio.gather(*works, return_exceptions=True)
            raise

    async def _take_some(self) -> None:
        room = AT_ONCE_MAX - len(self._at_work)
        if room <= 0:
            return
        at_us = self._clock.now_us()
        running = await self._store.running_tasks(limit=_LOOKED_AT_MAX)
        free = [
            t
            for t in running
            if t.free_at_us <= at_us and t.paused_by is None and t.id not in self._at_work
        ]
        owners = Counter(owner_of(task) for task, _ in self._at_work.values())
        for found in choose(free, owners, room):
            task = taken(found, self._service.journal.holder, at_us)
            if task is None:
                continue
            if not await self._put(task):
                self.wake()  # somebody else was first; there may be others that are free
            elif task.is_running:
                self._begin(task)
            else:
                _log.error("task %s (%s) failed: %s", task.id, task.action, task.error)

    def _begin(self, task: Task) -> None:
        work = asyncio.create_task(self._work(task), name=f"task {task.id}")
        self._at_work[task.id] = task, work
        work.add_done_callback(lambda _: self._ended(task.id))

    def _ended(self, task_id: str) -> None:
        del self._at_work[task_id]
        self.wake()

    async def _work(self, task: Task) -> None:
        """Do chunk after chunk of a task that was taken, until it ends or is somebody else's."""
        try:
            while True:
                began_us = self._clock.mono_us()
                try:
                    task, changed, wait_s = await self._advance(task)
                except Stale:
                    raise
                except StoreError as error:
                    _log.warning("task %s waits for the database: %s", task.id, error)
                    await asyncio.sleep(self._poll_s)
                    present = await self._present(task)
                    if present is None:
                        return
                    task, changed, wait_s = present, 0, 0.0
                if not task.is_running:
                    _log.info("task %s (%s) finished: %s", task.id, task.action, task.counts)
                    return
                pause_us = self._pace.pause_us(changed, began_us, self._clock.mono_us())
                await asyncio.sleep(max(pause_us / 1_000_000, wait_s))
        except Stale:
            _log.info("task %s was cancelled or taken over", task.id)
        except NotFound as error:
            await self._put(failed(task, str(error), self._clock.now_us()))
            _log.warning("task %s (%s) failed: %s", task.id, task.action, error)
        except asyncio.CancelledError:
            with suppress(StoreError, TimeoutError):
                async with asyncio.timeout(_RELEASE_S):
                    await self._put(released(task, self._clock.now_us()))
            raise
        except Exception as error:
            _log.exception("task %s (%s) could not go on", task.id, task.action)
            text = f"{type(error).__name__}: {error}".replace("\0", " ")[:_ERROR_MAX]
            with suppress(StoreError):
                await self._put(put_off(task, text, self._clock.now_us()))

    async def _advance(self, task: Task) -> tuple[Task, int, float]:
        """Do one chunk: the task after it, how many deliveries it changed, how long to wait.

        Raises:
            Stale: the task is not this process's any more; nothing was written.
        """
        draft = await ALL_CHUNKERS[task.action](self._service, task, self._pace.chunk)
        at_us = self._clock.now_us()

        wanted = await listens(self._store, task.scope)

        def after(written: list[bool]) -> Task:
            return advanced(task, draft.after(written), at_us)

        def follow(written: list[bool]) -> Aftermath:
            then = after(written)
            news = news_of_end(then) if wanted else ()
            return Aftermath(resource=then, expunged=draft.expunged, also=news)

        written = await self._store.settle_with(draft.changes, follow)
        if any(written):
            self._service.wake()
        return after(written), sum(written), draft.wait_s

    async def _present(self, task: Task) -> Task | None:
        """The task as it is stored, if it is still this process's; None: it is not."""
        while True:
            try:
                present = await self._store.get(Task, task.scope, task.id)
            except StoreError:
                await asyncio.sleep(POLL_S)
                continue
            if present is None or present.holder != self._service.journal.holder:
                return None
            return present

    async def _put(self, task: Task) -> bool:
        """Write a task; whether nobody else had written it meanwhile."""
        news = news_of_end(task)
        if news and not await listens(self._store, task.scope):
            news = ()
        try:
            await self._store.put(task, also=news)
        except Stale:
            return False
        return True

    async def _forget(self) -> None:
        """Now and then, remove tasks that ended long ago."""
        mono_us = self._clock.mono_us()
        if self._forgot_at_us is not None and (
            mono_us - self._forgot_at_us < _FORGET_EVERY_S * 1_000_000
        ):
            return
        self._forgot_at_us = mono_us
        until_us = self._clock.now_us() - self._keep_us
        page = Page(limit=_FORGOTTEN_MAX)
        for task in await self._store.list(Task, None, page):  # ids sort by age
            if task.created_at_us >= until_us:
                return
            if task.finished_at_us is not None and task.finished_at_us < until_us:
                await self._store.delete(task)
