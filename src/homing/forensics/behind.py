"""The deliveries behind a count of an investigation, each with its rows of the log."""

from __future__ import annotations

import csv
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import ibis
import msgspec

from homing.core.errors import ConfigError
from homing.forensics.association import features, settled_of
from homing.forensics.engine import on_duckdb
from homing.forensics.judged import judged_log
from homing.forensics.options import Options
from homing.forensics.reading.expressions import literal
from homing.forensics.reading.files import Progress, connect, read
from homing.forensics.reading.lines import PARSERS
from homing.forensics.reading.sources import Source, document_rows, look_at, open_text
from homing.forensics.rows import row, rows

#: names of groups that are no feature
LOST: Final = "lost"
JUDGED: Final = "judged"
#: rows of one delivery that are given; the first of them
ROWS_MAX: Final = 50
_CHARACTERS_MAX: Final = 400


class Want(NamedTuple):
    """Some deliveries of a group: the lost ones are first in it, then in the order of the log."""

    group: str  #: LOST, JUDGED, or a feature as an investigation names it
    start: int = 0
    limit: int = 20
    #: of a group of more than `limit` so many instead, from all over it; 0: no
    sample: int = 0


class Row(NamedTuple):
    """One row of a log."""

    file: str
    line: int  #: from 1; of a file without lines, such as Parquet, the number of the row
    text: str  #: as it stands there; of a file without lines as JSON


class Behind(NamedTuple):
    """One delivery that was counted."""

    name: str
    is_lost: bool
    rows: tuple[Row, ...]


class Group(NamedTuple):
    """What was counted: how many, how many of them lost, and those that were asked for."""

    name: str
    total: int
    lost: int
    deliveries: tuple[Behind, ...]


def behind(
    patterns: Sequence[str],
    options: Options,
    wants: Sequence[Want],
    progress: Progress = lambda step, share: None,
) -> list[Group]:
    """The deliveries of each group, found by the reading and the judging of an investigation.

    Raises:
        Unreadable: a file cannot be read.
        ConfigError: the mapping does not fit, or nothing is called as a group is.
    """
    with (
        tempfile.TemporaryDirectory(prefix="homing-", dir=options.folder) as folder,
        connect(folder, options.memory, options.threads) as connection,
    ):
        raw = read(connection, patterns, folder=folder, mapping=options.mapping, progress=progress)
        engine = on_duckdb(connection)
        events, judged, _, _ = judged_log(raw, engine, options, progress)
        settled = engine.keep("settled", settled_of(judged))
        tests = _tests(settled, events.names, events.extras, wants)
        progress("finding the rows", 0.9)
        found = [_found(engine, settled, tests[one.group], one) for one in wants]
        ids = {d for _, _, deliveries in found for d, _ in deliveries}
        names, refs = _lines(connection, ids)
        texts = _texts(connection, raw.starts, refs)
        return [
            Group(
                want.group,
                total,
                lost,
                tuple(
                    Behind(names[d], is_lost, tuple(texts[at] for at in refs[d]))
                    for d, is_lost in deliveries
                ),
            )
            for want, (total, lost, deliveries) in zip(wants, found, strict=True)
        ]


def _tests(
    settled: Any,
    names: dict[str, dict[int, str]],
    extras: Sequence[str],
    wants: Sequence[Want],
) -> dict[str, Any]:
    """Group → the expression that says which deliveries are in it.

    Raises:
        ConfigError: nothing is called so.
    """
    tests = {LOST: settled.lost, JUDGED: settled.lost.notnull()}
    unknown = [one.group for one in wants if one.group not in tests]
    if unknown:
        tests |= {one.name: one.test.fill_null(False) for one in features(settled, names, extras)}
    missing = [one for one in unknown if one not in tests]
    if missing:
        raise ConfigError(
            [f"this log has no deliveries of which {one!r} is said" for one in missing]
        )
    return tests


def _found(
    engine: Any, settled: Any, test: Any, want: Want
) -> tuple[int, int, list[tuple[int, bool]]]:
    """How many deliveries, how many of them lost, and the ids of those that are wanted."""
    group = settled.filter(test).select("d", "lost")
    sums = row(group.aggregate(n=group.count(), k=group.lost.cast("int64").sum()))
    total, lost = int(sums["n"]), int(sums["k"] or 0)
    events = engine.table("events")
    firsts = events.semi_join(group, "d").group_by("d").aggregate(first=events.pos.min())
    placed = group.join(firsts, "d").select("d", "lost", "first")
    if want.sample and total > want.limit:
        # of each stretch of the group the first one: no more is held than is given
        numbered = placed.mutate(no=ibis.row_number().over(order_by=placed.first))
        step = total / want.sample
        at = [round(i * step) for i in range(want.sample)]
        wanted = rows(numbered.filter(numbered.no.isin(at)).order_by("no"))
    else:
        ordered = placed.order_by(ibis.desc(placed.lost), placed.first)
        wanted = rows(ordered.limit(want.limit, offset=want.start))
    return total, lost, [(int(one.d), bool(one.lost)) for one in wanted]


