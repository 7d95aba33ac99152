"""What the conditions are given: everything that was read, as values. No reading, no alert."""

from __future__ import annotations

import msgspec

from homing.core.queries import Backlog, DeadLetters
from homing.insight.alerts.alert import Owner, Severity
from homing.insight.alerts.change import Change
from homing.insight.rates import Rate


class Missing(msgspec.Struct, frozen=True, kw_only=True):
    """Deliveries of one organisation that the books cannot place, in one stretch of acceptance."""

    org_id: str
    count: int  #: n >= 1
    accepted: int  #: of everybody, in that stretch
    since_us: int  #: the stretch
    until_us: int
    first_at_us: int  #: when the first of them was accepted
    kinds: dict[str, int] = {}  #: as `core.queries.Misfit.kind`
    examples: tuple[str, ...] = ()
    began: Change | None = None  #: when the rate rose, where the stretch shows it
    money: dict[str, str] = {}  #: what their payloads declare
    money_of: int = 0  #: of the first so many


class Lane(msgspec.Struct, frozen=True, kw_only=True):
    """Deliveries of one endpoint that have been due for too long."""

    org_id: str
    app_id: str
    endpoint_id: str
    count: int  #: up to the bound of the look
    due_at_us: int  #: since when the oldest is due
    #: a rate or a concurrency of the endpoint or its application is limited
    is_limited: bool = False
    #: it has done nothing but fail lately, so a breaker probes it
    is_failing: bool = False
    examples: tuple[str, ...] = ()  #: where neither is the case


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint that has given cause to look at it."""

    org_id: str
    app_id: str
    id: str
    name: str  #: as people know it; never with credentials
    disabled_at_us: int | None = None
    disabled_reason: str = ""
    failing_since_us: int | None = None
    disable_at_us: int | None = None  #: None: it was not warned about
    parked: int = 0  #: up to a bound
    examples: tuple[str, ...] = ()


class DeadPile(msgspec.Struct, frozen=True, kw_only=True):
    """Dead letters of one endpoint, with what is needed to speak of them."""

    org_id: str
    name: str
    letters: DeadLetters
    money: dict[str, str] = {}
    examples: tuple[str, ...] = ()
    reason: str = ""  #: the first one's last error


class Money(msgspec.Struct, frozen=True, kw_only=True):
    """What an organisation's unresolved dead letters are worth in one currency."""

    org_id: str
    app_id: str  #: the application that has the most of it
    currency: str
    amount: str  #: decimal
    count: int
    since_us: int


class Stakes(msgspec.Struct, frozen=True, kw_only=True):
    """What dead letters are worth, by two ways of adding up."""

    by_org: tuple[Money, ...] = ()
    by_endpoint: dict[str, dict[str, str]] = {}  #: currency to amount, for those that declare any
    #: endpoints of whose dead letters somebody has said that nothing is to be told
    muted: frozenset[str] = frozenset()


class FailureChange(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint whose deliveries began to fail far more often."""

    org_id: str
    app_id: str
    endpoint_id: str
    name: str
    change: Change
    examples: tuple[str, ...] = ()


class Silence(msgspec.Struct, frozen=True, kw_only=True):
    """An application that has sent nothing where its own past says it should have."""

    org_id: str
    app_id: str
    name: str
    last_at_us: int
    last_message_id: str = ""
    expected: float  #: messages' deliveries that its past would have brought meanwhile
    gap_past_s: int  #: the longest pause in the same hours of its past


class Burn(msgspec.Struct, frozen=True, kw_only=True):
    """An objective whose budget is spent too fast."""

    org_id: str
    objective: str
    severity: Severity
    owner: Owner
    what: str
    bad: int
    total: int
    rate: Rate
    since_us: int
    examples: tuple[str, ...] = ()


class ChannelTrouble(msgspec.Struct, frozen=True, kw_only=True):
    """A channel that takes nothing."""

    channel: str
    since_us: int  #: when the oldest notice that it has not taken was made
    waiting: int
    error: str


class Readings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was read at one moment."""

    at_us: int
    #: when the latest audit began; None: there was none
    audited_at_us: int | None
    started_at_us: int  #: since when somebody should have audited
    missing: tuple[Missing, ...] = ()
    backlog: Backlog | None = None
    backlog_at_us: int = 0  #: when it was counted: by the latest audit, or after `lanes` were read
    unseen: tuple[str, ...] = ()  #: deliveries that are due by the backlog and in no lane
    accepted_per_s: float = 0.0  #: deliveries, over the last minutes
    lanes: tuple[Lane, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    dead: tuple[DeadPile, ...] = ()
    money: tuple[Money, ...] = ()
    failures: tuple[FailureChange, ...] = ()
    steady_endpoints: int = 0  #: with traffic in the same time, whose failures did not change
    silences: tuple[Silence, ...] = ()
    burns: tuple[Burn, ...] = ()
    channels: tuple[ChannelTrouble, ...] = ()
