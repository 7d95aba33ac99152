"""What DuckDB is to select from a file, so that its columns become ours. Pure: text in and out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final, NamedTuple

from homing.forensics.reading.columns import Seen, names_of, number_of
from homing.forensics.reading.expressions import (
    answered_within,
    buried,
    handed_over,
    literal,
    of_job,
    of_nobody,
    quoted,
    text_value,
    value_of,
)
from homing.forensics.reading.lines import parts_of
from homing.forensics.reading.mapping import ANSWER, Mapping
from homing.forensics.reading.sources import Source
from homing.forensics.reading.synonyms import OF_RECEIVER

_EXTRA_VALUES_MAX: Final = 500


class Fields(NamedTuple):
    """The expressions of the fields of one file."""

    source: Source
    mapping: Mapping
    access: dict[str, str]
    seen: dict[str, Seen]

    def own(self, name: str) -> str | None:
        """What the field's own column gives; None if it has none."""
        column = self.mapping.columns.get(name)
        if column is None:
            return None
        if column.value is not None:
            return literal(column.value)
        found = []
        for path in (column.path, *column.others):
            if path not in self.access:
                continue
            is_ours = path == column.path or column.unit == ANSWER
            value = value_of(
                name,
                self.access[path],
                column if is_ours else replace(column, unit=None),
                self.seen.get(path),
                is_native=_native(self.source, self.seen.get(path)),
            )
            of_receiver = name == "reason" and any(map(OF_RECEIVER.fullmatch, names_of(path)))
            found.append(_said_of_endpoint(value) if of_receiver else value)
        return f"COALESCE({', '.join(found)})" if len(found) > 1 else next(iter(found), None)

    def value(self, name: str) -> str | None:
        """What the field is, from its own column or from others."""
        own = self.own(name)
        if name == "op" and own and (queue := self.own("queue")):
            own = handed_over(own, queue)
        if name == "op" and own and (job := self.own("job")):
            own = of_job(own, job)
        if name in ("op", "status") and (asked := self.asked()):
            if name == "op":
                return f"CASE WHEN {asked} THEN 'accepted' ELSE {own or 'NULL'} END"
            return f"CASE WHEN {asked} THEN NULL ELSE {own} END" if own else None
        if (
            name == "message"
            and own
            and (delivery := self.own("delivery"))
            and (op := self.own("op"))
        ):
            return of_nobody(own, delivery, op)
        if name == "status" and own and (inner := self.own("inner_status")):
            return answered_within(own, inner)
        if name == "reason":
            return _with_note(own, self.own("note"))
        if (
            name == "due"
            and own is None
            and (delay := self.own("delay"))
            and (at := self.own("at"))
        ):
            return f"{at} + NULLIF({delay}, 0)"
        if self.mapping.is_table:
            if name == "to_state" and own and (letter := self.own("dead_letter")):
                return buried(own, letter)
            if name == "finished_at":
                ends = [own, self.own("dead_at"), self.own("cancelled_at")]
                told = [end for end in ends if end is not None]
                return f"COALESCE({', '.join(told)})" if told else None
            if name == "to_state" and own is None and not STANDING & self.mapping.columns.keys():
                return self.stand()
        return own

    def asked(self) -> str | None:
        """Whether a row is of a request to the service itself, if there are such."""
        path = self.own("intake")
        words = [word for name in ("op", "to_state") if (word := self.own(name))]
        return (
            " AND ".join([f"{path} IS NOT NULL", *(f"{w} IS NULL" for w in words)])
            if path
            else None
        )

    def stand(self) -> str | None:
        """How a delivery stands of a table that has no word for it: by which of its times are there."""
        whens = [
            f"WHEN {value} IS NOT NULL THEN {literal(word)}"
            for name, word in STAND_BY
            if (value := self.own(name))
        ]
        return f"CASE {' '.join(whens)} ELSE 'waiting' END" if whens else None


#: an endpoint that stands so is no reason for anything
_WELL: Final = ("active", "enabled", "ok", "up", "open", "healthy", "live", "ready", "closed")


def _said_of_endpoint(value: str) -> str:
    """How an endpoint stands, as a reason that says whose state it is."""
    well = ", ".join(map(literal, _WELL))
    return f"CASE WHEN lower({value}) IN ({well}) THEN {value} ELSE 'endpoint ' || {value} END"


#: fields that say how a delivery stands
STANDING: Final = frozenset({"to_state", "op", "outcome", "status", "pending"})

#: and what it says if one of these is there, the last word first
STAND_BY: Final = (
    ("finished_at", "delivered"),
    ("cancelled_at", "cancelled"),
    ("dead_at", "dead"),
    ("worker", "leased"),
)


