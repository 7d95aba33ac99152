"""Turns that end with nothing tried, what a receiver says later, and what is no end yet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.dropped import make_dropped, make_step
from support.whole_log import books, found

from homing.forensics.facts import LogFacts
from homing.forensics.habits import Kind
from homing.forensics.judging import Verdict, Why
from homing.forensics.mechanisms import recognise
from homing.forensics.operations import Op, Stand
from homing.forensics.reading.sentences import sentence
from homing.forensics.vocabulary import awaits_callback, meaning
from homing.forensics.words import line_of

Row = dict[str, Any]
COUNT = 240
LOST = frozenset(range(10, 200, 20))
_SECOND_US = 1_000_000


# --- turns that are done at once


def idle(*, word: str, turns: int, sends: bool) -> str:
    """The mechanism of a delivery whose last turn is called done, with no answer; those before it
    ended with their leases."""
    steps = [make_step(Op.ACCEPTED, 0), make_step(Op.QUEUED, 1)]
    for no in range(1, turns + 1):
        at = no * 60 * _SECOND_US
        if no > 1:
            steps += [make_step(Op.LAPSED, at - 2), make_step(Op.QUEUED, at - 1, attempt=no)]
        steps += [make_step(Op.CLAIMED, at, worker=f"w{no}")]
        steps += [make_step(Op.SENT, at + 1, attempt=no, worker=f"w{no}")] if sends else []
    done = make_step(Op.NOTED, at + 900, attempt=turns, word=word, worker=f"w{turns}")
    ops = frozenset({Op.ACCEPTED, Op.QUEUED, Op.CLAIMED, Op.LAPSED, *([Op.SENT] if sends else [])})
    facts = LogFacts(fields=frozenset({"status", "reason"}), ops=ops)
    return recognise(make_dropped(Why.SILENT, *steps, done), facts).mechanism


@pytest.mark.parametrize("word", ["Job completed", "finished", "close"])
@pytest.mark.parametrize("sends", [False, True])
def test_a_later_turn_that_is_done_and_shows_no_request_found_the_mark_of_the_first(
    word: str, sends: bool
) -> None:
    assert idle(word=word, turns=2, sends=sends) == "D8"


def test_a_first_turn_that_is_done_at_once_lost_what_it_took() -> None:
    assert idle(word="Job completed", turns=1, sends=False) == "D4"


def test_a_turn_that_ended_with_an_error_that_nobody_caught_may_have_left_its_mark() -> None:
    assert idle(word="Unhandled rejection in response", turns=1, sends=False) == "D2"


def test_a_word_that_is_no_end_of_a_turn_is_none() -> None:
    assert idle(word="slot free", turns=2, sends=False) != "D8"


# --- what changes no state says by its reason what happened


@pytest.mark.parametrize(
    ("old", "new", "reason", "op"),
    [
        ("reserved", "reserved", "already being sent, message acknowledged", Op.SKIPPED),
        ("reserved", "attempting", "claim", Op.SENT),
        ("queued", "reserved", "prefetch", Op.CLAIMED),
        ("attempting", "attempting", "heartbeat", Op.WRITTEN),
    ],
)
def test_a_change_of_state_within_a_turn(old: str, new: str, reason: str, op: Op) -> None:
    assert line_of(Kind("events", None, old, new, None, reason, "none"), {}, {}).op is op


def test_an_answer_after_which_a_callback_is_waited_for_is_no_success_yet() -> None:
    kind = Kind("events", None, "attempting", "awaiting_callback", None, "http 202", "ok")
    assert line_of(kind, {}, {}).result == 0
    assert line_of(kind._replace(to_state="answered"), {}, {}).result == 1
    assert awaits_callback("pending_confirmation")
    assert not awaits_callback("waiting")


def called_back(*, is_refused: bool) -> list[Row]:
    """Changes of state; receivers take events, and tell later what they made of them. Some tell
    first that they are at it, which is called delivered, and then that they refuse it, or are done.
    """
    rows: list[Row] = []
    for n in range(COUNT):
        about = {"delivery": f"d{n:05}", "endpoint": f"ep_{n % 7}"}
        by = {"actor": f"worker-{n % 3}"}
        second = "status=rejected" if is_refused else "status=completed"
        told: list[tuple[float, str | None, str, str, Row]] = [
            (0, None, "accepted", "request", {"actor": "api"}),
            (1, "accepted", "queued", "enqueue", {"actor": "api"}),
            (2, "queued", "reserved", "prefetch", by),
            (3, "reserved", "attempting", "claim", by | {"attempt": 1}),
        ]
        if n % 3 == 1:  # these are tried twice
            told.append((4, "attempting", "answered", "http 503", by | {"attempt": 1}))
            told.append((4, "answered", "retry_scheduled", "backoff", by | {"attempt": 1}))
            told.append((20, "retry_scheduled", "queued", "due", {"actor": "retry"}))
            told.append((21, "queued", "reserved", "prefetch", by))
            told.append((22, "reserved", "attempting", "claim", by | {"attempt": 2}))
        if n % 3:
            no = {"attempt": n % 3 % 2 + 1}
            told.append((23, "attempting", "answered", "http 200", by | no))
            told.append((23, "answered", "delivered", "http 200", by))
        else:
            told.append((4, "attempting", "awaiting_callback", "http 202", by | {"attempt": 1}))
            is_early = n in LOST
            why = "status=processing" if is_early else "status=completed"
            back = {"actor": "callback", "attempt": 1}
            told.append((9, "awaiting_callback", "delivered", why, back))
            if is_early:
                told.append((30, "delivered", "delivered", second, {"actor": "callback"}))
        rows += [
            about | {"time": 60.0 * n + after, "from": old, "to": new, "reason": why} | more
            for after, old, new, why, more in told
        ]
    return rows


@pytest.mark.parametrize("is_refused", [True, False])
def test_what_a_receiver_refuses_after_it_was_called_delivered_was_not(
    tmp_path: Path, is_refused: bool
) -> None:
    findings = found(tmp_path, called_back(is_refused=is_refused))
    want = sum(n % 3 == 0 for n in LOST) if is_refused else 0
    assert books(findings).get(Verdict.DROPPED, 0) == want
    if want:
        assert findings.hypothesis is not None
        assert findings.hypothesis.mechanism == "D5"


# --- what is no end yet


def repeated(*, failed: int) -> list[Row]:
    """Deliveries of which one failed, and its event is brought again before the next attempt."""
    rows: list[Row] = []
    for n in range(COUNT):
        at, about = 60.0 * n, {"delivery": f"d{n:05}", "endpoint": n % 7}
        fails = n == failed
        answer = {"event": "failed" if fails else "succeeded", "status": 503 if fails else 200}
        rows.append(about | {"time": at, "event": "accepted"})
        rows.append(about | {"time": at + 1, "event": "attempt started", "attempt": 1})
        rows.append(about | {"time": at + 2, "attempt": 1} | answer)
        if fails or n % 20 == 0:
            known = {"event": "idempotency key already seen, returning existing message"}
            due = {"event": "will retry", "next_attempt_at": at + 900}
            rows += [about | {"time": at + 3} | due] if fails else []
            rows.append(about | {"time": at + (20 if fails else 0.5)} | known)
    return rows


@pytest.mark.parametrize(("failed", "dropped"), [(COUNT - 1, 0), (100, 1)])
def test_a_duplicate_leaves_what_waits_for_its_time(
    tmp_path: Path, failed: int, dropped: int
) -> None:
    findings = found(tmp_path, repeated(failed=failed))
    assert books(findings).get(Verdict.DROPPED, 0) == dropped


def thrown_away() -> list[Row]:
    """Deliveries that workers have, of which some fall silent; one is thrown away hours later."""
    rows: list[Row] = []
    for n in range(COUNT):
        at, about = 200.0 * n, {"delivery": f"d{n:05}", "endpoint": n % 7, "worker": f"w{n % 3}"}
        rows.append(about | {"time": at, "event": "accepted"})
        rows.append(about | {"time": at + 1, "event": "claimed", "attempt": 1})
        if n == 5:
            why = {"event": "discarded", "reason": "endpoint disabled", "actor": "m.ilves"}
            rows.append(about | {"time": at + 24_000} | why)
        elif n not in LOST:
            rows.append(about | {"time": at + 2, "event": "succeeded", "status": 200, "attempt": 1})
    return rows


def test_how_long_a_person_waited_before_throwing_it_away_is_no_sign_either(tmp_path: Path) -> None:
    findings = found(tmp_path, thrown_away())
    assert books(findings)[Verdict.DROPPED] == len(LOST)


def used_up(*, letters: int) -> list[Row]:
    """Deliveries of which some use up two attempts; of the others `letters` are put away."""
    rows: list[Row] = []
    refused = sorted(set(range(5, COUNT, 30)) - LOST)[:letters]
    for n in range(COUNT):
        at, about = 300.0 * n, {"delivery": f"d{n:05}", "endpoint": n % 7, "worker": f"w{n % 3}"}
        code = 503 if n in LOST else 410 if n in refused else 200
        word = "succeeded" if code == 200 else "failed"
        rows.append(about | {"time": at, "event": "accepted"})
        for no in (1, 2) if n in LOST else (1,):
            rows.append(about | {"time": at + 9 * no, "event": "attempt started", "attempt": no})
            answer = {"event": word, "attempt": no, "status": code}
            rows.append(about | {"time": at + 9 * no + 1} | answer)
        if n in LOST:
            rows.append(about | {"time": at + 20, "event": "attempts exhausted", "attempt": 2})
        if n in refused:
            rows.append(about | {"time": at + 11, "event": "dead lettered", "attempt": 1})
    return rows


@pytest.mark.parametrize(("letters", "dropped"), [(0, 0), (1, 0), (2, len(LOST)), (4, len(LOST))])
def test_where_others_have_dead_letters_all_that_is_used_up_without_one_is_lost(
    tmp_path: Path, letters: int, dropped: int
) -> None:
    findings = found(tmp_path, used_up(letters=letters))
    assert books(findings).get(Verdict.DROPPED, 0) == dropped
    if dropped:
        assert findings.hypothesis is not None
        assert findings.hypothesis.mechanism == "D10"


def told_of_letters(*, in_words: bool) -> list[Row]:
    """Deliveries that use up two attempts; of most dead letters a line tells, by its words or
    by the queue that it was sent to."""
    rows: list[Row] = []
    ended = sorted({*LOST, *range(4, COUNT, 8)})
    for n in range(COUNT):
        at, about = 300.0 * n, {"delivery": f"d{n:05}", "endpoint": n % 7, "worker": f"w{n % 3}"}
        rows.append(about | {"time": at, "event": "accepted"})
        rows.append(about | {"time": at + 1, "event": "sent to queue", "queue": "hooks"})
        for no in (1, 2) if n in ended else (1,):
            code = 503 if n in ended else 200
            answer = {"event": "failed" if n in ended else "succeeded", "attempt": no}
            rows.append(about | {"time": at + 9 * no, "event": "attempt started", "attempt": no})
            rows.append(about | {"time": at + 9 * no + 1, "status": code} | answer)
        if n in ended:
            told = "" if n in LOST or not in_words else ", moved to dead letters"
            word = "gave up after two attempts" if in_words else "attempts exhausted"
            rows.append(about | {"time": at + 20, "event": f"{word}{told}"})
        if n in ended and not in_words and n not in LOST:
            rows.append(about | {"time": at + 20.1, "event": "sent to queue", "queue": "hooks-dlq"})
    return rows


@pytest.mark.parametrize("in_words", [True, False])
def test_what_is_told_of_the_dead_letters_of_most_is_missed_of_the_others(
    tmp_path: Path, in_words: bool
) -> None:
    findings = found(tmp_path, told_of_letters(in_words=in_words))
    assert books(findings)[Verdict.DROPPED] == len(LOST)
    assert findings.hypothesis is not None
    assert findings.hypothesis.mechanism == "D10"


# --- words


@pytest.mark.parametrize(
    ("text", "op", "stand"),
    [
        ("POST /v1/events accepted", Op.ACCEPTED, Stand.WAITING),
        ("recovered unacknowledged job from a dead process", Op.RELEASED, Stand.WAITING),
        ("lease over, pushing again", Op.LAPSED, Stand.NONE),
        ("Lease of ran out in attempt, set to FAILED", Op.LAPSED, Stand.FAILED),
        ("Planned attempt for", Op.RETRY, Stand.WAITING),
        ("attempt planned for", Op.SENT, Stand.LEASED),
        ("Closing of planned wake-up removed", Op.WRITTEN, Stand.NONE),
        ("closed, timers cleared", Op.WRITTEN, Stand.NONE),
    ],
)
def test_words_mean(text: str, op: Op, stand: Stand) -> None:
    assert (meaning(text).op, meaning(text).stand) == (op, stand)


def test_the_type_of_an_event_behind_a_name_is_no_word() -> None:
    uuid = "0b6e2f0e-5d0c-4a53-9f7e-9a37f3f1c0de"
    row = sentence(f"Accepted delivery {uuid} (PaymentFailed) for subscription sub-1")
    assert row["event_type"] == "PaymentFailed"
    assert meaning(row["text"]).op is Op.ACCEPTED
    assert "event_type" not in sentence(f"Attempt of {uuid} (HttpTimeout) failed")
