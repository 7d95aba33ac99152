"""D2, a hand-written loop: what goes wrong on the way leaves the row in `processing`.

An answer, good or bad, is written down. No answer is an exception, which is logged; and a worker
that dies writes nothing at all. Either way the row says `processing`, and nobody asks for that.
"""

from __future__ import annotations

from homing.sim.workers.ports import Chance, Clock, Row, Sender, Store

PATIENCE_S = 120.0


class Worker:
    """Marks the row before it sends, so that no other worker takes it."""

    def __init__(
        self, store: Store, sender: Sender, clock: Clock, chance: Chance, name: str
    ) -> None:
        self.store = store
        self.sender = sender
        self.clock = clock

    async def run(self) -> None:
        while True:
            found = await self.store.find(self.is_due, limit=10)
            for key, row in found:
                await self.attempt(key, row)
            if not found:
                await self.clock.sleep(2.0)

    def is_due(self, row: Row) -> bool:
        return row["state"] == "pending" and row["due_at"] <= self.clock.now()

    async def attempt(self, key: str, row: Row) -> None:
        attempt = row["attempts"] + 1
        mine = {
            **row,
            "state": "processing",
            "attempts": attempt,
            "taken_until": self.clock.now() + PATIENCE_S,
        }
        was = {name: row.get(name) for name in ("state", "attempts")}
        if not await self.store.put_if(key, mine, **was):
            return
        try:
            status = await self.sender.send(key, attempt)
        except TimeoutError:
            return  # "will be retried"
        if 200 <= status < 300:
            after = {**mine, "state": "delivered"}
        elif attempt >= 6:
            after = {**mine, "state": "dead"}
        else:
            after = {**mine, "state": "pending", "due_at": self.clock.now() + 15.0 * attempt}
        await self.store.put_if(key, after, state="processing", attempts=attempt)


class Fixed(Worker):
    """What is `processing` for longer than anybody works at it is due again."""

    def is_due(self, row: Row) -> bool:
        if row["state"] == "processing":
            return bool(row["taken_until"] <= self.clock.now())
        return super().is_due(row)
