"""To what a line hands a delivery, what stands beside a sentence, and files of other times."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("duckdb")
pytest.importorskip("ibis")

from support.dropped import make_dropped as trace
from support.dropped import make_step as step

from homing.forensics.facts import LogFacts
from homing.forensics.investigation import investigate
from homing.forensics.judging import Why
from homing.forensics.mechanisms import recognise
from homing.forensics.operations import Op, Stand
from homing.forensics.options import Options
from homing.forensics.reading.guessing import guess
from homing.forensics.reading.lines import flat, text_row
from homing.forensics.reading.meeting import meeting
from homing.forensics.reading.references import links
from homing.forensics.reading.sampling import sample
from homing.forensics.reading.sources import Source
from homing.forensics.turns import is_begun, is_of_lapse

COUNT = 120
LOG = LogFacts(
    fields=frozenset({"attempt", "endpoint", "status", "reason"}),
    ops=frozenset({Op.ACCEPTED, Op.CLAIMED, Op.SENT, Op.FAILED, Op.RETRY, Op.LAPSED}),
    usual={Op.CLAIMED: 1.0, Op.SENT: 1.0},
)
_BEGIN = datetime(2026, 9, 1, 6, tzinfo=UTC)
Rows = list[dict[str, Any]]


def at(number: int, seconds: float = 0.0) -> str:
    when = _BEGIN + timedelta(seconds=60 * number + seconds)
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def written(path: Path, rows: Rows) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


# -- queues -------------------------------------------------------------------------------------


def published(*, lost: int) -> Rows:
    """Deliveries by a topic; every tenth fails for good, and is published again, or is lost."""
    rows: Rows = []
    for n in range(COUNT):
        own = {"deliveryId": f"dlv-{n:05}"}
        is_bad = n % 10 == 0
        record = {"message": "Record published", **own}
        rows += [
            {"time": at(n), "message": "Delivery accepted", **own, "endpoint": f"ep_{n % 7}"},
            {"time": at(n, 1), **record, "topic": "hooks.out"},
            {"time": at(n, 2), "message": "Record received", **own},
            {
                "time": at(n, 3),
                "message": "Attempt finished",
                **own,
                "attempt": 1,
                "httpStatus": 410 if is_bad else 200,
            },
        ]
        if is_bad:
            rows.append({"time": at(n, 4), "message": "Attempts exhausted", **own})
        if is_bad and n >= 10 * lost:
            rows.append({"time": at(n, 5), **record, "topic": "hooks.dlt"})
    return rows


@pytest.mark.parametrize("lost", [0, 4])
def test_what_is_published_to_the_dead_letters_is_one(tmp_path: Path, lost: int) -> None:
    found = investigate([written(tmp_path / "log.jsonl", published(lost=lost))], Options())
    assert (found.accepted, found.dropped) == (COUNT, lost)
    assert {s.mechanism for s in found.hypothesis.shares} == ({"D10"} if lost else set())
    words = found.events.words
    assert words["Record published to hooks.dlt"] == "dead"
    assert words["Record published"] == "queued"


def given(word: str, *, then: bool) -> Rows:
    """Deliveries that end with a word and a good answer, or have another line after it."""
    rows: Rows = []
    for n in range(COUNT):
        own = {"parcel": f"01K{n:023}", "doorstep": f"d{n % 5}"}
        rows += [
            {"time": at(n), "msg": "parcel taken in", **own},
            {"time": at(n, 1), "msg": "knocking", **own, "knock": 1},
            {"time": at(n, 2), "msg": word, **own, "knock": 1, "answer": 204},
        ]
        if then:
            rows.append({"time": at(n, 3), "msg": "parcel delivered", **own})
    return rows


def test_what_is_given_to_a_receiver_that_answers_is_delivered(tmp_path: Path) -> None:
    log = written(tmp_path / "log.jsonl", given("parcel handed over", then=False))
    found = investigate([log], Options())
    assert found.events.words["parcel handed over"] == "succeeded"
    assert (found.accepted, found.dropped) == (COUNT, 0)
    log = written(tmp_path / "other.jsonl", given("parcel handed over", then=True))
    # a queue that answers well has delivered nothing by that
    assert investigate([log], Options()).events.words["parcel handed over"] == "queued"


# -- beside a sentence --------------------------------------------------------------------------


def test_an_object_behind_a_sentence_is_its_columns() -> None:
    about = '{"call": 42, "status": {"is": "queued"}, "http_status": 503}'
    for behind in ("", " []", " {}"):
        row = text_row(
            f"[2026-05-04T16:25:19.3+00:00] production.INFO: Call failed {about}{behind}"
        )
        assert row is not None
        assert (row["call"], row["status.is"], row["http_status"]) == (42, "queued", 503)
        assert row["text"] == "Call failed"
    row = text_row("[2026-05-04T16:25:19.3+00:00] production.INFO: body was {not json")
    assert row is not None
    assert "{not json" in row["text"]


# -- what stands beside a delivery --------------------------------------------------------------


def test_what_stands_beside_no_delivery_names_and_counts_other_things() -> None:
    rows: Rows = []
    for n in range(COUNT):
        own = {"id": f"del_{n:09}", "event_id": f"evt_{n:09}", "endpoint": f"ep_{n % 5}"}
        for k in range(3):
            row = {"time": at(n, k), "event": f"step_{k}", "delivery": own, "go": 1}
            rows.append(row | ({"status": 200} if k == 2 else {}))
        rows.append({"time": at(n, 4), "event": "publish_repeated", "event_id": own["event_id"]})
        rows.append({"time": at(n, 5), "event": "endpoint_closed", "endpoint": own["endpoint"]})
        rows.append({"time": at(n, 6), "event": "round", "attempt": n})
    columns = guess([flat(row) for row in rows]).columns
    assert columns["message"].path == "delivery.event_id"
    assert columns["endpoint"].path == "delivery.endpoint"
    assert columns.get("attempt") is None or columns["attempt"].path != "attempt"


# -- files of other times -----------------------------------------------------------------------


def shop(folder: Path, *, table_from: int) -> list[str]:
    """A log of 3,000 parcels, and a table of the last of them, called otherwise."""
    count = 3_000
    log, table = [], []
    for n in range(count):
        name = f"01KQHV{n:020}"
        log += [
            {"time": at(n), "msg": "parcel taken in", "parcel": name},
            {"time": at(n, 2), "msg": "delivered", "parcel": name, "answer": 200},
        ]
        if n >= table_from:
            table.append(
                {"id": name, "ref": f"r-{n:06}", "state": "delivered", "created_at": at(n)}
            )
    with (folder / "parcels.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(table[0]))
        writer.writeheader()
        writer.writerows(table)
    return [written(folder / "log.jsonl", log), str(folder / "parcels.csv")]


def test_a_table_of_the_last_rows_meets_the_log_that_begins_before(tmp_path: Path) -> None:
    log, table = shop(tmp_path, table_from=2_000)
    files = {log: Source(log, "jsonl"), table: Source(table, "csv", ",")}
    samples = {path: sample(source) for path, source in files.items()}
    met = meeting({path: (files[path], samples[path]) for path in files})
    (link,) = [one for one in links(met) if one.column == "id"]
    assert (link.other, link.reference) == (log, "parcel")
    found = investigate([log, table], Options())
    assert (found.accepted, found.dropped) == (3_000, 0)


def test_files_that_name_nothing_alike_stay_as_they_are(tmp_path: Path) -> None:
    log, table = shop(tmp_path, table_from=2_000)
    other = written(tmp_path / "other.jsonl", [{"k": f"zz{n:08}", "t": at(n)} for n in range(99)])
    sources = {path: Source(path, "jsonl") for path in (log, other)}
    samples = {path: sample(source) for path, source in sources.items()}
    assert meeting({path: (sources[path], samples[path]) for path in sources}) == samples
    assert links(samples) == []
    del table


def batch(name: str, n: int, seconds: float, **about: object) -> dict[str, Any]:
    """A line as a collector of telemetry writes it: one span."""
    nano = int((_BEGIN.timestamp() + 60 * n + seconds) * 1e9)
    listed = [
        {"key": k.replace("_", "."), "value": {"stringValue": str(v)}} for k, v in about.items()
    ]
    span = {"name": name, "startTimeUnixNano": str(nano), "endTimeUnixNano": str(nano + 1_000_000)}
    spans = [{"scope": {"name": "hooks"}, "spans": [{**span, "attributes": listed}]}]
    return {"resourceSpans": [{"resource": {"attributes": []}, "scopeSpans": spans}]}


def test_a_batch_of_spans_a_line(tmp_path: Path) -> None:
    rows = []
    for n in range(COUNT):
        own = {"messaging_message_id": f"{n:08}-8dab-4029-892f-384a4ac4feac"}
        rows += [batch("publish", n, 0, **own), batch("claim deliveries", n, 1, **own)]
        if n not in (70, 80, 90):
            rows.append(batch("POST", n, 2, **own, http_response_status_code=200))
    found = investigate([written(tmp_path / "traces.jsonl", rows)], Options())
    assert (found.accepted, found.dropped) == (COUNT, 3)


# -- rules --------------------------------------------------------------------------------------


def test_a_failure_written_with_the_lapse_is_no_answer() -> None:
    minute = 60_000_000
    taken = [step(Op.ACCEPTED, 0), step(Op.CLAIMED, 1, worker="a"), step(Op.SENT, 2, worker="a")]
    booked = step(Op.FAILED, minute, stand=Stand.FAILED, worker="b")
    told = [*taken, step(Op.LAPSED, minute, worker="a"), booked]
    assert is_of_lapse(told, 4)
    assert recognise(trace(Why.SILENT, *told, crossings=("foreign_write",)), LOG).mechanism == "D7"
    # an answer has its status, or comes when the worker has it
    assert not is_of_lapse([*told[:4], booked._replace(status=503)], 4)
    assert not is_of_lapse([*told[:4], booked._replace(at_us=minute + 400_000)], 4)


def test_thrown_away_for_want_of_its_receiver_is_d9_and_else_d11() -> None:
    begun = [step(Op.ACCEPTED, 0), step(Op.SENT, 1), step(Op.FAILED, 2), step(Op.RETRY, 3)]
    for reason, code in (("no row of Subscription 148", "D9"), ("older than 24 h", "D11")):
        gone = step(Op.PURGED, 9, reason=reason)
        assert recognise(trace(Why.PURGED, *begun, gone), LOG).mechanism == code


def test_what_was_begun_was_found() -> None:
    assert is_begun([step(Op.ACCEPTED, 0), step(Op.SENT, 1)])
    assert not is_begun([step(Op.ACCEPTED, 0), step(Op.QUEUED, 1)])


# -- the service's own ----------------------------------------------------------------------------


def test_a_line_in_spans_says_what_is_under_way() -> None:
    spans = "worker{id=wk-2}:deliver{delivery_id=cc5f endpoint=ep_1 attempt=1}:"
    row = text_row(
        f"2026-05-18T17:16:55.458923Z  INFO {spans} hookd::queue: leased until=9 version=1"
    )
    assert row is not None
    assert (row["worker.id"], row["deliver.delivery_id"], row["version"]) == ("wk-2", "cc5f", "1")
    assert (row["text"], row["target"]) == ("leased", "hookd::queue")
    row = text_row(f"2026-05-18T17:16:55.458923Z  INFO {spans} hookd::worker: delivered")
    assert row is not None
    assert row["text"] == "delivered"
    row = text_row("2026-05-18T17:16:55.458923Z  INFO set{a} was empty")
    assert row is not None
    assert "target" not in row


@pytest.mark.parametrize("numbered", [True, False])
def test_what_the_service_answers_is_no_receivers_answer(tmp_path: Path, numbered: bool) -> None:
    rows: Rows = []
    for n in range(COUNT):
        own = {"webhook": {"id": f"dlv_{n:08}"}}
        attempt = {"attempt": 1} if numbered else {}
        rows += [
            {"time": at(n), "msg": "webhook stored", **own},
            {"time": at(n, 1), "msg": "request completed", **own, "res": {"statusCode": 202}},
            {"time": at(n, 2), "msg": "lpush", **own},
            {"time": at(n, 3), "msg": "sending", **own, **attempt},
        ]
        if n not in (50, 61):
            ok = {"res": {"statusCode": 200}}
            rows.append({"time": at(n, 4), "msg": "response", **own, **attempt, **ok})
    found = investigate([written(tmp_path / "log.jsonl", rows)], Options())
    # where no answer names its attempt, nothing tells the own ones from the receivers
    assert found.dropped == (2 if numbered else 0)


def test_a_file_of_what_the_service_did_is_beside_the_deliveries(tmp_path: Path) -> None:
    log, _ = shop(tmp_path, table_from=2_000)
    runs = [
        {"at": at(n), "component": "gc", "event": "RUN", "detail": f"rows={n}"} for n in range(60)
    ]
    with (tmp_path / "ops.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(runs[0]))
        writer.writeheader()
        writer.writerows(runs)
    found = investigate([log, str(tmp_path / "ops.csv")], Options())
    assert (found.accepted, found.dropped) == (3_000, 0)


@pytest.mark.parametrize(
    ("actor", "what", "lost"),
    [
        ("policy:ttl", "delivery.discarded", 0),
        ("ttl-worker", "delivery.discarded", 2),
        ("policy:ttl", "delivery.purged", 2),
    ],
)
def test_a_policy_that_says_so_may_discard_what_is_too_old(
    tmp_path: Path, actor: str, what: str, lost: int
) -> None:
    rows: Rows = []
    for n in range(COUNT):
        own = {"delivery_id": f"dlv_{n:08}"}
        rows.append({"ts": at(n), "event": "delivery.accepted", **own})
        rows.append({"ts": at(n, 1), "event": "delivery.claimed", **own, "worker": "w1"})
        failed = n in (40, 50)
        status = 503 if failed else 200
        rows.append({"ts": at(n, 2), "event": "attempt.finished", **own, "status": status})
        if failed:
            rows.append({"ts": at(n, 3), "event": what, **own, "actor": actor})
    found = investigate([written(tmp_path / "log.jsonl", rows)], Options())
    assert found.dropped == lost
