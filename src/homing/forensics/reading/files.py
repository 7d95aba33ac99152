"""Reads files into one raw table of DuckDB: typed, in the order of their lines, nothing skipped."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec

from homing.core.errors import ConfigError
from homing.forensics.reading.archives import archives, named_as, together
from homing.forensics.reading.columns import Seen, is_of_cursor, name_score
from homing.forensics.reading.converting import CUT, Damage, as_lines
from homing.forensics.reading.expressions import (
    TEXTS,
    WHOLES,
    literal,
)
from homing.forensics.reading.guessing import EXTRAS_MAX, Unmapped
from homing.forensics.reading.hosts import name_hosts
from homing.forensics.reading.joining import beside, joined, named_alike
from homing.forensics.reading.lines import Row
from homing.forensics.reading.mapping import NO_ROWS, Mapping
from homing.forensics.reading.meeting import meeting
from homing.forensics.reading.nested import open_nested
from homing.forensics.reading.opening import Opened, guess_together, open_log
from homing.forensics.reading.order import Order, leader_of, order_of, runs_of
from homing.forensics.reading.records import widths
from homing.forensics.reading.references import links
from homing.forensics.reading.seconds import place_in_seconds
from homing.forensics.reading.selecting import (
    Fields,
    accesses,
    feature,
    has_names_alike,
    reader_of,
)
from homing.forensics.reading.sources import (
    Source,
    Unreadable,
    cut_short,
    missing_extra,
    open_text,
    sources_of,
)
from homing.forensics.reading.years import near_one_another

#: a step of the work, and how far it is: 0 to 1
Progress = Callable[[str, float], None]


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
    #: of files side by side, the rows of each that is in the order of its times
    runs: list[range] = field(default_factory=list)
    #: of files side by side, the rows of the one whose places tell which of two is the earlier
    leader: range | None = None
    #: files that name no delivery, beside others that do: they are left out
    nameless: list[str] = field(default_factory=list)
    #: what is said of files in the same folder that are no logs
    left_out: list[str] = field(default_factory=list)
    #: files whose first line names the columns
    headed: set[str] = field(default_factory=set)

    def place(self, row: int) -> tuple[str, int]:
        """The file of a row of the log, and its line there, as far as each row is a line.

        Args:
            row: its number, from 1 over all files.
        """
        start, path = next((one for one in reversed(self.starts) if one[0] < row), (0, ""))
        return path, row - start + (path in self.headed)

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
    sources, left_out = sources_of(patterns)
    sources = near_one_another(sources)
    raw = Raw({}, {}, Damage(), 0, [], [], left_out=left_out)
    threads = connection.execute("SELECT current_setting('threads')").fetchall()[0][0]
    # with several threads, DuckDB 2.0 now and then stores the parts of a file in another order
    connection.execute("SET threads = 1")
    number = 0
    for source, opened in _opened(sources, folder, raw, mapping):
        progress(f"reading {Path(source.path).name}", number / (len(sources) + 1))
        _read_one(connection, raw, source, opened, folder, number)
        number += 1
        inner = open_nested(source, opened, Path(folder) / f"nested{number}.jsonl", mapping)
        if inner is not None:
            _read_one(connection, raw, *inner, folder, number)
            number += 1
    if not number:
        raise ConfigError([f"--mapping: {_ALL_LEFT_OUT}"])
    _join_parts(connection, number)
    if raw.rows == 0:
        raise Unreadable(f"{sources[0].path}, line 1: expected rows; every one is damaged")
    if number > 1 and raw.has("worker"):
        name_hosts(connection, raw.starts, raw.mappings, raw.rows)
    if number > 1 and raw.has("at") and raw.has("op"):
        ends = [row for row, _ in raw.starts[1:]] + [raw.rows]
        files = [
            (row, end)
            for (row, path), end in zip(raw.starts, ends, strict=True)
            if raw.mappings[path].layout == "events"
        ]
        place_in_seconds(connection, files)
    if raw.has("trace"):
        kinds = [
            f"x{i}" for i, path in enumerate(raw.extras) if name_score("job", path) > _KIND_MIN
        ]
        _follow_traces(connection, kinds, has_jobs=_has_jobs(raw.mappings.values()))
    begins = [row for row, _ in raw.starts[1:]]
    raw.order = order_of(connection, begins)
    if raw.order is Order.MIXED and begins:
        raw.leader = leader_of(connection, begins)
        raw.runs = runs_of(connection, [row for row, _ in raw.starts], raw.rows)
    connection.execute(f"SET threads = {threads}")
    return raw


_ALL_LEFT_OUT: Final = 'expected a file that is read; each has layout = "none"'

#: more files than these are of one kind, a day or a host each
_KINDS_OF_FILES_MAX: Final = 24


def _opened(
    sources: Sequence[Source], folder: str, raw: Raw, given: Mapping | None
) -> Iterator[tuple[Source, Opened]]:
    """Each file with its mapping; those that refer to one another agree."""
    shared = guess_together(sources) if given is None else None

    def open_one(number: int, shared: Mapping | None = shared) -> Opened:
        path = sources[number].path
        own = given and given.of_file(path)
        try:
            return open_log(sources[number], _lines_of(folder, number), raw.damage, own, shared)
        except Unmapped as problem:
            told = [f"{path}: {text}" for text in problem.problems]
            raise Unmapped(told, problem.mapping, problem.seen) from problem

    if given is not None or len(sources) == 1:
        for number, source in enumerate(sources):
            own = given and given.of_file(source.path)
            if own and own.layout == NO_ROWS:
                raw.nameless.append(source.path)
            else:
                yield source, open_one(number)
        return
    kinds = _kinds_of(sources)
    of_kind = {
        kind: guess_together([sources[n] for n in numbers[:_LOOKED_AT_MAX]]) or shared
        for kind, numbers in kinds.items()
    }
    opened: dict[str, Opened] = {}
    problems: list[Unmapped] = []
    of_dumps: list[Unmapped] = []  # a database has many tables, and most are of other things
    for kind, numbers in kinds.items():
        try:
            opened[kind] = open_one(numbers[0], of_kind[kind])
        except Unmapped as problem:
            (of_dumps if sources[numbers[0]].table else problems).append(problem)
            raw.nameless += [sources[number].path for number in numbers]
    problems = problems if opened else [*problems, *of_dumps]
    _leave_aside(problems, opened.values(), is_shared=shared is not None)
    mappings = _agreeing(raw, opened, kinds)
    kind_of = {number: kind for kind, numbers in kinds.items() for number in numbers}
    odd: list[Unmapped] = []
    for number, source in enumerate(sources):
        kind = kind_of[number]
        if kind not in mappings:
            continue
        if number == kinds[kind][0]:
            yield source, opened[kind]._replace(mapping=mappings[kind])
            continue
        try:
            yield source, open_one(number, mappings[kind])
        except Unmapped as problem:
            odd.append(problem)
            raw.nameless.append(source.path)
    _leave_aside(odd, opened.values(), is_shared=shared is not None)


#: so many files of a kind tell what it is
_LOOKED_AT_MAX: Final = 8


def _kinds_of(sources: Sequence[Source]) -> dict[str, list[int]]:
    """The files by what they are; of many, those whose paths differ by numbers alone, as of hours and days."""
    if len(sources) <= _KINDS_OF_FILES_MAX:
        return {source.path: [number] for number, source in enumerate(sources)}
    found: dict[str, list[int]] = {}
    for number, source in enumerate(sources):
        found.setdefault(re.sub(r"\d+", "#", source.path), []).append(number)
    return {sources[numbers[0]].path: numbers for numbers in found.values()}


def _agreeing(
    raw: Raw, opened: dict[str, Opened], kinds: dict[str, list[int]]
) -> dict[str, Mapping]:
    """The mapping of each kind of files that names deliveries, as all of them name the same ones."""
    mappings = {path: one.mapping for path, one in opened.items()}
    if not 1 < len(opened) <= _KINDS_OF_FILES_MAX:
        return mappings
    samples: dict[str, Sequence[Row]] = {path: one.rows for path, one in opened.items()}
    moved = archives(mappings, samples)
    samples = together(samples, moved)
    joint = named_alike({path: mappings[path] for path in samples}, samples)
    references = links(samples)
    if not references:
        samples = meeting({path: (opened[path].source, samples[path]) for path in samples})
        references = links(samples)
    left_out = beside(references, joint, samples)
    raw.nameless += [path for path in opened if path in left_out]
    joint = joined(references, joint, samples)
    joint |= {
        archive: named_as(mappings[archive], joint[table]) for archive, table in moved.items()
    }
    return {path: joint[path] for path in opened if path not in left_out}


#: a file that names no delivery may be left out beside one of so many more rows
_ASIDE_MAX: Final = 0.1


def _leave_aside(
    problems: Sequence[Unmapped], opened: Iterable[Opened], *, is_shared: bool
) -> None:
    """Leave out the files that cannot be mapped, if they are small beside the largest that can.

    Raises:
        Unmapped: one of them is too large for that.
    """
    # what names deliveries is asked for its times, whatever the files have in common
    asked = [one for one in problems if not is_shared or one.mapping.columns]
    most = max((len(one.rows) for one in opened), default=0)
    big = [one for one in asked if _rows_of(one) > _ASIDE_MAX * most and not _names_nothing(one)]
    if problems and (big or not most):
        raise (big or problems)[0]


#: of the rows of a file that says the same over and over, so many values a column has at most
_SAME_MAX: Final = 0.05


def _names_nothing(problem: Unmapped) -> bool:
    """Whether no two rows of a file differ but in their time, and in how far somebody has read."""
    most = _rows_of(problem) * _SAME_MAX
    return all(
        one.distinct <= most or one.time is not None or is_of_cursor(path)
        for path, one in problem.seen.items()
    )


def _rows_of(problem: Unmapped) -> int:
    return max((one.rows for one in problem.seen.values()), default=0)


def _lines_of(folder: str, number: int) -> Path:
    """Where the clean lines of a file go that cannot be read as it is."""
    return Path(folder) / f"part{number}.jsonl"


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


def _has_jobs(mappings: Iterable[Mapping]) -> bool:
    """Whether a table of jobs says of which delivery each is."""
    return any(m.layout == "jobs" and m.has("trace") and m.has("delivery") for m in mappings)


#: so well is a column called that says of what kind a job is
_KIND_MIN: Final = 85.0
#: of the rows of a kind of jobs so many, at least, are of one delivery: else it looks after all of them
_OF_ONE_MIN: Final = 0.5


def _of_sweeps(connection: Any, kinds: Sequence[str]) -> str:
    """The test of a row that it is of a job which looks after all deliveries: one that happened to find one
    alone in a run has that run's trace, and yet its beginning and end are no turn of it."""
    tests = []
    for kind in kinds:
        found = connection.execute(
            f"SELECT raw.{kind} FROM raw LEFT JOIN traced ON raw.trace = traced.trace WHERE raw.trace IS NOT NULL "
            f"AND raw.{kind} IS NOT NULL AND COALESCE(raw.delivery, raw.message) IS NULL GROUP BY raw.{kind} "
            f"HAVING count(traced.trace) < {_OF_ONE_MIN} * count(*)"
        ).fetchall()
        if found:
            tests.append(f"parts.{kind} IN ({', '.join(literal(name) for (name,) in found)})")
    return f"COALESCE({' OR '.join(tests)}, FALSE)" if tests else "FALSE"


