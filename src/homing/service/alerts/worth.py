"""What dead letters are worth that nobody has handled, for the alert on money at risk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from homing.core.issues import Burden, Issue, IssueState
from homing.core.money import decimal_text
from homing.core.ports import Store
from homing.core.queries import Page
from homing.core.resources import Application
from homing.insight.alerts.readings import Money, Stakes
from homing.service.alerts.piles import Worth

_PAGE: Final = 200
#: issues that are looked at
_ISSUES_MAX: Final = 5_000


def worth_of(store: Store) -> Worth:
    """Counts by issue: one look along an index for each page of them, and none at payloads."""

    async def worth() -> Stakes:
        found: dict[tuple[str, str], list[Burden]] = {}
        at_endpoints: dict[str, Counter[str]] = {}
        after: str | None = None
        for _ in range(_ISSUES_MAX // _PAGE):
            page = await store.unresolved_issues(Page(limit=_PAGE, after=after))
            told = [one for one in page if one.state is not IssueState.MUTED]
            for org_id, endpoint_id, burden in await burdens_of(store, told):
                for currency, micro in burden.micro.items():
                    found.setdefault((org_id, currency), []).append(burden)
                    at_endpoints.setdefault(endpoint_id, Counter())[currency] += micro
            if len(page) < _PAGE:
                break
            after = page[-1].id
        return Stakes(
            by_org=tuple(_money(*place, burdens) for place, burdens in sorted(found.items())),
            by_endpoint={
                endpoint_id: {currency: decimal_text(micro) for currency, micro in sums.items()}
                for endpoint_id, sums in at_endpoints.items()
            },
        )

    return worth


async def burdens_of(store: Store, issues: Sequence[Issue]) -> list[tuple[str, str, Burden]]:
    """What these issues weigh, with all that was merged into them: organisation, endpoint, how."""
    if not issues:
        return []
    ids = [issue.id for issue in issues]
    app_ids = sorted({issue.scope for issue in issues})
    org_ids = {one.id: one.scope for one in await store.by_ids(Application, app_ids)}
    parts = await store.merged_issues(ids)
    burdens = await store.burdens([*ids, *(part.id for part in parts)])
    known = {issue.id: issue for issue in (*issues, *parts)}
    return [
        (org_ids.get(known[name].scope, ""), known[name].endpoint_id, burden)
        for name, burden in burdens.items()
    ]


def _money(org_id: str, currency: str, burdens: Sequence[Burden]) -> Money:
    micro = sum(burden.micro[currency] for burden in burdens)
    return Money(
        org_id=org_id,
        currency=currency,
        amount=decimal_text(micro),
        count=sum(burden.count for burden in burdens),
        since_us=min(burden.oldest_at_us or 0 for burden in burdens),
    )
