"""What an alert is: a finding of the moment, and what is remembered of it while it lasts."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from homing.core.resources import Resource
from homing.insight.rates import Rate


class Kind(StrEnum):
    """What is the matter. A closed set; also a metric label and an Alertmanager label."""

    UNACCOUNTED = "unaccounted"  #: accepted deliveries that the books cannot place
    AUDIT_MISSED = "audit_missed"  #: nobody has balanced the books for a while
    DELIVERIES_LATE = "deliveries_late"  #: due, and nothing but Homing holds them back
    BACKLOG = "backlog"  #: more falls due than is sent
    WIDE_FAILURES = "wide_failures"  #: many unrelated endpoints began to fail at once
    CHANNEL_FAILING = "channel_failing"  #: alerts do not come through here
    BURN_RATE = "burn_rate"  #: an objective's error budget is spent too fast
    FIRST_DEAD_LETTER = "first_dead_letter"  #: of an endpoint that had none
    DEAD_LETTERS_GROWING = "dead_letters_growing"
    DEAD_LETTER_OLD = "dead_letter_old"  #: nobody has handled it for too long
    MONEY_AT_RISK = "money_at_risk"  #: what unresolved dead letters are worth
    FAILURE_RATE_CHANGED = "failure_rate_changed"  #: an endpoint fails far more than before
    ENDPOINT_FAILING = "endpoint_failing"  #: it will be disabled
    ENDPOINT_DISABLED = "endpoint_disabled"  #: by Homing; its deliveries are parked
    NO_TRAFFIC = "no_traffic"  #: an application that always sends at this time does not


class Severity(StrEnum):
    """What an alert calls for."""

    PAGE = "page"  #: somebody gets up
    TICKET = "ticket"  #: somebody looks in working hours


class Owner(StrEnum):
    """Whose it is to mend."""

    PLATFORM = "platform"  #: whoever runs Homing
    RECEIVER = "receiver"  #: whoever runs the endpoint
    PUBLISHER = "publisher"  #: whoever sends the messages
    CONFIGURATION = "configuration"  #: whoever set a limit


class Status(StrEnum):
    """Whether it goes on."""

    FIRING = "firing"
    RESOLVED = "resolved"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is the matter now. The same matter has the same kind and subject."""

    kind: Kind
    subject: str = ""  #: what tells it from its like: an id, or empty where there is one alone
    severity: Severity
    owner: Owner
    org_id: str = ""  #: whose traffic it is about; empty: the operator's own
    app_id: str | None = None
    endpoint_id: str | None = None
    name: str = ""  #: of the application or endpoint, as people know it
    what: str  #: one sentence
    since_us: int
    #: where `since_us` is an estimate: the interval it is certain within, at 95%
    since_low_us: int | None = None
    since_high_us: int | None = None
    count: int = 0  #: how many
    of: int | None = None  #: out of how many; None: there is no such number
    rate: Rate | None = None  #: count / of, with its exact interval
    money: dict[str, str] = {}  #: currency to a decimal amount; never added over currencies
    money_of: int = 0  #: of the first so many, where it was not looked at all of them; else 0
    examples: tuple[str, ...] = ()  #: the first three
    command: str  #: to look closer

    @property
    def id(self) -> str:
        return f"{self.kind}.{self.subject}" if self.subject else str(self.kind)


class Alert(Resource, frozen=True, kw_only=True):
    """A matter, from when it was found until some time after it has gone. Scope: "alerts"."""

    kind = "alert"

    finding: Finding  #: as it was last found
    status: Status = Status.FIRING
    fired_at_us: int  #: when this episode was found
    episode: int = 1  #: how often it has come
    clear_since_us: int | None = None  #: firing, but not found any more since then
    resolved_at_us: int | None = None
    #: what people have not been told yet; None: they know all
    untold: Status | None = None
    told_at_us: int | None = None  #: when they were last told anything of it
    told_count: int = 0  #: the count that they were told
    acknowledged_by: str | None = None  #: somebody looks after it: no reminders
    silenced_until_us: int = 0  #: nothing is told before
    silenced_by: str | None = None

    def is_silent(self, at_us: int) -> bool:
        return at_us < self.silenced_until_us


#: where alerts are stored
SCOPE = "alerts"


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What a notice says of one alert."""

    alert_id: str
    status: Status
    finding: Finding
    fired_at_us: int
    resolved_at_us: int | None = None
    is_reminder: bool = False
    is_test: bool = False


class Notice(Resource, frozen=True, kw_only=True):
    """One message through one channel. Scope: where it stands (see the constants below).

    It is stored in the transaction that decides on it, and leaves `PENDING` in the transaction that
    notes what became of it.
    """

    kind = "alert_notice"

    channel: str  #: its id
    alerts: tuple[Told, ...]  #: n >= 1, the most urgent first
    free_at_us: int = 0  #: from when on any process may carry it
    tries: int = 0
    error: str | None = None  #: of the latest try
    finished_at_us: int | None = None


#: scopes of notices
PENDING, SENT, FAILED = "pending", "sent", "failed"