def _follow_traces(connection: Any, kinds: Sequence[str], *, has_jobs: bool) -> None:
    """Rows that name no delivery belong to the one that others of their trace name, if it is one; so
    do those that call it by the trace itself, as a queue calls a delivery by its task.

    Args:
        kinds: columns that say of what kind a job is.
        has_jobs: a table says which number is of which job; else a number is a name of anything.
    """
    named = "TRUE" if has_jobs else "NOT regexp_full_match({}trace, '\\d+')"
    own = f"({named.format('')} AND COALESCE(delivery, message) = trace)"
    connection.execute(
        "CREATE TEMP TABLE traced AS SELECT trace, min(delivery) AS delivery, min(message) AS message, "
        "min(endpoint) AS endpoint FROM raw WHERE trace IS NOT NULL AND (delivery IS NOT NULL OR "
        f"message IS NOT NULL) AND NOT {own} GROUP BY trace "
        "HAVING count(DISTINCT COALESCE(delivery, message)) = 1"
    )
    described = connection.execute("SELECT * FROM parts LIMIT 0").description
    there = [name for name, *_ in described if name in ("delivery", "message", "endpoint")]
    names = [name for name in ("delivery", "message") if name in there]
    said = f"COALESCE({', '.join(f'parts.{name}' for name in names)}, NULL)"
    connection.execute(
        f"UPDATE parts SET {', '.join(f'{name} = traced.{name}' for name in there)} FROM traced "
        f"WHERE ({said} IS NULL AND parts.trace = traced.trace AND NOT {_of_sweeps(connection, kinds)}) "
        f"OR ({said} = traced.trace AND {named.format('traced.')})"
    )
    connection.execute("DROP TABLE traced")


