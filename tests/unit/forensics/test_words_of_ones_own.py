"""Logs with names and sentences of their own: what lines name and do tells what they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("duckdb")
pytest.importorskip("ibis")

from homing.forensics.habits import Kind
from homing.forensics.investigation import Findings, investigate
from homing.forensics.operations import Op, Stand
from homing.forensics.options import Options
from homing.forensics.reading.guessing import guess
from homing.forensics.reading.lines import text_row
from homing.forensics.reading.sources import Unreadable
from homing.forensics.vocabulary import meaning
from homing.forensics.words import Behaviour, by_behaviour, line_of

COUNT = 80
Rows = list[dict[str, Any]]


def said(line: str) -> dict[str, Any]:
    found = text_row(f"2026-09-01 06:32:08,186 INFO  [worker-3] {line}")
    assert found is not None
    return found


def test_an_answer_in_words_is_a_status() -> None:
    for words in ("answered 503", "responded with HTTP 503", "got 503", "returned status 503"):
        assert said(f"Attempt 2 of delivery dlv_1x9 {words} in 134 ms")["status"] == "503", words
    assert said("POST shop.example -> 503 (1896ms) delivery=7001")["status"] == "503"
    assert "status" not in said("Returned 503 rows of delivery dlv_1x9")


def test_which_attempt_of_how_many_and_until_when_it_is_held() -> None:
    row = said("Starting attempt 1 of 7 of delivery dlv_1x9, lease until 2026-09-01 06:32:38")
    assert (row["attempt"], row["max_attempts"]) == ("1", "7")
    assert row["lease_until"] == "2026-09-01 06:32:38"
    assert "then" not in row
    row = said("Will retry delivery dlv_1x9 at 2026-09-01 06:32:38 (attempt 2/7 failed)")
    assert (row["attempt"], row["then"]) == ("2", "2026-09-01 06:32:38")
    assert meaning(row["text"]).op is Op.RETRY


def test_a_type_of_event_and_a_receiver_are_no_words() -> None:
    row = said("Accepted payment.failed for endpoint globex-orders as delivery dlv_1x9 (9 bytes)")
    assert (row["event_type"], row["endpoint"]) == ("payment.failed", "globex-orders")
    assert meaning(row["text"]).op is Op.ACCEPTED
    assert said("POST to hooks.globex.example of delivery dlv_1x9").get("event_type") is None
    assert said("Delivery dlv_1x9 cancelled by lena.fischer")["actor"] == "lena.fischer"


def test_rails_jobs_name_what_they_were_given() -> None:
    job = "3dcba18b-e432-4968-b206-5709bdb97fb9"
    row = said(f"[ActiveJob] Enqueued DeliverJob (Job ID: {job}) to Sidekiq with arguments: 51647")
    assert (row["delivery"], row["job_id"]) == ("51647", job)
    row = said(f"[ActiveJob] [DeliverJob] [{job}] Performed DeliverJob (Job ID: {job}) in 29.1ms")
    assert row["job_id"] == job
    assert "delivery" not in row
    assert "delivery" not in said("Completed 202 Accepted in 41ms (deliveries: 1)")
    assert meaning("Performing DeliverJob from Sidekiq(webhooks)").op is Op.CLAIMED


@pytest.mark.parametrize(
    ("words", "op"),
    [
        ("result not stored, lease lost", Op.NOTED),
        ("Lost the lease, job removed from set", Op.LAPSED),
        ("hand_lapsed", Op.LAPSED),
        ("circuit open", Op.POSTPONED),
        ("not accepting, return", Op.SKIPPED),
        ("called_off", Op.CANCELLED),
        ("withdrew notice, wrong season", Op.CANCELLED),
        ("answered in", Op.ATTEMPTED),
        ("attempt POST answered Accepted in", Op.ATTEMPTED),
        ("Retry claimed", Op.CLAIMED),
        ("Retry scheduled", Op.RETRY),
        ("Delivery state RETRY_SCHEDULED -> DISPATCHED", Op.SUCCEEDED),
        ("Delivery state SENDING -> RETRY_SCHEDULED", Op.RETRY),
        ("Egress request submitted", Op.SENT),
        ("parcel recalled", Op.CANCELLED),
        ("doorstep closed, parcel set aside", Op.PARKED),
        ("Stale webhook call, update skipped", Op.NOTED),
        ("Backoff FixedBackOff{interval=0} exhausted for hooks.out-3@31187", Op.NOTED),
        ("Attempts exhausted for 31187", Op.EXHAUSTED),
    ],
)
def test_words(words: str, op: Op) -> None:
    assert meaning(words).op is op


def kind(**told: Any) -> Kind:
    nothing = dict.fromkeys(Kind._fields) | {"layout": "events", "status": "none"}
    return Kind(**(nothing | told))


def test_closed_is_no_success_where_the_state_says_failed() -> None:
    assert line_of(kind(op="closed", to_state="failed"), {}, {}).op is Op.FAILED
    assert line_of(kind(op="closed", to_state="delivered"), {}, {}).op is Op.SUCCEEDED
    assert line_of(kind(op="closed"), {}, {}).op is Op.SUCCEEDED


def test_what_was_handed_on_is_no_end_by_that() -> None:
    assert line_of(kind(op="egress", outcome="handed_over"), {}, {}).op is Op.NOTED
    assert line_of(kind(op="egress", outcome="failed"), {}, {}).op is Op.FAILED


def test_a_word_of_few_ends_that_names_somebody_is_a_withdrawal() -> None:
    seen = Behaviour(rows=9, is_first=0, is_last=1, ok=0, bad=0, ends=0.01, signed=1)
    assert by_behaviour(seen).op is Op.CANCELLED
    assert by_behaviour(seen._replace(signed=0.0)).op is not Op.CANCELLED
    assert by_behaviour(seen._replace(ends=0.6)).op is not Op.CANCELLED


def iso(number: int, seconds: float) -> str:
    return f"2026-09-01T{number // 60:02}:{number % 60:02}:{seconds:06.3f}Z"


def story(number: int, *, tries: int = 1, ends: str = "landed") -> Rows:
    """A delivery in words that no list has: `go` counts its attempts, and `rev` its writes."""
    name = {"note": f"note_{number:05x}"}
    rows: Rows = [{"what": "taken_in", "route": f"rt_{number % 4}"}]
    rows += [{"what": "picked", "by": "feeder"}, {"what": "lined_up", "source": "feeder"}]
    for go in range(1, tries + 1):
        mine = {"go": go, "by": f"runner-{(number + go) % 3}"}
        rows.append({"what": "in_hand", **mine, "hand_until": iso(number, 59)})
        rows.append({"what": "posting", **mine})
        is_last = go == tries
        code = 200 if is_last and ends == "landed" else 503
        rows.append({"what": "answer_note", "go": go, "code": code})
        if code != 200:
            rows.append({"what": "go_failed", **mine})
            if not is_last:
                rows.append({"what": "again_later", **mine, "next_go_at": iso(number, 0)})
    last: dict[str, Rows] = {
        "landed": [{"what": "landed", "go": tries}],
        "given up": [{"what": "gave_up"}, {"what": "parked", "lot": "lot-7"}],
        "given up only": [{"what": "gave_up"}],
        "called off": [{"what": "shelved_by", "who": "j.marchetti", "because": "by phone"}],
        "lost": [],
    }
    rows += last[ends]
    clock = 1.0
    for rev, row in enumerate(rows, 1):
        clock += 0.5
        row |= {"at": iso(number, clock), **name, "rev": rev}
        if "next_go_at" in row:  # due just before the next turn
            row["next_go_at"] = iso(number, clock + 0.4)
    return rows


def stories(*, lost: str = "lost") -> Rows:
    ends = dict.fromkeys(range(3, 58, 6), "given up") | dict.fromkeys((10, 22, 34), "called off")
    ends |= dict.fromkeys((60, 66, 72), lost)
    return [
        row
        for n in range(COUNT)
        for row in story(n, tries=1 if n % 3 else 3, ends=ends.get(n, "landed"))
    ]


def written(folder: Path, rows: Rows) -> Path:
    path = folder / "events.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def found_in(folder: Path, rows: Rows) -> Findings:
    return investigate([str(written(folder, rows))], Options())


def test_columns_are_known_by_how_they_count_and_what_follows() -> None:
    columns = guess(stories()).columns
    assert columns["attempt"].path == "go"  # and not `rev`, which counts the rows
    assert columns["lease_until"].path == "hand_until"
    assert columns["due"].path == "next_go_at"
    assert columns["endpoint"].path == "route"
    assert (columns["worker"].path, columns["actor"].path) == ("by", "who")


def test_words_are_known_by_where_they_stand(tmp_path: Path) -> None:
    found = found_in(tmp_path, stories())
    told = found.events.words
    assert told["taken_in"] == "accepted"
    assert told["picked"] == "queued"
    assert told["parked"] == "dead"
    assert told["shelved_by"] == "cancelled"
    assert (found.accepted, found.dropped) == (COUNT, 3)


def test_given_up_and_not_put_away_is_dropped(tmp_path: Path) -> None:
    found = found_in(tmp_path, stories(lost="given up only"))
    assert found.dropped == 3
    assert found.hypothesis.mechanism == "D10"


def test_what_most_rows_have_says_what_happened() -> None:
    rows = [
        {
            "at": iso(n, clock),
            "delivery_id": f"dlv_{n:05}",
            "message": text,
            "event": "invoice.created" if not clock else None,
        }
        for n in range(COUNT)
        for clock, text in enumerate(("row written", "claimed", "strange thing", "delivered"))
    ]
    assert guess(rows).columns["op"].path == "message"


def test_a_turn_that_is_over_is_no_delivery(tmp_path: Path) -> None:
    rows: Rows = []
    for n in range(COUNT):
        failed = n % 4 == 0
        name = {"delivery_id": f"dlv_{n:05}"}
        codes = [503, 503, 200] if failed and n not in (40, 44) else [503] if failed else [200]
        lines: list[dict[str, Any]] = [{"event": "accepted"}]
        for go, code in enumerate(codes, 1):
            lines += [{"event": "claimed", "attempt": go}]
            lines += [{"event": "answer", "attempt": go, "status": code}]
            lines += [{"event": "job finished", "attempt": go}]
        rows += [{"ts": iso(n, i), **name, **line} for i, line in enumerate(lines)]
    found = found_in(tmp_path, rows)
    assert found.dropped == 2
    # where each success is said once, the word is what it says
    once = [row for row in rows if row["event"] != "job finished" or row["attempt"] == 3]
    assert found_in(tmp_path, once).events.words["job finished"] == "succeeded"


@pytest.mark.parametrize(("is_due", "dropped"), [(True, 1), (False, 0)])
def test_parked_until_a_time_is_waiting_for_it(tmp_path: Path, is_due: bool, dropped: int) -> None:
    rows: Rows = []
    for n in range(COUNT):
        name = {"delivery_id": f"dlv_{n:05}", "endpoint": f"ep_{n % 5}"}
        lines: Rows = [{"event": "accepted"}, {"event": "queued"}]
        if n % 5 == 0:
            due = {"next_attempt_at": iso(n, 20)} if is_due else {}
            lines.append({"event": "endpoint paused, held", "worker": "w1", **due})
        if n != 20:
            lines += [{"event": "claimed", "worker": "w1", "attempt": 1}]
            lines += [{"event": "delivered", "worker": "w1", "attempt": 1, "status": 200}]
        clocks = (0, 1, 2, 21, 22) if n % 5 == 0 else (0, 1, 3, 4)
        rows += [
            {"ts": iso(n, clock), **name, **line}
            for clock, line in zip(clocks, lines, strict=False)
        ]
    found = found_in(tmp_path, rows)
    assert found.dropped == dropped
    if dropped:
        assert found.hypothesis.mechanism == "D1"


def test_a_hand_over_that_fails_again_and_again_is_no_sign_of_life(tmp_path: Path) -> None:
    rows: Rows = []
    for n in range(COUNT):
        name = {"delivery_id": f"dlv_{n:05}"}
        lines = [("accepted", 0), ("queued", 1), ("claimed", 2), ("delivered", 3)]
        if n == 20:
            lines = [("accepted", 0)]
        rows += [{"ts": iso(n, clock), **name, "event": event} for event, clock in lines]
    rows += [
        {"ts": iso(n, 30), "delivery_id": "dlv_00020", "event": "enqueue_failed"}
        for n in range(21, COUNT)
    ]
    found = found_in(tmp_path, rows)
    assert (found.dropped, found.hypothesis.mechanism) == (1, "D3")
    assert Stand.NONE is meaning("enqueue_failed").stand


def in_riddles(count: int, ends: str) -> Rows:
    """Deliveries of which nothing but the acceptance is understood, unless `ends` is."""
    return [
        {"ts": iso(n, clock), "delivery_id": f"dlv_{n:05}", "event": event}
        for n in range(count)
        for clock, event in enumerate(("accepted", "claimed", "zzyzx", ends))
        if event
    ]


def test_a_log_of_which_hardly_anything_is_understood_is_not_counted(tmp_path: Path) -> None:
    lost = [row for row in in_riddles(300, "") if row["event"] != "zzyzx"]
    with pytest.raises(Unreadable, match=r"300 deliveries would be dropped .* --mapping"):
        found_in(tmp_path, lost)
    assert found_in(tmp_path, in_riddles(300, "delivered")).dropped == 0
    # whoever says what the columns are has it counted as it stands; and of few anything may be
    options = Options(mapping=guess(lost))
    assert investigate([str(written(tmp_path, lost))], options).dropped > 250
    assert found_in(tmp_path, lost[:100]).dropped > 0


def test_rows_that_name_nothing_by_the_guess_are_not_left_out_in_silence(tmp_path: Path) -> None:
    rows = in_riddles(300, "delivered")
    for number, row in enumerate(rows):
        name = row.pop("delivery_id")
        if number % 40 in (0, 3):
            row["zz"] = name
    with pytest.raises(Unreadable, match="rows name a delivery by the columns that were guessed"):
        found_in(tmp_path, rows)
    # where they are called deliveries, the other rows are of something else
    named = [{"delivery_id" if k == "zz" else k: v for k, v in row.items()} for row in rows]
    assert found_in(tmp_path, named).accepted == 30


@pytest.mark.parametrize(("after_s", "op"), [(1, "noted"), (1800, "purged")])
def test_an_entry_deleted_from_its_queue_is_no_delivery_deleted(
    tmp_path: Path, after_s: int, op: str
) -> None:
    rows: Rows = []
    for n in range(COUNT):
        name = {"delivery_id": f"dlv_{n:05}"}
        code = 503 if n == 20 else 200
        lines = [("accepted", 0, None), ("received", 1, None), ("response", 2, code)]
        rows += [
            {"ts": iso(n, clock), **name, "event": event, "status": status}
            for event, clock, status in lines
        ]
        gone = n + (2 + after_s) // 60
        rows.append({"ts": iso(gone, (2 + after_s) % 60), **name, "event": "message deleted"})
    found = found_in(tmp_path, rows)
    assert found.events.words["message deleted"] == op
    assert found.dropped == 1
