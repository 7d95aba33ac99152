"""Which column of an unknown log is which of our fields, guessed from names and values. Pure."""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from homing.forensics.operations import Op
from homing.forensics.reading.lines import Row
from homing.forensics.reading.synonyms import COMPOSED, OF_RECEIVER, SYNONYMS
from homing.forensics.row_letters import row_letters
from homing.forensics.vocabulary import meaning, normal

TIMES: Final = (
    "at",
    "accepted_at",
    "changed_at",
    "finished_at",
    "started_at",
    "ready_at",
    "due",
    "lease_until",
    "committed_at",
    "queued_at",
    "removed_at",
    "dead_at",
    "cancelled_at",
)
LENGTHS: Final = ("total_ms", "first_byte_ms", "commit_lag_ms", "delay")
NUMBERS: Final = (
    "attempt",
    "retries",
    "max_attempts",
    "version_before",
    "version_after",
    "rows_written",
    "status",
    "inner_status",
    "bytes",
    "sequence",
    "pending",
    "monotonic",
)
#: more values than this and a text column is no list of words
WORDS_MAX: Final = 80
#: what a time may be written as, besides ISO 8601 and numbers
FORMATS: Final = (
    "%Y/%m/%d %H:%M:%S.%f",
    "%Y/%m/%d %H:%M:%S",
    "%d/%b/%Y:%H:%M:%S %z",
    "%d/%m/%Y %H:%M:%S",
    "%d/%m/%Y %H:%M:%S.%f",
    "%m/%d/%Y %H:%M:%S",
    "%m/%d/%Y %I:%M:%S %p",
    "%m/%d/%Y %I:%M %p",
    "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y %H:%M:%S.%f",
    "%d.%m.%Y %H:%M:%S,%f",
    "%d/%m/%Y %H:%M:%S,%f",
    "%d.%m.%Y, %H:%M:%S",
    "%d/%m/%Y, %H:%M:%S",
    "%m/%d/%Y, %I:%M:%S %p",
    "%d.%m.%Y %H:%M",
    "%d/%m/%Y %H:%M",
    "%m/%d/%Y %H:%M",
    "%d-%m-%Y %H:%M:%S",
    "%d-%b-%Y %H:%M:%S",
    "%d/%b/%Y:%H:%M:%S",
    "%b %d %Y %H:%M:%S",
    "%a, %d %b %Y %H:%M:%S GMT",
    "%a, %d %b %Y %H:%M:%S %z",
    "%d %b %Y %H:%M:%S",
    "%b %d, %Y %H:%M:%S",
    "%b %d, %Y %I:%M:%S %p",
    "%Y%m%dT%H%M%SZ",
    "%Y%m%dT%H%M%S",
    "%Y%m%d %H:%M:%S",
    "%a %b %d %H:%M:%S %Y",
    "%Y-%m-%d %I:%M:%S %p",
)
_STATUSES_MAX: Final = 80
#: of a text so many characters tell what it is
_TEXT_MAX: Final = 1_000
_ISO: Final = re.compile(
    r"^\s*\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d([.,]\d+)?)?\s*(Z|UTC|GMT|[+-]\d\d(:?\d\d)?)?)?\s*$",
    re.I,
)
_NAMED: Final = re.compile(
    r"^\s*(\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?)\s+([A-Z]{3,4}|[A-Z][A-Za-z]+/[A-Za-z_/]+)\s*$"
)
#: hours east of UTC of the short names of zones that mean but one in practice
ZONES: Final = {
    "WET": 0, "WEST": 1, "BST": 1, "CET": 1, "CEST": 2, "MEZ": 1, "MESZ": 2, "EET": 2, "EEST": 3,
    "MSK": 3, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7,
    "JST": 9, "KST": 9, "AEST": 10, "AEDT": 11, "UTC": 0, "GMT": 0,
}  # fmt: skip
_LENGTH: Final = re.compile(r"^\s*(\d+(\.\d+)?\s?(ns|us|µs|μs|ms|s|m|h)\s?)+$")
#: what stands for nothing
NOTHING: Final = (
    "",
    "null",
    "NULL",
    "None",
    "nil",
    "NaN",
    "-",
    "\\N",
    "N/A",
    "n/a",
    "(null)",
    "<null>",
    "[]",
    "{}",
)
_NOTHING: Final = frozenset(NOTHING)
#: the name of an entry of a Redis stream: the milliseconds since 1970, and which of that millisecond
_STREAM: Final = re.compile(r"^\s*1\d{12}-\d+\s*$")
_NUMBER: Final = re.compile(r"^\s*[-+]?\d+([.,]\d+)?([eE][-+]?\d+)?\s*$")


