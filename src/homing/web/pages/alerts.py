"""`/alerts`: what is the matter, whose it is, who has been told, and whether that works."""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import Response

from homing.core.errors import Forbidden
from homing.insight.alerts.alert import Alert, Kind, Severity, Status
from homing.insight.alerts.wording import money_text, percent_text
from homing.service.alerts import verbs
from homing.service.listing import is_delivery_id
from homing.web.pages.asking import ask_of, turns, whole_in
from homing.web.pages.shell import Page, Visit, get, post

_HERE: Final = "alerts"
_FIRING: Final = 50
_RECENT: Final = 25
_SILENCE_MAX_H: Final = 90 * 24
#: how long somebody may want quiet, in hours
_SILENCES: Final = ((1, "1 hour"), (4, "4 hours"), (24, "1 day"), (168, "1 week"))
#: what a kind of alert means, for somebody who sees it for the first time
MEANINGS: Final = {
    Kind.UNACCOUNTED: "Messages were accepted, and no column of the books has their deliveries.",
    Kind.AUDIT_MISSED: "The books have not been balanced for a while, so a loss would go unseen.",
    Kind.DELIVERIES_LATE: "Deliveries are due and are not being sent; only Homing holds them back.",
    Kind.BACKLOG: "More falls due than is sent: the queue grows.",
    Kind.WIDE_FAILURES: "Many endpoints that have nothing in common began to fail at once.",
    Kind.CHANNEL_FAILING: "Alerts do not come through a channel, so people may not be told.",
    Kind.BURN_RATE: "An objective's budget is being spent too fast to last.",
    Kind.FIRST_DEAD_LETTER: "An endpoint that had no dead letters has one.",
    Kind.DEAD_LETTERS_GROWING: "An endpoint gets dead letters faster than it used to.",
    Kind.DEAD_LETTER_OLD: "Dead letters have waited too long for somebody.",
    Kind.MONEY_AT_RISK: "What unresolved dead letters are worth is above the limit.",
    Kind.FAILURE_RATE_CHANGED: "An endpoint fails far more than it did before.",
    Kind.ENDPOINT_FAILING: "An endpoint has failed for so long that it will be disabled.",
    Kind.ENDPOINT_DISABLED: "Homing disabled an endpoint; what is for it is parked, and not lost.",
    Kind.NO_TRAFFIC: "An application that always sends at this time does not.",
}
_OF_LETTERS: Final = frozenset(
    {Kind.FIRST_DEAD_LETTER, Kind.DEAD_LETTERS_GROWING, Kind.DEAD_LETTER_OLD, Kind.MONEY_AT_RISK}
)


async def show_alerts(visit: Visit) -> Page:
    """What fires, the worst first; what was lately; and the channels."""
    service, caller = visit.service, visit.caller
    firing = await verbs.list_alerts(service, caller, ask_of(visit, _FIRING), status=Status.FIRING)
    recent = await verbs.list_alerts(
        service, caller, ask_of(visit, _RECENT, "recent"), status=Status.RESOLVED
    )
    at_us = service.clock.now_us()
    try:
        channels = await verbs.reaches(service, caller)
    except Forbidden:
        channels = None
    values = {
        "firing": [line_of(one, at_us) for one in sorted(firing.data, key=_urgency)],
        "turns": turns(visit, firing),
        "recent": [
            line_of(one, at_us)
            for one in sorted(recent.data, key=lambda one: -(one.resolved_at_us or 0))
        ],
        "recent_turns": turns(visit, recent, "recent"),
        "channels": channels,
        "silences": _SILENCES,
    }
    return Page("alerts.html", "Alerts", _HERE, values)


def _urgency(alert: Alert) -> tuple[bool, bool, bool, int]:
    return (
        alert.silenced_until_us > alert.updated_at_us,
        alert.acknowledged_by is not None,
        alert.finding.severity is not Severity.PAGE,
        -alert.finding.since_us,
    )


