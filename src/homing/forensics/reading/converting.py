"""Files that the quick reader cannot read, as clean JSON lines: nothing is skipped unsaid."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final

import msgspec

from homing.forensics.reading.audits import audited
from homing.forensics.reading.dumps import dump_rows
from homing.forensics.reading.framed import each_of
from homing.forensics.reading.lines import PARSERS, Row, is_batch, rows_within, undivided, unfold
from homing.forensics.reading.listed import Listed, spread
from homing.forensics.reading.particulars import (
    Particulars,
    names_in,
    shape_in,
    without_names,
    writers_in,
)
from homing.forensics.reading.records import records
from homing.forensics.reading.sampling import sample
from homing.forensics.reading.sources import (
    Source,
    Unreadable,
    column_names,
    cut_off,
    document_rows,
    file_of,
    open_text,
)
from homing.forensics.reading.years import latest_of, with_year

#: damaged rows that are named one by one
DAMAGED_NAMED_MAX: Final = 20


#: of so many damaged rows the place is kept
PLACES_MAX: Final = 10_000
#: what is said at the end of a packed file that is cut off
CUT: Final = "what follows cannot be unpacked"


@dataclass(slots=True)
class Damage:
    """Rows that could not be used, and the first of them by name."""

    count: int = 0
    named: list[str] = field(default_factory=list)
    places: dict[str, list[int]] = field(default_factory=dict)  #: path → numbers of lines
    cut: list[str] = field(default_factory=list)  #: the packed files that end before their end

    def add(self, path: str, line: int, why: str) -> None:
        """Count a row; name it if not too many are named already."""
        self.count += 1
        if why.startswith(CUT):
            self.cut.append(path)
        if len(self.named) < DAMAGED_NAMED_MAX:
            self.named.append(f"{path}, line {line}: {why}")
        if self.count <= PLACES_MAX:
            self.places.setdefault(path, []).append(line)


#: of the rows that a line of text goes on over, so many characters are kept
_MORE_MAX: Final = 2_000
#: a line's number, and its row or what is wrong with it
_Read = Iterator[tuple[int, Row | None, str]]


def as_lines(
    source: Source,
    target: Path,
    damage: Damage,
    folded: frozenset[str] = frozenset(),
    lists: Sequence[Listed] = (),
    dotted: frozenset[str] = frozenset(),
) -> Source:
    """The same rows as clean JSON lines; what cannot be read is counted with its line.

    Args:
        folded: columns whose texts hold values of their own, which become columns.
        lists: those of whose elements each becomes a row.
        dotted: columns that get their dotted name in rows where they stand in an object.
    """
    encode = msgspec.json.Encoder(enc_hook=str).encode
    about = _particulars_of(source)
    with target.open("wb") as file:
        for line, row, problem in rows_of(source, about):
            if row is None:
                damage.add(source.path, line, problem)
            else:
                row = without_names(row, about.names) if about.names else row
                row = undivided(row, dotted) if dotted else row
                row = unfold(row, folded) if folded else row
                for one in spread(row, lists) if lists else (row,):
                    file.write(encode(one) + b"\n")
    return Source(str(target), "jsonl")


def _particulars_of(source: Source) -> Particulars:
    """What is particular to a log of text, as a sample of it shows."""
    if source.form != "text":
        return Particulars()
    try:
        rows = sample(source)
    except Unreadable:
        return Particulars()  # no row at all: that is said where the rows are read
    about = Particulars(
        shape=shape_in(str(row["delivery"]) for row in rows if row.get("delivery")),
        writers=writers_in(rows),
    )
    if about.shape is not None or about.writers is not None:
        rows = [row for _, row, _ in islice(rows_of(source, about), len(rows)) if row is not None]
    return about._replace(names=names_in(str(row.get("text", "")) for row in rows))


def rows_of(source: Source, about: Particulars | None = None) -> _Read:
    """Each row of a file, with the number of its line and what is wrong with it.

    Args:
        about: what is particular to its lines of text.
    """
    if source.form == "json":
        yield from ((line, row, "") for line, row in enumerate(document_rows(source.path), 1))
    elif source.form == "parquet":
        yield from _parquet_rows(source)
    else:
        with open_text(file_of(source.path)) as text:
            last = 0
            lines = map(about.plain, text) if about else text
            for last, row, problem in _READERS.get(source.form, _plain_lines)(source, lines):
                yield last, row, problem
            if why := cut_off(text):
                yield last + 1, None, f"{CUT} ({why})"


def _parquet_rows(source: Source) -> _Read:
    file = importlib.import_module("pyarrow.parquet").ParquetFile(source.path)
    rows = (row for batch in file.iter_batches() for row in batch.to_pylist())
    yield from ((number, row, "") for number, row in enumerate(rows, 1))


def _csv_lines(source: Source, text: Iterable[str]) -> _Read:
    header: list[str] = []
    for line, cells, problem in records(text, source.delimiter):
        if not header and not problem:
            header = column_names(source, cells)
            if source.has_header:
                continue
        yield line, None if problem else dict(zip(header, cells, strict=True)), problem


def _audit_lines(source: Source, text: Iterable[str]) -> _Read:
    """The rows of an audit table as the changes that they tell of."""
    for line, row, problem in _csv_lines(source, text):
        yield line, None if row is None else audited(row) or row, problem


def _dump_lines(source: Source, text: Iterable[str]) -> _Read:
    for line, _, row, problem in dump_rows(text, source.table):
        yield line, row, problem


def _plain_lines(source: Source, text: Iterable[str]) -> _Read:
    parse = PARSERS[source.form]
    for line, content in enumerate(text, 1):
        found = parse(content)
        if found is not None or content.strip():
            yield line, found, f"not {source.form}: {content.strip()[:60]!r}"


def _composed_lines(source: Source, text: Iterable[str]) -> _Read:
    latest = latest_of(source)
    for line, row, problem in _plain_lines(source, text):
        if row is not None and "time" in row:
            row["time"] = with_year(str(row["time"]), latest)
        yield line, row, problem


def _text_lines(source: Source, text: Iterable[str]) -> _Read:
    """Lines that begin with a time, each with those below it that do not (of a stack trace)."""
    latest = latest_of(source)
    parse = PARSERS[source.form]
    begun: tuple[int, dict[str, Any], str] | None = None
    for line, content in _each(text):
        row = parse(content)
        if row is not None:
            if begun:
                yield begun
            if "time" in row:
                row["time"] = with_year(row["time"], latest)
            begun = (line, row, "")
        elif not content.strip():
            continue
        elif begun is None or source.form != "text":
            yield line, None, f"it begins with no time: {content.strip()[:60]!r}"
        else:
            more = begun[1].get("more", "")
            begun[1]["more"] = (more + content)[:_MORE_MAX]
    if begun:
        yield begun


def _each(text: Iterable[str]) -> Iterator[tuple[int, str]]:
    """The lines with their numbers, and one that tells of several rows of a table once for each."""
    return ((number, one) for number, line in enumerate(text, 1) for one in each_of(line))


def _listing_lines(source: Source, text: Iterable[str]) -> _Read:
    """JSON lines; one that holds a batch of rows is all of those."""
    for line, row, problem in _plain_lines(source, text):
        for one in rows_within(row) if row is not None and is_batch(row) else [row]:
            yield line, one, problem


_READERS: Final = {
    "csv": _csv_lines,
    "audit": _audit_lines,
    "dump": _dump_lines,
    "text": _text_lines,
    "logfmt": _text_lines,
    "jsonl": _listing_lines,
    "batches": _listing_lines,
    "composed": _composed_lines,
}