class Seen(NamedTuple):
    """What a column's values are like, in the sample."""

    path: str
    rows: int
    filled: int
    values: Counter[str]
    is_number: bool
    is_whole: bool
    least: float
    most: float
    #: "iso", "s", "ms", "us", "ns", "date" (a Python value), "stream", "named", a format, or None
    time: str | None
    nested: bool = False
    is_native: bool = False  #: numbers or times, not text that looks like them
    is_zoned: bool = True  #: of times: they name their zone, or count from 1970 UTC
    is_length: bool = False  #: lengths of time with their unit: 150ms, 1m30s

    @property
    def distinct(self) -> int:
        return len(self.values)

    @property
    def is_words(self) -> bool:
        return 0 < self.distinct <= WORDS_MAX and self.distinct <= max(3, self.filled * 0.5)

    @property
    def is_calendar(self) -> bool:
        """Whether these are times of a calendar rather than seconds since something."""
        return self.time is not None and not (self.is_number and self.most < 1e8)

    @property
    def http_share(self) -> float:
        """The share of values that are HTTP statuses, of those that are filled."""
        if self.distinct > _STATUSES_MAX:
            return 0.0  # numbers of rows look like statuses too
        good = sum(
            n for value, n in self.values.items() if re.fullmatch(r"(-1|0|[1-5]\d\d)(\.0)?", value)
        )
        real = any(re.fullmatch(r"[1-5]\d\d(\.0)?", v) for v in self.values)
        return good / self.filled if self.filled and real else 0.0


def look(rows: Sequence[Row]) -> dict[str, Seen]:
    """Every column of the sample that has a name."""
    paths: dict[str, None] = {}
    for row in rows:
        paths.update(dict.fromkeys(row))
    paths.pop("", None)
    return {path: _seen(path, [row.get(path) for row in rows]) for path in paths}


