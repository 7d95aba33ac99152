"""The desk, as people see it: issues, what they say to them, and dead letters many at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Final

import msgspec

from homing.core.errors import Conflict, Invalid, NotFound, Problem, Stale, Unavailable
from homing.core.identifiers import DeliveryId, parse_delivery_id
from homing.core.issues import (
    PREFIX,
    Burden,
    Filed,
    Issue,
    IssueState,
    decided,
    merged,
    written,
)
from homing.core.lifecycle import Delivery
from homing.core.queries import LetterFilter, Page
from homing.core.resources import Application, Endpoint
from homing.core.tasks import Action, RedrivePlan, Selection, Task
from homing.service.applications import find_application
from homing.service.context import Once, Service
from homing.service.desk_chunks import letters_of, redrivable
from homing.service.endpoints import find_endpoint
from homing.service.listing import Ask, Listing, is_delivery_id, is_id, paginate
from homing.service.redrive_rules import duration_s
from homing.service.replays import until_now
from homing.service.tasks import beginning_us, start_task
from homing.service.tokens import Caller

#: dead letters that are counted before the answer is "at least so many"
COUNTED_MAX: Final = 100_000
#: dead letters that are shown of a count
SAMPLE_MAX: Final = 3
_PAGE: Final = 500
_TRIES_MAX: Final = 8


class IssueView(msgspec.Struct, frozen=True, kw_only=True):
    """An issue with all that was merged into it, and its dead letters counted."""

    issue: Issue
    parts: tuple[Issue, ...] = ()  #: issues that were merged into it, by id
    burden: Burden = Burden()
    sample: tuple[str, ...] = ()  #: delivery ids, the oldest messages first

    @property
    def all(self) -> tuple[Issue, ...]:
        return (self.issue, *self.parts)

    @property
    def first_seen_at_us(self) -> int:
        return min(issue.first_seen_at_us for issue in self.all)

    @property
    def last_seen_at_us(self) -> int:
        return max(issue.last_seen_at_us for issue in self.all)

    @property
    def deaths(self) -> int:
        return sum(issue.deaths for issue in self.all)

    @property
    def expired(self) -> int:
        return sum(issue.expired for issue in self.all)


# --- issues -----------------------------------------------------------------------------------


async def views(service: Service, issues: Sequence[Issue], *, samples: int = 0) -> list[IssueView]:
    """These issues, none of them merged itself, as people see them: a few look-ups for all."""
    parts: dict[str, list[Issue]] = {}
    for part in await service.store.merged_issues([issue.id for issue in issues]):
        parts.setdefault(part.root_id, []).append(part)
    everything = [issue.id for issue in issues] + [p.id for ps in parts.values() for p in ps]
    burdens = await service.store.burdens(everything)
    seen = []
    for issue in issues:
        own = tuple(parts.get(issue.id, ()))
        ids = [issue.id, *(part.id for part in own)]
        burden = sum((burdens[name] for name in ids if name in burdens), Burden())
        page = Page(limit=samples or 1)
        found = await _letters(service, ids, page) if samples and burden.count else []
        sample = tuple(f"{one.message_id}.{one.endpoint_id}" for one in found)
        seen.append(IssueView(issue=issue, parts=own, burden=burden, sample=sample))
    return seen


async def list_issues(
    service: Service,
    caller: Caller,
    app: str,
    ask: Ask,
    *,
    states: Collection[IssueState] = (),
    endpoint: str | None = None,
) -> Listing[IssueView]:
    """Issues of an application that are not part of another, the newest first.

    Raises:
        NotFound: no such application or endpoint.
    """
    application = await find_application(service, caller, app)
    endpoint_id = None
    if endpoint is not None:
        endpoint_id = (await find_endpoint(service, caller, app, endpoint))[1].id
    listing = await paginate(
        lambda page: service.store.list(Issue, application.id, page),
        lambda issue: issue.id,
        msgspec.structs.replace(ask, descending=True),
        is_name=is_id(PREFIX),
        keep=lambda issue: (
            issue.merged_into is None
            and (not states or issue.state in states)
            and endpoint_id in (None, issue.endpoint_id)
        ),
    )
    seen = {view.issue.id: view for view in await views(service, listing.data)}
    return listing.map(lambda issue: seen[issue.id])


async def find_issue(service: Service, caller: Caller, app: str, issue_id: str) -> IssueView:
    """One issue; of one that was merged, the issue that it is part of now.

    Raises:
        NotFound: no such application, or no such issue in it.
    """
    application = await find_application(service, caller, app)
    issue = await _root(service, application, issue_id)
    [view] = await views(service, [issue], samples=SAMPLE_MAX)
    return view


async def _root(service: Service, application: Application, issue_id: str) -> Issue:
    issue = await service.store.get(Issue, application.id, issue_id)
    if issue is not None and issue.merged_into is not None:
        issue = await service.store.get(Issue, application.id, issue.merged_into)
    if issue is None:
        raise NotFound(f"there is no issue {issue_id!r} in this application")
    return issue


async def decide_issue(
    service: Service,
    caller: Caller,
    app: str,
    issue_id: str,
    state: IssueState,
    *,
    note: str | None = None,
) -> IssueView:
    """Acknowledge, mute, resolve or open an issue.

    Raises:
        NotFound: no such application, or no such issue in it.
    """
    application = await find_application(service, caller, app)
    for _ in range(_TRIES_MAX):
        before = await _root(service, application, issue_id)
        at_us = service.clock.now_us()
        said = decided(before, state, by=caller.actor, note=note, at_us=at_us)
        after = written(before, said, at_us)
        try:
            await service.store.put_issues([after] if after is not None else [])
        except Stale:  # a death was filed under it
            continue
        return await find_issue(service, caller, app, before.id)
    raise Unavailable("the issue keeps changing; ask again")


async def merge_issues(
    service: Service, caller: Caller, app: str, issue_id: str, into_id: str
) -> IssueView:
    """Make an issue, with all that was merged into it, part of another.

    Raises:
        NotFound: no such application, or no such issue in it.
        Conflict: they are one already.
    """
    application = await find_application(service, caller, app)
    for _ in range(_TRIES_MAX):
        part = await _root(service, application, issue_id)
        into = await _root(service, application, into_id)
        if part.id == into.id:
            raise Conflict(f"{issue_id} and {into_id} are one issue already")
        parts = [part, *await service.store.merged_issues([part.id])]
        at_us = service.clock.now_us()
        try:
            await service.store.put_issues(
                merged({one.id: one for one in parts}, into, at_us=at_us)
            )
        except Stale:
            continue
        return await find_issue(service, caller, app, into.id)
    raise Unavailable("the issues keep changing; ask again")


# --- dead letters -----------------------------------------------------------------------------


async def places(service: Service, deliveries: Sequence[Delivery]) -> dict[DeliveryId, Filed]:
    """The place of each of these at the desk, as far as it has one."""
    return await service.store.filed([one.id for one in deliveries])


async def list_letters(
    service: Service,
    caller: Caller,
    app: str,
    ask: Ask,
    *,
    issue: str | None = None,
    discarded: bool = False,
) -> Listing[Delivery]:
    """Dead letters of an issue, or what was discarded, newest message first.

    Raises:
        NotFound: no such application, or no such issue in it.
    """
    application = await find_application(service, caller, app)
    ids: list[str] | None = None
    if issue is not None:
        ids = [one.id for one in (await find_issue(service, caller, app, issue)).all]

    async def fetch(page: Page) -> list[Filed]:
        return await _letters(service, ids, page, app_id=application.id, discarded=discarded)

    listing = await paginate(
        fetch,
        lambda filed: f"{filed.message_id}.{filed.endpoint_id}",
        msgspec.structs.replace(ask, descending=True),
        is_name=is_delivery_id,
    )
    names = [DeliveryId(one.message_id, one.endpoint_id) for one in listing.data]
    found = await service.store.deliveries_by_ids(names)
    rows = [one for one in names if one in found]  # it may have left in between
    return Listing(
        data=[found[one] for one in rows],
        iterator=listing.iterator,
        prev_iterator=listing.prev_iterator,
        done=listing.done,
    )


async def _letters(
    service: Service,
    issue_ids: Sequence[str] | None,
    page: Page,
    *,
    app_id: str = "",
    discarded: bool = False,
) -> list[Filed]:
    """A page over several issues, or over all that was discarded in an application."""
    if issue_ids is None:
        return await service.store.letters(LetterFilter(app_id=app_id, discarded=True), page)
    found = []
    for issue_id in issue_ids:
        which = LetterFilter(issue_id=issue_id, discarded=discarded)
        found += await service.store.letters(which, page)
    found.sort(key=lambda one: (one.message_id, one.endpoint_id), reverse=page.descending)
    return found[: page.limit]


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """What a redrive or a discard would be about."""

    count: int
    at_least: bool  #: there are more than were looked at
    sample: tuple[Delivery, ...]
    endpoints: dict[str, int]  #: how many of each
    micro: dict[str, int]  #: at stake, by currency
    duration_s: float | None = None  #: of a redrive: at least so long


async def preview(
    service: Service,
    caller: Caller,
    app: str,
    which: Selection,
    *,
    plan: RedrivePlan | None = None,
) -> Preview:
    """Count the dead letters that match, and change nothing.

    Args:
        which: as for `redrive_many`.
        plan: how they would be redriven; None: they are to be discarded.

    Raises:
        as `redrive_many`.
    """
    application, which = await resolve(service, caller, app, which)
    at_us = service.clock.now_us()
    task = Task(
        scope=caller.org_id,
        id="preview",
        created_at_us=at_us,
        updated_at_us=at_us,
        action=Action.REDRIVE,
        app_id=application.id,
        actor=caller.actor,
        which=which,
    )
    counts: Counter[str] = Counter()
    micro: Counter[str] = Counter()
    sample: list[Delivery] = []
    looked = 0
    while looked < COUNTED_MAX:
        letters = await letters_of(service, task, _PAGE)
        looked += letters.looked
        matching = letters.matching
        if plan is not None:
            matching = await redrivable(service, matching)
        counts.update(one.endpoint_id for one in matching)
        sample += matching[: SAMPLE_MAX - len(sample)]
        for filed in (await places(service, matching)).values():
            if filed.currency is not None:
                micro[filed.currency] += filed.micro or 0
        if letters.cursor is None:
            break
        task = msgspec.structs.replace(task, cursor=letters.cursor)
    took_s = None
    if plan is not None:
        found = await service.store.by_ids(Endpoint, sorted(counts))
        took_s = duration_s(
            counts,
            {one.id: one.rate_limit for one in found},
            plan=plan,
            process_rate_per_s=service.limits.replays_per_s,
        )
    return Preview(
        count=counts.total(),
        at_least=looked >= COUNTED_MAX,
        sample=tuple(sample),
        endpoints=dict(sorted(counts.items())),
        micro=dict(sorted(micro.items())),
        duration_s=took_s,
    )


async def redrive_many(
    service: Service,
    caller: Caller,
    app: str,
    which: Selection,
    plan: RedrivePlan,
    *,
    once: Once[Task] | None = None,
) -> Task:
    """Redrive the dead letters that match, as the plan says.

    Args:
        which: by id, of one issue, or by a filter; endpoint and issue as the caller names them.

    Raises:
        NotFound: no such application, endpoint or issue.
        Invalid: no span at all, or no delivery id.
    """
    application, which = await resolve(service, caller, app, which)
    return await start_task(
        service,
        caller,
        Action.REDRIVE,
        which,
        application=application,
        once=once,
        plan=plan,
        total=await _total(service, which),
    )


async def discard_many(
    service: Service,
    caller: Caller,
    app: str,
    which: Selection,
    *,
    why: str,
    once: Once[Task] | None = None,
) -> Task:
    """Withdraw the dead letters that match; they can be brought back for a time.

    Raises:
        as `redrive_many`.
    """
    application, which = await resolve(service, caller, app, which)
    return await start_task(
        service,
        caller,
        Action.DISCARD,
        which,
        application=application,
        once=once,
        why=why,
        total=await _total(service, which),
    )


async def undo_many(
    service: Service,
    caller: Caller,
    app: str,
    *,
    issue: str | None,
    once: Once[Task] | None = None,
) -> Task:
    """Bring back what was discarded, of one issue or of the whole application.

    Raises:
        NotFound: no such application, or no such issue in it.
    """
    which = Selection(issue_ids=() if issue is None else (issue,))
    application, which = await resolve(service, caller, app, which)
    return await start_task(service, caller, Action.UNDO, which, application=application, once=once)


async def _total(service: Service, which: Selection) -> int | None:
    """How many a task will look at, where that is known without looking."""
    if which.deliveries:
        return len(which.deliveries)
    if which.issue_ids:
        burdens = await service.store.burdens(which.issue_ids)
        return sum(burden.count for burden in burdens.values())
    return None


async def resolve(
    service: Service, caller: Caller, app: str, which: Selection
) -> tuple[Application, Selection]:
    """The application, and the selection with ids for names and a span that has ended."""
    application = await find_application(service, caller, app)
    problems = [
        Problem(("body", "deliveryIds", n), f"expected a delivery id, found {name!r}")
        for n, name in enumerate(which.deliveries)
        if not is_delivery_id(name)
    ]
    if problems:
        raise Invalid(problems)
    if which.deliveries:
        ids = sorted({parse_delivery_id(name) for name in which.deliveries})
        return application, msgspec.structs.replace(which, deliveries=tuple(map(str, ids)))
    if which.issue_ids:
        found = await find_issue(service, caller, app, which.issue_ids[0])
        ids_of_issues = tuple(sorted(issue.id for issue in found.all))
        return application, msgspec.structs.replace(which, issue_ids=ids_of_issues)
    endpoint_id = None
    if which.endpoint_id is not None:
        endpoint_id = (await find_endpoint(service, caller, app, which.endpoint_id))[1].id
    if which.since_us is None:
        which = msgspec.structs.replace(which, since_us=await beginning_us(service))
    return application, until_now(service, which, endpoint_id=endpoint_id)
