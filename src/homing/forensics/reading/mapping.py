"""The mapping of a log's columns to ours, as a value and as a TOML file to edit."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping as Map
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import PurePath
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from homing.core.errors import ConfigError
from homing.forensics.reading.synonyms import SYNONYMS
from homing.forensics.vocabulary import DECLARED, declared, normal

#: the unit of a column that has statuses of HTTP too: of it only the words
WORDS: Final = "words"
#: of a status: the column is a text in which somebody answers with one (`answer 503`, `503 Service Unavailable`)
ANSWER: Final = "answer"
#: of a column of words with sentences here and there: these without their names and numbers
KINDS: Final = "kinds"
#: of a file that has nothing to do with deliveries: it is left out
NO_ROWS: Final = "none"
LAYOUTS: Final = ("events", "attempts", "deliveries", "jobs", NO_ROWS)
SHIPPED: Final = ("homing", "svix-attempts", "svix-messages", "stripe-events", "job-queue")


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """Where a field comes from."""

    path: str = ""
    #: of a time or a length: s, ms, us, ns, iso, date, stream, or a format; of a text: WORDS or KINDS; of a status: ANSWER
    unit: str | None = None
    zone: str | None = None  #: of times that name none, such as Europe/Berlin; None: UTC
    value: str | None = None  #: the same for all rows of the file, which has no column for it
    others: tuple[str, ...] = ()  #: where it stands in rows that lack `path`


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """How the rows of one file become lines of a delivery log."""

    layout: str
    columns: dict[str, Column]
    words: dict[str, str] = field(default_factory=dict)  #: the log's word → ours
    extras: tuple[str, ...] = ()
    name: str = "guessed"
    doubts: tuple[str, ...] = ()  #: what was guessed and may be wrong, in sentences
    files: tuple[tuple[str, Mapping], ...] = ()  #: by pattern of a file's name, if not for all

    @property
    def key(self) -> tuple[str, ...]:
        """The fields that name a delivery."""
        if "delivery" in self.columns:
            return ("delivery",)
        return tuple(f for f in ("message", "endpoint") if f in self.columns)

    @property
    def paths(self) -> tuple[str, ...]:
        """The columns of the file that it needs."""
        named = [p for c in self.columns.values() if c.value is None for p in (c.path, *c.others)]
        return (*named, *self.extras)

    def of_file(self, path: str) -> Mapping | None:
        """The mapping for one file; None if it is none of those that are declared."""
        if not self.files:
            return self
        return next((one for pattern, one in self.files if PurePath(path).match(pattern)), None)

    @property
    def is_table(self) -> bool:
        """Whether a row is there once for what it is of, and tells how that stands."""
        return self.layout in ("deliveries", "jobs")

    def has(self, name: str) -> bool:
        """Whether the log has the field."""
        return name in self.columns


def shipped(name: str) -> Mapping:
    """One of the mappings that come with Homing.

    Raises:
        ConfigError: there is none of the name.
    """
    if name not in SHIPPED:
        raise ConfigError([f"--mapping {name}: expected a file or one of {', '.join(SHIPPED)}"])
    text = resources.files("homing.forensics.reading").joinpath(f"mappings/{name}.toml").read_text()
    return replace(parse(text, name), name=name)


def parse(text: str, where: str = "mapping") -> Mapping:
    """The mapping that a TOML text declares.

    Raises:
        ConfigError: all that is wrong with it.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"{where}: {error}"]) from error
    if "files" not in document:
        return _parsed(document, where)
    files = tuple(
        (pattern, _parsed(one, f"{where}, {pattern}")) for pattern, one in document["files"].items()
    )
    return Mapping(layout="events", columns={}, name="declared", files=files)


def _parsed(document: dict[str, Any], where: str) -> Mapping:
    problems = []
    layout = document.get("layout", "events")
    if layout not in LAYOUTS:
        problems.append(f"{where}: layout = {layout!r}: expected one of {', '.join(LAYOUTS)}")
    if layout == NO_ROWS and not document.get("columns"):
        return Mapping(layout=layout, columns={}, name="declared")
    columns = {}
    for name, value in document.get("columns", {}).items():
        one: dict[str, Any] = {"column": value} if isinstance(value, str | list) else value
        wrong = _wrong_column(name, one)
        if wrong:
            problems.append(f"{where}: [columns] {name}: {wrong}")
        else:
            paths = one.get("column", "")
            first, *others = [paths] if isinstance(paths, str) else paths
            columns[name] = Column(
                path=first,
                others=tuple(others),
                unit=one.get("unit"),
                zone=one.get("zone"),
                value=one.get("value"),
            )
    words = {str(k): str(v) for k, v in document.get("words", {}).items()}
    for word, ours in words.items():
        if declared(ours) is None:
            problems.append(
                f"{where}: [words] {word} = {ours!r}: expected one of {', '.join(DECLARED)}"
            )
    if not problems and not ({"delivery", "message"} & columns.keys()):
        problems.append(f"{where}: [columns] needs delivery, or message (and endpoint)")
    if not problems and "at" not in columns and "accepted_at" not in columns:
        problems.append(f"{where}: [columns] needs at: the time of a row")
    if problems:
        raise ConfigError(problems)
    if "at" not in columns:
        columns["at"] = columns["accepted_at"]
    return Mapping(
        layout=layout,
        columns=columns,
        words={word: DECLARED[normal(ours)].name.lower() for word, ours in words.items()},
        extras=tuple(document.get("extras", ())),
        name="declared",
    )


