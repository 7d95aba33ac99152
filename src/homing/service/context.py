"""What every verb of the service is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from homing.core.errors import Unavailable
from homing.core.identifiers import ENTROPY_BYTES, new_id
from homing.core.journal import Journal
from homing.core.objectives import Limits as MeasureLimits
from homing.core.ports import Chance, Clock
from homing.core.queries import Backlog
from homing.core.records import Reply, RequestKey
from homing.core.resources import Resource
from homing.core.retry import RetryPolicy
from homing.core.sealing import NONCE_BYTES, CannotOpen, Sealed, Seals
from homing.core.signature import HeaderStyle
from homing.core.store import Store
from homing.core.urls import Url
from homing.service.alerts.channel import Channel
from homing.service.intake import Intake
from homing.service.tokens import Tokens

R = TypeVar("R", bound=Resource)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much is taken at once."""

    #: longest request body, bytes. Longer ones are refused before anything is stored.
    body_bytes_max: int = 1_048_576
    #: longest body of a batch of messages, bytes: it is held in memory whole
    batch_bytes_max: int = 16_777_216
    #: how long an idempotency key is remembered, seconds
    idempotency_s: float = 43_200.0
    #: how long a discarded dead letter can be brought back, seconds
    undo_s: float = 7 * 86_400.0
    #: deliveries a second that all tasks of a process send again
    replays_per_s: float = 200.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who this Homing is to the boards of others."""

    name: str = "homing"
    owner: str = ""
    #: what an organisation's standings are signed with ("whsk_…", ed25519), the present one first
    keys: Callable[[str], Sequence[str]] = lambda org_id: ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """How requests are made, for those who look at them."""

    policy: RetryPolicy = field(default_factory=RetryPolicy)
    style: HeaderStyle = HeaderStyle.WEBHOOK
    user_agent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """The world of the verbs."""

    store: Store
    clock: Clock
    chance: Chance
    intake: Intake
    journal: Journal
    tokens: Tokens
    seals: Seals
    limits: Limits = field(default_factory=Limits)
    #: what objectives count as in time
    measure: MeasureLimits = field(default_factory=MeasureLimits)
    #: tells this process's dispatcher that something may be due; others find it by polling
    wake: Callable[[], None] = lambda: None
    #: tells this process's task runner that there is a new task; others find it by polling
    wake_tasks: Callable[[], None] = lambda: None
    identity: Identity = field(default_factory=Identity)
    sending: Sending = field(default_factory=Sending)
    #: how the hot table stood at each audit of this process, with the time; the latest last
    looks: Callable[[], Sequence[tuple[int, Backlog]]] = tuple
    #: ways to reach whoever runs this
    channels: Sequence[Channel] = ()
    #: whether this process's dispatcher only probes an endpoint (its id), because nothing answers
    breaker_is_open: Callable[[str], bool] = lambda endpoint_id: False
    #: whose pages may show the portal in a frame: "https://app.example.com"
    portal_origins: Sequence[str] = ()
    #: whether there is hope for this URL of this application (its id); no opinion by default
    permits: Callable[[Url, str], bool] = lambda url, app_id: True

    def new_id(self, prefix: str) -> str:
        """A fresh identifier, e.g. for prefix "app_"."""
        return new_id(prefix, self.clock.now_us(), self.chance.entropy(ENTROPY_BYTES))

    def seal(self, text: str, place: str) -> Sealed:
        """A secret as it may be stored."""
        return self.seals.seal(text, place, nonce=self.chance.entropy(NONCE_BYTES))

    def open(self, sealed: Sealed, place: str) -> str:
        """A stored secret.

        Raises:
            Unavailable: it cannot be opened until the operator gives the secret it was sealed with.
        """
        try:
            return self.seals.open(sealed, place)
        except CannotOpen as error:
            raise Unavailable(str(error)) from error


@dataclass(frozen=True, slots=True)
class Once(Generic[R]):
    """Makes a creating request repeatable: its key, and the reply that its result leads to."""

    key: RequestKey
    reply: Callable[[R], Reply]
