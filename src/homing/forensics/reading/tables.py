"""Tables of Spark or of a warehouse as the raw rows of an analysis: they are read where they live."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any, Final

import ibis

from homing.core.errors import ConfigError
from homing.forensics.engine import Engine
from homing.forensics.letters import LETTERS
from homing.forensics.reading.columns import LENGTHS, NOTHING, TIMES, Seen, look
from homing.forensics.reading.converting import Damage
from homing.forensics.reading.expressions import (
    ANSWERED,
    ASIDE,
    CALLED_DEAD,
    GIVEN_UP,
    HANDS_OVER,
    PARTICULARS,
    SCALE,
    STATUS_LINE,
    TEXTS,
    WHOLES,
)
from homing.forensics.reading.files import Progress, Raw, check, has_copies
from homing.forensics.reading.guessing import EXTRAS_MAX
from homing.forensics.reading.lines import Row, flat, parts_of
from homing.forensics.reading.mapping import ANSWER, KINDS, Column, Mapping
from homing.forensics.reading.opening import mapping_of
from homing.forensics.reading.sampling import SAMPLE_ROWS
from homing.forensics.reading.selecting import STAND_BY, STANDING, cuts_of
from homing.forensics.reading.sources import Unreadable
from homing.forensics.rows import row, rows

_NUMBER: Final = r"^\s*[-+]?[0-9]{1,18}([.][0-9]+)?\s*$"


def read_there(
    engine: Engine,
    names: Sequence[str],
    *,
    mapping: Mapping | None = None,
    progress: Progress = lambda step, share: None,
) -> Raw:
    """Every row of the tables, in the table `raw` of the engine; its rows are numbered by time.

    Args:
        names: tables (`attempts`, `schema.attempts`); with Spark also files that it reads itself.

    Raises:
        Unreadable: there is no such table, or it has no rows.
        ConfigError: the columns cannot be guessed, or the mapping names one that is not there.
    """
    raw = Raw({}, {}, Damage(), 0, [], [])
    parts = []
    is_copied = False
    for number, name in enumerate(names):
        progress(f"reading {name}", number / len(names))
        table = _source(engine, name)
        sample = _sample(table)
        if not sample:
            raise Unreadable(f"{name}: expected rows of a delivery log; the table has none")
        seen = look(sample)
        one = mapping or mapping_of(sample, seen)
        check(one, seen, name)
        raw.mappings[name] = one
        raw.seen |= {f"{name}:{path}": seen_ for path, seen_ in seen.items()}
        raw.starts.append((0, name))
        is_copied = is_copied or has_copies(sample)
        parts.append(_part(engine, raw, table, one, seen))
    typed = functools.reduce(ibis.union, parts)
    all_rows = int(row(typed.aggregate(n=typed.count())).n) if is_copied else 0
    if is_copied:
        typed = typed.distinct()
    at = ibis.coalesce(typed.at_us, typed.changed_us, typed.accepted_us)
    order = [at, typed.delivery, typed.message, typed.endpoint, typed.attempt, typed.version_after]
    place = ibis.row_number().over(ibis.window(order_by=[*order, typed.to_raw, typed.op_raw]))
    kept = engine.keep("raw", typed.mutate(rowid=place.cast("int64")))
    raw.rows = int(row(kept.aggregate(n=kept.count())).n)
    raw.twice = all_rows - raw.rows if is_copied else 0
    return raw


def _source(engine: Engine, name: str) -> Any:
    """The table of that name, or the files that Spark reads itself."""
    backend = engine.backend
    suffixes = {one for one in PurePosixPath(name).suffixes if not one[1:].isdigit()}
    is_file = "/" in name or bool(suffixes & {".parquet", ".jsonl", ".json", ".ndjson", ".csv"})
    if backend.name != "pyspark" and is_file:
        raise Unreadable(
            f"{name}: expected the name of a table in {backend.name}; found that of a file"
        )
    try:
        if is_file and suffixes & {".jsonl", ".json", ".ndjson"}:
            return backend.read_json(name)
        if is_file and ".csv" in suffixes:
            return backend.read_csv(name, header=True)
        if is_file:
            return backend.read_parquet(name)
        return engine.source(name)
    except Exception as error:
        # each engine has its own error for what is not there
        why = str(error).strip().splitlines()[0][:160] if str(error).strip() else ""
        text = f"{name}: expected a table that {backend.name} can read; {why or 'there is none'}"
        raise Unreadable(text) from error


def _sample(table: Any) -> list[Row]:
    found = []
    jsons = [name for name, kind in table.schema().items() if kind.is_json()]
    for one in rows(table.limit(SAMPLE_ROWS)):
        plain = dict(one)
        for name in jsons:
            if isinstance(plain[name], str):
                plain[name] = json.loads(plain[name])
        found.append(flat(plain))
    return found


def _part(engine: Engine, raw: Raw, table: Any, mapping: Mapping, seen: dict[str, Seen]) -> Any:
    """The typed columns of one table; those that it lacks are nothing."""
    columns: dict[str, Any] = {}
    for target, field in TEXTS.items():
        value = _of(table, mapping, field, seen)
        columns[target] = ibis.null("string") if value is None else _text(value)
    if mapping.has("op") and mapping.columns["op"].unit == KINDS:
        said = columns["op_raw"]
        general = said.re_replace(engine.pattern(PARTICULARS), "#")
        columns["op_raw"] = said.contains(" ").ifelse(general, said)
    queue = _of(table, mapping, "queue", seen)
    if queue is not None:
        word, queue = columns["op_raw"], _text(queue)
        is_aside = word.lower().re_search(engine.pattern(HANDS_OVER)) & queue.lower().re_search(
            engine.pattern(ASIDE)
        )
        columns["op_raw"] = is_aside.ifelse(word + " to " + queue, word)
    job = _of(table, mapping, "job", seen)
    if job is not None:
        word, job = columns["op_raw"], _text(job)
        is_letter = job.lower().re_search(engine.pattern(LETTERS))
        columns["op_raw"] = is_letter.ifelse(word + " of " + job, word)
    note = _of(table, mapping, "note", seen)
    if note is not None:
        both = columns["reason"] + "; " + _text(note)
        columns["reason"] = ibis.coalesce(both, columns["reason"], _text(note))
    wholes = {field: _number_of(engine, table, mapping, field, seen) for field in _NUMBERS}
    status, inner = wholes["status"], wholes["inner_status"]
    if status is not None and inner is not None:
        wholes["status"] = (status.between(200, 299) & (inner >= 300)).ifelse(inner, status)
    path = _of(table, mapping, "intake", seen)
    if path is not None:  # a request to the service itself: by it a delivery was accepted
        words = (columns["op_raw"], columns["to_raw"])
        is_asked = ibis.and_(_text(path).notnull(), *(word.isnull() for word in words))
        columns["op_raw"] = is_asked.ifelse("accepted", columns["op_raw"])
        if wholes["status"] is not None:
            wholes["status"] = is_asked.ifelse(ibis.null("int64"), wholes["status"])
    if wholes["due"] is None and wholes["delay"] is not None and wholes["at"] is not None:
        wholes["due"] = wholes["at"] + wholes["delay"].nullif(0)
    letter = _of(table, mapping, "dead_letter", seen) if mapping.is_table else None
    if letter is not None:
        state = columns["to_raw"]
        is_given_up, is_called = (
            state.lower().re_search(engine.pattern(p)) for p in (GIVEN_UP, CALLED_DEAD)
        )
        columns["to_raw"] = ibis.cases(
            (_text(letter).notnull() & is_given_up, "dead letter"),
            (is_called, "exhausted"),
            else_=state,
        )
    if mapping.is_table:
        ends = [wholes[name] for name in ("finished_at", "dead_at", "cancelled_at")]
        told = [end for end in ends if end is not None]
        if not STANDING & mapping.columns.keys():
            columns["to_raw"] = _stand(columns["worker"] if mapping.has("worker") else None, wholes)
        wholes["finished_at"] = ibis.coalesce(*told) if told else None
    for target, field in WHOLES.items():
        columns[target] = ibis.null("int64") if wholes[field] is None else wholes[field]
    for path in mapping.extras:
        if path in seen and path not in raw.extras and len(raw.extras) < EXTRAS_MAX:
            raw.extras.append(path)
    for number in range(EXTRAS_MAX):
        path = raw.extras[number] if number < len(raw.extras) else ""
        value = _at(table, seen[path].path) if path in mapping.extras and path in seen else None
        columns[f"x{number}"] = (
            ibis.null("string") if value is None else _feature(value, seen[path])
        )
    columns["layout"] = ibis.literal(mapping.layout)
    return table.select(**columns)


#: the numbers of a row, and those that others are made of
_NUMBERS: Final = (*WHOLES.values(), "delay", "dead_at", "cancelled_at", "inner_status")


def _of(table: Any, mapping: Mapping, field: str, seen: dict[str, Seen]) -> Any:
    """The column of a field, or the first that is filled of several; None: there is none."""
    column = mapping.columns.get(field)
    if column is None:
        return None
    if column.value is not None:
        return ibis.literal(column.value)
    paths = (column.path, *column.others)
    found = [
        value
        for path in paths
        if path in seen
        if (value := _at(table, seen[path].path)) is not None
    ]
    if field in TEXTS.values() and len({value.type() for value in found}) > 1:
        found = [value.cast("string") for value in found]  # an id beside a text
    return ibis.coalesce(*found) if len(found) > 1 else next(iter(found), None)


def _number_of(
    engine: Engine, table: Any, mapping: Mapping, field: str, seen: dict[str, Seen]
) -> Any:
    value = _of(table, mapping, field, seen)
    if value is None:
        return None
    column = mapping.columns[field]
    if column.zone is not None and not getattr(value.type(), "timezone", None):
        raise ConfigError(
            [
                f"{field} is a time of {column.zone}: in a table expected a column with a time zone; "
                "make a view that has one"
            ]
        )
    return _whole(engine, field, value, column, seen.get(column.path))


def _stand(worker: Any, wholes: dict[str, Any]) -> Any:
    """How a delivery stands of a table that has no word for it: by which of its times are there."""
    told = {**wholes, "worker": worker}
    cases = [(told[name].notnull(), word) for name, word in STAND_BY if told[name] is not None]
    return ibis.cases(*cases, else_="waiting") if cases else ibis.null("string")


def _at(table: Any, path: str) -> Any:
    """The column of a path, also inside of structs and JSON; None: there is none."""
    if path in table.columns:
        return table[path]
    top, *inner = parts_of(path)
    if top not in table.columns:
        return None
    value = table[top]
    for name in inner:
        kind = value.type()
        if not kind.is_json() and not (kind.is_struct() and name in kind.names):
            return None
        value = value[name]
    return value.str if value.type().is_json() else value


def _text(value: Any) -> Any:
    text = value.cast("string")
    return text.isin(NOTHING).ifelse(ibis.null("string"), text)


def _number(value: Any) -> Any:
    """A number, whatever type has it; texts that are none are nothing."""
    kind = value.type()
    if kind.is_string():
        return value.re_search(_NUMBER).ifelse(value, ibis.null("string")).cast("float64")
    return value.cast("int64" if kind.is_boolean() else "float64")


def _whole(engine: Engine, field: str, value: Any, column: Column, seen: Seen | None) -> Any:
    kind = value.type()
    if field in TIMES:
        unit = column.unit or (seen.time if seen else None) or "iso"
        if kind.is_temporal() or unit not in SCALE:
            return _micros(engine, value)
        if kind.is_integer() and unit == "us":
            return value.cast("int64")
        return (_number(value) * SCALE[unit]).round().cast("int64")
    if field in LENGTHS:
        return (_number(value) * SCALE.get(column.unit or "ms", 1_000.0)).round().cast("int64")
    if field == "status" and column.unit == ANSWER:
        text = value.cast("string")
        found = (text.re_extract(engine.pattern(p), 1) for p in (STATUS_LINE, ANSWERED))
        return ibis.coalesce(*(one.try_cast("int64") for one in found))
    if field == "epoch" and not kind.is_numeric():
        return value.notnull().ifelse(engine.code(value), ibis.null("int64"))
    if kind.is_integer():
        return value.cast("int64")
    if kind.is_string():
        flag = ibis.cases((value == "true", 1), (value == "false", 0))
        return ibis.coalesce(_number(value).round().cast("int64"), flag.cast("int64"))
    return _number(value).round().cast("int64")


def _micros(engine: Engine, value: Any) -> Any:
    """A time in microseconds since 1970; one without a zone is taken for UTC."""
    if not value.type().is_timestamp():
        value = value.try_cast("timestamp('UTC')" if value.type().is_string() else "timestamp")
    if engine.backend.name == "pyspark":
        return engine.builtin("unix_micros", value.cast("timestamp('UTC')"), gives="int64")
    seconds = value.truncate("s").epoch_seconds().cast("int64")
    return seconds * 1_000_000 + value.microsecond().cast("int64")


def _feature(value: Any, seen: Seen) -> Any:
    """A column kept to be compared: numbers of many values in ten classes of equal size."""
    cuts = cuts_of(seen)
    if not cuts:
        return _text(value)
    number = _number(value)
    cases = [(number < cut, f"below {cut:g}") for cut in cuts]
    return ibis.cases((number.isnull(), ibis.null("string")), *cases, else_=f"{cuts[-1]:g} or more")
