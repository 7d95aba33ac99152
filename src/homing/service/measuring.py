"""Measures what is promised: counts the delivery log by indicators, and looks at each minute.

One process at a time reads the log, behind a place that is stored together with the counts; the
others take over when its lease runs out. What only a process itself can see, how its publishers
were answered, each adds for itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from homing.core.errors import Conflict, Stale, StoreError
from homing.core.lifecycle import State
from homing.core.limits import Lane
from homing.core.objectives import (
    MINUTE_US,
    Limits,
    Measured,
    Objective,
    Seen,
    Sli,
    Tally,
)
from homing.core.operational import is_hidden
from homing.core.outcome import UNANSWERED
from homing.core.plurals import plural
from homing.core.ports import Clock
from homing.core.queries import Page, Span
from homing.core.resources import Application, Endpoint
from homing.core.store import Store
from homing.core.urls import parse_url
from homing.insight.ledger import AuditReport
from homing.insight.sli import About, judge, newest_examples
from homing.service.acceptance import AcceptanceCounts, service_tally

_log = logging.getLogger("homing.objectives")

PLACE: Final = ("", "measured")
#: lines of the log in one piece: some tens of milliseconds of a database's time
_PIECE: Final = 10_000
#: how long a process that counts may be silent before another takes over, microseconds
_LEASE_US: Final = 60_000_000
#: lanes looked at each minute; with more of them the walk goes on where it stopped
_LANES_MAX: Final = 500
#: endpoints at which something was late that are looked at for each piece of the log
_EXAMINED_MAX: Final = 50
#: organisations whose default objectives are watched
_ORGANISATIONS_MAX: Final = 200
_OBJECTIVES_MAX: Final = 1_000
_EXAMPLES_MAX: Final = 5
#: minutes are kept for longer than the longest window of an alert, hours for longer than a quarter
#: and the one before it, days for three years
_KEPT_US: Final[Mapping[int, int]] = {
    60: 4 * 86_400_000_000,
    3_600: 200 * 86_400_000_000,
    86_400: 1_100 * 86_400_000_000,
}
#: minutes in which nobody counted, as far as they are written down
_GAP_MAX: Final = 30 * 1_440


class Measurer:
    """Counts for objectives, every few seconds.

    Args:
        holder: names this process among all that ever ran.
        acceptance: what `Intake` counts; this process's.
        on_tallies: is told what was written down, for metrics.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        holder: str,
        *,
        limits: Limits,
        acceptance: AcceptanceCounts | None = None,
        every_s: float = 15.0,
        audit_every_s: float = 60.0,
        on_tallies: Callable[[Sequence[Tally]], None] = lambda tallies: None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._holder = holder
        self._limits = limits
        self._acceptance = acceptance or AcceptanceCounts(limits)
        self._every_s = every_s
        self._audit_late_us = round(3 * audit_every_s * 1_000_000)
        self._on_tallies = on_tallies
        self._audit: AuditReport | None = None

    def audited(self, report: AuditReport) -> None:
        """An audit of this process has ended."""
        self._audit = report

    async def run(self) -> None:
        """Count now and then every few seconds, for ever."""
        while True:
            try:
                while await self.once():
                    pass
            except StoreError as error:
                _log.warning("counting for objectives waits for the database: %s", error)
            await asyncio.sleep(self._every_s)

    async def once(self) -> bool:
        """One piece of the log, and what else is due; whether there may be more."""
        now_us = self._clock.now_us()
        known = await self._store.get(Measured, *PLACE) or _blank(now_us)
        after = msgspec.structs.replace(
            known, version=known.version + 1, updated_at_us=now_us, **self._findings(known)
        )
        answers = self._acceptance.take(now_us - now_us % MINUTE_US)
        tallies = list(answers)
        is_ours = known.holder == self._holder or known.until_us <= now_us
        more = False
        try:
            if is_ours:
                after, found, more = await self._count(after)
                after, looked = await self._look(after, now_us)
                tallies += [*found, *looked]
                after = msgspec.structs.replace(
                    after, holder=self._holder, until_us=now_us + _LEASE_US
                )
            elif not tallies and after.audited_at_us == known.audited_at_us:
                return False
            await self._store.tally(after, tallies, forget=_old(now_us) if is_ours else {})
        except (Stale, Conflict):  # another process wrote down something
            self._acceptance.put_back(answers)
            return True
        except StoreError:
            self._acceptance.put_back(answers)
            raise
        self._on_tallies(tallies)
        return more

    def _findings(self, known: Measured) -> dict[str, object]:
        """What the latest audit of this process adds to what is known."""
        audit = self._audit
        if audit is None or audit.at_us <= known.audited_at_us:
            return {}
        return {
            "audited_at_us": audit.at_us,
            "unaccounted": audit.unaccounted,
            "missing": tuple(str(one.delivery) for one in audit.misfits[:_EXAMPLES_MAX]),
        }

    # --- the log ---

    async def _count(self, watch: Measured) -> tuple[Measured, Sequence[Tally], bool]:
        cursor, rows, is_full = await self._store.seen(
            watch.cursor, limit=_PIECE, limits=self._limits
        )
        if cursor == watch.cursor:
            return watch, (), False
        scopes = await self._scopes({one.app_id for one in rows})
        judged = judge(
            rows,
            scopes=scopes,
            about=await self._about(
                {one.endpoint_id for one in rows if one.endpoint_id}, _waits(rows)
            ),
            narrow=watch.narrow,
            broad_us=watch.broad_us,
        )
        after = msgspec.structs.replace(
            watch,
            cursor=cursor,
            narrow=judged.narrow,
            broad_us=judged.broad_us,
            examples=newest_examples(watch.examples, judged.examples),
            organisations=_with(watch.organisations, {names[0] for names in scopes.values()}),
        )
        return after, judged.tallies, is_full

    async def _scopes(self, app_ids: set[str]) -> dict[str, tuple[str, ...]]:
        """The organisation of each application, and itself if it has objectives of its own."""
        if not app_ids:
            return {}
        own = {
            one.app_id
            for one in await self._store.list(Objective, None, Page(limit=_OBJECTIVES_MAX))
        }
        return {
            one.id: (one.scope, one.id) if one.id in own else (one.scope,)
            for one in await self._store.by_ids(Application, sorted(app_ids))
            if not is_hidden(one.scope)
        }

    async def _about(
        self, endpoint_ids: set[str], waits: Mapping[str, tuple[int, int]]
    ) -> dict[str, About]:
        """What is known of these endpoints.

        Args:
            waits: of those at which something was late: from when to when it had to wait.
        """
        if not endpoint_ids:
            return {}
        endpoints = await self._store.by_ids(Endpoint, sorted(endpoint_ids))
        applications = await self._store.by_ids(
            Application, sorted({endpoint.scope for endpoint in endpoints})
        )
        limited = {
            one.id
            for one in applications
            if one.rate_limit is not None or one.concurrency_limit is not None
        }
        silent = await self._gave_no_answer(waits)
        return {
            one.id: About(
                host=_host(one.url),
                is_limited=one.rate_limit is not None
                or one.concurrency_limit is not None
                or one.scope in limited,
                gave_no_answer=silent.get(one.id, False),
                is_unknown=one.id in waits and one.id not in silent,
                is_disabled=one.disabled,
            )
            for one in endpoints
        }

    async def _gave_no_answer(self, waits: Mapping[str, tuple[int, int]]) -> dict[str, bool]:
        """Whether an endpoint gave some attempt no answer meanwhile; at most so many are asked.

        A breaker that was open has probed it at least once in the time that something waited, or
        in the minute before.
        """
        found = {}
        for endpoint_id, (since_us, until_us) in sorted(waits.items())[:_EXAMINED_MAX]:
            span = Span(since_us=since_us - MINUTE_US, until_us=until_us + MINUTE_US)
            counts = await self._store.attempt_counts(endpoint_id, span)
            found[endpoint_id] = any(counts.get(reason) for reason in UNANSWERED)
        return found

    # --- the minute ---

    async def _look(self, watch: Measured, now_us: int) -> tuple[Measured, list[Tally]]:
        """What can only be seen by looking now: once for each minute."""
        minute_us = now_us - now_us % MINUTE_US
        if minute_us <= watch.minute_us:
            return watch, []
        is_recent = now_us - watch.audited_at_us <= self._audit_late_us
        rule = None if is_recent and not watch.unaccounted else "late" if not is_recent else "open"
        tallies = []
        # At the very beginning an audit is not late, it is still to come.
        if watch.audited_at_us or now_us - watch.created_at_us > self._audit_late_us:
            tallies.append(service_tally(minute_us, Sli.AUDIT, rule, 1))
        if watch.minute_us:
            missed = (minute_us - watch.minute_us) // MINUTE_US - 1
            tallies += [
                service_tally(minute_us - back * MINUTE_US, Sli.AUDIT, "nobody_looked", 1)
                for back in range(1, min(missed, _GAP_MAX) + 1)
            ]
        lane, late = await self._late_lanes(watch.lane, now_us)
        tallies.append(service_tally(minute_us, Sli.FRESHNESS, "due_late" if late else None, 1))
        return msgspec.structs.replace(watch, minute_us=minute_us, lane=lane), tallies

    async def _late_lanes(
        self, after: tuple[str, str], now_us: int
    ) -> tuple[tuple[str, str], list[Lane]]:
        """Whose deliveries are left lying although nothing stands against sending them."""
        lanes: list[Lane] = []
        end = ("", "")
        for state in (State.WAITING, State.LEASED):
            found = await self._store.walk_lanes(state, after, steps=_LANES_MAX, per_app=_LANES_MAX)
            if len(found) == _LANES_MAX:
                end = max(end, (found[-1].app_id, found[-1].endpoint_id))
            lanes += [one for one in found if one.ready_at_us < now_us - self._limits.fresh_us]
        about = await self._about(
            {one.endpoint_id for one in lanes},
            {one.endpoint_id: (one.ready_at_us, now_us) for one in lanes},
        )
        late = [
            one
            for one in lanes
            if (known := about.get(one.endpoint_id)) is not None
            and not (known.is_limited or known.gave_no_answer or known.is_disabled)
        ]
        if late:
            _log.warning(
                "deliveries are due and left lying at %s",
                plural(len(late), "endpoint"),
                extra={"endpoints": [one.endpoint_id for one in late[:10]]},
            )
        return end, late


