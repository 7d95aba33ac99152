"""The rows of change data capture (Debezium): what a database row became, and was before. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Final

from homing.forensics.operations import Stand
from homing.forensics.vocabulary import meaning, normal

Row = dict[str, Any]

_KINDS: Final = {"c": "insert", "u": "update", "d": "delete", "r": None}
_STATE: Final = re.compile(r"(^|_)(state|status)$")
_VERSION: Final = re.compile(r"(^|_)(version|rev|revision)$")
_HOLDER: Final = re.compile(
    r"^(lock|claim|lease|reserv)\w*_(by|until|at)$|^(worker|owner|holder)(_id)?$"
)
_LAST: Final = re.compile(r"^last_|(^|_)error$")


def envelope(value: Row) -> Row | None:
    """The part of a row that tells of a change: `op`, and the row `before` and `after` it."""
    inner = value.get("payload")
    found = inner if isinstance(inner, dict) else value
    if found.get("op") not in _KINDS or not {"before", "after"} & found.keys():
        return None
    rows = [found.get("before"), found.get("after")]
    return found if any(isinstance(one, dict) for one in rows) else None


def changed(value: Row) -> Row:
    """A change as one row: the columns of the table, what they were where that tells, and when it
    was committed; a row that is no change stays as it is."""
    told = envelope(value)
    if told is None:
        return value
    before, after = (part if isinstance(part, dict) else {} for part in map(told.get, _SIDES))
    about = told.get("source")
    source: Row = about if isinstance(about, dict) else {}
    table = normal(str(source.get("table") or source.get("collection") or "row"))
    row = dict(after or before)
    state = next((name for name in row if _is_state(name, row, before)), None)
    stood = before.get(state) if state else None
    kind = _KINDS[told["op"]]
    if state:
        row.pop(state)
        row["to_state"] = None if kind == "delete" else after.get(state)
        row["from_state"] = stood
        if kind == "update" and _is_unheld(before, after, str(after.get(state))):
            kind = "release"
    if before and after:
        # what stays in a row from an earlier attempt was not told by this change
        is_of_turn = meaning(stood, is_state=True).stand is Stand.LEASED
        is_of_turn = is_of_turn and stood != after.get(state)
        row |= {
            name: None
            for name, old in before.items()
            if _LAST.search(name) and old == after.get(name) and not is_of_turn
        }
        version = next((name for name in before if _VERSION.search(name)), None)
        row["version_before"] = before.get(version) if version else None
    if "id" in row:
        row.setdefault(f"{_singular(table)}_id", row.pop("id"))
    if told["op"] in ("c", "r") and not state:
        kind = _singular(table)  # a row of a table of one kind of thing: an attempt, a dead letter
    moment = _iso(source.get("ts_ms") or told.get("ts_ms"))
    found = {"op": kind, "table": table, "at": moment, **row}
    if told["op"] == "c":
        found["committed_at"] = moment
    return {**found, "lsn": source.get("lsn")}


_SIDES: Final = ("before", "after")


def _is_state(name: str, row: Row, before: Row) -> bool:
    value = row.get(name) or before.get(name)
    return bool(_STATE.search(normal(name))) and isinstance(value, str) and not value.isdigit()


def _is_unheld(before: Row, after: Row, state: str) -> bool:
    """Whether a row is left in progress, and nobody holds it although rows in progress are held."""
    names = [name for name in before if _HOLDER.search(normal(name))]
    is_held = any(after.get(name) is not None for name in names)
    is_open = meaning(state, is_state=True).stand is Stand.LEASED
    return bool(names) and is_open and not is_held


def _singular(table: str) -> str:
    if table.endswith("ies"):
        return table[:-3] + "y"
    return table[:-1] if table.endswith("s") and not table.endswith("ss") else table


def _iso(ms: Any) -> str | None:
    if not isinstance(ms, int):
        return None
    return datetime.fromtimestamp(ms / 1_000, UTC).isoformat(timespec="milliseconds")
