"""Reads files into one raw table of DuckDB: typed, in the order of their lines, nothing skipped."""

from __future__ import annotations

import csv
import importlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import IO, Any, Final

import msgspec

from homing.core.errors import ConfigError
from homing.forensics.columns import Row, Seen, look
from homing.forensics.expressions import TEXTS, WHOLES, literal, quoted, text_value, value_of
from homing.forensics.mapping import EXTRAS_MAX, Mapping, guess, shipped
from homing.forensics.sources import (
    SEPARATOR,
    Source,
    Unreadable,
    cut_off,
    document_rows,
    find_files,
    json_object,
    logfmt,
    look_at,
    missing_extra,
    open_text,
    sample,
)

#: a step of the work, and how far it is: 0 to 1
Progress = Callable[[str, float], None]
#: damaged rows that are named one by one
DAMAGED_NAMED_MAX: Final = 20
_EXTRA_VALUES_MAX: Final = 500


@dataclass(slots=True)
class Damage:
    """Rows that could not be used, and the first of them by name."""

    count: int = 0
    named: list[str] = field(default_factory=list)

    def add(self, path: str, line: int, why: str) -> None:
        """Count a row; name it if not too many are named already."""
        self.count += 1
        if len(self.named) < DAMAGED_NAMED_MAX:
            self.named.append(f"{path}, line {line}: {why}")


class Order(Enum):
    """What the place of a row in its log says of when it was written."""

    BY_TIME = "by time"  #: every row has a time, and none is earlier than the one before
    OLDEST_FIRST = "oldest first"  #: nearly so: of equal times the first is the earlier
    NEWEST_FIRST = "newest first"  #: as lists of an API are
    MIXED = "mixed"  #: nothing: rows in no order, or files side by side, as of several workers


@dataclass(slots=True)
class Raw:
    """What was read: the table `raw`, and how its columns were made."""

    mappings: dict[str, Mapping]  #: by file
    seen: dict[str, Seen]
    damage: Damage
    rows: int
    #: the number of the first row of each file in `raw`
    starts: list[tuple[int, str]]
    extras: list[str]  #: what x0, x1, … are
    twice: int = 0  #: rows that are there again, word for word, and count once
    order: Order = Order.MIXED

    def has(self, name: str) -> bool:
        """Whether any file of the log has the field."""
        return any(mapping.has(name) for mapping in self.mappings.values())


@contextmanager
def connect(folder: str, memory: str, threads: int) -> Iterator[Any]:
    """A DuckDB on a file in `folder`, which spills there rather than use more memory.

    Raises:
        ConfigError: `memory` is no size.
        Unreadable: the work inside fits neither into the memory nor on the disk.
    """
    try:
        duckdb = importlib.import_module("duckdb")
    except ImportError as error:
        raise missing_extra(error) from error
    connection = duckdb.connect(str(Path(folder) / "log.duckdb"))
    try:
        try:
            connection.execute(f"SET memory_limit = {literal(memory)}")
        except duckdb.Error as error:
            text = f"--memory: expected a size such as 1400MB, found {memory!r}"
            raise ConfigError([text]) from error
        connection.execute(f"SET temp_directory = {literal(str(Path(folder) / 'spill'))}")
        connection.execute(f"SET threads = {threads}")
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET enable_progress_bar = false")
        yield connection
    except duckdb.OutOfMemoryException as error:
        text = f"{memory} of memory are too little for this log with {threads} threads; "
        raise Unreadable(text + "give more by --memory, or use --threads 1") from error
    except duckdb.IOException as error:
        if "space" not in str(error).lower():
            raise
        text = f"the work on this log does not fit on the disk of {folder}; "
        raise Unreadable(text + "name a folder with more room by --work-folder") from error
    finally:
        connection.close()


