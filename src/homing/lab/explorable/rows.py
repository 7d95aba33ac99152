"""Faults in what becomes of a row, against the four ports alone: D6, D7, D9, D10, D11.

In the lab's logs a sweep, a retention job or a switch is a process of its own; here each is a part
of the worker's turn, so that the explorer may put it between any two steps.
"""

from __future__ import annotations

from typing import Final

from homing.lab.faults import workers
from homing.lab.service.worker import RetryWorker
from homing.lab.sound import Worker
from homing.sim.workers.ports import Chance, Clock, Row, Sender, Store

#: the row of the one endpoint that there is in an explored world
_ENDPOINT: Final = "endpoint:1"


class FixedWorker(RetryWorker):
    """The worker of the founding incident with its patch: a result is written only over its own
    attempt."""

    async def save(self, key: str, job: Row, done: Row) -> None:
        await self.store.put_if(key, done, holder=self.name, attempts=job["attempts"])


class LastResort(workers.ShortLease):
    """D7. Each turn begins with a sweep: what a lease ran out on has failed for good."""

    dead = ("dead", "failed")

    async def turn(self) -> bool:
        for key, row in await self.store.find(self.is_stalled, limit=20):
            await self.store.put_if(
                key, self.swept(row), attempts=row["attempts"], state="processing"
            )
        return await super().turn()

    def is_stalled(self, row: Row) -> bool:
        return bool(row["state"] == "processing" and row["lease_until"] <= self.clock.now())

    def swept(self, row: Row) -> Row:
        """What becomes of a delivery whose lease ran out."""
        return {
            **row,
            "state": "failed",
            "holder": None,
            "lease_until": None,
            "reason": "stalled",
        }


class RequeuingSweep(LastResort):
    """The fix: whose lease ran out is due again, for whoever comes first."""

    def swept(self, row: Row) -> Row:
        due_at = self.clock.now()
        return {**row, "state": "pending", "holder": None, "lease_until": None, "due_at": due_at}


class SwitchedOff(Worker):
    """D9. Three failures in a row switch the endpoint off, and what is due for it is skipped."""

    failures_max = 3
    off_s = 1_800.0

    async def turn(self) -> bool:
        endpoint = await self.store.get(_ENDPOINT) or {}
        until = endpoint.get("off_until") or 0.0
        if until <= self.clock.now():
            return await super().turn()
        found = await self.store.find(self.is_due)
        for key, row in found:
            await self.store.put_if(
                key, self.passed_over(row, until), state=row["state"], attempts=row["attempts"]
            )
        return bool(found)

    def passed_over(self, row: Row, until: float) -> Row:
        """What becomes of a delivery that is due while its endpoint is off.

        Args:
            until: when the endpoint is switched on again.
        """
        gone: Row = {**row, "state": "skipped", "holder": None, "lease_until": None}
        return {**gone, "reason": "endpoint_disabled"}

    async def attempt(self, key: str, job: Row) -> None:
        status = await self.send(key, job)
        await self.count(is_fine=status is not None and status < 300)
        await self.finish(key, job, status)

    async def count(self, *, is_fine: bool) -> None:
        """Count failures in a row; enough of them switch the endpoint off."""
        before = await self.store.get(_ENDPOINT) or {}
        failures = 0 if is_fine else int(before.get("failures") or 0) + 1
        after: Row = {**before, "state": "endpoint", "failures": failures}
        if failures >= self.failures_max:
            after |= {"failures": 0, "off_until": self.clock.now() + self.off_s}
        await self.store.put_if(_ENDPOINT, after, failures=before.get("failures"))


class Parking(SwitchedOff):
    """The fix: what is due for an endpoint that is off waits until it is on again."""

    def passed_over(self, row: Row, until: float) -> Row:
        return {**row, "state": "pending", "holder": None, "lease_until": None, "due_at": until}


class DeadLetterFails(workers.DeadLetterFails):
    """D10. The row goes before its dead letter is stored, and storing it may fail."""


class DeadLetterFirst(workers.DeadLetterFails):
    """The fix: the row becomes its own dead letter, in one step that checks whose turn it is."""

    finish = Worker.finish


class Retention(workers.LongSchedule):
    """D11. Every half hour, rows older than ninety minutes go, finished or not."""

    keep_s = 5_400.0
    every_s = 1_800.0

    def __init__(
        self, store: Store, sender: Sender, clock: Clock, chance: Chance, name: str
    ) -> None:
        super().__init__(store, sender, clock, chance, name)
        self.next_at = 0.0

    async def turn(self) -> bool:
        if self.next_at <= self.clock.now():
            self.next_at = self.clock.now() + self.every_s
            for key, _ in await self.store.find(self.is_old, limit=100):
                await self.store.delete(key)
        return await super().turn()

    def is_old(self, row: Row) -> bool:
        return bool(row["created_at"] <= self.clock.now() - self.keep_s)


class RetainsUnfinished(Retention):
    """The fix: only what is finished goes."""

    def is_old(self, row: Row) -> bool:
        return row["state"] in ("delivered", "dead") and super().is_old(row)
