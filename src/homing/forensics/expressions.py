"""DuckDB expressions that turn a column of an unknown log into one of ours. Pure: text in and out."""

from __future__ import annotations

from typing import Final

from homing.forensics.columns import FORMATS, LENGTHS, TIMES, Seen
from homing.forensics.mapping import Column

#: of a unit of time, in microseconds
SCALE: Final = {"s": 1_000_000.0, "ms": 1_000.0, "us": 1.0, "ns": 0.001}
#: text columns of the raw table → the field that fills them
TEXTS: Final = {
    "delivery": "delivery",
    "message": "message",
    "endpoint": "endpoint",
    "app": "app",
    "event_type": "event_type",
    "worker": "worker",
    "boot": "boot",
    "op_raw": "op",
    "from_raw": "from_state",
    "to_raw": "to_state",
    "outcome_raw": "outcome",
    "reason": "reason",
    "actor": "actor",
    "build": "build",
    "config": "config",
    "attempt_trigger": "attempt_trigger",
}
#: whole-number columns of the raw table → the field that fills them; what no step asks about (the
#: time to the first byte, a process's sequence) is not kept
WHOLES: Final = {
    "at_us": "at",
    "accepted_us": "accepted_at",
    "changed_us": "changed_at",
    "finished_us": "finished_at",
    "started_us": "started_at",
    "due_us": "due",
    "lease_us": "lease_until",
    "ready_us": "ready_at",
    "committed_us": "committed_at",
    "attempt": "attempt",
    "retries": "retries",
    "max_attempts": "max_attempts",
    "version_before": "version_before",
    "version_after": "version_after",
    "rows_written": "rows_written",
    "epoch": "epoch",
    "status": "status",
    "total_us": "total_ms",
    "bytes": "bytes",
    "commit_lag_us": "commit_lag_ms",
    "pending": "pending",
}


#: texts that stand for nothing
NOTHING: Final = ("", "null", "NULL", "None", "nil", "NaN", "-")


def quoted(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def text_value(source: str) -> str:
    """A text column; the empty text and the words for nothing are NULL."""
    nothing = ", ".join(map(literal, NOTHING))
    return f"CASE WHEN {source} IN ({nothing}) THEN NULL ELSE {source} END"


def whole_value(source: str) -> str:
    """A number as a whole one; `true` is 1."""
    return (
        f"COALESCE(TRY_CAST({source} AS BIGINT), TRY_CAST(TRY_CAST({source} AS DOUBLE) AS BIGINT), "
        f"CASE {source} WHEN 'true' THEN 1 WHEN 'false' THEN 0 END)"
    )


def time_value(source: str, column: Column, seen: Seen | None) -> str:
    """A time as microseconds since 1970 UTC; a time with no zone is taken for UTC."""
    unit = column.unit or (seen.time if seen else None) or "iso"
    if unit == "date":
        return f"epoch_us({source})"
    iso = f"epoch_us(TRY_CAST(replace(trim({source}), ',', '.') AS TIMESTAMPTZ))"
    if unit in SCALE:
        number = f"TRY_CAST(round(TRY_CAST({source} AS DOUBLE) * {SCALE[unit]}) AS BIGINT)"
        if unit in ("us", "ns"):
            whole = f"TRY_CAST({source} AS BIGINT)"
            number = f"COALESCE({whole if unit == 'us' else whole + ' // 1000'}, {number})"
        return f"COALESCE({number}, {iso})"
    if unit == "iso":
        # nine digits of a second, or a zone without a colon, are more than the cast takes
        plain = f"replace(trim({source}), ',', '.')"
        short = f"regexp_replace({plain}, '(\\.\\d{{6}})\\d+', '\\1')"
        short = f"regexp_replace({short}, '([+-]\\d\\d)(\\d\\d)$', '\\1:\\2')"
        return f"COALESCE({iso}, epoch_us(TRY_CAST({short} AS TIMESTAMPTZ)), {_by_size(source)})"
    formats = ", ".join(
        literal(f) for f in dict.fromkeys((unit, *FORMATS)) if ("%z" in f) == ("%z" in unit)
    )
    parsed = f"epoch_us(try_strptime(trim({source}), [{formats}]))"
    return f"COALESCE({parsed}, {iso})"


def _by_size(source: str) -> str:
    number = f"TRY_CAST({source} AS DOUBLE)"
    return (
        f"TRY_CAST(CASE WHEN {number} > 1e17 THEN {number} / 1e3 WHEN {number} > 1e14 THEN {number} "
        f"WHEN {number} > 1e11 THEN {number} * 1e3 ELSE {number} * 1e6 END AS BIGINT)"
    )


def length_value(source: str, column: Column) -> str:
    """A length of time in microseconds."""
    scale = SCALE.get(column.unit or "ms", 1_000.0)
    return f"TRY_CAST(round(TRY_CAST({source} AS DOUBLE) * {scale}) AS BIGINT)"


def value_of(
    field: str, source: str, column: Column, seen: Seen | None, *, is_native: bool = False
) -> str:
    """The expression of one field.

    Args:
        is_native: the column is a number or a time of Parquet, not text.
    """
    if is_native and seen is not None:
        return _native_value(field, source, column, seen)
    if field in TIMES:
        return time_value(source, column, seen)
    if field in LENGTHS:
        return length_value(source, column)
    if field == "epoch":
        code = f"CASE WHEN {source} IS NOT NULL THEN CAST(hash({source}) >> 1 AS BIGINT) END"
        return f"COALESCE({whole_value(source)}, {code})"
    if field in WHOLES.values():
        return whole_value(source)
    return text_value(source)


def _native_value(field: str, source: str, column: Column, seen: Seen) -> str:
    if field in TIMES:
        unit = column.unit or seen.time or "us"
        if unit == "date" or seen.time == "date":
            return f"epoch_us({source})"
        if unit == "us" and seen.is_whole:
            return f"CAST({source} AS BIGINT)"
        return f"CAST(round({source} * {SCALE.get(unit, 1.0)}) AS BIGINT)"
    if field in LENGTHS:
        return f"CAST(round({source} * {SCALE.get(column.unit or 'ms', 1_000.0)}) AS BIGINT)"
    if field in WHOLES.values():
        return f"TRY_CAST({source} AS BIGINT)"
    return text_value(f"CAST({source} AS VARCHAR)")
