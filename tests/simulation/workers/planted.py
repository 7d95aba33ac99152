"""Workers for the explorer's own tests: a sound one, and the same with a bug each."""

from __future__ import annotations

import asyncio
import logging
import random
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import ClassVar

from homing.sim.workers.ports import Chance, Clock, Row, Sender, Store

LEASE_S = 20.0
ATTEMPTS_MAX = 4


class Sound:
    """Claims under a lease, behind a compare and set; writes only over its own claim."""

    def __init__(
        self, store: Store, sender: Sender, clock: Clock, chance: Chance, name: str
    ) -> None:
        self.store = store
        self.sender = sender
        self.clock = clock
        self.chance = chance
        self.name = name

    async def run(self) -> None:
        while True:
            found = await self.store.find(self.is_due)
            for key, row in found:
                await self.take(key, row)
            if not found:
                await self.clock.sleep(1.0)

    def is_due(self, row: Row) -> bool:
        return row["state"] in ("pending", "processing") and row["due_at"] <= self.clock.now()

    async def take(self, key: str, row: Row) -> None:
        mine = self.claimed(row)
        if await self.store.put_if(key, mine, state=row["state"], attempts=row["attempts"]):
            await self.attempt(key, mine)

    def claimed(self, row: Row) -> Row:
        until = self.clock.now() + LEASE_S
        return {**row, "state": "processing", "attempts": row["attempts"] + 1, "due_at": until}

    async def attempt(self, key: str, mine: Row) -> None:
        try:
            status = await self.sender.send(key, mine["attempts"])
        except TimeoutError:
            status = 0
        await self.write(key, mine, self.after(mine, status))

    def after(self, mine: Row, status: int) -> Row:
        if 200 <= status < 300:
            return {**mine, "state": "delivered"}
        if mine["attempts"] >= ATTEMPTS_MAX:
            return {**mine, "state": "dead"}
        due_at = self.clock.now() + 3.0 * mine["attempts"] + self.chance.random()
        return {**mine, "state": "pending", "due_at": due_at}

    async def write(self, key: str, mine: Row, after: Row) -> None:
        await self.store.put_if(key, after, state="processing", attempts=mine["attempts"])


class Concurrent(Sound):
    """Sound: several deliveries at once, each in a task, with deadlines and a lock."""

    async def run(self) -> None:
        lock = asyncio.Lock()
        while True:
            async with lock:
                found = await self.store.find(self.is_due, limit=3)
            async with asyncio.TaskGroup() as group:
                for key, row in found:
                    group.create_task(self.take(key, row))
            await self.clock.sleep(1.0)

    async def attempt(self, key: str, mine: Row) -> None:
        try:
            async with asyncio.timeout(LEASE_S / 2):
                status = await self.sender.send(key, mine["attempts"])
        except TimeoutError:
            status = 0
        await self.write(key, mine, self.after(mine, status))


class Deleting(Sound):
    """Sound: what is done is deleted, as queues do."""

    async def write(self, key: str, mine: Row, after: Row) -> None:
        row = await self.store.get(key)
        if row is None or row["attempts"] != mine["attempts"]:
            return
        await super().write(key, mine, after)
        if after["state"] == "delivered":
            await self.store.delete(key)


class Quarantining(Sound):
    """Sound: what lapses three times in a row is set aside, in a state that says so."""

    ends = ("cancelled", "quarantined")

    def claimed(self, row: Row) -> Row:
        lapses = row.get("lapses", 0) + 1 if row["state"] == "processing" else 0
        if lapses >= 3:
            return {**row, "state": "quarantined", "lapses": lapses}
        return {**super().claimed(row), "lapses": lapses}

    async def attempt(self, key: str, mine: Row) -> None:
        if mine["state"] == "processing":
            await super().attempt(key, mine)


class Unfenced(Sound):
    """Bug: written over whatever is there."""

    async def write(self, key: str, mine: Row, after: Row) -> None:
        await self.store.put(key, after)


