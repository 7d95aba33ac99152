"""To Prometheus's Alertmanager, which routes, groups and silences in its own way.

Source: Alertmanager's API v2 (`POST /api/v2/alerts`): an alert is known by its labels, is firing
until its `endsAt`, and is resolved by one that is past.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import httpx

from homing.channels.redaction import scrubbed, shown
from homing.insight.alerts.alert import Status, Told
from homing.insight.alerts.wording import money_text, rate_text, whose
from homing.service.alerts.channel import NotTaken

SCHEMES: Final = {"alertmanager": "http", "alertmanagers": "https"}
_TIMEOUT_S: Final = 10.0
#: an alert ends by itself when it was not repeated for so long: five of the minutes after which
#: the watch repeats it, and a deployment's pause
_ENDS_AFTER_US: Final = 15 * 60_000_000
_ERROR_MAX: Final = 300


class AlertmanagerChannel:
    """One Alertmanager.

    Args:
        url: `alertmanager://host:9093`, `alertmanagers://user:password@host/prefix`.
        server_url: of this Homing; shown as the alerts' source.

    Raises:
        ValueError: not such a URL.
    """

    def __init__(self, name: str, url: str, *, server_url: str = "") -> None:
        self.id = name
        self.shown = shown(url)
        self._url = url
        self._server_url = server_url
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            parts, port = urlsplit(""), None
        if not parts.hostname:
            raise ValueError("expected alertmanager://host:9093, or alertmanagers:// for HTTPS")
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        place = f"{host}:{port}" if port else host
        prefix = parts.path.rstrip("/")
        self._target = f"{SCHEMES[parts.scheme]}://{place}{prefix}/api/v2/alerts"
        self._auth: httpx.Auth | None = None
        if parts.username:
            self._auth = httpx.BasicAuth(unquote(parts.username), unquote(parts.password or ""))

    async def carry(self, alerts: Sequence[Told], *, at_us: int) -> None:
        documents = [alert_document(one, at_us=at_us, source=self._server_url) for one in alerts]
        try:
            async with httpx.AsyncClient(
                auth=self._auth, timeout=_TIMEOUT_S, trust_env=False
            ) as http:
                answer = await http.post(self._target, json=documents)
        except httpx.HTTPError as error:
            text = scrubbed(f"{type(error).__name__}: {error}", self._url)
            raise NotTaken(f"{self.shown}: {text}"[:_ERROR_MAX]) from None
        if not answer.is_success:
            text = scrubbed(" ".join(answer.text.split()), self._url)
            raise NotTaken(f"{self.shown} answered {answer.status_code}: {text}"[:_ERROR_MAX])

    async def refresh(self, firing: Sequence[Told], *, at_us: int) -> None:
        if firing:
            await self.carry(firing, at_us=at_us)


def alert_document(told: Told, *, at_us: int, source: str) -> dict[str, Any]:
    """One alert as Alertmanager takes it. Its labels are the same for as long as it lasts.

    Args:
        at_us: now.
        source: a URL, or empty.
    """
    finding = told.finding
    labels = {
        "alertname": "Homing" + str(finding.kind).title().replace("_", ""),
        "alert_id": told.alert_id,
        "kind": str(finding.kind),
        "severity": str(finding.severity),
        "owner": str(finding.owner),
        "organisation": finding.org_id,
        "application": finding.app_id or "",
        "endpoint": finding.endpoint_id or "",
        "service": "homing",
        "test": "true" if told.is_test else "",
    }
    annotations = {
        "summary": finding.what,
        "whose": whose(told),
        "count": str(finding.count),
        "of": "" if finding.of is None else str(finding.of),
        "rate": "" if finding.rate is None else rate_text(finding.rate),
        "money": money_text(finding.money),
        "examples": ", ".join(finding.examples),
        "command": finding.command,
    }
    is_over = told.status is Status.RESOLVED
    ends_at_us = (told.resolved_at_us or at_us) if is_over else at_us + _ENDS_AFTER_US
    document: dict[str, Any] = {
        "labels": {name: value for name, value in labels.items() if value},
        "annotations": {name: value for name, value in annotations.items() if value},
        "startsAt": _moment(min(told.fired_at_us, ends_at_us)),
        "endsAt": _moment(min(ends_at_us, at_us) if is_over else ends_at_us),
    }
    if source:
        document["generatorURL"] = source
    return document


def _moment(at_us: int) -> str:
    return datetime.fromtimestamp(at_us / 1_000_000, UTC).isoformat().replace("+00:00", "Z")
