"""Which column of an unknown log is which of our fields: the most likely mapping of a sample. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice, pairwise
from typing import Any, Final

from homing.core.errors import ConfigError
from homing.core.records import LogEntry
from homing.forensics.letters import LETTERS
from homing.forensics.operations import Op
from homing.forensics.reading.alternatives import add_others
from homing.forensics.reading.columns import (
    CALLED_SO,
    LENGTHS,
    TIMES,
    Seen,
    fits,
    instant,
    look,
    name_score,
    number_of,
    recognised,
)
from homing.forensics.reading.doubting import doubts_of
from homing.forensics.reading.expressions import ANSWERED, STATUS_LINE
from homing.forensics.reading.happenings import best_telling, led_to, state_before
from homing.forensics.reading.kinds import by_kind
from homing.forensics.reading.lines import Row
from homing.forensics.reading.mapping import ANSWER, KINDS, WORDS, Column, Mapping, shipped
from homing.forensics.reading.naming import best_named, choose_key, with_names
from homing.forensics.reading.numbering import choose_attempt
from homing.forensics.reading.timing import choose_times
from homing.forensics.reading.workers import OF_INTAKE, is_of_receivers, tell_workers
from homing.forensics.vocabulary import is_provisional, meaning, normal

#: other columns that are kept to be compared as innocents
EXTRAS_MAX: Final = 12

_EXTRA_VALUES_MAX: Final = 500

#: fields in the order in which they choose their columns
_ORDER: Final = (
    "version_before",
    "version_after",
    "rows_written",
    "epoch",
    "max_attempts",
    "sequence",
    "commit_lag_ms",
    "total_ms",
    "first_byte_ms",
    "bytes",
    "pending",
    "boot",
    "worker",
    "app",
    "event_type",
    "from_state",
    "op",
    "to_state",
    "outcome",
    "attempt_id",
    "reason",
    "note",
    "actor",
    "build",
    "config",
    "monotonic",
    "attempt_trigger",
    "delay",
)


class Unmapped(ConfigError):
    """No mapping can be guessed: nothing names a delivery, or nothing is a time."""

    def __init__(self, problems: list[str], mapping: Mapping, seen: dict[str, Seen]) -> None:
        super().__init__(problems)
        self.mapping = mapping  #: as far as it was found
        self.seen = seen


#: of the rows that have it, so many must be higher than the one before: a count of what is accepted
_RISING_MIN: Final = 0.8
_RISING_FEWEST: Final = 20


def _rising(
    rows: Sequence[Row], seen: dict[str, Seen], chosen: dict[str, Column], taken: set[str]
) -> str | None:
    """The column that counts deliveries as they are accepted, whatever it is called; one at most of
    a delivery's rows has it, or it is what the delivery is called itself."""
    names = {chosen[f].path for f in ("delivery", "message") if f in chosen}
    # what stands beside no delivery counts other things
    rows = [row for row in rows if any(row.get(name) is not None for name in names)]
    for path, column in seen.items():
        if (path in taken and path not in names) or not column.is_whole or column.time is not None:
            continue
        if path not in names and name_score("delivery", path) >= CALLED_SO:
            continue  # by it another kind of rows names deliveries
        values = [int(row[path]) for row in rows if str(row.get(path) or "").isdigit()]
        if path in names:
            values = list(dict.fromkeys(values))
        is_many = len(values) >= _RISING_FEWEST and len(set(values)) == len(values)
        rises = sum(a < b for a, b in pairwise(values))
        if is_many and rises > _RISING_MIN * len(values):
            return path
    return None


