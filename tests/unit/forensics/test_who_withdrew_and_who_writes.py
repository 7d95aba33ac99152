"""Whether a person withdrew a delivery or a worker threw it away, which part of a program writes a
line, and more of what sentences say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.dropped import make_dropped, make_step
from support.whole_log import books, found

from homing.forensics.facts import LogFacts
from homing.forensics.habits import Kind
from homing.forensics.judging import Verdict, Why
from homing.forensics.machines import MACHINES
from homing.forensics.mechanisms import recognise
from homing.forensics.operations import Op, Stand
from homing.forensics.overwriting import has_cleared_retry
from homing.forensics.reading.guessing import guess
from homing.forensics.reading.lines import Row, text_row
from homing.forensics.reading.particulars import Particulars, shape_in, writers_in
from homing.forensics.reading.sentences import sentence
from homing.forensics.vocabulary import meaning
from homing.forensics.words import line_of

COUNT = 240
THROWN = frozenset(range(10, COUNT, 20))
BY_HAND = frozenset(range(5, COUNT, 30))
LOST = frozenset(range(20, 200, 20))


def history(*, is_signed: bool) -> Iterator[Row]:
    """Changes of the rows of jobs; `is_signed`: people sign what they withdraw."""
    for n in range(COUNT):
        at, about = 60.0 * n, {"job_id": 9_000 + n, "endpoint_id": n % 7}
        worker = f"sender-{n % 3}"
        steps: list[tuple[float, str | None, str, dict[str, Any]]] = [
            (0.0, None, "accepted", {"worker": "api"}),
            (0.1, "accepted", "queued", {"worker": "relay"}),
        ]
        if n in BY_HAND:
            by = {"worker": "console", "note": "endpoint disabled"}
            signed = {"actor": "m.ilves"} if is_signed else {}
            steps.append((9.0, "queued", "cancelled", by | signed))
        elif n in THROWN:
            steps.append((0.2, "queued", "dispatched", {"worker": worker}))
            why = {"worker": worker, "note": "endpoint inactive"}
            steps.append((0.3, "dispatched", "cancelled", why))
        else:
            steps.append((0.2, "queued", "dispatched", {"worker": worker}))
            steps.append((0.3, "dispatched", "running", {"worker": worker}))
            steps.append((0.6, "running", "done", {"worker": worker, "status": 200}))
        for after, old, new, more in steps:
            yield about | {"time": at + after, "old_state": old, "new_state": new} | more


def test_what_a_worker_withdraws_and_nobody_signs_is_thrown_away_where_people_sign(
    tmp_path: Path,
) -> None:
    findings = found(tmp_path, history(is_signed=True))
    assert books(findings) == {
        Verdict.DELIVERED: COUNT - len(THROWN) - len(BY_HAND),
        Verdict.CANCELLED: len(BY_HAND),
        Verdict.DROPPED: len(THROWN),
    }
    assert findings.hypothesis is not None
    assert findings.hypothesis.mechanism == "D9"


def test_where_nobody_signs_what_was_withdrawn_stays_so(tmp_path: Path) -> None:
    findings = found(tmp_path, history(is_signed=False))
    assert books(findings)[Verdict.CANCELLED] == len(THROWN) + len(BY_HAND)


def test_how_long_a_person_waited_is_no_sign_of_how_long_the_machine_does(tmp_path: Path) -> None:
    """What was put off for a minute, and withdrawn hours later because of its endpoint."""
    rows: list[Row] = []
    for n in range(COUNT):
        at, about = 200.0 * n, {"delivery": f"d{n:05}", "endpoint": n % 7}
        about |= {"worker": f"w{n % 3}"}
        rows += [about | {"time": at, "event": "accepted"}]
        rows += [about | {"time": at + 1, "event": "claimed", "attempt": 1}]
        if n % 5:
            rows += [about | {"time": at + 2, "event": "succeeded", "attempt": 1, "status": 200}]
            continue
        rows += [about | {"time": at + 2, "event": "failed", "attempt": 1, "status": 503}]
        rows += [about | {"time": at + 2.1, "event": "retry planned", "next_attempt_at": at + 60}]
        if n in (5, 10):
            why = {
                "event": "delivery cancelled",
                "reason": "endpoint disabled",
                "actor": "t.brandt",
            }
            rows += [about | {"time": at + 24_000} | why]
        elif n not in LOST:
            rows += [about | {"time": at + 61, "event": "claimed", "attempt": 2}]
            rows += [about | {"time": at + 62, "event": "succeeded", "attempt": 2, "status": 200}]
    assert books(found(tmp_path, rows))[Verdict.DROPPED] == len(LOST)


# --- who writes a line


def written(text: str, detail: str) -> Row:
    return {"text": text, "detail": detail}


def test_what_stands_before_several_kinds_of_lines_is_the_part_that_writes_them() -> None:
    told = ("claim on expired", "set to failed", "sent")
    about = Particulars(writers=writers_in(written("check_claims", one) for one in told))
    line = "[2025-10-17 00:50:17,000: INFO/Pool-1] check_claims: ntf_1 set to failed"
    assert about.plain(line) == "[2025-10-17 00:50:17,000: INFO/Pool-1] ntf_1 set to failed"


@pytest.mark.parametrize(
    "details",
    [
        ("timeout", "connection refused"),  # why it failed
        ("sent", "sent"),  # one kind
        ("of the first", "of the second"),  # who knows
    ],
)
def test_what_may_say_what_happened_stays(details: tuple[str, str]) -> None:
    assert writers_in(written("delivery_failed", one) for one in details) is None


@pytest.mark.parametrize(
    ("begins", "line", "plain"),
    [
        ("q-", "taken q-abcdefab by w1", "taken delivery=q-abcdefab  by w1"),
        ("q-", "taken q-1bcdefab by w1", "taken q-1bcdefab by w1"),  # known by its digit
        ("q-", "see /parked/q-abcdefab", "see /parked/q-abcdefab"),
        ("evt_", "taken evt_abcdefab", "taken delivery=evt_abcdefab "),
    ],
)
def test_a_name_without_a_digit_is_known_by_how_the_others_are_made(
    begins: str, line: str, plain: str
) -> None:
    shape = shape_in(f"{begins}{(n * 2_654_435_761) % 2**32:08x}" for n in range(60))
    assert Particulars(shape=shape).plain(line) == plain


def test_what_words_may_begin_with_shows_no_names() -> None:
    assert shape_in(f"re-{n:03}queueings"[:12] for n in range(60)) is None


# --- what sentences say


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("Published 1 outbox entries, position is now 54280", "delivery", None),
        ("cursor moved up to 54280", "delivery", None),
        ("gave up on 54280", "delivery", "54280"),
        ("w3 q-1 < 503 (2629ms) try 4/6", "status", "503"),
        ("<-- 204 (12ms)", "status", "204"),
        ("took < 500 ms", "status", None),
        ("INFO 1 --- [   scheduling-3] a.b.C : swept", "thread", "scheduling-3"),
        ("Created new connection: rabbitConnectionFactory#1501940", "delivery", None),
    ],
)
def test_a_sentence_says(text: str, field: str, value: str | None) -> None:
    assert sentence(text).get(field) == value


def test_a_channel_is_left_out_with_no_object_behind_it_too() -> None:
    row = text_row("[2025-03-19 00:20:02] production.INFO: Delivery #774337 delivered ")
    assert row is not None
    assert (row["text"], row["delivery"]) == ("Delivery delivered", "774337")


@pytest.mark.parametrize(
    ("text", "op"),
    [
        ("claim no longer held", Op.NOTED),
        ("is not mine any more", Op.NOTED),
        ("job no longer exists", Op.PURGED),
        ("reclaimed unacked", Op.LAPSED),
        ("delivery still sending after", Op.LAPSED),
        ("is set, leaving it", Op.SKIPPED),
        ("busy elsewhere, ack", Op.SKIPPED),
        ("App\\Jobs\\SendWebhook has been attempted too many times", Op.EXHAUSTED),
        ("has used of tries", Op.EXHAUSTED),
        ("Processed SendWebhook", Op.SUCCEEDED),
        ("Processing SendWebhook", Op.CLAIMED),
        ("was not successful", Op.FAILED),
        ("was not successful, next attempt", Op.RETRY),
        ("Processing, connection closed", Op.FAILED),
        ("EAI_AGAIN", Op.FAILED),
        ("due, back to the pool", Op.QUEUED),
    ],
)
def test_words_mean(text: str, op: Op) -> None:
    assert meaning(text).op is op


def test_an_attempt_that_was_skipped_says_so_in_its_reason() -> None:
    kind = Kind("events", "attempt", None, None, None, "skipped: locked", "none")
    assert line_of(kind, {}, {}).op is Op.SKIPPED
    assert line_of(kind._replace(reason="locked out"), {}, {}).op is not Op.SKIPPED


# --- what a mechanism is told by


def test_a_job_removed_as_its_endpoint_was_not_found_is_thrown_away_because_of_that() -> None:
    words = ("endpoint not found, job removed", "removed, older than a day")
    named = []
    for word in words:
        gone = make_step(Op.PURGED, 2, word=word, stand=Stand.GONE)
        trace = make_dropped(Why.PURGED, make_step(Op.ACCEPTED, 0), gone)
        named.append(recognise(trace, LogFacts(fields=frozenset(), ops=frozenset())).mechanism)
    assert named == ["D9", "D11"]


@pytest.mark.parametrize(("no", "is_cleared"), [(2, False), (1, True)])
def test_the_answer_of_a_later_attempt_is_the_retry_and_wrote_over_nothing(
    no: int, is_cleared: bool
) -> None:
    first = make_step(Op.FAILED, 3, attempt=1, worker="a")
    plan = make_step(Op.RETRY, 4, due_us=40, worker="a", stand=Stand.WAITING)
    answer = make_step(Op.FAILED, 50, attempt=no, worker="b")
    turns = (make_step(Op.SENT, 1, worker="a"), first, plan, answer)
    assert has_cleared_retry(make_dropped(Why.NO_DEAD_LETTER, *turns)) is is_cleared


def test_who_loads_what_was_configured_is_no_person() -> None:
    assert re.search(MACHINES, "config")
    assert not re.search(MACHINES, "m.ilves")


# --- columns


def test_a_column_of_states_tells_them_rather_than_the_words_among_statuses() -> None:
    rows = [
        {"time": 1_780_000_000 + 9 * n + i, "id": f"m{n:05}", "event": event, "state": state}
        | {"status": status}
        for n in range(120)
        for i, (event, state, status) in enumerate(
            (
                ("create", "pending", None),
                ("response", "processing", "endpoint_inactive" if n % 20 == 0 else "200"),
                ("complete", "succeeded", None),
            )
        )
    ]
    columns = guess(rows).columns
    assert columns["to_state"].path == "state"
    assert columns["status"].path == "status"


@pytest.mark.parametrize("others", [0, 60])
def test_acceptances_beside_rows_of_no_delivery_are_events(others: int) -> None:
    stored = [
        {"time": 1_780_000_000 + n, "job_id": f"j{n:06x}", "msg": "event stored"} for n in range(90)
    ]
    probes = [{"time": 1_780_000_000 + n, "msg": "request completed"} for n in range(others)]
    mapping = guess([*stored, *probes])
    assert (mapping.layout, mapping.columns["op"].path) == ("events", "msg")


def test_how_many_attempts_there_were_may_stand_in_few_rows() -> None:
    rows: list[Row] = []
    for n in range(100):
        about = {"time": 1_780_000_000 + 9 * n, "job_id": f"j{n:06x}"}
        rows += [about | {"msg": "accepted"}, about | {"msg": "attempt failed", "attempt": 1}]
        rows += [about | {"msg": "gave up", "attempts": 1}] if n % 25 == 0 else []
    assert guess(rows).columns["attempt"].others == ("attempts",)
