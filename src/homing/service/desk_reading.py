"""The desk as a person walks along it: issues of all applications, each with what explains it.

Everything is read in pages, along indexes; what is too much to count is counted up to a bound.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence, Set
from typing import Final

import msgspec

from homing.core.errors import NotFound
from homing.core.identifiers import DeliveryId
from homing.core.issues import PREFIX, Burden, Filed, Issue, IssueState
from homing.core.lifecycle import Delivery
from homing.core.queries import AttemptFilter, LetterFilter, Page
from homing.core.records import Attempt, Message
from homing.core.resources import Application, Endpoint
from homing.core.store import Store
from homing.core.tasks import Action, Task
from homing.service.alerts.worth import weighed
from homing.service.applications import find_application
from homing.service.context import Service
from homing.service.desk import IssueView, find_issue, list_letters, places, views
from homing.service.endpoints import find_endpoint
from homing.service.listing import Ask, Listing, is_id, paginate
from homing.service.tokens import Caller

#: issues whose dead letters are added up
ISSUES_MAX: Final = 5_000
_PAGE: Final = 200
#: dead letters of an issue whose event types are told beside it: in a list, and on its own page
_TYPES_OF: Final = 50
_TYPES_OF_ONE: Final = 500
#: tasks that are looked at to find those of an issue
_TASKS_MAX: Final = 200
_DESK: Final = frozenset({Action.REDRIVE, Action.DISCARD, Action.UNDO})


class IssueLine(msgspec.Struct, frozen=True, kw_only=True):
    """An issue, and what its ids stand for."""

    view: IssueView
    app: Application
    endpoint: Endpoint | None  #: None: it has been deleted
    event_types: tuple[str, ...] = ()  #: of the dead letters in the view's sample, by name

    @property
    def has_more_types(self) -> bool:
        """Whether there may be others: not every dead letter was looked at."""
        return self.view.burden.count > len(self.view.sample)


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """A dead letter, and what it is about."""

    delivery: Delivery
    filed: Filed | None
    message: Message | None  #: None: its retention ended


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """A dead letter with the last attempt that was made for it."""

    letter: Letter
    attempt: Attempt | None


async def list_lines(
    service: Service,
    caller: Caller,
    ask: Ask,
    *,
    states: Collection[IssueState] = (),
    app: str | None = None,
    endpoint: str | None = None,
) -> Listing[IssueLine]:
    """Issues of all the caller's applications that are not part of another, the newest first.

    Args:
        states: these; none given: all.
        app: only of this application.
        endpoint: only of this endpoint of it.

    Raises:
        NotFound: no such application or endpoint.
    """
    store = service.store
    scope = endpoint_id = None
    if app is not None:
        scope = (await find_application(service, caller, app)).id
        if endpoint is not None:
            endpoint_id = (await find_endpoint(service, caller, app, endpoint))[1].id
    own: dict[str, Application | None] = {}

    async def fetch(page: Page) -> list[Issue]:
        if scope is None and states and IssueState.RESOLVED not in states:
            found = await store.unresolved_issues(page)
        else:
            found = await store.list(Issue, scope, page)
        await _learn_owners(store, caller, found, own)
        return found

    listing = await paginate(
        fetch,
        lambda issue: issue.id,
        msgspec.structs.replace(ask, descending=True),
        is_name=is_id(PREFIX),
        keep=lambda issue: (
            own[issue.scope] is not None
            and issue.merged_into is None
            and (not states or issue.state in states)
            and endpoint_id in (None, issue.endpoint_id)
        ),
    )
    seen = await views(service, listing.data, samples=_TYPES_OF)
    apps = {name: one for name, one in own.items() if one is not None}
    lines = {line.view.issue.id: line for line in await _lines(store, seen, apps)}
    return listing.map(lambda issue: lines[issue.id])


async def _learn_owners(
    store: Store, caller: Caller, issues: Sequence[Issue], own: dict[str, Application | None]
) -> None:
    """Note which applications these are of; None: somebody else's."""
    new = {issue.scope for issue in issues} - own.keys()
    if not new:
        return
    own.update(dict.fromkeys(new))
    for one in await store.by_ids(Application, sorted(new)):
        if one.scope == caller.org_id:
            own[one.id] = one


async def _lines(
    store: Store, seen: Sequence[IssueView], apps: dict[str, Application]
) -> list[IssueLine]:
    ids = sorted({view.issue.endpoint_id for view in seen})
    endpoints = {one.id: one for one in await store.by_ids(Endpoint, ids)} if ids else {}
    names = sorted({name.partition(".")[0] for view in seen for name in view.sample})
    heads = await store.heads(names) if names else {}

    def types(view: IssueView) -> tuple[str, ...]:
        found = (heads.get(name.partition(".")[0]) for name in view.sample)
        return tuple(sorted({one.event_type for one in found if one is not None}))

    return [
        IssueLine(
            view=view,
            app=apps[view.issue.scope],
            endpoint=endpoints.get(view.issue.endpoint_id),
            event_types=types(view),
        )
        for view in seen
    ]


