"""Rows of an audit table, as a trigger of a database writes them: what a row of another table became, and
was before. Pure."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from homing.forensics.reading.changes import changed, envelope
from homing.forensics.vocabulary import normal

Row = dict[str, Any]

_OPERATIONS: Final = {"i": "c", "u": "u", "d": "d", "insert": "c", "update": "u", "delete": "d"}
_WHAT: Final = r"(_(values?|data|rows?|record|json|state|image))?"
_OLD: Final = re.compile(rf"^(old|before|prior|previous){_WHAT}$|^(row|record|data)_(old|before)$")
_NEW: Final = re.compile(rf"^(new|after){_WHAT}$|^(row|record|data)_(new|after)$")
_TABLE: Final = re.compile(r"(^|_)(table|relation)(_?name)?$")
#: what names the row of the other table
_KEY: Final = re.compile(r"(^|_)(pk|primary_key)$|^(row|record|entity|object)_(id|key)$")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d")


def change_in(value: Row) -> Row | None:
    """The change that a row of JSON tells of, as a row: one of an audit table, or of change data capture;
    None if it is neither."""
    return changed(value) if envelope(value) is not None else audited(value)


def audited(value: Row) -> Row | None:
    """The change that a row of an audit table tells of, as a row; None if it is no row of one.

    Of an update such a table may hold the changed columns alone: the row that they are of is then named
    beside them.
    """
    names = {normal(name): name for name in value}
    sides = [_first(names, pattern) for pattern in (_OLD, _NEW)]
    table, key = _first(names, _TABLE), _first(names, _KEY)
    done = next((name for name, cell in value.items() if _operation(cell)), None)
    if None in sides or table is None or done is None or not value[table]:
        return None
    before, after = (_object(value[str(name)]) for name in sides)
    kind = _operation(value[done])
    if (before if kind == "d" else after) is None:
        return None
    named = {} if key is None else {"id": value[key]}
    rows = [None if side is None else {**named, **side} for side in (before, after)]
    about = {"table": value[table]}
    row = changed({"op": kind, "before": rows[0], "after": rows[1], "source": about})
    at = next((n for n, cell in value.items() if isinstance(cell, str) and _TIME.match(cell)), None)
    # when a trigger ran is not when its transaction was committed
    own = {name: cell for name, cell in row.items() if name not in ("committed_at", "lsn")}
    rest = {n: cell for n, cell in value.items() if n not in (*sides, table, key, done, at)}
    return {**rest, **own, "at": value[at] if at else None}


def _first(names: dict[str, str], pattern: re.Pattern[str]) -> str | None:
    return next((given for name, given in names.items() if pattern.search(name)), None)


def _operation(cell: Any) -> str | None:
    return _OPERATIONS.get(cell.strip().lower()) if isinstance(cell, str) else None


def _object(cell: Any) -> Row | None:
    """The columns of a row, which in a table of text are written as JSON."""
    if isinstance(cell, str) and cell.lstrip()[:1] == "{":
        try:
            cell = msgspec.json.decode(cell)
        except msgspec.DecodeError:
            return None
    return cell if isinstance(cell, dict) else None
