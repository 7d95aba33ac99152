"""The books of the house: the ledger, the audit by hand, and the audit of every minute."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Final

from homing.core.errors import StoreError
from homing.core.plurals import plural
from homing.core.ports import Clock
from homing.core.queries import Backlog, Span
from homing.core.retention import Purged
from homing.core.store import Store
from homing.insight.ledger import AuditReport, report
from homing.service.keeping import Round

_log = logging.getLogger("homing.audit")

#: misfits named in one report; the count of all is in the rows
MISFITS_MAX: Final = 1_000
#: what the audit of every minute looks at each time: the recent past, and one older slice in turn
_RECENT_S: Final = 600
_SLICE_S: Final = 3_600
#: rounds whose backlog is remembered: four hours of them
_LOOKS_MAX: Final = 240


async def audit(
    store: Store,
    clock: Clock,
    *,
    since_us: int | None = None,
    until_us: int | None = None,
    window_s: int = 3_600,
    misfits_max: int = MISFITS_MAX,
) -> AuditReport:
    """Count again, from the rows alone, and name every delivery that the books cannot place.

    Args:
        since_us, until_us: of acceptance; None: everything there is.
        window_s: length of a ledger window, in seconds, > 0.
    """
    at_us = clock.now_us()
    span = Span(since_us=since_us, until_us=until_us)
    if until_us is None:
        until_us = at_us
    rows = await store.ledger(span, window_s=window_s)
    misfits = await store.misfits(span, limit=misfits_max)
    kept = await store.get(Round, "", "round")
    return report(
        rows,
        misfits,
        at_us=at_us,
        since_us=since_us,
        until_us=until_us,
        purged=kept.purged if kept else Purged(),
        purged_at_us=kept.purged_at_us if kept else None,
    )


class Auditor:
    """Audits inside the service: the last ten minutes each time, and all the rest in slices.

    `latest` and `backlog` are what the readiness probe and the metrics show. A slice that did not
    balance is looked at again each time, and shown, until it does.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        every_s: float = 60.0,
        on_report: Callable[[AuditReport, Backlog], None] | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._every_s = every_s
        self._on_report = on_report
        self._slice_until_us: int | None = None
        self.latest: AuditReport | None = None
        #: of the last ten minutes, in windows of a minute
        self.recent: AuditReport | None = None
        #: all that did not balance in the latest round
        self.bad: tuple[AuditReport, ...] = ()
        #: the last one that did not balance; None once its stretch of time balances again
        self.latest_bad: AuditReport | None = None
        self.backlog: Backlog | None = None
        #: the backlog of each round, with its time; the latest last
        self.looks: deque[tuple[int, Backlog]] = deque(maxlen=_LOOKS_MAX)

    async def run(self) -> None:
        """Audit now and then every `every_s` seconds, for ever."""
        while True:
            try:
                await self.once()
            except StoreError as error:
                _log.warning("the audit waits for the database: %s", error)
            await asyncio.sleep(self._every_s)

    async def once(self) -> AuditReport:
        """One round."""
        now_us = self._clock.now_us()
        recent_us = now_us - _RECENT_S * 1_000_000
        recent = await audit(self._store, self._clock, since_us=recent_us, window_s=60)
        older = await self._audit_slice(recent_us)
        again = await self._audit_again()
        self.backlog = await self._store.backlog(now_us)
        self.looks.append((now_us, self.backlog))
        self.latest, self.latest_bad, self.recent = older or recent, None, recent
        self.bad = tuple(r for r in (again, older, recent) if r is not None and not r.is_balanced)
        for result in (again, older, recent):
            if result is not None and not result.is_balanced:
                self.latest_bad = self.latest = result
                _log.critical(
                    "unaccounted for: %s; `homing audit` names them",
                    plural(result.unaccounted, "delivery"),
                    extra={"misfits": [str(m.delivery) for m in result.misfits[:10]]},
                )
        if self._on_report is not None:
            self._on_report(self.latest, self.backlog)
        return self.latest

    async def _audit_again(self) -> AuditReport | None:
        """The stretch of time that did not balance the last time, if there is one."""
        bad = self.latest_bad
        if bad is None:
            return None
        return await audit(
            self._store,
            self._clock,
            since_us=bad.since_us,
            until_us=bad.until_us,
            window_s=_SLICE_S,
        )

    async def _audit_slice(self, recent_us: int) -> AuditReport | None:
        """The next older hour, going back to the first message and then from the start again."""
        first = await self._store.first_accepted_at_us()
        if first is None or first >= recent_us:
            return None
        until_us = self._slice_until_us or recent_us
        if until_us <= first:
            until_us = recent_us
        since_us = until_us - _SLICE_S * 1_000_000
        self._slice_until_us = since_us
        return await audit(
            self._store, self._clock, since_us=since_us, until_us=until_us, window_s=_SLICE_S
        )
