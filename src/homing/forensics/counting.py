"""How many deliveries a log has, how many of them went nowhere, and which: for `verify` and `impact`.

The reading and the judging are those of an investigation; the search for a cause is left out.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from homing.forensics.building import build
from homing.forensics.cases import CROSSINGS
from homing.forensics.engine import on_duckdb
from homing.forensics.investigation import Options, judged_tables
from homing.forensics.judging import Verdict
from homing.forensics.reading.files import Progress, connect, read
from homing.forensics.traces import dropped_names
from homing.forensics.vocabulary import Stand
from homing.insight.verification import Arm, Count, Window

#: features of deliveries that are counted, by their names among the suspects of an investigation
STRATA: Final = {text: f"COALESCE({name}, FALSE)" for name, text in CROSSINGS.items()} | {
    "an attempt failed": "bad > 0",
    "two or more attempts failed": "bad > 1",
    "it was taken more than once": "takes > 1",
}
#: what tells one traffic from another
_MIX: Final = ("endpoint", "app", "event_type")
_MIX_VALUES_MAX: Final = 2_000
_OPEN: Final = f"({int(Verdict.OPEN)}, {int(Verdict.LATER)})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What one log comes to."""

    arm: Arm
    accepted: int  #: all, also those too young to judge
    drops: tuple[str, ...]  #: names of the dropped, in the order of the log
    first_us: int
    last_us: int
    #: names of the deliveries that came late, and how late in seconds, in the order of the log
    late: tuple[tuple[str, float], ...] = ()


def count(
    patterns: Sequence[str],
    options: Options,
    progress: Progress = lambda step, share: None,
    *,
    since_us: int | None = None,
    late_s: float | None = None,
) -> Counted:
    """Count a log.

    Args:
        patterns: files and globs.
        since_us: only deliveries accepted from then on; None: all.
        late_s: also name what was delivered so many seconds after it was accepted, or later.

    Raises:
        Unreadable: a file cannot be read.
        ConfigError: the mapping does not fit.
    """
    with (
        tempfile.TemporaryDirectory(prefix="homing-", dir=options.folder) as folder,
        connect(folder, options.memory, options.threads) as connection,
    ):
        raw = read(connection, patterns, folder=folder, mapping=options.mapping, progress=progress)
        engine = on_duckdb(connection)
        events = build(raw, engine, progress)
        judged_tables(engine, events, options, progress)
        first_us = max(events.first_us, since_us or 0)
        window = Window(first_us=first_us, last_us=events.last_us)
        arm = _arm(connection, since_us, events.names)
        accepted = _one(connection, f"SELECT count(*) FROM judged {_since(since_us)}")[0]
        too_young = accepted - arm.all.n
        return Counted(
            arm=msgspec.structs.replace(arm, window=window, too_young=too_young),
            accepted=accepted,
            drops=tuple(dropped_names(engine, since_us or 0)),
            first_us=first_us,
            last_us=events.last_us,
            late=() if late_s is None else _late(connection, since_us, late_s),
        )


#: column → number → text
Names = dict[str, dict[int, str]]


def _since(since_us: int | None, also: str = "TRUE") -> str:
    return f"WHERE accepted_at >= {since_us or 0} AND {also}"


def _one(connection: Any, statement: str) -> Any:
    return connection.execute(statement).fetchall()[0]


def _arm(connection: Any, since_us: int | None, names: Names) -> Arm:
    settled = _since(since_us, f"verdict NOT IN {_OPEN}")
    lost = f"verdict = {int(Verdict.DROPPED)}"
    parts = [f"count(*), count(*) FILTER ({lost})"]
    for test in STRATA.values():
        parts.append(f"count(*) FILTER ({test}), count(*) FILTER (({test}) AND {lost})")
    row = _one(connection, f"SELECT {', '.join(parts)} FROM judged {settled}")
    pairs = [Count(n=row[i], k=row[i + 1]) for i in range(0, len(row), 2)]
    return Arm(
        all=pairs[0],
        strata=dict(zip(STRATA, pairs[1:], strict=True)),
        mix={k: mix for k in _MIX if (mix := _mix(connection, k, settled, names.get(k, {})))},
    )


def _mix(connection: Any, kind: str, settled: str, texts: dict[int, str]) -> dict[str, int]:
    """Deliveries by value, if there are several and not too many."""
    rows = connection.execute(
        f"SELECT {kind}, count(*) FROM judged {settled} AND {kind} IS NOT NULL GROUP BY 1 "
        f"LIMIT {_MIX_VALUES_MAX + 1}"
    ).fetchall()
    mix = {texts[code]: n for code, n in rows if code in texts}
    return mix if 1 < len(rows) <= _MIX_VALUES_MAX else {}


_NAME: Final = (
    "COALESCE(any_value(r.delivery), "
    "any_value(r.message) || COALESCE('/' || any_value(r.endpoint), ''))"
)


def _late(connection: Any, since_us: int | None, late_s: float) -> tuple[tuple[str, float], ...]:
    """What was delivered, and how long after its acceptance its first success was written."""
    late_us = round(late_s * 1_000_000)
    is_slow = f"j.verdict = {int(Verdict.DELIVERED)} AND j.last_at - j.accepted_at >= {late_us}"
    rows = connection.execute(
        f"SELECT name, (done - accepted_at) / 1e6 FROM (SELECT {_NAME} AS name, j.accepted_at, "
        f"min(e.at_us) FILTER (e.result > 0 OR e.stand = {int(Stand.DELIVERED)}) AS done, "
        "min(e.pos) AS place FROM judged j JOIN events e ON e.d = j.d "
        f"JOIN raw r ON r.rowid = e.line {_since(since_us, is_slow)} GROUP BY j.d, j.accepted_at) "
        f"WHERE done - accepted_at >= {late_us} ORDER BY place"
    ).fetchall()
    return tuple((str(name), float(seconds)) for name, seconds in rows)
