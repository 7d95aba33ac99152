"""What kind of file a log is, and a sample of its rows with every field by its path."""

from __future__ import annotations

import codecs
import csv
import glob
import gzip
import importlib
import io
import json
import re
import zlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

import msgspec

from homing.core.errors import ConfigError, HomingError
from homing.forensics.reading.audits import audited, change_in
from homing.forensics.reading.dumps import is_dump, tables_of
from homing.forensics.reading.lines import (
    Row,
    is_batch,
    is_composed,
    json_object,
    logfmt,
    rows_within,
)
from homing.forensics.reading.records import records
from homing.forensics.reading.sentences import is_level, stamped

#: one row may be as long as this, whatever the form
FIELD_BYTES_MAX: Final = 1 << 26
csv.field_size_limit(FIELD_BYTES_MAX)
#: beyond this a file that is one JSON document is refused: it must be read whole
DOCUMENT_BYTES_MAX: Final = 1 << 30
_HEAD_BYTES: Final = 1 << 16


class Unreadable(HomingError):
    """The log cannot be read; says which line of which file, and why."""

    code = "unreadable_log"


class NoLog(Unreadable):
    """A file that is nothing that a log is: beside others of its folder it may be left out."""


class Source(NamedTuple):
    """One file of a log."""

    path: str  #: of the file, or for a table of a dump the file's, a colon, and the table's name
    form: str  #: "jsonl", "json", "csv", "parquet", "logfmt", "changes" (of rows), "audit" (CSV of changes), "batches" (of rows, one a line), "composed" (lines of several containers), "dump" (of a database) or "text" (sentences with a time)
    delimiter: str = ","
    has_header: bool = True  #: of CSV
    table: str = ""  #: of a dump
    near: datetime | None = (
        None  #: when about it was written, where its times name no year and others do
    )


def file_of(path: str) -> str:
    """The path of the file that a table of a dump is in; any other path is that of a file itself."""
    outer, _, _ = path.rpartition(":")
    return outer if outer and not Path(path).exists() else path


def find_files(patterns: Sequence[str]) -> list[str]:
    """The files that names, folders and globs stand for, in order of name.

    Raises:
        Unreadable: a name stands for no file.
    """
    found: list[str] = []
    for pattern in patterns:
        if Path(pattern).is_dir():
            names = sorted(str(p) for p in Path(pattern).rglob("*") if p.is_file())
        elif Path(pattern).exists():
            names = [pattern]
        else:
            names = sorted(glob.glob(pattern, recursive=True))
        if not names and Path(pattern).is_dir():
            raise _bad(
                f"{pattern}: expected the files of a delivery log in this folder; it has none"
            )
        if not names:
            raise _bad(f"{pattern}: expected a file, a folder or a glob; there is none")
        found.extend(names)
    return found


def _bad(text: str) -> Unreadable:
    return Unreadable(text)


