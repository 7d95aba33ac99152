"""What happened in a world, one event a line, for people and for comparing runs."""

from __future__ import annotations

from hashlib import blake2b

import msgspec

from homing.core.identifiers import DeliveryId


class Event(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One thing that somebody did."""

    at_s: float  #: of the world's true clock
    lane: str  #: who: a process ("A1"), "publisher", "user", "receiver", "database"
    what: str  #: in a few words
    delivery: DeliveryId | None = None
    kind: str = ""  #: a word for programs: "claim", "settle", "send", "answer", "crash" …
    state: str = ""  #: of the row afterwards
    version: int = 0  #: of the row afterwards
    version_before: int = 0  #: that the change was decided on
    is_refused: bool = False


class Trace:
    """Keeps events, or, when `is_on` is False, nothing at all."""

    def __init__(self, *, is_on: bool) -> None:
        self.is_on = is_on
        self.events: list[Event] = []

    def digest(self) -> str:
        """The same for the same events; 16 hex digits."""
        encoded = msgspec.msgpack.encode(self.events)
        return blake2b(encoded, digest_size=8).hexdigest()
