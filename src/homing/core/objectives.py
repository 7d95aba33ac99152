"""Objectives: what is promised, and the counts of events that it is measured by."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

import msgspec

from homing.core.outcome import Reason
from homing.core.queries import LogCursor
from homing.core.resources import Resource

MINUTE_US: Final = 60_000_000
#: counts are kept by the minute, the hour and the day, in seconds
GRAINS_S: Final = (60, 3_600, 86_400)


class Sli(StrEnum):
    """What is measured; a closed set, also a metric label. The unit is a delivery, unless said."""

    INTEGRITY = "integrity"  #: none is unaccounted for: a count, and not a ratio
    FIRST_ATTEMPT = "first_attempt"  #: the first attempt began in time
    RETRY = "retry"  #: a retry began in time after it was due
    DELIVERED = "delivered"  #: a 2xx came in time
    FIRST_SUCCESS = "first_success"  #: the first attempt was answered 2xx
    HYGIENE = "hygiene"  #: a dead letter was dealt with in time
    FRESHNESS = "freshness"  #: minutes in which nothing due was left lying
    ACCEPTANCE = "acceptance"  #: a publisher's request was answered 2xx in time
    DUPLICATES = "duplicates"  #: one 2xx was recorded and not two
    AUDIT = "audit"  #: minutes with a recent audit


#: measured for the service as a whole, in the scope ""
SERVICE_WIDE: Final = frozenset({Sli.INTEGRITY, Sli.FRESHNESS, Sli.ACCEPTANCE, Sli.AUDIT})


class Owner(StrEnum):
    """Whose a bad event is: exactly one."""

    PLATFORM = "platform"
    RECEIVER = "receiver"
    CONFIGURATION = "configuration"
    UNATTRIBUTED = "unattributed"  #: there was no evidence: shown as a line of its own


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """So many events of one kind in one minute (or, when read, in one stretch of time)."""

    scope: str  #: an organisation's id, an application's, or "" for the service
    at_us: int  #: the minute's (hour's, day's) beginning
    sli: Sli
    owner: Owner | None  #: None: they were good
    rule: str = ""  #: the rule that decided whose they are
    count: int


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """Lines of the delivery log that are alike in everything objectives look at, counted.

    What was good and in time has nothing in the fields after `count`; others have what is needed
    to say whose it is.
    """

    minute_us: int
    app_id: str
    op: str
    from_state: str | None
    to_state: str
    written: bool
    outcome: Reason | None  #: of the attempt, if the line is about one
    is_first: bool  #: it is the first attempt of the delivery
    late_start: bool  #: the first attempt began too late after the delivery was due
    late_done: bool  #: a 2xx came too late
    again: bool  #: the delivery had ended before, and somebody revived it: its verdict stands
    count: int
    status: int | None = None
    reason: str | None = None  #: why it is dead
    born: str | None = None  #: the state it was accepted in
    error: str | None = None  #: of the first attempt that failed
    failed_before: bool = False  #: in its present schedule
    lapsed: bool = False  #: the first attempt was not made with the first lease
    accepted_minute_us: int | None = None
    endpoint_id: str | None = None
    holder: str | None = None
    message_id: str | None = None  #: the newest of them, as an example


class LogPiece(NamedTuple):
    """A piece of the delivery log, counted."""

    cursor: LogCursor  #: the place of the last line that was looked at
    rows: list[Seen]  #: in any order
    is_full: bool  #: there may be more lines


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What "in time" means, in microseconds. Of the service: its events are counted once."""

    first_us: int = 5_000_000  #: from due to the first attempt
    retry_us: int = 30_000_000  #: from due to a retry
    delivered_us: int = 60_000_000  #: from acceptance to the 2xx
    fresh_us: int = 60_000_000  #: how long something due may lie
    accept_us: int = 500_000  #: from a publisher's request to its answer
    hygiene_us: int = 3 * 86_400_000_000  #: from the death of a dead letter to its end


class Narrow(msgspec.Struct, frozen=True, kw_only=True):
    """Failures to reach endpoints from one process in one minute: were they everybody's?"""

    minute_us: int
    holder: str
    hosts: tuple[str, ...] = ()  #: distinct ones, at most as many as the rule of breadth asks for
    #: (scope, SLI, rule, count) counted as receivers', until the hosts are too many for that
    booked: tuple[tuple[str, Sli, str, int], ...] = ()


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery that was a bad event."""

    scope: str
    sli: Sli
    owner: Owner
    rule: str
    delivery: str
    minute_us: int


class Measured(Resource, frozen=True, kw_only=True):
    """How far the log has been counted. There is one: scope "", id "measured"."""

    kind = "measured"

    holder: str = ""  #: the process that counts, until `until_us`
    until_us: int = 0
    cursor: LogCursor = LogCursor()
    minute_us: int = 0  #: the last minute that was looked at as such
    lane: tuple[str, str] = ("", "")  #: where the walk through what waits goes on
    narrow: tuple[Narrow, ...] = ()  #: of the last minutes
    broad_us: tuple[int, ...] = ()  #: minutes of the last day in which many could not be reached
    audited_at_us: int = 0
    unaccounted: int = 0  #: by the latest audit
    organisations: tuple[str, ...] = ()  #: that something was counted for
    missing: tuple[str, ...] = ()  #: deliveries it named, a few
    examples: tuple[Example, ...] = ()  #: the newest few of each kind


class Objective(Resource, frozen=True, kw_only=True):
    """A promise. Scope: the organisation; id: its name."""

    kind = "objective"

    sli: Sli
    #: promised share of good events as a decimal, such as "0.999"; "0" for integrity, which
    #: promises a count
    target: str
    period: str = "30d"  #: see insight.period
    description: str = ""
    team: str = ""  #: who answers for it
    app_id: str | None = None  #: of one application; None: of all
    #: whose bad events count; others' are not valid events, and shown beside
    owners: tuple[Owner, ...] = (Owner.PLATFORM, Owner.UNATTRIBUTED)
    events_min: int = 50
    bad_min: int = 3
    labels: dict[str, tuple[str, ...]] = {}
    annotations: dict[str, str] = {}
    is_default: bool = False  #: nobody has written it: it is there without configuration
