"""Reads files into one raw table of DuckDB: typed, in the order of their lines, nothing skipped."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from homing.core.errors import ConfigError
from homing.forensics.columns import Seen, look
from homing.forensics.converting import Damage, as_lines
from homing.forensics.expressions import (
    TEXTS,
    WHOLES,
    literal,
    quoted,
    text_value,
    value_of,
)
from homing.forensics.guessing import EXTRAS_MAX, TELLING, Unmapped, guess
from homing.forensics.lines import Row, flat, folded, parts_of, unfold
from homing.forensics.mapping import Mapping, shipped
from homing.forensics.order import Order, order_of
from homing.forensics.sources import (
    Source,
    Unreadable,
    find_files,
    look_at,
    missing_extra,
    open_text,
    sample,
)

#: a step of the work, and how far it is: 0 to 1
Progress = Callable[[str, float], None]
_EXTRA_VALUES_MAX: Final = 500


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
    if raw.has("trace"):
        _follow_traces(connection)
    raw.order = order_of(connection, [row for row, _ in raw.starts[1:]])
    connection.execute(f"SET threads = {threads}")
    return raw


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


def _follow_traces(connection: Any) -> None:
    """Rows that name no delivery belong to the one that others of their trace name, if it is one."""
    connection.execute(
        "CREATE TEMP TABLE traced AS SELECT trace, min(delivery) AS delivery, min(message) AS message, "
        "min(endpoint) AS endpoint FROM raw WHERE trace IS NOT NULL AND (delivery IS NOT NULL OR "
        "message IS NOT NULL) GROUP BY trace HAVING count(DISTINCT COALESCE(delivery, message)) = 1"
    )
    described = connection.execute("SELECT * FROM parts LIMIT 0").description
    there = [name for name, *_ in described if name in ("delivery", "message", "endpoint")]
    connection.execute(
        f"UPDATE parts SET {', '.join(f'{name} = traced.{name}' for name in there)} FROM traced "
        f"WHERE parts.trace = traced.trace AND {' AND '.join(f'parts.{n} IS NULL' for n in there if n != 'endpoint')}"
    )
    connection.execute("DROP TABLE traced")


#: every column of the raw rows and its type, in their order
_KINDS: Final = (
    dict.fromkeys(TEXTS, "VARCHAR")
    | dict.fromkeys(WHOLES, "BIGINT")
    | {f"x{i}": "VARCHAR" for i in range(EXTRAS_MAX)}
    | {"layout": "VARCHAR"}
)


class Opened(NamedTuple):
    """A file that can be read quickly, and how its columns become ours."""

    source: Source  #: the file itself, or clean lines of it
    rows: list[Row]  #: a sample
    seen: dict[str, Seen]
    mapping: Mapping


def open_log(source: Source, target: Path, damage: Damage, given: Mapping | None = None) -> Opened:
    """A file with its mapping: the given one, one that comes with Homing, or a guess.

    Args:
        target: where clean lines may be written, if they are needed.

    Raises:
        Unreadable: it cannot be read at all.
        Unmapped: no mapping can be guessed.
    """
    plain = source
    if source.form in ("json", "logfmt", "text") or not source.has_header:
        plain = as_lines(source, target, damage)
    rows = sample(plain)
    mapping, problem = _mapping(rows, source, given)
    if mapping is None or not _is_served(mapping, rows, is_given=given is not None):
        paths = folded(rows)
        whole = _unfolded(rows, paths) if paths else []
        better = _mapping(whole, source, given)[0] if paths else None
        if better is not None and _is_served(better, whole, is_given=given is not None):
            again = Source(str(target.with_suffix(".unfolded")), "jsonl")
            as_lines(plain, Path(again.path), damage, paths)
            return Opened(again, whole, look(whole), better)
        if problem is not None:
            if paths:
                problem.seen = look(whole)
            raise problem
    assert mapping is not None
    return Opened(plain, rows, look(rows), mapping)


def _mapping(
    rows: list[Row], source: Source, given: Mapping | None
) -> tuple[Mapping | None, Unmapped | None]:
    if given is not None:
        return given, None
    name = Path(source.path).name.partition(".")[0]
    try:
        return _known(look(rows)) or guess(rows, name), None
    except Unmapped as error:
        return None, error


def _is_served(mapping: Mapping, rows: list[Row], *, is_given: bool) -> bool:
    """Whether the columns of the sample are enough for the mapping."""
    if is_given:
        there = {path for row in rows for path in row}
        return {*mapping.paths} - {*mapping.extras} <= there
    return bool(TELLING & mapping.columns.keys())


def _unfolded(rows: list[Row], paths: frozenset[str]) -> list[Row]:
    found = []
    for row in rows:
        # what is below another path keeps its own parts
        nested: Row = {}
        for path, value in row.items():
            *outer, last = parts_of(path)
            inside = nested
            for part in outer:
                inside = inside.setdefault(part, {})
            inside[last] = value
        found.append(flat(unfold(nested, paths)))
    return found


def _read_one(
    connection: Any, raw: Raw, source: Source, folder: str, number: int, given: Mapping | None
) -> None:
    target = Path(folder) / f"part{number}.jsonl"
    given = given and given.of_file(source.path)
    plain, rows, seen, mapping = open_log(source, target, raw.damage, given)
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
        plain = as_lines(source, target, raw.damage)
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
    needed = {f: c.path for f, c in mapping.columns.items() if c.value is None}
    lacking = [
        f"{path}: the mapping takes {field} from the column {column!r}, which is not there"
        for field, column in needed.items()
        if column not in seen and (field in mapping.key or field == "at")
    ]
    if lacking:
        raise ConfigError([*lacking, f"{path} has: {', '.join(list(seen)[:30])}"])


def _insert(
    connection: Any,
    raw: Raw,
    source: Source,
    mapping: Mapping,
    seen: dict[str, Seen],
    number: int,
) -> None:
    access = _access(source, mapping, seen)
    fields = _Fields(source, mapping, access, seen)
    names: list[str] = []
    values: list[str] = []
    for target, name in {**TEXTS, **WHOLES}.items():
        value = fields.value(name)
        if value is not None:
            names.append(target)
            values.append(value)
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


class _Fields(NamedTuple):
    """The expressions of the fields of one file."""

    source: Source
    mapping: Mapping
    access: dict[str, str]
    seen: dict[str, Seen]

    def own(self, name: str) -> str | None:
        """What the field's own column gives; None if it has none."""
        column = self.mapping.columns.get(name)
        if column is None:
            return None
        if column.value is not None:
            return literal(column.value)
        if column.path not in self.access:
            return None
        one = self.seen.get(column.path)
        is_native = _native(self.source, one)
        return value_of(name, self.access[column.path], column, one, is_native=is_native)

    def value(self, name: str) -> str | None:
        """What the field is, from its own column or from others."""
        own = self.own(name)
        if name == "reason" and own is not None:
            return _with_note(own, self.mapping, self.access)
        if (
            name == "due"
            and own is None
            and (delay := self.own("delay"))
            and (at := self.own("at"))
        ):
            return f"{at} + NULLIF({delay}, 0)"
        if self.mapping.layout == "deliveries":
            if name == "finished_at":
                ends = [own, self.own("dead_at"), self.own("cancelled_at")]
                told = [end for end in ends if end is not None]
                return f"COALESCE({', '.join(told)})" if told else None
            if name == "to_state" and own is None and not _STANDING & self.mapping.columns.keys():
                return self.stand()
        return own

    def stand(self) -> str | None:
        """How a delivery stands of a table that has no word for it: by which of its times are there."""
        whens = [
            f"WHEN {value} IS NOT NULL THEN {literal(word)}"
            for name, word in _STAND_BY
            if (value := self.own(name))
        ]
        return f"CASE {' '.join(whens)} ELSE 'waiting' END" if whens else None


