"""Closes the door for applications that are too far behind, and for all when the disk needs it."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from homing.core.errors import StoreError
from homing.core.ports import Clock
from homing.core.resources import Application
from homing.core.store import Store
from homing.service.intake import Intake

_log = logging.getLogger("homing.intake")

#: how often they are counted: at 5,000 messages a second a limit is passed by 10,000
_EVERY_S: Final = 2.0
#: it opens again below this share of a limit, so that it does not flap
_OPEN_AT: Final = 0.9


class Gate:
    """Back-pressure for publishers: 503 with Retry-After instead of a queue without end.

    Args:
        app_max: deliveries of one application due or under way above which it publishes nothing
            more, times its weight; 0: no limit.
        total_max: the same of all together, above which nobody does; 0: no limit.
    """

    def __init__(
        self, store: Store, clock: Clock, intake: Intake, *, app_max: int = 0, total_max: int = 0
    ) -> None:
        self._store = store
        self._clock = clock
        self._intake = intake
        self._app_max = app_max
        self._total_max = total_max

    async def run(self) -> None:
        """Look every two seconds, for ever."""
        while True:
            try:
                await self.look()
            except StoreError as error:
                _log.warning("cannot count the backlog: %s", error)
            await asyncio.sleep(_EVERY_S)

    async def look(self) -> None:
        """Count once, and close or open."""
        # What is parked or due later is nobody's work now: one disabled endpoint, or one outage
        # that spread retries over the day, must not close the door.
        behind = await self._store.behind(self._clock.now_us())
        if self._total_max:
            self._judge_all(sum(behind.values()))
        if self._app_max:
            await self._judge_each(behind)

    def _judge_all(self, behind: int) -> None:
        is_closed = self._intake.closed_because is not None
        if not is_closed and behind > self._total_max:
            self._intake.closed_because = (
                f"{behind} deliveries are due or under way and the limit is {self._total_max} "
                "(HOMING_BACKLOG_TOTAL_MAX); send the message again later"
            )
            _log.error("nothing is accepted: %s", self._intake.closed_because)
        elif is_closed and behind <= self._total_max * _OPEN_AT:
            self._intake.closed_because = None
            _log.warning("accepting again: %d deliveries are due or under way", behind)

    async def _judge_each(self, behind: dict[str, int]) -> None:
        closed = self._intake.closed_for
        suspects = [
            app_id
            for app_id, count in behind.items()
            if count > self._app_max * _OPEN_AT or app_id in closed
        ]
        found = await self._store.by_ids(Application, suspects) if suspects else []
        limits = {application.id: self._app_max * application.weight for application in found}
        for app_id in suspects:
            limit = limits.get(app_id, self._app_max)
            if app_id not in closed and behind[app_id] > limit:
                closed[app_id] = (
                    f"{behind[app_id]} deliveries of this application are due or under way and the "
                    f"limit is {limit} (HOMING_BACKLOG_MAX); send the message again later"
                )
                _log.warning(
                    "an application is too far behind to publish more",
                    extra={"application": app_id, "count": behind[app_id]},
                )
        for app_id in list(closed):
            if behind.get(app_id, 0) <= limits.get(app_id, self._app_max) * _OPEN_AT:
                del closed[app_id]
                _log.info("an application may publish again", extra={"application": app_id})
