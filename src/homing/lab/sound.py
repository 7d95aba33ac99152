"""A webhook service that drops nothing, against the four ports; every incident spoils one part."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from homing.lab.loop import pause
from homing.lab.traffic import Payment
from homing.lab.world import LabStore, Line, World
from homing.sim.workers.ports import Chance, Clock, Row, Sender, Store


class Worker:
    """Takes what is due, sends it, writes down what came back, only over the row it took."""

    lease_s: ClassVar[float] = 45.0  #: longer than a request may take
    poll_s: ClassVar[float] = 1.0
    #: seconds until the next attempt, by failures so far; after the last the delivery is dead
    backoff_s: ClassVar[tuple[float, ...]] = (20, 60, 300, 1_200, 3_600, 10_800)

    def __init__(
        self, store: Store, sender: Sender, clock: Clock, chance: Chance, name: str
    ) -> None:
        self.store = store
        self.sender = sender
        self.clock = clock
        self.chance = chance
        self.name = name

    async def run(self) -> None:
        """Work for ever; a database that is away for a moment is asked again."""
        while True:
            try:
                if not await self.turn():
                    await self.clock.sleep(self.poll_s)
            except ConnectionError:
                await self.clock.sleep(2.0)

    async def turn(self) -> bool:
        """Do one delivery; False when none is due."""
        found = await self.store.find(self.is_due)
        for key, row in found:
            job = self.claimed(row)
            if await self.store.put_if(key, job, state=row["state"], attempts=row["attempts"]):
                await self.attempt(key, job)
        return bool(found)

    def is_due(self, row: Row) -> bool:
        """Waiting and due, or held by somebody whose lease ran out."""
        if row["state"] == "pending":
            return bool(row["due_at"] is not None and row["due_at"] <= self.clock.now())
        return bool(row["state"] == "processing" and row["lease_until"] <= self.clock.now())

    def claimed(self, row: Row) -> Row:
        """The row as this worker's."""
        return {
            **row,
            "state": "processing",
            "holder": self.name,
            "attempts": row["attempts"] + 1,
            "lease_until": self.clock.now() + self.lease_s,
            "due_at": None,
        }

    async def attempt(self, key: str, job: Row) -> None:
        """One request, and what becomes of the delivery by it."""
        status = await self.send(key, job)
        await self.finish(key, job, status)

    async def send(self, key: str, job: Row) -> int | None:
        """The status; None when no answer came in time."""
        try:
            return await self.sender.send(key, job["attempts"])
        except TimeoutError:
            return None

    async def finish(self, key: str, job: Row, status: int | None) -> None:
        """Write the outcome, unless somebody else has taken the row meanwhile."""
        row = self.decided(job, status)
        await self.store.put_if(key, row, holder=self.name, attempts=job["attempts"])

    def decided(self, job: Row, status: int | None) -> Row:
        """The row after this outcome."""
        row = {**job, "holder": None, "lease_until": None}
        if status is not None and 200 <= status < 300:
            return {**row, "state": "delivered"}
        if job["attempts"] > len(self.backoff_s):
            return {**row, "state": "dead", "reason": "attempts_exhausted"}
        return {**row, "state": "pending", "due_at": self.clock.now() + self.delay_s(job)}

    def delay_s(self, job: Row) -> float:
        """Until the next attempt: the schedule, with a tenth of jitter."""
        step = self.backoff_s[min(job["attempts"], len(self.backoff_s)) - 1]
        return float(step * (0.9 + 0.2 * self.chance.random()))


class Intake:
    """Accepts payments: each is a row before its publisher hears that it was accepted."""

    name = "intake-1"

    def __init__(self, world: World, payments: Iterable[Payment]) -> None:
        self.world = world
        self.payments = payments
        self.store = LabStore(world, self.name, {})

    async def run(self) -> None:
        clock = self.world.loop
        for payment in self.payments:
            if payment.at_s > clock.now_s:
                await pause(payment.at_s - clock.now_s)
            await self.take(payment)

    async def take(self, payment: Payment) -> None:
        """One request of a publisher."""
        await self.accept(payment, self.new_row(payment))

    def close(self) -> None:
        """The time is over."""

    def new_row(self, payment: Payment) -> Row:
        """A delivery as it begins: due at once."""
        return {
            "state": "pending",
            "endpoint": payment.endpoint,
            "attempts": 0,
            "holder": None,
            "lease_until": None,
            "due_at": self.world.loop.now_s,
        }

    def noted(self, payment: Payment, row: Row) -> Line:
        """What the log's line of the acceptance says besides."""
        return {
            "event_type": payment.event_type,
            "payload_bytes": payment.payload_bytes,
            "region": payment.region,
            "ingest_us": round((self.world.loop.now_s - payment.at_s) * 1_000_000),
        }

    async def accept(self, payment: Payment, row: Row) -> None:
        """Store it; from here on it must not be lost."""
        key = key_of(payment)
        self.world.extras[key] = self.noted(payment, row)
        await self.store.put(key, row)
        self.world.accepted += 1
        self.world.missing[key] = self.world.loop.now_s


def key_of(payment: Payment) -> str:
    """The id of the delivery that a payment becomes."""
    return "dlv_" + payment.id.removeprefix("pay_")
