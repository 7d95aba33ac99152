"""What a line of a delivery log may say: what was done, and where the delivery stands after it. Pure."""

from __future__ import annotations

from enum import IntEnum
from typing import Final, NamedTuple


class Op(IntEnum):
    """What a line of a log says was done; its number is a bit of the set of a delivery."""

    UNKNOWN = 0
    ACCEPTED = 1  #: the event is durable, or the log's first word about it
    QUEUED = 2  #: handed to a queue or listed for the workers
    CLAIMED = 3  #: a worker took it
    SENT = 4  #: a request began
    SUCCEEDED = 5  #: the receiver answered 2xx, or the log calls it delivered
    FAILED = 6  #: an attempt failed and may be repeated
    RETRY = 7  #: another attempt was planned
    DEAD = 8  #: given up, on record
    CANCELLED = 9  #: withdrawn by somebody
    PARKED = 10  #: kept for later, on purpose
    RESUMED = 11  #: brought back by a person or a rule
    LAPSED = 12  #: a lease ran out
    RELEASED = 13  #: given back unsent
    SKIPPED = 14  #: passed over as a duplicate or as being in progress
    PURGED = 15  #: deleted by a rule of retention
    DISCARDED = 16  #: thrown away because of what it was
    ATTEMPTED = 17  #: a request ended; its status says how
    EXHAUSTED = 18  #: the schedule of retries came to its end
    DEAD_FAILED = 19  #: the move to the dead letters failed
    WRITTEN = 20  #: a state was saved, whatever the reason
    STARTED = 21  #: a process began: it belongs to no delivery
    POSTPONED = 22  #: left for later without an attempt
    NOT_QUEUED = 23  #: the hand-over to the queue failed
    NOTED = 24  #: nothing changed by it: a heartbeat, a late result that was ignored, a crash


class Stand(IntEnum):
    """Where a delivery stands after a line; 0 where the line does not say."""

    NONE = 0
    WAITING = 1
    LEASED = 2
    DELIVERED = 3
    DEAD = 4
    CANCELLED = 5
    PARKED = 6
    FAILED = 7  #: an attempt failed; whether it is the end shows elsewhere
    GONE = 8  #: skipped, discarded or purged
    EXHAUSTED = 9


class Word(NamedTuple):
    """What a word of a log means."""

    op: Op
    stand: Stand
    result: int = 0  #: 1 the request succeeded, -1 it failed, 0 it does not say


UNKNOWN: Final = Word(Op.UNKNOWN, Stand.NONE)
#: where a delivery stands after an operation, unless the line says otherwise
STAND_OF_OP: Final[dict[Op, Stand]] = {
    Op.ACCEPTED: Stand.WAITING,
    Op.QUEUED: Stand.WAITING,
    Op.CLAIMED: Stand.LEASED,
    Op.SENT: Stand.LEASED,
    Op.SUCCEEDED: Stand.DELIVERED,
    Op.FAILED: Stand.FAILED,
    Op.RETRY: Stand.WAITING,
    Op.DEAD: Stand.DEAD,
    Op.CANCELLED: Stand.CANCELLED,
    Op.PARKED: Stand.PARKED,
    Op.RESUMED: Stand.WAITING,
    Op.RELEASED: Stand.WAITING,
    Op.SKIPPED: Stand.GONE,
    Op.PURGED: Stand.GONE,
    Op.DISCARDED: Stand.GONE,
    Op.EXHAUSTED: Stand.EXHAUSTED,
    Op.POSTPONED: Stand.WAITING,
}
RESULT_OF_OP: Final = {Op.SUCCEEDED: 1, Op.FAILED: -1}