def guess(rows: Sequence[Row], file: str = "", seen: dict[str, Seen] | None = None) -> Mapping:
    """The most likely mapping of a sample.

    Args:
        file: its name without folder and ending: `dead_letters` tells what its rows are.
        seen: the columns of the sample, if they were looked at.

    Raises:
        Unmapped: no column can name a delivery, or none can be a time.
    """
    seen = look(rows) if seen is None else seen
    if _is_own(seen):
        return shipped("homing")
    chosen: dict[str, Column] = {}
    taken: set[str] = set()

    def take(name: str, path: str | None) -> None:
        if path is not None:
            chosen[name] = Column(path=str(path), unit=_unit(name, seen[path]))
            taken.add(path)

    choose_key(rows, seen, take, taken)
    key = [chosen[f].path for f in ("delivery", "message", "endpoint") if f in chosen]
    if not key:
        raise Unmapped([_NO_KEY.format(_named(seen))], Mapping(layout="events", columns={}), seen)
    key = [chosen["delivery"].path] if "delivery" in chosen else key
    taken.update(path for path in seen if is_of_receivers(rows, key, chosen, path))
    kinds = by_kind(rows, seen, key)
    named = with_names(rows, seen, key)
    repeated = _is_repeated(rows, key)
    mixed = _mixed(seen, taken)
    if mixed is None:
        _choose_status(_of_deliveries(named, seen, key, chosen), take, taken)
    else:
        _share_status(mixed, seen, chosen, taken)
    choose_attempt(named, seen, take, taken, key if repeated else [])
    for name in _ORDER:
        looks = {**seen, **kinds} if name == "op" else seen
        candidates = _candidates(name, looks, chosen, taken, repeated)
        if name not in chosen:
            take(name, best_telling(name, candidates, rows, key, repeated))
    if "from_state" not in chosen:
        take("from_state", state_before(rows, key, seen, chosen, taken))
    led_to(chosen, seen)
    if "op" in chosen and chosen["op"].path in kinds:
        chosen["op"] = replace(chosen["op"], unit=KINDS)
    tell_workers(rows, key, chosen, seen, take, taken)
    if mixed is not None:
        _add_words(mixed, chosen)
    _add_answers(rows, chosen)
    if "outcome" not in chosen and "status" in chosen:
        take("outcome", _of_answers(seen, taken))
    choose_times(rows, seen, take, taken, key, repeated, chosen)
    if "at" not in chosen:
        raise Unmapped(
            [_NO_TIME.format(_named(seen))], Mapping(layout="events", columns=chosen), seen
        )
    if "sequence" not in chosen:
        take("sequence", _rising(rows, seen, chosen, taken))
    if repeated or _is_of_acceptances(rows, key, chosen):
        layout = _layout(chosen, seen)
    else:
        layout = "deliveries"
    if not TELLING & chosen.keys() and (told := _told_by_name(file)):
        chosen["op"] = Column(value=told)
        layout = "events"
    take("intake", _own_path(rows, chosen, seen))
    if _is_intake(chosen, seen):
        del chosen["status"]
        chosen["op"] = Column(value="accepted")
        layout = "events"
    if layout == "deliveries" and "to_state" in chosen and "op" in chosen:
        # a row for all of a life names no step of it: what it calls an event is the type of one
        what = chosen.pop("op")
        chosen.setdefault("event_type", what)
    if layout == "attempts":
        _tell_beginning(rows, chosen, seen)
    if layout == "deliveries" and "to_state" not in chosen and "outcome" in chosen:
        chosen["to_state"] = chosen.pop("outcome")
    free = (str(p) for p, s in seen.items() if p not in taken and _is_feature(s))
    extras = tuple(islice(free, EXTRAS_MAX))
    if "op" in chosen:
        _add_places(seen, chosen, taken)
    else:
        take("dead_letter", best_named("dead_letter", seen, taken, 80.0))
    add_others(rows, seen, chosen, taken)
    mapping = Mapping(layout=layout, columns=chosen, extras=extras)
    return replace(mapping, doubts=doubts_of(mapping, seen))


def _candidates(
    name: str, seen: dict[str, Seen], chosen: dict[str, Column], taken: set[str], repeated: bool
) -> dict[str, Seen]:
    """The columns that can be the field, of those that are no other's."""
    found = {p: s for p, s in seen.items() if p not in taken and fits(name, s)}
    if name == "worker":
        if not repeated:  # who brought a delivery in says nothing of who has it
            found = {p: s for p, s in found.items() if not OF_INTAKE.search(normal(p))}
        # one process id for all of them tells no worker from another
        return {p: s for p, s in found.items() if s.distinct > 1} or found
    if name == "to_state" and "op" in chosen:  # a logger's name may sound like a state
        return {p: s for p, s in found.items() if name_score(name, p) >= 30}
    return found