def read(
    connection: Any,
    patterns: Sequence[str],
    *,
    folder: str,
    mapping: Mapping | None = None,
    progress: Progress = lambda step, share: None,
) -> Raw:
    """Every row of every file, in the view `raw`.

    Raises:
        Unreadable: a file cannot be read at all, or more than half of its rows are damaged.
        ConfigError: the columns cannot be guessed, or the mapping names a column that is not there.
    """
    sources = [look_at(path) for path in find_files(patterns)]
    raw = Raw({}, {}, Damage(), 0, [], [])
    threads = connection.execute("SELECT current_setting('threads')").fetchall()[0][0]
    # with several threads, DuckDB 2.0 now and then stores the parts of a file in another order
    connection.execute("SET threads = 1")
    for number, source in enumerate(sources):
        progress(f"reading {Path(source.path).name}", number / len(sources))
        _read_one(connection, raw, source, folder, number, mapping)
    _join_parts(connection, len(sources))
    if raw.rows == 0:
        raise Unreadable(f"{sources[0].path}, line 1: expected rows; every one is damaged")
    raw.order = _order(connection, [row for row, _ in raw.starts[1:]])
    connection.execute(f"SET threads = {threads}")
    return raw


#: of the rows, those that are earlier than the one before: more, and their places say nothing
_DESCENTS_MAX: Final = 0.05
_AT: Final = "COALESCE(finished_us, changed_us, at_us, accepted_us)"


def _order(connection: Any, begins: Sequence[int]) -> Order:
    """What the places of the rows say of their times; `begins`: the first row of each further file."""
    wrong, earlier, later, rows = connection.execute(
        "SELECT count(*) FILTER (WHERE at_us IS NULL OR at_us < before OR layout <> 'events'), "
        "count(*) FILTER (WHERE at_us < before), count(*) FILTER (WHERE at_us > before), count(*) "
        "FROM (SELECT at_us, layout, lag(at_us) OVER () AS before FROM raw)"
    ).fetchall()[0]
    if not wrong:
        return Order.BY_TIME
    first, last = connection.execute(
        f"SELECT avg({_AT}) FILTER (WHERE rowid < 0.1 * {rows}), avg({_AT}) FILTER (WHERE rowid > 0.9 * {rows}) FROM raw"
    ).fetchall()[0]
    is_newest_first = first is not None and last is not None and first > last
    if (later if is_newest_first else earlier) > _DESCENTS_MAX * rows:
        return Order.MIXED
    if begins:
        beside = connection.execute(
            "SELECT count(*) FROM (SELECT rowid AS line, at_us, lag(at_us) OVER () AS before FROM raw) "
            f"WHERE line IN ({', '.join(map(str, begins))}) AND at_us {'>' if is_newest_first else '<'} before"
        ).fetchall()[0][0]
        if beside:
            return Order.MIXED
    return Order.NEWEST_FIRST if is_newest_first else Order.OLDEST_FIRST


def _join_parts(connection: Any, count: int) -> None:
    """The view `raw` of the parts, a file each, in the order of the files and their lines.

    The parts have the columns that their file has; those that it lacks are in the view alone, for
    to write a column of nothing costs as much as to write one of numbers.
    """
    if count > 1:
        parts = " UNION ALL BY NAME ".join(f"SELECT * FROM part{number}" for number in range(count))
        connection.execute(f"CREATE TABLE parts AS {parts}")
        for number in range(count):
            connection.execute(f"DROP TABLE part{number}")
    else:
        connection.execute("ALTER TABLE part0 RENAME TO parts")
    described = connection.execute("SELECT * FROM parts LIMIT 0").description
    there = {name for name, *_ in described}
    columns = ", ".join(
        name if name in there else f"CAST(NULL AS {kind}) AS {name}"
        for name, kind in _KINDS.items()
    )
    connection.execute(f"CREATE VIEW raw AS SELECT rowid AS rowid, {columns} FROM parts")


#: every column of the raw rows and its type, in their order
_KINDS: Final = (
    dict.fromkeys(TEXTS, "VARCHAR")
    | dict.fromkeys(WHOLES, "BIGINT")
    | {f"x{i}": "VARCHAR" for i in range(EXTRAS_MAX)}
    | {"layout": "VARCHAR"}
)


