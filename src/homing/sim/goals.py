"""What must have happened sometimes, or a run without losses means nothing."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from typing import Final


class Goal(StrEnum):
    """One interesting thing, in words that a table shows."""

    LEASE_EXPIRED_MID_RESPONSE = "a lease ran out while the receiver was still answering"
    TWO_HELD_ONE = "two dispatchers attempted one delivery at the same time"
    CRASH_BEFORE_SEND = "a crash between the lease and the request"
    CRASH_AFTER_SEND = "a crash between the request and its outcome"
    CRASH_BEFORE_COMMIT = "a crash just before a commit"
    CRASH_AFTER_COMMIT = "a crash just after a commit"
    ANSWER_LOST = "the database committed and its answer was lost"
    DATABASE_AWAY = "the database was away for seconds"
    PAUSED = "a process stood still for longer than its lease"
    CLOCK_JUMPED_BACK = "a clock jumped back"
    CLOCK_JUMPED_AHEAD = "a clock jumped ahead"
    STALE_REFUSED = "a late outcome was refused by the fence"
    LAPSE_RETAKEN = "a lease ran out and another process took it"
    QUARANTINED = "a delivery lapsed too often and was quarantined"
    PROCESSED_AND_RESET = "a receiver processed a request and reset the connection"
    REDRIVE_RACED_RETRY = "a person's resend or redrive raced the machine's retry"
    RESEND_RESUMED = "a resend failed and the retry that was planned stood"
    DISABLED_MID_ATTEMPT = "an endpoint was disabled in mid-attempt"
    DELETED_MID_ATTEMPT = "an endpoint was deleted in mid-attempt"
    PARKED_AND_RESUMED = "a parked delivery was resumed"
    GONE = "a receiver said 410 and its endpoint was disabled"
    DEAD = "a delivery was given up"
    REPEAT_RECOGNISED = "a publisher's repeat was recognised"
    FANOUT_OUTDATED = "a fan-out was out of date and computed again"
    DRAINED_UNDER_LOAD = "a process was drained with work in hand"


#: runs of fewer worlds tell what they met, and are not judged by it
JUDGED_FROM: Final = 200


def unmet(met: Counter[Goal], worlds: int) -> list[Goal]:
    """Goals that a run of so many worlds should have met and did not."""
    if worlds < JUDGED_FROM:
        return []
    return [goal for goal in Goal if not met[goal]]
