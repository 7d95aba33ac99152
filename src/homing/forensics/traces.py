"""Single deliveries, line by line, with the words of the log: for the rules and for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import ibis

from homing.forensics.behaviours import name_of
from homing.forensics.building import worker_of
from homing.forensics.engine import Engine
from homing.forensics.judging import Verdict, Why
from homing.forensics.operations import Op, Stand
from homing.forensics.rows import Line, rows

#: dropped deliveries whose lines are read one by one
DROPPED_MAX: Final = 4_000
#: deliveries that came through, to compare with
FINE_MAX: Final = 2_000
_LINES_MAX: Final = 60


class Step(NamedTuple):
    """One line of a delivery."""

    at_us: int
    act: Op
    stand: Stand
    before: Stand
    result: int
    attempt: int | None
    epoch: int | None
    worker: str | None
    version_before: int | None
    version_after: int | None
    rows_written: int | None
    status: int | None
    total_us: int | None
    due_us: int | None
    lease_us: int | None
    word: str | None
    state: str | None
    was: str | None  #: the state that it changed, says the line
    reason: str | None
    actor: str | None
    build: str | None
    line: int
    is_row: bool = False  #: of a table of deliveries, which says how it stands

    @property
    def is_refused(self) -> bool:
        """Whether the database kept what it had."""
        return self.rows_written == 0


class Trace(NamedTuple):
    """All lines of a delivery, in order."""

    name: str
    why: Why
    verdict: Verdict
    crossings: frozenset[str]
    steps: tuple[Step, ...]
    of_message: bool  #: it has no line that names an endpoint
    accepted_us: int
    endpoint: str | None  #: None: no line of it names one


def dropped(engine: Engine, crossings: list[str], limit: int = DROPPED_MAX) -> list[Trace]:
    """Dropped deliveries, spread evenly over the log."""
    judged = engine.table("judged")
    return _read(engine, judged.filter(judged.verdict == int(Verdict.DROPPED)), crossings, limit)


def fine(engine: Engine, crossings: list[str], limit: int = FINE_MAX) -> list[Trace]:
    """Deliveries that came through although something went wrong on their way."""
    judged = engine.table("judged")
    tests = [judged.bad > 0, judged.takes > 1, judged.refused > 0, *(judged[c] for c in crossings)]
    went_wrong = ibis.or_(*tests)
    through = judged.filter((judged.verdict == int(Verdict.DELIVERED)) & went_wrong)
    return _read(engine, through, crossings, limit)


def dropped_names(engine: Engine, since_us: int = 0) -> Iterator[str]:
    """The names of all dropped deliveries accepted from then on, in the order of the log."""
    judged = engine.table("judged")
    wanted = judged.filter(
        (judged.verdict == int(Verdict.DROPPED)) & (judged.accepted_at >= since_us)
    )
    for one in rows(_named(engine, wanted).order_by("first")):
        yield _name(one)


def names_of(engine: Engine, judged: Any) -> Iterator[str]:
    """The names of all of them."""
    for one in rows(_named(engine, judged)):
        yield _name(one)


def late_names(engine: Engine, judged: Any, late_s: float) -> Iterator[tuple[str, float]]:
    """Those of them that were delivered so many seconds after their acceptance or later, and how many:
    until the first line that says so. In the order of the log."""
    late_us = round(late_s * 1_000_000)
    took = judged.last_at - judged.accepted_at
    wanted = judged.filter((judged.verdict == int(Verdict.DELIVERED)) & (took >= late_us))
    events = engine.table("events")
    is_done = (events.result > 0) | (events.stand == int(Stand.DELIVERED))
    done = (
        events.semi_join(wanted, "d").group_by("d").aggregate(done=events.at_us.min(where=is_done))
    )
    found = _named(engine, wanted).join(done, "d").join(wanted.select("d", "accepted_at"), "d")
    found = found.mutate(late_us=found.done - found.accepted_at)
    for one in rows(found.filter(found.late_us >= late_us).order_by("first")):
        yield _name(one), int(one.late_us) / 1_000_000


def _name(one: Line) -> str:
    return one.delivery or "/".join(part for part in (one.message, one.endpoint) if part)


def _named(engine: Engine, wanted: Any) -> Any:
    """What those deliveries are called, and the place of their first line."""
    events, raw = engine.table("events"), engine.table("raw")
    named = raw.select(
        "delivery", "message", row_endpoint="endpoint", row=raw["rowid"]
    )  # of the events, `endpoint` is a number
    lines = events.semi_join(wanted, "d").select("d", "pos", "line")
    lines = lines.join(named, lines.line == named.row)
    # a row that names the message alone may have got that for a name
    own = lines.delivery.nullif(lines.message)
    return lines.group_by("d").aggregate(
        first=lines.pos.min(),
        delivery=ibis.coalesce(own.max(), lines.delivery.max()),
        message=lines.message.max(),
        endpoint=lines.row_endpoint.max(),
    )


def _read(engine: Engine, judged: Any, crossings: list[str], limit: int) -> list[Trace]:
    """The lines of so many of the deliveries."""
    # by a number that has nothing to do with when they were accepted
    few = judged.order_by(engine.code(judged.d)).limit(limit)
    few = engine.keep("wanted", few.select("d", "why", "verdict", "accepted_at", *crossings))
    events, raw = engine.table("events"), engine.table("raw")
    mine = events.semi_join(few, "d")
    worded = raw.select(
        rowid="rowid",
        worker=worker_of(raw),
        word=ibis.coalesce(raw.op_raw, raw.to_raw, raw.outcome_raw),
        state="to_raw",
        was="from_raw",
        reason="reason",
        actor="actor",
        build="build",
        name=name_of(raw),
        is_of_message=raw.delivery.isnull() & raw.endpoint.isnull(),
        row_endpoint=raw.endpoint,
        is_row=raw.layout == "deliveries",
    )
    mine = mine.drop("worker", "build").join(worded, mine.line == worded["rowid"])
    grouped: dict[int, list[Line]] = {}
    for line in rows(mine.order_by("d", "pos").select("d", "part", *_COLUMNS, *_WORDS, *_ABOUT)):
        grouped.setdefault(int(line.d), []).append(line)
    traces = []
    for one in rows(few):
        lines = grouped.get(int(one.d), [])
        traces.append(
            Trace(
                name=max((line.name for line in lines if line.name), key=len, default="?"),
                why=Why(one.why),
                verdict=Verdict(one.verdict),
                crossings=frozenset(c for c in crossings if one[c]),
                steps=tuple(_step(line) for line in lines[:_LINES_MAX]),
                of_message=all(line.is_of_message for line in lines),
                accepted_us=int(one.accepted_at),
                endpoint=next((line.row_endpoint for line in lines if line.row_endpoint), None),
            )
        )
    return sorted(traces, key=lambda t: (t.accepted_us, t.name))


#: of the events, and of the raw rows, what a step is made of
_COLUMNS: Final = (
    *("at_us", "act", "stand", "from_stand", "result", "attempt", "epoch", "version_before"),
    *("version_after", "rows_written", "status", "total_us", "due_us", "lease_us", "line"),
)
_WORDS: Final = ("worker", "word", "state", "was", "reason", "actor", "build")
_ABOUT: Final = ("name", "is_of_message", "row_endpoint", "is_row")


def _step(line: Line) -> Step:
    act = Op(line.act)
    told = {name: line[name] for name in (*_COLUMNS, *_WORDS)}
    told |= {
        "act": act,
        "stand": Stand(line.stand),
        "before": Stand(told.pop("from_stand")),
        "line": line.line + 1,
        "word": line.word if line.part == 1 else act.name.lower(),
        "is_row": bool(line.is_row) and line.part == 1,
    }
    return Step(**told)