#: every column of the raw rows and its type, in their order
_KINDS: Final = (
    dict.fromkeys(TEXTS, "VARCHAR")
    | dict.fromkeys(WHOLES, "BIGINT")
    | {f"x{i}": "VARCHAR" for i in range(EXTRAS_MAX)}
    | {"layout": "VARCHAR"}
)


def _read_one(
    connection: Any, raw: Raw, source: Source, opened: Opened, folder: str, number: int
) -> None:
    plain, rows, seen, mapping = opened
    check(mapping, seen, source.path)
    raw.seen |= {f"{source.path}:{path}": one for path, one in seen.items()}
    raw.mappings[source.path] = mapping
    before = raw.rows
    raw.starts.append((before, source.path))
    if source.form in ("csv", "audit") and source.has_header:
        raw.headed.add(source.path)
    damaged_before = raw.damage.count
    if plain.form == "csv" and has_names_alike(seen):
        plain = as_lines(source, Path(folder) / f"again{number}.jsonl", raw.damage)
    try:
        _insert(connection, raw, plain, mapping, seen, number)
    except Unreadable:
        raise
    except Exception as error:  # the quick reader gives up on what a patient one can read
        if plain.form == "parquet":
            raise Unreadable(f"{source.path}: {str(error).splitlines()[0]}") from error
        plain = as_lines(source, Path(folder) / f"again{number}.jsonl", raw.damage)
        _insert(connection, raw, plain, mapping, seen, number)
    if has_copies(rows):
        raw.twice += _leave_out_copies(connection, number)
    raw.rows += connection.execute(f"SELECT count(*) FROM part{number}").fetchall()[0][0]
    if source.form == "jsonl" and plain is source:
        _name_damage(connection, raw, source, number)
    if plain is source and (why := cut_short(source.path)):
        raw.damage.add(source.path, raw.rows - before + 1, f"{CUT} ({why})")
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
    # nor may a trace bring it back
    nothing = ", ".join(f"{key} = NULL" for key in (*keys, "trace") if key in columns)
    connection.execute(
        f"UPDATE part{number} SET {nothing} WHERE rowid IN (SELECT line FROM copies)"
    )
    connection.execute("DROP TABLE copies")
    return int(count)


