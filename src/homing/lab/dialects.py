"""How services write their logs: names of columns, which of them there are, and file formats.

One truth of what happened, many ways to tell it. A field set is `dialect/level`: the dialect has
the names and forms, the level says how much of it is logged.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final, Protocol

import msgspec

from homing.core.errors import Invalid, Problem
from homing.lab.world import Line

#: what a field is called, and how it is written
Column = tuple[str, str, Callable[[Any], Any] | None]


def _iso(at_us: int) -> str:
    return datetime.fromtimestamp(at_us / 1_000_000, UTC).isoformat(timespec="milliseconds")


def _millis(us: int) -> int:
    return round(us / 1_000)


def _seconds(us: int) -> float:
    return round(us / 1_000_000, 3)


_SERVICE: Final[tuple[Column, ...]] = (
    ("at_us", "ts", _iso),
    ("worker", "worker", None),
    ("boot", "boot", None),
    ("build", "build", None),
    ("op", "event", None),
    ("delivery_id", "delivery_id", None),
    ("endpoint", "endpoint", None),
    ("event_type", "event_type", None),
    ("from_state", "from_state", None),
    ("to_state", "state", None),
    ("version_before", "version_before", None),
    ("version_after", "version_after", None),
    ("rows_written", "rows_written", None),
    ("lease_epoch", "epoch", None),
    ("attempt_no", "attempt", None),
    ("lease_until_us", "lease_until", _iso),
    ("due_us", "next_attempt_at", _iso),
    ("status", "status", None),
    ("total_us", "duration_ms", _millis),
    ("outcome", "error", None),
    ("reason", "reason", None),
    ("ingest_us", "ingest_ms", _millis),
    ("number", "seq", None),
    ("payload_bytes", "payload_bytes", None),
    ("region", "region", None),
)

_CAMEL: Final[tuple[Column, ...]] = (
    ("delivery_id", "deliveryId", None),
    ("at_us", "timestamp", _millis),
    ("op", "action", None),
    ("worker", "workerId", None),
    ("boot", "bootId", None),
    ("build", "appVersion", None),
    ("endpoint", "endpointId", None),
    ("event_type", "eventType", None),
    ("from_state", "previousStatus", None),
    ("to_state", "newStatus", None),
    ("version_before", "versionBefore", None),
    ("version_after", "versionAfter", None),
    ("rows_written", "rowsAffected", None),
    ("lease_epoch", "leaseEpoch", None),
    ("attempt_no", "attemptNumber", None),
    ("lease_until_us", "leaseExpiresAt", _millis),
    ("due_us", "nextRetryAt", _millis),
    ("status", "responseStatusCode", None),
    ("total_us", "responseDurationMs", _millis),
    ("outcome", "errorCode", None),
    ("reason", "failureReason", None),
    ("ingest_us", "ingestDurationMs", _millis),
    ("number", "sequenceNumber", None),
    ("payload_bytes", "payloadSize", None),
    ("region", "region", None),
)

_QUEUE: Final[tuple[Column, ...]] = (
    ("at_us", "time", _seconds),
    ("op", "event", None),
    ("delivery_id", "job_id", None),
    ("endpoint", "queue", None),
    ("event_type", "job_name", None),
    ("worker", "worker", None),
    ("boot", "worker_boot", None),
    ("build", "release", None),
    ("from_state", "old_state", None),
    ("to_state", "state", None),
    ("version_before", "lock_version_before", None),
    ("version_after", "lock_version", None),
    ("rows_written", "affected", None),
    ("lease_epoch", "lock_epoch", None),
    ("attempt_no", "attempts", None),
    ("lease_until_us", "locked_until", _seconds),
    ("due_us", "run_at", _seconds),
    ("status", "http_status", None),
    ("total_us", "elapsed", _seconds),
    ("outcome", "error", None),
    ("reason", "message", None),
    ("ingest_us", "insert_seconds", _seconds),
    ("number", "id", None),
    ("payload_bytes", "bytes", None),
    ("region", "region", None),
)


def _holder(line: Line) -> Line:
    """A line in the words of Homing's own log."""
    words = {"pending": "waiting", "processing": "leased"}
    ops = {"claimed": "leased"}
    op = line["op"]
    from_state, to_state = line.get("from_state"), line.get("to_state")
    own: Line = {
        "at_us": line["at_us"],
        "holder": f"{line['worker']}:7:{line.get('boot', 0)}:{line.get('build')}",
        "op": ops.get(op, op),
        "message_id": "msg_" + line["delivery_id"].removeprefix("dlv_"),
        "endpoint_id": line.get("endpoint"),
        "app_id": "app_payments",
        "from_state": words.get(str(from_state), from_state),
        "to_state": words.get(str(to_state), to_state),
        "ready_at_us": line.get("lease_until_us", line.get("due_us")),
    }
    for name in ("version_before", "version_after", "rows_written", "lease_epoch", "attempt_no"):
        own[name] = line.get(name)
    for name in ("status", "total_us", "reason", "event_type"):
        if name in line:
            own[name] = line[name]
    status = line.get("status")
    if status is not None:
        own["outcome"] = "delivered" if status < 300 else "rejected"
    elif "outcome" in line:
        own["outcome"] = "timeout"
    return own


