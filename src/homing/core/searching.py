"""Looking for messages and deliveries: what is asked of a store, and what it answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

import msgspec

from homing.core.identifiers import DeliveryId
from homing.core.lifecycle import Delivery, State
from homing.core.queries import Span
from homing.core.records import LogEntry

T = TypeVar("T")


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """A message without its payload."""

    id: str
    app_id: str
    event_type: str
    accepted_at_us: int
    fanout: int
    is_raw: bool
    event_id: str | None
    channels: tuple[str, ...]
    tags: tuple[str, ...]
    deliver_at_us: int | None
    payload_bytes: int | None  #: None: it was expunged


class Sought(msgspec.Struct, frozen=True, kw_only=True):
    """Which messages, or which deliveries, to look for. Empty and None mean all."""

    message_ids: tuple[str, ...] = ()  #: of these alone; nothing is walked along
    app_ids: tuple[str, ...] = ()
    endpoint_id: str | None = None
    states: tuple[State, ...] = ()
    event_id: str | None = None
    event_types: tuple[str, ...] = ()  #: one that ends in `*` stands for all that begin so
    channel: str | None = None
    tags: tuple[str, ...] = ()  #: all of them
    span: Span = Span()  #: of acceptance; half-open
    below: DeliveryId | None = None  #: only what comes before it; its endpoint may be empty

    @property
    def asks_of_message(self) -> bool:
        """Whether a message itself may not fit."""
        return bool(self.event_id or self.event_types or self.channel or self.tags)


class Looked(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """What one look found: newest first, and how far it came."""

    found: list[T]
    #: what is left lies below it; None: nothing is left
    reached: DeliveryId | None


class Searching(Protocol):
    """Looking for what somebody asks for, newest first, with a bound on each look.

    Whatever is asked for, a look walks one index past at most so many rows, and says how far it
    came; whoever wants more looks again.
    """

    async def look_for_messages(self, which: Sought, *, looks: int, limit: int) -> Looked[Head]:
        """Messages; what `which` says of deliveries is left out.

        Args:
            looks: messages that are looked at, at most.
            limit: that are returned, at most.
        """

    async def look_for_deliveries(
        self, which: Sought, *, looks: int, limit: int
    ) -> Looked[Delivery]:
        """Deliveries, by message id and then endpoint id, downwards.

        Args:
            looks: rows of the narrowest index that are looked at, at most; all deliveries of their
                messages are.
            limit: that are returned, at most.
        """

    async def heads(self, ids: Sequence[str]) -> dict[str, Head]:
        """Messages by id, without their payloads; those that exist."""

    async def life(self, which: DeliveryId, *, limit: int) -> list[LogEntry]:
        """What the delivery log says of one delivery, oldest first.

        Its beginning, and the newest `limit` of all that came later, but for claims of what was
        waiting and for attempts that went well: those can be read from the attempts.
        """
