"""One line of a log, of whatever form, as a row with every value by its path. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from homing.forensics.reading.audits import change_in
from homing.forensics.reading.sentences import Stamp, is_level, pairs, sentence, stamped

#: the separator of a path inside a nested object
SEPARATOR: Final = "."
_DEPTH_MAX: Final = 3
#: of the values of a column so many must hold more than they seem to, for it to be unfolded
_FOLDED_MIN: Final = 0.3
_FOLDED_LOOKED_AT: Final = 400

Row = dict[str, Any]


class Path(str):
    """The name of a value, `outer.inner`, that remembers its parts: a part may have dots itself."""

    __slots__ = ("parts",)
    parts: tuple[str, ...]

    def __new__(cls, parts: Sequence[str]) -> Path:
        made = super().__new__(cls, SEPARATOR.join(parts))
        made.parts = tuple(parts)
        return made


def parts_of(path: str) -> tuple[str, ...]:
    """The keys that lead to a value, outermost first."""
    return path.parts if isinstance(path, Path) else (path,)


def flat(value: Row, outer: tuple[str, ...] = ()) -> Row:
    """Nested objects as `outer.inner` paths; lists stay as they are."""
    found: Row = {}
    for key, inner in value.items():
        if isinstance(inner, dict) and inner and len(outer) < _DEPTH_MAX:
            found.update(flat(inner, (*outer, key)))
        else:
            found[Path((*outer, key))] = inner
    return found


def unflat(row: Row) -> Row:
    """A row whose values are by their paths as it stands in its file; what is below another path keeps
    its own parts."""
    found: Row = {}
    for path, value in row.items():
        *outer, last = parts_of(path)
        inside = found
        for part in outer:
            inside = inside.setdefault(part, {})
        inside[last] = value
    return found


_NO_NUMBER: Final = re.compile(r"\b(NaN|-?Infinity)\b")


def json_object(line: str) -> Row | None:
    """The object of a line; NaN and Infinity, which Python writes and JSON has not, are nothing."""
    try:
        value = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        if not _NO_NUMBER.search(line):
            return None
        try:
            value = json.loads(line, parse_constant=lambda _: None)
        except (ValueError, RecursionError):
            return None
    return value if isinstance(value, dict) else None


def logfmt(line: str) -> Row | None:
    """The pairs of a `key=value key="a b"` line; a leading time goes by the name `time`."""
    found = pairs(line)
    if len(found) < 2:
        return None
    if stamp := stamped(line):
        if (spans := _in_spans(stamp)) is not None:
            return spans
        head = stamp.rest.partition(f"{next(iter(found))}=")[0].strip()
        said = "level" if is_level(head) and "level" not in found else "text"
        return {"time": stamp.iso, said: head or None, **stamp.head, **found}
    head = line[: line.index(f"{next(iter(found))}=")].strip()
    return {**found, "text": head} if head and "text" not in found else found


#: `worker{id=2}:deliver{delivery=d-1 attempt=1}: app::queue: leased until=...`, as Rust's tracing
#: writes what is under way around a line
_SPANS: Final = re.compile(
    r"^(?P<level>[A-Z]+)?\s*(?P<spans>(?:[\w-]+\{[^{}]*\}:)+)\s+(?:(?P<target>\w+(?:::\w+)*):\s+)?(?P<rest>.*)$"
)
_SPAN: Final = re.compile(r"([\w-]+)\{([^{}]*)\}")


def _in_spans(stamp: Stamp) -> Row | None:
    """A line in spans: what each of these names, as `span.name`, and the line's own; None: it has none."""
    found = _SPANS.match(stamp.rest)
    if found is None:
        return None
    row: Row = {"time": stamp.iso, "level": found["level"], "target": found["target"]}
    for name, inside in _SPAN.findall(found["spans"]):
        row |= {f"{name}.{key}": value for key, value in pairs(inside).items()}
    own = pairs(found["rest"])
    text = found["rest"].partition(f"{next(iter(own))}=")[0] if own else found["rest"]
    return {**row, **own, "text": text.strip() or None}


