"""What is at stake: of dead letters that nobody has handled, and of deliveries that are missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import msgspec

from homing.core.issues import Burden, Issue, IssueState
from homing.core.money import amounts, money_in
from homing.core.operational import is_hidden
from homing.core.queries import Page
from homing.core.records import Message
from homing.core.resources import Application, EventType
from homing.core.store import Store
from homing.insight.alerts.readings import Money, Stakes
from homing.service.alerts.piles import Worth

_PAGE: Final = 200
#: issues that are looked at
_ISSUES_MAX: Final = 5_000


class Weighed(NamedTuple):
    """What one issue weighs, and whose it is."""

    org_id: str
    app_id: str
    endpoint_id: str
    burden: Burden


def worth_of(store: Store) -> Worth:
    """Counts by issue: one look along an index for each page of them, and none at payloads."""

    async def worth() -> Stakes:
        found: list[Weighed] = []
        quiet: set[str] = set()
        loud: set[str] = set()
        after: str | None = None
        for _ in range(_ISSUES_MAX // _PAGE):
            page = await store.unresolved_issues(Page(limit=_PAGE, after=after))
            told = [one for one in page if one.state is not IssueState.MUTED]
            loud.update(one.endpoint_id for one in told)
            quiet.update(one.endpoint_id for one in page)
            found += await weighed(store, told)
            if len(page) < _PAGE:
                break
            after = page[-1].id
        return msgspec.structs.replace(_stakes(found), muted=frozenset(quiet - loud))

    return worth


async def weighed(store: Store, issues: Sequence[Issue]) -> list[Weighed]:
    """What these issues weigh, with all that was merged into them; nothing of hidden ones."""
    if not issues:
        return []
    ids = [issue.id for issue in issues]
    parts = await store.merged_issues(ids)
    known = {issue.id: issue for issue in (*issues, *parts)}
    app_ids = sorted({issue.scope for issue in known.values()})
    org_ids = {one.id: one.scope for one in await store.by_ids(Application, app_ids)}
    burdens = await store.burdens(list(known))
    return [
        Weighed(org_id, known[name].scope, known[name].endpoint_id, burden)
        for name, burden in burdens.items()
        if not is_hidden(org_id := org_ids.get(known[name].scope, ""))
    ]


def _stakes(found: Sequence[Weighed]) -> Stakes:
    by_org: dict[tuple[str, str], list[Weighed]] = {}
    by_endpoint: dict[str, Counter[str]] = {}
    for one in found:
        for currency, micro in one.burden.micro.items():
            by_org.setdefault((one.org_id, currency), []).append(one)
            by_endpoint.setdefault(one.endpoint_id, Counter())[currency] += micro
    return Stakes(
        by_org=tuple(_money(*place, some) for place, some in sorted(by_org.items())),
        by_endpoint={one: amounts(micro) for one, micro in by_endpoint.items()},
    )


def _money(org_id: str, currency: str, found: Sequence[Weighed]) -> Money:
    by_app: Counter[str] = Counter()
    for one in found:
        by_app[one.app_id] += one.burden.micro[currency]
    return Money(
        org_id=org_id,
        app_id=max(sorted(by_app), key=lambda app_id: by_app[app_id]),
        currency=currency,
        amount=amounts({currency: by_app.total()})[currency],
        count=sum(one.burden.count for one in found),
        since_us=min(one.burden.oldest_at_us or 0 for one in found),
    )


async def declared(store: Store, org_id: str, messages: Iterable[Message]) -> dict[str, str]:
    """What the payloads of an organisation's messages say is at stake, by currency."""
    known: dict[str, EventType | None] = {}
    total: Counter[str] = Counter()
    for message in messages:
        name = message.event_type
        if name not in known:
            known[name] = await store.get(EventType, org_id, name)
        event_type = known[name]
        money = money_in(message.payload, event_type.money if event_type else None)
        if money is not None:
            total[money.currency] += money.micro
    return amounts(total)
