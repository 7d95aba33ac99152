"""The port `Store` over a dict: rows by key, for workers that are written against the ports."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from inspect import isawaitable
from typing import Any, Final

from homing.sim.workers.loading import state_asked
from homing.sim.workers.ports import Row
from homing.sim.workers.process import Process
from homing.sim.workers.trace import fields_text, value_text

_SCALARS: Final = frozenset({str, int, float, bool, type(None)})


class RowsBackend:
    """The rows of one world.

    Args:
        worker: `state_of(rows, delivery)`, if it has it, says what the state of a delivery is
            (None: there is none); otherwise it is the field `state` of the row of that key.
    """

    def __init__(self, worker: Any = None) -> None:
        self.rows: dict[str, Row] = {}
        self._state_of = getattr(worker, "state_of", None)
        self._names: list[str] = []

    def open(self, process: Process) -> RowsStore:
        return RowsStore(self, process)

    def expect(self, delivery: str) -> None:
        self._names.append(delivery)

    def states(self) -> Mapping[str, str | None]:
        rows, state_of = self.rows, self._state_of
        if state_of is not None:
            return {name: state_asked(state_of, rows, name) for name in self._names}
        return {name: rows[name].get("state") if name in rows else None for name in self._names}

    def insert(self, delivery: str, now: float) -> None:
        self.rows[delivery] = {"state": "pending", "attempts": 0, "due_at": now, "created_at": now}

    def row(self, delivery: str) -> str:
        row = self.rows.get(delivery)
        return fields_text(row, without=("state", "created_at")) if row else ""

    def drop(self, process: Process) -> None:
        pass

    def close(self) -> None:
        pass


class RowsStore:
    """The port `Store` of one process."""

    def __init__(self, backend: RowsBackend, process: Process) -> None:
        self._rows = backend.rows
        self._process = process

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(
            f"the port `store` has get, put, put_if, find and delete; there is no {name!r}"
        )

    async def get(self, key: str) -> Row | None:
        def act() -> Row | None:
            row = self._rows.get(key)
            return _copy(row) if row is not None else None

        return await self._process.call(
            "get",
            act,
            lambda row: f"get {key}: {_seen(row)}",
            is_write=False,
            about=key,
        )

    async def put(self, key: str, row: Row) -> None:
        row = _copy(row)
        self._process.world.learn_plans(row.values())
        before = ""

        def act() -> bool:
            nonlocal before
            if self._process.world.is_traced:
                before = _changes(self._rows.get(key), row)
            self._rows[key] = row
            return True

        await self._process.call(
            "put", act, lambda _: f"put {key}: {before}", is_write=True, about=key
        )

    async def put_if(self, key: str, row: Row, **expected: Any) -> bool:
        row = _copy(row)
        self._process.world.learn_plans(row.values())
        words = ""

        def act() -> bool:
            nonlocal words
            there = self._rows.get(key) or {}
            for field, value in expected.items():
                if there.get(field) != value:
                    if self._process.world.is_traced:
                        is_now = value_text(there.get(field))
                        words = f"{field} is {is_now}, expected {value_text(value)}"
                    return False
            if self._process.world.is_traced:
                words = _changes(there, row)
            self._rows[key] = row
            return True

        return await self._process.call(
            "put_if",
            act,
            lambda done: f"put_if {key}{'' if done else ' refused'}: {words}",
            is_write=True,
            about=key,
        )

    async def find(self, where: Callable[[Row], bool], limit: int = 1) -> list[tuple[str, Row]]:
        def act() -> list[tuple[str, Row]]:
            found = []
            for key, row in self._rows.items():
                shown = _copy(row)
                is_wanted = where(shown)
                if is_wanted:
                    if is_wanted is not True and isawaitable(is_wanted):
                        raise TypeError("find(where): expected a plain function, not an async def")
                    found.append((key, shown))
                    if len(found) >= limit:
                        break
            for key, _ in found:
                self._process.world.touched(self._process.name, key)
            return found

        return await self._process.call(
            "find",
            act,
            lambda found: f"find: {', '.join(k for k, _ in found) or 'nothing'}",
            is_write=False,
        )

    async def delete(self, key: str) -> None:
        await self._process.call(
            "delete",
            lambda: self._rows.pop(key, None),
            lambda _: f"delete {key}",
            is_write=True,
            about=key,
        )


def _copy(row: Row) -> Row:
    if not isinstance(row, dict):
        raise TypeError(f"expected a row, which is a dict; found {row!r}")
    for value in row.values():
        if type(value) not in _SCALARS:
            return copy.deepcopy(row)
    return dict(row)


def _seen(row: Row | None) -> str:
    return fields_text(row, without=("created_at",)) if row is not None else "no row"


def _changes(before: Row | None, after: Row) -> str:
    if not before:
        return fields_text(after, without=("created_at",))
    changed = {k: v for k, v in after.items() if before.get(k) != v}
    gone = [f"no {name}" for name in before if name not in after]
    return " ".join([fields_text(changed), *gone]).strip() or "as it is"
