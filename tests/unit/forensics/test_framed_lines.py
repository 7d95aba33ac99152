"""Lines as a framework frames them: Ruby's logger, rows by their models, and what jobs wrote."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

pytest.importorskip("duckdb")
pytest.importorskip("ibis")

from homing.forensics.investigation import investigate
from homing.forensics.operations import Op
from homing.forensics.options import Options
from homing.forensics.reading.framed import each_of, with_plain_models
from homing.forensics.reading.lines import Row, text_row
from homing.forensics.reading.sources import look_at
from homing.forensics.vocabulary import meaning

REQUEST = "0b6e2a54-9a52-4c3f-8f3e-0d5a6c1b7e90"
WEB = f"I, [2026-03-02T10:00:00.250000 #811]  INFO -- : [{REQUEST}] "
JOB = "2026-03-02T10:00:01.000Z pid=41 tid=ab1 class=SendJob jid=aa0011bb22cc33dd44ee55ff "


def read(line: str) -> Row:
    row = text_row(line)
    assert row is not None
    return row


def test_what_rubys_logger_writes_around_a_line_is_none_of_it() -> None:
    row = read(WEB + "[hooks] HookDelivery#77 enqueued jid=aa0011bb22cc33dd44ee55ff")
    assert (row["time"], row["pid"]) == ("2026-03-02T10:00:00.250000", "811")
    assert (row["level"], row["request_id"]) == ("INFO", REQUEST)
    assert (row["delivery"], row["text"]) == ("77", "delivery enqueued")


def test_its_comma_makes_no_table(tmp_path: Path) -> None:
    path = tmp_path / "web.log"
    path.write_text(
        "".join(f"{WEB}Started GET /up for 10.0.0.{n}, port {n}\n" for n in range(30))
        + "".join(f"{WEB}HookDelivery#{n} enqueued\n" for n in range(30))
    )
    assert look_at(str(path)).form == "text"


def test_an_object_of_a_model_is_called_by_what_it_is() -> None:
    assert with_plain_models("Hooks::PartnerDelivery#12 sent") == "delivery #12 sent"
    assert with_plain_models("Couldn't find HookDelivery with 'id'=12").endswith("delivery #12")
    # the number of a dead letter is none of a delivery
    assert with_plain_models("moved (DeadHook#9)") == "moved (DeadHook#9)"


def test_a_line_of_several_rows_is_one_of_each() -> None:
    line = "event 5 a.b: HookDelivery#1 endpoint=7, HookDelivery#2 endpoint=9"
    assert each_of(line) == [
        "event 5 a.b: HookDelivery#1 endpoint=7",
        "event 5 a.b: HookDelivery#2 endpoint=9",
    ]
    assert each_of("HookDelivery#1 replaces Event#2") == ["HookDelivery#1 replaces Event#2"]


FAILED = "delivery attempt failed"


@pytest.mark.parametrize(
    ("told", "text", "detail", "status"),
    [
        ("503 Service Unavailable (8ms)", FAILED, "Service Unavailable", "503"),
        ("A::SSLError read: eof (8ms)", FAILED, "A::SSLError read: eof", None),
        ("refused (8ms); giving up", f"{FAILED}; giving up", "refused", None),
        (
            "late (8ms), lock lost, result ignored",
            f"{FAILED}, lock lost, result ignored",
            "late",
            None,
        ),
    ],
)
def test_what_failed_says_why_and_what_became_of_it(
    told: str, text: str, detail: str, status: str | None
) -> None:
    row = read(f"{JOB}WARN: HookDelivery#77 attempt 2/6 failed: {told}")
    assert (row["text"], row["detail"].strip(), row.get("status")) == (text, detail, status)


def test_a_status_stands_before_how_long_it_took() -> None:
    assert read(f"{JOB}INFO: HookDelivery#77 delivered (202, 18ms)")["status"] == "202"


def test_nothing_is_due_since_when_it_has_been_so() -> None:
    row = read(f"{JOB}WARN: HookDelivery#77 stuck since 2026-03-02 09:00:00 UTC, requeued")
    assert row["since"] == "2026-03-02 09:00:00 UTC"
    assert "then" not in row
    later = read(f"{JOB}INFO: HookDelivery#77 deferred until 2026-03-02 11:00:00 UTC: suspended")
    assert (later["then"], later["text"]) == ("2026-03-02 11:00:00 UTC", "delivery deferred")


def test_a_person_may_have_an_address_with_a_dot() -> None:
    row = read(f"{WEB}HookDelivery#77 canceled by ana.r@shop.example")
    assert (row["actor"], row["text"]) == ("ana.r@shop.example", "delivery canceled by person")


def test_names_of_things_say_nothing_of_what_happened() -> None:
    assert meaning("event delivery").op is Op.UNKNOWN


BEGIN = datetime(2026, 3, 2, 10, tzinfo=UTC)
COUNT = 300
LOST = {40, 120}


def _job(at: datetime, jid: str, text: str, kind: str = "SendJob") -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S.%f}Z pid=4 tid=t1 class={kind} jid={jid} {text}"


def _lines() -> tuple[list[str], list[str]]:
    """The web's log and the jobs': some events nobody wants, two deliveries stuck and failed."""
    web, jobs = [], []
    for n in range(COUNT):
        at, jid, sweep = BEGIN + timedelta(seconds=20 * n), f"{n:020x}beef", f"{n:020x}cafe"
        head = f"I, [{at:%Y-%m-%dT%H:%M:%S.%f} #81]  INFO -- : [{n:08x}{REQUEST[8:]}] "
        if n % 25 == 3:
            web.append(f"{head}event {5_000 + n} order.paid: no active endpoints")
            continue
        row, last = f"HookDelivery#{70_000 + n}", at + timedelta(seconds=900)
        web.append(f"{head}event {5_000 + n} order.paid: {row} endpoint={n % 7}")
        web.append(f"{head}{row} enqueued jid={jid}")
        begun, ended = at + timedelta(seconds=1), at + timedelta(seconds=2)
        jobs.append(_job(begun, jid, "INFO: start"))
        jobs.append(_job(begun, jid, f"INFO: {row} attempt 1/6 POST https://r{n % 7}.example/h"))
        jobs.append(_job(last, sweep, "INFO: start", "SweepJob"))
        if n in LOST:
            told = f"WARN: {row} stuck since {at:%Y-%m-%d %H:%M:%S} UTC, marked failed"
            jobs.append(_job(last, sweep, told, "SweepJob"))
        else:
            jobs.append(_job(ended, jid, f"INFO: {row} delivered (200, 180ms)"))
            jobs.append(_job(ended, jid, "elapsed=0.4 INFO: done"))
        jobs.append(_job(last, sweep, "elapsed=0.2 INFO: done", "SweepJob"))
    return web, sorted(jobs, key=lambda line: line[:27])


def test_a_service_of_such_lines_is_read(tmp_path: Path) -> None:
    for name, lines in zip(("web.log", "jobs.log"), _lines(), strict=True):
        (tmp_path / name).write_text("\n".join(lines) + "\n")
    found = investigate([str(tmp_path / "web.log"), str(tmp_path / "jobs.log")], Options())
    # an event that nobody wants is no delivery; a sweep's beginning is no turn
    assert found.accepted == sum(n % 25 != 3 for n in range(COUNT))
    assert found.dropped == len(LOST)
    assert found.hypothesis is not None
    assert found.hypothesis.mechanism == "D7"
