"""Builds what watches and what tells, for one process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from homing.channels import make_channels
from homing.core.ports import Chance, Clock
from homing.core.store import Store
from homing.insight.alerts.advance import Manners
from homing.insight.alerts.minutes import Minutes
from homing.insight.alerts.thresholds import Thresholds
from homing.metrics import Metrics
from homing.service.alerts.carrier import Carrier
from homing.service.alerts.channel import Channel
from homing.service.alerts.reader import Burns, Reader
from homing.service.alerts.watcher import Watcher
from homing.service.alerts.worth import worth_of
from homing.service.books import Auditor
from homing.settings import Settings


class Alerting(NamedTuple):
    """The parts; each of the last two is a task of its own."""

    channels: Sequence[Channel]
    carrier: Carrier
    watcher: Watcher


def make_alerting(
    settings: Settings,
    store: Store,
    clock: Clock,
    chance: Chance,
    holder: str,
    auditor: Auditor,
    meters: Metrics,
    burns: Burns,
) -> Alerting:
    """The parts of one process.

    Args:
        holder: names the process.
        auditor: of the process.
        burns: objectives whose budget is spent too fast.

    Raises:
        ConfigError: a channel that nothing can be sent to.
    """
    channels = make_channels([one.reveal() for one in settings.alerts])
    carrier = Carrier(
        store, clock, {one.id: one for one in channels}, on_result=meters.notice_tried
    )
    # Where audits are rarer than usual, so is what they miss.
    missed_s = max(Thresholds().audit_missed_s, 5 * settings.audit_every_s)
    thresholds = Thresholds(audit_missed_s=missed_s)
    minutes = Minutes()
    reader = Reader(
        store,
        clock,
        auditor,
        minutes,
        thresholds=thresholds,
        disable_after_s=settings.disable_after_s or float("inf"),
        burns=burns,
        worth=worth_of(store),
    )
    watcher = Watcher(
        store,
        clock,
        chance,
        holder,
        reader,
        auditor,
        minutes,
        channels,
        every_s=settings.alerts_every_s,
        thresholds=thresholds,
        manners=Manners(ticket_gap_s=settings.alerts_gather_s),
        meters=meters,
        wake=carrier.wake,
    )
    return Alerting(channels, carrier, watcher)
