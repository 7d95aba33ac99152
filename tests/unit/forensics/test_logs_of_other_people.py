"""Logs in the manner of other people's services: other languages, odd names, odd times."""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

pytest.importorskip("duckdb")
pytest.importorskip("ibis")

from homing.forensics.document import document
from homing.forensics.investigation import investigate
from homing.forensics.options import Options

BEGIN = datetime(2026, 3, 2, 9, tzinfo=UTC)
DELIVERIES = 500


class Line(NamedTuple):
    """A line of a small service, before it is given somebody's words."""

    at: float
    number: int
    what: str  #: "new", "take", "fail", "stuck" (a failure that leaves it taken) or "ok"
    attempt: int | None = None
    worker: str | None = None
    status: int | None = None
    due: float | None = None


def service(fault: str | None) -> tuple[list[Line], int]:
    """The lines in order of time, and how many deliveries the fault loses."""
    draw = random.Random(f"other people {fault}")
    lines: list[Line] = []
    lost, at = 0, 0.0
    for number in range(DELIVERIES):
        at += draw.expovariate(1 / 6)
        is_hit = fault is not None and 0.4 < number / DELIVERIES < 0.95 and draw.random() < 0.1
        one = list(_life(draw, at, number, fault if is_hit else None))
        lost += one[-1].what != "ok"
        lines += one
    return sorted(lines), lost


def _life(draw: random.Random, at: float, number: int, fault: str | None) -> Iterator[Line]:
    yield Line(at, number, "new")
    at += draw.uniform(0.1, 0.6)
    for attempt in (1, 2, 3):
        worker = f"w{draw.randint(1, 4)}"
        yield Line(at, number, "take", attempt, worker)
        if fault == "D4":
            return
        at += draw.uniform(0.05, 0.8)
        if fault is None and (attempt == 3 or draw.random() > 0.15):
            yield Line(at, number, "ok", attempt, worker, 200)
            return
        if fault == "D2":
            yield Line(at, number, "stuck", attempt, worker, 503)
            return
        due = at + 20 * attempt
        yield Line(at, number, "fail", attempt, worker, 503, due)
        if fault == "D1":
            return
        at = due + draw.uniform(0.1, 2)


def when(at: float | None, form: str = "%Y-%m-%d %H:%M:%S.%f") -> str:
    return "" if at is None else (BEGIN + timedelta(seconds=at)).strftime(form)


def table(rows: list[dict[str, Any]], delimiter: str) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def spanish(lines: list[Line]) -> str:
    """States in Spanish, days before months, local times with no zone, semicolons."""
    words = {"new": "CREADO", "take": "ENVIANDO", "ok": "ENTREGADO", "fail": "REINTENTO_PENDIENTE"}
    rows = [
        {
            "fecha": when(x.at, "%d/%m/%Y %H:%M:%S.%f"),
            "id_envio": f"E-{x.number:05d}",
            "estado": words[x.what],
            "intento": x.attempt or "",
            "codigo_http": x.status or "",
            "proximo_intento": when(x.due, "%d/%m/%Y %H:%M:%S"),
        }
        for x in lines
    ]
    return table(rows, ";")


def german(lines: list[Line]) -> str:
    """Operations in German; no state."""
    words = {"new": "ANGENOMMEN", "take": "IN_BEARBEITUNG", "ok": "ZUGESTELLT"}
    rows = [
        {
            "Zeitpunkt": when(x.at),
            "Vorgang": words.get(x.what, "FEHLGESCHLAGEN"),
            "Zustellung": f"Z{x.number}",
            "Versuch": x.attempt or "",
            "Knoten": x.worker or "",
            "Antwort": x.status or "",
        }
        for x in lines
    ]
    return table(rows, ";")


def nested(lines: list[Line]) -> str:
    """Milliseconds as text, three objects in one, words of its own."""
    words = {"new": "HookQueued", "take": "HookDispatching", "ok": "HookAcked"}
    states = {"new": "Q", "take": "INFLIGHT", "ok": "OK", "fail": "Q", "stuck": "INFLIGHT"}

    def millis(at: float | None) -> str | None:
        return None if at is None else str(int((BEGIN.timestamp() + at) * 1000))

    return "".join(
        json.dumps(
            {
                "meta": {"stamp": millis(x.at), "svc": "hookd"},
                "what": words.get(x.what, "HookNacked"),
                "hook": {"ref": f"H{x.number:06d}", "phaseAfter": states[x.what]},
                "exec": {"who": x.worker, "round": x.attempt, "http": x.status},
                "again": millis(x.due),
            }
        )
        + "\n"
        for x in lines
    )


def rows_of_a_table(lines: list[Line]) -> str:
    """What a table holds at the end: a number that could be a status, times to the second."""
    states = {"new": "queued", "take": "locked", "ok": "sent", "fail": "queued", "stuck": "locked"}
    last: dict[int, Line] = {}
    first: dict[int, Line] = {}
    for x in lines:
        first.setdefault(x.number, x)
        last[x.number] = x
    rows = [
        {
            "id": number + 1,
            "url": f"https://c{number % 7}.example/h",
            "status": states[x.what],
            "attempts": x.attempt,
            "inserted_at": when(first[number].at, "%Y-%m-%d %H:%M:%S"),
            "modified": when(x.at, "%Y-%m-%d %H:%M:%S"),
            "locked_at": when(x.at, "%Y-%m-%d %H:%M:%S") if states[x.what] == "locked" else "",
            "last_error": "" if x.status in (None, 200) else f"HTTP {x.status}",
        }
        for number, x in last.items()
    ]
    return table(rows, ",")


@pytest.mark.parametrize(
    ("manner", "fault"),
    [
        (spanish, "D1"),
        (german, "D4"),
        (nested, "D2"),
        (rows_of_a_table, "D2"),
        (rows_of_a_table, None),
        pytest.param(nested, None, marks=pytest.mark.explore),
        pytest.param(german, None, marks=pytest.mark.explore),
    ],
)
def test_a_strangers_log_is_understood(manner: Any, fault: str | None, tmp_path: Path) -> None:
    lines, lost = service(fault)
    text = manner(lines)
    path = tmp_path / ("log.jsonl" if text.startswith("{") else "log.csv")
    path.write_text(text)
    found = document(investigate([str(path)], Options(folder=str(tmp_path))))
    assert (found["accepted"], found["dropped"]) == (DELIVERIES, lost)
    one = found["hypothesis"]
    if manner is rows_of_a_table and fault is not None:
        # a table has no history in which a race could be seen
        assert [each["mechanism"] for each in one["candidates"]] == [fault, "D6"]
    else:
        assert one["mechanism"] == fault
