"""What a log shows at all and what is usual in it, and so which mechanisms it tells apart. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from homing.forensics.catalogue import MECHANISMS
from homing.forensics.operations import Op
from homing.forensics.sweeps import Swept


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFacts:
    """What a log shows at all, and what is usual in it."""

    fields: frozenset[str]  #: canonical fields that some row has
    ops: frozenset[Op]
    #: of the deliveries that came through: the share with a line of the operation
    usual: dict[Op, float] = field(default_factory=dict)
    #: of failed attempts that were followed by another: the share whose next line plans it
    plans_retries: float = 0.0
    #: of the same: the share that tells, in its own line, when the next one is due
    plans_due: float = 0.0
    attempts_last: int | None = None  #: after which a delivery is given up
    end_us: int = 0
    #: the longest time from acceptance to a due time that was kept, while others were not; 0: none
    age_kept_us: int = 0
    #: drops are only just older than that: it is their age that decides, not their attempts
    is_age_sharp: bool = False
    #: and what was dropped had failed more often than whatever was kept: it may be either that decides
    are_later_attempts: bool = False
    #: the clean-up that found them too old, if its lines name none of them
    swept: Swept | None = None
    #: from when until when the log says that there was no connection to a queue
    cut_off: tuple[tuple[int, int], ...] = ()
    #: the fewest attempts after which a failed delivery has its dead letter; 0: none has
    dead_from: int = 0
    #: the words of those acceptances after which whoever accepted writes of the hand-over to the queue:
    #: so there is no poller for these
    queued_by_acceptor: frozenset[str | None] = frozenset()
    #: lines by which a worker takes a delivery, in a life without trouble
    takes_usual: int = 1
    #: what is delivered has a line that says so, apart from the answer of the receiver
    says_delivered: bool = False
    #: a failed attempt has a line that says so, apart from what follows of it
    tells_failures: bool = True
    #: what has failed for good has a line that says so, and a dead letter next
    buries_failed: bool = False
    #: a row a delivery, with its last state and no history
    is_table: bool = False
    #: there are such rows, and others beside them
    has_table: bool = False
    #: of what was accepted from then on the table has a row each, nearly; 0: of nothing
    rows_from_us: int = 0
    #: a row a change of state, and no word for what was done
    is_of_states: bool = False
    #: a row a request that came back: what a worker did before, or without one, is not in it
    is_of_requests: bool = False

    @property
    def tells_attempts(self) -> bool:
        """Whether anything in the log speaks of attempts or of workers."""
        told = self.fields & {"status", "attempt", "retries", "worker", "outcome", "reason"}
        return bool(told or self.ops - {Op.ACCEPTED, Op.QUEUED, Op.SUCCEEDED})

    def shows(self, op: Op) -> bool:
        """Whether deliveries that come through nearly always have such a line."""
        return self.usual.get(op, 0.0) > 0.5


#: lines that a log may have, as needed to tell mechanisms apart
_OPS: Final = {
    "accepted": Op.ACCEPTED,
    "queued": Op.QUEUED,
    "claimed": Op.CLAIMED,
    "sent": Op.SENT,
    "lapsed": Op.LAPSED,
    "purged": Op.PURGED,
    "exhausted": Op.EXHAUSTED,
}


def has_field(log: LogFacts, name: str) -> bool:
    """Whether the log has a field, or lines of a kind."""
    if name in ("claimed", "sent") and log.is_of_requests:
        return False
    if name == "purged" and log.shows(Op.PURGED):
        return False  # what is done is deleted from the queue: that says nothing of the rest
    if name == "max_attempts" and log.dead_from > 1:
        return True  # it shows by where the others end
    if name in _OPS:
        return _OPS[name] in log.ops
    if name == "due" and "ready_at" in log.fields:
        return True
    if name == "said":
        return log.says_delivered
    return name in log.fields


def twins_of(code: str, log: LogFacts, among: tuple[str, ...]) -> tuple[str, ...]:
    """Of some rivals of a mechanism, those that nothing in the log tells apart from it."""
    return tuple(r for r in among if not any(has_field(log, f) for f in telling(code, r)))


def number_of(code: str) -> int:
    """The number of a mechanism, to put them in order: 12 of D12."""
    return int(code[1:])


def telling(code: str, rival: str) -> tuple[str, ...]:
    """The fields any of which tells a mechanism from a rival; most are told by what is attempted."""
    rivals = MECHANISMS[code].rivals
    return rivals[rival][0] if rival in rivals else ("attempts",)