#: of the texts with a status in them, so many say that all went well: it is no last error
_WELL_MIN: Final = 0.3
_WELL_FEWEST: Final = 20


def _add_answers(rows: Sequence[Row], chosen: dict[str, Column]) -> None:
    """Let the status be the one in the reason, where that says what a receiver answered, also where it
    answered well, and no column has it."""
    told = chosen.get("reason", chosen.get("note"))
    if "status" in chosen or told is None:
        return
    path = told.path
    found = [m[1] for row in rows if (m := re.search(ANSWERED, str(row.get(path) or "")))]
    well = sum(str(status).startswith("2") for status in found)
    if well >= max(_WELL_FEWEST, _WELL_MIN * len(found)):
        # beside states, what else is said has no state and may tell of another answer
        is_beside = {"op", "from_state"} <= chosen.keys()
        others = (chosen["op"].path,) if is_beside else ()
        chosen["status"] = Column(path=path, unit=ANSWER, others=others)


def _add_places(seen: dict[str, Seen], chosen: dict[str, Column], taken: set[str]) -> None:
    """Columns without which an operation says too little: to which queue, and of which job."""
    if queue := best_named("queue", seen, taken, 90.0):
        chosen["queue"] = Column(path=str(queue))  # and it stays among the innocents
    # a name of a delivery may have such letters in it by chance
    ids = {chosen[one].path for one in ("delivery", "message") if one in chosen}
    if job := _burying({path: one for path, one in seen.items() if path not in ids}):
        chosen["job"] = Column(path=str(job))


_JOB_NAMED_MIN: Final = 85.0


def _burying(seen: dict[str, Seen]) -> str | None:
    """The column of kinds of jobs of which one puts dead letters away and another does not."""
    for path, one in seen.items():
        if name_score("job", path) < _JOB_NAMED_MIN or one.is_number or one.nested:
            continue
        letters = sum(re.search(LETTERS, value, re.IGNORECASE) is not None for value in one.values)
        if 0 < letters < one.distinct:
            return path
    return None


def _of_answers(seen: dict[str, Seen], taken: set[str]) -> str | None:
    """The column that calls some answers final and others not yet: of a gateway that says first that
    it has queued a request, and then what came of it."""
    for path, one in seen.items():
        if path in taken or not one.is_words or one.distinct > _ANSWERS_MAX:
            continue
        words = {normal(value) for value in one.values}
        if "final" in words and any(map(is_provisional, words)):
            return path
        ops = {meaning(word).op for word in words}
        if normal(path).endswith("phase") and Op.FAILED in ops and len(ops) > 1:
            return path
    return None


_ANSWERS_MAX: Final = 6

#: fields that say what happened, or how it stands
TELLING: Final = frozenset(
    {"op", "to_state", "outcome", "status", "pending", "finished_at", "dead_at"}
)

_OF_A_FILE: Final = frozenset(
    {Op.ACCEPTED, Op.QUEUED, Op.SUCCEEDED, Op.FAILED, Op.RETRY, Op.DEAD, Op.EXHAUSTED}
    | {Op.CANCELLED, Op.PARKED, Op.PURGED, Op.DISCARDED, Op.SKIPPED}
)


def _told_by_name(name: str) -> str | None:
    """What the rows of a file are, if no column says so and its name does: `dead_letters`; a part with
    a digit (`run3`) is a label, and a log that is called clean is not what a clean-up deleted."""
    parts = [part for part in normal(name).split("_") if part.isalpha() and part != "clean"]
    return name if meaning("_".join(parts)).op in _OF_A_FILE else None


_PATH: Final = re.compile(r"(^|_)(path|uri|route|request_url)$")

_ACCEPTING: Final = re.compile(r"20[12](\.0)?")

_ACCEPTING_MIN: Final = 0.9


