"""The same worlds over the real SQLite store, whose calls then run at once and never wait."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from homing.core.lifecycle import UNFINISHED, Delivery, State
from homing.core.queries import AttemptFilter, DeliveryFilter, LogCursor, Page
from homing.core.records import Attempt
from homing.insight.evidence import Books
from homing.sim.draws import Choices, Order
from homing.sim.result import Result, Shape
from homing.sim.watch import SqliteWatch, at_once
from homing.sim.world import World
from homing.store.sqlite import open_sqlite
from homing.store.sqlite.store import SqliteStore

_PAGE = 1_000
_LINES_MAX = 1_000_000


class SqliteWorld(World):
    """A world whose database is a file."""

    def __init__(self, seed: int, store: SqliteStore, **given: object) -> None:
        super().__init__(seed, **given)  # type: ignore[arg-type]
        self.store = store  # type: ignore[assignment]
        self.watch = SqliteWatch(self)

    def unfinished(self) -> Iterator[Delivery]:
        return self._rows(tuple(sorted(UNFINISHED)))

    def _rows(self, states: tuple[State, ...] = ()) -> Iterator[Delivery]:
        after: str | None = None
        while True:
            page = Page(limit=_PAGE, after=after)
            found = at_once(self.store.deliveries(DeliveryFilter(states=states), page))
            yield from found
            if len(found) < _PAGE:
                return
            after = str(found[-1].id)

    async def books(self) -> Books:
        rows = list(self._rows())
        return Books(
            hot={row.id: row for row in rows if row.is_unfinished},
            history={row.id: row for row in rows if not row.is_unfinished},
            lines=[one.entry for one in await self.store.log(LogCursor(), limit=_LINES_MAX)],
            attempts=[
                one
                for name in sorted({r.endpoint_id for r in rows})
                for one in self._attempts(name)
            ],
            **await self._known(),
        )

    def _attempts(self, endpoint_id: str) -> Iterator[Attempt]:
        which = AttemptFilter(app_id=self.application.id, endpoint_id=endpoint_id)
        after: str | None = None
        while True:
            found = at_once(self.store.attempts(which, Page(limit=_PAGE, after=after)))
            yield from found
            if len(found) < _PAGE:
                return
            after = found[-1].id


def run_on_sqlite(
    seed: int,
    *,
    shape: Shape | None = None,
    order: Order | None = None,
    choices: Choices | None = None,
    trace: bool = False,
) -> Result:
    """One world in a folder of its own, in memory where the system has such a place."""
    shared = Path("/dev/shm")  # noqa: S108 (a folder of our own is made in it)
    folder = tempfile.mkdtemp(prefix="homing-world-", dir=shared if shared.is_dir() else None)
    try:
        path = str(Path(folder) / "world.db")
        store = at_once(open_sqlite(path, inline=True))
        try:
            world = SqliteWorld(seed, store, shape=shape, order=order, choices=choices, trace=trace)
            return world.run()
        finally:
            asyncio.run(store.close())
    finally:
        shutil.rmtree(folder, ignore_errors=True)
