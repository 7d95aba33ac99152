"""DuckDB expressions that turn a column of an unknown log into one of ours. Pure: text in and out."""

from __future__ import annotations

from typing import Final

from homing.forensics.letters import LETTERS
from homing.forensics.reading.columns import FORMATS, LENGTHS, NOTHING, NUMBERS, TIMES, ZONES, Seen
from homing.forensics.reading.mapping import ANSWER, KINDS, WORDS, Column

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
    "trace": "trace",
}
#: whole-number columns of the raw table → the field that fills them; what no step asks about (the
#: time to the first byte) is not kept
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
    "queued_us": "queued_at",
    "removed_us": "removed_at",
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
    "number": "sequence",
}

#: of the queues that a line may name, those where no worker looks for what is due now
ASIDE: Final = r"dead|dlq|dlt|dlx|parking|retry|retries|delay|poison|[._-]errors?$"
#: words of a hand-over: what it comes to depends on where
HANDS_OVER: Final = (
    r"publish|produc|enqueue|push|append|forward|rout(ed|ing)|mov(ed|ing)|(record|message)s?[ _]sent|"
    r"sen[dt](ing)?[ _]to[ _](the[ _])?queue"
)


def quoted(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def handed_over(op: str, queue: str) -> str:
    """The word of a line, with the queue that it was handed to where that is one of dead letters or of
    retries: `published` says another thing of `hooks.dlq` than of `hooks`."""
    tests = [
        f"regexp_matches({one}, {literal(p)}, 'i')" for one, p in ((op, HANDS_OVER), (queue, ASIDE))
    ]
    return f"CASE WHEN {' AND '.join(tests)} THEN concat({op}, ' to ', {queue}) ELSE {op} END"


#: a status within a text: `answer 503`, `HTTP 429`, `responded with 200`
ANSWERED: Final = (
    r"(?i)(?:^|[^a-z])(?:https?|status|code|answer(?:ed)?|respon(?:se|ded)|got|returned)"
    r"[ _:=/-]{0,3}(?:status|code|with)?[ _:=]{0,2}([1-5][0-9][0-9])(?:[^0-9]|$)"
)

#: a text that begins with one: `410 Gone`, `HTTP/1.1 200 OK`; `200 Connection established` is a proxy's,
#: before a request was made
STATUS_LINE: Final = r"^(?:HTTP/[0-9.]+ )?([1-5][0-9][0-9])(?: +(?:[ABD-Z][a-z]|Con[ft]|Cr|OK)|$)"

#: the numbers and names in a sentence; a status of HTTP stays
PARTICULARS: Final = r"[\w.:/-]*\d[\w.:/-]{3,}|[\w.:/-]{3,}\d[\w.:/-]*|\b\d{1,2}\b"


def answered_within(status: str, inner: str) -> str:
    """The status of an answer, or that of what it is made of, where all seems well but that."""
    return (
        f"CASE WHEN {status} BETWEEN 200 AND 299 AND {inner} >= 300 THEN {inner} ELSE {status} END"
    )


def of_job(op: str, job: str) -> str:
    """The word of a line, with the job that it tells of where that puts dead letters away: `completed`
    says another thing of `ParkDeadLetter` than of `PostWebhook`."""
    test = f"regexp_matches({job}, {literal(LETTERS)}, 'i')"
    return f"CASE WHEN {test} THEN concat({op}, ' of ', {job}) ELSE {op} END"


#: of a message that nobody wants: no delivery was made of it
NOBODY: Final = r"(?i)\bno( \w+)? (endpoint|subscri|destination|receiver|target|web_?hook)"


def of_nobody(message: str, delivery: str, op: str) -> str:
    """The message of a line; none where deliveries have names of their own, and the line names none, for
    there is nobody to send it to: what is never made cannot be dropped."""
    test = f"regexp_matches({op}, {literal(NOBODY)})"
    return f"CASE WHEN {delivery} IS NULL AND {test} THEN NULL ELSE {message} END"


#: states of a delivery that is given up: whether on record says its dead letter
GIVEN_UP: Final = r"fail|dead|exhaust|gave_up|given_up|undeliver|dlq"
#: those that call it a dead letter themselves
CALLED_DEAD: Final = r"^(dead|dlq)"


def buried(state: str, letter: str) -> str:
    """The state of a row that names its dead letter in another column: what was given up has one, or it
    only came to the end of its attempts."""
    is_given_up, is_called = (
        f"regexp_matches({state}, {literal(p)}, 'i')" for p in (GIVEN_UP, CALLED_DEAD)
    )
    return (
        f"CASE WHEN {letter} IS NOT NULL AND {is_given_up} THEN 'dead letter' "
        f"WHEN {is_called} THEN 'exhausted' ELSE {state} END"
    )


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
    """A time as microseconds since 1970 UTC; a time with no zone is in the column's, or else in UTC."""
    unit = column.unit or (seen.time if seen else None) or "iso"
    if unit == "date":
        return f"epoch_us({_in_zone(source, column.zone)})"
    if unit == "named":
        return f"epoch_us(TRY_CAST({_with_offset(source)} AS TIMESTAMPTZ))"
    if unit == "stream":  # which of its millisecond an entry is keeps their order
        first, second = (f"TRY_CAST(split_part({source}, '-', {i}) AS BIGINT)" for i in (1, 2))
        return f"{first} * 1000 + LEAST({second}, 999)"
    plain = f"replace(trim({source}), ',', '.')"
    iso = f"epoch_us({_iso(plain, column.zone)})"
    if unit in SCALE:
        number = f"TRY_CAST(round(TRY_CAST({source} AS DOUBLE) * {SCALE[unit]}) AS BIGINT)"
        if unit in ("us", "ns"):
            whole = f"TRY_CAST({source} AS BIGINT)"
            number = f"COALESCE({whole if unit == 'us' else whole + ' // 1000'}, {number})"
        return f"COALESCE({number}, {iso})"
    if unit == "iso":
        # nine digits of a second, a zone without a colon or behind a blank are more than the cast takes
        short = f"regexp_replace({plain}, '(\\.\\d{{6}})\\d+', '\\1')"
        short = f"regexp_replace({short}, '\\s*([+-]\\d\\d):?(\\d\\d)?$', '\\1:\\2')"
        short = f"regexp_replace({short}, ':$', ':00')"
        return f"COALESCE({iso}, epoch_us({_iso(short, column.zone)}), {_by_size(source)})"
    formats = ", ".join(
        literal(f) for f in dict.fromkeys((unit, *FORMATS)) if ("%z" in f) == ("%z" in unit)
    )
    parsed = f"try_strptime(trim({source}), [{formats}])"
    if "%z" not in unit:
        parsed = _in_zone(parsed, column.zone)
    return f"COALESCE(epoch_us({parsed}), {iso})"


def _iso(text: str, zone: str | None) -> str:
    zoned = f"TRY_CAST({text} AS TIMESTAMPTZ)"
    if zone is None:
        return zoned
    names_one = (
        f"regexp_matches({text}, '(?i)(z|utc|gmt|:\\d\\d(\\.\\d+)?\\s*[+-]\\d\\d:?(\\d\\d)?)$')"
    )
    return f"CASE WHEN {names_one} THEN {zoned} ELSE {_in_zone(f'TRY_CAST({text} AS TIMESTAMP)', zone)} END"


def _in_zone(source: str, zone: str | None) -> str:
    return source if zone is None else f"timezone({literal(zone)}, {source})"


def _with_offset(source: str) -> str:
    """A time that names its zone by a word, with an offset where the word is a short one."""
    name = f"regexp_extract({source}, '([A-Za-z][A-Za-z_/]+)\\s*$', 1)"
    plain = f"replace(regexp_replace({source}, '\\s*[A-Za-z][A-Za-z_/]+\\s*$', ''), ',', '.')"
    offsets = " ".join(f"WHEN {literal(z)} THEN {literal(f'{h:+03}:00')}" for z, h in ZONES.items())
    return f"concat(trim({plain}), CASE {name} {offsets} ELSE ' ' || {name} END)"


def _by_size(source: str) -> str:
    number = f"TRY_CAST({source} AS DOUBLE)"
    return (
        f"TRY_CAST(CASE WHEN {number} > 1e17 THEN {number} / 1e3 WHEN {number} > 1e14 THEN {number} "
        f"WHEN {number} > 1e11 THEN {number} * 1e3 WHEN {number} > 1e8 THEN {number} * 1e6 END AS BIGINT)"
    )


def length_value(source: str, column: Column) -> str:
    """A length of time in microseconds."""
    if column.unit == "text":
        return _length_of_text(source)
    scale = SCALE.get(column.unit or "ms", 1_000.0)
    return f"TRY_CAST(round(TRY_CAST(replace({source}, ',', '.') AS DOUBLE) * {scale}) AS BIGINT)"


def _length_of_text(source: str) -> str:
    """Of a length such as 1m30.5s, 150ms or 35µs, as Go and people write it."""
    units = {"h": 3.6e9, r"m(?:\d|\s|$)": 6e7, "s": 1e6, "ms": 1e3, "[uµμ]s": 1.0, "ns": 1e-3}
    parts = []
    for unit, scale in units.items():
        pattern = literal(r"(\d+(?:\.\d+)?)\s?" + unit)
        number = f"TRY_CAST(regexp_extract({source}, {pattern}, 1) AS DOUBLE)"
        parts.append(f"COALESCE({number} * {scale}, 0)")
    return (
        f"CASE WHEN {source} IS NULL THEN NULL ELSE CAST(round({' + '.join(parts)}) AS BIGINT) END"
    )


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
    if field == "status" and column.unit == ANSWER:
        text = f"CAST({source} AS VARCHAR)"
        found = [f"regexp_extract({text}, {literal(p)}, 1)" for p in (STATUS_LINE, ANSWERED)]
        return (
            "TRY_CAST(COALESCE(" + ", ".join(f"NULLIF({one}, '')" for one in found) + ") AS BIGINT)"
        )
    if field in NUMBERS or field in WHOLES.values():
        return whole_value(source)
    if column.unit == KINDS:
        general = f"regexp_replace({source}, {literal(PARTICULARS)}, '#', 'g')"
        return text_value(f"CASE WHEN contains({source}, ' ') THEN {general} ELSE {source} END")
    if column.unit == WORDS:
        return f"CASE WHEN TRY_CAST({source} AS DOUBLE) IS NULL THEN {text_value(source)} END"
    return text_value(source)


def _native_value(field: str, source: str, column: Column, seen: Seen) -> str:
    if field in TIMES:
        unit = column.unit or seen.time or "us"
        if unit == "date" or seen.time == "date":
            return f"epoch_us({_in_zone(source, None if seen.is_zoned else column.zone)})"
        if unit not in SCALE:
            return time_value(f"CAST({source} AS VARCHAR)", column, seen)
        if unit == "us" and seen.is_whole:
            return f"CAST({source} AS BIGINT)"
        return f"CAST(round({source} * {SCALE.get(unit, 1.0)}) AS BIGINT)"
    if field in LENGTHS:
        return f"CAST(round({source} * {SCALE.get(column.unit or 'ms', 1_000.0)}) AS BIGINT)"
    if field in NUMBERS or field in WHOLES.values():
        return f"TRY_CAST({source} AS BIGINT)"
    return text_value(f"CAST({source} AS VARCHAR)")
