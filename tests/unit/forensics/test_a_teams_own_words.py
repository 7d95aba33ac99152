"""Logs in a team's own words: which column says what happened, who did it, what names it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("duckdb")
pytest.importorskip("ibis")

from homing.forensics.habits import Kind
from homing.forensics.investigation import Findings, investigate
from homing.forensics.judging import Verdict
from homing.forensics.operations import Op
from homing.forensics.options import Options
from homing.forensics.reading.guessing import guess
from homing.forensics.reading.joining import joined
from homing.forensics.reading.lines import flat, unfold
from homing.forensics.reading.references import links
from homing.forensics.vocabulary import meaning
from homing.forensics.words import line_of

COUNT = 300
_BEGIN = datetime(2026, 9, 1, 6, tzinfo=UTC)
Rows = list[dict[str, Any]]


def at(seconds: float) -> str:
    when = _BEGIN + timedelta(seconds=seconds)
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def found(folder: Path, rows: Rows) -> Findings:
    path = folder / "log.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return investigate([str(path)], Options(threads=1))


def dropped(findings: Findings) -> int:
    return findings.books.get(Verdict.DROPPED, 0)


# -- a post room: nobody's list has its words ---------------------------------------------------


def knocks(number: int, answers: Sequence[int], *, is_kept: bool = True) -> Rows:
    """A note's life: a grab, a knock and an answer for each try, and a time for the next where one
    failed; the last plan of what is not `is_kept` is never taken up."""
    note, second = f"PN-{number:06}", 60.0 * number
    who = f"poster-{number % 3}"
    rows: Rows = [{"ts": at(second), "ev": "intake", "note": note, "took_ms": 9}]

    def line(word: str, **more: Any) -> None:
        nonlocal second
        second += 1
        rows.append({"ts": at(second), "ev": word, "note": note, **more})

    for go, code in enumerate(answers, 1):
        line("grab", poster=who, ticket=go)
        line("knock", poster=who, go=go)
        line("answer", poster=who, go=go, code=code)
        if code < 300:
            line("notified", poster=who)
        else:
            line("try_again", poster=who, not_before=at(second + 20))
        line("put_back", poster=who)
        second += 20
    if is_kept and answers[-1] >= 300:
        line("called_off", person="mira.s")
    return rows


def room(*, lost: int) -> Rows:
    rows = [
        row
        for n in range(COUNT)
        for row in knocks(
            n,
            [500, 200] if n % 5 == 0 else [200],
        )
    ]
    for n in range(lost):
        rows += knocks(n + 1_000, [500], is_kept=False)
    rows += [row for n in range(1_100, 1_140) for row in knocks(n, [200])]
    return sorted(rows, key=lambda row: str(row["ts"]))


def test_what_changes_within_each_delivery_says_what_happened_whatever_it_is_called() -> None:
    columns = guess(room(lost=0)).columns
    assert (columns["delivery"].path, columns["op"].path) == ("note", "ev")
    assert columns["worker"].path == "poster"  # its values are its own name with a number
    assert (columns["epoch"].path, columns["actor"].path if "actor" in columns else "") in (
        ("ticket", ""),
        ("ticket", "person"),
    )


def test_names_are_no_words() -> None:
    rows = [
        {"ts": at(n * 9 + k), "note": f"PN-{n:05}", "sender": f"s-x{(n + k) % 5}", "ms": k}
        for n in range(COUNT)
        for k in range(3)
    ]
    assert "op" not in guess(rows).columns


@pytest.mark.parametrize("lost", [0, 20])
def test_a_plan_stands_although_its_turn_was_given_back(tmp_path: Path, lost: int) -> None:
    findings = found(tmp_path, room(lost=lost))
    assert findings.accepted == COUNT + lost + 40
    assert dropped(findings) == lost
    if lost:
        assert findings.hypothesis.mechanism == "D1"


def test_the_late_failure_of_an_earlier_turn_takes_no_success_back(tmp_path: Path) -> None:
    rows = room(lost=0)
    for n in range(2_000, 2_006):
        life = knocks(n, [200])
        # another had it before, whose request failed after all was over
        for row in life:
            row.pop("go", None)
        first = {"ts": at(60.0 * n + 0.5), "ev": "grab", "note": f"PN-{n:06}", "poster": "poster-9"}
        late = {"ts": at(60.0 * n + 30), "ev": "answer", "note": f"PN-{n:06}", "code": 502}
        rows += [life[0], first, *life[1:], late | {"poster": "poster-9"}]
    rows += [row for n in range(2_010, 2_020) for row in knocks(n, [200])]
    assert dropped(found(tmp_path, sorted(rows, key=lambda row: str(row["ts"])))) == 0


# -- jobs of one delivery -----------------------------------------------------------------------


def retried(number: int) -> Rows:
    """Each try a job of its own, which names the notification as its argument."""
    rows: Rows = []
    for no in range(1 + (number % 4 == 0)):
        job = f"{number:04x}{no}a91c9d8b146b"
        told = {"jid": job, "params": [507_000 + number], "attempt": no + 1}
        for k, word in enumerate(("enqueued", "start", "done")):
            rows.append({"ts": at(60 * number + 9 * no + k), "message": word, **told})
    return rows


def test_what_the_jobs_of_a_delivery_have_in_common_names_it() -> None:
    rows = [flat(unfold(row, frozenset({"params"}))) for n in range(COUNT) for row in retried(n)]
    columns = guess(rows).columns
    assert (columns["delivery"].path, columns["trace"].path if "trace" in columns else "jid") == (
        "params.0",
        "jid",
    )


def test_an_order_is_no_delivery_of_its_jobs() -> None:
    rows = [
        {
            "ts": at(60 * n + k),
            "job_id": f"job-{n:05}-{event}",
            "order_ref": f"O-{n:05}",
            "bytes": 500 + n % 150,  # the same in all lines of a job
            "event_type": event,
            "message": word,
        }
        for n in range(COUNT)
        for event in ("order.paid", "order.sent")
        for k, word in enumerate(("enqueued", "start", "done"))
    ]
    assert guess(rows).columns["delivery"].path == "job_id"


def test_files_that_meet_by_their_names_keep_them_and_follow_the_jobs() -> None:
    jobs = [
        {"id": 7_000 + n, "args.delivery_id": f"dlv_{n:06}xk", "state": "completed"}
        for n in range(COUNT)
    ]
    lines = [
        row
        for n in range(COUNT)
        for row in (
            {"at": at(n), "event": "accepted", "delivery_id": f"dlv_{n:06}xk"},
            {"at": at(n), "event": "job start", "job_id": 7_000 + n},
        )
    ]
    letters = [
        {"at": at(n), "delivery_id": f"dlv_{n:06}xk", "error": "status 500"}
        for n in range(0, COUNT, 10)
    ]
    samples = {"jobs": jobs, "lines": lines, "letters": letters}
    every = links(samples)
    mappings = {
        "jobs": guess([{"at": at(n), **row} for n, row in enumerate(jobs)]),
        "lines": guess(lines),
        "letters": guess(letters, "dead_letters"),
    }
    both = joined(every, mappings, samples)
    assert both["lines"].columns["delivery"].path == "delivery_id"
    assert both["jobs"].columns["delivery"].path == "args.delivery_id"


# -- sentences beside fields --------------------------------------------------------------------


def spoken(number: int, code: int) -> Rows:
    job, hook = str(6_000 + number), f"whk_{number:08x}cc886f"
    own = {"pid": (7, 19)[number % 2], "hostname": f"worker-{number % 3}", "name": "hook-worker"}
    texts = (
        (f"Accepted refund.settled webhook for merchant mrc_{number % 9}", {"webhookId": hook}),
        (f"Added job {job} to queue webhooks", {"webhookId": hook}),
        (f"Job {job} active", {}),
        (
            "POST to merchant endpoint",
            {"webhookId": hook, "url": f"https://h{number % 9}.example/"},
        ),
        (f"Endpoint replied with {code} in 107 ms", {"webhookId": hook, "statusCode": code}),
        *([("Webhook delivered", {"webhookId": hook})] if code < 300 else []),
        (f"Job {job} completed", {}),
    )
    return [
        {
            "time": 1_786_750_000_000 + 60_000 * number + 7 * k,
            **own,
            **({"jobId": job} if k else {}),
            **more,
            "msg": text,
        }
        for k, (text, more) in enumerate(texts)
    ]


def test_sentences_are_read_without_their_particulars(tmp_path: Path) -> None:
    rows = [row for n in range(COUNT) for row in spoken(n, 200)]
    rows += [row for n in range(COUNT, COUNT + 12) for row in spoken(n, 500)]
    rows += [row for n in range(COUNT + 12, COUNT + 60) for row in spoken(n, 200)]
    findings = found(tmp_path, rows)
    mapping = next(iter(findings.raw.mappings.values()))
    assert mapping.columns["op"].path == "msg.text"
    assert mapping.columns["delivery"].path == "webhookId"
    # a process has its number on each host, and `job completed` says only that a turn is over
    assert (mapping.columns["worker"].path, mapping.columns["boot"].path) == ("hostname", "pid")
    assert (findings.accepted, dropped(findings)) == (COUNT + 60, 12)


# -- words --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "op"),
    [
        ("put_back", Op.RELEASED),
        ("out_of_goes", Op.EXHAUSTED),
        ("written_off", Op.DEAD),
        ("try_again", Op.RETRY),
        ("again", Op.FAILED),
        ("discarded by policy max_age", Op.CANCELLED),
        ("PG::StringDataRightTruncation: value too long", Op.FAILED),
        ("truncated table", Op.PURGED),
    ],
)
def test_words_that_sound_like_others(text: str, op: Op) -> None:
    assert meaning(text).op is op


def kind(before: str, after: str, reason: str | None) -> Kind:
    return Kind("events", None, before, after, None, reason, "none")


@pytest.mark.parametrize(
    ("reason", "op"),
    [
        ("read timeout 30000ms", Op.FAILED),
        ("merchant tier refreshed", Op.WRITTEN),
        (None, Op.CLAIMED),
    ],
)
def test_a_state_that_stays_is_a_turn_only_where_nothing_says_otherwise(
    reason: str | None, op: Op
) -> None:
    assert line_of(kind("leased", "leased", reason), {}, {}).op is op


def test_already_in_hand_is_passed_over_and_not_thrown_away() -> None:
    told = Kind("events", "nothing_to_do", None, None, None, "already in hand", "none")
    assert line_of(told, {}, {}).op is Op.SKIPPED