#: fields that say how a delivery stands
_STANDING: Final = frozenset({"to_state", "op", "outcome", "status", "pending"})
#: and what it says if one of these is there, the last word first
_STAND_BY: Final = (
    ("finished_at", "delivered"),
    ("cancelled_at", "cancelled"),
    ("dead_at", "dead"),
    ("worker", "leased"),
)


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
    number = f"TRY_CAST(replace(CAST({source} AS VARCHAR), ',', '.') AS DOUBLE)"
    cases = " ".join(f"WHEN {number} < {cut!r} THEN {literal(f'below {cut:g}')}" for cut in cuts)
    return (
        f"CASE WHEN {number} IS NULL THEN NULL {cases} ELSE {literal(f'{cuts[-1]:g} or more')} END"
    )


def cuts_of(seen: Seen) -> list[float]:
    """Where numbers of many values are cut into ten classes; none where they are few, or no numbers."""
    if not seen.is_number or seen.distinct <= _EXTRA_VALUES_MAX // 10:
        return []
    ordered = sorted(
        float(v.replace(",", ".")) for v, n in seen.values.items() for _ in range(min(n, 5))
    )
    return sorted({ordered[len(ordered) * i // 10] for i in range(1, 10)})


def _access(source: Source, mapping: Mapping, seen: dict[str, Seen]) -> dict[str, str]:
    """Path → the expression by which DuckDB gets at it, as text unless it is a Parquet time."""
    found = {}
    nested = _nested(mapping, seen)
    for path in mapping.paths:
        if path not in seen:
            continue
        top, *inner = parts_of(seen[path].path)
        if source.form == "jsonl" and top in nested:
            where = "$" + "".join(f'."{part}"' for part in inner)
            found[path] = f"json_extract_string({quoted(top)}, {literal(where)})"
        elif source.form == "parquet":
            name = ".".join(map(quoted, (top, *inner)))
            found[path] = name if _native(source, seen[path]) else f"CAST({name} AS VARCHAR)"
        else:
            found[path] = quoted(path)
    return found


def _nested(mapping: Mapping, seen: dict[str, Seen]) -> set[str]:
    """The outermost keys of which something inside is wanted."""
    wanted = (parts_of(seen[path].path) for path in mapping.paths if path in seen)
    return {top for top, *inner in wanted if inner}


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
    nested = _nested(mapping, seen)
    tops = dict.fromkeys(parts_of(seen[path].path)[0] for path in mapping.paths if path in seen)
    columns = ", ".join(
        f"{literal(top)}: {literal('JSON' if top in nested else 'VARCHAR')}" for top in tops
    )
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
        if (column := raw.mappings[source.path].columns.get(name)) and column.value is None
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
