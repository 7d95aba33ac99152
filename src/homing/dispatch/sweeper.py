"""Brings parked deliveries into line with their endpoints: resumes them, or cancels orphans.

It looks at how things are, not at what happened, so there is no event to miss: whatever was parked
at whatever moment is resumed by the first sweep that sees its endpoint enabled.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from homing.core.errors import StoreError
from homing.core.journal import Journal
from homing.core.lifecycle import Cancelled, Fact, Resumed, State
from homing.core.ports import LocalDispatcher
from homing.core.queries import DeliveryFilter, Page
from homing.core.resources import Endpoint
from homing.core.store import Store

_log = logging.getLogger("homing.dispatch")

#: how soon a re-enabled endpoint gets its parked deliveries, at the latest, in seconds
SWEEP_S: Final = 2.0
_CHUNK: Final = 500


class Sweeper:
    """Sweeps for one process; several may sweep at once, the fence keeps them apart.

    Args:
        sweep_s: seconds from one sweep to the next, > 0.
    """

    def __init__(
        self,
        store: Store,
        journal: Journal,
        dispatcher: LocalDispatcher,
        *,
        sweep_s: float = SWEEP_S,
    ) -> None:
        self._store = store
        self._journal = journal
        self._dispatcher = dispatcher
        self._sweep_s = sweep_s

    async def run(self) -> None:
        """Sweep every now and then, for ever."""
        while True:
            await asyncio.sleep(self._sweep_s)
            try:
                await self.sweep()
            except StoreError as error:
                _log.warning("parked deliveries wait for the database: %s", error)

    async def sweep(self) -> int:
        """Look once at every endpoint that has parked deliveries; how many were changed."""
        parked = [endpoint_id for _, endpoint_id in await self._store.parked_endpoints()]
        changed = 0
        for start in range(0, len(parked), _CHUNK):
            some = parked[start : start + _CHUNK]
            known = {e.id: e for e in await self._store.by_ids(Endpoint, some)}
            for endpoint_id in some:
                endpoint = known.get(endpoint_id)
                if endpoint is None or not endpoint.disabled:
                    changed += await self._sweep_endpoint(endpoint_id, deleted=endpoint is None)
        if changed:
            self._dispatcher.wake()
        return changed

    async def _sweep_endpoint(self, endpoint_id: str, *, deleted: bool) -> int:
        which = DeliveryFilter(endpoint_id=endpoint_id, states=(State.PARKED,))
        after: str | None = None
        changed = 0
        while True:
            found = await self._store.deliveries(which, Page(limit=_CHUNK, after=after))
            if found:
                changes = [
                    self._journal.decide(d, self._fact(deleted), actor="sweep") for d in found
                ]
                changed += sum(await self._store.settle(changes))
                after = found[-1].message_id
            if len(found) < _CHUNK:
                return changed

    def _fact(self, deleted: bool) -> Fact:
        at_us = self._journal.clock.now_us()
        if deleted:
            return Cancelled(at_us=at_us, actor="the endpoint was deleted")
        return Resumed(at_us=at_us)