class _Place(NamedTuple):
    """A row of the raw table, and what its text must name."""

    number: int
    ids: tuple[str, ...]


def _lines(
    connection: Any, deliveries: Iterable[int]
) -> tuple[dict[int, str], dict[int, list[_Place]]]:
    """The name of each delivery, and the places of its rows."""
    names: dict[int, str] = {}
    places: dict[int, list[_Place]] = {}
    listed = ", ".join(map(str, deliveries)) or "NULL"
    found = connection.execute(
        "SELECT DISTINCT e.d, e.line, r.delivery, r.message, r.endpoint FROM events e "
        f"JOIN raw r ON r.rowid = e.line WHERE e.d IN ({listed}) ORDER BY e.d, e.line"
    ).fetchall()
    for d, line, delivery, message, endpoint in found:
        name = delivery or "/".join(one for one in (message, endpoint) if one)
        names[d] = max(names.get(d, ""), name, key=len)
        ids = (delivery,) if delivery else tuple(one for one in (message, endpoint) if one)
        if len(places.setdefault(d, [])) < ROWS_MAX:
            places[d].append(_Place(int(line), ids))
    return names, places


def _texts(
    connection: Any, starts: Sequence[tuple[int, str]], refs: Mapping[int, Sequence[_Place]]
) -> dict[_Place, Row]:
    """What stands at each place, file by file."""
    ends = [*(start for start, _ in starts[1:]), None]
    found: dict[_Place, Row] = {}
    every = sorted({place for places in refs.values() for place in places})
    for (start, path), end in zip(starts, ends, strict=True):
        here = [one for one in every if one.number >= start and (end is None or one.number < end)]
        if here:
            wanted = {one.number - start: one.ids for one in here}
            texts = dict(_rows_of(connection, look_at(path), wanted))
            for one in here:
                line, text = texts.get(one.number - start, (0, "(not found again)"))
                found[one] = Row(path, line, _cut(text))
    return found


def _cut(text: str) -> str:
    text = text.rstrip()
    return text if len(text) <= _CHARACTERS_MAX else f"{text[:_CHARACTERS_MAX]}…"


def _rows_of(
    connection: Any, source: Source, wanted: Mapping[int, tuple[str, ...]]
) -> Iterator[tuple[int, tuple[int, str]]]:
    """Row → its line and its text. The row is from 0, and counted as the reader counts."""
    if source.form == "parquet":
        listed = ", ".join(map(str, wanted))
        yield from (
            (int(number), (int(number) + 1, str(text)))
            for number, text in connection.execute(
                "SELECT file_row_number, to_json(one) FROM (SELECT COLUMNS(* EXCLUDE "
                "file_row_number), file_row_number FROM read_parquet("
                f"{literal(source.path)}, file_row_number = true)) one "
                f"WHERE file_row_number IN ({listed}) ORDER BY file_row_number"
            ).fetchall()
        )
    elif source.form == "json":
        encode = msgspec.json.Encoder(enc_hook=str).encode
        for number, one in enumerate(document_rows(source.path)):
            if number in wanted:
                yield number, (number + 1, encode(one).decode())
    else:
        yield from _of_text(source, wanted)


def _of_text(
    source: Source, wanted: Mapping[int, tuple[str, ...]]
) -> Iterator[tuple[int, tuple[int, str]]]:
    """Of a file of lines. Damaged lines may be no rows, so that those after them come later than
    they are counted: each is the first from where it must be that names what it has to name."""
    waiting: dict[int, tuple[str, ...]] = {}
    for number, (line, text) in enumerate(_numbered(source)):
        if number in wanted:
            waiting[number] = wanted[number]
        for known, ids in list(waiting.items()):
            if all(_names(text, one) for one in ids):
                del waiting[known]
                yield known, (line, text)
                break


def _names(text: str, name: str) -> bool:
    at = text.find(name)
    return at >= 0 and bool(re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text))


def _numbered(source: Source) -> Iterator[tuple[int, str]]:
    """Line and text of each line that may be a row."""
    with open_text(source.path) as file:
        if source.form == "csv":
            reader = csv.reader(
                (line.replace("\0", "") for line in file), delimiter=source.delimiter
            )
            if source.has_header:
                next(reader, None)
            before = reader.line_num
            for cells in reader:
                yield before + 1, source.delimiter.join(cells)
                before = reader.line_num
        else:
            for line, text in enumerate(file, 1):
                if (
                    text.strip()
                    if source.form == "jsonl"
                    else PARSERS[source.form](text) is not None
                ):
                    yield line, text