def _read_one(
    connection: Any, raw: Raw, source: Source, folder: str, number: int, given: Mapping | None
) -> None:
    plain = source
    if source.form in ("json", "logfmt"):
        plain = _as_lines(source, Path(folder) / f"part{number}.jsonl", raw.damage)
    rows = sample(plain)
    seen = look(rows)
    mapping = given or mapping_of(rows, seen)
    check(mapping, seen, source.path)
    raw.seen |= {f"{source.path}:{path}": one for path, one in seen.items()}
    raw.mappings[source.path] = mapping
    before = raw.rows
    raw.starts.append((before, source.path))
    damaged_before = raw.damage.count
    try:
        _insert(connection, raw, plain, mapping, seen, number)
    except Unreadable:
        raise
    except Exception as error:  # the quick reader gives up on what a patient one can read
        if plain.form == "parquet":
            raise Unreadable(f"{source.path}: {str(error).splitlines()[0]}") from error
        plain = _as_lines(source, Path(folder) / f"part{number}.jsonl", raw.damage)
        _insert(connection, raw, plain, mapping, seen, number)
    if has_copies(rows):
        raw.twice += _leave_out_copies(connection, number)
    raw.rows += connection.execute(f"SELECT count(*) FROM part{number}").fetchall()[0][0]
    if source.form == "jsonl" and plain is source:
        _name_damage(connection, raw, source, number)
    damaged = raw.damage.count - damaged_before
    good = raw.rows - before
    if damaged > max(good, 1):
        raise Unreadable(
            f"{source.path}: {damaged} of its rows are damaged and {good} are not; "
            f"the first: {raw.damage.named[0] if raw.damage.named else '?'}"
        )


def has_copies(rows: Sequence[Row]) -> bool:
    """Whether some rows of the sample are there again, as when a log was shipped at least once."""
    texts = [str(row) for row in rows]
    return len(set(texts)) < len(texts)


def _leave_out_copies(connection: Any, number: int) -> int:
    """Take the delivery from every row that was there before, word for word; how many there were.

    The rows stay, so that the numbers of lines stay true.
    """
    described = connection.execute(f"SELECT * FROM part{number} LIMIT 0").description
    columns = [name for name, *_ in described]
    keys = [name for name in ("delivery", "message") if name in columns]
    if not keys or "at_us" not in columns:
        return 0
    there = " OR ".join(f"{key} IS NOT NULL" for key in keys)
    connection.execute(
        f"CREATE TEMP TABLE copies AS SELECT line FROM (SELECT rowid AS line, row_number() OVER "
        f"(PARTITION BY hash({', '.join(columns)}) ORDER BY rowid) AS no FROM part{number} "
        f"WHERE at_us IS NOT NULL AND ({there})) WHERE no > 1"
    )
    count = connection.execute("SELECT count(*) FROM copies").fetchall()[0][0]
    nothing = ", ".join(f"{key} = NULL" for key in keys)
    connection.execute(
        f"UPDATE part{number} SET {nothing} WHERE rowid IN (SELECT line FROM copies)"
    )
    connection.execute("DROP TABLE copies")
    return int(count)


def mapping_of(rows: Sequence[Row], seen: dict[str, Seen]) -> Mapping:
    """The mapping of a sample: one that comes with Homing, or the most likely one.

    Raises:
        ConfigError: no column can name a delivery, or none can be a time.
    """
    return _known(seen) or guess(rows)


def _known(seen: dict[str, Seen]) -> Mapping | None:
    """A mapping that comes with Homing, where the columns leave no doubt."""
    if {"msgId", "endpointId", "responseStatusCode", "timestamp"} <= seen.keys():
        return _fitting("svix-attempts", seen)
    if {"id", "created", "type", "pending_webhooks"} <= seen.keys():
        return _fitting("stripe-events", seen)
    return None


def _fitting(name: str, seen: dict[str, Seen]) -> Mapping:
    mapping = shipped(name)
    columns = {f: c for f, c in mapping.columns.items() if c.path in seen}
    return Mapping(
        layout=mapping.layout,
        columns=columns,
        words=mapping.words,
        extras=tuple(x for x in mapping.extras if x in seen),
        name=name,
    )


def check(mapping: Mapping, seen: dict[str, Seen], path: str) -> None:
    """See to it that the columns which a mapping needs are there.

    Raises:
        ConfigError: one is not; says which are.
    """
    needed = {**{f: c.path for f, c in mapping.columns.items()}}
    lacking = [
        f"{path}: the mapping takes {field} from the column {column!r}, which is not there"
        for field, column in needed.items()
        if column not in seen and (field in mapping.key or field == "at")
    ]
    if lacking:
        raise ConfigError([*lacking, f"{path} has: {', '.join(list(seen)[:30])}"])