def _is_intake(chosen: dict[str, Column], seen: dict[str, Seen]) -> bool:
    """Whether these are the requests of publishers to the service itself: they say a path of its own,
    and that it took what it was given (201, 202), not what a receiver answered."""
    status = chosen.get("status")
    if status is None or chosen.keys() & {"op", "to_state", "outcome", "attempt"}:
        return False
    one = seen[status.path]
    taken = sum(n for value, n in one.values.items() if _ACCEPTING.fullmatch(value))
    return taken >= _ACCEPTING_MIN * one.filled and any(
        _PATH.search(normal(path)) and all(value.startswith("/") for value in other.values)
        for path, other in seen.items()
        if other.values
    )


_WORDLESS_MIN: Final = 0.9


def _own_path(rows: Sequence[Row], chosen: dict[str, Column], seen: dict[str, Seen]) -> str | None:
    """The path of requests to the service itself, in rows that have no word for what happened where
    others do: by those it was accepted."""
    words = [chosen[f].path for f in ("op", "to_state") if f in chosen and chosen[f].path]
    for path, one in seen.items():
        if not words or not _PATH.search(normal(path)) or one.filled > 0.9 * one.rows:
            continue
        asked = [row for row in rows if row.get(path) is not None]
        wordless = sum(all(row.get(word) is None for word in words) for row in asked)
        if (
            asked
            and all(value.startswith("/") for value in one.values)
            and wordless >= _WORDLESS_MIN * len(asked)
        ):
            return path
    return None


def _named(seen: dict[str, Seen]) -> str:
    return ", ".join(list(seen)[:20])


_NO_KEY: Final = (
    "expected a column that names a delivery (delivery_id, job_id, message_id + endpoint, id); found "
    "the columns {}; name them in a file and pass it with --mapping (`--explain-mapping > mapping.toml` "
    "writes one to fill in)"
)

_NO_TIME: Final = (
    "expected a column with the time of each row (at, ts, timestamp, created_at); found the columns "
    "{}; name it in a file and pass it with --mapping (`--explain-mapping > mapping.toml` writes one "
    "to fill in)"
)


def _is_repeated(rows: Sequence[Row], key: Sequence[str]) -> bool:
    """Whether deliveries have several rows; a row that was exported twice is one, and one that names none is
    of none."""
    named = (row for row in rows if any(row.get(k) is not None for k in key))
    different = {(tuple(str(r.get(k)) for k in key), str(r)) for r in named}
    return len(different) > 1.02 * len({name for name, _ in different})


def _is_own(seen: dict[str, Seen]) -> bool:
    needed = {"at_us", "op", "message_id", "endpoint_id", "from_state", "to_state", "version_after"}
    return needed <= seen.keys() and len(seen.keys() & set(LogEntry.__struct_fields__)) >= 20


_UNITS: Final = {
    "us": "us", "micros": "us", "microseconds": "us", "ms": "ms", "millis": "ms", "milliseconds": "ms",
    "msec": "ms", "ns": "ns", "nanos": "ns", "s": "s", "sec": "s", "secs": "s", "seconds": "s",
}  # fmt: skip

#: a wait of fewer seconds than this is one in seconds, where nothing says
_WAIT_MS_MIN: Final = 1_000


#: nothing takes so many microseconds: a quarter of an hour
_NS_MIN: Final = 1e9


def _unit(name: str, seen: Seen) -> str | None:
    if name in TIMES:
        return seen.time
    if name == "status" and not fits(name, seen):
        return ANSWER
    if name not in LENGTHS:
        return None
    if seen.is_length and not seen.is_number:
        return "text"
    if said := _UNITS.get(normal(seen.path).rpartition("_")[2]):
        return said
    if name == "delay":
        return "ms" if seen.is_whole and seen.least >= _WAIT_MS_MIN else "s"
    if not seen.is_whole and seen.most < 120:
        return "s"
    if seen.most > _NS_MIN:
        return "ns"
    return "us" if seen.most > 3e6 else "ms"


