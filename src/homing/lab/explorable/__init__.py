"""The lab's workers as `homing reproduce` explores them: each with the fix that mends it."""

from __future__ import annotations

from typing import Final

from homing.lab.explorable.queues import (
    AtMostOnce,
    CursorRelay,
    EndingMarkers,
    LeasedQueue,
    Popped,
    SkippedTwice,
    UnlistedRelay,
)
from homing.lab.explorable.rows import (
    DeadLetterFails,
    DeadLetterFirst,
    FixedWorker,
    LastResort,
    Parking,
    RequeuingSweep,
    RetainsUnfinished,
    Retention,
    SwitchedOff,
)
from homing.lab.faults.workers import ForgottenTail, StuckProcessing, TakenForGranted, UnreadRetries
from homing.lab.service.worker import RetryWorker
from homing.lab.sound import Worker as SoundWorker

#: by mechanism: the class with the fault, and the one without, by their names in this module
LAB_WORKERS: Final = {
    "D1": (UnreadRetries.__name__, "SoundWorker"),
    "D2": (StuckProcessing.__name__, "SoundWorker"),
    "D3": (SkippedTwice.__name__, LeasedQueue.__name__),
    "D4": (Popped.__name__, LeasedQueue.__name__),
    "D5": (TakenForGranted.__name__, "SoundWorker"),
    "D6": (RetryWorker.__name__, FixedWorker.__name__),
    "D7": (LastResort.__name__, RequeuingSweep.__name__),
    "D8": (AtMostOnce.__name__, EndingMarkers.__name__),
    "D9": (SwitchedOff.__name__, Parking.__name__),
    "D10": (DeadLetterFails.__name__, DeadLetterFirst.__name__),
    "D11": (Retention.__name__, RetainsUnfinished.__name__),
    "D12": (CursorRelay.__name__, UnlistedRelay.__name__),
}

__all__ = [
    "LAB_WORKERS",
    "AtMostOnce",
    "CursorRelay",
    "DeadLetterFails",
    "DeadLetterFirst",
    "EndingMarkers",
    "FixedWorker",
    "ForgottenTail",
    "LastResort",
    "LeasedQueue",
    "Parking",
    "Popped",
    "RequeuingSweep",
    "RetainsUnfinished",
    "Retention",
    "RetryWorker",
    "SkippedTwice",
    "SoundWorker",
    "StuckProcessing",
    "SwitchedOff",
    "TakenForGranted",
    "UnlistedRelay",
    "UnreadRetries",
]
