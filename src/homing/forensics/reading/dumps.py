"""The rows of a dump of a database, as mysqldump, pg_dump and SQLite's shell write it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from homing.forensics.reading.records import widths

#: a row goes on over so many lines at most; beyond them a quote was never closed
_ROW_LINES_MAX: Final = 1_000

_NAME: Final = r'(?:`[^`]+`|"[^"]+"|\[[^\]]+\]|\w+)'
_TABLE: Final = rf"(?:{_NAME}\.)?(?P<table>{_NAME})"
_CREATE: Final = re.compile(
    rf"CREATE (?:\w+ ){{0,2}}TABLE (?:IF NOT EXISTS )?{_TABLE}\s*\((?P<rest>.*)", re.I | re.S
)
_INSERT: Final = re.compile(
    rf"(?:INSERT|REPLACE) (?:IGNORE )?INTO {_TABLE}\s*(?:\((?P<columns>[^)]*)\))?\s*(?:VALUES\b)?",
    re.I,
)
_COPY: Final = re.compile(rf"COPY {_TABLE}\s*\((?P<columns>[^)]*)\) FROM stdin;", re.I)
_BEGINS: Final = re.compile(
    r"--|/\*|(SET|USE|BEGIN|START|PRAGMA|DROP|CREATE|LOCK|ALTER|INSERT|REPLACE|COPY|SELECT)\b", re.I
)
_HOLDS: Final = re.compile(rf"(INSERT INTO|COPY|CREATE TABLE) {_TABLE}", re.I)
#: an INSERT whose values are not looked at ends with such a line
_ENDS: Final = re.compile(r"\);\s*$")
#: a word with which a line of CREATE TABLE begins that is no column
_NO_COLUMN: Final = re.compile(
    r"(PRIMARY|UNIQUE|KEY|INDEX|CONSTRAINT|FOREIGN|CHECK|FULLTEXT|SPATIAL|EXCLUDE|LIKE|PARTITION)\b",
    re.I,
)


def is_dump(head: str) -> bool:
    """Whether a file is a dump of a database, by its beginning."""
    lines = [line for line in head.splitlines() if line.strip()]
    return bool(lines and _BEGINS.match(lines[0])) and any(map(_HOLDS.match, lines))


class DumpRow(NamedTuple):
    """A row of a table, or what is wrong with the line where one should be."""

    line: int  #: from 1
    table: str
    row: dict[str, Any] | None
    problem: str = ""


def tables_of(lines: Iterable[str]) -> list[str]:
    """The tables of which the dump has rows, without reading these."""
    found: dict[str, None] = {}
    copied = ""
    for line in lines:
        if copied and not line.startswith("\\."):
            found[copied] = None
        copied = ""
        if of_copy := _COPY.match(line):
            copied = _bare(of_copy["table"])
        elif of_insert := _INSERT.match(line):
            found[_bare(of_insert["table"])] = None
    return list(found)


def dump_rows(lines: Iterable[str], table: str | None = None) -> Iterator[DumpRow]:
    """Every row of a table, or of all, in the order of the dump; values are None, numbers or texts.

    What is no row of values is damaged, and the next statement begins anew.

    Args:
        table: whose rows are asked for; the values of others are not looked at.
    """
    reader = _Reader(table)
    for number, line in enumerate(lines, 1):
        yield from reader.read(number, line)
    yield from reader.end()


class _Reader:
    """Where in a dump one is."""

    def __init__(self, wanted: str | None) -> None:
        self._wanted = wanted
        self._of_table: dict[str, list[str]] = {}
        self._is_escaped = False  #: a backslash escapes, as MySQL has it
        self._table = ""
        self._columns: list[str] = []
        self._within = ""  #: "create", "insert", "copy", or none of these
        self._text = ""  #: what of a statement is not yet read
        self._since = 0  #: the line where that begins

    def read(self, number: int, line: str) -> Iterator[DumpRow]:
        self._is_escaped |= "`" in line and not self._within
        if self._within == "copy":
            yield from self._copied(number, line.rstrip("\r\n"))
        elif self._within == "insert" and self._is_other() and not _INSERT.match(line):
            self._within = "" if _ENDS.search(line) else "insert"
        elif self._within == "insert" and not _INSERT.match(line):
            yield from self._inserted(number, line)
        else:
            if self._within == "insert":
                yield from self.end()
            yield from self._statement(number, line)

    def _statement(self, number: int, line: str) -> Iterator[DumpRow]:
        if self._within == "create":
            self._text += line
            self._created()
        elif found := _CREATE.match(line):
            self._table, self._text, self._within = _bare(found["table"]), found["rest"], "create"
            self._created()
        elif found := _COPY.match(line):
            self._begin(found, "copy")
        elif found := _INSERT.match(line):
            self._begin(found, "insert")
            if not self._is_other():
                yield from self._inserted(number, line[found.end() :])
            elif _ENDS.search(line):
                self._within = ""

    def _is_other(self) -> bool:
        return self._wanted is not None and self._table != self._wanted

    def _begin(self, found: re.Match[str], within: str) -> None:
        self._table, self._within, self._text = _bare(found["table"]), within, ""
        own = self._of_table.get(self._table, [])
        self._columns = [_bare(one) for one in (found["columns"] or "").split(",") if one.strip()]
        self._columns = self._columns or own

    def _created(self) -> None:
        if ";" not in self._text:
            return
        parts = _parts(self._text)
        names = [one.split()[0] for one in parts if one.split() and not _NO_COLUMN.match(one)]
        self._of_table[self._table] = [_bare(name) for name in names]
        self._within, self._text = "", ""

    def _copied(self, number: int, line: str) -> Iterator[DumpRow]:
        if line == "\\.":
            self._within = ""
        elif not self._is_other():
            yield self._row(number, [_copied(cell) for cell in line.split("\t")])

    def _inserted(self, number: int, line: str) -> Iterator[DumpRow]:
        self._since = self._since if self._text.strip() else number
        text, at = self._text + line, 0
        whole, value = _PATTERNS[self._is_escaped]
        while found := whole.match(text, at):
            cells = [_value(one, is_escaped=self._is_escaped) for one in value.finditer(found[1])]
            yield self._row(self._since, cells)
            self._since, at = number, found.end()
            if found[2] == ";":
                self._within, self._text = "", ""
                return
        self._text = text[at:]
        if number - self._since > _ROW_LINES_MAX:
            yield from self.end()

    def _row(self, number: int, cells: list[Any]) -> DumpRow:
        names = self._columns or [f"column{n + 1}" for n in range(len(cells))]
        if len(cells) != len(names):
            return DumpRow(number, self._table, None, widths(len(cells), len(names)))
        return DumpRow(number, self._table, dict(zip(names, cells, strict=True)))

    def end(self) -> Iterator[DumpRow]:
        """What is left of a statement that does not end."""
        left = self._text.strip()
        if self._within == "insert" and left and not self._is_other():
            problem = f"no row of values: {left[:60]!r}"
            yield DumpRow(self._since, self._table, None, problem)
        self._within, self._text = "", ""


def _patterns(inside: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """A row of values and what follows it; and each of its values."""
    text = rf"(?:_\w+\s+|[EBNX])?'(?:{inside})*+'"
    other = r"[^\s,()';][^,()';]*+(?:\([^()]*\))?"
    value = rf"\s*+(?:{text}(?:::[\w ]+)?|{other})\s*+"
    row = rf"\s*+,?\s*+\(((?:{value})(?:,{value})*+)\)\s*+([,;]?)"
    return re.compile(row, re.I), re.compile(value, re.I)


_PATTERNS: Final = {False: _patterns(r"[^']|''"), True: _patterns(r"[^'\\]|''|\\.")}
_ESCAPED: Final = re.compile(r"\\(.)|''", re.S)
_BACKSLASH: Final = re.compile(r"\\(.)", re.S)
_MEANT: Final = {"n": "\n", "t": "\t", "r": "\r", "0": "", "Z": ""}
_TEXT: Final = re.compile(r"(?:_\w+\s+|[EBNX])?'(.*)'(?:::[\w ]+)?$", re.I | re.S)
_NUMBER: Final = re.compile(r"-?\d+(\.\d+)?$")


def _value(found: re.Match[str], *, is_escaped: bool) -> Any:
    text = found[0].strip()
    if quoted := _TEXT.match(text):
        inside = quoted[1]
        if is_escaped:
            return _ESCAPED.sub(lambda m: _MEANT.get(m[1], m[1]) if m[1] else "'", inside)
        return inside.replace("''", "'")
    if text.upper() == "NULL":
        return None
    if _NUMBER.match(text):
        return float(text) if "." in text else int(text)
    return text


def _copied(cell: str) -> str | None:
    """A cell of COPY: `\\N` is nothing, and a backslash escapes."""
    if cell == "\\N":
        return None
    return _BACKSLASH.sub(lambda m: _MEANT.get(m[1], m[1]), cell)


_PIECE: Final = re.compile(r"'(?:[^']|'')*'|[(),]|[^'(),]+")


def _parts(text: str) -> list[str]:
    """What stands between the commas of CREATE TABLE's outermost parentheses."""
    parts, depth = [""], 0
    for piece in _PIECE.findall(text):
        depth += (piece == "(") - (piece == ")")
        if depth < 0:
            break
        if piece == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += piece
    return [part.strip() for part in parts]


def _bare(name: str) -> str:
    return name.strip().strip('`"[]')
