"""`/alert` and `/alert-channel`: what is the matter, and who is told of it."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta

from homing.insight.alerts.alert import Alert, Notice, Status
from homing.insight.rates import Rate
from homing.service.alerts import verbs
from homing.web.operation import Answer, Call, answer, operation
from homing.web.schemas import ListOut, NoQuery, PageQuery, Schema, Timestamp, page_of, rfc3339

_TAG: Final = "Alert"
_ONE: Final = "/alert/{alert_id}"
_CHANNEL: Final = "/alert-channel"

StatusName = Literal["firing", "resolved"]


class AlertsQuery(PageQuery, frozen=True, kw_only=True):
    """Which alerts."""

    status: StatusName | None = None


class RateOut(Schema, kw_only=True):
    """A share with its exact interval."""

    value: float
    low: float
    high: float
    confidence: float


class AlertOut(Schema, kw_only=True):
    """One alert, as it was last found."""

    id: str
    kind: str
    status: StatusName
    severity: Literal["page", "ticket"]
    owner: Literal["platform", "receiver", "publisher", "configuration"]
    org_id: str | None  # whose traffic it is about; null: the operator's own
    app_id: str | None
    endpoint_id: str | None
    name: str | None
    what: str
    since: Timestamp
    since_low: Timestamp | None  # where `since` is an estimate: its 95% interval
    since_high: Timestamp | None
    fired_at: Timestamp
    resolved_at: Timestamp | None
    episode: int  # how often it has come
    count: int
    of: int | None
    rate: RateOut | None
    money: dict[str, str]  # currency to a decimal amount
    examples: list[str]  # the first three
    command: str  # to look closer
    told_at: Timestamp | None  # when people were last told of it
    acknowledged_by: str | None
    silenced_until: Timestamp | None
    silenced_by: str | None


class NoticeOut(Schema, kw_only=True):
    """What was told through one channel, and what became of it."""

    id: str
    channel: str
    status: Literal["pending", "sent", "failed"]
    alerts: int  # that it tells of
    tries: int
    error: str | None  # of the latest try
    created_at: Timestamp
    finished_at: Timestamp | None


class AlertDetailOut(AlertOut, kw_only=True):
    """One alert, and who was told."""

    notices: list[NoticeOut]


class SilenceIn(Schema, kw_only=True):
    """For how long nothing is told of it."""

    #: seconds from now, at most 90 days; 0: tell again
    for_s: Annotated[int, Meta(ge=0, le=7_776_000)]


class ChannelOut(Schema, kw_only=True):
    """One way to reach people."""

    id: str
    url: str  # without credentials


class ChannelsOut(Schema, kw_only=True):
    """All of them."""

    data: list[ChannelOut]


class TestedOut(Schema, kw_only=True):
    """What became of a test."""

    accepted: bool
    error: str | None  # why not


def _time(at_us: int | None) -> str | None:
    return None if at_us is None else rfc3339(at_us)


def alert_out(alert: Alert) -> AlertOut:
    finding = alert.finding
    return AlertOut(
        id=alert.id,
        kind=str(finding.kind),
        status=alert.status.value,
        severity=finding.severity.value,
        owner=finding.owner.value,
        org_id=finding.org_id or None,
        app_id=finding.app_id,
        endpoint_id=finding.endpoint_id,
        name=finding.name or None,
        what=finding.what,
        since=rfc3339(finding.since_us),
        since_low=_time(finding.since_low_us),
        since_high=_time(finding.since_high_us),
        fired_at=rfc3339(alert.fired_at_us),
        resolved_at=_time(alert.resolved_at_us),
        episode=alert.episode,
        count=finding.count,
        of=finding.of,
        rate=_rate_out(finding.rate),
        money=finding.money,
        examples=list(finding.examples),
        command=finding.command,
        told_at=_time(alert.told_at_us),
        acknowledged_by=alert.acknowledged_by,
        silenced_until=_time(alert.silenced_until_us or None),
        silenced_by=alert.silenced_by,
    )


def _rate_out(rate: Rate | None) -> RateOut | None:
    if rate is None:
        return None
    return RateOut(value=rate.value, low=rate.low, high=rate.high, confidence=rate.confidence)


def _notice_out(notice: Notice) -> NoticeOut:
    return NoticeOut(
        id=notice.id,
        channel=notice.channel,
        status=notice.scope,  # type: ignore[arg-type]  # one of the three scopes
        alerts=len(notice.alerts),
        tries=notice.tries,
        error=notice.error,
        created_at=rfc3339(notice.created_at_us),
        finished_at=_time(notice.finished_at_us),
    )


@operation(
    "GET",
    "/alert",
    "v1.alert.list",
    "List alerts: what is the matter, and what was in the last week",
    tag=_TAG,
    query=AlertsQuery,
    answers={200: ListOut[AlertOut]},
    org_only=True,
)
async def list_alerts(call: Call[AlertsQuery, None]) -> Answer:
    status = None if call.query.status is None else Status(call.query.status)
    listing = await verbs.list_alerts(call.service, call.caller, call.query.ask(), status=status)
    return answer(200, page_of(listing, alert_out))


@operation(
    "GET",
    _ONE,
    "v1.alert.get",
    "Get an alert, and who was told of it",
    tag=_TAG,
    answers={200: AlertDetailOut},
    org_only=True,
)
async def get_alert(call: Call[NoQuery, None]) -> Answer:
    alert = await verbs.find_alert(call.service, call.caller, call.path["alert_id"])
    notices = []
    if verbs.is_operator(call.caller):
        notices = [_notice_out(one) for one in await verbs.notices_of(call.service, alert.id)]
    known = alert_out(alert)
    fields = {name: getattr(known, name) for name in known.__struct_fields__}
    return answer(200, AlertDetailOut(**fields, notices=notices))


@operation(
    "POST",
    f"{_ONE}/silence",
    "v1.alert.silence",
    "Tell nothing of an alert for a time",
    tag=_TAG,
    body=SilenceIn,
    answers={200: AlertOut},
    org_only=True,
)
async def silence_alert(call: Call[NoQuery, SilenceIn]) -> Answer:
    until_us = call.service.clock.now_us() + call.body.for_s * 1_000_000 if call.body.for_s else 0
    alert = await verbs.silence(call.service, call.caller, call.path["alert_id"], until_us=until_us)
    return answer(200, alert_out(alert))


@operation(
    "POST",
    f"{_ONE}/acknowledge",
    "v1.alert.acknowledge",
    "Say that somebody looks after an alert: no more reminders",
    tag=_TAG,
    answers={200: AlertOut},
    org_only=True,
)
async def acknowledge_alert(call: Call[NoQuery, None]) -> Answer:
    alert = await verbs.acknowledge(call.service, call.caller, call.path["alert_id"])
    return answer(200, alert_out(alert))


@operation(
    "GET",
    _CHANNEL,
    "v1.alert-channel.list",
    "List the channels that alerts go through",
    tag=_TAG,
    answers={200: ChannelsOut},
    org_only=True,
)
async def list_channels(call: Call[NoQuery, None]) -> Answer:
    found = verbs.channels(call.service, call.caller)
    return answer(200, ChannelsOut(data=[ChannelOut(id=one.id, url=one.shown) for one in found]))


@operation(
    "POST",
    f"{_CHANNEL}/{{channel_id}}/test",
    "v1.alert-channel.test",
    "Send a marked test through a channel, and say whether it was taken",
    tag=_TAG,
    answers={200: TestedOut},
    org_only=True,
    keeps_reply=False,
)
async def test_channel(call: Call[NoQuery, None]) -> Answer:
    error = await verbs.test_channel(call.service, call.caller, call.path["channel_id"])
    return answer(200, TestedOut(accepted=error is None, error=error))


OPERATIONS = (
    list_alerts,
    get_alert,
    silence_alert,
    acknowledge_alert,
    list_channels,
    test_channel,
)
