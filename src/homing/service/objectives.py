"""Objectives as whoever keeps them sees them: listed, written, removed, and how they stand."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import msgspec

from homing.core.errors import Conflict, Invalid, NotFound, Problem, Stale, Unavailable
from homing.core.lifecycle import State
from homing.core.objectives import (
    MINUTE_US,
    SERVICE_WIDE,
    Measured,
    Objective,
    Owner,
    Sli,
    Tally,
)
from homing.core.queries import DeliveryFilter, Page
from homing.core.resources import Application, Endpoint
from homing.core.store import Store
from homing.insight.objectives import (
    DEFAULT_NAMES,
    Standing,
    default_objectives,
    integrity_standing,
    mistakes_of,
    period_of,
    standing,
    windows_of,
)
from homing.insight.sli import pieces
from homing.service.context import Service
from homing.service.tokens import Caller

#: objectives of one organisation: more than a board of several teams shows
OBJECTIVES_MAX: Final = 200
#: dead letters looked at to find those that are overdue
_DEAD_MAX: Final = 1_000
_TRIES_MAX: Final = 8
_HOUR_US: Final = 3_600_000_000
#: how long minutes and hours are kept, with a margin for the clock
_MINUTES_US: Final = 4 * 86_400_000_000 - _HOUR_US
HOURS_US: Final = 200 * 86_400_000_000 - _HOUR_US


class ObjectiveDraft(msgspec.Struct, frozen=True, kw_only=True):
    """An objective as its owner describes it."""

    sli: Sli
    target: str
    period: str = "30d"
    description: str = ""
    team: str = ""
    app_id: str | None = None
    owners: tuple[Owner, ...] = (Owner.PLATFORM, Owner.UNATTRIBUTED)
    events_min: int = 50
    bad_min: int = 3
    labels: dict[str, tuple[str, ...]] = {}
    annotations: dict[str, str] = {}


async def list_objectives(service: Service, caller: Caller) -> list[Objective]:
    """The organisation's, by name; the defaults are among them unless one has their name."""
    stored = await service.store.list(Objective, caller.org_id, Page(limit=OBJECTIVES_MAX))
    names = {one.id for one in stored}
    defaults = [one for one in default_objectives(caller.org_id) if one.id not in names]
    return sorted([*stored, *defaults], key=lambda one: one.id)


async def find_objective(service: Service, caller: Caller, name: str) -> Objective:
    """By name.

    Raises:
        NotFound: there is none.
    """
    found = await service.store.get(Objective, caller.org_id, name)
    if found is None:
        found = next((one for one in default_objectives(caller.org_id) if one.id == name), None)
    if found is None:
        raise NotFound(f"there is no objective {name!r}")
    return found


async def draft_objective(
    service: Service, caller: Caller, name: str, draft: ObjectiveDraft
) -> Objective:
    """An objective as it would be written, to be asked what it would say; nothing is written.

    Raises:
        Invalid: a field is not as it must be.
    """
    at_us = service.clock.now_us()
    fields = {field: getattr(draft, field) for field in ObjectiveDraft.__struct_fields__}
    if draft.app_id is not None:
        application = await service.store.get(Application, caller.org_id, draft.app_id)
        if application is None:
            text = f"there is no application {draft.app_id!r}"
            raise Invalid([Problem(("body", "appId"), text)])
        fields["app_id"] = application.id
    made = Objective(
        scope=caller.org_id, id=name, created_at_us=at_us, updated_at_us=at_us, **fields
    )
    wrong = mistakes_of(made)
    if wrong:
        where = "path" if wrong[0].field == "name" else "body"
        raise Invalid([Problem((where, one.field), one.text) for one in wrong])
    return made


async def put_objective(
    service: Service,
    caller: Caller,
    name: str,
    draft: ObjectiveDraft,
    *,
    instead_of: int | None = None,
) -> Objective:
    """Write an objective, in place of the one of that name if there is one.

    Args:
        instead_of: the version that whoever writes has seen, 0 where there was none; None: whatever
            there is.

    Raises:
        Invalid: a field is not as it must be.
        Conflict: there are too many, or somebody has written it since it was seen.
    """
    made = await draft_objective(service, caller, name, draft)
    for _ in range(_TRIES_MAX):
        known = await service.store.get(Objective, caller.org_id, name)
        if instead_of not in (None, known.version if known else 0):
            raise Conflict(f"somebody has written {name!r} meanwhile; look at it and begin again")
        after = made if known is None else _instead(known, made)
        if known is None and len(await list_objectives(service, caller)) >= OBJECTIVES_MAX:
            raise Conflict(f"an organisation has at most {OBJECTIVES_MAX} objectives")
        try:
            await service.store.put(after)
        except (Stale, Conflict):
            continue
        return after
    raise Unavailable("the objective keeps changing; send the request again")


def _instead(known: Objective, made: Objective) -> Objective:
    return msgspec.structs.replace(
        made, version=known.version + 1, created_at_us=known.created_at_us
    )