#: of a column that has both, so many must be statuses of HTTP, and so many words
_CODES_MIN: Final = 0.1
_MIXED_MIN: Final = 0.0005
_MIXED_FEWEST: Final = 3
#: and of these so many must mean something
_KNOWN_MIN: Final = 0.5


def _mixed(seen: dict[str, Seen], taken: set[str]) -> str | None:
    """The column that has a status of HTTP in some rows and a word for what came of it in others."""
    for path, one in seen.items():
        is_named = max(name_score(field, path) for field in ("status", "to_state", "outcome")) >= 60
        codes = one.http_share
        if path in taken or not is_named or not _CODES_MIN <= codes <= 1 - _MIXED_MIN:
            continue
        words = {v: n for v, n in one.values.items() if number_of(v) is None}
        known = sum(n for v, n in words.items() if meaning(v, is_state=True).op is not Op.UNKNOWN)
        count = sum(words.values())
        if count >= max(_MIXED_FEWEST, _MIXED_MIN * one.filled) and known >= _KNOWN_MIN * count:
            return path
    return None


def _share_status(
    mixed: str, seen: dict[str, Seen], chosen: dict[str, Column], taken: set[str]
) -> None:
    """Let a column be that of statuses, and of states where its words are some and no other tells them."""
    chosen["status"] = Column(path=str(mixed))
    others = {p: one for p, one in seen.items() if p not in taken and fits("to_state", one)}
    is_told = any(
        name_score("to_state", path) >= CALLED_SO and recognised(one, is_state=True) >= _KNOWN_MIN
        for path, one in others.items()
        if path != mixed
    )
    if not is_told and _tells_states(seen[mixed]):
        chosen["to_state"] = Column(path=str(mixed), unit=WORDS)
    taken.add(mixed)


def _add_words(mixed: str, chosen: dict[str, Column]) -> None:
    """Let the words of such a column be the reason, or beside one what came of a request."""
    spare = "outcome" if "reason" in chosen else "reason"
    chosen.setdefault(spare, Column(path=str(mixed), unit=WORDS))


def _tells_states(one: Seen) -> bool:
    """Whether the words of such a column are states too, and not only what went wrong."""
    ops = {meaning(v, is_state=True).op for v in one.values if number_of(v) is None}
    return bool(ops - {Op.FAILED, Op.UNKNOWN, Op.NOTED})


#: of the answers of receivers, so many are 2xx where nobody calls them answers
_GOOD_MIN: Final = 0.3


def _has_good(seen: Seen) -> bool:
    good = sum(n for value, n in seen.values.items() if value.startswith("2"))
    return good >= _GOOD_MIN * seen.filled


def _is_of(rows: Sequence[Row], key: Sequence[str], path: str) -> bool:
    """Whether a column stands mostly in rows that name a delivery: what is counted elsewhere is no status."""
    told = [row for row in rows if row.get(path) is not None]
    return 2 * sum(any(row.get(name) is not None for name in key) for row in told) >= len(told)


def _of_deliveries(
    rows: Sequence[Row], seen: dict[str, Seen], key: Sequence[str], chosen: dict[str, Column]
) -> dict[str, Seen]:
    """The columns that stand mostly in rows of deliveries, by what they are called or by their job."""
    named = [*key, chosen["trace"].path] if "trace" in chosen else key
    return {p: s for p, s in seen.items() if _is_of(rows, named, p)}


#: numbers that happen to look like statuses
_OF_PROCESS: Final = re.compile(r"(^|_)(p|t|proc|process|thread)_?id$|(^|_)(port|line|line_?no)$")


def _choose_status(seen: dict[str, Seen], take: Any, taken: set[str]) -> None:
    path = best_named("status", seen, taken)
    if path is None:
        shares = [
            (s.http_share, p)
            for p, s in seen.items()
            if p not in taken and s.is_whole and s.distinct > 1 and _has_good(s)
            if not _OF_PROCESS.search(normal(p))
        ]
        share, found = max(shares, default=(0.0, None))
        path = (
            found if share > 0.95 else next((p for p in seen if _is_lined(seen[p], p, taken)), None)
        )
    take("status", path)
    if path is not None:
        take("inner_status", best_named("inner_status", seen, taken, 60.0))


