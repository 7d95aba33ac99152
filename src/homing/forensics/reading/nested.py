"""Rows that stand in a list of another row, as an event's attempts do in the answer of an API: a file of
their own, whose rows are of the same deliveries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from homing.forensics.reading.columns import look
from homing.forensics.reading.converting import rows_of
from homing.forensics.reading.guessing import TELLING, Unmapped, guess
from homing.forensics.reading.lines import Row, flat, parts_of
from homing.forensics.reading.mapping import Column, Mapping
from homing.forensics.reading.opening import Opened
from homing.forensics.reading.sampling import SAMPLE_ROWS, sample
from homing.forensics.reading.sources import Source

#: of the rows of a file, so many must hold rows of their own
_HOLD_MIN: Final = 0.2
#: so many of those that they hold tell what they are
_INNER_MIN: Final = 5
_KEY: Final = ("delivery", "message", "endpoint")


class _List(NamedTuple):
    """A column that holds rows, and the keys that lead to it."""

    path: str
    parts: tuple[str, ...]


def open_nested(
    source: Source, opened: Opened, target: Path, given: Mapping | None = None
) -> tuple[Source, Opened] | None:
    """The rows in the lists of a file's rows, with their mapping; None if there are none with a time
    that tell what happened.

    Args:
        source: the file as it was found.
        opened: the same as it can be read, with its mapping.
        target: where the rows are written.
        given: the mappings that somebody declared; then there must be one for these rows.
    """
    if opened.source.form != "jsonl":
        return None
    key = {f: c for f, c in opened.mapping.columns.items() if f in _KEY and not c.others and c.path}
    held = _list_of(opened.rows)
    if held is None or not {"delivery", "message"} & key.keys():
        return None
    inner = _inner(opened.rows, held, key)
    named = Source(f"{source.path}:{held.path}", source.form)
    if given is not None:
        mapping = given.of_file(named.path) if given.files else None
    else:
        mapping = _mapping([flat(row) for row in inner[:SAMPLE_ROWS]], key)
    if mapping is None:
        return None
    encode = msgspec.json.Encoder(enc_hook=str).encode
    with target.open("wb") as file:
        for _, row, _ in rows_of(opened.source):
            for one in _within(row or {}, held, key):
                file.write(encode(one) + b"\n")
    plain = Source(str(target), "jsonl")
    rows = sample(plain)
    return named, Opened(plain, rows, look(rows), mapping)


def _list_of(rows: Sequence[Row]) -> _List | None:
    """The column whose lists hold the most rows."""
    found: dict[str, int] = {}
    parts: dict[str, tuple[str, ...]] = {}
    for row in rows:
        for path, value in row.items():
            if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
                found[path] = found.get(path, 0) + 1
                parts[path] = parts_of(path)
    often = {path: n for path, n in found.items() if n >= max(_HOLD_MIN * len(rows), _INNER_MIN)}
    best = max(often, key=lambda path: often[path], default=None)
    return None if best is None else _List(str(best), parts[best])


def _inner(rows: Sequence[Row], held: _List, key: dict[str, Column]) -> list[Row]:
    """The rows within the rows of a sample, whose values are by their paths."""
    return [
        {**{f: row.get(c.path) for f, c in key.items()}, **_own(one)}
        for row in rows
        for one in row.get(held.path) or []
        if isinstance(one, dict)
    ]


def _within(row: Row, held: _List, key: dict[str, Column]) -> Iterator[Row]:
    """The same of a row as it stands in its file."""
    whole = flat(row)
    yield from _inner([whole], held, key)


def _own(row: Row) -> Row:
    """What a row in a list says, without what is called as that which names its delivery here."""
    return {name: value for name, value in row.items() if name not in _KEY}


def _mapping(rows: list[Row], key: dict[str, Column]) -> Mapping | None:
    if len(rows) < _INNER_MIN:
        return None
    try:
        mapping = guess(rows)
    except Unmapped:
        return None
    named = {f: Column(path=f) for f in key}
    is_telling = "at" in mapping.columns and bool(TELLING & mapping.columns.keys())
    rest = {f: c for f, c in mapping.columns.items() if f not in _KEY and c.path not in named}
    if not is_telling or mapping.layout == "deliveries":
        return None
    # a row that begins and ends is of a request
    layout = "attempts" if {"attempt", "started_at"} <= rest.keys() else mapping.layout
    return Mapping(
        layout=layout, columns={**named, **rest}, words=mapping.words, extras=mapping.extras
    )
