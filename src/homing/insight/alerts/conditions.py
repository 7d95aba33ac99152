"""What is the matter? From readings to findings.

Nothing here remembers: the same readings give the same findings. What lasts, who is told of it and
how often is `homing.insight.alerts.advance`.
"""

from __future__ import annotations

from homing.insight.alerts import of_platform, of_traffic
from homing.insight.alerts.alert import Finding
from homing.insight.alerts.readings import Readings
from homing.insight.alerts.thresholds import Thresholds


def find(readings: Readings, thresholds: Thresholds = Thresholds()) -> list[Finding]:  # noqa: B008
    """Everything that is the matter, each matter once; the platform's first."""
    found = [
        *of_platform.unaccounted(readings),
        *of_platform.audit_missed(readings, thresholds),
        *of_platform.late(readings, thresholds),
        *of_platform.backlog(readings, thresholds),
        *of_platform.wide_failures(readings, thresholds),
        *of_platform.channels(readings, thresholds),
        *of_platform.burns(readings),
        *of_traffic.dead_letters(readings, thresholds),
        *of_traffic.money(readings),
        *of_traffic.failures(readings),
        *of_traffic.endpoints(readings),
        *of_traffic.silences(readings),
    ]
    return list({one.id: one for one in found}.values())
