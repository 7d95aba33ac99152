"""A week of a webhook service: its store, its way to the receivers, its clock, and its log.

Workers see only the four ports. Every write to the store becomes a line of the delivery log with
what the writing process had at hand, as a service logs its own changes; nothing in a line comes
from knowing the future. What was truly received is counted at the receivers, apart from the log.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from heapq import heappop, heappush
from typing import Any, Final

from homing.lab.draws import Draws
from homing.lab.loop import Loop, Task, pause
from homing.lab.receivers import Receivers
from homing.sim.workers.ports import Row

Line = dict[str, Any]

#: Monday 9 November 2026, 00:00 UTC: when every simulated week begins
MONDAY_US: Final = 1_794_182_400_000_000
#: states that nobody polls for
ENDS: Final = frozenset({"delivered", "dead", "discarded", "cancelled", "skipped", "failed"})
#: how long a request may take
REQUEST_TIMEOUT_S: Final = 30.0
_DATABASE_S: Final = (0.0008, 0.004)
_FORGET_AFTER_S: Final = 7_200.0


class World:
    """Everything that one week has in common.

    Args:
        seed: decides it all.
        receivers: where webhooks go.
        on_line: is given every line of the log, in order of time.
        has_timeless: a query for work also sees rows that have neither a due time nor a lease;
            False: as with an index on the due time, which does not hold NULL.
    """

    def __init__(
        self,
        seed: int,
        receivers: Receivers,
        on_line: Callable[[Line], None],
        *,
        request_timeout_s: float = REQUEST_TIMEOUT_S,
        has_timeless: bool = True,
    ) -> None:
        self.loop = Loop()
        self.seed = seed
        self.receivers = receivers
        self.draws = Draws(seed, 3)
        self.on_line = on_line
        self.request_timeout_s = request_timeout_s
        self.builds: dict[str, str] = {}  #: by the worker's name
        self.rows: dict[str, Row] = {}
        self.versions: dict[str, int] = {}
        self.accepted = 0
        #: accepted and not yet taken by its receiver; a drop never leaves
        self.missing: dict[str, float] = {}
        self.dead: set[str] = set()  #: given up for a reason that has a name
        self.sends = 0
        self.extras: dict[str, Line] = {}  #: what the next line of a key also says
        self.quiet: set[str] = set()  #: processes that write no log
        self.boots: dict[str, int] = {}  #: how often a process of that name was started
        self.changes = 0
        self._has_timeless = has_timeless
        self._ready: dict[str, None] = {}
        self._timed: list[tuple[float, int, str]] = []
        self._when: dict[str, float] = {}
        self._ended: deque[tuple[float, str]] = deque()
        self.is_away: Callable[[], bool] = lambda: False  #: the database or broker cannot be asked

    # --- rows ---

    def write(self, key: str, row: Row | None) -> tuple[Row | None, int]:
        """Put or (None) delete a row.

        Returns:
            What was there, and the new version.
        """
        before = self.rows.get(key)
        version = self.versions.get(key, 0) + 1
        self.changes += 1
        self._ready.pop(key, None)
        self._when.pop(key, None)
        if row is None:
            self.rows.pop(key, None)
            self.versions.pop(key, None)
            return before, version
        self.rows[key] = row
        self.versions[key] = version
        self.dead.discard(key)
        if row["state"] in ENDS:
            if row["state"] == "dead":
                self.dead.add(key)
            self._ended.append((self.loop.now_s, key))
            self._forget()
        else:
            self._schedule(key, row)
        return before, version

    def _schedule(self, key: str, row: Row) -> None:
        when: float | None = row.get("lease_until")
        if when is None:
            when = row.get("due_at")
        if when is None:
            if self._has_timeless:
                self._ready[key] = None
        elif when <= self.loop.now_s:
            self._ready[key] = None
        else:
            self._when[key] = when
            heappush(self._timed, (when, self.changes, key))

    def candidates(self) -> dict[str, None]:
        """Keys of rows that somebody may want now: their time has come, oldest first."""
        timed, now_s = self._timed, self.loop.now_s
        while timed and timed[0][0] <= now_s:
            when, _, key = heappop(timed)
            if self._when.get(key) == when:
                del self._when[key]
                self._ready[key] = None
                self.changes += 1
        return self._ready

    def is_under_way(self, keys: Iterable[str]) -> bool:
        """Whether any of these deliveries, or its entry in a queue, has its time still to come."""
        when = self._when
        return any(key in when or f"queue:{key}" in when for key in keys)

    def _forget(self) -> None:
        """Ended rows go after a while; services move them to history."""
        ended, until = self._ended, self.loop.now_s - _FORGET_AFTER_S
        while ended and ended[0][0] < until:
            key = ended.popleft()[1]
            row = self.rows.get(key)
            if row is not None and row["state"] in ENDS:
                del self.rows[key]
                self.versions.pop(key, None)

    # --- processes ---

    def spawn(self, process: Any, build: str, *, at_s: float | None = None) -> Task:
        """Start a worker (anything with `name` and `run`) of that build."""
        self.builds[process.name] = build
        self.boots[process.name] = self.boots.get(process.name, 0) + 1
        return self.loop.spawn(process.run(), at_s=at_s)

    def ports(self, name: str) -> tuple[LabStore, LabSender, LabClock, Draws, str]:
        """What a worker of that name is made with."""
        outcomes: dict[str, Line] = {}
        store = LabStore(self, name, outcomes)
        return store, LabSender(self, outcomes), LabClock(self.loop), Draws(self.seed, 4), name

    def log(self, who: str, op: str, key: str, **fields: Any) -> None:
        """Append a line to the delivery log."""
        if who in self.quiet:
            return
        line: Line = {
            "at_us": MONDAY_US + round(self.loop.now_s * 1_000_000),
            "worker": who,
            "boot": self.boots.get(who),
            "build": self.builds.get(who),
            "op": op,
            "delivery_id": key,
        }
        for name, value in fields.items():
            if value is not None:
                line[name] = value
        extra = self.extras.pop(key, None) if self.extras else None
        if extra:
            line.update(extra)
        self.on_line(line)


class LabClock:
    """The port `Clock`."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop

    def now(self) -> float:
        return self._loop.now_s

    async def sleep(self, seconds: float) -> None:
        task = self._loop.current
        if task is not None and task.may_stop:
            task.is_over = True  # the loop does not come back to it
        await pause(seconds)