def text_of(value: Any) -> str:
    """A value as the reader of the log will see it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    return str(value)


def _seen(path: str, values: list[Any]) -> Seen:
    filled = [v for v in values if v is not None and not (isinstance(v, str) and v in _NOTHING)]
    texts = [text_of(v)[:_TEXT_MAX] for v in filled]
    numbers = [float(t.replace(",", ".")) for t in texts if _NUMBER.match(t)] if filled else []
    is_number = bool(filled) and len(numbers) >= 0.95 * len(filled)
    time = _time_form(path, filled, texts, numbers if is_number else [])
    return Seen(
        path=path,
        rows=len(values),
        filled=len(filled),
        values=Counter(texts),
        is_number=is_number,
        is_whole=is_number and all(n.is_integer() for n in numbers),
        least=min(numbers, default=0.0),
        most=max(numbers, default=0.0),
        time=time,
        nested=any(isinstance(v, list | dict) for v in filled[:50]),
        is_native=bool(filled)
        and all(isinstance(v, int | float | datetime) and not isinstance(v, bool) for v in filled),
        is_zoned=time is None or _names_zone(time, filled[0]),
        is_length=bool(filled) and all(map(_LENGTH.match, texts[:_FEW])),
    )


#: of the values of a column so many show of what form they are
_FEW: Final = 200
#: a calendar time in one number, 20260329011447; as milliseconds it would be in the year 2612
COMPACT: Final = "%Y%m%d%H%M%S"
_COMPACT: Final = re.compile(
    r"\s*(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])([01]\d|2[0-3])[0-5]\d[0-5]\d\s*$"
)


def _names_zone(form: str, value: Any) -> bool:
    if form == "date":
        return getattr(value, "tzinfo", None) is not None
    if form == "iso":
        return bool(
            re.search(r"(Z|UTC|GMT|:\d\d(\.\d+)?\s*[+-]\d\d(:?\d\d)?)\s*$", str(value), re.I)
        )
    return form in (*_PER_SECOND, "named", "stream") or "%z" in form or form.endswith(("Z", "GMT"))


def number_of(text: str) -> float | None:
    """The number that a text is; None if it is none."""
    return float(text.replace(",", ".")) if _NUMBER.match(text) else None


def could_be(seen: Seen, form: str) -> bool:
    """Whether nearly all values of a column are times of the form."""
    texts = list(seen.values)
    return sum(_fits(text, form) for text in texts) >= 0.9 * len(texts)


#: a form that none of so many texts has is not asked of more
_TRIED: Final = 8


def _time_form(path: str, filled: list[Any], texts: list[str], numbers: list[float]) -> str | None:
    if not filled:
        return None
    if all(isinstance(v, datetime) for v in filled[:20]):
        return "date"
    if numbers:
        few = texts[:_FEW]
        is_compact = sum(map(bool, map(_COMPACT.match, few))) >= 0.9 * len(few)
        return COMPACT if is_compact else _number_time(path, sorted(numbers))
    some = texts[:: max(1, len(texts) // 400)]
    if sum(1 for t in some if _ISO.match(t)) >= 0.9 * len(some):
        return "iso"
    if sum(1 for t in some if _offset(t) is not None) >= 0.9 * len(some):
        return "named"
    if all(map(_STREAM.match, some)):
        return "stream"
    if sum(1 for t in some if sum(c.isdigit() for c in t) >= 6 and len(t) >= 12) < 0.9 * len(some):
        return None
    for form in FORMATS:
        if any(_fits(t, form) for t in some[:_TRIED]) and sum(
            1 for t in some if _fits(t, form)
        ) >= 0.9 * len(some):
            return form
    return None


def _offset(text: str) -> str | None:
    """The time of a text that names a zone by a word, with the zone as an offset; None if it is none."""
    match = _NAMED.match(text)
    if match is None:
        return None
    plain, zone = match[1].replace(",", "."), match[2]
    if zone in ZONES:
        return f"{plain}{ZONES[zone]:+03}:00"
    try:
        return datetime.fromisoformat(plain).replace(tzinfo=ZoneInfo(zone)).isoformat()
    except (ValueError, OSError):
        return None


def _number_time(path: str, numbers: list[float]) -> str | None:
    middle = numbers[len(numbers) // 2]
    for least, most, unit in (
        (1e8, 1e11, "s"),
        (1e11, 1e14, "ms"),
        (1e14, 1e17, "us"),
        (1e17, 1e20, "ns"),
    ):
        if least <= middle < most:
            return unit
    suffix = re.search(r"_(ns|us|ms|s)$", normal(path))
    if suffix:
        return suffix[1]
    return "s" if middle >= 0 and _time_name(path) else None


def _time_name(path: str) -> bool:
    name = normal(path).rpartition("_")[2]
    return name in ("at", "ts", "time", "timestamp", "t", "clock", "wall", "until") or any(
        normal(path) in SYNONYMS[field] for field in TIMES
    )


def _fits(text: str, form: str) -> bool:
    try:
        datetime.strptime(text.strip(), form).replace(tzinfo=UTC)
    except ValueError:
        return False
    return True


_PER_SECOND: Final = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


def instant(value: Any, form: str | None) -> float | None:
    """A value of a time as seconds since 1970, to compare it with others; None if it cannot be read."""
    if value is None or value == "" or form is None:
        return None
    try:
        if isinstance(value, datetime):
            return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
        if form in _PER_SECOND:
            return float(value) / _PER_SECOND[form]
        text = str(value).strip()
        if form == "stream":
            return float(text.partition("-")[0]) / _PER_SECOND["ms"]
        if form == "named":
            text, form = _offset(text) or "", "iso"
        when = (
            datetime.fromisoformat(text.replace(",", "."))
            if form == "iso"
            else datetime.strptime(text, form)
        )
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


_UNIT: Final = re.compile(
    r"(_(us|ms|ns|s|sec|secs|seconds|millis|milliseconds|micros|nanos|nano|unix_nano|unix|utc|iso|epoch))+$"
)


#: `at.$date` is how MongoDB writes a time, and `body.stringValue` how OpenTelemetry writes a text
_WRAPPER: Final = re.compile(r"\$\w+|(string|int|double|bool)Value")


def names_of(path: str) -> list[str]:
    """What a path may be called: the whole, and its last parts, and both without a unit."""
    parts = [normal(part) for part in path.split(".") if not _WRAPPER.fullmatch(part)]
    names = ["_".join(parts[i:]) for i in range(len(parts))]
    bare = [_UNIT.sub("", name) for name in names]
    return list(dict.fromkeys([*names, *bare]))


_ENDING_MIN: Final = 3
#: `state_new` is `new_state`
_STATES: Final = ("from_state", "to_state")
#: `due_time` and `due_ts` are `due_at`
_MOMENT: Final = re.compile(r"_(time|ts|timestamp|date|datetime|on)$")


#: fields whose values tell whether a shortened name is theirs
_SHORTENED: Final = frozenset(
    {"to_state", "attempt", "worker", "due", "lease_until", "outcome", "reason"}
)
_SHORT_MIN: Final = 4


def _is_short_for(name: str, word: str) -> bool:
    """Whether a name is the beginning of a word, as `zust` of `zustand` and `proc` of `process`."""
    return _SHORT_MIN <= len(name) <= len(word) - 2 and "_" not in word and word.startswith(name)


#: less than a name that only this field has, and more than those at the end of the list
_COMPOSED_SCORE: Final = 75.0


#: a column that scores so is called the field, and nothing else
CALLED_SO: Final = 90.0


@functools.lru_cache(maxsize=100_000)  # a log may have hundreds of columns
def name_score(field: str, path: str) -> float:
    """How well a column's name says that it is the field: 0 (not at all) to 100."""
    best = 0.0
    synonyms = SYNONYMS[field]
    for depth, name in enumerate(names_of(path)):
        for rank, synonym in enumerate(synonyms):
            score = 0.0
            if name == synonym or name.replace("_", "") == synonym.replace("_", ""):
                score = 100 - 1.2 * rank
            elif field in _STATES and name == "_".join(reversed(synonym.split("_"))):
                score = 96 - 1.2 * rank
            elif field in TIMES and _MOMENT.sub("_at", name) == synonym:
                score = 95 - 1.2 * rank
            elif len(synonym) >= _ENDING_MIN and name.endswith("_" + synonym):
                score = 55 - 0.8 * rank
            elif field in _SHORTENED and _is_short_for(name, synonym):
                score = 50 - 0.05 * rank
            best = max(best, score - 2.0 * depth)
        if field in COMPOSED and COMPOSED[field].fullmatch(name):
            best = max(best, _COMPOSED_SCORE - 2.0 * depth)
    return best