def line_of(alert: Alert, at_us: int) -> dict[str, Any]:
    """An alert in the words that pages use."""
    finding = alert.finding
    return {
        "alert": alert,
        "finding": finding,
        "url": f"/alerts/{alert.id}",
        "what": finding.what[:1].upper() + finding.what[1:],
        "meaning": MEANINGS[finding.kind],
        "is_firing": alert.status is Status.FIRING,
        "is_silent": alert.is_silent(at_us),
        "is_page": finding.severity is Severity.PAGE,
        "how_many": _how_many(alert),
        "how_sure": _how_sure(alert),
        "money": money_text(finding.money),
        "examples": [(one, is_delivery_id(one)) for one in finding.examples],
        "places": _places(alert),
    }


def _how_many(alert: Alert) -> str:
    finding = alert.finding
    if finding.of is not None and finding.rate is not None:
        return f"{finding.count:,} of {finding.of:,}: {percent_text(finding.rate.value)}"
    return f"{finding.count:,}" if finding.count else ""


def _how_sure(alert: Alert) -> str:
    """What so many events say of the share behind them; empty where none was counted."""
    rate = alert.finding.rate
    if alert.finding.of is None or rate is None:
        return ""
    low, high = percent_text(rate.low), percent_text(rate.high)
    return f"with {rate.confidence:.0%} certainty, the share behind it is {low} to {high}"


def _places(alert: Alert) -> list[tuple[str, str]]:
    """(words, URL) of the pages that say more."""
    finding = alert.finding
    found = []
    if finding.kind in _OF_LETTERS:
        query = ""
        if finding.app_id:
            query = f"?app={finding.app_id}"
            query += f"&endpoint={finding.endpoint_id}" if finding.endpoint_id else ""
        found.append(("Its dead letters", f"/dead-letters{query}"))
    if finding.kind is Kind.BURN_RATE:
        found.append(("The objective", f"/objectives/{finding.name}"))
    if finding.kind in (Kind.UNACCOUNTED, Kind.AUDIT_MISSED):
        found.append(("What is unaccounted for", "/objectives/unaccounted"))
    if finding.app_id and finding.endpoint_id:
        found.append(("The endpoint", f"/endpoints/{finding.app_id}/{finding.endpoint_id}"))
    return found


async def show_alert(visit: Visit) -> Page:
    """One alert, and who was told of it."""
    service, caller = visit.service, visit.caller
    alert = await verbs.find_alert(service, caller, visit.path["alert"])
    told = await verbs.notices_of(service, alert.id) if verbs.is_operator(caller) else []
    line = line_of(alert, service.clock.now_us())
    values = line | {"line": line, "told": told[:50], "silences": _SILENCES}
    return Page("alert.html", line["what"], _HERE, values)


async def acknowledge(visit: Visit) -> Response:
    alert = await verbs.acknowledge(visit.service, visit.caller, visit.path["alert"])
    return visit.go(_back(alert), said="Acknowledged: no more reminders; its end is still told.")


async def silence(visit: Visit) -> Response:
    """Tell nothing for some hours; 0 ends that."""
    fields = await visit.form()
    hours = whole_in(fields, "hours", low=0, high=_SILENCE_MAX_H, default=1) or 0
    until_us = visit.service.clock.now_us() + hours * 3_600_000_000 if hours else 0
    alert = await verbs.silence(visit.service, visit.caller, visit.path["alert"], until_us=until_us)
    said = "Silenced; it is kept and shown all the same." if hours else "It is told again."
    return visit.go(_back(alert), said=said)


async def test(visit: Visit) -> Response:
    """Send a marked test through a channel."""
    name = visit.path["channel"]
    error = await verbs.test_channel(visit.service, visit.caller, name)
    said = f"{name} took a test." if error is None else f"{name} did not take a test: {error}"
    return visit.go("/alerts#channels", said=said)


def _back(alert: Alert) -> str:
    return f"/alerts/{alert.id}"


_ONE: Final = "/alerts/{alert}"

PAGES = (
    get("/alerts", show_alerts),
    get(_ONE, show_alert),
    post(f"{_ONE}/acknowledge", acknowledge),
    post(f"{_ONE}/silence", silence),
    post("/alerts/channels/{channel}/test", test, role="admin"),
)