def text_row(line: str) -> Row | None:
    """A line of text that begins with a time: what it names, and its sentence without that."""
    stamp = stamped(line)
    if stamp is None:
        return None
    if (spans := _in_spans(stamp)) is not None:
        return spans
    text, about = _with_object(_CHANNEL.sub("", stamp.rest))
    own = {"time": stamp.iso, **stamp.head, **sentence(text)}
    if is_level(own.get("text") or "") and "level" not in own:
        own["level"] = own.pop("text")
    return {**about, **own} if about else own


#: behind a sentence an object with what it is about, and with some loggers another after it with who
#: wrote it; either may be empty
_OBJECT_BEHIND: Final = re.compile(
    r"^([^{]*[\w.)\]:!?\"']) (\[\]|\{\}|\{\".*?\})(?:\s+(\[\]|\{\}|\{\".*\}))?\s*$"
)
#: who writes the line and how bad it is: `production.WARNING:`
_CHANNEL: Final = re.compile(r"^[\w-]+\.(?:[A-Z]+): ")


def _with_object(text: str) -> tuple[str, Row]:
    """A sentence without the object that stands behind it, and that object's values, level by level."""
    found = _OBJECT_BEHIND.match(text)
    told = [part for part in (found.groups()[:0:-1] if found else ()) if part not in _EMPTY]
    objects = [json_object(part) for part in told]
    if found is None or not objects or None in objects:
        return text, {}
    about = {
        str(path): value for one in objects if one is not None for path, value in flat(one).items()
    }
    return found[1], about


_EMPTY: Final = (None, "[]", "{}")


#: the container whose line it is, as Docker Compose prints those of several: `worker-1  | {...}`
_CONTAINER: Final = re.compile(r"^(?:\x1b\[\d+m)?([A-Za-z][\w.-]*)\s+\| ?(?:\x1b\[0m)?")
#: of the lines so many begin so, and so few have another such bar, which divides cells
_COMPOSED_MIN: Final = 0.9
_CELLS_MAX: Final = 0.5


def is_composed(lines: Sequence[str]) -> bool:
    """Whether lines are those of several containers, each behind its name."""
    names = [found[1] for line in lines if (found := _CONTAINER.match(line))]
    cells = sum(line.count(" | ") > 1 for line in lines)
    is_most = len(names) >= _COMPOSED_MIN * len(lines) > 0 and cells <= _CELLS_MAX * len(lines)
    return is_most and 2 * len(set(names)) <= len(names)


def composed_row(line: str) -> Row | None:
    """The line of a container: an object, text or pairs; what goes on over it, as a stack trace, says
    nothing by itself."""
    found = _CONTAINER.match(line)
    if found is None:
        return None
    rest = line[found.end() :]
    row = json_object(rest) if rest.startswith("{") else text_row(rest) or logfmt(rest)
    return {"container": found[1]} | (row or {})


def change_row(line: str) -> Row | None:
    """The change of a database row that a line tells of, as a row."""
    value = json_object(line)
    return None if value is None else change_in(value) or value


PARSERS: Final = {
    "jsonl": json_object,
    "logfmt": logfmt,
    "text": text_row,
    "changes": change_row,
    "composed": composed_row,
    "batches": json_object,
}


