"""`homing serve` with a bug planted in it, named by its argument: to see that it is caught.

forgetful: every retry of one endpoint's first failure is forgotten, without a trace in its place.
boastful: an answer of 503 is taken for a success.
stuttering: every request is made twice.
miscounting: the log gives a failed attempt the number of the lease after it.
leaky: three in a thousand deliveries vanish in their retry, as where the old row is deleted in one
    step and the new one written in another, if it comes to that (`sim.naive.TwoStepDead`).
misdirected: a chaos run's requests to its endpoint 0 go to endpoint 1.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Sequence
from typing import Any

import msgspec

from homing.cli.main import main
from homing.core.journal import Journal
from homing.core.lifecycle import Delivery, State
from homing.core.outcome import Outcome, Reason
from homing.core.ports import Request
from homing.core.records import Change
from homing.dispatch.sender import HttpSender
from homing.store.sqlite import writes


def forgetful() -> None:
    settle = writes.settle

    def settle_and_forget(db: sqlite3.Connection, changes: Sequence[Change]) -> list[bool]:
        written = settle(db, changes)
        for change in changes:
            if change.after.state is State.WAITING and change.after.failures == 1:
                db.execute("DELETE FROM deliveries WHERE message_id = ?", (change.id.message_id,))
        return written

    writes.settle = settle_and_forget


def leaky() -> None:
    """Of the deliveries that a receiver refuses at first, HOMING_TEST_LEAK_PERMILLE vanish.

    They vanish at even distances, the first after half of one: the share is that in every run, so
    that a test can ask what an interval around it holds.
    """
    settle = writes.settle
    permille = int(os.environ["HOMING_TEST_LEAK_PERMILLE"])
    owed = 500

    def settle_and_leak(db: sqlite3.Connection, changes: Sequence[Change]) -> list[bool]:
        nonlocal owed
        written = settle(db, changes)
        for change in changes:
            if change.after.state is not State.WAITING or change.after.failures != 1:
                continue
            owed += permille
            if owed >= 1_000:
                owed -= 1_000
                db.execute("DELETE FROM deliveries WHERE message_id = ?", (change.id.message_id,))
        return written

    writes.settle = settle_and_leak


def boastful() -> None:
    send = HttpSender.send

    async def send_and_boast(self: HttpSender, request: Request) -> Outcome:
        outcome = await send(self, request)
        if outcome.status == 503:
            return msgspec.structs.replace(outcome, reason=Reason.OK)
        return outcome

    HttpSender.send = send_and_boast  # type: ignore[method-assign]


def stuttering() -> None:
    send = HttpSender.send

    async def send_twice(self: HttpSender, request: Request) -> Outcome:
        await send(self, request)
        return await send(self, request)

    HttpSender.send = send_twice  # type: ignore[method-assign]


def miscounting() -> None:
    decide = Journal.decide

    def decide_and_miscount(self: Journal, before: Delivery, *args: Any, **given: Any) -> Change:
        change = decide(self, before, *args, **given)
        if change.entry.op != "failed":
            return change
        epoch = change.entry.lease_epoch + 1
        entry = msgspec.structs.replace(change.entry, lease_epoch=epoch)
        return msgspec.structs.replace(change, entry=entry)

    Journal.decide = decide_and_miscount  # type: ignore[method-assign]


def misdirected() -> None:
    send = HttpSender.send

    async def send_elsewhere(self: HttpSender, request: Request) -> Outcome:
        url = request.url.removesuffix("/e/0") + "/e/1" * request.url.endswith("/e/0")
        return await send(self, msgspec.structs.replace(request, url=url))

    HttpSender.send = send_elsewhere  # type: ignore[method-assign]


if __name__ == "__main__":
    bugs = (forgetful, leaky, boastful, stuttering, miscounting, misdirected)
    {bug.__name__: bug for bug in bugs}[sys.argv[1]]()
    sys.argv = ["homing", "serve"]
    main()