def recognised(seen: Seen, *, is_state: bool) -> float:
    """The share of a column's rows whose word means something to us."""
    if not seen.filled:
        return 0.0
    if not is_state and row_letters(seen.values):
        return 1.0
    known = sum(
        n
        for word, n in seen.values.items()
        if meaning(word, is_state=is_state).op is not Op.UNKNOWN
    )
    return known / seen.filled


def _are_sentences(seen: Seen) -> bool:
    """Whether a column speaks in sentences, more than a list of words has, that we understand."""
    spaced = sum(" " in value for value in seen.values)
    if not 0.5 * seen.distinct < spaced or seen.distinct > 0.1 * seen.filled:
        return False
    return recognised(seen, is_state=False) > _SENTENCES_KNOWN_MIN


#: thirty years in seconds, eleven days in milliseconds
_WAIT_MAX: Final = 1e9
#: a few that nobody understands are of the service itself
_SENTENCES_KNOWN_MIN: Final = 0.7


#: where a line was written, whatever that is called
_OF_PLACE: Final = re.compile(
    r"(^|_)(pod|host|hostname|node|container|instance|cluster|namespace|region|zone|thread|pid)(_?(name|id|ip))?$"
)
#: how far whoever reads a table has come
_OF_CURSOR: Final = re.compile(
    r"^(first|last|max|min|since|after|up_?to|until|prev(ious)?|high|low|start|end)_(\w+_)?"
    r"(id|seq\w*|offset|pos\w*|number|no)$|(^|_)(watermark|cursor|hwm|high_water)(_|$)"
)