def folded(rows: Sequence[Row]) -> frozenset[str]:
    """The columns whose texts hold values of their own: JSON, pairs, or names in a sentence."""
    found = set()
    for path in _paths(rows):
        values = [v for row in rows if (v := row.get(path)) not in (None, "")]
        some = values[:: max(1, len(values) // _FOLDED_LOOKED_AT)]
        if some and sum(unfolded(v) is not None for v in some) >= _FOLDED_MIN * len(some):
            found.add(str(path))
    return frozenset(found)


def twofold(rows: Sequence[Row]) -> frozenset[str]:
    """The columns that hold an object in some rows and in others the same as a text, as a collector writes
    them that takes up one service's object and another's line."""
    paths = _paths(rows)
    held = {SEPARATOR.join(parts_of(path)[:-1]) for path in paths}
    return frozenset(
        str(path)
        for path in paths
        if path in held and any(_is_object(row.get(path)) for row in rows)
    )


def divided(rows: Sequence[Row]) -> frozenset[str]:
    """The columns that have a dotted name in some rows and stand in an object in others, as two services
    write them whose lines are collected: `{"labels.id": 7}` and `{"labels": {"id": 7}}`."""
    forms: dict[str, set[tuple[str, ...]]] = {}  # the two are equal as texts
    for row in rows:
        for path in row:
            if SEPARATOR in path:
                forms.setdefault(str(path), set()).add(parts_of(path))
    return frozenset(path for path, parts in forms.items() if len(parts) > 1)


def undivided(row: Row, paths: frozenset[str]) -> Row:
    """The row with each of these columns by its dotted name."""
    values = flat(row)
    rest = {path: value for path, value in values.items() if path not in paths}
    return unflat(rest) | {str(path): value for path, value in values.items() if path in paths}


def _paths(rows: Sequence[Row]) -> dict[str, None]:
    """Each once: a sample may have hundreds of columns in thousands of rows."""
    return dict.fromkeys(path for row in rows for path in row)


def _is_object(value: Any) -> bool:
    return isinstance(value, str) and value[:1] == "{" and json_object(value) is not None


def objects_in(rows: Sequence[Row]) -> frozenset[str]:
    """The columns whose every text is an object, as that of a database's column of JSON."""
    found = set()
    for path in _paths(rows):
        values = [value for row in rows if (value := row.get(path)) not in (None, "")]
        # most columns are none by their first value
        are_texts = bool(values) and all(isinstance(v, str) and v[:1] == "{" for v in values)
        if are_texts and all(map(_is_object, values[:_FOLDED_LOOKED_AT])):
            found.add(str(path))
    return frozenset(found)


def unfold(row: Row, paths: frozenset[str], outer: tuple[str, ...] = ()) -> Row:
    """The row with the values that those of its columns hold, each below its column."""
    found: Row = {}
    for key, value in row.items():
        if SEPARATOR.join((*outer, key)) in paths and not isinstance(value, dict):
            inner = unfolded(value)
            if inner is None and value is not None:
                inner = {"text": value}
            elif inner is not None and isinstance(value, str) and value.lstrip()[:1] != "{":
                inner = _without_said(inner, row)
            found[key] = inner
        elif isinstance(value, dict):
            found[key] = unfold(value, paths, (*outer, key))
        else:
            found[key] = value
    return found


def _without_said(inner: Row, row: Row) -> Row:
    """The values in a sentence without those that the row has in a column of their own."""
    said = {str(value) for value in row.values() if isinstance(value, str | int)}
    return {key: value for key, value in inner.items() if key == "text" or str(value) not in said}


def unfolded(value: Any) -> Row | None:
    """The values that a list of attributes, of one object or of arguments, or a text holds; None if it
    holds none."""
    if isinstance(value, list):
        is_one = len(value) == 1 and isinstance(value[0], dict)
        told = attributes(value) or state_change(value) or tags(value) or spans(value)
        return told or (value[0] if is_one else arguments(value))
    if not isinstance(value, str):
        return None
    if value.lstrip()[:1] == "{":
        return json_object(value)
    if (listed := listed_in(value)) is not None:
        return arguments(listed)
    if " " not in value.strip() or len(value) > 4_000:
        return None
    if (stamp := stamped(value)) and not stamp.rest:
        return None  # a time and no more
    found = sentence(value)
    return found if len(found) > 1 else None


def spans(value: Any) -> Row | None:
    """What the spans around a line name, the innermost last, as Rust's tracing lists them; None: no list
    of spans, each with a name."""
    if not isinstance(value, list) or not value:
        return None
    if not all(isinstance(one, dict) and isinstance(one.get("name"), str) for one in value):
        return None
    return {key: said for one in value for key, said in one.items() if not isinstance(said, list)}


def spanned(rows: Sequence[Row]) -> frozenset[str]:
    """The columns of a sample that list the spans around a line."""
    found = [path for path in _paths(rows) if _LISTS_SPANS.search(path)]
    return frozenset(str(path) for path in found if any(spans(row.get(path)) for row in rows))


_LISTS_SPANS: Final = re.compile(r"(^|\.)spans$")
_TAG: Final = re.compile(r"((?:\w+\\)*\w+):([\w-]+)")


def tags(value: Any) -> Row | None:
    """What a list of tags names: `delivery:42`, or `App\\Models\\Delivery:42` as Laravel's queues have it."""
    if not isinstance(value, list):
        return None
    found = [_TAG.fullmatch(one) for one in value if isinstance(one, str)]
    named = {one[1].rpartition("\\")[2].lower(): one[2] for one in found if one}
    return named if named and len(named) == len(value) else None


def listed_in(value: Any) -> list[Any] | None:
    """The list that a text holds as JSON, such as a table's column of arguments; None if it holds none."""
    if not isinstance(value, str) or value[:1] != "[" or len(value) > _LISTED_MAX:
        return None
    try:
        found = msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    return found if isinstance(found, list) else None


_LISTED_MAX: Final = 1_000


def attributes(listed: list[Any]) -> Row | None:
    """The attributes of OpenTelemetry: `[{"key": …, "value": {"stringValue": …}}]`."""
    if not listed or not all(isinstance(one, dict) and "key" in one for one in listed):
        return None
    return {str(one["key"]): _plain(one.get("value")) for one in listed}


_STATE: Final = re.compile(r"[A-Za-z][A-Za-z_ -]{1,40}")


def state_change(listed: list[Any]) -> Row | None:
    """The change of a state as Rails' models tell it, `["delivering", "delivered"]`: from what to what."""
    if len(listed) != 2 or not all(isinstance(one, str | None) for one in listed):
        return None
    before, after = listed
    if not after or before == after or not _STATE.fullmatch(after):
        return None
    if before is not None and not _STATE.fullmatch(before):
        return None
    return {"from_state": before, "to_state": after}


_ARGUMENTS_MAX: Final = 4


def arguments(listed: list[Any]) -> Row | None:
    """The arguments of a call by their places, as a job has them: `[371278, "invoice.paid"]`."""
    if not 1 <= len(listed) <= _ARGUMENTS_MAX:
        return None
    if not all(isinstance(one, str | int) for one in listed):
        return None
    return {str(place): one for place, one in enumerate(listed)}


def _plain(value: Any) -> Any:
    if isinstance(value, dict) and len(value) == 1:
        return next(iter(value.values()))
    return value


def rows_within(value: Any) -> Iterator[Row]:
    """The rows that a JSON document, or a line that is a listing, holds; OpenTelemetry's as well."""
    if isinstance(value, dict) and (found := list(_telemetry(value))):
        yield from found
    else:
        yield from _longest_list(value)


def is_batch(row: Row) -> bool:
    """Whether a row holds a batch of rows, as each line does that a collector of OpenTelemetry writes."""
    return any(isinstance(row.get(outer), list) for outer, _, _ in _GROUPS)


_GROUPS: Final = (
    ("resourceSpans", "scopeSpans", "spans"),
    ("resourceLogs", "scopeLogs", "logRecords"),
)


def _telemetry(value: Row) -> Iterator[Row]:
    for outer, middle, inner in _GROUPS:
        for resource in _dicts(value.get(outer)):
            about = attributes((resource.get("resource") or {}).get("attributes") or [])
            for scope in _dicts(resource.get(middle)):
                for one in _dicts(scope.get(inner)):
                    row = {**one, "attributes": attributes(one.get("attributes") or [])}
                    if isinstance(body := row.get("body"), dict):
                        row["body"] = _plain(body)
                    yield row | ({"resource": about} if about else {})


def _dicts(value: Any) -> Iterator[Row]:
    if isinstance(value, list):
        yield from (one for one in value if isinstance(one, dict))


def _longest_list(value: Any) -> list[Row]:
    if isinstance(value, list):
        if value and all(isinstance(one, dict) for one in value):
            return value
        inner = [_longest_list(one) for one in value if isinstance(one, list | dict)]
        return [row for rows in inner for row in rows]
    if isinstance(value, dict):
        return max((_longest_list(one) for one in value.values()), key=len, default=[])
    return []