def check(mapping: Mapping, seen: dict[str, Seen], path: str) -> None:
    """See to it that the columns which a mapping needs are there.

    Raises:
        ConfigError: one is not; says which are.
    """
    needed = {f: c.path for f, c in mapping.columns.items() if c.value is None and not c.others}
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
    access = accesses(source, mapping, seen)
    fields = Fields(source, mapping, access, seen)
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
                values.append(feature(access[path], seen[path]))
    names.append("layout")
    values.append(literal(mapping.layout))
    reader = reader_of(source, mapping, seen)
    columns = ", ".join(
        f"CAST({value} AS {_KINDS[name]}) AS {name}"
        for name, value in zip(names, values, strict=True)
    )
    connection.execute(f"CREATE OR REPLACE TABLE part{number} AS SELECT {columns} FROM {reader}")
    if source.form == "csv":
        _count_rejects(connection, raw, source)


class _OpenQuote(Exception):
    """A quote that is opened and not closed: the quick reader leaves out whatever follows it."""


#: what the quick reader calls that
_OPEN_QUOTE: Final = ("UNQUOTED VALUE", "LINE SIZE OVER MAXIMUM")
_OTHER_WIDTH: Final = re.compile(r"Expected Number of Columns: (\d+) Found: (\d+)")


def _count_rejects(connection: Any, raw: Raw, source: Source) -> None:
    rejects = connection.execute(
        "SELECT line, min(error_message), list(error_type) FROM reject_errors GROUP BY line ORDER BY line"
    ).fetchall()
    connection.execute("DROP TABLE IF EXISTS reject_errors")
    connection.execute("DROP TABLE IF EXISTS reject_scans")
    if any(kind in _OPEN_QUOTE for _, _, kinds in rejects for kind in kinds):
        raise _OpenQuote(source.path)
    for line, why, _ in rejects:
        other = _OTHER_WIDTH.search(str(why))
        text = widths(int(other[2]), int(other[1])) if other else str(why).splitlines()[0]
        raw.damage.add(source.path, int(line), text[:100])


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
