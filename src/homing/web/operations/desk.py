"""The desk: issues of dead letters, and dead letters many at a time. All of it is beyond Svix."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal

from msgspec import Meta

from homing.core.errors import Invalid, Problem
from homing.core.issues import IssueState
from homing.core.money import decimal_text
from homing.core.tasks import RedrivePlan, Selection
from homing.service import desk
from homing.service.desk import IssueView
from homing.web.operation import Answer, Call, answer, operation
from homing.web.operations.deliveries import DeliveryOut, MoneyOut, Why, delivery_out
from homing.web.operations.tasks import TaskStarted, started
from homing.web.schemas import (
    Channel,
    EventTypeName,
    ListOut,
    Moment,
    NoQuery,
    PageQuery,
    Schema,
    Timestamp,
    Uid,
    distinct,
    microseconds,
    page_of,
    rfc3339,
)

_ISSUES: Final = "/app/{app_id}/issue"
_ISSUE: Final = f"{_ISSUES}/{{issue_id}}"
_DEAD: Final = "/app/{app_id}/dead-letter"
_TAG: Final = "Dead Letter"

StateName = Literal["open", "acknowledged", "muted", "resolved"]
DeadReasonName = Literal[
    "attempts_exhausted",
    "dns_failed",
    "tls_invalid",
    "ssrf_blocked",
    "sign_failed",
    "poison_worker_crash",
    "payload_gone",
]
Note = Annotated[str, Meta(pattern=r"^[^\u0000]*$", max_length=500)]
DeliveryName = Annotated[str, Meta(min_length=1, max_length=128)]
Status = Annotated[int, Meta(ge=100, le=599)]


class IssuesQuery(PageQuery, frozen=True, kw_only=True):
    """Which issues."""

    endpoint_id: Uid | None = None
    state: list[StateName] | None = None  # these; all by default


class IssueOut(Schema, kw_only=True):
    """Dead letters that died of the same thing, with those of all that was merged into it."""

    id: str
    endpoint_id: str
    reason: DeadReasonName
    status: int | None  #: HTTP status of the last answer; null: there was none
    error: str  #: the last error without what differs each time; empty where `status` says it
    state: StateName
    state_by: str | None  #: who put it into this state; null: a death did
    state_at: Timestamp
    note: str | None
    count: Annotated[int, Meta(ge=0)]  #: its dead letters, counted now
    at_stake: list[MoneyOut]  #: what these are worth, where their payloads say so
    deaths: Annotated[int, Meta(ge=0)]  #: ever; one that was redriven and died again counts again
    regressions: Annotated[int, Meta(ge=0)]  #: times that a death opened it again
    expired: Annotated[int, Meta(ge=0)]  #: dead letters that went before anybody handled them
    first_seen_at: Timestamp
    last_seen_at: Timestamp
    oldest_at: Timestamp | None  #: when the oldest of its dead letters died
    merged: list[str]  #: ids of the issues that were merged into it


class IssueDetailOut(IssueOut, kw_only=True):
    """An issue, with some of its dead letters."""

    sample: list[str]  #: delivery ids, those of the oldest messages first


class NoteIn(Schema, kw_only=True):
    """What somebody says along with a decision."""

    note: Note | None = None


class MergeIn(Schema, kw_only=True):
    """Which issue it becomes part of."""

    into: Uid


class LettersIn(Schema, kw_only=True):
    """Which dead letters: by id, of one issue, or all of the application that match the rest."""

    delivery_ids: Annotated[list[DeliveryName], Meta(min_length=1, max_length=1_000)] | None = None
    issue_id: Uid | None = None
    endpoint_id: Uid | None = None
    since: Moment | None = None  #: of messages accepted after
    until: Moment | None = None  #: of messages accepted before
    event_types: list[EventTypeName] | None = None
    channel: Channel | None = None
    reason: DeadReasonName | None = None
    status: Status | None = None  #: of the last answer

    def selection(self) -> Selection:
        """What is asked for.

        Raises:
            Invalid: more than one way of saying which.
        """
        filters = {
            "endpointId": self.endpoint_id,
            "since": self.since,
            "until": self.until,
            "eventTypes": self.event_types,
            "channel": self.channel,
        }
        named = [name for name, value in filters.items() if value is not None]
        ways = [self.delivery_ids is not None, self.issue_id is not None, bool(named)]
        if sum(ways) > 1:
            place = "issueId" if self.issue_id is not None else "deliveryIds"
            other = ", ".join(named) or "issueId"
            text = f"expected one way of saying which dead letters, found {other} too"
            raise Invalid([Problem(("body", place), text)])
        return Selection(
            deliveries=distinct(self.delivery_ids),
            issue_ids=() if self.issue_id is None else (self.issue_id,),
            endpoint_id=self.endpoint_id,
            since_us=_us(self.since),
            until_us=_us(self.until),
            event_types=distinct(self.event_types),
            channel=self.channel,
            reason=self.reason,
            status=self.status,
        )


class RedriveIn(LettersIn, kw_only=True):
    """Which dead letters, and how they are sent again."""

    rate_per_s: Annotated[float, Meta(gt=0, le=100_000)] | None = None
    #: at most so many whose next outcome is not known yet
    concurrency: Annotated[int, Meta(ge=1, le=1_000)] | None = None
    #: so many first; the rest only when these do well
    canary: Annotated[int, Meta(ge=0, le=1_000)] = 0
    #: a canary does well when no greater part of it fails again
    failure_ratio_max: Annotated[float, Meta(ge=0, le=1)] = 0.1
    dry_run: bool = False  #: only count them


class DiscardManyIn(LettersIn, kw_only=True):
    """Which dead letters are withdrawn, and why."""

    why: Why  #: kept with each of them
    dry_run: bool = False  #: only count them


class UndoIn(Schema, kw_only=True):
    """What is brought back: of one issue, or all that was discarded in the application."""

    issue_id: Uid | None = None


class EndpointCount(Schema, kw_only=True):
    """How many dead letters of an endpoint."""

    endpoint_id: str
    count: int


class PreviewOut(Schema, kw_only=True):
    """What it would be about; nothing was changed."""

    count: Annotated[int, Meta(ge=0)]
    at_least: bool  #: there are more than were looked at
    endpoints: list[EndpointCount]
    at_stake: list[MoneyOut]
    sample: list[DeliveryOut]
    #: of a redrive, in seconds, if receivers are well: by its rate and by the endpoints' limits
    estimated_s: float | None


def _us(moment: datetime | None) -> int | None:
    return None if moment is None else microseconds(moment)


def _money(micro: dict[str, int]) -> list[MoneyOut]:
    return [MoneyOut(currency=c, amount=decimal_text(micro[c])) for c in sorted(micro)]


def _issue_fields(view: IssueView) -> dict[str, Any]:
    issue, oldest_us = view.issue, view.burden.oldest_at_us
    return {
        "id": issue.id,
        "endpoint_id": issue.endpoint_id,
        "reason": issue.reason,
        "status": issue.status,
        "error": issue.fingerprint,
        "state": issue.state.value,
        "state_by": issue.state_by,
        "state_at": rfc3339(issue.state_at_us),
        "note": issue.note,
        "count": view.burden.count,
        "at_stake": _money(view.burden.micro),
        "deaths": view.deaths,
        "regressions": issue.regressions,
        "expired": view.expired,
        "first_seen_at": rfc3339(view.first_seen_at_us),
        "last_seen_at": rfc3339(view.last_seen_at_us),
        "oldest_at": None if oldest_us is None else rfc3339(oldest_us),
        "merged": [part.id for part in view.parts],
    }


def issue_out(view: IssueView) -> IssueOut:
    return IssueOut(**_issue_fields(view))


def issue_detail_out(view: IssueView) -> IssueDetailOut:
    return IssueDetailOut(**_issue_fields(view), sample=list(view.sample))


def _preview_out(found: desk.Preview) -> PreviewOut:
    return PreviewOut(
        count=found.count,
        at_least=found.at_least,
        endpoints=[EndpointCount(endpoint_id=e, count=n) for e, n in found.endpoints.items()],
        at_stake=_money(found.micro),
        sample=[delivery_out(one) for one in found.sample],
        estimated_s=None if found.duration_s is None else round(found.duration_s, 1),
    )


@operation(
    "GET",
    _ISSUES,
    "v1.issue.list",
    "List issues of dead letters, newest first",
    tag="Issue",
    query=IssuesQuery,
    answers={200: ListOut[IssueOut]},
)
async def list_issues(call: Call[IssuesQuery, None]) -> Answer:
    query = call.query
    listing = await desk.list_issues(
        call.service,
        call.caller,
        call.path["app_id"],
        query.ask(),
        states=[IssueState(name) for name in query.state or ()],
        endpoint=query.endpoint_id,
    )
    return answer(200, page_of(listing, issue_out))


@operation(
    "GET",
    _ISSUE,
    "v1.issue.get",
    "Get an issue; of one that was merged, the issue that it is part of",
    tag="Issue",
    answers={200: IssueDetailOut},
)
async def get_issue(call: Call[NoQuery, None]) -> Answer:
    view = await desk.find_issue(
        call.service, call.caller, call.path["app_id"], call.path["issue_id"]
    )
    return answer(200, issue_detail_out(view))


async def _decide(call: Call[NoQuery, NoteIn], state: IssueState) -> Answer:
    view = await desk.decide_issue(
        call.service,
        call.caller,
        call.path["app_id"],
        call.path["issue_id"],
        state,
        note=call.body.note,
    )
    return answer(200, issue_detail_out(view))


@operation(
    "POST",
    f"{_ISSUE}/acknowledge",
    "v1.issue.acknowledge",
    "Say that somebody is at it",
    tag="Issue",
    body=NoteIn,
    answers={200: IssueDetailOut},
)
async def acknowledge(call: Call[NoQuery, NoteIn]) -> Answer:
    return await _decide(call, IssueState.ACKNOWLEDGED)


@operation(
    "POST",
    f"{_ISSUE}/mute",
    "v1.issue.mute",
    "Say that it is known and not to be told of; its dead letters stay",
    tag="Issue",
    body=NoteIn,
    answers={200: IssueDetailOut},
)
async def mute(call: Call[NoQuery, NoteIn]) -> Answer:
    return await _decide(call, IssueState.MUTED)


@operation(
    "POST",
    f"{_ISSUE}/resolve",
    "v1.issue.resolve",
    "Say that its cause is mended; the next death opens it again",
    tag="Issue",
    body=NoteIn,
    answers={200: IssueDetailOut},
)
async def resolve(call: Call[NoQuery, NoteIn]) -> Answer:
    return await _decide(call, IssueState.RESOLVED)


@operation(
    "POST",
    f"{_ISSUE}/reopen",
    "v1.issue.reopen",
    "Take back that it was acknowledged, muted or resolved",
    tag="Issue",
    body=NoteIn,
    answers={200: IssueDetailOut},
)
async def reopen(call: Call[NoQuery, NoteIn]) -> Answer:
    return await _decide(call, IssueState.OPEN)


@operation(
    "POST",
    f"{_ISSUE}/merge",
    "v1.issue.merge",
    "Make it part of another issue, from now on and with all that is filed under it",
    tag="Issue",
    body=MergeIn,
    answers={200: IssueDetailOut},
)
async def merge(call: Call[NoQuery, MergeIn]) -> Answer:
    view = await desk.merge_issues(
        call.service,
        call.caller,
        call.path["app_id"],
        call.path["issue_id"],
        call.body.into,
    )
    return answer(200, issue_detail_out(view))


@operation(
    "POST",
    f"{_DEAD}/redrive",
    "v1.dead-letter.redrive-many",
    "Give the dead letters that match their whole retry schedule again, or count them",
    tag=_TAG,
    body=RedriveIn,
    answers={202: TaskStarted, 200: PreviewOut},
)
async def redrive_many(call: Call[NoQuery, RedriveIn]) -> Answer:
    asked = call.body
    plan = RedrivePlan(
        rate_per_s=asked.rate_per_s,
        concurrency=asked.concurrency,
        canary=asked.canary,
        failure_ratio_max=asked.failure_ratio_max,
    )
    given = (call.service, call.caller, call.path["app_id"], asked.selection())
    if asked.dry_run:
        return answer(200, _preview_out(await desk.preview(*given, plan=plan)))
    return started(await desk.redrive_many(*given, plan, once=call.once(started)))


@operation(
    "POST",
    f"{_DEAD}/discard",
    "v1.dead-letter.discard-many",
    "Withdraw the dead letters that match, or count them; they can be brought back for a time",
    tag=_TAG,
    body=DiscardManyIn,
    answers={202: TaskStarted, 200: PreviewOut},
)
async def discard_many(call: Call[NoQuery, DiscardManyIn]) -> Answer:
    asked = call.body
    given = (call.service, call.caller, call.path["app_id"], asked.selection())
    if asked.dry_run:
        return answer(200, _preview_out(await desk.preview(*given)))
    task = await desk.discard_many(*given, why=asked.why, once=call.once(started))
    return started(task)


@operation(
    "POST",
    f"{_DEAD}/undo",
    "v1.dead-letter.undo-many",
    "Bring discarded dead letters back",
    tag=_TAG,
    body=UndoIn,
    answers={202: TaskStarted},
)
async def undo_many(call: Call[NoQuery, UndoIn]) -> Answer:
    task = await desk.undo_many(
        call.service,
        call.caller,
        call.path["app_id"],
        issue=call.body.issue_id,
        once=call.once(started),
    )
    return started(task)


OPERATIONS = (
    list_issues,
    get_issue,
    acknowledge,
    mute,
    resolve,
    reopen,
    merge,
    redrive_many,
    discard_many,
    undo_many,
)
