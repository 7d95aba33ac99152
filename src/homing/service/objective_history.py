"""How an objective's budget went, for whoever looks at it: read in a bounded number of pieces."""

from __future__ import annotations

from typing import Final

import msgspec

from homing.core.objectives import Objective, Sli
from homing.insight.history import Past, Point, burn_down, past, periods_before
from homing.insight.objectives import period_of
from homing.insight.sli import pieces
from homing.service.context import Service
from homing.service.objectives import HOURS_US, scope_of

_HOUR_US: Final = 3_600_000_000
_DAY_US: Final = 24 * _HOUR_US
#: a period up to this long is shown by the hour: some 750 stretches at most
_BY_HOUR_US: Final = 31 * _DAY_US + _HOUR_US
#: when everything began so recently, it is shown by the minute: as many at most
_BY_MINUTE_US: Final = 12 * _HOUR_US


class History(msgspec.Struct, frozen=True, kw_only=True):
    """The present period by time, and the ones before."""

    grain_s: int = 60  #: length of a stretch
    points: tuple[Point, ...] = ()
    past: tuple[Past, ...] = ()  #: the latest first; those without events are left out


async def history_of(service: Service, objective: Objective) -> History:
    """How a ratio objective's budget went; of integrity, which is a count of now, nothing."""
    if objective.sli is Sli.INTEGRITY:
        return History()
    at_us = service.clock.now_us()
    scope, sli = scope_of(objective), objective.sli
    since_us = period_of(objective).start_us(at_us)
    grain_s = 3_600 if at_us - since_us <= _BY_HOUR_US else 86_400
    series = service.store.tally_series
    tallies = await series(scope, sli, grain_s, _down(since_us, grain_s), at_us + 1)
    if tallies and at_us - tallies[0].at_us <= _BY_MINUTE_US:
        grain_s, since_us = 60, max(since_us, tallies[0].at_us)
        tallies = await series(scope, sli, grain_s, _down(since_us, grain_s), at_us + 1)
    earlier = []
    for span in periods_before(objective, at_us):
        found = []
        # By the hour at its ends, where hours are still kept.
        for piece in pieces(*span, minutes_since_us=at_us, hours_since_us=at_us - HOURS_US):
            found += await service.store.tallied(scope, *piece)
        ended = past(objective, span, found)
        if ended is not None:
            earlier.append(ended)
    return History(
        grain_s=grain_s, points=tuple(burn_down(objective, tallies)), past=tuple(earlier)
    )


def _down(at_us: int, grain_s: int) -> int:
    return at_us - at_us % (grain_s * 1_000_000)
