"""Which objectives spend their error budget too fast, for the watch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from homing.core.objectives import Measured, Objective, Owner, Sli
from homing.core.queries import Page
from homing.insight.alerts import alert
from homing.insight.alerts.alert import Severity
from homing.insight.alerts.readings import Burn
from homing.insight.burn import Burning, exact, percent, span_text
from homing.insight.objectives import Standing, target_text
from homing.insight.rates import exact as exact_rate
from homing.service.context import Service
from homing.service.objectives import list_objectives, report
from homing.service.tokens import DEFAULT_ORG_ID, Caller

#: how often objectives are looked at: their counts are of whole minutes
_EVERY_US: Final = 60_000_000
_OBJECTIVES_MAX: Final = 1_000
_EXAMPLES: Final = 3
#: these have alerts of their own, which come sooner and name what is the matter
_ELSEWHERE: Final = frozenset({Sli.INTEGRITY, Sli.AUDIT, Sli.HYGIENE, Sli.FRESHNESS})


class Budgets:
    """Looks at the objectives of every organisation, once a minute.

    Args:
        service: gives the process's, which is made after this.
    """

    def __init__(self, service: Callable[[], Service]) -> None:
        self._service = service
        self._known: list[Burn] = []
        self._looked_us: int | None = None

    async def burns(self, at_us: int) -> Sequence[Burn]:
        """Those that burn; nothing of what has alerts of its own."""
        if self._looked_us is None or at_us - self._looked_us >= _EVERY_US:
            self._known = [one for org in await self._orgs() for one in await self._of(org)]
            self._looked_us = at_us
        return self._known

    async def _orgs(self) -> list[str]:
        written = await self._service().store.list(Objective, None, Page(limit=_OBJECTIVES_MAX))
        watch = await self._service().store.get(Measured, "", "measured")
        seen = () if watch is None else watch.organisations
        return sorted({DEFAULT_ORG_ID, *seen, *(one.scope for one in written)})

    async def _of(self, org_id: str) -> list[Burn]:
        caller = Caller(org_id)
        objectives = [
            one
            for one in await list_objectives(self._service(), caller)
            if one.sli not in _ELSEWHERE
        ]
        found = await report(self._service(), caller, objectives)
        return [burn for one in found if (burn := burn_of(one)) is not None]


def burn_of(standing: Standing) -> Burn | None:
    """What is to be told of an objective: its most urgent tier that fires; None: none does."""
    firing = [one for one in standing.burning if one.fires]
    if not firing:
        return None
    worst = min(firing, key=lambda one: (one.tier.severity != "page", one.tier.long_s))
    objective = standing.objective
    return Burn(
        org_id=objective.scope,
        objective=objective.id,
        severity=Severity(worst.tier.severity.value),
        owner=_owner_of(objective),
        what=_what(standing, worst),
        bad=worst.long.bad,
        total=worst.long.total,
        rate=exact_rate(worst.long.bad, worst.long.total),
        since_us=standing.at_us - worst.tier.long_s * 1_000_000,
        examples=tuple(one.delivery for one in standing.examples[:_EXAMPLES]),
    )


def _owner_of(objective: Objective) -> alert.Owner:
    """Whose bad events it counts; where the platform's are among them, the platform's."""
    if Owner.PLATFORM in objective.owners or Owner.UNATTRIBUTED in objective.owners:
        return alert.Owner.PLATFORM
    return alert.Owner(objective.owners[0].value)


def _what(standing: Standing, worst: Burning) -> str:
    objective = standing.objective
    left = "all of it is spent"
    if standing.left > 0:
        left = f"{percent(standing.left)} of it is left"
        if standing.exhaustion_s:
            left += f", and lasts another {span_text(standing.exhaustion_s)}"
    return (
        f"the objective {objective.id} ({target_text(objective)}) burns "
        f"its budget at {exact(worst.long_burn, digits=1)} times the pace at which it would just "
        f"last its period (over the last {span_text(worst.tier.long_s)}); {left}"
    )
