"""Looking for messages and deliveries: what is asked of a store, and what it answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, NamedTuple, Protocol, TypeVar

import msgspec

from homing.core.identifiers import DeliveryId
from homing.core.lifecycle import Delivery, State
from homing.core.queries import Span
from homing.core.records import LogEntry
from homing.core.resources import Resource

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


class Text(NamedTuple):
    """A message's payload, to be looked through."""

    message_id: str
    app_id: str
    content: bytes  #: its beginning


class Segment(NamedTuple):
    """Some thousand messages, indexed by the words of their payloads (see service.text_words)."""

    number: int  #: later ones have greater numbers
    after: str  #: the first message comes after this id
    last: str  #: the id of the last message
    pieces: tuple[str, ...]  #: the last id of each piece
    messages: int
    text_bytes: int
    stale: bool  #: something was removed, and the entries with it: each piece may have each word


class Indexing(Resource, frozen=True, kw_only=True):
    """How far payloads have been indexed. There is one: scope "", id "text_indexing"."""

    kind = "text_indexing"

    holder: str = ""  #: the process that indexes, until `until_us`
    until_us: int = 0
    after: str = ""  #: up to and with this message
    number: int = 0  #: of the newest segment


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

    async def texts(
        self, after: str, last: str, *, limit: int, bytes_max: int, app_id: str | None = None
    ) -> list[Text]:
        """Payloads of messages with after < id <= last, in order; those that are gone are left out.

        Args:
            limit: messages, at most.
            bytes_max: of each payload.
            app_id: of this application alone.
        """

    async def newest_texts(
        self, after: str, below: str, *, limit: int, bytes_max: int, app_id: str | None = None
    ) -> list[Text]:
        """The same of messages with after < id < below, downwards."""

    async def put_segment(
        self, progress: Indexing, segment: Segment | None, entries: Sequence[tuple[int, bytes]]
    ) -> None:
        """Write how far payloads have been indexed (as by `put`), and a segment, in one commit.

        A segment of the same number is replaced. One without entries is removed: nothing is left
        in it.

        Args:
            entries: by bucket, none twice.

        Raises:
            Conflict, Stale: another process was first, or a message of the segment came or went
                since it was read; nothing was written.
        """

    async def segments(self, below: str, *, limit: int) -> list[Segment]:
        """Segments that begin before this id, newest first."""

    async def stale_segments(self, *, limit: int) -> list[Segment]:
        """Segments whose entries were removed with what they were about, oldest first.

        Whatever removes a payload removes the entries of its segment in the same commit.
        """

    async def entries(self, bucket: int, numbers: Sequence[int]) -> dict[int, bytes]:
        """A bucket's entries, by segment; segments without any are not named."""
