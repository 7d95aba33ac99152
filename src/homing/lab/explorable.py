"""The lab's workers as `homing reproduce` explores them: each with the fix that mends it."""

from __future__ import annotations

from typing import Final

from homing.lab.faults.workers import ForgottenTail, StuckProcessing, TakenForGranted, UnreadRetries
from homing.lab.service.worker import RetryWorker
from homing.lab.sound import Worker as SoundWorker
from homing.sim.workers.ports import Row


class FixedWorker(RetryWorker):
    """The worker of the founding incident with its patch: a result is written only over its own
    attempt."""

    async def save(self, key: str, job: Row, done: Row) -> None:
        await self.store.put_if(key, done, holder=self.name, attempts=job["attempts"])


#: by mechanism: the class with the fault, and the one without, by their names in this module
LAB_WORKERS: Final = {
    "D1": (UnreadRetries.__name__, "SoundWorker"),
    "D2": (StuckProcessing.__name__, "SoundWorker"),
    "D5": (TakenForGranted.__name__, "SoundWorker"),
    "D6": (RetryWorker.__name__, FixedWorker.__name__),
}

__all__ = [
    "LAB_WORKERS",
    "FixedWorker",
    "ForgottenTail",
    "RetryWorker",
    "SoundWorker",
    "StuckProcessing",
    "TakenForGranted",
    "UnreadRetries",
]