#: of the texts of a column, so many are lines with a status at their beginning
_LINED_MIN: Final = 0.5


def _is_lined(one: Seen, path: str, taken: set[str]) -> bool:
    """Whether a column that no other field has tells answers by their first line: `410 Gone`."""
    if path in taken or one.is_number or one.nested:
        return False
    lined = {value: n for value, n in one.values.items() if re.match(STATUS_LINE, value)}
    return len(lined) > 1 and sum(lined.values()) >= _LINED_MIN * one.filled


def _layout(chosen: dict[str, Column], seen: dict[str, Seen]) -> str:
    """Of rows of which a delivery has several."""
    if "op" not in chosen and _are_attempts(chosen):
        return "attempts"
    if "op" not in chosen and ("status" in chosen or "outcome" in chosen):
        state = chosen.get("to_state")
        if state is None:
            return "attempts"
        # of attempts, if no state says more than how the request ended
        stands = {meaning(w, is_state=True).op for w in seen[state.path].values}
        if stands <= {Op.SUCCEEDED, Op.FAILED, Op.QUEUED, Op.SENT, Op.UNKNOWN}:
            return "attempts"
    return "events"


#: of the rows that name a delivery, so many say that it was accepted
_ACCEPTED_MIN: Final = 0.9


def _is_of_acceptances(rows: Sequence[Row], key: Sequence[str], chosen: dict[str, Column]) -> bool:
    """Whether rows say what was done at the beginning of a delivery, and nothing of how it stands."""
    op = chosen.get("op")
    if op is None or chosen.keys() & {"to_state", "status", "outcome"}:
        return False
    said = Counter(str(r.get(op.path)) for r in rows if any(r.get(k) is not None for k in key))
    accepted = sum(n for word, n in said.items() if meaning(word).op is Op.ACCEPTED)
    return accepted >= _ACCEPTED_MIN * said.total() > 0


#: of the rows of requests, so many were made after the time that is taken for their end
_BEFORE_MIN: Final = 0.95


def _tell_beginning(rows: Sequence[Row], chosen: dict[str, Column], seen: dict[str, Seen]) -> None:
    """Of rows of requests, the time when they began, where another time, or how long they took, tells when
    they ended."""
    is_begun = name_score("started_at", chosen["at"].path) >= 60
    if is_begun and chosen.keys() & {"finished_at", "total_ms"}:
        chosen.setdefault("started_at", chosen["at"])
    if _is_start(rows, chosen, seen):
        begun = chosen.pop("finished_at")
        chosen.setdefault("started_at", begun)


def _is_start(rows: Sequence[Row], chosen: dict[str, Column], seen: dict[str, Seen]) -> bool:
    """Whether what was taken for the end of requests (`sent_at`) is before the time of their rows: it is
    when they began."""
    if "finished_at" not in chosen:
        return False
    end, at = (chosen[f].path for f in ("finished_at", "at"))
    forms = seen[end].time, seen[at].time
    pairs = [(instant(r.get(end), forms[0]), instant(r.get(at), forms[1])) for r in rows]
    told = [one < row for one, row in pairs if one is not None and row is not None]
    return sum(told) > _BEFORE_MIN * len(told) > 0


def _are_attempts(chosen: dict[str, Column]) -> bool:
    """Whether rows have the number of an attempt, its status, and when it began and ended: then a state
    in them is how the delivery stood after it."""
    ends = "finished_at" in chosen or name_score("finished_at", chosen["at"].path) >= 60
    return {"attempt", "status", "started_at"} <= chosen.keys() and ends


def _is_feature(seen: Seen) -> bool:
    if seen.nested or seen.filled < 0.05 * seen.rows or seen.time not in (None, "s"):
        return False
    if seen.is_number and not seen.is_whole:
        return seen.distinct > 5
    return 1 < seen.distinct <= _EXTRA_VALUES_MAX or (seen.is_number and seen.distinct > 1)
