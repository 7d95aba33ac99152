"""Every setting of Homing, in one place: its default, meaning, bounds and the reason for them.

The command line, the reference page, the start-up check and the tests read this one object.
Only `cli.configuration` makes one of an environment and a TOML file.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Final, Literal

from homing.core.retry import DEFAULT_DELAYS_S
from homing.knobs import (
    Allowance,
    ChannelUrl,
    Knob,
    Network,
    Origin,
    SecretText,
    knob,
)

PREFIX: Final = "HOMING_"

#: names beside the settings that begin with HOMING_, and who reads them
OTHER_NAMES: Final = {
    "HOMING_CONFIG": "Path of the TOML file; without it `homing.toml` is read where there is one.",
    "HOMING_SERVER_URL": "Where commands that use the API find it; default: from HOMING_LISTEN.",
    "HOMING_TOKEN": "The token such commands send; default: signed here with HOMING_SECRET.",
    "HOMING_APPLICATION": "Whose messages `homing outbox relay` hands over: an id or uid.",
    "HOMING_OUTBOX_URL": "The database with the outbox of `homing outbox`, as SQLAlchemy names it.",
    "HOMING_INCIDENT": "The incident that commands add their results to: a file, or an id.",
}

#: the lease must outlive the longest request by this much: time to be scheduled, to record the
#: outcome in a slow commit, and for clocks of two machines that disagree
LEASE_MARGIN_S: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How one Homing runs. Environment name: HOMING_ and the field in capitals."""

    # --- what others rely on from the start ---
    database_url: str = knob(
        "sqlite:///homing.db",
        "Where everything is kept: `sqlite:///relative.db`, `sqlite:////absolute.db` or "
        "`postgresql://user:password@host/name`; of several hosts, as in `one:5432,other:5432`, "
        "the one that takes writes.",
    )
    listen: str = knob(
        "127.0.0.1:8000",
        "Address and port of the API, `host:port`; port 0 takes a free one and prints it. "
        "Only this machine by default, because the API has no TLS of its own.",
    )
    egress_allow: tuple[Network, ...] = knob(
        (),
        "Networks, comma-separated, that endpoints may be in although they are not public, such as "
        "`10.1.0.0/16`. None by default: an endpoint's URL is written by a tenant. A cloud's "
        "metadata address within such a network stays refused unless it is listed by itself.",
    )
    egress_allow_for: tuple[Allowance, ...] = knob(
        (),
        "Networks that the endpoints of one application may be in besides: "
        "`app_…=10.2.0.0/16,10.3.0.0/16; app_…=…`. By id, because a tenant may choose the uid; a "
        "setting, because no token can change it.",
    )
    secret: SecretText = knob(
        SecretText(),
        "Root of all keys, at least 16 characters. On SQLite one is made beside the database file "
        "when this is empty; on PostgreSQL it is required, because several processes must agree.",
        low=16,
        high=1024,
    )
    secret_previous: tuple[SecretText, ...] = knob(
        (),
        "Former values of `HOMING_SECRET`, comma-separated: what was sealed with them still opens, "
        "and tokens signed with them are still good. `homing secrets reseal` makes them "
        "superfluous for what is stored. Without a comma in any of them.",
        low=16,
        high=1024,
    )
    svix_jwt_secret: SecretText = knob(
        SecretText(),
        "The `SVIX_JWT_SECRET` of a Svix server: tokens that it signed with HS256 are taken as "
        "ours, so that publishers can move without new ones. At least 32 characters, because a "
        "shorter key of HMAC-SHA256 can be guessed (RFC 7518 3.2). Empty: none is taken.",
        low=32,
        high=1024,
    )

    # --- how much at once ---
    workers: int = knob(
        1,
        "Processes behind the one address, each with API and dispatcher. One is the fastest on "
        "SQLite, which has one writer; on PostgreSQL about one per core.",
        low=1,
        high=64,
    )
    sends_max: int = knob(
        1_000,
        "Requests in flight at once, per process. A thousand endpoints that each take a second "
        "keep it full at 1,000 deliveries a second; each costs a socket and some 10 KiB.",
        low=1,
        high=20_000,
    )
    endpoint_share: float = knob(
        1.0,
        "An endpoint gets another of the `sends_max` places while it holds fewer than so many "
        "times the free ones: with 1 at most half of all, and the next one finds half of the rest. "
        "More gives more to an endpoint alone, and less to others beside it.",
        low=0.01,
        high=1_000_000,
    )
    application_share: float = knob(
        2.0,
        "The same for all endpoints of an application together, times its weight.",
        low=0.01,
        high=1_000_000,
    )
    breaker_failures: int = knob(
        5,
        "Attempts in a row that got no answer (time-out, refused, reset, no address) after which "
        "an endpoint is only probed; its deliveries stay due and spend no attempt. 0: never.",
        low=0,
        high=1_000_000,
    )
    breaker_cool_down_max_s: float = knob(
        60.0,
        "Longest time between two probes of such an endpoint; the first comes after a second, and "
        "each that fails doubles it. So late is a receiver's first delivery when it is back.",
        low=1,
        high=3_600,
    )
    backlog_max: int = knob(
        0,
        "Deliveries of one application due or under way, times its weight, above which its new "
        "messages are refused with 503 and other applications' are not; those that are parked or "
        "due later do not count. 0: no limit: what is due is on disk and costs little.",
        low=0,
        high=10**9,
    )
    backlog_total_max: int = knob(
        0,
        "The same for all applications together, for the sake of the disk: above it nobody's new "
        "messages are accepted, and `/ready` says so. Far above `backlog_max`. 0: no limit.",
        low=0,
        high=10**10,
    )

    replays_per_s: float = knob(
        200.0,
        "Deliveries a second that the background tasks of one process together send again "
        "(recover, replay, redrive). A fifth of the default `sends_max`: a backlog of a day is "
        "sent again in minutes, and whatever is new finds four places of five free.",
        low=1,
        high=100_000,
    )

    # --- one attempt ---
    connect_s: float = knob(
        5.0, "Longest wait for a name's address and a connection.", low=0.1, high=60
    )
    tls_s: float = knob(5.0, "Longest wait for the TLS handshake.", low=0.1, high=60)
    first_byte_s: float = knob(
        15.0,
        "Longest wait for the first byte of an answer. Receivers are told to answer within 15 s "
        "by most webhook services.",
        low=0.1,
        high=120,
    )
    idle_s: float = knob(5.0, "Longest silence within an answer that has begun.", low=0.1, high=60)
    total_s: float = knob(
        20.0,
        "Longest attempt from beginning to end, answer included: `connect_s` and `first_byte_s` "
        "together. A receiver that drips bytes cannot hold a place for longer.",
        low=0.1,
        high=600,
    )
    response_bytes_max: int = knob(
        16_384,
        "How much of an answer is read and kept; enough to see an error message.",
        low=0,
        high=1_048_576,
    )
    header_style: Literal["webhook", "svix"] = knob(
        "webhook",
        "Names of the signature headers: `webhook` for `webhook-id` … (Standard Webhooks), "
        "`svix` for `svix-id` …",
    )

    # --- what follows an attempt ---
    retry_delays_s: tuple[float, ...] = knob(
        DEFAULT_DELAYS_S,
        "Delays between attempts, comma-separated; one attempt more than there are delays. The "
        "default makes eight attempts over 27.6 hours: longer than a night and a day of outage.",
        low=0,
        high=604_800,
    )
    retry_jitter: float = knob(
        0.2,
        "Each delay is drawn from this share around it, so that retries do not come in step.",
        low=0,
        high=0.99,
    )
    disable_after_s: float = knob(
        432_000.0,
        "An endpoint that has done nothing but fail for this long is disabled and its deliveries "
        "are parked; announced at half of it. Five days outlast a long weekend. 0: never.",
        low=0,
        high=31_536_000,
    )
    lease_s: float = knob(
        60.0,
        "How long one dispatcher may hold a delivery, and so how long a delivery waits when its "
        f"dispatcher dies. At least {LEASE_MARGIN_S:.0f} s more than `total_s`.",
        low=1,
        high=3_600,
    )
    leases_unanswered_max: int = knob(
        8,
        "Leases in a row that ended with no outcome, after which a delivery is set aside as dead: "
        "it may be what kills the process. From the third on hardly another is under way beside "
        "it, so each more costs one death of a process; fewer would punish one that dies often.",
        low=1,
        high=1_000,
    )

    # --- accepting ---
    body_bytes_max: int = knob(
        1_048_576,
        "Longest message accepted; longer ones answer 413. Receivers refuse more, as a rule.",
        low=1_024,
        high=16_777_216,
    )
    idempotency_h: float = knob(
        12.0, "How long an idempotency key is remembered.", low=0.01, high=720
    )
    event_id_h: float = knob(
        24.0, "How long a message's event id keeps others from using it.", low=0.01, high=8_760
    )

    # --- how long things are kept ---
    retain_payload_d: int = knob(
        90,
        "How many days a message's payload is kept, from its acceptance or, if later, from when a "
        "delivery of it last finished. A quarter of a year covers most disputes about a payload. "
        "0: for ever, as everywhere here; and never while a delivery is unfinished. At least a "
        "day, which is longer than any lease, so that a late outcome finds its message.",
        low=0,
        high=36_500,
    )
    retain_attempts_d: int = knob(
        90,
        "How many days attempts are kept, with the responses to them, counted likewise. They are "
        "most of the bytes, and are looked at while somebody still debugs.",
        low=0,
        high=36_500,
    )
    retain_log_d: int = knob(
        400,
        "How many days a message, its deliveries and its lines of the delivery log are kept, "
        "counted likewise: what the books are balanced from. A year and a month, so that a month "
        "can be compared with the same month of the year before. Nothing else outlives them.",
        low=0,
        high=36_500,
    )
    retain_dead_d: int = knob(
        400,
        "How many days a dead letter that nobody redrives or discards keeps its message whole, "
        "payload and attempts included, from its death. As long as the log by default, because "
        "it can be redriven for as long as it is kept.",
        low=0,
        high=36_500,
    )
    undo_d: int = knob(
        7,
        "How many days a discarded dead letter can be brought back. A week, as a rule, is how long "
        "it takes somebody to miss something.",
        low=0,
        high=365,
    )
    retain_warn_d: int = knob(
        14,
        "How many days before its end a dead letter is announced, in the log once a day and in "
        "`homing_dead_letters_expiring`. Two weeks outlast a holiday. 0: not at all.",
        low=0,
        high=365,
    )
    retain_every_s: float = knob(
        3_600.0,
        "How often one of the processes looks for what is beyond its retention. What goes in an "
        "hour is little, and what goes at once after a month without is paced all the same.",
        low=1,
        high=86_400,
    )

    # --- running ---
    drain_s: float = knob(
        20.0,
        "How long a stopping process may take to finish what is in flight. Below the 30 s after "
        "which Kubernetes and systemd's common settings kill.",
        low=0,
        high=600,
    )
    poll_s: float = knob(
        0.25,
        "How often the database is asked what is due when nothing wakes the dispatcher: one "
        "look-up in an index, and the most by which a retry can be late.",
        low=0.05,
        high=60,
    )
    alerts: tuple[ChannelUrl, ...] = knob(
        (),
        "Where alerts go, besides the log: URLs separated by spaces or commas, of any service that "
        "Apprise knows (`mailto://…`, `slack://…`, `pagerduty://…`, `jsons://…`; needs "
        "`homing[alerts]`) or of Alertmanager (`alertmanager://host:9093`, `alertmanagers://…`). "
        "With one of them sensible alerts are on; `homing alerts test` shows that it works.",
    )
    alerts_every_s: float = knob(
        15.0,
        "How often it is looked whether something deserves an alert, by one process at a time; a "
        "few look-ups in indexes. Another takes over when it has not for three times as long.",
        low=1,
        high=3_600,
    )
    alerts_gather_s: float = knob(
        300.0,
        "What is not urgent is gathered and told in one message at most so often; the first of it "
        "at once. Twelve messages an hour are what a person reads.",
        low=0,
        high=86_400,
    )
    audit_every_s: float = knob(
        60.0, "How often the books are balanced inside the service.", low=1, high=86_400
    )
    # What "in time" means is the same for every objective, because each event is counted once.
    slo_first_s: float = knob(
        5.0,
        "An objective counts a first attempt as in time that begins within so many seconds of "
        "being due. A receiver has no part in it; five seconds are a busy moment, not an outage.",
        low=0.01,
        high=3_600,
    )
    slo_retry_s: float = knob(
        30.0,
        "The same for a retry, from when it was due. A minute's jitter is planned; this is not.",
        low=0.01,
        high=86_400,
    )
    slo_delivered_s: float = knob(
        60.0,
        "The same for the 2xx of a delivery, from acceptance. A minute leaves room for one retry.",
        low=0.01,
        high=604_800,
    )
    slo_accept_s: float = knob(
        0.5,
        "The same for the answer to a publisher's request, as this process sees it.",
        low=0.001,
        high=60,
    )
    slo_dead_d: float = knob(
        3.0,
        "A dead letter that nobody has redriven or discarded for so many days is overdue. Three "
        "days outlast a weekend.",
        low=0.01,
        high=365,
    )
    slo_every_s: float = knob(
        15.0, "How often what objectives are about is counted.", low=0.1, high=3_600
    )
    task_days: float = knob(
        30.0,
        "How long a background task that has ended can be looked up: longer than a month's bill.",
        low=0.01,
        high=3_650,
    )
    otlp_url: str = knob(
        "",
        "An OpenTelemetry collector (OTLP over HTTP), such as `http://127.0.0.1:4318`, that is "
        "told of traces, metrics and log lines. Empty: none, and a publisher's `traceparent` is "
        "handed to its receivers as it came.",
    )
    trace_share: float = knob(
        0.01,
        "The share of traces that the collector gets when their publisher does not say; what fails "
        "and what follows on it is told always. One in a hundred shows what is usual.",
        low=0,
        high=1,
    )
    name: str = knob(
        "homing",
        "What this Homing is called on the boards of other teams: 1 to 63 lower-case letters, "
        "digits and hyphens. Each instance on a board needs its own.",
    )
    owner: str = knob("", "The team that answers for this Homing, as boards show it.")
    board_every_s: float = knob(
        30.0,
        "How often the services on the board are asked how they stand.",
        low=0.1,
        high=3_600,
    )
    board_allow: tuple[Network, ...] = knob(
        (),
        "Networks that services on the board may be in besides public ones and "
        "`HOMING_EGRESS_ALLOW`. Endpoints may not be there because of it.",
    )
    portal_origins: tuple[Origin, ...] = knob(
        (),
        "Whose pages may show the receivers' portal in a frame, comma-separated: "
        "`https://app.example.com`. Others are refused by the browser; empty: all are.",
    )
    log_format: Literal["text", "json"] = knob("text", "Log lines for people or for machines.")
    log_level: Literal["debug", "info", "warning", "error"] = knob(
        "info", "The least important line that is logged."
    )

    @property
    def listen_host(self) -> str:
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def listen_port(self) -> int:
        return int(self.listen.rpartition(":")[2])


def knobs() -> dict[str, tuple[dataclasses.Field[Any], Knob]]:
    """Every setting by its environment name, in the order of declaration."""
    return {
        PREFIX + field.name.upper(): (field, field.metadata["knob"])
        for field in dataclasses.fields(Settings)
    }