_HOMING_NAMES: Final = (
    *("at_us", "holder", "op", "message_id", "endpoint_id", "app_id", "from_state", "to_state"),
    *("version_before", "version_after", "rows_written", "lease_epoch", "ready_at_us"),
    *("attempt_no", "status", "total_us", "outcome", "reason", "event_type"),
)

_DIALECTS: Final[dict[str, tuple[Column, ...]]] = {
    "service": _SERVICE,
    "camel": _CAMEL,
    "queue": _QUEUE,
    "homing": tuple((name, name, None) for name in _HOMING_NAMES),
}

#: what a level leaves out: fields, and whole lines by their op
_LEVELS: Final[dict[str, tuple[frozenset[str], frozenset[str]]]] = {
    "full": (frozenset(), frozenset()),
    "usual": (
        frozenset({"version_before", "version_after", "rows_written", "lease_epoch", "boot"}),
        frozenset(),
    ),
    "thin": (
        frozenset(
            {
                *("version_before", "version_after", "rows_written", "lease_epoch", "boot"),
                *("lease_until_us", "from_state", "number", "ingest_us", "build"),
            }
        ),
        frozenset({"claimed", "enqueued", "dequeued", "acked", "released", "deleted"}),
    ),
}

FIELD_SETS: Final = tuple(f"{dialect}/{level}" for dialect in _DIALECTS for level in _LEVELS)
FORMATS: Final = ("jsonl", "jsonl.gz", "csv", "csv.gz", "parquet")


class LogFile(Protocol):
    """A log that is being written."""

    def write(self, line: Line) -> None:
        """Append a line, in the words of `lab.world`."""
        ...

    def close(self) -> None:
        """Finish the file."""
        ...


def open_log(path: Path, fields: str = "service/usual", form: str = "jsonl.gz") -> LogFile:
    """Begin a log.

    Args:
        fields: one of `FIELD_SETS`.
        form: one of `FORMATS`.

    Raises:
        Invalid: no such field set or format.
    """
    for name, value, known in (("fields", fields, FIELD_SETS), ("format", form, FORMATS)):
        if value not in known:
            text = f"expected one of {', '.join(known)}; found {value!r}"
            raise Invalid([Problem((name,), text)])
    dialect, _, level = fields.partition("/")
    without, ops = _LEVELS[level]
    columns = [column for column in _DIALECTS[dialect] if column[0] not in without]
    if form.startswith("jsonl"):
        return _JsonLines(path, dialect, columns, ops)
    if form.startswith("csv"):
        return _Csv(path, dialect, columns, ops)
    return _Parquet(path, dialect, columns, ops)


class _Log:
    """What all formats have in common: which lines, under which names."""

    def __init__(
        self, path: Path, dialect: str, columns: list[Column], ops: frozenset[str]
    ) -> None:
        self._columns = columns
        self._ops = ops
        self._is_homing = dialect == "homing"
        self.path = path

    def _told(self, line: Line) -> Line | None:
        if line["op"] in self._ops:
            return None
        if self._is_homing:
            line = _holder(line)
        told = {}
        for name, theirs, form in self._columns:
            value = line.get(name)
            if value is not None:
                told[theirs] = value if form is None else form(value)
        return told


class _JsonLines(_Log):
    def __init__(self, path: Path, *rest: Any) -> None:
        super().__init__(path, *rest)
        self._file: IO[bytes] = open_bytes(path)
        self._encode = msgspec.json.Encoder().encode

    def write(self, line: Line) -> None:
        told = self._told(line)
        if told is not None:
            self._file.write(self._encode(told) + b"\n")

    def close(self) -> None:
        self._file.close()


class _Csv(_Log):
    def __init__(self, path: Path, *rest: Any) -> None:
        super().__init__(path, *rest)
        self._file = io.TextIOWrapper(open_bytes(path), encoding="utf-8", newline="")
        names = [theirs for _, theirs, _ in self._columns]
        self._csv = csv.DictWriter(self._file, names, lineterminator="\n")
        self._csv.writeheader()

    def write(self, line: Line) -> None:
        told = self._told(line)
        if told is not None:
            self._csv.writerow(told)

    def close(self) -> None:
        self._file.close()


class _Parquet(_Log):
    def __init__(self, path: Path, *rest: Any) -> None:
        super().__init__(path, *rest)
        self._rows: list[Mapping[str, Any]] = []

    def write(self, line: Line) -> None:
        told = self._told(line)
        if told is not None:
            self._rows.append(told)

    def close(self) -> None:
        try:
            import pyarrow as pa
            import pyarrow.parquet as pq
        except ImportError:
            text = 'Parquet needs an extra: pip install "homing[parquet]"'
            raise Invalid([Problem(("format",), text)]) from None
        names = [theirs for _, theirs, _ in self._columns]
        columns = {name: [row.get(name) for row in self._rows] for name in names}
        pq.write_table(pa.table(columns), self.path)


def open_bytes(path: Path) -> IO[bytes]:
    """A file to write bytes to; compressed when its name says so, the same bytes every time."""
    return _Gzip(path) if path.suffix == ".gz" else path.open("wb")


class _Gzip(io.BufferedWriter):
    """A compressed file without a time in it; closing it closes the file beneath."""

    def __init__(self, path: Path) -> None:
        self._below = path.open("wb")
        packed = gzip.GzipFile("", "wb", compresslevel=1, fileobj=self._below, mtime=0)
        super().__init__(packed, 1 << 20)

    def close(self) -> None:
        super().close()
        self._below.close()