class _Cut(io.RawIOBase):
    """Unpacked bytes up to where the packed file is cut off or damaged, as of a log still written."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.why = ""  #: it ends; empty for a whole file
        self._is_begun = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """The next bytes; none at the end, whole or not."""
        try:
            got = self._file.read1(len(buffer))
        except (EOFError, zlib.error, OSError) as error:
            if not self._is_begun:
                raise
            self.why = str(error)
            got = b""
        self._is_begun = True
        buffer[: len(got)] = got
        return len(got)

    def close(self) -> None:
        self._file.close()
        super().close()


def cut_off(file: IO[str]) -> str:
    """Why a packed file that was read to its end has no more; empty for a whole one."""
    raw = getattr(getattr(file, "buffer", None), "raw", None)
    return raw.why if isinstance(raw, _Cut) else ""


def cut_short(path: str) -> str:
    """Why a file of zstd ends before its end, which the quick reader takes for its end; empty for others."""
    if not path.endswith(_ZSTD):
        return ""
    with open_text(path) as file:
        while file.buffer.read(_HEAD_BYTES):  # type: ignore[attr-defined]
            pass
        return cut_off(file)


_ZSTD: Final = (".zst", ".zstd")
#: of zstd that is cut off, no more than so much before the end is lost
_ZSTD_BYTES: Final = 1 << 12


def open_text(path: str) -> IO[str]:
    """The file as text, unpacked by its ending (.gz, .zst); bytes that are not UTF-8 are marked."""
    if path.endswith(".gz"):
        unpacked = io.BufferedReader(_Cut(gzip.GzipFile(path)), 1 << 16)
        return io.TextIOWrapper(unpacked, encoding="utf-8-sig", errors="replace")
    if path.endswith(_ZSTD):
        arrow = importlib.import_module("pyarrow")
        packed = _Cut(arrow.CompressedInputStream(arrow.OSFile(path), "zstd"))
        unpacked = io.BufferedReader(packed, _ZSTD_BYTES)
        return io.TextIOWrapper(unpacked, encoding="utf-8-sig", errors="replace")
    return open(path, encoding="utf-8-sig", errors="replace")


def look_at(path: str) -> Source:
    """What form a file has, by its ending and its first bytes.

    Raises:
        Unreadable: it is empty, or nothing that a log is.
    """
    if ".parquet" in Path(path).suffixes or _magic(path) == b"PAR1":
        return Source(path, "parquet")
    try:
        with open_text(path) as file:
            head = file.read(_HEAD_BYTES)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise _bad(f"{path}: {_unpacked(path, error)}") from error
    if _magic(path)[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        raise _bad(
            f"{path}, line 1: expected UTF-8; found UTF-16: convert it with `iconv -f UTF-16 -t UTF-8`"
        )
    text = head.lstrip()
    if not text:
        raise NoLog(f"{path}, line 1: expected rows of a delivery log; the file is empty")
    if "\0" in text[:2_000]:
        raise NoLog(f"{path}, line 1: expected text or Parquet; found binary data")
    return _form(path, text)


#: by which each form of packing is known, whatever the file is called
_PACKED: Final = {".gz": b"\x1f\x8b", ".zst": b"\x28\xb5\x2f\xfd", ".zstd": b"\x28\xb5\x2f\xfd"}


def _unpacked(path: str, error: Exception) -> str:
    """Why a file cannot even be begun."""
    suffix = Path(path).suffix
    if suffix in _PACKED and not _magic(path).startswith(_PACKED[suffix]):
        kind = "gzip" if suffix == ".gz" else "zstd"
        return f"its name ends in {suffix}, and it is no {kind}: give it the ending of what it is"
    if suffix in _PACKED:
        return f"it is cut off, or damaged, before a row of it can be read ({short(error)})"
    return getattr(error, "strerror", None) or str(error)


def sources_of(patterns: Sequence[str]) -> tuple[list[Source], list[str]]:
    """The files that patterns stand for, and what is said of those in a folder, or of a glob, that are no logs.

    Raises:
        Unreadable: a file cannot be read, or none is a log.
    """
    sources: list[Source] = []
    left_out: list[NoLog] = []
    for path in find_files(patterns):
        try:
            source = look_at(path)
        except NoLog as error:
            if path in patterns:
                raise
            left_out.append(error)
            continue
        if _is_header_alone(source):  # nothing was ever written to such a table
            text = f"{path}, line 2: expected rows below the header; there is none"
            left_out.append(NoLog(text))
        else:
            sources += _tables(source) if source.form == "dump" else [source]
    if not sources:
        raise left_out[0]
    return sources, [str(one) for one in left_out]


def _tables(source: Source) -> list[Source]:
    """The tables of a dump that have rows.

    Raises:
        Unreadable: none has.
    """
    with open_text(source.path) as file:
        names = tables_of(file)
    if not names:
        raise _bad(f"{source.path}: expected rows of tables in this dump; it has none")
    return [source._replace(path=f"{source.path}:{name}", table=name) for name in names]


def _is_header_alone(source: Source) -> bool:
    if source.form != "csv" or not source.has_header:
        return False
    with open_text(source.path) as file:
        return len(list(islice(records(file, source.delimiter), 2))) < 2


def _form(path: str, text: str) -> Source:
    """What a file is by its beginning.

    Raises:
        Unreadable: nothing that a log is.
    """
    lines = [line.strip() for line in text.splitlines()[:_LINES_LOOKED_AT]]
    first = lines[0]
    if is_dump(text):
        return Source(path, "dump")
    if text[0] == "{":
        if not _is_object(first):
            return _json(path, text, first)
        objects = [found for line in lines if (found := json_object(line)) is not None]
        if sum(change_in(one) is not None for one in objects) > len(objects) / 2:
            return Source(path, "changes")
        if any(map(is_batch, objects)):
            return Source(path, "batches")
        return Source(path, "json" if _is_listing(text) else "jsonl")
    if text[0] == "[" and text[1:].lstrip()[:1] == "{":
        return _json(path, text, first)
    if any(map(_is_object, lines)):
        return Source(path, "jsonl")  # a damaged first line
    told = [line for line in lines if line]
    if is_composed(told):
        return Source(path, "composed")
    delimiter = max(",;\t|", key=first.count)
    columns = first.count(delimiter)
    if columns and _is_audit(text, delimiter):
        return Source(path, "audit", delimiter)
    stamps = [stamped(line) for line in told]
    if sum(stamp is not None for stamp in stamps) > len(told) / 2:
        # of a row of values: as many cells in each, and more than the comma of a time's fraction
        counts = [_cells(line, delimiter) - 1 for line in told]
        is_sentence = sum(one is not None and delimiter not in one.rest for one in stamps)
        is_table = columns and counts.count(columns) >= _ALIKE * len(counts)
        is_table = is_table or _has_names(told, counts, delimiter)
        if stamps[0] is not None and (
            is_sentence > len(told) / 2 or not _is_time(first.split(delimiter)[0])
        ):
            is_table = False
        if not is_table:
            return Source(path, "text")
        return Source(path, "csv", delimiter, has_header=stamps[0] is None)
    if sum(len(logfmt(line) or ()) >= 3 for line in told) > len(told) / 2:
        return Source(path, "logfmt")
    if text[0] == "[":
        return _json(path, text, first)
    if not columns:
        raise NoLog(
            f"{path}, line 1: expected JSON lines, CSV with a header, Parquet, key=value lines or "
            f"lines that begin with a time; found {first[:60]!r}"
        )
    return Source(path, "csv", delimiter, has_header=not _is_of_values(first, delimiter))


def _is_audit(text: str, delimiter: str) -> bool:
    """Whether the rows of CSV tell of the changes of other rows, as a trigger writes them."""
    whole = text.splitlines(keepends=True)[:-1]  # the last may be cut off
    header, *below = [one.cells for one in records(whole, delimiter) if not one.problem] or [[]]
    rows = [dict(zip(header, cells, strict=True)) for cells in below[:_LINES_LOOKED_AT]]
    return sum(audited(row) is not None for row in rows) > len(rows) / 2


#: of the lines of CSV that are looked at so many have as many cells as the first
_ALIKE: Final = 0.9
_NAME: Final = re.compile(r"[^\W\d][\w.-]*( [\w.-]+){0,2}")


def _has_names(lines: Sequence[str], counts: Sequence[int], delimiter: str) -> bool:
    """Whether a first line names columns, two or more and none twice, and most of those below it, though
    some may be damaged, have as many cells and one that is a time."""
    names = [cell.strip(" \"'").lower() for cell in lines[0].split(delimiter)]
    if not 1 < len(names) == len(set(names)) or not all(map(_NAME.fullmatch, names)):
        return False
    below = [
        any(map(_is_time, line.split(delimiter)))
        for line, count in zip(lines[1:], counts[1:], strict=True)
        if count == len(names) - 1
    ]
    return sum(below) > (len(lines) - 1) / 2


def _is_time(cell: str) -> bool:
    """Whether a cell is a time and no more."""
    stamp = stamped(cell.strip(" \"'"))
    return stamp is not None and not stamp.rest


def _cells(line: str, delimiter: str) -> int:
    """How many cells a line has; what is in quotes separates none."""
    try:
        return len(next(csv.reader([line], delimiter=delimiter)))
    except csv.Error:
        return line.count(delimiter) + 1


_LINES_LOOKED_AT: Final = 50
_VALUE: Final = re.compile(r"\d{5,}|[0-9a-f]{8}-[0-9a-f]{4}-", re.I)


def _is_of_values(line: str, delimiter: str) -> bool:
    """Whether a first line of CSV names no columns but is a row itself."""
    cells = next(csv.reader([line], delimiter=delimiter))
    times = (stamped(cell) for cell in cells if cell[:1].isdigit())
    return any(t is not None and not t.rest for t in times) or any(map(_VALUE.match, cells))


def column_names(source: Source, cells: Sequence[str]) -> list[str]:
    """The names of the columns of CSV: its first line, or where that is a row `column1`, …, but for what
    a logger writes between the time and an object: who writes, how grave it is, what it says.

    A name that is there twice is told apart by its number.
    """
    if not source.has_header:
        framed = _framed(cells)
        return [framed.get(n, f"column{n + 1}") for n in range(len(cells))]
    names: list[str] = []
    for number, cell in enumerate(cells, 1):
        names.append(f"{cell}_{number}" if cell in names else cell)
    return names


def _framed(cells: Sequence[str]) -> dict[int, str]:
    """The places of a logger's cells, `time host INFO main.go:44 starting {…}`, with what each is."""
    level = next((n for n, cell in enumerate(cells) if is_level(cell)), None)
    said = len(cells) - 1 - (cells[-1][:1] == "{")
    if level is None or said <= level:
        return {}
    found = {level: "level", said: "message"}
    if level == 2:
        found[1] = "host"
    if said == level + 2:
        found[level + 1] = "caller"
    return found


