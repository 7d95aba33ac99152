"""Finds whose deliveries are due, without reading through anybody's backlog.

As a rule those are the endpoints of the few hundred oldest. When there are more due than that, one
endpoint may have all of the oldest, so a part of all lanes is walked too, further at each look.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from typing import Final

import msgspec

from homing.core.lifecycle import State
from homing.core.limits import Lane
from homing.core.ports import Clock
from homing.core.resources import Application, Endpoint
from homing.core.store import Store
from homing.dispatch.planner import Candidate

#: the oldest due deliveries whose endpoints are looked at
LOOK_MAX: Final = 500
#: lanes that one look walks over when there are more; about a millisecond of PostgreSQL
_STEPS: Final = 200
#: lanes of one application in a walk that is to meet every application soon
_FEW: Final = 8
#: what a lane that was met on a walk asks for
_WALKED_COUNT: Final = 16
#: how long what an application is configured to is remembered, microseconds
_APPLICATION_US: Final = 1_000_000
_APPLICATIONS_MAX: Final = 10_000


class _Walk(msgspec.Struct):
    """One way round all lanes, and how far it has come."""

    state: State
    per_app: int
    after: tuple[str, str] = ("", "")


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """Lanes with something due."""

    candidates: Sequence[Candidate] = ()
    is_partial: bool = False  #: there may be lanes that were not looked at


class LaneFinder:
    """Looks for lanes on behalf of one dispatcher."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        briefly = _Walk(State.WAITING, _FEW)
        self._walks = cycle(
            (briefly, _Walk(State.WAITING, _STEPS), briefly, _Walk(State.LEASED, _STEPS))
        )
        self._applications: dict[str, Application | None] = {}
        self._applications_at_us = 0

    async def find(self, at_us: int) -> Found:
        """Lanes with something due at `at_us`, with their endpoints as they are now."""
        oldest = await self._store.due_lanes(at_us, limit=LOOK_MAX)
        if not oldest:
            return Found()
        lanes = {lane.endpoint_id: lane for lane in oldest}
        is_partial = False
        if sum(lane.count for lane in oldest) >= LOOK_MAX:
            walked, is_partial = await self._walk(next(self._walks))
            for lane in walked:
                if lane.ready_at_us <= at_us:
                    more = msgspec.structs.replace(lane, count=_WALKED_COUNT)
                    lanes.setdefault(lane.endpoint_id, more)
        endpoints = {e.id: e for e in await self._store.by_ids(Endpoint, sorted(lanes))}
        applications = await self._known({lane.app_id for lane in lanes.values()})
        # Stores give them in any order, and the plan must not depend on which store it is.
        in_order = sorted(lanes.values(), key=lambda lane: (lane.ready_at_us, lane.endpoint_id))
        return Found(
            candidates=[
                Candidate(lane, endpoints.get(lane.endpoint_id), applications[lane.app_id])
                for lane in in_order
            ],
            is_partial=is_partial,
        )

    async def _walk(self, walk: _Walk) -> tuple[list[Lane], bool]:
        """The next lanes of a walk, and whether there are others."""
        from_start = walk.after == ("", "")
        lanes = await self._store.walk_lanes(
            walk.state, walk.after, steps=_STEPS, per_app=walk.per_app
        )
        is_round = len(lanes) < _STEPS
        walk.after = ("", "") if is_round else (lanes[-1].app_id, lanes[-1].endpoint_id)
        return lanes, not (from_start and is_round)

    async def _known(self, app_ids: set[str]) -> dict[str, Application | None]:
        """Applications by id: limits and weights, which may be a second old; None: deleted."""
        now_us = self._clock.mono_us()
        if (
            now_us - self._applications_at_us >= _APPLICATION_US
            or len(self._applications) > _APPLICATIONS_MAX
        ):
            self._applications = {}
            self._applications_at_us = now_us
        known = self._applications
        new = sorted(app_ids - known.keys())
        if new:
            found = await self._store.by_ids(Application, new)
            known |= dict.fromkeys(new) | {application.id: application for application in found}
        return known
