"""`/objective`: what is promised, and how it stands. Beyond what Svix has."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from homing.core.errors import Invalid, Problem
from homing.core.objectives import Limits, Objective, Owner, Sli
from homing.insight.burn import Burning, burn_rate, events_left, parse_target
from homing.insight.figures import exact
from homing.insight.objectives import Standing, arithmetic, good_means, left_text, target_text
from homing.insight.period import parse_period
from homing.service import objectives
from homing.service.objectives import ObjectiveDraft
from homing.web.operation import NO_CONTENT, Answer, Call, answer, operation
from homing.web.schemas import END, NoQuery, Query, Schema, Text, Timestamp, Uid, matching, rfc3339

_TAG: Final = "Objective"
_ALL: Final = "/objective"
_ONE: Final = f"{_ALL}/{{objective}}"

SliName = Literal[
    "integrity",
    "first_attempt",
    "retry",
    "delivered",
    "first_success",
    "hygiene",
    "freshness",
    "acceptance",
    "duplicates",
    "audit",
]
OwnerName = Literal["platform", "receiver", "configuration", "unattributed"]
#: a decimal as text, so that nobody makes a binary fraction of it
Share = Annotated[
    str,
    matching(r"^[0-9]{1,3}(\.[0-9]{1,16})?%?" + END, "a percentage such as 99.9%", max_length=24),
]


class ObjectiveIn(Schema, kw_only=True):
    """What is promised. A target is a decimal as text: "0.999" or "99.9%"; of integrity, "0"."""

    sli: SliName
    target: Share
    period: Annotated[str, Meta(min_length=2, max_length=64)] = "30d"
    description: Annotated[str, Meta(pattern=r"^[^\u0000]*$", max_length=1_050)] = ""
    team: Annotated[str, Meta(pattern=r"^[^\u0000]*$", max_length=256)] = ""
    app_id: Uid | None = None
    owners: Annotated[list[OwnerName], Meta(min_length=1, max_length=4)] | None = None
    events_min: Annotated[int, Meta(ge=0, le=1_000_000_000)] = 50
    bad_min: Annotated[int, Meta(ge=0, le=1_000_000_000)] = 3
    labels: dict[Text, list[Text]] = {}
    annotations: dict[Text, Text] = {}

    def draft(self) -> ObjectiveDraft:
        owners: list[str] = list(self.owners or ("platform", "unattributed"))
        return ObjectiveDraft(
            sli=Sli(self.sli),
            target=_target(self.sli, self.target),
            period=self.period,
            description=self.description,
            team=self.team,
            app_id=self.app_id,
            owners=tuple(Owner(one) for one in dict.fromkeys(owners)),
            events_min=self.events_min,
            bad_min=self.bad_min,
            labels={name: tuple(values) for name, values in self.labels.items()},
            annotations=dict(self.annotations),
        )


def _target(sli: str, text: str) -> str:
    """As a share; what is none stays as it is, and is complained about later."""
    if sli == Sli.INTEGRITY:
        return text
    try:
        return exact(parse_target(text), digits=18)
    except ValueError:
        return text


class ReportQuery(Query, frozen=True, kw_only=True):
    """Over which time: each objective's own unless given."""

    period: Annotated[str, Meta(min_length=2, max_length=64)] | None = None


class ObjectiveOut(Schema, kw_only=True):
    """An objective. `default`: nobody has written it down."""

    name: str
    sli: SliName
    target: str
    target_text: str
    means: str  #: what a good event is
    period: str
    description: str
    team: str
    app_id: str | None
    owners: list[OwnerName]
    events_min: int
    bad_min: int
    labels: dict[str, list[str]]
    annotations: dict[str, str]
    default: bool


class ObjectiveListOut(Schema, kw_only=True):
    """All objectives, by name: there are at most some hundred."""

    data: list[ObjectiveOut]


class BadOut(Schema, kw_only=True):
    """Bad events of one owner, by the rule of evidence that decided. `counts`: against this one."""

    owner: OwnerName
    rule: str
    count: int
    counts: bool


class TierOut(Schema, kw_only=True):
    """What one tier of the burn-rate alerts sees. Rates and factors are decimals as text."""

    severity: str
    long_s: int
    short_s: int
    factor: str
    long_burn: str
    short_burn: str
    long_events: int
    long_bad: int
    fires: bool
    held_back: str | None


class ExampleOut(Schema, kw_only=True):
    """A delivery that was a bad event."""

    delivery_id: str
    owner: OwnerName
    rule: str
    at: Timestamp


class ReportOut(Schema, kw_only=True):
    """How an objective stands."""

    objective: ObjectiveOut
    at: Timestamp
    since: Timestamp
    period_s: int
    met: bool
    fires: bool
    good: int
    bad: int
    burn_rate: str
    budget_left: str  #: a share as text; negative when overspent
    left_text: str
    events_left: int
    exhausted_in_s: float | None
    by_owner: list[BadOut]
    tiers: list[TierOut]
    examples: list[ExampleOut]
    unaccounted: int | None
    audited_at: Timestamp | None
    missing: list[str]
    arithmetic: list[str]


class ReportListOut(Schema, kw_only=True):
    """How all of them stand. `firstAcceptedAt`: of the oldest message that is kept."""

    data: list[ReportOut]
    first_accepted_at: Timestamp | None


def objective_out(one: Objective, limits: Limits) -> ObjectiveOut:
    return ObjectiveOut(
        name=one.id,
        sli=one.sli.value,
        target=one.target,
        target_text=target_text(one),
        means=good_means(one.sli, limits),
        period=one.period,
        description=one.description,
        team=one.team,
        app_id=one.app_id,
        owners=[owner.value for owner in one.owners],
        events_min=one.events_min,
        bad_min=one.bad_min,
        labels={name: list(values) for name, values in one.labels.items()},
        annotations=one.annotations,
        default=one.is_default,
    )


