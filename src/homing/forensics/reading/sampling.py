"""A sample of the rows of a log, from which its columns are guessed."""

from __future__ import annotations

import importlib
import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, Final, TypeVar

from homing.forensics.reading.lines import PARSERS, Row, flat
from homing.forensics.reading.records import records
from homing.forensics.reading.sources import Source, Unreadable, open_text, short

#: rows looked at before the columns are guessed
SAMPLE_ROWS: Final = 8_000
#: what can only be read from its start is looked at so far for the sample: a second or two
_FAR_ROWS: Final = 1_000_000
#: after the first rows so many are taken of each so many: rare operations have fields, and values,
#: that the first rows lack
_RUN: Final = 40
_RUN_EVERY: Final = 10_000
_GROUPS_MAX: Final = 16
_T = TypeVar("_T")


def sample(source: Source, rows_max: int = SAMPLE_ROWS) -> list[Row]:
    """Rows from the start of a log, and from places further on.

    Raises:
        Unreadable: no row at all can be read.
    """
    if source.form == "parquet":
        return _parquet_sample(source.path, rows_max)
    rows: list[Row] = []
    with open_text(source.path) as file:
        if source.form == "csv":
            rows = _csv_rows(file, source, rows_max)
        else:
            lines = _spread(source, file, rows_max)
            parse = PARSERS[source.form]
            rows = [flat(row) for line in lines if (row := parse(line)) is not None]
    if not rows and source.form == "csv":
        raise Unreadable(f"{source.path}, line 2: expected rows below the header; there is none")
    if not rows:
        raise Unreadable(f"{source.path}, line 1: no line of it can be read as {source.form}")
    return rows


def _spread(source: Source, file: IO[str], rows_max: int) -> Iterator[str]:
    if source.path.endswith((".gz", ".zst", ".zstd")):
        yield from _spread_rows(file, rows_max, _keys)
        return
    seen_bytes = 0
    for line in islice(file, rows_max):
        seen_bytes += len(line.encode("utf-8", "replace"))
        yield line
    rare = list(_of_rare_shape(source.path, rows_max))
    yield from rare
    known = {line.rstrip() for line in rare}
    size = Path(source.path).stat().st_size
    # what the first rows were, or the rare ones, is not read again: a row that is there twice looks like two lines
    # of one delivery
    with open(source.path, "rb") as raw:
        for part in range(1, 64):
            if size * part // 64 < max(seen_bytes, raw.tell()):
                continue
            raw.seek(size * part // 64)
            raw.readline()
            for _ in range(_RUN):
                line = raw.readline().decode("utf-8", "replace")
                if line.rstrip() not in known:
                    yield line


#: so many lines after the first are looked through for those with keys that few have
_LOOKED_THROUGH: Final = 60_000
#: a shape of which the sample has so many is known
_SHAPE_KNOWN: Final = 20
_KEY: Final = re.compile(r'"(\w{1,80})":|\b(\w{1,80})=')


def _of_rare_shape(path: str, rows_max: int) -> Iterator[str]:
    """Lines with keys that no other line of the sample has: what a person did is rare, and so is its
    column."""
    known: Counter[Hashable] = Counter()
    with open(path, encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(islice(file, rows_max + _LOOKED_THROUGH)):
            shape = _keys(line)
            known[shape] += 1
            if number >= rows_max and known[shape] <= _SHAPE_KNOWN:
                yield line


def _keys(line: str) -> Hashable:
    return tuple(a or b for a, b in _KEY.findall(line))


def _filled(cells: Sequence[str]) -> Hashable:
    return tuple(map(bool, cells))


def _spread_rows(
    rows: Iterable[_T], rows_max: int, shape_of: Callable[[_T], Hashable]
) -> Iterator[_T]:
    """The first rows, some of each ten thousand after them, and those of a shape that few have."""
    known: Counter[Hashable] = Counter()
    for number, row in enumerate(islice(rows, _FAR_ROWS)):
        is_taken = number < rows_max or number % _RUN_EVERY < _RUN
        if number < rows_max + _LOOKED_THROUGH:
            shape = shape_of(row)
            known[shape] += 1
            is_taken = is_taken or known[shape] <= _SHAPE_KNOWN
        if is_taken:
            yield row


def _csv_rows(file: IO[str], source: Source, rows_max: int) -> list[Row]:
    """Rows of CSV; damaged ones are left out, they are counted where all are read."""
    found = records(file, source.delimiter)
    header = next((one.cells for one in found if not one.problem), [])
    sound = (one.cells for one in found if not one.problem)
    return [
        {name: cell or None for name, cell in zip(header, cells, strict=True)}
        for cells in _spread_rows(sound, rows_max, _filled)
    ]


def _parquet_sample(path: str, rows_max: int) -> list[Row]:
    try:
        file = importlib.import_module("pyarrow.parquet").ParquetFile(path)
        table = list(islice(file.iter_batches(batch_size=rows_max), 1))
        groups = range(1, file.num_row_groups)
        for group in groups[:: len(groups) // _GROUPS_MAX + 1]:
            table += islice(file.iter_batches(batch_size=_RUN, row_groups=[group]), 1)
    except Exception as error:
        raise Unreadable(f"{path}: not a readable Parquet file ({short(error)})") from error
    rows = [flat(row) for batch in table for row in batch.to_pylist()]
    if not rows:
        raise Unreadable(f"{path}: the file has no rows")
    return rows
