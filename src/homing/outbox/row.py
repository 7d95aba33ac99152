"""A row of the outbox: what is written with the business data, and what the relay adds."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

import msgspec

from homing.core.errors import Invalid, Problem

#: of the table, wherever it is
TABLE: Final = "homing_outbox"
#: what event types are made of, as in Homing's API
_EVENT_TYPE: Final = re.compile(r"[a-zA-Z0-9\-_.]{1,256}")
#: before the random part of an id
PREFIX: Final = "out_"


class Pending(msgspec.Struct, frozen=True, kw_only=True):
    """A row that Homing has not been known to accept."""

    id: str  #: the message's event id, by which a repeat is known
    event_type: str
    payload: str  #: JSON, sent as it is
    channels: tuple[str, ...] = ()
    offered_at_us: int | None = None  #: when it was first handed over; None: never


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a row."""

    id: str
    message_id: str | None = None  #: accepted under this id
    problem: str | None = None  #: refused for good, for a person to look at


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """A row that Homing refused for good, for a person to look at."""

    id: str
    event_type: str
    payload: str
    problem: str
    created_at_us: int


class Rows(Protocol):
    """The outbox of one application, as the relay uses it; each call is one transaction."""

    def pending(self, limit: int) -> list[Pending]:
        """Rows that are neither accepted nor refused, the oldest first."""

    def offer(self, ids: Sequence[str], at_us: int) -> None:
        """Note when these are handed over, where no earlier time is noted."""

    def settle(self, settled: Sequence[Settled], at_us: int) -> None:
        """Write down what became of these; of one that is accepted, nothing changes any more."""

    def counts(self) -> Counts:
        """How the outbox stands."""

    def refused(self, limit: int) -> list[Refused]:
        """What was refused for good, the oldest first."""

    def retry(self, ids: Sequence[str]) -> int:
        """Have these offered again, of those that were refused; how many that were."""

    def forget(self, before_us: int) -> int:
        """Delete what was accepted before; how many rows that were."""


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """How an outbox stands."""

    pending: int
    accepted: int
    refused: int
    oldest_at_us: int | None  #: when the oldest pending row was written


def new_row(
    event_type: str,
    payload: Mapping[str, Any],
    *,
    entropy: bytes,
    at_us: int,
    channels: Sequence[str] = (),
) -> dict[str, Any]:
    """The columns of a new row.

    Args:
        payload: what is sent; anything that msgspec writes as a JSON object.
        entropy: 16 random bytes, for the id.
        at_us: now.

    Raises:
        Invalid: Homing would refuse it for ever, so the business transaction should know now.
    """
    problems = []
    if not _EVENT_TYPE.fullmatch(event_type):
        text = f"expected letters, digits, '-', '_' and '.', at most 256, found {event_type!r}"
        problems.append(Problem(("event_type",), text))
    try:
        text = msgspec.json.encode(payload).decode()
    except (TypeError, ValueError) as error:
        problems.append(Problem(("payload",), f"expected what JSON can say: {error}"))
    else:
        if not text.startswith("{"):
            problems.append(Problem(("payload",), f"expected an object, found {text[:40]}"))
    if problems:
        raise Invalid(problems)
    return {
        "id": PREFIX + entropy.hex(),
        "event_type": event_type,
        "payload": text,
        "channels": msgspec.json.encode(channels).decode() if channels else None,
        "created_at_us": at_us,
    }


def read_channels(text: str | None) -> tuple[str, ...]:
    """The channels that a column holds."""
    return msgspec.json.decode(text, type=tuple[str, ...]) if text else ()
