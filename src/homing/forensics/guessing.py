"""Which column of an unknown log is which of our fields: the most likely mapping of a sample. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from homing.core.errors import ConfigError
from homing.core.records import LogEntry
from homing.forensics.columns import (
    LENGTHS,
    TIMES,
    Seen,
    fits,
    instant,
    look,
    name_score,
    recognised,
    varies_within,
)
from homing.forensics.doubting import doubts_of
from homing.forensics.lines import Row
from homing.forensics.mapping import Column, Mapping, shipped
from homing.forensics.vocabulary import Op, meaning, normal

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


def guess(rows: Sequence[Row], file: str = "") -> Mapping:
    """The most likely mapping of a sample.

    Args:
        file: its name without folder and ending: `dead_letters` tells what its rows are.

    Raises:
        Unmapped: no column can name a delivery, or none can be a time.
    """
    seen = look(rows)
    if _is_own(seen):
        return shipped("homing")
    chosen: dict[str, Column] = {}
    taken: set[str] = set()

    def take(name: str, path: str | None) -> None:
        if path is not None:
            unit = _unit(name, seen[path])
            chosen[name] = Column(path=str(path), unit=unit)
            taken.add(path)

    _choose_key(rows, seen, take, taken)
    key = [chosen[f].path for f in ("delivery", "message", "endpoint") if f in chosen]
    if not key:
        raise Unmapped([_NO_KEY.format(_named(seen))], Mapping(layout="events", columns={}), seen)
    key = [chosen["delivery"].path] if "delivery" in chosen else key
    repeated = _is_repeated(rows, key)
    _choose_status(seen, take, taken)
    _choose_attempt(seen, take, taken)
    for name in _ORDER:
        candidates = {p: s for p, s in seen.items() if p not in taken and fits(name, s)}
        if name == "worker":  # one process id for all of them tells no worker from another
            candidates = {p: s for p, s in candidates.items() if s.distinct > 1} or candidates
        if name == "to_state" and "op" in chosen:  # a logger's name may sound like a state
            candidates = {p: s for p, s in candidates.items() if name_score(name, p) >= 30}
        take(name, _best(name, candidates, rows, key, repeated))
    _choose_times(rows, seen, take, taken, key, repeated)
    if "at" not in chosen:
        raise Unmapped(
            [_NO_TIME.format(_named(seen))], Mapping(layout="events", columns=chosen), seen
        )
    layout = _layout(chosen, repeated, seen)
    if not TELLING & chosen.keys() and (told := _told_by_name(file)):
        chosen["op"] = Column(value=told)
        layout = "events"
    if _is_intake(chosen, seen):
        del chosen["status"]
        chosen["op"] = Column(value="accepted")
        layout = "events"
    if layout == "deliveries" and "to_state" in chosen and "op" in chosen:
        # a row for all of a life names no step of it: what it calls an event is the type of one
        what = chosen.pop("op")
        chosen.setdefault("event_type", what)
    at = chosen["at"].path
    if layout == "attempts" and "finished_at" in chosen and name_score("started_at", at) >= 60:
        chosen.setdefault("started_at", chosen["at"])
    if layout == "deliveries" and "to_state" not in chosen and "outcome" in chosen:
        chosen["to_state"] = chosen.pop("outcome")
    extras = tuple(str(p) for p, s in seen.items() if p not in taken and _is_feature(s))[
        :EXTRAS_MAX
    ]
    mapping = Mapping(layout=layout, columns=chosen, extras=extras)
    return replace(mapping, doubts=doubts_of(mapping, seen))


#: fields that say what happened, or how it stands
TELLING: Final = frozenset(
    {"op", "to_state", "outcome", "status", "pending", "finished_at", "dead_at"}
)
_OF_A_FILE: Final = frozenset(
    {Op.ACCEPTED, Op.QUEUED, Op.SUCCEEDED, Op.FAILED, Op.RETRY, Op.DEAD, Op.EXHAUSTED}
    | {Op.CANCELLED, Op.PARKED, Op.PURGED, Op.DISCARDED, Op.SKIPPED}
)


def _told_by_name(name: str) -> str | None:
    """What the rows of a file are, if no column says so and its name does: `dead_letters`."""
    return name if meaning(name).op in _OF_A_FILE else None


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
    """Whether deliveries have several rows; a row that was exported twice is one."""
    different = {(tuple(str(r.get(k)) for k in key), str(r)) for r in rows}
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


def _unit(name: str, seen: Seen) -> str | None:
    if name in TIMES:
        return seen.time
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
    return "us" if seen.most > 3e6 else "ms"


def _top(name: str, seen: dict[str, Seen], taken: set[str], least: float = 30.0) -> str | None:
    scored = [
        (name_score(name, path), -i, path)
        for i, (path, one) in enumerate(seen.items())
        if path not in taken and fits(name, one)
    ]
    best = max(scored, default=(0.0, 0, ""))
    return best[2] if best[0] >= least else None


def _choose_key(rows: Sequence[Row], seen: dict[str, Seen], take: Any, taken: set[str]) -> None:
    """Delivery, message and endpoint; a name alone does not do: the values must be names."""
    names = {p: s for p, s in seen.items() if _is_name(s)}
    delivery = _top("delivery", names, taken, 62.0)
    message = _top("message", {p: s for p, s in names.items() if p != delivery}, taken, 50.0)
    if message is None:
        message = next((p for p, s in names.items() if p != delivery and _is_reference(s)), None)
    rest = {
        p: s
        for p, s in seen.items()
        if p not in (delivery, message) and s.time is None and not s.nested
        if s.distinct > 1 or not _HOST.search(normal(p))  # the one host that wrote the log
    }
    endpoint = _top(
        "endpoint", {p: s for p, s in rest.items() if not s.is_number or s.is_whole}, taken, 40.0
    )
    if delivery is not None and message is not None and endpoint is not None:
        # a number of the row, not of the delivery: unique where message and endpoint repeat
        pairs = len({(str(r.get(message)), str(r.get(endpoint))) for r in rows})
        if names[delivery].distinct >= 0.999 * names[delivery].filled and pairs < 0.9 * len(rows):
            delivery = None
    if delivery is None and message is None:
        delivery = _some_id(rows, names)
        if delivery is None and endpoint in names:
            one = names[endpoint]  # as many as there are deliveries: `webhook_id` is either
            delivery = endpoint if one.distinct >= _ID_SHARE_MIN * one.filled else None
        if delivery == endpoint:
            endpoint = None
    if delivery is not None and endpoint is not None and _moves(rows, delivery, endpoint):
        endpoint = None  # a host that differs within a delivery is whose turn it was
    if endpoint is None:
        addresses = (p for p, s in rest.items() if p != delivery and _is_address(s))
        endpoint = next((p for p in addresses if name_score("event_type", p) < 60), None)
        if endpoint is not None and _moves(rows, delivery or message, endpoint):
            endpoint = None
    if delivery is None and message is not None and endpoint is None and "id" in names:
        one = names["id"]  # one row a delivery under a bare `id`; else it numbers the rows
        if one.distinct < 0.98 * one.filled:
            delivery = "id"
    take("delivery", delivery)
    take("message", message)
    take("endpoint", endpoint)
    take("trace", _trace(rows, seen, taken, [p for p in (delivery or message,) if p]))


def _trace(
    rows: Sequence[Row], seen: dict[str, Seen], taken: set[str], key: list[str]
) -> str | None:
    """What else names a delivery, where rows that do not name it themselves share it with some that
    do: the id of a trace or of a job."""
    if not key or not any(row.get(key[0]) is None for row in rows):
        return None
    for path in sorted(seen, key=lambda p: -name_score("trace", p)):
        if path in taken or name_score("trace", path) < 46.0:
            continue
        own: dict[str, set[str]] = {}
        lacking = set()
        for row in rows:
            name, other = row.get(key[0]), row.get(path)
            if other is not None and name is not None:
                own.setdefault(str(other), set()).add(str(name))
            elif other is not None:
                lacking.add(str(other))
        one = sum(len(names) == 1 for names in own.values())
        if own and lacking and one >= 0.9 * len(own) and lacking & own.keys():
            return path
    return None


#: fewer different values than this share of the rows cannot be deliveries
_ID_SHARE_MIN: Final = 0.05
_HOST: Final = re.compile(r"(^|_)host_?name$")
_ADDRESS: Final = re.compile(
    r"https?://\S+|[a-z0-9-]+(\.[a-z0-9-]+)*\.[a-z]{2,}(:\d+)?(/\S*)?", re.I
)


def _moves(rows: Sequence[Row], key: str | None, path: str) -> bool:
    """Whether the values of a column differ within one delivery, as an endpoint never does."""
    return key is not None and varies_within(rows, [key], path) > 0.1


def _is_address(seen: Seen) -> bool:
    """Whether all values are addresses of the web, or names of hosts of it."""
    return seen.distinct > 1 and all(map(_ADDRESS.fullmatch, seen.values))


def _is_name(seen: Seen) -> bool:
    if not seen.filled or seen.nested or seen.time not in (None, "s", "ms", "us", "ns"):
        return False
    if seen.is_number and (not seen.is_whole or seen.http_share > 0.8):
        return False
    if sum(" " in value.strip() for value in seen.values) > 0.5 * seen.distinct:
        return False  # sentences
    return seen.distinct > 1 or seen.rows < 5


def _is_reference(seen: Seen) -> bool:
    """Whether a bare `event` or `message` names the event rather than what happened to it."""
    return (
        normal(seen.path).rpartition("_")[2] in ("event", "message", "msg", "payload")
        and seen.distinct >= 0.2 * seen.filled
        and not any(character.isspace() for value in seen.values for character in value)
    )


def _some_id(rows: Sequence[Row], names: dict[str, Seen]) -> str | None:
    """A column of identifiers whose name says so little as `id`, or nothing at all."""
    candidates = []
    for path, one in names.items():
        last = normal(path).rpartition("_")[2]
        if one.time and not last.endswith("id"):
            continue
        if any(
            name_score(whose, path) >= 60 for whose in ("endpoint", "app", "event_type", "worker")
        ):
            continue  # it names something else than a delivery
        repeats = one.filled / one.distinct
        looks = 30 * last.endswith(("id", "uuid", "key", "ref", "no")) + 15 * (normal(path) == "id")
        if one.distinct < min(50, 0.05 * one.filled) or (one.is_number and not looks):
            continue
        if 1.05 <= repeats <= 30:
            looks += 25
        candidates.append((looks + one.filled / one.rows, path))
    return max(candidates, default=(0, None))[1]


def _choose_status(seen: dict[str, Seen], take: Any, taken: set[str]) -> None:
    path = _top("status", seen, taken)
    if path is None:
        shares = [
            (s.http_share, p)
            for p, s in seen.items()
            if p not in taken and s.is_whole and s.distinct > 1
        ]
        share, found = max(shares, default=(0.0, None))
        path = found if share > 0.95 else None
    take("status", path)


def _choose_attempt(seen: dict[str, Seen], take: Any, taken: set[str]) -> None:
    # one number above 1 in all rows is how many there may be, whatever it is called
    limits = {p: s for p, s in seen.items() if s.distinct == 1 and s.filled > 1 and s.least > 1}
    counts = {p: s for p, s in seen.items() if p not in limits}
    path = _top("attempt", counts, taken, 40.0)
    if path is not None:
        take("attempt", path)
    else:
        take("retries", _top("retries", counts, taken, 50.0))
    if _top("max_attempts", seen, taken, 46.0) is None:
        take("max_attempts", _top("attempt", limits, taken, 60.0))


def _best(
    name: str, candidates: dict[str, Seen], rows: Sequence[Row], key: list[str], repeated: bool
) -> str | None:
    if name == "note":
        return _most_telling(candidates)
    if name not in ("op", "to_state", "from_state", "outcome", "event_type"):
        return _top(name, candidates, set(), 46.0)
    scored = []
    for path, one in candidates.items():
        score = name_score(name, path)
        if name == "event_type":
            if re.search(r"(^|_)(err|error|exception)(_|$)", normal(path)):
                continue
            if repeated and varies_within(rows, key, path) > 0.2:
                score -= 80  # it changes during a delivery's life: it is no type of event
        elif name in ("op", "to_state"):
            if score < 45 and name_score("reason", path) >= 80:
                continue  # why it failed, not what was done
            known = recognised(one, is_state=name == "to_state")
            score += 45 * known - 15
            if repeated:
                varies = varies_within(rows, key, path)
                score += 50 * varies - 25
                if name == "op" and varies < 0.05:
                    score -= 40  # the same in all of a delivery's rows: what it is about
            if one.is_number:
                score -= 10
            if known < 0.3 and name_score(name, path) < 80:
                score -= 40
        scored.append((score, path))
    best = max(scored, default=(0.0, ""))
    return best[1] if best[0] >= (60 if name == "op" else 46) else None


def _most_telling(candidates: dict[str, Seen]) -> str | None:
    """Of the texts beside the reason, the one of whose words most mean something."""
    scored = [
        (recognised(one, is_state=False), score, path)
        for path, one in candidates.items()
        if not one.is_number and one.time is None and (score := name_score("note", path)) >= 46.0
    ]
    return max(scored, default=(0.0, 0.0, None))[2]


def _choose_times(
    rows: Sequence[Row],
    seen: dict[str, Seen],
    take: Any,
    taken: set[str],
    key: list[str],
    repeated: bool,
) -> None:
    """The time of the row first: where deliveries have several rows, it is what differs in them."""
    times = {p: s for p, s in seen.items() if p not in taken and fits("at", s)}
    for name in ("ready_at", "due", "lease_until", "committed_at"):
        take(name, _top(name, {p: s for p, s in times.items() if p not in taken}, set(), 60.0))
    free = {p: s for p, s in times.items() if p not in taken}
    is_due_open = not any(
        p in taken and (name_score("due", p) >= 60 or name_score("ready_at", p) >= 60) for p in seen
    )
    if not repeated:
        for name in (
            "finished_at",
            "dead_at",
            "cancelled_at",
            "started_at",
            "changed_at",
            "accepted_at",
        ):
            take(name, _top(name, {p: s for p, s in free.items() if p not in taken}, set(), 60.0))
    else:
        is_dated = any(s.is_calendar for s in free.values())
        scored = [
            (
                name_score("at", p)
                + 40 * varies_within(rows, key, p)
                + 40 * s.filled / s.rows
                - 10 * (name_score("started_at", p) >= 60),  # of a span the end says more
                -i,
                p,
            )
            for i, (p, s) in enumerate(free.items())
            if s.is_calendar or (name_score("at", p) > 0 and not is_dated)
        ]
        best = max(scored, default=(0.0, 0, ""))
        has_time = best[0] > 20
        take("at", best[2] if has_time else None)
        for name in ("accepted_at", "finished_at", "started_at", "changed_at"):
            take(name, _top(name, {p: s for p, s in free.items() if p not in taken}, set(), 60.0))
        if has_time:
            left = {p: s for p, s in free.items() if p not in taken}
            take("due", _later(rows, left, free[best[2]]) if is_due_open else None)
            return
    _fill_at(free, seen, take, taken)


#: a time that fewer rows have, and that is nearly always later than its row's, is one to wait for
_DUE_FILLED_MAX: Final = 0.7
_DUE_LATER: Final = 0.95
_DUE_FEWEST: Final = 5


def _later(rows: Sequence[Row], left: dict[str, Seen], at: Seen) -> str | None:
    """The time, of those without a meaning, that looks forward: when a delivery is due again."""
    for path, one in left.items():
        if not one.is_calendar or one.filled > _DUE_FILLED_MAX * one.rows:
            continue
        pairs = [
            (instant(row.get(path), one.time), instant(row.get(at.path), at.time)) for row in rows
        ]
        told = [then > now for then, now in pairs if then is not None and now is not None]
        if len(told) >= _DUE_FEWEST and sum(told) >= _DUE_LATER * len(told):
            return path
    return None


def _fill_at(free: dict[str, Seen], seen: dict[str, Seen], take: Any, taken: set[str]) -> None:
    """Where no column is left to be the time of the row, another time is it as well."""
    left = _top("at", {p: s for p, s in free.items() if p not in taken}, set(), 20.0)
    if left is not None:
        take("at", left)
        return
    ranked = [(name_score("at", p), s.filled, p) for p, s in free.items()]
    if ranked:
        take("at", max(ranked)[2])


def _layout(chosen: dict[str, Column], repeated: bool, seen: dict[str, Seen]) -> str:
    if not repeated:
        return "deliveries"
    if "op" not in chosen and ("status" in chosen or "outcome" in chosen):
        state = chosen.get("to_state")
        if state is None:
            return "attempts"
        # of attempts, if no state says more than how the request ended
        stands = {meaning(w, is_state=True).op for w in seen[state.path].values}
        if stands <= {Op.SUCCEEDED, Op.FAILED, Op.QUEUED, Op.SENT, Op.UNKNOWN}:
            return "attempts"
    return "events"


def _is_feature(seen: Seen) -> bool:
    if seen.nested or seen.filled < 0.05 * seen.rows or seen.time not in (None, "s"):
        return False
    if seen.is_number and not seen.is_whole:
        return seen.distinct > 5
    return 1 < seen.distinct <= _EXTRA_VALUES_MAX or (seen.is_number and seen.distinct > 1)