def _wrong_column(name: str, one: Any) -> str:
    """What is wrong with the declaration of a column; empty if nothing is."""
    if name not in SYNONYMS:
        return f"expected one of {', '.join(SYNONYMS)}"
    if not isinstance(one, dict) or not (
        _is_path(one.get("column")) or isinstance(one.get("value"), str)
    ):
        return "expected the name of a column, a list of them, or { value = ... } for all rows"
    if (zone := one.get("zone")) is not None:
        try:
            ZoneInfo(zone)
        except (OSError, ValueError, TypeError, KeyError):
            return f"zone = {zone!r}: expected a name such as Europe/Berlin"
    return ""


def _is_path(value: Any) -> bool:
    listed = [value] if isinstance(value, str) else value
    return isinstance(listed, list) and bool(listed) and all(isinstance(p, str) for p in listed)


#: what is worth to be named by hand, in the order in which it helps
_ASKED: Final = (
    "delivery", "message", "endpoint", "at", "op", "to_state", "from_state", "status", "outcome",
    "reason", "attempt", "worker", "epoch", "version_after", "due", "delay", "lease_until",
    "accepted_at", "finished_at", "dead_at",
)  # fmt: skip
_EXAMPLE_MAX: Final = 40
_UNUSED_MAX: Final = 40


def to_toml(
    mapping: Mapping, words: Map[str, str] | None = None, unused: Map[str, str] | None = None
) -> str:
    """The mapping as an editable TOML file; `parse` reads it back.

    Args:
        unused: columns that were taken for nothing, each with a value of it.
    """
    lines = [
        "# How the columns of this log become those of a delivery log.",
        "# Edit, and pass with `homing investigate --mapping FILE`.",
        "# layout: events (a row per change), attempts (a row per request), deliveries (a row each),",
        "# jobs (a row each, of deliveries that have rows of their own), none (the file is left out)",
        f"layout = {_quoted(mapping.layout)}",
        f"extras = [{', '.join(map(_quoted, mapping.extras))}]",
        "",
        *(f"# in doubt: {doubt}" for doubt in mapping.doubts),
        "[columns]",
    ]
    if not mapping.key:
        lines.append('# delivery = "..."    # needed: the column that names a delivery')
    if "at" not in mapping.columns:
        lines.append('# at = "..."          # needed: the column with the time of a row')
    lines += [f"{name} = {_declared_column(column)}" for name, column in mapping.columns.items()]
    free = [name for name in _ASKED if name not in mapping.columns]
    lines.append(f"# not found: {', '.join(free)}")
    if unused:
        lines.append("# columns taken for nothing, with a value of each:")
        lines += [
            f"#   {_quoted(path)}  {_example(value)}"
            for path, value in list(unused.items())[:_UNUSED_MAX]
        ]
    lines += [
        "",
        "# the log's words, and what most of their lines were taken for; without its # a word is that",
        "# in each of its lines, whatever else they say",
        "[words]",
    ]
    every = dict(words or {}) | mapping.words
    lines += [
        f"{'' if word in mapping.words else '# '}{_quoted(word)} = {_quoted(ours)}"
        for word, ours in every.items()
    ]
    return "\n".join(lines) + "\n"


def many_to_toml(texts: Map[str, str]) -> str:
    """One TOML file of several mappings, each for the files whose name fits its pattern."""
    parts = []
    for pattern, text in texts.items():
        table = f"files.{_quoted(pattern)}"
        body = text
        for inner in ("columns", "words"):
            body = body.replace(f"\n[{inner}]\n", f"\n[{table}.{inner}]\n")
        parts.append(f"[{table}]\n{body}")
    return "\n".join(parts)


def _example(value: str) -> str:
    return re.sub(r"[\x00-\x1f\x7f\s]+", " ", value)[:_EXAMPLE_MAX]


def _declared_column(column: Column) -> str:
    if column.value is not None:
        return f"{{ value = {_quoted(column.value)} }}"
    told = {"unit": column.unit, "zone": column.zone}
    more = "".join(f", {k} = {_quoted(v)}" for k, v in told.items() if v is not None)
    path = _quoted(column.path)
    if column.others:
        path = f"[{', '.join(map(_quoted, (column.path, *column.others)))}]"
    return f"{{ column = {path}{more} }}" if more else path


def _quoted(text: str) -> str:
    return msgspec.json.encode(str(text)).decode()