def _as_lines(source: Source, target: Path, damage: Damage) -> Source:
    """The same rows as clean JSON lines; what cannot be read is counted with its line."""
    encode = msgspec.json.Encoder(enc_hook=str).encode
    with target.open("wb") as file:
        if source.form == "json":
            for row in document_rows(source.path):
                file.write(encode(row) + b"\n")
            return Source(str(target), "jsonl")
        with open_text(source.path) as text:
            read_rows = _csv_lines if source.form == "csv" else _plain_lines
            last = 0
            for last, found, problem in read_rows(source, text):
                if found is not None:
                    file.write(encode(found) + b"\n")
                else:
                    damage.add(source.path, last, problem)
            if why := cut_off(text):
                damage.add(source.path, last + 1, f"what follows cannot be unpacked ({why})")
    return Source(str(target), "jsonl")


#: a line's number, and its row or what is wrong with it
_Read = Iterator[tuple[int, Row | None, str]]


def _csv_lines(source: Source, text: IO[str]) -> _Read:
    reader = csv.reader((line.replace("\0", "") for line in text), delimiter=source.delimiter)
    header = next(reader)
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield reader.line_num, None, str(error)
            continue
        if len(cells) == len(header):
            yield reader.line_num, dict(zip(header, cells, strict=True)), ""
        elif cells:
            yield reader.line_num, None, f"{len(cells)} of {len(header)} columns"


def _plain_lines(source: Source, text: IO[str]) -> _Read:
    for line, content in enumerate(text, 1):
        found = _line(source.form, content)
        if found is not None or content.strip():
            yield line, found, f"not {source.form}: {content.strip()[:60]!r}"


def _line(form: str, content: str) -> Row | None:
    return logfmt(content) if form == "logfmt" else json_object(content)


def _insert(
    connection: Any,
    raw: Raw,
    source: Source,
    mapping: Mapping,
    seen: dict[str, Seen],
    number: int,
) -> None:
    access = _access(source, mapping, seen)
    names: list[str] = []
    values: list[str] = []
    for target, name in {**TEXTS, **WHOLES}.items():
        column = mapping.columns.get(name)
        if column is not None and column.path in access:
            names.append(target)
            one = seen.get(column.path)
            value = value_of(name, access[column.path], column, one, is_native=_native(source, one))
            values.append(_with_note(value, mapping, access) if name == "reason" else value)
    for path in mapping.extras:
        if path in access:
            if path not in raw.extras and len(raw.extras) < EXTRAS_MAX:
                raw.extras.append(path)
            if path in raw.extras:
                names.append(f"x{raw.extras.index(path)}")
                values.append(_feature(access[path], seen[path]))
    names.append("layout")
    values.append(literal(mapping.layout))
    reader = _reader(source, mapping, seen)
    columns = ", ".join(
        f"CAST({value} AS {_KINDS[name]}) AS {name}"
        for name, value in zip(names, values, strict=True)
    )
    connection.execute(f"CREATE OR REPLACE TABLE part{number} AS SELECT {columns} FROM {reader}")
    if source.form == "csv":
        _count_rejects(connection, raw, source)


def _with_note(reason: str, mapping: Mapping, access: dict[str, str]) -> str:
    """The reason, and behind it what another column says in free words."""
    column = mapping.columns.get("note")
    if column is None or column.path not in access:
        return reason
    note = text_value(f"CAST({access[column.path]} AS VARCHAR)")
    return f"NULLIF(concat_ws('; ', {reason}, {note}), '')"


def _feature(source: str, seen: Seen) -> str:
    """A column kept to be compared: numbers of many values in ten classes of equal size."""
    cuts = cuts_of(seen)
    if not cuts:
        return text_value(f"CAST({source} AS VARCHAR)")
    number = f"TRY_CAST(CAST({source} AS VARCHAR) AS DOUBLE)"
    cases = " ".join(f"WHEN {number} < {cut!r} THEN {literal(f'below {cut:g}')}" for cut in cuts)
    return (
        f"CASE WHEN {number} IS NULL THEN NULL {cases} ELSE {literal(f'{cuts[-1]:g} or more')} END"
    )


