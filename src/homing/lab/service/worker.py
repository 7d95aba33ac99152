"""The retry worker of the payment notification service: every webhook goes through here.

Several run side by side. A worker takes a delivery by writing its own name and a lease into the
row; when the lease runs out before there is a result, any other worker may take it over.
"""

from __future__ import annotations

from homing.sim.workers.ports import Chance, Clock, Row, Sender, Store

LEASE_S = 10.0
POLL_S = 2.0
BACKOFF_S = (15, 60, 300, 900, 3600, 10800, 21600)


class RetryWorker:
    def __init__(
        self, store: Store, sender: Sender, clock: Clock, chance: Chance, name: str
    ) -> None:
        self.store, self.sender, self.clock = store, sender, clock
        self.chance, self.name = chance, name

    async def run(self) -> None:
        while True:
            found = await self.store.find(self.is_due)
            if not found:
                await self.clock.sleep(POLL_S)
            for key, row in found:
                job = {
                    **row,
                    "state": "processing",
                    "holder": self.name,
                    "attempts": row["attempts"] + 1,
                    "lease_until": self.clock.now() + LEASE_S,
                    "due_at": None,
                }
                # Two workers may have found the same row; only one of them gets it.
                seen = {"state": row["state"], "attempts": row["attempts"]}
                if await self.store.put_if(key, job, **seen):
                    await self.deliver(key, job)

    def is_due(self, row: Row) -> bool:
        now = self.clock.now()
        if row["state"] == "pending":
            return bool(row["due_at"] is not None and row["due_at"] <= now)
        return bool(row["state"] == "processing" and row["lease_until"] <= now)

    async def deliver(self, key: str, job: Row) -> None:
        try:
            status: int | None = await self.sender.send(key, job["attempts"])
        except TimeoutError:
            status = None
        await self.record(key, job, status)

    async def record(self, key: str, job: Row, status: int | None) -> None:
        current = await self.store.get(key)
        if current is None or current["state"] in ("delivered", "dead"):
            return
        taken_over = current["holder"] != self.name
        done = {**job, "holder": None, "lease_until": None}
        if status is not None and 200 <= status < 300:
            done["state"] = "delivered"
        elif job["attempts"] > len(BACKOFF_S):
            done["state"] = "dead"
            done["reason"] = "attempts_exhausted"
        else:
            done["state"] = "pending"
            # Customers complained about webhooks that came twice: when another worker has taken
            # over, it schedules the next attempt, and we must not schedule a second one.
            done["due_at"] = None if taken_over else self.clock.now() + self.backoff(job)
        await self.save(key, job, done)

    async def save(self, key: str, job: Row, done: Row) -> None:
        await self.store.put(key, done)

    def backoff(self, job: Row) -> float:
        step = BACKOFF_S[min(job["attempts"], len(BACKOFF_S)) - 1]
        return step * (0.9 + 0.2 * self.chance.random())