class CheckThenPut(Sound):
    """Bug: looks, and then writes: another may write between the two."""

    async def write(self, key: str, mine: Row, after: Row) -> None:
        row = await self.store.get(key)
        if row is not None and row["attempts"] == mine["attempts"]:
            await self.store.put(key, after)


class Unleased(Sound):
    """Bug: nobody takes what a dead worker left behind."""

    def is_due(self, row: Row) -> bool:
        return row["state"] == "pending" and row["due_at"] <= self.clock.now()


class NoClaim(Sound):
    """Bug: two may take the same delivery, and one attempts what the other has delivered."""

    async def take(self, key: str, row: Row) -> None:
        mine = self.claimed(row)
        await self.store.put(key, mine)
        await self.attempt(key, mine)


class Hopeful(Sound):
    """Bug: no answer counts as success."""

    def after(self, mine: Row, status: int) -> Row:
        return super().after(mine, status or 200)


class Hasty(Sound):
    """Bug: gives up what it finds processing."""

    async def take(self, key: str, row: Row) -> None:
        if row["state"] == "processing":
            await self.write(key, row, {**row, "state": "dead"})
            return
        await super().take(key, row)


class Popping(Sound):
    """Bug: takes the row out while it works on it."""

    async def attempt(self, key: str, mine: Row) -> None:
        await self.store.delete(key)
        await super().attempt(key, mine)

    async def write(self, key: str, mine: Row, after: Row) -> None:
        await self.store.put(key, after)


class Resending(Sound):
    """Bug: a delivery that lapsed is sent again, though its row says delivered."""

    async def take(self, key: str, row: Row) -> None:
        if row["state"] == "processing":  # "make sure": send first, look later
            await self.store.get(key)
            await self.clock.sleep(1.0)
            await self.sender.send(key, row["attempts"] + 1)
        await super().take(key, row)


class Forgetful(Sound):
    """Bug: the query for what is due stops before the schedule does."""

    def is_due(self, row: Row) -> bool:
        return row["attempts"] < 3 and super().is_due(row)


class Patient(Sound):
    """Sound, and slow: it polls often, and waits for hours between attempts."""

    def after(self, mine: Row, status: int) -> Row:
        row = super().after(mine, status)
        return {**row, "due_at": row["due_at"] + 7_200.0} if row["state"] == "pending" else row

    async def run(self) -> None:
        while True:
            for key, row in await self.store.find(self.is_due):
                await self.take(key, row)
            await self.clock.sleep(0.5)


class Jittered(Sound):
    """Not explorable: it does something else each time."""

    async def take(self, key: str, row: Row) -> None:
        await self.clock.sleep(random.random())
        await super().take(key, row)


class Remembering(Sound):
    """Not explorable: what it saw in one world it knows in the next."""

    seen: ClassVar[set[str]] = set()

    async def take(self, key: str, row: Row) -> None:
        if key in self.seen:
            await self.clock.sleep(60.0)
        else:
            self.seen.add(key)
            await super().take(key, row)


class OnTheWall(Sound):
    """Not explorable: it looks at the clock on the wall."""

    def is_due(self, row: Row) -> bool:
        return row["state"] in ("pending", "processing") and row["due_at"] <= time.time()


class Timed(Sound):
    """Sound, and measures how long its requests take."""

    async def attempt(self, key: str, mine: Row) -> None:
        time.perf_counter()
        await super().attempt(key, mine)


class Talking(Sound):
    """Sound, and says what it does."""

    async def take(self, key: str, row: Row) -> None:
        print(f"takes {key}")
        logging.getLogger("shop").error("takes %s, for the record", key)
        await super().take(key, row)


class Nervous(Sound):
    """Sound, but it waits for its backoff without letting time pass."""

    async def take(self, key: str, row: Row) -> None:
        while row["attempts"] == 3:
            await asyncio.sleep(0)
        await super().take(key, row)


