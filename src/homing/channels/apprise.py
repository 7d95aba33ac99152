"""Through Apprise: email, Slack, Teams, PagerDuty, Opsgenie, plain webhooks and a hundred more.

Apprise blocks, so each message goes out from a thread of its own. What it logs has URLs in it; it
is caught, scrubbed, and told as the reason when a message is refused.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Sequence
from typing import Any, Final

from homing.channels.redaction import scrubbed, shown
from homing.insight.alerts.alert import Severity, Status, Told
from homing.insight.alerts.wording import body, title
from homing.service.alerts.channel import NotTaken

_INSTALL: Final = "needs Apprise; install it with `pip install 'homing[alerts]'`"
_ERROR_MAX: Final = 300


class _Hearing(logging.Handler):
    """Keeps what each thread's library says, and lets nothing of it through."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._heard = threading.local()

    def begin(self) -> None:
        self._heard.lines = []

    def emit(self, record: logging.LogRecord) -> None:
        lines = getattr(self._heard, "lines", None)
        if lines is not None:
            lines.append(record.getMessage())

    def said(self) -> str:
        return "; ".join(getattr(self._heard, "lines", []))


_hearing = _Hearing()


def _library() -> Any:
    """Apprise, with its log in our hands.

    Raises:
        ValueError: it is not installed.
    """
    try:
        import apprise
    except ImportError:
        raise ValueError(_INSTALL) from None
    log = logging.getLogger("apprise")
    if _hearing not in log.handlers:
        log.addHandler(_hearing)
        log.propagate = False
        log.setLevel(logging.INFO)
    return apprise


class AppriseChannel:
    """One URL of Apprise's.

    Raises:
        ValueError: Apprise is missing, or knows no such URL.
    """

    def __init__(self, name: str, url: str) -> None:
        self.id = name
        self.shown = shown(url)
        self._url = url
        self._apprise = _library()
        _hearing.begin()
        try:
            self._service = self._apprise.Apprise.instantiate(url, suppress_exceptions=False)
        except Exception as error:
            raise ValueError(_not_understood(scrubbed(str(error), url))) from None
        if self._service is None:
            raise ValueError(_not_understood(scrubbed(_hearing.said(), url)))

    async def carry(self, alerts: Sequence[Told], *, at_us: int) -> None:
        await asyncio.to_thread(self._send, alerts)

    async def refresh(self, firing: Sequence[Told], *, at_us: int) -> None:
        pass

    def _send(self, alerts: Sequence[Told]) -> None:
        _hearing.begin()
        try:
            taken = self._service.notify(
                title=title(alerts),
                body=body(alerts),
                notify_type=self._type(alerts),
                body_format=self._apprise.NotifyFormat.TEXT,
            )
        except Exception as error:
            raise NotTaken(self._why(f"{type(error).__name__}: {error}")) from None
        if not taken:
            raise NotTaken(self._why(_hearing.said()))

    def _why(self, text: str) -> str:
        text = scrubbed(" ".join(text.split()), self._url)
        return text[:_ERROR_MAX] or f"{self.shown} refused it and did not say why"

    def _type(self, alerts: Sequence[Told]) -> Any:
        """The colour of a message, where a service has colours."""
        kinds = self._apprise.NotifyType
        if any(one.is_test for one in alerts):
            return kinds.INFO
        firing = [one for one in alerts if one.status is Status.FIRING]
        if not firing:
            return kinds.SUCCESS
        is_page = any(one.finding.severity is Severity.PAGE for one in firing)
        return kinds.FAILURE if is_page else kinds.WARNING


def _not_understood(said: str) -> str:
    hint = f" ({said[:_ERROR_MAX]})" if said else ""
    return (
        f"expected a URL that Apprise can send to, as its documentation has them{hint}; "
        "for example mailto://user:password@example.org"
    )