def _json(path: str, text: str, first: str) -> Source:
    """One JSON document, or lines of which the first is damaged."""
    later = [line.strip() for line in text.splitlines()[1:50]]
    if sum(map(_is_object, later)) > len(later) / 2:
        return Source(path, "jsonl")
    if Path(path).stat().st_size > DOCUMENT_BYTES_MAX:
        raise _bad(f"{path}: one JSON document of more than 1 GiB; write one object a line")
    return Source(path, "json")


def _is_listing(text: str) -> bool:
    """Whether one line is all there is, and it holds a list of rows, as answers of an API do."""
    lines = text.split("\n", 1)
    if len(lines) > 1 and lines[1].strip():
        return False
    value = json_object(lines[0])  # None: longer than what was read of it
    return value is None or bool(list(rows_within(list(value.values()))))


def _magic(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(4)
    except OSError as error:
        raise _bad(f"{path}: {error.strerror or error}") from error


def _is_object(line: str) -> bool:
    return json_object(line) is not None


def short(error: Exception) -> str:
    return str(error).splitlines()[0][:120] if str(error) else type(error).__name__


def document_rows(path: str) -> list[Row]:
    """The objects of JSON documents: lists, or objects that hold one (`data`, `items`, …).

    Raises:
        Unreadable: they are not JSON, or hold no list of objects.
    """
    with open_text(path) as file:
        text = file.read()
    rows = list(_within(path, text))
    if not rows:
        raise _bad(f"{path}, line 1: expected a JSON list of objects; found none")
    return rows


_NOT_BLANK: Final = re.compile(r"[^\s,]|$(?![\s\S])")


def _within(path: str, text: str) -> Iterator[Row]:
    try:
        yield from rows_within(msgspec.json.decode(text))
        return
    except (msgspec.DecodeError, RecursionError):
        pass
    # one document after the other, each over several lines; or the line of what is wrong
    decoder, at = json.JSONDecoder(parse_constant=lambda _: None), 0
    while at < len(text):
        try:
            value, end = decoder.raw_decode(text, at)
        except (json.JSONDecodeError, RecursionError) as error:
            raise _bad(f"{path}, {_no_json(text, getattr(error, 'pos', 0))}") from error
        yield from [value] if isinstance(value, dict) else rows_within(value)
        at = _NOT_BLANK.search(text, end).start()  # type: ignore[union-attr]


#: so much of a text is shown around the place where it is no JSON
_AROUND: Final = 24


def _no_json(text: str, at: int) -> str:
    """Where a text is no JSON, and what stands there."""
    start = text.rfind("\n", 0, at) + 1
    found = text[max(start, at - _AROUND) : at + _AROUND].partition("\n")[0]
    return (
        f"line {text.count(chr(10), 0, at) + 1}: expected an object of JSON on each line, or one JSON "
        f"document; it is no JSON from character {at - start + 1} on: {found!r}"
    )


def missing_extra(error: ImportError) -> ConfigError:
    """What to say when the packages of the extra are not there."""
    name = (error.name or "ibis").partition(".")[0]
    return ConfigError(
        [f"investigate needs more packages ({name} is missing): `pip install 'homing[forensics]'`"]
    )