def _with_note(reason: str | None, note: str | None) -> str | None:
    """The reason, and behind it what another column says in free words; or that alone."""
    if reason is None or note is None:
        return reason or note
    return f"NULLIF(concat_ws('; ', {reason}, {note}), '')"


def feature(source: str, seen: Seen) -> str:
    """A column kept to be compared: numbers of many values in ten classes of equal size."""
    cuts = cuts_of(seen)
    if not cuts:
        return text_value(f"CAST({source} AS VARCHAR)")
    number = f"TRY_CAST(replace(CAST({source} AS VARCHAR), ',', '.') AS DOUBLE)"
    cases = " ".join(f"WHEN {number} < {cut!r} THEN {literal(f'below {cut:g}')}" for cut in cuts)
    return (
        f"CASE WHEN {number} IS NULL THEN NULL {cases} ELSE {literal(f'{cuts[-1]:g} or more')} END"
    )


def cuts_of(seen: Seen) -> list[float]:
    """Where numbers of many values are cut into ten classes; none where they are few, or no numbers."""
    if not seen.is_number or seen.distinct <= _EXTRA_VALUES_MAX // 10:
        return []
    ordered = sorted(
        size
        for value, times in seen.values.items()
        if (size := number_of(value)) is not None
        for _ in range(min(times, 5))
    )
    return sorted({ordered[len(ordered) * i // 10] for i in range(1, 10)})


def accesses(source: Source, mapping: Mapping, seen: dict[str, Seen]) -> dict[str, str]:
    """Path → the expression by which DuckDB gets at it, as text unless it is a Parquet time."""
    found = {}
    nested = _nested(mapping, seen)
    are_alike = source.form == "jsonl" and has_names_alike(_tops(mapping, seen))
    for path in mapping.paths:
        if path not in seen:
            continue
        top, *inner = parts_of(seen[path].path)
        if are_alike:
            where = "$" + "".join(f'."{part}"' for part in (top, *inner))
            found[path] = f"json_extract_string(json, {literal(where)})"
        elif source.form == "jsonl" and top in nested:
            where = "$" + "".join(f'."{part}"' for part in inner)
            found[path] = f"json_extract_string({quoted(top)}, {literal(where)})"
        elif source.form == "parquet":
            name = ".".join(map(quoted, (top, *inner)))
            found[path] = name if _native(source, seen[path]) else f"CAST({name} AS VARCHAR)"
        else:
            found[path] = quoted(path)
    return found


def has_names_alike(names: Iterable[str]) -> bool:
    """Whether two of the names are one to DuckDB, which takes `Reason` and `reason` for the same."""
    every = list(dict.fromkeys(names))
    return len({name.casefold() for name in every}) < len(every)


def _tops(mapping: Mapping, seen: dict[str, Seen]) -> list[str]:
    """The outermost keys that are wanted."""
    return list(
        dict.fromkeys(parts_of(seen[path].path)[0] for path in mapping.paths if path in seen)
    )


def _nested(mapping: Mapping, seen: dict[str, Seen]) -> set[str]:
    """The outermost keys of which something inside is wanted."""
    wanted = (parts_of(seen[path].path) for path in mapping.paths if path in seen)
    return {top for top, *inner in wanted if inner}


def _native(source: Source, seen: Seen | None) -> bool:
    """Whether DuckDB has the column as a number or a time rather than as text."""
    return source.form == "parquet" and seen is not None and seen.is_native


def reader_of(source: Source, mapping: Mapping, seen: dict[str, Seen]) -> str:
    """The call by which DuckDB reads the file, with the columns that are wanted."""
    path = literal(source.path)
    if source.form == "parquet":
        return f"read_parquet({path})"
    if source.form == "csv":
        return (
            f"read_csv({path}, delim={literal(source.delimiter)}, quote='\"', escape='\"', header=true, "
            "all_varchar=true, auto_detect=true, store_rejects=true, ignore_errors=true, "
            "strict_mode=true, rejects_limit=0)"
        )
    packed = ", compression='zstd'" if source.path.endswith(".zstd") else ""
    nested, tops = _nested(mapping, seen), _tops(mapping, seen)
    if has_names_alike(tops):
        return (
            f"read_ndjson_objects({path}, ignore_errors=true, maximum_object_size=67108864{packed})"
        )
    columns = ", ".join(
        f"{literal(top)}: {literal('JSON' if top in nested else 'VARCHAR')}" for top in tops
    )
    return (
        f"read_json({path}, format='newline_delimited', columns={{{columns}}}, "
        f"ignore_errors=true, maximum_object_size=67108864{packed})"
    )
