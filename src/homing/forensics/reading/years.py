"""In which year lines were written whose times name none, as in syslog."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Final

from homing.forensics.reading.sentences import NO_YEAR, stamped
from homing.forensics.reading.sources import Source, open_text

#: forms whose lines may name no year
_OF_TEXT: Final = frozenset({"text", "logfmt", "composed"})
#: so many lines at the beginning of a file tell when it was written
_LOOKED_AT: Final = 400
_LINE_MAX: Final = 4_000
#: a date, or a time in seconds or milliseconds that is called one
_DATE: Final = re.compile(
    r"(?<![\d-])(20\d\d)[-/]?(0[1-9]|1[0-2])[-/]?([0-2]\d|3[01])(?=[T ]\d\d:?\d\d)"
)
_EPOCH: Final = re.compile(r"\b(?:time|timestamp|ts|at)\b[\"']?\s*[:=]\s*(1\d{9})(?:\d{3})?(?!\d)")
_HALF_A_YEAR: Final = timedelta(days=183)


def latest_of(source: Source) -> datetime:
    """By when all lines of a file were written: half a year after what is near them, or by its own time."""
    if source.near is not None:
        return source.near + _HALF_A_YEAR
    return datetime.fromtimestamp(Path(source.path).stat().st_mtime, UTC)


def with_year(iso: str, latest: datetime) -> str:
    """A time that names no year gets the last one in which it was not after `latest`."""
    if not iso.startswith(NO_YEAR + "-"):
        return iso
    year = latest.year - (iso[5:10] > latest.strftime("%m-%d"))
    return f"{year}{iso[4:]}"


def near_one_another(sources: Sequence[Source]) -> list[Source]:
    """The files of a log; those whose times name no year are near the dates in their own lines, or in those
    of the others."""
    if not any(source.form in _OF_TEXT for source in sources):
        return list(sources)
    heads = {source.path: _head(source) for source in sources if not source.table}
    undated = [s for s in sources if s.form in _OF_TEXT and _names_no_year(heads[s.path])]
    if not undated:
        return list(sources)
    dates = {path: _dates(lines) for path, lines in heads.items()}
    every = [date for found in dates.values() for date in found]

    def near(source: Source) -> Source:
        found = dates.get(source.path) or every
        if source not in undated or not found:
            return source
        return source._replace(near=datetime.fromtimestamp(median(found), UTC))

    return [near(source) for source in sources]


def _head(source: Source) -> list[str]:
    if source.form == "parquet":
        return []
    with open_text(source.path) as text:
        # a document may be one line of gigabytes
        return [part for _ in range(_LOOKED_AT) if (part := text.readline(_LINE_MAX))]


def _names_no_year(lines: Sequence[str]) -> bool:
    stamps = [stamp for line in lines[:20] if (stamp := stamped(line))]
    return any(stamp.iso.startswith(NO_YEAR) for stamp in stamps)


def _dates(lines: Sequence[str]) -> list[float]:
    """The dates in the lines, in seconds."""
    found = []
    for line in lines:
        if epoch := _EPOCH.search(line):
            found.append(float(epoch[1]))
        elif date := _DATE.search(line):
            found.append(_seconds(*map(int, date.groups())))
    return [one for one in found if one]


def _seconds(year: int, month: int, day: int) -> float:
    try:
        return datetime(year, month, day, tzinfo=UTC).timestamp()
    except ValueError:
        return 0.0
