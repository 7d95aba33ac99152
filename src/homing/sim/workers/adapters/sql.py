"""What adapters of SQL databases share: cursors, and what a statement is about."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import is_dataclass
from typing import Any, Final

from homing.core.errors import Invalid, Problem
from homing.sim.workers.loading import NotExplorable
from homing.sim.workers.process import Process
from homing.sim.workers.trace import value_text

_TEXT_MAX: Final = 70
_WRITES: Final = (
    "insert",
    "update",
    "delete",
    "replace",
    "create",
    "drop",
    "commit",
    "end",
    "with",
)


class Cursor:
    """What a statement gave. Its rows are here already, so to fetch them is no step."""

    def __init__(
        self, rows: list[Any], rowcount: int, lastrowid: int | None, description: Any
    ) -> None:
        self.rows = rows
        self.rowcount = rowcount
        self.lastrowid = lastrowid
        self.description = description
        self._rest: Iterator[Any] = iter(rows)

    def has_changed(self) -> bool:
        """Whether anything is different now: not if no row was, in a statement that writes."""
        return self.rowcount != 0 or bool(self.rows)

    async def fetchone(self) -> Any:
        """The next row; None after the last."""
        return next(self._rest, None)

    async def fetchall(self) -> list[Any]:
        """The rest of the rows."""
        return list(self._rest)

    async def fetchmany(self, size: int = 1) -> list[Any]:
        """At most so many of the rest."""
        return [row for row, _ in zip(self._rest, range(size), strict=False)]

    async def close(self) -> None:
        pass

    async def __aiter__(self) -> AsyncIterator[Any]:
        for row in self._rest:
            yield row


def must_have(worker: Any, database: str) -> None:
    """A worker over SQL says what its tables are, and what the states in them.

    Raises:
        Invalid: it does not.
    """
    for name in ("schema", "states", "accept"):
        if not hasattr(worker, name):
            text = (
                f"with a store of {database} it needs {name!r}: schema = SQL of the tables, "
                "states = SQL of (id, state), async def accept(self, delivery)"
            )
            raise Invalid([Problem(("worker",), text)])


@contextmanager
def states_asked(refused: type[Exception]) -> Iterator[None]:
    """While a worker's `states` is asked.

    Args:
        refused: what the driver raises.
    """
    try:
        yield
    except (refused, ValueError) as error:
        text = str(error).strip().splitlines()[0]
        raise NotExplorable(
            f"its `states` cannot be used: {text}; expected SQL of (id, state, …) of all deliveries"
        ) from None


def tables_of(sql: str) -> frozenset[str]:
    """The tables that a query reads."""
    return frozenset(re.findall(r"(?:from|join)\s+([\w.]+)", sql, re.IGNORECASE))


def verb_of(sql: str) -> tuple[str, bool]:
    """A statement's first word in lower case, and whether it may change something."""
    words = sql.split(None, 1)
    word = words[0].lower() if words else ""
    return word, word in _WRITES


def values_of(parameters: Any) -> list[Any]:
    """The values of parameters, or of a row, by position or by name."""
    if is_dataclass(parameters):
        return list(vars(parameters).values())
    return list(parameters.values() if isinstance(parameters, Mapping) else parameters or ())


def learn(process: Process, parameters: Any) -> None:
    """What is planned ahead says how long a lease or a backoff is."""
    process.world.learn_plans(values_of(parameters))


def about(process: Process, parameters: Any) -> str:
    """The delivery that is named in the parameters."""
    deliveries = process.world.watch.deliveries
    return next((v for v in values_of(parameters) if isinstance(v, str) and v in deliveries), "")


def about_row(process: Process, cursor: Cursor) -> str:
    """The delivery that the first row names."""
    return about(process, cursor.rows[0] if cursor.rows else ())


def touch(process: Process, rows: Iterable[Any]) -> None:
    """The process has read these rows."""
    for row in rows:
        for value in values_of(row):
            if isinstance(value, str):
                process.world.touched(process.name, value)


def said(sql: str, parameters: Any, cursor: Cursor) -> str:
    """The statement with its values, and what came of it, short."""
    text = " ".join(sql.split())
    if isinstance(parameters, Mapping):
        for name, value in parameters.items():
            text = text.replace(f"%({name})s", value_text(value))
            text = re.sub(rf":{name}\b", value_text(value).replace("\\", "/"), text)
    else:
        for value in values_of(parameters):
            text = re.sub(r"\?|%s", value_text(value).replace("\\", "/"), text, count=1)
    text = text if len(text) <= _TEXT_MAX else text[: _TEXT_MAX - 1] + "…"
    if cursor.description is not None:
        found = ", ".join(value_text(values_of(row)[0]) for row in cursor.rows[:3]) or "no row"
        return f"{text} → {found}"
    if verb_of(sql)[0] in ("update", "delete", "insert"):
        return f"{text} → {'refused, 0 rows' if cursor.rowcount == 0 else f'{cursor.rowcount} row'}"
    return text
