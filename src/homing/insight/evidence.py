"""What there is to look at when it is asked whether all is well, and what is found. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from homing.core.identifiers import DeliveryId
from homing.core.lifecycle import Delivery, State
from homing.core.records import Attempt, LogEntry


class Breach(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that must not be."""

    invariant: str  #: the name of the function that found it
    text: str  #: one sentence
    delivery: DeliveryId | None = None
    before: str = ""  #: what was, in a few words
    after: str = ""  #: what is

    def __str__(self) -> str:
        place = f"{self.delivery}: " if self.delivery else ""
        return f"{self.invariant}: {place}{self.text}"


class Left(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a written line left behind: all of it that the next one has to follow."""

    version_after: int
    to_state: State
    lease_epoch: int
    op: str
    holder: str


class Step(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Of a written line what `steps.follows` asks for, by the same names."""

    op: str
    from_state: State | None
    to_state: State
    version_before: int
    version_after: int
    lease_epoch: int
    actor: str | None


class Sent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One request as its receiver saw it: the truth that no row can change."""

    delivery: DeliveryId
    holder: str  #: the process that sent it
    epoch: int  #: the delivery's `leases` that it was sent under
    status: int | None  #: what the receiver answered; None: it hung up or never answered
    #: whether the sender was alive and saw the answer, and its database was never away since
    answered: bool = False


class Books(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to look at. Empty where somebody does not know."""

    hot: Mapping[DeliveryId, Delivery] = {}
    history: Mapping[DeliveryId, Delivery] = {}
    lines: Sequence[LogEntry] = ()  #: in the order in which they were committed
    attempts: Sequence[Attempt] = ()
    #: deliveries that must exist: what publishers were told is accepted, times its fan-out
    promised: Collection[DeliveryId] = ()
    sent: Sequence[Sent] = ()  #: in the order in which receivers saw them
    #: endpoints that exist and are enabled, or None where nobody knows
    enabled: Collection[str] | None = None
    attempts_max: int = 0  #: attempts that a whole schedule has; 0: not known
    unanswered_max: int = 0  #: leases in a row with no word before quarantine; 0: not known
    #: the longest that a delivery may be put off, µs; 0: not known
    delay_max_us: int = 0
    #: lines that a follower of the log was shown, by (holder, sequence); None: nobody followed
    followed: Collection[tuple[str, int]] | None = None

    def row(self, which: DeliveryId) -> Delivery | None:
        return self.hot.get(which) or self.history.get(which)

    def rows(self) -> Iterable[Delivery]:
        yield from self.hot.values()
        yield from self.history.values()


def said(delivery: Delivery | None) -> str:
    """A row in a few words: `leased v3 by b, due …`."""
    if delivery is None:
        return "in no table"
    holder = f" by {delivery.holder}" if delivery.holder else ""
    reason = f" ({delivery.reason})" if delivery.reason else ""
    return f"{delivery.state} v{delivery.version}{holder}{reason}"


def id_of(line: LogEntry | Attempt) -> DeliveryId:
    return DeliveryId(line.message_id, line.endpoint_id)
