"""Which error budgets are being spent too fast: what the alerts ask for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from homing.core.objectives import MINUTE_US, SERVICE_WIDE, Objective, Sli, Tally, Watch
from homing.core.ports import Store
from homing.core.queries import Page
from homing.insight.alerts.alert import Severity as AlertSeverity
from homing.insight.alerts.readings import Burn
from homing.insight.burn import Burning, Guard, evaluate, exact, parse_target, span_text
from homing.insight.objectives import (
    counts_of,
    default_objectives,
    period_of,
    target_text,
    windows_of,
)
from homing.insight.rates import exact as exact_rate
from homing.insight.sli import pieces

#: how long an answer is used again: windows of five minutes do not change faster
_FRESH_US: Final = 20_000_000
_OBJECTIVES_MAX: Final = 1_000
#: these have alerts of their own, which come sooner and name what is the matter
_ELSEWHERE: Final = frozenset({Sli.INTEGRITY, Sli.AUDIT, Sli.HYGIENE, Sli.FRESHNESS})

Windows = dict[int, list[Tally]]


class BurnReader:
    """Asked by the alerts of one process, as `service.alerts.reader.Burns`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._read_at_us = 0
        self._latest: Sequence[Burn] = ()

    async def __call__(self, at_us: int) -> Sequence[Burn]:
        """Objectives of which a tier fires; of the tiers of one severity the fastest."""
        if at_us - self._read_at_us >= _FRESH_US:
            self._latest = await self._read(at_us)
            self._read_at_us = at_us
        return self._latest

    async def _read(self, at_us: int) -> list[Burn]:
        watch = await self._store.get(Watch, "", "watch")
        if watch is None:
            return []
        windows: dict[str, Windows] = {}
        found: list[Burn] = []
        for one in await self._objectives(watch.organisations):
            scope = "" if one.sli in SERVICE_WIDE else one.app_id or one.scope
            known = windows.setdefault(scope, {})
            await self._read_windows(known, scope, windows_of([one], at_us), at_us)
            found += burns_of(one, known, at_us)
        return found

    async def _objectives(self, organisations: Sequence[str]) -> list[Objective]:
        """All that were written, and the defaults of every organisation that has traffic.

        A default that is about the service as a whole counts once, for the first of them.
        """
        found = await self._store.list(Objective, None, Page(limit=_OBJECTIVES_MAX))
        written = {(one.scope, one.id) for one in found}
        for place, scope in enumerate(sorted(organisations)):
            found += [
                one
                for one in default_objectives(scope)
                if (scope, one.id) not in written and (place == 0 or one.sli not in SERVICE_WIDE)
            ]
        return [one for one in found if one.sli not in _ELSEWHERE]

    async def _read_windows(
        self, known: Windows, scope: str, lengths_s: set[int], at_us: int
    ) -> None:
        end_us = at_us - at_us % MINUTE_US + MINUTE_US
        for length_s in sorted(lengths_s - known.keys()):
            rows: list[Tally] = []
            for piece in pieces(at_us - length_s * 1_000_000, end_us):
                rows += await self._store.tallied(scope, *piece)
            known[length_s] = rows


def burns_of(objective: Objective, windows: Windows, at_us: int) -> list[Burn]:
    """What the alerts are told of one objective: at most one for each severity."""
    found = evaluate(
        lambda length_s: counts_of(objective, windows[length_s]),
        parse_target(objective.target),
        period_s=period_of(objective).length_s(at_us),
        guard=Guard(events_min=objective.events_min, bad_min=objective.bad_min),
    )
    fastest: dict[str, Burning] = {}
    for one in found:
        if one.fires:
            fastest.setdefault(one.tier.severity, one)
    return [_burn(objective, one, windows, at_us) for one in fastest.values()]


def _burn(objective: Objective, found: Burning, windows: Windows, at_us: int) -> Burn:
    bad, total = found.long.bad, found.long.total
    return Burn(
        org_id=objective.scope,
        objective=objective.id,
        severity=AlertSeverity(found.tier.severity),
        what=(
            f"the budget of {objective.id} ({target_text(objective)}) is spent "
            f"{exact(found.long_burn, digits=1)} times as fast as it lasts: in "
            f"{span_text(found.tier.long_s)} {bad:,} of {total:,} went wrong"
            f"{_whose(objective, windows[found.tier.long_s])}"
        ),
        bad=bad,
        total=total,
        rate=exact_rate(bad, total),
        since_us=at_us - found.tier.short_s * 1_000_000,
    )


def _whose(objective: Objective, tallies: Sequence[Tally]) -> str:
    """By the rules that decided, the most frequent first."""
    rules: Counter[str] = Counter()
    for one in tallies:
        if one.sli is objective.sli and one.owner in objective.owners:
            rules[f"{one.owner}/{one.rule}"] += one.count
    shown = [f"{rule} {count:,}" for rule, count in rules.most_common(3) if count > 0]
    return f" ({', '.join(shown)})" if shown else ""