class LabSender:
    """The port `Sender`: a request to the delivery's receiver."""

    def __init__(self, world: World, outcomes: dict[str, Line]) -> None:
        self._world = world
        self._outcomes = outcomes

    async def send(self, delivery: str, attempt: int) -> int:
        world = self._world
        row = world.rows.get(delivery)
        endpoint = row["endpoint"] if row is not None else world.receivers.names[0]
        began_s = world.loop.now_s
        answer = world.receivers.answer(endpoint, began_s)
        world.sends += 1
        took_s = min(answer.after_s, world.request_timeout_s)
        await pause(took_s)
        outcome: Line = {"total_us": round(took_s * 1_000_000), "attempt_no": attempt}
        self._outcomes[delivery] = outcome
        if answer.after_s > world.request_timeout_s:
            outcome["outcome"] = "timeout"
            raise TimeoutError
        outcome["status"] = answer.status
        if 200 <= answer.status < 300:
            world.missing.pop(delivery, None)
        return answer.status


class LabStore:
    """The port `Store`, as one process sees it; it writes that process's lines of the log."""

    def __init__(self, world: World, who: str, outcomes: dict[str, Line]) -> None:
        self._world = world
        self._who = who
        self._outcomes = outcomes
        self._seen: dict[str, int] = {}  #: version that this process last read or wrote
        self._empty: tuple[Any, int] | None = None

    async def _reach(self) -> None:
        """The way to the database."""
        world = self._world
        low, high = _DATABASE_S
        await pause(low + (high - low) * world.draws.random())
        if world.is_away():
            raise ConnectionError("the database cannot be reached")

    async def get(self, key: str) -> Row | None:
        await self._reach()
        row = self._world.rows.get(key)
        if key in self._outcomes and (row is None or row["state"] in ENDS):
            self._refused(key, row, row or {})  # a result for what is over: logged as it comes
        if row is None:
            return None
        self._seen[key] = self._world.versions[key]
        return row.copy()

    async def put(self, key: str, row: Row) -> None:
        await self._reach()
        self._write(key, row.copy())

    async def put_if(self, key: str, row: Row, **expected: Any) -> bool:
        await self._reach()
        found = self._world.rows.get(key)
        values = found or {}
        for name, value in expected.items():
            if values.get(name) != value:
                self._refused(key, found, row)
                return False
        self._write(key, row.copy())
        return True

    async def find(self, where: Callable[[Row], bool], limit: int = 1) -> list[tuple[str, Row]]:
        world = self._world
        ready = world.candidates()
        # Nothing changed since the last look found nothing: a poll of an idle service is free.
        if not ready or self._empty == (where, world.changes):
            return []
        rows = world.rows
        found = []
        for key in ready:
            if where(rows[key]):
                self._seen[key] = world.versions[key]
                found.append((key, rows[key].copy()))
                if len(found) == limit:
                    break
        if found:
            await self._reach()
        else:
            self._empty = (where, world.changes)
        return found

    async def delete(self, key: str) -> None:
        await self._reach()
        self._write(key, None)

    def _write(self, key: str, row: Row | None) -> None:
        world = self._world
        before, version = world.write(key, row)
        seen = self._seen.get(key, 0)
        if row is None or row["state"] in ENDS:
            self._seen.pop(key, None)
        else:
            self._seen[key] = version
        outcome = self._outcomes.pop(key, None) if self._outcomes else None
        if before is None and row is None:
            return
        op = _op(key, before, row, outcome is not None)
        if op is not None:
            name = key.partition(":")[2] or key
            world.log(self._who, op, name, **_fields(before, row, seen, version, outcome))

    def _refused(self, key: str, found: Row | None, row: Row) -> None:
        """A write that lost. A lost claim is not worth a line; a lost outcome is."""
        outcome = self._outcomes.pop(key, None) if self._outcomes else None
        if outcome is None:
            return
        version = self._world.versions.get(key, 0)
        fields = _fields(found, found, self._seen.pop(key, 0), version, outcome)
        fields["rows_written"] = 0
        if row is not found:
            fields["lease_epoch"] = row.get("attempts")
        op = "succeeded" if 200 <= outcome.get("status", 0) < 300 else "failed"
        self._world.log(self._who, op, key, **fields)


