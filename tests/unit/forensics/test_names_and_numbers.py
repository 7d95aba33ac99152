"""Which columns name a delivery, whatever they are called; and words that sound like others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("duckdb")
pytest.importorskip("ibis")

from homing.forensics.investigation import investigate
from homing.forensics.judging import Verdict
from homing.forensics.operations import Op
from homing.forensics.options import Options
from homing.forensics.reading.columns import fits, look, name_score
from homing.forensics.reading.guessing import guess
from homing.forensics.reading.lines import flat
from homing.forensics.vocabulary import meaning

COUNT = 400
BEGIN_S = 1_780_000_000


# --- names that are put together


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("dispatch_key", "delivery"),
        ("parcelNo", "delivery"),
        ("webhook_notification_ref", "delivery"),
        ("evt_uuid", "message"),
        ("target_ref", "endpoint"),
        ("partner_no", "endpoint"),
        ("sub_state", "reason"),
    ],
)
def test_a_thing_and_how_it_is_named_are_a_name(name: str, field: str) -> None:
    assert name_score(field, name) >= 70
    assert name_score(field, name + "_count") < 60


@pytest.mark.parametrize("name", ["sub_state", "subscription.status", "endpoint_status"])
def test_how_an_endpoint_stands_is_no_state_of_a_delivery(name: str) -> None:
    rows = [{name: ("active", "inactive")[n % 9 == 0]} for n in range(50)]
    seen = look([flat(row) for row in rows])
    (column,) = seen.values()
    assert not fits("to_state", column)
    assert fits("to_state", column._replace(path="delivery_state"))


# --- a number that counts deliveries under any name, in lines of text


def of_flights(number: int) -> list[str]:
    at = BEGIN_S + number
    lines = ["Desk booked", "Gate admitted", "Dispatch boarding", "Dispatch took off"]
    tail = f" code=200 in={(number * 37) % 900 + 20}ms"
    told = [f"{line} handoff={700_000 + number} leg=1" for line in lines]
    told.append(f"Dispatch landed handoff={700_000 + number} leg=1{tail}")
    stamp = f"2026-05-28 {at // 3600 % 24:02}:{at // 60 % 60:02}:{at % 60:02}"
    return [f"{stamp}.{i:03} [info] node=n{number % 2} {line}\n" for i, line in enumerate(told)]


def test_a_number_that_rises_from_one_to_the_next_names_what_has_several_lines(
    tmp_path: Path,
) -> None:
    path = tmp_path / "flights.log"
    path.write_text("".join(line for n in range(COUNT) for line in of_flights(n)))
    findings = investigate([str(path)], Options(folder=str(tmp_path)))
    columns = next(iter(findings.raw.mappings.values())).columns
    assert (columns["delivery"].path, columns["op"].path) == ("handoff", "text")
    assert findings.books == {Verdict.DELIVERED: COUNT}


def test_a_number_may_be_written_with_a_point() -> None:
    rows: list[dict[str, Any]] = [
        {"ts": BEGIN_S + n, "event": event, "thing": f"{n}.0"}
        for n in range(1, COUNT)
        for event in ("queued", "sent", "done")
    ]
    assert guess(rows).columns["delivery"].path == "thing"


def test_lengths_of_time_name_nothing_and_neither_do_numbers_without_an_order() -> None:
    rows: list[dict[str, Any]] = []
    for n in range(COUNT):
        scattered = (n * 48_271) % 100_003
        about = {"thing": scattered, "took": f"{scattered}ms"}
        rows += [
            {"ts": BEGIN_S + n, "event": event, **about} for event in ("queued", "sent", "done")
        ]
    with pytest.raises(Exception, match="names a delivery"):
        guess(rows)


# --- one name under two columns


def of_jobs(number: int) -> list[dict[str, Any]]:
    at, job = BEGIN_S + 30 * number, {"jid": f"{number * 7919:08x}"}
    name = f"whd-{number:05}"
    rows = [{"at": at, "op": "webhook stored", "delivery": name}]
    for no in (1, 2) if number % 5 == 0 else (1,):
        rows.append({"at": at + 9 * no, "op": "enqueue", **job, "args": {"delivery": name}})
        rows.append(
            {"at": at + 9 * no, "op": "lease", **job, "try": no, "args": {"delivery": name}}
        )
        rows += [{"at": at + 9 * no, "op": f"step {i}", **job} for i in range(6)]
        rows.append({"at": at + 9 * no, "op": "nack", **job, "error": {"text": "HTTP 503"}})
    rows[-1] = {"at": at + 20, "op": "ack", **job, "result": {"status": 200}}
    return rows


def test_names_are_counted_over_all_columns_that_have_them() -> None:
    columns = guess([flat(row) for n in range(COUNT) for row in of_jobs(n)]).columns
    assert {columns["delivery"].path, *columns["delivery"].others} == {"delivery", "args.delivery"}
    assert columns["trace"].path == "jid"
    assert columns["attempt"].path == "try"


# --- letters in a name


def test_a_name_with_dlq_in_it_is_no_dead_letter(tmp_path: Path) -> None:
    rows = []
    for n in range(COUNT):
        name = f"cq{n:05}dlq{n:05}" if n % 50 == 3 else f"cq{n:05}abc{n:05}"
        for after, msg in enumerate(("job stored", "job queued", "lease acquired", "posting")):
            rows.append({"ts": BEGIN_S + n + after / 9, "msg": msg, "job": name})
        rows.append({"ts": BEGIN_S + n + 0.5, "msg": "response", "job": name, "code": 200})
    path = tmp_path / "log.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    findings = investigate([str(path)], Options(folder=str(tmp_path)))
    assert findings.books == {Verdict.DELIVERED: COUNT}
    assert not [word for word in findings.events.words if "dlq" in word]


# --- an answer that is made of others


def test_an_answer_is_as_bad_as_what_it_is_made_of(tmp_path: Path) -> None:
    bad = set(range(20, COUNT - 50, 20))
    rows = []
    for n in range(COUNT):
        about = {"delivery_id": f"d-{n:05}", "endpoint": f"e{n % 4}"}
        for after, event in enumerate(("accepted", "queued", "claimed")):
            rows.append({"ts": BEGIN_S + 9 * n + after, "event": event, **about})
        if n % 11 == 6:
            rows.append(
                {"ts": BEGIN_S + 9 * n + 2, "event": "attempt ended", **about, "status": 503}
            )
            rows.append({"ts": BEGIN_S + 9 * n + 2, "event": "retry planned", **about})
        inner = {"status": 207, "item_status": 503 if n in bad else 200} if n % 5 == 0 else {}
        answer = {"status": 200, **inner}
        rows.append({"ts": BEGIN_S + 9 * n + 4, "event": "attempt ended", **about, **answer})
        rows.append({"ts": BEGIN_S + 9 * n + 5, "event": "delivered", **about})
    path = tmp_path / "log.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    findings = investigate([str(path)], Options(folder=str(tmp_path)))
    assert (findings.dropped, findings.hypothesis.mechanism) == (len(bad), "D5")


# --- where the dead letters are put, and that this failed


def exhausted(folder: Path, state: str, failed: int) -> tuple[int, str | None]:
    """How many of a log's deliveries are dropped, and why, where what has used up its attempts goes
    into a state that says so, and then into another, but for some."""
    rows = ["no,at,by,from_state,to_state,attempt,http_status\n"]
    used_up = list(range(15, COUNT - 60, 12))
    for n in range(COUNT):
        at, before = BEGIN_S + 30 * n, ""
        steps: list[tuple[str, int | str, int | str]] = [("RECEIVED", 0, ""), ("QUEUED", 0, "")]
        for no in (1, 2, 3) if n in used_up else (1,):
            steps += [("SENDING", no, ""), ("BACKOFF" if n in used_up else "DELIVERED", no, "")]
            steps[-1] = (steps[-1][0], no, 503 if n in used_up else 200)
        if n in used_up:
            steps[-1] = ("EXHAUSTED", 3, 503)
            if used_up.index(n) >= failed:
                steps.append((state, 3, ""))
        for after, (to, no, status) in enumerate(steps):
            rows.append(f"WD{n:06},{at + after},w{n % 3},{before},{to},{no},{status}\n")
            before = to
    path = folder / "states.csv"
    path.write_text("".join(rows))
    findings = investigate([str(path)], Options(folder=str(folder)))
    return findings.dropped, findings.hypothesis.mechanism


def test_a_state_after_the_last_attempt_is_where_dead_letters_are(tmp_path: Path) -> None:
    assert exhausted(tmp_path, "PARKED", failed=9) == (9, "D10")


def test_where_all_get_there_none_is_missing(tmp_path: Path) -> None:
    assert exhausted(tmp_path, "PARKED", failed=0) == (0, None)


@pytest.mark.parametrize(
    ("text", "op"),
    [
        ("bury failed", Op.DEAD_FAILED),
        ("graveyard insert failed", Op.DEAD_FAILED),
        ("park failed", Op.DEAD_FAILED),
        ("could not be buried", Op.DEAD_FAILED),
        ("parked after failures", Op.PARKED),
        ("buried", Op.DEAD),
        ("settlement rejected", Op.NOTED),
        ("completion refused", Op.NOTED),
        ("late_nack", Op.NOTED),
        ("nack_error", Op.NOTED),
        ("Dispatch took off", Op.SENT),
        ("Dispatch landed", Op.SUCCEEDED),
        ("Dispatch out of legs", Op.EXHAUSTED),
        ("Task started from Shop.Sender terminating", Op.FAILED),
        ("Beat kept", Op.NOTED),
        ("airborne", Op.UNKNOWN),
        ("notice not found", Op.PURGED),
        ("Rescue, last seen sending, marked failed", Op.LAPSED),
    ],
)
def test_words(text: str, op: Op) -> None:
    assert meaning(text).op is op
