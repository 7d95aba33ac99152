"""From where on something deserves an alert."""

from __future__ import annotations

import msgspec


class Thresholds(msgspec.Struct, frozen=True, kw_only=True):
    """From where on something deserves an alert. Each default says why."""

    #: no audit for so long: five of the default ones missed
    audit_missed_s: float = 300.0
    #: due for so long with nothing that holds it back. A poll is a quarter of a second; a node that
    #: was killed leaves its leases behind for a minute
    late_s: float = 120.0
    #: due deliveries that may be waiting whatever the traffic: seconds of work for one process
    backlog_least: int = 1_000
    #: or so many seconds of what arrives
    backlog_s: float = 300.0
    #: deaths within the look back (`recent_s`) that are never called growth
    growth_least: int = 10
    recent_s: float = 600.0
    past_s: float = 86_400.0
    #: a dead letter may be so old. Source: the objective "95% resolved within three days"
    old_s: float = 3 * 86_400.0
    #: share of the endpoints with traffic, and number of them, that begin to fail together
    wide_share: float = 0.5
    wide_least: int = 4
    #: within so many seconds of each other
    wide_s: float = 300.0
    #: a channel has taken nothing for so long
    channel_s: float = 300.0
