"""Reaches people: Apprise's hundred services, and Alertmanager."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from homing.channels.alertmanager import SCHEMES as ALERTMANAGER_SCHEMES
from homing.channels.alertmanager import AlertmanagerChannel
from homing.channels.apprise import AppriseChannel
from homing.core.errors import ConfigError
from homing.service.alerts.channel import Channel


def make_channels(urls: Sequence[str], *, server_url: str = "") -> tuple[Channel, ...]:
    """One channel for each URL of HOMING_ALERTS, named by its scheme and its place.

    Args:
        server_url: where this Homing is, for links back to it; empty: no links.

    Raises:
        ConfigError: a URL that nothing can be sent to, or a library that is not installed; one
            sentence each, without credentials.
    """
    counts: Counter[str] = Counter()
    channels: list[Channel] = []
    problems: list[str] = []
    for url in urls:
        scheme = url.partition("://")[0].lower()
        counts[scheme] += 1
        name = f"{scheme}-{counts[scheme]}"
        try:
            if scheme in ALERTMANAGER_SCHEMES:
                channels.append(AlertmanagerChannel(name, url, server_url=server_url))
            else:
                channels.append(AppriseChannel(name, url))
        except ValueError as error:
            problems.append(f"HOMING_ALERTS: the {_nth(counts[scheme])} {scheme}://…: {error}")
    if problems:
        raise ConfigError(problems)
    return tuple(channels)


def _nth(number: int) -> str:
    return {1: "first", 2: "second", 3: "third"}.get(number, f"{number}th")