def _blank(at_us: int) -> Measured:
    """What is known before anything is; version 0: not stored yet."""
    return Measured(scope="", id=PLACE[1], version=0, created_at_us=at_us, updated_at_us=at_us)


def _old(now_us: int) -> dict[int, int]:
    return {grain_s: now_us - kept_us for grain_s, kept_us in _KEPT_US.items()}


def _with(known: Sequence[str], more: set[str]) -> tuple[str, ...]:
    """The names in order, as many as are kept."""
    return tuple(sorted(more.union(known)))[:_ORGANISATIONS_MAX]


def _waits(rows: Sequence[Seen]) -> dict[str, tuple[int, int]]:
    """By endpoint at which something was late: from the first acceptance to the last attempt."""
    found: dict[str, tuple[int, int]] = {}
    for one in rows:
        if one.late_start and one.endpoint_id and one.accepted_minute_us is not None:
            since_us, until_us = found.get(one.endpoint_id, (one.accepted_minute_us, one.minute_us))
            found[one.endpoint_id] = (
                min(since_us, one.accepted_minute_us),
                max(until_us, one.minute_us),
            )
    return found


def _host(url: str) -> str:
    """Where a URL leads: what endpoints have to share to be related."""
    try:
        return parse_url(url).authority
    except ValueError:
        return url