async def find_line(service: Service, caller: Caller, issue_id: str) -> IssueLine:
    """One issue, whatever application it is of; of one that was merged, what it is part of now.

    Raises:
        NotFound: there is none, or it is not the caller's.
    """
    missing = NotFound(f"there is no issue {issue_id!r}")
    found = await service.store.by_ids(Issue, [issue_id]) if is_id(PREFIX)(issue_id) else []
    if not found:
        raise missing
    try:
        app = await find_application(service, caller, found[0].scope)
    except NotFound:
        raise missing from None
    issue = (await find_issue(service, caller, app.id, issue_id)).issue
    [view] = await views(service, [issue], samples=_TYPES_OF_ONE)
    [line] = await _lines(service.store, [view], {app.id: app})
    return line


async def letters_of_issue(
    service: Service, caller: Caller, line: IssueLine, ask: Ask, *, discarded: bool = False
) -> Listing[Letter]:
    """A page of an issue's dead letters (or of those that were discarded), newest message first."""
    listing = await list_letters(
        service, caller, line.app.id, ask, issue=line.view.issue.id, discarded=discarded
    )
    told = {one.delivery.id: one for one in await _letters(service, listing.data)}
    return listing.map(lambda delivery: told[delivery.id])


async def _letters(service: Service, deliveries: Sequence[Delivery]) -> list[Letter]:
    if not deliveries:
        return []
    filed = await places(service, deliveries)
    names = sorted({one.message_id for one in deliveries})
    messages = await service.store.messages_by_ids(names)
    return [
        Letter(delivery=one, filed=filed.get(one.id), message=messages.get(one.message_id))
        for one in deliveries
    ]


async def examples_of_issue(service: Service, line: IssueLine) -> list[Example]:
    """The dead letters of the oldest and of the newest message, once where they are one."""
    store = service.store
    ends: list[DeliveryId] = []
    for descending in (False, True):
        found: list[DeliveryId] = []
        for issue in line.view.all:
            which = LetterFilter(issue_id=issue.id)
            for one in await store.letters(which, Page(limit=1, descending=descending)):
                found.append(DeliveryId(one.message_id, one.endpoint_id))
        ends += sorted(found, reverse=descending)[:1]
    present = await store.deliveries_by_ids(ends) if ends else {}
    letters = await _letters(
        service, [present[one] for one in dict.fromkeys(ends) if one in present]
    )
    return [await _example(store, one) for one in letters]


async def _example(store: Store, letter: Letter) -> Example:
    delivery = letter.delivery
    which = AttemptFilter(
        app_id=delivery.app_id, message_id=delivery.message_id, endpoint_id=delivery.endpoint_id
    )
    made = await store.attempts(which, Page(limit=1, descending=True))
    return Example(letter=letter, attempt=made[0] if made else None)


async def latest_attempt(store: Store, app_id: str, endpoint_id: str) -> Attempt | None:
    """The newest attempt at an endpoint, of whatever delivery; None: none is kept."""
    which = AttemptFilter(app_id=app_id, endpoint_id=endpoint_id)
    made = await store.attempts(which, Page(limit=1, descending=True))
    return made[0] if made else None


async def tasks_of_desk(
    service: Service, caller: Caller, issue_ids: Set[str] | None = None
) -> list[Task]:
    """Redrives, discards and undos among the latest tasks, newest first.

    Args:
        issue_ids: only those that are about one of these issues; None: all.
    """
    page = Page(limit=_TASKS_MAX, descending=True)
    return [
        one
        for one in await service.store.list(Task, caller.org_id, page)
        if one.action in _DESK
        and caller.app_id in (None, one.app_id)
        and (issue_ids is None or not issue_ids.isdisjoint(one.which.issue_ids))
    ]


async def unhandled(store: Store, org_id: str) -> Burden:
    """The dead letters of an organisation that nobody has handled or muted."""
    found, after = Burden(), None
    for _ in range(ISSUES_MAX // _PAGE):
        page = await store.unresolved_issues(Page(limit=_PAGE, after=after))
        told = [one for one in page if one.state is not IssueState.MUTED]
        for one in await weighed(store, told):
            if one.org_id == org_id:
                found += one.burden
        if len(page) < _PAGE:
            break
        after = page[-1].id
    return found
