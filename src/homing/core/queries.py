"""What a store is asked, and what it answers, as values."""

from __future__ import annotations

import msgspec

from homing.core.identifiers import STEP_US, DeliveryId, first_id
from homing.core.lifecycle import State
from homing.core.records import LogEntry


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of a listing.

    Rows are ordered by id; `after` is exclusive and means "further on in the chosen direction".
    """

    limit: int  #: 1 to 1001
    descending: bool = False
    after: str | None = None  #: an id; None: from the beginning of the chosen direction


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of time, by the ids made in it; both ends exclusive. None: open.

    Times count in the 4 ms steps of the ids.
    """

    since_us: int | None = None
    until_us: int | None = None

    def bounds(self, prefix: str) -> tuple[str, str]:
        """(low, high): ids of this kind within the span are those with low <= id < high."""
        low, high = self.half_open_bounds(prefix)
        return (low if self.since_us is None else first_id(prefix, self.since_us + STEP_US)), high

    def half_open_bounds(self, prefix: str) -> tuple[str, str]:
        """As `bounds`, with `since_us` inclusive: spans that touch share no id and miss none."""
        low = prefix if self.since_us is None else first_id(prefix, self.since_us)
        # "~" sorts after every digit of an id
        high = f"{prefix}~" if self.until_us is None else first_id(prefix, self.until_us)
        return low, high


class MessageFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which messages. Empty tuples and None mean all."""

    app_id: str
    event_types: tuple[str, ...] = ()
    channel: str | None = None
    tag: str | None = None
    span: Span = Span()


class AttemptFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which attempts; exactly one of `endpoint_id` and `message_id` is always given, or both."""

    app_id: str
    endpoint_id: str | None = None
    message_id: str | None = None
    succeeded: bool | None = None
    status_class: int | None = None  #: 100 … 500: that hundred; 0: no status came
    event_types: tuple[str, ...] = ()
    channel: str | None = None
    tag: str | None = None
    span: Span = Span()


class DeliveryFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which deliveries. Empty tuples and None mean all.

    Ordered by message id, then endpoint id; `Page.after` is a message id when `endpoint_id` is
    given, an endpoint id when `message_id` is given, and the text of a delivery id otherwise.
    """

    app_id: str | None = None
    endpoint_id: str | None = None
    message_id: str | None = None
    states: tuple[State, ...] = ()
    event_types: tuple[str, ...] = ()
    channel: str | None = None
    span: Span = Span()  #: of acceptance


class LetterFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which places at the desk: those of an issue, or what was discarded in an application.

    Ordered by message id, then endpoint id; `Page.after` is the text of a delivery id.
    """

    issue_id: str | None = None  #: that they were filed under, whatever that was merged into
    app_id: str = ""  #: when no issue is given; then `discarded` must be
    discarded: bool = False


class LedgerRow(msgspec.Struct, frozen=True, kw_only=True):
    """The books of one endpoint for the messages accepted in one window."""

    endpoint_id: str
    app_id: str
    window_at_us: int  #: the window's beginning, a multiple of its length
    accepted: int  #: deliveries with an "accepted" or "added" line in the delivery log
    delivered: int = 0
    dead: int = 0
    cancelled: int = 0
    parked: int = 0
    leased: int = 0
    waiting: int = 0


class Misfit(msgspec.Struct, frozen=True, kw_only=True):
    """One delivery that the books cannot place."""

    delivery: DeliveryId
    #: "unaccounted": accepted, but in neither table; "unannounced": in a table, but never accepted;
    #: "doubled": in both tables; "uncounted": its message's fan-out disagrees with the number of
    #: "accepted" lines (nobody knows which endpoint, so its id is empty); "unfiled": dead, and in
    #: no issue; "misfiled": in an issue, and not dead, or discarded and not cancelled
    kind: str


class LogCursor(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """A place in the delivery log that no later commit can slip in before."""

    transaction: int = 0
    line: int = 0


class LoggedEntry(msgspec.Struct, frozen=True):
    """A line of the log and the place just after it."""

    entry: LogEntry
    cursor: LogCursor


class Backlog(msgspec.Struct, frozen=True, kw_only=True):
    """How the hot table stands, in one look."""

    waiting: int
    leased: int
    parked: int
    due: int  #: waiting or lapsed leases with ready_at_us in the past
    oldest_due_at_us: int | None


class DeadLetters(msgspec.Struct, frozen=True, kw_only=True):
    """The dead letters of one endpoint, counted up to a bound."""

    endpoint_id: str
    app_id: str
    count: int  #: n >= 1
    recent: int  #: of those, the ones that died lately
    past: int  #: and within a longer time, the recent ones included
    oldest_at_us: int  #: when the first of them died
    newest_at_us: int
