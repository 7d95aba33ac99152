"""`/board`: how the services stand that are on one board. Beyond what Svix has."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from homing.insight.board.standing import (
    STALE_S,
    Envelope,
    How,
    Member,
    Promise,
    Queries,
    ServiceStanding,
)
from homing.insight.board.view import Row, gone_text, left_text, target_text
from homing.service import board
from homing.service.board import MemberDraft
from homing.web.operation import NO_CONTENT, Answer, Call, answer, operation
from homing.web.problems import HttpErrorOut
from homing.web.schemas import NoQuery, Schema, Timestamp, rfc3339

_TAG: Final = "Board"
_ALL: Final = "/board"
_STANDING: Final = f"{_ALL}/standing"
_MEMBERS: Final = f"{_ALL}/member"
_ONE: Final = f"{_MEMBERS}/{{member}}"

_Query = Annotated[str, Meta(pattern=r"^[^\u0000]*$", max_length=2_000)]
_OneLine = Annotated[str, Meta(pattern=r"^[^\u0000]*$", max_length=256)]


class QueriesWire(Schema, kw_only=True):
    """What a Prometheus is asked, in PromQL; empty: not asked. `label` tells objectives apart."""

    label: _OneLine = "slo"
    period: _OneLine = "30d"
    target: _Query = ""
    budget_left: _Query = ""
    exhausted_in_s: _Query = ""
    unaccounted: _Query = ""
    audited_at_s: _Query = ""
    dead: _Query = ""
    oldest_age_s: _Query = ""
    money: _Query = ""


class MemberIn(Schema, kw_only=True):
    """A service for the board. Without `publicKey`, the key of its first standing is the one."""

    how: Literal["pull", "push", "prometheus"]
    url: Annotated[str, Meta(max_length=1_024)] = ""
    token: Annotated[str, Meta(min_length=1, max_length=4_096)] | None = None
    public_key: Annotated[str, Meta(max_length=64)] | None = None
    owner: _OneLine = ""
    stale_s: Annotated[int, Meta(ge=1, le=604_800)] = STALE_S
    queries: QueriesWire | None = None

    def draft(self) -> MemberDraft:
        queries = None
        if self.queries is not None:
            queries = Queries(**msgspec.structs.asdict(self.queries))
        return MemberDraft(
            how=How(self.how),
            url=self.url,
            token=self.token,
            public_key=self.public_key,
            owner=self.owner,
            stale_s=self.stale_s,
            queries=queries,
        )


class PromiseOut(Schema, kw_only=True):
    """An objective. Shares are decimals as text; null: not told."""

    name: str
    target: str | None
    target_text: str
    period: str
    team: str
    budget_left: str | None
    left_text: str
    exhausted_in_s: float | None
    gone_text: str
    broken: bool
    fires: bool


class StandingOut(Schema, kw_only=True):
    """What a service said of itself; null: it does not tell."""

    at: Timestamp
    owner: str
    objectives: list[PromiseOut]
    unaccounted: int | None
    audited_at: Timestamp | None
    dead: int | None
    oldest_at: Timestamp | None
    money: dict[str, str]


class MemberOut(Schema, kw_only=True):
    """A service on the board, and the last that is known of it. Its token is not told."""

    name: str
    how: Literal["pull", "push", "prometheus"]
    url: str
    has_token: bool
    public_key: str | None
    owner: str
    stale_s: int
    queries: QueriesWire | None
    said: StandingOut | None
    trouble: str
    trouble_since: Timestamp | None
    refused: bool


class MemberListOut(Schema, kw_only=True):
    """All members, by name: there are at most some hundred."""

    data: list[MemberOut]


class RowOut(Schema, kw_only=True):
    """A service on the board. `light` is what can be relied on now, `was` what it said last."""

    name: str
    how: Literal["self", "pull", "push", "prometheus"]
    owner: str
    light: Literal["broken", "burning", "unknown", "letters", "good"]
    was: Literal["broken", "burning", "unknown", "letters", "good"] | None
    stale: bool
    why: list[str]
    at: Timestamp | None
    objectives: list[PromiseOut]
    unaccounted: int | None
    dead: int | None
    oldest_at: Timestamp | None
    money: dict[str, str]


class BoardOut(Schema, kw_only=True):
    """The board, what needs somebody first."""

    at: Timestamp
    data: list[RowOut]


class EnvelopeWire(Schema, kw_only=True):
    """A signed standing: JSON text, and `v1a,…` signatures of `board-standing.<seconds>.<text>`."""

    payload: Annotated[str, Meta(max_length=262_144)]
    signature: Annotated[str, Meta(max_length=1_024)]
    key: Annotated[str, Meta(max_length=64)] = ""


def _promise_out(one: Promise) -> PromiseOut:
    return PromiseOut(
        name=one.name,
        target=one.target,
        target_text=target_text(one),
        period=one.period,
        team=one.team,
        budget_left=one.left,
        left_text=left_text(one),
        exhausted_in_s=one.exhausted_in_s,
        gone_text=gone_text(one),
        broken=one.is_broken,
        fires=one.fires,
    )


def _moment(at_us: int | None) -> str | None:
    return None if at_us is None else rfc3339(at_us)


def _standing_out(said: ServiceStanding) -> StandingOut:
    return StandingOut(
        at=rfc3339(said.at_us),
        owner=said.owner,
        objectives=[_promise_out(one) for one in said.promises],
        unaccounted=said.unaccounted,
        audited_at=_moment(said.audited_at_us),
        dead=said.dead,
        oldest_at=_moment(said.oldest_at_us),
        money=said.money,
    )


def _member_out(one: Member) -> MemberOut:
    queries = None
    if one.queries is not None:
        queries = QueriesWire(**msgspec.structs.asdict(one.queries))
    return MemberOut(
        name=one.id,
        how=one.how.value,  # type: ignore[arg-type]  # a stored one is not "self"
        url=one.url,
        has_token=one.token is not None,
        public_key=one.public_key,
        owner=one.owner,
        stale_s=one.stale_s,
        queries=queries,
        said=None if one.said is None else _standing_out(one.said),
        trouble=one.trouble,
        trouble_since=_moment(one.trouble_since_us),
        refused=one.is_refused,
    )


def _row_out(row: Row) -> RowOut:
    return RowOut(
        name=row.name,
        how=row.how.value,
        owner=row.owner,
        light=row.light.value,
        was=row.was.value if row.was else None,
        stale=row.is_stale,
        why=list(row.why),
        at=_moment(row.at_us),
        objectives=[_promise_out(one) for one in row.promises],
        unaccounted=row.unaccounted,
        dead=row.dead,
        oldest_at=_moment(row.oldest_at_us),
        money=row.money,
    )


@operation(
    "GET",
    _ALL,
    "v1.board.get",
    "See how every service on the board stands, what needs somebody first",
    tag=_TAG,
    answers={200: BoardOut},
    org_only=True,
)
async def get_board(call: Call[NoQuery, None]) -> Answer:
    found = await board.board(call.service, call.caller)
    at_us = call.service.clock.now_us()
    return answer(200, BoardOut(at=rfc3339(at_us), data=[_row_out(one) for one in found]))


@operation(
    "GET",
    _STANDING,
    "v1.board.standing",
    "Get what this instance says of itself, signed, for another's board",
    tag=_TAG,
    answers={200: EnvelopeWire},
    org_only=True,
)
async def get_standing(call: Call[NoQuery, None]) -> Answer:
    found = await board.signed_standing(call.service, call.caller)
    return answer(200, EnvelopeWire(**msgspec.structs.asdict(found)))


@operation(
    "POST",
    _STANDING,
    "v1.board.push",
    "Push a signed standing to a board that expects it; the signature is the proof",
    tag=_TAG,
    body=EnvelopeWire,
    answers={
        204: None,
        400: HttpErrorOut,
        401: HttpErrorOut,
        409: HttpErrorOut,
        413: HttpErrorOut,
        503: HttpErrorOut,
    },
    public=True,
)
async def push_standing(call: Call[NoQuery, EnvelopeWire]) -> Answer:
    await board.take_push(call.service, Envelope(**msgspec.structs.asdict(call.body)))
    return NO_CONTENT


@operation(
    "GET",
    _MEMBERS,
    "v1.board.member.list",
    "List the services on the board",
    tag=_TAG,
    answers={200: MemberListOut},
    org_only=True,
)
async def list_members(call: Call[NoQuery, None]) -> Answer:
    found = await board.list_members(call.service, call.caller)
    return answer(200, MemberListOut(data=[_member_out(one) for one in found]))


@operation(
    "GET",
    _ONE,
    "v1.board.member.get",
    "Get a service on the board, with the last that it said",
    tag=_TAG,
    answers={200: MemberOut},
    org_only=True,
)
async def get_member(call: Call[NoQuery, None]) -> Answer:
    return answer(
        200, _member_out(await board.find_member(call.service, call.caller, call.path["member"]))
    )


@operation(
    "PUT",
    _ONE,
    "v1.board.member.put",
    "Put a service on the board, in place of the one of that name",
    tag=_TAG,
    body=MemberIn,
    answers={200: MemberOut},
    org_only=True,
)
async def put_member(call: Call[NoQuery, MemberIn]) -> Answer:
    found = await board.put_member(
        call.service, call.caller, call.path["member"], call.body.draft()
    )
    return answer(200, _member_out(found))


@operation(
    "DELETE",
    _ONE,
    "v1.board.member.delete",
    "Take a service off the board",
    tag=_TAG,
    answers={204: None},
    org_only=True,
)
async def delete_member(call: Call[NoQuery, None]) -> Answer:
    await board.remove_member(call.service, call.caller, call.path["member"])
    return NO_CONTENT


OPERATIONS: Final[tuple[Any, ...]] = (
    get_board,
    get_standing,
    push_standing,
    list_members,
    get_member,
    put_member,
    delete_member,
)
