"""Closes the intake while too much is due or under way, and opens it again."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from homing.core.errors import StoreError
from homing.core.ports import Clock, Deliveries
from homing.service.intake import Intake

_log = logging.getLogger("homing.intake")

#: how often they are counted: at 5,000 messages a second the limit is passed by 10,000
_EVERY_S: Final = 2.0
#: it opens again below this share of the limit, so that it does not flap
_OPEN_AT: Final = 0.9


class Gate:
    """Back-pressure for publishers: 503 with Retry-After instead of a queue without end.

    Args:
        backlog_max: deliveries due or under way above which nothing is accepted, > 0.
    """

    def __init__(
        self, store: Deliveries, clock: Clock, intake: Intake, *, backlog_max: int
    ) -> None:
        self._store = store
        self._clock = clock
        self._intake = intake
        self._backlog_max = backlog_max

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
        counts = await self._store.backlog(self._clock.now_us())
        # What is parked or due later is nobody's work now: one disabled endpoint, or one outage
        # that spread retries over the day, must not close the door to everyone.
        behind = counts.due + counts.leased
        is_closed = self._intake.closed_because is not None
        if not is_closed and behind > self._backlog_max:
            self._intake.closed_because = (
                f"{behind} deliveries are due or under way and the limit is {self._backlog_max} "
                "(HOMING_BACKLOG_MAX); send the message again later"
            )
            _log.error("nothing is accepted: %s", self._intake.closed_because)
        elif is_closed and behind <= self._backlog_max * _OPEN_AT:
            self._intake.closed_because = None
            _log.warning("accepting again: %d deliveries are due or under way", behind)
