"""How endpoints are, as a store tells it: counts up to a bound, and samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec

from homing.core.outcome import Reason


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What lies before an endpoint and what came of it lately, each count up to a bound."""

    endpoint_id: str
    attempts: Mapping[Reason, int] = {}  #: the newest, by what they came to
    waiting: int = 0
    leased: int = 0
    parked: int = 0
    dead: int = 0
    dead_recent: int = 0  #: of these, accepted since a given time
    next_at_us: int | None = None  #: when the first of those waiting is due


class Tried(NamedTuple):
    """One attempt of a sample."""

    reason: Reason
    status: int | None
    total_us: int


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of time of one endpoint."""

    since_us: int
    until_us: int  #: exclusive
    counts: Mapping[Reason, int] = {}  #: of the newest attempts begun in it, up to a bound
    tried: Sequence[Tried] = ()  #: a sample: the newest of these


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """How often attempts failed in one way."""

    reason: Reason
    status: int | None
    count: int


class Watching(Protocol):
    """How endpoints are, for pages: every answer costs a bounded number of rows."""

    async def loads(
        self,
        endpoints: Sequence[tuple[str, str]],
        *,
        since_us: int,
        accepted_us: int,
        most: int,
    ) -> dict[str, Load]:
        """What lies before each endpoint and what came of it lately, by endpoint id.

        Args:
            endpoints: (application id, endpoint id).
            since_us: the newest attempts since then are counted.
            accepted_us: dead letters of messages accepted since then are counted apart.
            most: where each count stops, n >= 1.
        """

    async def slices(
        self, endpoint_id: str, edges: Sequence[int], *, counted: int, sampled: int
    ) -> list[Slice]:
        """The attempts of an endpoint by when they began.

        Args:
            edges: times, rising; n of them make n - 1 slices, each from one (inclusive) to the
                next (exclusive).
            counted: the newest so many of each slice are counted.
            sampled: of the newest so many of each slice it is told what they came to.
        """

    async def failures(self, endpoint_id: str, since_us: int, *, most: int) -> list[Failure]:
        """In what ways the newest `most` failed attempts since then failed, most often first."""