def is_of_cursor(path: str) -> bool:
    """Whether a column says how far somebody has read, and names nothing by it."""
    return any(map(_OF_CURSOR.search, names_of(path)))


def fits(field: str, seen: Seen) -> bool:
    """Whether a column's values can be the field's."""
    if not seen.filled or seen.nested:
        return False
    if field in TIMES:
        return seen.time is not None
    if field in ("status", "inner_status"):
        return seen.http_share >= 0.8
    if field in ("attempt", "retries", "max_attempts"):
        return seen.is_whole and seen.least >= 0 and seen.most <= 10_000
    if field == "rows_written":
        return (seen.is_whole and seen.most <= 1_000_000) or set(seen.values) <= {"true", "false"}
    if field in ("epoch",):
        # large enough, it is the seconds since 1970
        return seen.is_number and not (seen.time in ("s", "ms", "us", "ns") and seen.most > 1e8)
    if field in ("version_before", "version_after"):
        return seen.is_number and seen.distinct > 1  # one for all rows is the version of the format
    if field == "delay" and seen.is_number and seen.least > _WAIT_MAX:
        return False  # the moment until which it waits, and not how long
    if field in LENGTHS:
        return seen.is_number or seen.is_length
    if field in NUMBERS:
        return seen.is_number
    if field in ("from_state", "to_state"):
        if any(map(OF_RECEIVER.fullmatch, names_of(seen.path))):
            return False
        return (
            seen.is_words and seen.http_share < 0.5 and not (seen.is_number and seen.distinct > 12)
        )
    if field == "op":
        if _OF_PLACE.search(normal(seen.path)):
            return False
        return (seen.is_words or _are_sentences(seen)) and not seen.is_number
    if field == "outcome":
        counts = seen.is_number and seen.distinct > 2
        return seen.is_words and seen.http_share < 0.5 and not counts
    if field in ("actor", "build", "config", "event_type"):
        return seen.distinct <= max(200, seen.filled * 0.5)
    return True


def varies_within(rows: Sequence[Row], key: Sequence[str], path: str) -> float:
    """The share of deliveries with two or more rows in which the column changes; 0 if none has."""
    first: dict[Any, Any] = {}  # name → the value that its first row has
    many: set[Any] = set()
    changing: set[Any] = set()
    for row in rows:
        value = row.get(path)
        if value is None:
            continue  # of hundreds of columns most rows have few
        name = tuple(None if (part := row.get(k)) is None else str(part) for k in key)
        if name.count(None) == len(name):
            continue
        if name not in first:
            first[name] = value
            continue
        many.add(name)
        if first[name] != value and text_of(first[name]) != text_of(value):
            changing.add(name)
    return len(changing) / len(many) if many else 0.0
