"""Faults in what a worker does with a row: D1, D2, D5, D7, D9, D10."""

from __future__ import annotations

from contextlib import suppress

from homing.lab.loop import pause
from homing.lab.sound import Worker
from homing.lab.world import LabStore, World
from homing.sim.workers.ports import Chance, Clock, Row, Sender, Store


class UnreadRetries(Worker):
    """D1. After a timeout the state is "retrying", a word that no query asks for."""

    def decided(self, job: Row, status: int | None) -> Row:
        row = super().decided(job, status)
        if status is None and row["state"] == "pending":
            row["state"] = "retrying"
        return row


class ForgottenTail(Worker):
    """D1. The schedule has six retries; the query for what is due stops at three."""

    def is_due(self, row: Row) -> bool:
        return row["attempts"] < 3 and super().is_due(row)


class StuckProcessing(Worker):
    """D2. There is no lease, and the path of a timeout notes the error but not the state."""

    def is_due(self, row: Row) -> bool:
        return bool(row["state"] == "pending" and row["due_at"] <= self.clock.now())

    def claimed(self, row: Row) -> Row:
        return {**super().claimed(row), "lease_until": None}

    async def finish(self, key: str, job: Row, status: int | None) -> None:
        if status is None:
            await self.store.put(key, {**job, "reason": "timeout"})
            return
        await super().finish(key, job, status)


class TakenForGranted(Worker):
    """D5. Whatever is not a server's error counts as delivered, a 429 too."""

    def decided(self, job: Row, status: int | None) -> Row:
        if status is not None and 400 <= status < 500:
            return super().decided(job, 200)
        return super().decided(job, status)


class ShortLease(Worker):
    """Of D7: the lease may run out before the answer comes; who holds it then is the sweeper's."""

    lease_s = 12.0

    def is_due(self, row: Row) -> bool:
        return bool(row["state"] == "pending" and row["due_at"] <= self.clock.now())


class LastResort:
    """D7. The sweep counts a delivery whose lease ran out as failed for good."""

    def __init__(
        self, store: Store, sender: Sender, clock: Clock, chance: Chance, name: str
    ) -> None:
        self.store = store
        self.clock = clock
        self.name = name

    async def run(self) -> None:
        while True:
            for key, row in await self.store.find(self.is_stalled, limit=20):
                failed = {**row, "state": "failed", "holder": None, "lease_until": None}
                failed["reason"] = "stalled"
                await self.store.put_if(key, failed, attempts=row["attempts"], state="processing")
            await self.clock.sleep(5.0)

    def is_stalled(self, row: Row) -> bool:
        return bool(row["state"] == "processing" and row["lease_until"] <= self.clock.now())


class Disabling(Worker):
    """D9. An endpoint that fails for long is switched off, and what is due for it is skipped."""

    failures_max = 6
    off_s = 1_800.0
    failures: dict[str, int]
    off_until: dict[str, float]

    def __init__(
        self, store: Store, sender: Sender, clock: Clock, chance: Chance, name: str
    ) -> None:
        super().__init__(store, sender, clock, chance, name)
        self.failures, self.off_until = {}, {}

    async def attempt(self, key: str, job: Row) -> None:
        endpoint = job["endpoint"]
        if self.off_until.get(endpoint, 0.0) > self.clock.now():
            skipped = {**job, "state": "skipped", "holder": None, "lease_until": None}
            skipped["reason"] = "endpoint_disabled"
            await self.store.put_if(key, skipped, holder=self.name, attempts=job["attempts"])
            return
        status = await self.send(key, job)
        is_fine = status is not None and status < 300
        self.failures[endpoint] = 0 if is_fine else self.failures.get(endpoint, 0) + 1
        if self.failures[endpoint] >= self.failures_max:
            self.off_until[endpoint] = self.clock.now() + self.off_s
            self.failures[endpoint] = 0
        await self.finish(key, job, status)


class DeadLetterFails(Worker):
    """D10. The row goes before the dead letter is stored, and storing it may fail."""

    backoff_s = (10, 40, 150)

    async def finish(self, key: str, job: Row, status: int | None) -> None:
        row = self.decided(job, status)
        if row["state"] != "dead":
            await super().finish(key, job, status)
            return
        await self.store.delete(key)
        with suppress(ValueError):  # a warning in another log that nobody reads
            await self.bury(key, row, status)

    async def bury(self, key: str, row: Row, status: int | None) -> None:
        """Store the dead letter; the error of a timeout has a long trace, the column 255 letters.

        Raises:
            ValueError: the database refuses the row.
        """
        if status is None:
            raise ValueError("value too long for type character varying(255)")
        await self.store.put(key, row)


class LongSchedule(Worker):
    """Of D11: retries up to hours later."""

    backoff_s = (30, 600, 3_600, 10_800, 28_800)


class Retention:
    """D11. Every half hour, rows older than ninety minutes go, finished or not."""

    keep_s = 5_400.0

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.store = LabStore(world, name, {})

    async def run(self) -> None:
        while True:
            oldest = self.world.loop.now_s - self.keep_s
            old = [key for key, at_s in self.world.missing.items() if at_s < oldest]
            for key in old:
                if key in self.world.rows:
                    await self.store.delete(key)
            await pause(1_800.0)


class Hasty(Worker):
    """No fault: the lease is shorter than an answer may take, and a late result is refused."""

    lease_s = 10.0


class Impatient(Worker):
    """No fault: few retries, so that some deliveries die, each with its reason."""

    backoff_s = (15, 60, 240, 600)
