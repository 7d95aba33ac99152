"""A receiver's own books against what was sent to it: what is missing, and how to get it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from enum import StrEnum
from typing import Final

import msgspec

from homing.client import Sent
from homing.core.identifiers import made_at_us


class Gap(StrEnum):
    """Why a receiver does not have a message."""

    LOST = "lost"  #: it answered 2xx, and does not know it
    DEAD = "dead"  #: given up
    PARKED = "parked"  #: kept until its endpoint is enabled
    CANCELLED = "cancelled"  #: withdrawn by its owner
    COMING = "coming"  #: to be tried (again), or delivered a moment ago


#: gaps that somebody has to close
FINDINGS: Final = (Gap.LOST, Gap.DEAD, Gap.PARKED)

_GAPS: Final = {
    "delivered": Gap.LOST,
    "dead": Gap.DEAD,
    "parked": Gap.PARKED,
    "cancelled": Gap.CANCELLED,
    "waiting": Gap.COMING,
    "leased": Gap.COMING,
}


class Missing(msgspec.Struct, frozen=True):
    """A message that was for the receiver, and is not in its books."""

    message: Sent
    gap: Gap


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """What was sent in a span, and what the receiver has of it."""

    sent: int
    known: int  #: of those, in the receiver's books
    missing: list[Missing]  #: the rest, oldest first
    #: ids in its books that look as if made in the span, and were not sent to this endpoint
    strange: list[str]

    @property
    def findings(self) -> int:
        """How many are missing that will not come by themselves."""
        return sum(one.gap in FINDINGS for one in self.missing)


def compare(
    sent: Iterable[Sent],
    seen: Collection[str],
    *,
    since: datetime,
    until: datetime,
    read_at: datetime,
) -> Comparison:
    """What is missing at the receiver.

    Args:
        sent: what was for it, accepted from `since` (inclusive) to `until` (exclusive).
        seen: message ids (`webhook-id`) in its books; those of other times do no harm.
        read_at: when its books were read. What was delivered later is no gap yet.
    """
    listed, missing = set(), []
    for message in sent:
        listed.add(message.id)
        if message.id not in seen:
            missing.append(Missing(message, _gap(message, read_at)))
    low_us, high_us = (round(at.timestamp() * 1_000_000) for at in (since, until))
    strange = [name for name in seen if name not in listed and low_us <= _at_us(name) < high_us]
    return Comparison(
        sent=len(listed),
        known=len(listed) - len(missing),
        missing=missing,
        strange=sorted(strange),
    )


def _gap(message: Sent, read_at: datetime) -> Gap:
    finished = message.finished_at
    if message.state == "delivered" and finished is not None and finished >= read_at:
        return Gap.COMING
    return _GAPS[message.state]


def _at_us(name: str) -> int:
    """When an id was made; -1: it is none of ours."""
    if not name.startswith("msg_"):
        return -1
    try:
        return made_at_us(name)
    except ValueError:
        return -1
