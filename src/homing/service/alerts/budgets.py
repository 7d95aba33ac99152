"""Which objectives spend their error budget too fast, for the watch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from homing.core.objectives import Measured, Objective, Owner, Sli, Tally
from homing.core.queries import Page
from homing.insight.alerts import alert
from homing.insight.alerts.alert import Severity
from homing.insight.alerts.readings import Burn
from homing.insight.burn import Burning, budget, parse_target
from homing.insight.figures import exact, left_text, span_text
from homing.insight.history import bad_by_owner, burns_since_us
from homing.insight.objectives import Standing, target_text
from homing.insight.rates import exact as exact_rate
from homing.service.context import Service
from homing.service.objectives import list_objectives, report, scope_of
from homing.service.tokens import DEFAULT_ORG_ID, Caller

#: how often objectives are looked at: their counts are of whole minutes
_EVERY_US: Final = 60_000_000
_OBJECTIVES_MAX: Final = 1_000
_EXAMPLES: Final = 3
_HOUR_US: Final = 3_600_000_000
#: windows longer than this are looked at by the hour
_BY_MINUTE_US: Final = 24 * _HOUR_US
_OURS: Final = frozenset({Owner.PLATFORM, Owner.UNATTRIBUTED})
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
        burns = []
        for one in found:
            worst = _worst_of(one)
            if worst is not None:
                burns.append(burn_of(one, worst, await self._series(one, worst)))
        return burns

    async def _series(self, standing: Standing, worst: Burning) -> Sequence[Tally]:
        """The counts of the tier's long window by time."""
        objective, long_us = standing.objective, worst.tier.long_s * 1_000_000
        grain_s = 60 if long_us <= _BY_MINUTE_US else 3_600
        since_us = standing.at_us - long_us
        return await self._service().store.tally_series(
            scope_of(objective),
            objective.sli,
            grain_s,
            since_us - since_us % (grain_s * 1_000_000),
            standing.at_us + 1,
        )


def _worst_of(standing: Standing) -> Burning | None:
    """The most urgent tier that fires; None: none does."""
    firing = [one for one in standing.burning if one.fires]
    return min(firing, key=lambda one: (one.tier.severity != "page", one.tier.long_s), default=None)


def burn_of(standing: Standing, worst: Burning, series: Sequence[Tally]) -> Burn:
    """What is to be told of an objective that burns.

    Args:
        worst: its most urgent tier that fires.
        series: the counts of that tier's long window by time.
    """
    objective = standing.objective
    window_us = standing.at_us - worst.tier.long_s * 1_000_000
    limit = worst.factor * budget(parse_target(objective.target))
    since_us = burns_since_us(objective, series, limit)
    since_us = window_us if since_us is None else since_us
    whose = bad_by_owner(objective, series, since_us)
    return Burn(
        org_id=objective.scope,
        objective=objective.id,
        severity=Severity(worst.tier.severity.value),
        owner=_owner_of(objective, whose),
        what=_what(standing, worst, whose),
        bad=worst.long.bad,
        total=worst.long.total,
        rate=exact_rate(worst.long.bad, worst.long.total),
        since_us=since_us,
        examples=tuple(one.delivery for one in standing.examples[:_EXAMPLES]),
    )


def _owner_of(objective: Objective, whose: Counter[Owner]) -> alert.Owner:
    """Whose most of the bad events are; what nobody could attribute is the platform's to look at.

    Where nothing is known of them: whose it counts, the platform's first.
    """
    mine = whose[Owner.PLATFORM] + whose[Owner.UNATTRIBUTED]
    others = {one: count for one, count in whose.items() if count > mine and one not in _OURS}
    if others:
        return alert.Owner(max(others, key=lambda one: others[one]).value)
    if mine or not _OURS.isdisjoint(objective.owners):
        return alert.Owner.PLATFORM
    return alert.Owner(objective.owners[0].value)


def _what(standing: Standing, worst: Burning, whose: Counter[Owner]) -> str:
    objective = standing.objective
    left = "all of it is spent"
    if standing.left > 0:
        left = f"{left_text(standing.left)} of it is left"
        if standing.exhaustion_s:
            left += f", and lasts another {span_text(standing.exhaustion_s)}"
    owners = ", ".join(f"{owner} {count:,}" for owner, count in whose.most_common())
    return (
        f"the objective {objective.id} ({target_text(objective)}) burns "
        f"its budget {exact(worst.long_burn, digits=1)} times too fast "
        f"(last {span_text(worst.tier.long_s)}); {left}"
        + (f"; bad events: {owners}" if owners else "")
    )
