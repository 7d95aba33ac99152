"""Single deliveries, line by line, with the words of the log: for the rules and for people."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from homing.forensics.judging import Verdict, Why
from homing.forensics.vocabulary import Op, Stand

#: dropped deliveries whose lines are read one by one
DROPPED_MAX: Final = 4_000
#: deliveries that came through, to compare with
FINE_MAX: Final = 2_000
_LINES_MAX: Final = 60

_READ: Final = """
    SELECT e.d, e.at_us, e.act, e.stand, e.from_stand, e.result, e.attempt, e.epoch, {worker} AS worker,
        e.version_before, e.version_after, e.rows_written, e.status, e.total_us, e.due_us, e.lease_us,
        COALESCE(r.op_raw, r.to_raw, r.outcome_raw) AS word, r.to_raw, r.reason, r.actor, r.build,
        COALESCE(r.delivery, r.message || COALESCE('/' || r.endpoint, '')) AS name,
        r.delivery IS NULL AND r.endpoint IS NULL AS of_message, e.line, e.part
    FROM events e JOIN raw r ON r.rowid = e.line JOIN {wanted} w ON w.d = e.d
    ORDER BY e.d, e.pos
"""
#: columns of `_READ` that are not of a step
_NAME: Final = 21
_OF_MESSAGE: Final = 22
_WORKER: Final = (
    "CASE WHEN r.worker IS NULL THEN r.boot WHEN r.boot IS NULL THEN r.worker "
    "ELSE r.worker || ':' || r.boot END"
)


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
    reason: str | None
    actor: str | None
    build: str | None
    line: int

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


def dropped(connection: Any, crossings: list[str], limit: int = DROPPED_MAX) -> list[Trace]:
    """Dropped deliveries, spread evenly over the log."""
    where = f"verdict = {int(Verdict.DROPPED)} ORDER BY hash(d) LIMIT {limit}"
    return _read(connection, where, crossings)


def fine(connection: Any, crossings: list[str], limit: int = FINE_MAX) -> list[Trace]:
    """Deliveries that came through although something went wrong on their way."""
    where = (
        f"verdict = {int(Verdict.DELIVERED)} AND (bad > 0 OR takes > 1 OR refused > 0 "
        f"OR {' OR '.join(crossings)}) ORDER BY hash(d) LIMIT {limit}"
    )
    return _read(connection, where, crossings)


def plain(connection: Any, crossings: list[str], limit: int = 200) -> list[Trace]:
    """Deliveries that were delivered, whichever way."""
    return _read(
        connection, f"verdict = {int(Verdict.DELIVERED)} ORDER BY hash(d) LIMIT {limit}", crossings
    )


def _read(connection: Any, where: str, crossings: list[str]) -> list[Trace]:
    flags = ", ".join(crossings)
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE wanted AS SELECT d, why, verdict, accepted_at, {flags} "
        f"FROM judged WHERE {where}"
    )
    about = {row[0]: row[1:] for row in connection.execute("SELECT * FROM wanted").fetchall()}
    rows = connection.execute(_READ.format(worker=_WORKER, wanted="wanted")).fetchall()
    grouped: dict[int, list[Any]] = {}
    for row in rows:
        grouped.setdefault(row[0], []).append(row)
    traces = []
    for d, lines in grouped.items():
        why, verdict, accepted_us, *marks = about[d]
        steps = tuple(_step(row) for row in lines[:_LINES_MAX])
        name = max((row[_NAME] for row in lines if row[_NAME]), key=len, default="?")
        traces.append(
            Trace(
                name=name,
                why=Why(why),
                verdict=Verdict(verdict),
                crossings=frozenset(c for c, m in zip(crossings, marks, strict=True) if m),
                steps=steps,
                of_message=all(row[_OF_MESSAGE] for row in lines),
                accepted_us=int(accepted_us),
            )
        )
    return sorted(traces, key=lambda t: (t.accepted_us, t.name))


def _step(row: Any) -> Step:
    """A row of `_READ`: what is between the delivery and its name is in the order of `Step`."""
    *_, line, part = row
    step = Step._make((*row[1:_NAME], line + 1))
    act = Op(step.act)
    return step._replace(
        act=act,
        stand=Stand(step.stand),
        before=Stand(step.before),
        word=step.word if part == 1 else act.name.lower(),
    )
