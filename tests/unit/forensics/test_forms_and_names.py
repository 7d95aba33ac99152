"""What form a file has, and which of its names are of deliveries."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.tables import write_table

pytest.importorskip("duckdb")
pytest.importorskip("ibis")

from homing.forensics.habits import Kind
from homing.forensics.investigation import Findings, investigate
from homing.forensics.judging import Verdict
from homing.forensics.operations import Op
from homing.forensics.options import Options
from homing.forensics.reading.guessing import guess
from homing.forensics.reading.sentences import sentence
from homing.forensics.vocabulary import meaning
from homing.forensics.words import line_of

Row = dict[str, Any]
COUNT = 240
BEGIN_S = 1_780_000_000


def clock(at_s: float) -> str:
    whole, part = divmod(int(at_s * 1000) - BEGIN_S * 1000, 1000)
    return f"2026-05-28 {whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}.{part:03}"


def found(folder: Path, rows: Iterable[Row]) -> Findings:
    path = folder / "service.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return investigate([str(path)], Options(folder=str(folder)))


# --- which form a file has


def logback(number: int) -> Iterator[str]:
    """Lines with one comma each, and of some failures a second line."""
    at = BEGIN_S + 20.0 * number
    about = f"[deliveryId={number:08x}-5b1a-4c6e-9d2f-0a1b2c3d4e5f, endpoint=shop-{number % 5}]"

    def said(after: float, level: str, text: str) -> str:
        return f"{clock(at + after)} {level:5} [exec-1] {about} c.a.h.Sender - {text}\n"

    yield said(0, "INFO", "Accepted OrderPaid")
    yield said(1, "INFO", "Sending attempt 1/5")
    if number % 9 == 2:
        yield said(2, "WARN", "Attempt 1 failed, retry due 2026-05-28T09:00:00")
        yield "org.apache.kafka.common.errors.TimeoutException: 120000 ms has passed\n"
    yield said(3, "INFO", "Delivered: HTTP 200 in 88 ms")


def test_lines_of_text_with_a_comma_each_are_no_table(tmp_path: Path) -> None:
    path = tmp_path / "hook-api.log"
    path.write_text("".join(line for n in range(COUNT) for line in logback(n)))
    findings = investigate([str(path)], Options(folder=str(tmp_path)))
    assert findings.books == {Verdict.DELIVERED: COUNT}
    assert findings.raw.damage.count == 0


def test_a_table_that_begins_with_a_row_is_one_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    rows = [
        f"{clock(BEGIN_S + n)},d-{n:06},{event}\n"
        for n in range(COUNT)
        for event in ("accepted", "delivered")
    ]
    path.write_text("".join(rows))
    assert investigate([str(path)], Options(folder=str(tmp_path))).books == {
        Verdict.DELIVERED: COUNT
    }


# --- what a sentence names


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Sending delivery sHCPWUshUGuu to https://a.example/x", "sHCPWUshUGuu"),
        ("Delivery hkdgvvtcXspb marked delivered", "hkdgvvtcXspb"),
        ("Event accepted, delivery NPoocxigpexa created", "NPoocxigpexa"),
        ("Job sHCPWUshUGuu stalled", "sHCPWUshUGuu"),
        ("Job HTTPDeliveryJob started", None),
        ("task sendWebhookPayload started", None),
        ("Delivery processing failed", None),
    ],
)
def test_a_random_name_of_letters_is_told_from_a_word(text: str, name: str | None) -> None:
    assert sentence(text).get("delivery") == name


def test_a_tunnel_that_stands_is_no_answer() -> None:
    assert "status" not in sentence("egress CONNECT shop.example:443 -> 200")
    assert sentence("POST shop.example/hook -> 200 in 3ms")["status"] == "200"


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("delivery 124888 attempt 1: 429 in 91ms, next attempt at noon", "status", "429"),
        ("batch 3: 200 rows read", "status", None),
        ("Delivery K7 cancelled by kim@merchant via console", "actor", "kim@merchant"),
        ("Delivery K7 cancelled by retention", "actor", None),
        ("7F498469: removed by sandra (ticket OPS-2741)", "actor", "sandra"),
        ("7F498469: removed by retention", "actor", None),
        ("7F498469: done (200) after 1 tries", "delivery", "7F498469"),
        ("FACADE: done (200)", "delivery", None),
        ("7F498469: put off 3619 s, try 5 of 5 at 11:13:59", "retry_in_s", "3619"),
        ("7F498469: try 1 CONNECT ostra via egress2: 200", "status", None),
        ("Accepted publickey for deploy from 10.4.0.56 port 50956 ssh2", "delivery", None),
    ],
)
def test_what_a_sentence_says_beside_its_names(text: str, field: str, value: str | None) -> None:
    assert sentence(text).get(field) == value


@pytest.mark.parametrize(
    ("text", "op"),
    [
        ("put off , attempt at", Op.POSTPONED),
        ("no word on in , back in line", Op.LAPSED),
        ("no word on in , given up", Op.LAPSED),
        ("lock of present, leaving it", Op.SKIPPED),
        ("late word on ignored, now at", Op.NOTED),
        ("answered in , retry-after Sat", Op.ATTEMPTED),
        ("put refused", Op.NOT_QUEUED),
        ("output refused", Op.FAILED),
        ("Could not schedule job for delivery", Op.NOT_QUEUED),
        ("could not schedule retry", Op.NOTED),
    ],
)
def test_words_of_small_services(text: str, op: Op) -> None:
    assert meaning(text).op is op


@pytest.mark.parametrize(
    ("op", "status", "reason", "means"),
    [
        ("tunnel", "ok", None, (Op.NOTED, 0)),
        ("answer", "none", "Name or service not known", (Op.FAILED, -1)),
        ("dead box append", "none", "No space left on device", (Op.DEAD_FAILED, 0)),
    ],
)
def test_lines_of_small_services(
    op: str, status: str, reason: str | None, means: tuple[Op, int]
) -> None:
    line = line_of(Kind("events", op, None, None, None, reason, status), {}, {})
    assert (line.op, line.result) == means


def test_what_a_sentence_is_about_is_not_what_it_says() -> None:
    said = sentence(": WARNING/Pool-1] delivery 838602: lock of host-1 expired, marked failed")
    assert meaning(said["text"]).op is Op.LAPSED


def test_a_topic_of_dead_letters_says_where_a_delivery_is() -> None:
    assert "dead letters" in sentence("Published to hooks.deliver.DLT-0@537")["text"]
    assert "dead" not in sentence("Published to hooks.deliver-3@537")["text"]


# --- which names are of deliveries


def of_queue(number: int) -> Iterator[Row]:
    """A delivery, whose jobs are a third of those of the queue."""
    at, name = BEGIN_S + 30.0 * number, f"whd_{number:012X}"
    for other in range(4):
        job = {"class": "MailJob", "jid": f"{number:08x}{other}a5e91c2737"}
        yield {"ts": at, "msg": "start", "ctx": job}
        yield {"ts": at + 0.1, "msg": "done", "ctx": job}
    ctx = {"class": "DeliverJob", "jid": f"{number:08x}95e91c27378", "whd": name}
    yield {"ts": at + 1, "msg": "start", "ctx": {"class": "DeliverJob", "jid": ctx["jid"]}}
    yield {"ts": at + 2, "msg": "whd.created", "ctx": {**ctx, "ep": f"ep_{number % 7}"}}
    yield {"ts": at + 3, "msg": "whd.response", "ctx": {**ctx, "try": 1, "http": 200, "ms": 80}}
    moved = {"from": "delivering", "to": "delivered", "try": 1}
    yield {"ts": at + 4, "msg": "whd.state", "ctx": {**ctx, **moved}}
    yield {"ts": at + 5, "msg": "whd.audited", "ctx": {"whd": name}}


def test_what_is_answered_is_the_delivery_whatever_other_jobs_there_are(tmp_path: Path) -> None:
    findings = found(tmp_path, (row for n in range(COUNT) for row in of_queue(n)))
    (mapping,) = findings.raw.mappings.values()
    assert mapping.columns["delivery"].path == "ctx.whd"
    assert findings.books == {Verdict.DELIVERED: COUNT}


def test_what_is_named_once_is_a_delivery_though_other_rows_name_no_message() -> None:
    rows: list[Row] = []
    for n in range(COUNT):
        both = {"delivery": f"dlv{n:09x}", "time": BEGIN_S + n, "text": "created"}
        rows.append(both | ({"event": f"evt_{n:06}", "endpoint": f"e-{n % 9}"} if n % 3 else {}))
    assert guess(rows).columns["delivery"].path == "delivery"


def test_a_table_is_keyed_by_what_the_log_calls_a_delivery_though_both_name_events(
    tmp_path: Path,
) -> None:
    header = "id,subscription_id,event_id,status,attempt_count,created_at,updated_at"
    table = [
        (900_000 + n, n % 9, f"evt_{n // 2:08x}", "delivered", 1, clock(at), clock(at + 4))
        for n in range(COUNT)
        for at in (BEGIN_S + 20.0 * n,)
    ]
    lines: list[str] = []
    for n in range(COUNT):
        at = BEGIN_S + 20.0 * n
        name = f"delivery {900_000 + n}"
        lines.append(f"{clock(at)} INFO event evt_{n // 2:08x}: created {name}\n")
        lines.append(f"{clock(at + 1)} INFO {name} attempt 1 POST https://a.example/x\n")
        lines.append(f"{clock(at + 2)} INFO {name} attempt 1: 200 in 88ms\n")
        lines.append(f"{clock(at + 3)} INFO {name} delivered\n")
    log = tmp_path / "worker.log"
    log.write_text("".join(lines))
    paths = [str(log), write_table(tmp_path / "webhook_delivery.csv", header, table)]
    assert investigate(paths, Options(folder=str(tmp_path))).books == {Verdict.DELIVERED: COUNT}
