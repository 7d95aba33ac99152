"""What may be forgotten, and when. The rule; finding and removing is the store's work.

A message leaves the books whole: its row, its deliveries and the lines that say they were made go
in one transaction, so that the books balance before it and after it. Its payload and its attempts
may go earlier. What is unfinished is never touched.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

DAY_US: Final = 86_400_000_000


class Part(StrEnum):
    """What is kept of a message, and for a time of its own."""

    PAYLOAD = "payload"  #: what the publisher sent
    ATTEMPTS = "attempts"  #: the requests made, and the responses to them
    MESSAGE = "message"  #: the rest: its row, its deliveries, its lines of the log


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """How long each part is kept, in days. None: as the service does; 0: for ever.

    A message's time begins when it is accepted, and again when a delivery of it finishes.
    """

    payload_d: int | None = None
    attempts_d: int | None = None
    log_d: int | None = None  #: of the message itself, its deliveries and its lines of the log
    #: of all parts, while a delivery of it is a dead letter; from its death on
    dead_d: int | None = None

    def over(self, service: Retention) -> Retention:
        """These, and the service's where there is none."""
        return Retention(
            **{
                name: getattr(service, name) if own is None else own
                for name, own in msgspec.structs.asdict(self).items()
            }
        )

    def length_us(self, part: Part) -> int | None:
        """How long a part is kept; None: for ever.

        Nothing outlives the message: a longer time of another part ends with the message's.
        """
        days = {Part.PAYLOAD: self.payload_d, Part.ATTEMPTS: self.attempts_d}
        own, whole = days.get(part), self.log_d
        if part is Part.MESSAGE or not own:
            return whole * DAY_US if whole else None
        return min(own, whole or own) * DAY_US

    @property
    def dead_us(self) -> int | None:
        """How long a dead letter keeps everything; None: until somebody handles it."""
        return self.dead_d * DAY_US if self.dead_d else None

    def cutoff_us(self, part: Part, at_us: int) -> int | None:
        """What was accepted since then keeps this part at `at_us`; None: all do."""
        length_us = self.length_us(part)
        return None if length_us is None else at_us - length_us


class Standing(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How a message stands, as far as its retention goes."""

    message_id: str
    app_id: str
    accepted_at_us: int
    has_payload: bool
    has_attempts: bool
    is_unfinished: bool  #: a delivery of it waits, is leased or is parked
    finished: int = 0  #: deliveries of it that are finished
    finished_at_us: int | None = None  #: when the last of those did
    dead_at_us: int | None = None  #: when the last of those that are dead letters died


class Purged(msgspec.Struct, frozen=True, kw_only=True):
    """What one purge removed, in rows (payloads: how many were emptied)."""

    payloads: int = 0
    attempts: int = 0
    messages: int = 0
    deliveries: int = 0
    dead_letters: int = 0  #: of those deliveries, the ones that were dead letters
    lines: int = 0

    def __add__(self, other: Purged) -> Purged:
        return Purged(
            **{
                name: count + getattr(other, name)
                for name, count in msgspec.structs.asdict(self).items()
            }
        )


NOTHING: Final = frozenset[Part]()


def may_go(standing: Standing, kept: Retention, at_us: int) -> frozenset[Part]:
    """The parts of a message that are beyond their retention at `at_us`.

    Never: of a message that has an unfinished delivery, or a dead letter that is younger than its
    own retention. With the message go its other parts, so they are then all named.

    Args:
        kept: with every field set.
    """
    if standing.is_unfinished or not _passed(standing.dead_at_us, kept.dead_us, at_us):
        return NOTHING
    since_us = max(standing.accepted_at_us, standing.finished_at_us or 0)
    gone = frozenset(
        part
        for part in Part
        if kept.length_us(part) is not None and _passed(since_us, kept.length_us(part), at_us)
    )
    return frozenset(Part) if Part.MESSAGE in gone else gone


def _passed(since_us: int | None, length_us: int | None, at_us: int) -> bool:
    """Whether a time has passed since then; of nothing, at once; one that never ends, never."""
    if since_us is None:
        return True
    return length_us is not None and since_us + length_us <= at_us


def dead_letter_goes_at_us(dead_at_us: int, kept: Retention) -> int | None:
    """When a dead letter loses the first part of its message, if nobody handles it.

    Returns:
        Microseconds since 1970 UTC; None: never.

    Args:
        dead_at_us: when it died, with nothing of its message finishing later.
    """
    lengths = [length for part in Part if (length := kept.length_us(part)) is not None]
    if kept.dead_us is None or not lengths:
        return None
    return dead_at_us + max(kept.dead_us, min(lengths))
