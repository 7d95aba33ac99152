"""Builds the objects of one process by hand, runs them, and takes them down in order."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Final

from homing import __version__
from homing.cli.alerting import Alerting, make_alerting
from homing.cli.telemetry import Telemetry
from homing.core.journal import Journal
from homing.core.objectives import Limits as MeasureLimits
from homing.core.ports import Clock
from homing.core.queries import Backlog
from homing.core.retention import Retention
from homing.core.retry import RetryPolicy
from homing.core.sealing import Seals
from homing.core.signature import HeaderStyle
from homing.core.store import Store
from homing.dispatch.breaker import BreakerRules
from homing.dispatch.connection import Bounds, Deadlines
from homing.dispatch.dialling import is_here
from homing.dispatch.egress import Egress
from homing.dispatch.envelope import Envelopes
from homing.dispatch.health import HealthKeeper
from homing.dispatch.loop import Dispatcher, DispatchLimits
from homing.dispatch.planner import Shares
from homing.dispatch.sender import HttpSender
from homing.dispatch.sweeper import Sweeper
from homing.insight.ledger import AuditReport
from homing.metrics import Metrics, watch_process
from homing.service.acceptance import AcceptanceCounts
from homing.service.alerts.budgets import Budgets
from homing.service.alerts.signals import with_signals
from homing.service.announcer import Announcer
from homing.service.board import standing_key
from homing.service.board_asker import ANSWER_BYTES_MAX, BoardAsker
from homing.service.books import Auditor
from homing.service.context import Identity, Limits, Sending, Service
from homing.service.gate import Gate
from homing.service.intake import Intake
from homing.service.measuring import Measurer
from homing.service.operational import herald
from homing.service.retention import Keeper
from homing.service.task_runner import TaskRunner
from homing.service.text_index import TextIndexer
from homing.service.tokens import Tokens
from homing.settings import Settings
from homing.system import SystemChance, SystemClock, process_name
from homing.web.app import Api, create_api
from homing.web.operations.health import Vitals

_log = logging.getLogger("homing")

USER_AGENT: Final = f"Homing/{__version__}"


class Runtime:
    """One process: intake, dispatcher and the tasks around them, over one store.

    Args:
        store: open; closed by `close`.
    """

    def __init__(self, settings: Settings, store: Store) -> None:
        self.settings = settings
        self.store = store
        clock, chance = SystemClock(), SystemChance()
        seals = make_seals(settings)
        self.journal = Journal(clock, process_name())
        self.egress = make_egress(settings)
        self.sender = make_sender(settings, self.egress)
        self.meters = Metrics(store)
        self.telemetry = make_telemetry(settings, self.journal, self.meters)
        self.health = make_health(settings, store, clock, self.meters)
        self.dispatcher = Dispatcher(
            store,
            self.sender,
            chance,
            self.journal,
            Envelopes(HeaderStyle(settings.header_style), USER_AGENT, seals.open, self.telemetry),
            limits=dispatch_limits(settings),
            health=self.health,
            meters=self.meters,
            tracer=self.telemetry,
        )
        acceptance = AcceptanceCounts(measure_limits(settings))
        self.intake = Intake(
            store,
            chance,
            self.journal,
            dispatcher=self.dispatcher,
            meters=self.meters,
            tracer=self.telemetry,
            lease_s=settings.lease_s,
            event_id_s=settings.event_id_h * 3600,
            acceptance=acceptance,
        )
        self.measurer = make_measurer(settings, store, self.journal, acceptance, self.meters)
        self.auditor = Auditor(
            store, clock, every_s=settings.audit_every_s, on_report=self._audited
        )
        self.alerting = self._make_alerting(clock, chance)
        self.announcer = Announcer(store, clock, self.intake)
        self.sweeper = Sweeper(store, self.journal, self.dispatcher)
        self.keeper = self._make_keeper(clock)
        self.text_indexer = TextIndexer(store, clock, self.journal.holder)
        self.service = Service(
            store=store,
            clock=clock,
            chance=chance,
            intake=self.intake,
            journal=self.journal,
            tokens=make_tokens(settings),
            seals=seals,
            limits=service_limits(settings),
            measure=measure_limits(settings),
            wake=self.dispatcher.wake,
            wake_tasks=self._wake_tasks,
            permits=self.egress.permits_url,
            channels=self.alerting.channels,
            identity=make_identity(settings),
            breaker_is_open=self.dispatcher.only_probes,
            portal_origins=settings.portal_origins,
            sending=make_sending(settings, self.dispatcher.limits.policy),
            looks=lambda: tuple(self.auditor.looks),
        )
        self.board_sender = make_board_sender(settings)
        self.board_asker = self._make_board_asker(clock, seals)
        self.task_runner = TaskRunner(
            self.service, rate_per_s=settings.replays_per_s, keep_s=settings.task_days * 86_400
        )
        self._tasks: list[asyncio.Task[None]] = []
        self._announcing: asyncio.Task[None] | None = None
        self.failed = asyncio.Event()
        self.stopping = False  #: shown by the readiness probe

    def start(self) -> None:
        """Begin to dispatch, sweep, watch over endpoints, audit, purge, alert and announce."""
        for name, work in (
            ("dispatcher", self.dispatcher.run()),
            ("sweeper", self.sweeper.run()),
            ("health", self.health.run()),
            ("auditor", self.auditor.run()),
            ("keeper", self.keeper.run()),
            ("text indexer", self.text_indexer.run()),
            ("task runner", self.task_runner.run()),
            ("alert watcher", self.alerting.watcher.run()),
            ("alert carrier", self.alerting.carrier.run()),
            ("measurer", self.measurer.run()),
            ("board asker", self.board_asker.run()),
        ):
            self._tasks.append(self._spawn(name, work))
        if self.telemetry is not None:
            self._tasks.append(
                self._spawn(
                    "telemetry", self.telemetry.run(lambda: self.journal.clock.now_us() * 1_000)
                )
            )
        self._announcing = self._spawn("announcer", self.announcer.run())
        self._tasks.append(self._announcing)
        if self.settings.backlog_max or self.settings.backlog_total_max:
            self._tasks.append(self._spawn("gate", self._gate().run()))

    def make_api(self) -> Api:
        """The API of this process."""
        watch_process(self.meters)
        return create_api(self.service, vitals=self.vitals, metrics=self.meters.text)

    def vitals(self) -> Vitals:
        """What this process knows of itself at the moment."""
        audited = self.auditor.latest
        return Vitals(
            stopping=self.stopping,
            dispatching=not self.failed.is_set(),
            accepting=self.intake.closed_because,
            late_since_us=self.dispatcher.late_since_us,
            balanced=audited.is_balanced if audited else None,
            unaccounted=audited.unaccounted if audited else 0,
            audited_at_us=audited.at_us if audited else None,
            watched=self.alerting.watcher.is_watched(),
            watched_at_us=self.alerting.watcher.evaluated_at_us,
        )

    async def drain(self, within_s: float) -> bool:
        """Finish what was begun; whether everything was.

        A database that does not answer cannot make it last longer than `within_s` and a few
        seconds.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within_s
        if self._announcing is not None:  # what it has not told yet is told by whoever comes next
            self._announcing.cancel()
        with suppress(TimeoutError):
            await asyncio.wait_for(self.intake.close(), within_s)
        finished = await self.dispatcher.drain(max(0.0, deadline - loop.time()))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        return finished

    async def close(self) -> None:
        """Let go of connections and of the database."""
        await self.sender.close()
        await self.board_sender.close()
        await self.store.close()
        if self.telemetry is not None:
            await asyncio.to_thread(self.telemetry.close)

    def _audited(self, report: AuditReport, backlog: Backlog) -> None:
        self.meters.audited(report, backlog)
        self.measurer.audited(report)

    def _wake_tasks(self) -> None:
        self.task_runner.wake()

    def _make_alerting(self, clock: SystemClock, chance: SystemChance) -> Alerting:
        return make_alerting(
            self.settings,
            self.store,
            clock,
            chance,
            self.journal.holder,
            self.auditor,
            self.meters,
            Budgets(lambda: self.service).burns,
        )

    def _make_keeper(self, clock: SystemClock) -> Keeper:
        return Keeper(
            self.store,
            clock,
            self.journal.holder,
            kept=make_retention(self.settings),
            every_s=self.settings.retain_every_s,
            warn_d=self.settings.retain_warn_d,
            meters=self.meters,
        )

    def _make_board_asker(self, clock: SystemClock, seals: Seals) -> BoardAsker:
        return BoardAsker(
            self.store,
            clock,
            self.board_sender,
            seals,
            self.journal.holder,
            every_s=self.settings.board_every_s,
        )

    def _gate(self) -> Gate:
        return Gate(
            self.store,
            self.journal.clock,
            self.intake,
            app_max=self.settings.backlog_max,
            total_max=self.settings.backlog_total_max,
        )

    def _spawn(self, name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(self._look_at)
        return task

    def _look_at(self, task: asyncio.Task[None]) -> None:
        """A part that ends by itself with an error takes the process down: nobody is half alive."""
        if not task.cancelled() and task.exception() is not None:
            _log.critical("the %s failed", task.get_name(), exc_info=task.exception())
            self.failed.set()


def make_telemetry(settings: Settings, journal: Journal, meters: Metrics) -> Telemetry | None:
    """What tells a collector, if there is one."""
    if not settings.otlp_url:
        return None
    return Telemetry(
        settings.otlp_url,
        settings.trace_share,
        journal.holder,
        meters.families,
        began_ns=journal.clock.now_us() * 1_000,
    )


def make_measurer(
    settings: Settings,
    store: Store,
    journal: Journal,
    acceptance: AcceptanceCounts,
    meters: Metrics,
) -> Measurer:
    """What counts for objectives."""
    return Measurer(
        store,
        journal.clock,
        journal.holder,
        limits=measure_limits(settings),
        acceptance=acceptance,
        every_s=settings.slo_every_s,
        audit_every_s=settings.audit_every_s,
        on_tallies=meters.tallied,
    )


def make_health(settings: Settings, store: Store, clock: Clock, meters: Metrics) -> HealthKeeper:
    """What watches over endpoints that do nothing but fail."""
    return HealthKeeper(
        store,
        clock,
        disable_after_s=settings.disable_after_s or float("inf"),
        meters=meters,
        herald=with_signals(herald(store, clock), clock),
    )


def measure_limits(settings: Settings) -> MeasureLimits:
    """What objectives count as in time."""
    return MeasureLimits(
        first_us=round(settings.slo_first_s * 1_000_000),
        retry_us=round(settings.slo_retry_s * 1_000_000),
        delivered_us=round(settings.slo_delivered_s * 1_000_000),
        accept_us=round(settings.slo_accept_s * 1_000_000),
        hygiene_us=round(settings.slo_dead_d * 86_400_000_000),
    )


def make_seals(settings: Settings) -> Seals:
    """What seals and opens the endpoints' secrets."""
    return Seals(settings.secret.reveal(), [one.reveal() for one in settings.secret_previous])


def make_retention(settings: Settings) -> Retention:
    """How long the service keeps what an application says nothing about."""
    return Retention(
        payload_d=settings.retain_payload_d,
        attempts_d=settings.retain_attempts_d,
        log_d=settings.retain_log_d,
        dead_d=settings.retain_dead_d,
    )


def make_tokens(settings: Settings) -> Tokens:
    """What signs and verifies tokens."""
    return Tokens(
        settings.secret.reveal(),
        previous=[one.reveal() for one in settings.secret_previous],
        svix_secret=settings.svix_jwt_secret.reveal(),
    )


def make_egress(settings: Settings) -> Egress:
    """The rule about addresses, with the networks that were allowed."""
    return Egress(
        settings.egress_allow,
        allow_for=dict(settings.egress_allow_for),
        own_port=settings.listen_port or None,
        is_here=is_here,
    )


def make_sender(settings: Settings, egress: Egress) -> HttpSender:
    """The sender, with the deadlines and bounds that were set."""
    return HttpSender(
        egress,
        deadlines=Deadlines(
            connect_s=settings.connect_s,
            tls_s=settings.tls_s,
            first_byte_s=settings.first_byte_s,
            idle_s=settings.idle_s,
            total_s=settings.total_s,
        ),
        bounds=Bounds(body_bytes_max=settings.response_bytes_max),
    )


def make_identity(settings: Settings) -> Identity:
    """Who this Homing is to the boards of others."""
    secrets = [settings.secret.reveal(), *(one.reveal() for one in settings.secret_previous)]
    return Identity(
        name=settings.name,
        owner=settings.owner,
        keys=lambda org_id: [standing_key(secret, org_id) for secret in secrets],
    )


def make_board_sender(settings: Settings) -> HttpSender:
    """What asks the members of the board, who may be in networks where no endpoint may be."""
    return HttpSender(
        Egress(
            (*settings.egress_allow, *settings.board_allow),
            own_port=settings.listen_port or None,
            is_here=is_here,
        ),
        deadlines=Deadlines(connect_s=3.0, tls_s=3.0, first_byte_s=8.0, idle_s=3.0, total_s=10.0),
        bounds=Bounds(body_bytes_max=ANSWER_BYTES_MAX),
    )


def make_sending(settings: Settings, policy: RetryPolicy) -> Sending:
    """How requests are made, for those who look at them."""
    style = HeaderStyle(settings.header_style)
    return Sending(policy=policy, style=style, user_agent=USER_AGENT)


def service_limits(settings: Settings) -> Limits:
    """How much the verbs take at once, and for how long."""
    return Limits(
        body_bytes_max=settings.body_bytes_max,
        idempotency_s=settings.idempotency_h * 3600,
        undo_s=settings.undo_d * 86_400,
        replays_per_s=settings.replays_per_s,
    )


def dispatch_limits(settings: Settings) -> DispatchLimits:
    """The dispatcher's numbers."""
    return DispatchLimits(
        sends_max=settings.sends_max,
        lease_s=settings.lease_s,
        request_total_s=settings.total_s,
        poll_s=settings.poll_s,
        unanswered_max=settings.leases_unanswered_max,
        policy=RetryPolicy(delays_s=settings.retry_delays_s, jitter=settings.retry_jitter),
        shares=Shares(endpoint=settings.endpoint_share, application=settings.application_share),
        breakers=BreakerRules(
            failures=settings.breaker_failures,
            cool_down_max_s=settings.breaker_cool_down_max_s,
        ),
    )