def cuts_of(seen: Seen) -> list[float]:
    """Where numbers of many values are cut into ten classes; none where they are few, or no numbers."""
    if not seen.is_number or seen.distinct <= _EXTRA_VALUES_MAX // 10:
        return []
    ordered = sorted(float(v) for v, n in seen.values.items() for _ in range(min(n, 5)))
    return sorted({ordered[len(ordered) * i // 10] for i in range(1, 10)})


def _wanted(mapping: Mapping) -> list[str]:
    return [*(c.path for c in mapping.columns.values()), *mapping.extras]


def _access(source: Source, mapping: Mapping, seen: dict[str, Seen]) -> dict[str, str]:
    """Path → the expression by which DuckDB gets at it, as text unless it is a Parquet time."""
    found = {}
    for path in _wanted(mapping):
        if path not in seen:
            continue
        if source.form == "jsonl" and SEPARATOR in path:
            top, *inner = path.split(SEPARATOR)
            where = "$" + "".join(f'."{part}"' for part in inner)
            found[path] = f"json_extract_string({quoted(top)}, {literal(where)})"
        elif source.form == "parquet":
            name = ".".join(map(quoted, path.split(SEPARATOR)))
            found[path] = name if _native(source, seen[path]) else f"CAST({name} AS VARCHAR)"
        else:
            found[path] = quoted(path)
    return found


def _native(source: Source, seen: Seen | None) -> bool:
    """Whether DuckDB has the column as a number or a time rather than as text."""
    return source.form == "parquet" and seen is not None and seen.is_native


def _reader(source: Source, mapping: Mapping, seen: dict[str, Seen]) -> str:
    path = literal(source.path)
    if source.form == "parquet":
        return f"read_parquet({path})"
    if source.form == "csv":
        return (
            f"read_csv({path}, delim={literal(source.delimiter)}, quote='\"', escape='\"', header=true, "
            "all_varchar=true, auto_detect=true, store_rejects=true, ignore_errors=true, "
            "strict_mode=true, rejects_limit=0)"
        )
    tops: dict[str, str] = {}
    for wanted in _wanted(mapping):
        if wanted in seen:
            top, _, inner = wanted.partition(SEPARATOR)
            tops[top] = "JSON" if inner else tops.get(top, "VARCHAR")
    columns = ", ".join(f"{literal(top)}: {literal(kind)}" for top, kind in tops.items())
    packed = ", compression='zstd'" if source.path.endswith(".zstd") else ""
    return (
        f"read_json({path}, format='newline_delimited', columns={{{columns}}}, "
        f"ignore_errors=true, maximum_object_size=67108864{packed})"
    )


def _count_rejects(connection: Any, raw: Raw, source: Source) -> None:
    rejects = connection.execute(
        "SELECT line, min(error_message) FROM reject_errors GROUP BY line ORDER BY line"
    ).fetchall()
    for line, why in rejects:
        raw.damage.add(source.path, int(line), str(why).splitlines()[0][:100])
    connection.execute("DROP TABLE IF EXISTS reject_errors")
    connection.execute("DROP TABLE IF EXISTS reject_scans")


def _name_damage(connection: Any, raw: Raw, source: Source, number: int) -> None:
    """Lines that are no JSON object come out of the reader empty: find which they were."""
    described = connection.execute(f"SELECT * FROM part{number} LIMIT 0").description
    mapped = {
        target
        for target, name in {**TEXTS, **WHOLES}.items()
        if raw.mappings[source.path].has(name)
    }
    columns = " AND ".join(f"{name} IS NULL" for name, *_ in described if name in mapped)
    empty = connection.execute(f"SELECT count(*) FROM part{number} WHERE {columns}").fetchall()[0][
        0
    ]
    if not empty:
        return
    decode = msgspec.json.Decoder(dict).decode
    with open_text(source.path) as text:
        for line, content in enumerate(text, 1):
            stripped = content.strip()
            if not stripped:
                continue
            try:
                decode(stripped)
            except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
                raw.damage.add(source.path, line, f"not a JSON object ({str(error)[:60]})")