def _fields(
    before: Row | None, row: Row | None, seen: int, version: int, outcome: Line | None
) -> Line:
    """What a line says of a change."""
    now = row or {}
    fields: Line = {
        "endpoint": (row or before or {}).get("endpoint"),
        "from_state": before and before["state"],
        "to_state": now.get("state"),
        "version_before": seen,
        "version_after": version,
        "rows_written": 1,
        "lease_epoch": now.get("attempts"),
        "attempt_no": now.get("attempts") or None,
        "reason": now.get("reason"),
    }
    for name, source in (("lease_until_us", "lease_until"), ("due_us", "due_at")):
        at_s = now.get(source)
        if at_s is not None:
            fields[name] = MONDAY_US + round(at_s * 1_000_000)
    if outcome:
        fields.update(outcome)
    return fields


_OPS: Final = {"delivered": "succeeded", "processing": "claimed"}


def _op(key: str, before: Row | None, row: Row | None, has_outcome: bool) -> str | None:
    """The word of the log for a change, or None for a row that is not logged."""
    kind, colon, _ = key.partition(":")
    if colon:
        return _queue_op(before, row) if kind == "queue" else None
    if row is None:
        return "failed" if has_outcome else "deleted"
    state: str = row["state"]
    if before is None and state == "pending":
        return "accepted"
    if has_outcome and state != "delivered":
        return "dead" if state == "dead" else "failed"
    if state == "pending":
        return "released"
    return _OPS.get(state, state)


def _queue_op(before: Row | None, row: Row | None) -> str:
    """The word for a change of an entry in a queue."""
    if row is None:
        return "acked" if before and before["holder"] else "dequeued"
    if row["holder"]:
        return "claimed"
    return "enqueued"