async def remove_objective(service: Service, caller: Caller, name: str) -> None:
    """Remove one; a default that was written over is in force again.

    Raises:
        NotFound: there is none.
        Conflict: it is a default that nobody has written over.
    """
    found = await service.store.get(Objective, caller.org_id, name)
    if found is None:
        if name in DEFAULT_NAMES:
            raise Conflict(f"{name} is there without configuration; write over it to change it")
        raise NotFound(f"there is no objective {name!r}")
    await service.store.delete(found)


async def report(
    service: Service, caller: Caller, objectives: Sequence[Objective]
) -> list[Standing]:
    """How these stand now, in order."""
    at_us = service.clock.now_us()
    watch = await service.store.get(Measured, "", "measured")
    tallies = await _Tallies.read(service.store, objectives, at_us, _overdue(service, caller))
    examples = watch.examples if watch else ()
    found = []
    for one in objectives:
        if one.sli is Sli.INTEGRITY:
            found.append(await _integrity(service, caller, one, at_us, watch))
            continue
        scope = scope_of(one)
        found.append(
            standing(
                one,
                lambda since_us, until_us, scope=scope: tallies.between(  # type: ignore[misc]
                    scope, since_us, until_us
                ),
                at_us=at_us,
                examples=[example for example in examples if example.scope == scope],
            )
        )
    return found


def scope_of(objective: Objective) -> str:
    """Where its events are counted: at an organisation, an application, or the service ("")."""
    if objective.sli in SERVICE_WIDE:
        return ""
    return objective.app_id or objective.scope


async def _integrity(
    service: Service, caller: Caller, objective: Objective, at_us: int, watch: Measured | None
) -> Standing:
    missing = watch.missing if watch else ()
    names = [one.partition(".")[2] for one in missing]
    own = {
        one.id for one in await service.store.by_ids(Endpoint, names) if one.org_id == caller.org_id
    }
    return integrity_standing(
        objective,
        at_us=at_us,
        unaccounted=watch.unaccounted if watch else 0,
        audited_at_us=watch.audited_at_us or None if watch else None,
        missing=[one for one in missing if one.partition(".")[2] in own],
    )


def _overdue(service: Service, caller: Caller) -> Callable[[str], Awaitable[int]]:
    """Counts dead letters that nobody has dealt with in time."""

    async def count(scope: str) -> int:
        before_us = service.clock.now_us() - service.measure.hygiene_us
        which = DeliveryFilter(
            states=(State.DEAD,), app_id=scope if scope.startswith("app_") else None
        )
        found = [
            one
            for one in await service.store.deliveries(which, Page(limit=_DEAD_MAX))
            if (one.finished_at_us or 0) < before_us
        ]
        applications = await service.store.by_ids(
            Application, sorted({one.app_id for one in found})
        )
        own = {one.id for one in applications if one.scope == caller.org_id}
        return sum(one.app_id in own for one in found)

    return count


class _Tallies:
    """The counts that a report looks at, each read once."""

    def __init__(self, now_us: int) -> None:
        #: the minute that is under way is looked at as well
        self._end_us = now_us - now_us % MINUTE_US + MINUTE_US
        self._at_us = now_us
        self._known: dict[tuple[str, int, int], list[Tally]] = {}

    @classmethod
    async def read(
        cls,
        store: Store,
        objectives: Sequence[Objective],
        at_us: int,
        overdue: Callable[[str], Awaitable[int]],
    ) -> _Tallies:
        found = cls(at_us)
        for one in objectives:
            if one.sli is Sli.INTEGRITY:
                continue
            scope = scope_of(one)
            starts = {at_us - length_s * 1_000_000 for length_s in windows_of([one], at_us)}
            starts.add(period_of(one).start_us(at_us))
            for since_us in starts:
                await found._read_one(store, scope, since_us)
            if one.sli is Sli.HYGIENE:
                # As it stands: what is overdue was overdue in each of the windows.
                bad = Tally(
                    scope=scope,
                    at_us=at_us,
                    sli=Sli.HYGIENE,
                    owner=Owner.CONFIGURATION,
                    rule="overdue",
                    count=await overdue(scope),
                )
                for since_us in starts:
                    rows = found._known[scope, since_us, at_us]
                    if bad.count and bad not in rows:
                        rows.append(bad)
        return found

    async def _read_one(self, store: Store, scope: str, since_us: int) -> None:
        place = (scope, since_us, self._at_us)
        if place in self._known:
            return
        rows = await asyncio.gather(
            *(
                store.tallied(scope, *piece)
                for piece in pieces(
                    since_us,
                    self._end_us,
                    minutes_since_us=self._at_us - _MINUTES_US,
                    hours_since_us=self._at_us - HOURS_US,
                )
            )
        )
        self._known[place] = [one for piece in rows for one in piece]

    def between(self, scope: str, since_us: int, until_us: int) -> list[Tally]:
        """What was read; `until_us` is now."""
        return self._known[scope, since_us, until_us]