def report_out(found: Standing, limits: Limits) -> ReportOut:
    counts = found.counts
    is_ratio = found.unaccounted is None
    target = parse_target(found.objective.target) if is_ratio else None
    return ReportOut(
        objective=objective_out(found.objective, limits),
        at=rfc3339(found.at_us),
        since=rfc3339(found.since_us),
        period_s=found.period_s,
        met=found.is_met,
        fires=found.fires,
        good=counts.good,
        bad=counts.bad,
        burn_rate="0" if target is None else _digits(burn_rate(counts, target)),
        budget_left=_digits(found.left),
        left_text=left_text(found),
        events_left=0 if target is None else events_left(counts, target),
        exhausted_in_s=None if found.exhaustion_s is None else round(float(found.exhaustion_s), 1),
        by_owner=[
            BadOut(owner=one.owner.value, rule=one.rule, count=one.count, counts=one.counts)
            for one in found.bad
        ],
        tiers=[_tier_out(one) for one in found.burning],
        examples=[
            ExampleOut(
                delivery_id=one.delivery,
                owner=one.owner.value,
                rule=one.rule,
                at=rfc3339(one.minute_us),
            )
            for one in found.examples
        ],
        unaccounted=found.unaccounted,
        audited_at=None if found.audited_at_us is None else rfc3339(found.audited_at_us),
        missing=list(found.missing),
        arithmetic=arithmetic(found),
    )


def _tier_out(one: Burning) -> TierOut:
    return TierOut(
        severity=one.tier.severity.value,
        long_s=one.tier.long_s,
        short_s=one.tier.short_s,
        factor=_digits(one.factor),
        long_burn=_digits(one.long_burn),
        short_burn=_digits(one.short_burn),
        long_events=one.long.total,
        long_bad=one.long.bad,
        fires=one.fires,
        held_back=one.held_back,
    )


def _digits(number: Fraction) -> str:
    return exact(number, digits=6)


@operation(
    "GET",
    _ALL,
    "v1.objective.list",
    "List objectives: those that were written, and the defaults",
    tag=_TAG,
    answers={200: ObjectiveListOut},
    org_only=True,
)
async def list_objectives(call: Call[NoQuery, None]) -> Answer:
    found = await objectives.list_objectives(call.service, call.caller)
    out = [objective_out(one, call.service.measure) for one in found]
    return answer(200, ObjectiveListOut(data=out))


@operation(
    "GET",
    f"{_ALL}/report",
    "v1.objective.report-all",
    "See how every objective stands: budget left, who spent it, when it is gone",
    tag=_TAG,
    query=ReportQuery,
    answers={200: ReportListOut},
    org_only=True,
)
async def report_all(call: Call[ReportQuery, None]) -> Answer:
    found = await objectives.list_objectives(call.service, call.caller)
    period = _period(call.query)
    if period is not None:
        found = [msgspec.structs.replace(one, period=period) for one in found]
    standings = await objectives.report(call.service, call.caller, found)
    out = [report_out(one, call.service.measure) for one in standings]
    first_us = await call.service.store.first_accepted_at_us()
    first = None if first_us is None else rfc3339(first_us)
    return answer(200, ReportListOut(data=out, first_accepted_at=first))


@operation(
    "GET",
    _ONE,
    "v1.objective.get",
    "Get an objective",
    tag=_TAG,
    answers={200: ObjectiveOut},
    org_only=True,
)
async def get_objective(call: Call[NoQuery, None]) -> Answer:
    found = await objectives.find_objective(call.service, call.caller, call.path["objective"])
    return answer(200, objective_out(found, call.service.measure))


@operation(
    "PUT",
    _ONE,
    "v1.objective.put",
    "Write an objective, in place of the one of that name",
    tag=_TAG,
    body=ObjectiveIn,
    answers={200: ObjectiveOut},
    org_only=True,
)
async def put_objective(call: Call[NoQuery, ObjectiveIn]) -> Answer:
    name, draft = call.path["objective"], call.body.draft()
    written = await objectives.put_objective(call.service, call.caller, name, draft)
    return answer(200, objective_out(written, call.service.measure))


@operation(
    "DELETE",
    _ONE,
    "v1.objective.delete",
    "Remove an objective; a default that it was written over is in force again",
    tag=_TAG,
    answers={204: None},
    org_only=True,
)
async def delete_objective(call: Call[NoQuery, None]) -> Answer:
    await objectives.remove_objective(call.service, call.caller, call.path["objective"])
    return NO_CONTENT


@operation(
    "GET",
    f"{_ONE}/report",
    "v1.objective.report",
    "See how an objective stands",
    tag=_TAG,
    query=ReportQuery,
    answers={200: ReportOut},
    org_only=True,
)
async def report_one(call: Call[ReportQuery, None]) -> Answer:
    found = await objectives.find_objective(call.service, call.caller, call.path["objective"])
    period = _period(call.query)
    if period is not None:
        found = msgspec.structs.replace(found, period=period)
    [stands] = await objectives.report(call.service, call.caller, [found])
    return answer(200, report_out(stands, call.service.measure))


def _period(query: ReportQuery) -> str | None:
    if query.period is not None:
        try:
            parse_period(query.period)
        except ValueError as error:
            raise Invalid([Problem(("query", "period"), str(error))]) from error
    return query.period


OPERATIONS: Final[tuple[Any, ...]] = (
    list_objectives,
    report_all,
    get_objective,
    put_objective,
    delete_objective,
    report_one,
)
