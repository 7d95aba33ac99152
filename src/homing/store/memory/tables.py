"""Where everything is kept: dictionaries, one for each table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from homing.core.identifiers import DeliveryId
from homing.core.issues import Filed
from homing.core.lifecycle import Delivery
from homing.core.queries import Page
from homing.core.records import (
    Attempt,
    LogEntry,
    Message,
    Reply,
    RequestKey,
)
from homing.core.resources import Resource
from homing.core.searching import Segment
from homing.store.paging import cut

R = TypeVar("R", bound=Resource)
T = TypeVar("T")


class Tables:
    """The rows, as dictionaries."""

    def __init__(self) -> None:
        self.round_trips = 0  #: stays 0: nothing leaves the process
        self.commits = 0
        self.resources: dict[tuple[str, str, str], Resource] = {}  #: by kind, scope, id
        self.accepted: dict[str, Message] = {}
        self.hot: dict[DeliveryId, Delivery] = {}
        self.history: dict[DeliveryId, Delivery] = {}
        self.desk: dict[DeliveryId, Filed] = {}  #: places of dead letters, and of the discarded
        self.attempted: dict[tuple[str, str], Attempt] = {}  #: by message id, attempt id
        self.lines: list[LogEntry | None] = []  #: None: one that was purged
        self.keys: dict[bytes, tuple[RequestKey, str | Reply]] = {}  #: what the request led to
        #: by scope, grain, beginning, SLI, owner, rule
        self.tallies: defaultdict[tuple[Any, ...], int] = defaultdict(int)
        #: of the index of payloads, by number, with their entries by bucket
        self.text_segments: dict[int, tuple[Segment, dict[int, bytes]]] = {}
        self.allowances: dict[str, int] = {}  #: by endpoint or application id, see core.limits

    async def ping(self) -> None:
        """Memory is always there."""

    async def close(self) -> None:
        """Nothing to let go of."""

    def _forget_words(self, message_ids: Iterable[str]) -> None:
        """Remove the entries of the segments that these messages are in."""
        for number, (segment, _) in list(self.text_segments.items()):
            if any(segment.after < name <= segment.last for name in message_ids):
                self.text_segments[number] = (segment._replace(stale=True), {})

    def _log(self) -> list[LogEntry]:
        return [entry for entry in self.lines if entry is not None]


def page_of(
    rows: Iterable[T], name: Callable[[T], str], bounds: tuple[str, str], page: Page
) -> list[T]:
    low, high = cut(*bounds, page)
    found = sorted((row for row in rows if low <= name(row) < high), key=name)
    if page.descending:
        found.reverse()
    return found[: page.limit]
