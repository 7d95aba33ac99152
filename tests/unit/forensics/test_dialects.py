"""Logs as other services write them: each form of line, of time and of name is read by itself."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

pytest.importorskip("duckdb")

from homing.forensics.building import build
from homing.forensics.engine import on_duckdb
from homing.forensics.reading.files import connect, read

BEGIN_S: Final = 1_780_000_000
DELIVERIES: Final = 60
DEAD: Final = 3

Row = dict[str, Any]


class Line(NamedTuple):
    """What happened, before it is written in some dialect."""

    at: float
    what: str
    number: int
    attempt: int = 0
    status: int | None = None
    due: float | None = None

    @property
    def id(self) -> str:
        return f"{self.number:08x}-aaaa-4bbb-8ccc-{self.number:012x}"


def life(number: int) -> Iterator[Line]:
    at = BEGIN_S + 100.0 * number
    yield Line(at, "accepted", number)
    for attempt in (1, 2):
        yield Line(at + 1, "claimed", number, attempt)
        if number % 4 or (attempt == 2 and number % 20):
            yield Line(at + 2.25, "delivered", number, attempt, 200)
            return
        yield Line(at + 2.25, "failed", number, attempt, 503)
        if attempt == 2:
            yield Line(at + 3, "dead", number, attempt)
        else:
            yield Line(at + 3, "retry", number, attempt, None, at + 33)
            at += 33


LINES: Final = sorted(line for n in range(DELIVERIES) for line in life(n))
DUES: Final = sum(line.due is not None for line in LINES)
FAILURES: Final = sum(line.what == "failed" for line in LINES)


def iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")


def stamp(at: float, form: str, hours: int = 0) -> str:
    return datetime.fromtimestamp(at, timezone(timedelta(hours=hours))).strftime(form)


def known(row: Row) -> Row:
    return {k: v for k, v in row.items() if v is not None}


def due(line: Line) -> str | None:
    return None if line.due is None else iso(line.due)


SENTENCES: Final = {
    "accepted": "accepted delivery {id} for endpoint ep_1",
    "claimed": "sending delivery {id} (attempt {attempt})",
    "delivered": "delivered {id} (attempt {attempt}): HTTP 200 in 131 ms",
    "failed": "delivery {id} failed (attempt {attempt}): HTTP 503 Service Unavailable",
    "retry": "retrying delivery {id} in 30s",
    "dead": "giving up on delivery {id} after 2 attempts",
}
PAIRS: Final = {
    "accepted": "Event accepted deliveryId={id} endpoint=ep_1",
    "claimed": "Claimed outbox row deliveryId={id} attempt={attempt}",
    "delivered": "Webhook request succeeded deliveryId={id} attempt={attempt} httpStatus={status}",
    "failed": 'Webhook request failed deliveryId={id} httpStatus={status} error="HTTP 503"',
    "retry": "Retry scheduled deliveryId={id} nextAttemptAt={due}",
    "dead": "Moved to dead letter table deliveryId={id}",
}


def said(line: Line, words: dict[str, str]) -> str:
    told = {"id": line.id, "attempt": line.attempt, "status": line.status, "due": due(line)}
    return words[line.what].format(**told)


def logback(line: Line) -> str:
    text = iso(line.at)[:23].replace("T", " ").replace(".", ",")
    return f"{text} INFO  [relay-{line.number % 3}] c.a.w.Sender - {said(line, PAIRS)}"


def sentences(line: Line) -> str:
    return f"{iso(line.at)} INFO [relay-{line.number % 3}] c.a.w.Sender - {said(line, SENTENCES)}"


def syslog(line: Line) -> str:
    return f"{stamp(line.at, '%b %e %H:%M:%S')} web-1 webhookd[77]: {said(line, PAIRS)}"


def ecs(line: Line) -> str:
    return json.dumps(
        {"@timestamp": iso(line.at), "log.level": "INFO", "message": said(line, PAIRS)}
    )


def inner(line: Line) -> Row:
    return known(
        {"event": line.what, "delivery_id": line.id, "attempt": line.attempt or None}
        | {"status": line.status, "due_at": due(line)}
    )


def docker(line: Line) -> str:
    return json.dumps({"log": json.dumps(inner(line)) + "\n", "time": iso(line.at)})


def telemetry(line: Line) -> str:
    attributes = {"webhook.delivery.id": line.id, "http.response.status_code": line.status}
    listed = [
        {"key": key, "value": {"stringValue": str(value)}}
        for key, value in known(attributes | {"webhook.next_attempt_at": due(line)}).items()
    ]
    end = int(line.at * 1e9)
    span = {
        "name": f"webhook {line.what}",
        "startTimeUnixNano": str(end - 9),
        "endTimeUnixNano": str(end),
    }
    return json.dumps(span | {"traceId": f"{line.number:032x}", "attributes": listed})


def dotted(line: Line) -> str:
    body = {
        "webhook.delivery.id": line.id,
        "http.status_code": line.status,
        "next.retry_at": due(line),
    }
    return json.dumps({"ts": iso(line.at), "event.action": line.what, "attributes": known(body)})


def mongo(line: Line) -> str:
    row = {
        "at": {"$date": iso(line.at)},
        "event": line.what,
        "deliveryId": {"$oid": f"{line.number:024x}"},
    }
    then = None if line.due is None else {"$date": {"$numberLong": str(int(line.due * 1_000))}}
    return json.dumps(known(row | {"status": line.status, "dueAt": then}))


def zap(line: Line) -> str:
    """A log whose `webhook_id` is the delivery, although others call an endpoint so."""
    row = {
        "ts": line.at,
        "msg": f"webhook {line.what}",
        "webhook_id": line.id,
        "status": line.status,
    }
    wait = None if line.due is None else "30s"
    return json.dumps(
        known(row | {"endpoint": "ep_1" if line.what == "accepted" else None, "backoff": wait})
    )


GERMAN: Final = {
    "accepted": "Angenommen",
    "claimed": "Übernommen",
    "delivered": "Zugestellt",
    "dead": "Endgültig gescheitert",
} | {"failed": "Zustellung fehlgeschlagen", "retry": "Wiederholung geplant"}
FRENCH: Final = {
    "accepted": "Accepté",
    "claimed": "Pris en charge",
    "delivered": "Livré",
    "dead": "Abandonné",
} | {"failed": "Échec de l'envoi", "retry": "Nouvelle tentative planifiée"}


def german(line: Line) -> Row:
    then = "" if line.due is None else stamp(line.due, "%d.%m.%Y %H:%M:%S")
    return {"Zeitpunkt": stamp(line.at, "%d.%m.%Y %H:%M:%S,%f"), "Vorgang": GERMAN[line.what]} | {
        "Zustell-ID": line.id, "HTTP-Status": line.status or "", "Nächster Versuch": then
    }  # fmt: skip


def french(line: Line) -> Row:
    then = "" if line.due is None else stamp(line.due, "%d/%m/%Y %H:%M:%S")
    return {"Horodatage": stamp(line.at, "%d/%m/%Y %H:%M:%S"), "Événement": FRENCH[line.what]} | {
        "Identifiant de livraison": line.id, "Code HTTP": line.status or "",
        "Prochaine tentative": then,
    }  # fmt: skip


def zoned(line: Line) -> Row:
    """Local times whose zone is a word, and the words of a database for nothing."""
    form = "%Y-%m-%d %H:%M:%S CEST"
    then = r"\N" if line.due is None else stamp(line.due, form, 2)
    return {"logged": stamp(line.at, form, 2), "act": line.what.upper(), "delivery": line.id} | {
        "status": line.status or r"\N", "next_at": then
    }  # fmt: skip


def lines_of(write: Callable[[Line], str]) -> Callable[[Path], None]:
    return lambda path: path.write_text("".join(write(line) + "\n" for line in LINES))  # type: ignore[func-returns-value]


def table_of(write: Callable[[Line], Row], delimiter: str = ",") -> Callable[[Path], None]:
    def to(path: Path) -> None:
        with path.open("w", encoding="utf-8-sig", newline="") as file:
            rows = [write(line) for line in LINES]
            writer = csv.DictWriter(file, rows[0], delimiter=delimiter)
            writer.writeheader()
            writer.writerows(rows)

    return to


DIALECTS: Final = {
    "logback.log": lines_of(logback),
    "sentences.log": lines_of(sentences),
    "syslog.log": lines_of(syslog),
    "ecs.jsonl": lines_of(ecs),
    "docker.jsonl": lines_of(docker),
    "telemetry.jsonl": lines_of(telemetry),
    "dotted.jsonl": lines_of(dotted),
    "mongo.jsonl": lines_of(mongo),
    "zap.jsonl": lines_of(zap),
    "german.csv": table_of(german, ";"),
    "french.csv": table_of(french, ";"),
    "zoned.tsv": table_of(zoned, "\t"),
}


class Told(NamedTuple):
    """What a log was understood to tell."""

    deliveries: int
    delivered: int
    dead: int
    failures: int
    due_s: set[float]


def understood(folder: Path, *paths: Path) -> Told:
    with connect(str(folder), "1GB", 1) as connection:
        build(
            read(connection, [str(path) for path in paths], folder=str(folder)),
            on_duckdb(connection),
        )
        counts = connection.execute(
            "SELECT count(*), count(*) FILTER (good), count(*) FILTER (dead AND NOT good) FROM "
            "(SELECT d, bool_or(result > 0 OR stand = 3) AS good, bool_or(stand IN (4, 9)) AS dead "
            "FROM events GROUP BY d)"
        ).fetchall()[0]
        failures, waits = connection.execute(
            "SELECT count(*) FILTER (result < 0), list(round((due_us - at_us) / 1e6)) "
            "FILTER (due_us IS NOT NULL) FROM events"
        ).fetchall()[0]
    return Told(*counts, failures, set(waits or ()))


@pytest.mark.parametrize("name", DIALECTS)
def test_a_dialect_is_understood(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    DIALECTS[name](path)
    told = understood(tmp_path, path)
    assert (told.deliveries, told.delivered, told.dead) == (DELIVERIES, DELIVERIES - DEAD, DEAD)
    assert told.failures >= FAILURES
    assert told.due_s <= {30.0}
    assert told.due_s or name == "dotted.jsonl"


def test_files_of_several_kinds_are_one_log(tmp_path: Path) -> None:
    """What was accepted, the requests, and a file whose name alone says that they are dead."""
    folder = tmp_path / "export"
    folder.mkdir()
    for name, kinds, columns in (
        ("events", ("accepted",), ("delivery_id", "created_at")),
        ("attempts", ("delivered", "failed"), ("delivery_id", "attempted_at", "status_code")),
        ("dead_letters", ("dead",), ("delivery_id", "moved_at")),
    ):
        with (folder / f"{name}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(columns)
            for line in LINES:
                if line.what in kinds:
                    writer.writerow([line.id, iso(line.at), line.status or ""][: len(columns)])
    told = understood(tmp_path, folder)
    assert (told.deliveries, told.delivered, told.dead) == (DELIVERIES, DELIVERIES - DEAD, DEAD)


def test_several_hosts_are_guessed_together(tmp_path: Path) -> None:
    """The host that accepts has `event` for the type, which alone would be the operation."""
    paths = [tmp_path / "api.jsonl", tmp_path / "worker.jsonl"]
    with paths[0].open("w") as api, paths[1].open("w") as worker:
        for line in LINES:
            row = {"ts": iso(line.at), "msg": f"webhook {line.what}", "delivery_id": line.id}
            more = {"event": "order.paid"} if line.what == "accepted" else {"status": line.status}
            (api if line.what == "accepted" else worker).write(json.dumps(known(row | more)) + "\n")
    told = understood(tmp_path, *paths)
    assert (told.deliveries, told.delivered, told.dead) == (DELIVERIES, DELIVERIES - DEAD, DEAD)


def test_a_table_without_a_word_for_its_states_is_read_by_its_times(tmp_path: Path) -> None:
    path = tmp_path / "outbox.csv"
    ends = {n: list(life(n))[-1] for n in range(DELIVERIES)}
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "created_at", "published_at", "failed_at"])
        for number, end in ends.items():
            done = [iso(end.at), ""] if end.what == "delivered" else ["", iso(end.at)]
            writer.writerow([number, iso(BEGIN_S + 100 * number), *done])
    told = understood(tmp_path, path)
    assert (told.deliveries, told.delivered, told.dead) == (DELIVERIES, DELIVERIES - DEAD, DEAD)


def test_rows_that_share_a_trace_belong_to_its_delivery(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    with path.open("w") as file:
        for line in LINES:
            name = {"delivery_id": line.id} if line.what == "accepted" else {}
            row = {
                "ts": iso(line.at),
                "event": line.what,
                "trace_id": f"t{line.number}",
                "status": line.status,
            }
            file.write(json.dumps(known(row | name)) + "\n")
    told = understood(tmp_path, path)
    assert (told.deliveries, told.delivered, told.dead) == (DELIVERIES, DELIVERIES - DEAD, DEAD)


def test_what_the_service_answers_its_publishers_is_an_acceptance(tmp_path: Path) -> None:
    path = tmp_path / "web.jsonl"
    with path.open("w") as file:
        for line in LINES:
            if line.what == "accepted":
                row = {"time": iso(line.at), "method": "POST", "path": "/v1/events", "status": 202}
                file.write(json.dumps(row | {"delivery_id": line.id}) + "\n")
    told = understood(tmp_path, path)
    assert (told.deliveries, told.delivered) == (DELIVERIES, 0)


@pytest.mark.parametrize("status", ["status", "http_status"])
def test_a_server_line_beside_the_jobs_is_an_acceptance(status: str, tmp_path: Path) -> None:
    """Its 202 is what the service answered its publisher; the receivers' are in the jobs' rows."""
    path = tmp_path / "log.jsonl"
    words = {
        "delivered": "done",
        "failed": "fail",
        "claimed": "start",
        "retry": "retry",
        "dead": "dead",
    }
    with path.open("w") as file:
        for line in LINES:
            row: Row = {"time": iso(line.at), "delivery_id": line.id}
            if line.what == "accepted":
                row |= {"method": "POST", "path": "/v1/events", "status": 202}
            else:
                row |= known({"job_status": words[line.what], status: line.status})
            file.write(json.dumps(row) + "\n")
    told = understood(tmp_path, path)
    assert (told.deliveries, told.delivered, told.dead) == (DELIVERIES, DELIVERIES - DEAD, DEAD)