class Napping(Sound):
    """Not explorable: it takes a short nap in the machine's own time."""

    async def attempt(self, key: str, mine: Row) -> None:
        time.sleep(0.6)
        await super().attempt(key, mine)


class Stubborn(Sound):
    """Sound, and nothing ends it."""

    async def run(self) -> None:
        while True:
            with suppress(BaseException):
                await super().run()


class Hurried(Sound):
    """Sound, and knows its receivers."""

    delays_s = (7,)


class Threaded(Sound):
    """Not explorable: it has a thread."""

    async def attempt(self, key: str, mine: Row) -> None:
        threading.Thread(target=print).start()


class OnTheWire(Sound):
    """Not explorable: it sends by itself."""

    async def attempt(self, key: str, mine: Row) -> None:
        with socket.socket() as line:
            line.connect(("127.0.0.1", 9))


class Racing(Sound):
    """Not explorable: no time ever passes."""

    async def run(self) -> None:
        while True:
            await asyncio.sleep(0)


class Unawaited(Sound):
    """Not explorable: it forgets to wait."""

    async def take(self, key: str, row: Row) -> None:
        self.store.put(key, row)  # type: ignore[unused-coroutine]
        await self.clock.sleep(60.0)


class Exiting(Sound):
    """Not explorable: it leaves."""

    async def take(self, key: str, row: Row) -> None:
        sys.exit(3)


class Synchronous(Sound):
    """Not explorable: it waits for nobody."""

    def run(self) -> None:  # type: ignore[override]
        for _ in self.store.find(self.is_due):  # type: ignore[attr-defined]
            pass


class Generating(Sound):
    """Not explorable: to run it gives a generator."""

    async def run(self) -> AsyncIterator[None]:  # type: ignore[override]
        yield await self.clock.sleep(1.0)


class OtherPort(Sound):
    """Not explorable: its store is another."""

    async def take(self, key: str, row: Row) -> None:
        await self.store.update(key, state="processing")  # type: ignore[attr-defined]


class OtherSender(Sound):
    """Not explorable: its sender is another."""

    async def attempt(self, key: str, mine: Row) -> None:
        await self.sender.post(key)  # type: ignore[attr-defined]


class Halved:
    """Not explorable: it takes a store alone."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def run(self) -> None:
        """Nothing."""


class Runless:
    """Not explorable: it does not run."""

    def __init__(self, *ports: object) -> None:
        self.ports = ports


class Stateless(Sound):
    """Not explorable: it takes rows for granted."""

    @staticmethod
    def state_of(rows: dict[str, Row], delivery: str) -> str:
        return str(rows[delivery]["state"])


class Tableless(Sound):
    """Not explorable: its states are in no table."""

    store = "sqlite"  # type: ignore[assignment]
    schema = "CREATE TABLE somewhere (id TEXT)"
    states = "SELECT id, state FROM nowhere"

    async def accept(self, delivery: str) -> None:
        await self.clock.sleep(1.0)


class Wordless(Sound):
    """Not explorable: no word for success."""

    delivered = 5


class Instant(Sound):
    """Not explorable: no delay is 0."""

    delays_s = (0,)


class Broken(Sound):
    """Not explorable: a field that is not there."""

    def is_due(self, row: Row) -> bool:
        return bool(row["no_such_field"])


class Idle(Sound):
    """Not explorable: it does nothing."""

    async def run(self) -> None:
        while True:
            await self.clock.sleep(10.0)


class OtherWords(Sound):
    """Not explorable as it is: its ends are called something else."""

    def after(self, mine: Row, status: int) -> Row:
        row = super().after(mine, status)
        return {**row, "state": "sent"} if row["state"] == "delivered" else row


class Spinning(Sound):
    """Not explorable: it never lets go."""

    async def run(self) -> None:
        while True:
            pass


class Waiting(Sound):
    """Not explorable: it waits in the machine's own time."""

    async def run(self) -> None:
        time.sleep(60)


nothing = 7
