"""Lines as services write them: two objects behind a sentence, a logger before it, letters."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("duckdb")
pytest.importorskip("ibis")

from homing.forensics.habits import Kind
from homing.forensics.investigation import Findings, investigate
from homing.forensics.judging import Verdict
from homing.forensics.operations import Op
from homing.forensics.options import Options
from homing.forensics.reading.columns import look, varies_within
from homing.forensics.reading.guessing import guess
from homing.forensics.reading.lines import flat, text_row
from homing.forensics.reading.sentences import sentence
from homing.forensics.vocabulary import meaning
from homing.forensics.words import line_of

COUNT = 300
LOST = range(12, COUNT - 40, 16)


# --- sentences


def test_two_objects_behind_a_sentence_are_what_it_is_about_and_who_wrote_it() -> None:
    stamp = "[2026-05-28T10:03:30.516437+01:00] webhook.INFO: "
    row = text_row(stamp + 'Attempt failed {"delivery":"d-1","status":429} {"pid":7,"status":1}')
    assert row is not None
    assert {name: row[name] for name in ("text", "delivery", "status", "pid")} == {
        "text": "Attempt failed",
        "delivery": "d-1",
        "status": 429,  # of two that are called the same, what it is about
        "pid": 7,
    }
    for behind in (' [] {"pid":7}', ' {"pid":7} []'):
        row = text_row(f"{stamp}Queue is empty{behind}")
        assert row is not None
        assert (row["text"], row["pid"]) == ("Queue is empty", 7)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (
            "ERROR shop.dlq Insert for delivery 17bb6ff8 failed: value too long",
            {"delivery": "17bb6ff8", "logger": "shop.dlq"},
        ),
        (
            "INFO shop.worker Delivery 0303b3e4: endpoint 310 is not active, skipping",
            {"delivery": "0303b3e4", "text": "endpoint is not active, skipping"},
        ),
        (
            "INFO shop.api Accepted order.paid (event 2170, 257 bytes) as delivery cbefcdaf",
            {"delivery": "cbefcdaf"},
        ),
        ("INFO order.paid was sent for delivery 0303b3e4", {"event_type": "order.paid"}),
    ],
)
def test_a_sentence(line: str, told: dict[str, str]) -> None:
    found = sentence(line)
    assert {name: found.get(name) for name in told} == told


def test_a_logger_of_dead_letters_says_what_failed() -> None:
    text = sentence("ERROR shop.dlq Insert for delivery 17bb6ff8 failed: value too long")["text"]
    assert meaning(text).op is Op.DEAD_FAILED


@pytest.mark.parametrize(
    ("text", "op"),
    [
        ("Got delivery from queue", Op.CLAIMED),
        ("Delivery is due but has no row, ignoring", Op.PURGED),
        ("payload not found", Op.PURGED),
        ("unconfirmed", Op.SENT),
        ("awaiting_receipt", Op.SENT),
        ("confirmed", Op.SUCCEEDED),
        ("incomplete", Op.NOTED),
        ("not_confirmed", Op.NOTED),
        ("turn overdue", Op.LAPSED),
        ("of delivery had lost its lease, saving row and releasing it", Op.WRITTEN),
    ],
)
def test_words(text: str, op: Op) -> None:
    assert meaning(text).op is op


def test_a_turn_that_ended_for_want_of_a_payload_ended_in_a_deletion() -> None:
    kind = Kind("events", "turn ended", None, "closed", None, "payload not found", "")
    assert line_of(kind, {}, {}).op is Op.PURGED


def test_what_was_taken_for_later_and_then_refused_failed() -> None:
    kind = Kind("attempts", None, None, "refused", "accepted", None, "ok")
    assert line_of(kind, {}, {}).result == -1
    assert line_of(kind._replace(to_state="confirmed"), {}, {}).result == 1


# --- states, their answers in a remark, and a renewal that came late


def found_in(folder: Path, kind: str) -> Findings:
    """A history of states with a remark; the lost are called confirmed after a 401, or put back
    in progress after their retry was planned."""
    rows = ["row_no,webhook_no,state,attempt_no,written_by,written_at,not_before,remark"]

    def say(number: int, at: float, state: str, no: int | str, by: str, *more: str) -> None:
        whole = (1_780_000_000 + 60 * number + at) * 1.0
        rest = ",".join([*more, "", ""][:2])
        rows.append(f"{len(rows)},WH-{number:05},{state},{no},{by},{whole},{rest}")

    for number in range(COUNT):
        say(number, 0, "NEW", "", "api")
        no = 1
        if number % 7 == 3 or (number in LOST and kind == "late"):
            for at, state, by in (
                (1, "QUEUED", "relay"),
                (2, "RESERVED", "w1"),
                (3, "SENDING", "w1"),
            ):
                say(number, at, state, no, by)
            due = str(1_780_000_000 + 60 * number + 64.0)
            say(number, 4, "RETRY_WAIT", no, "w1", due, "HTTP 503")
            no = 2
        if number in LOST and kind == "late":
            say(number, 5, "SENDING", 1, "w1", "", "claim prolonged")
            continue
        begun = 70 if no == 2 else 1
        for at, state, by in ((0, "QUEUED", "relay"), (1, "RESERVED", "w2"), (2, "SENDING", "w2")):
            say(number, begun + at, state, no, by)
        is_bad = number in LOST and kind == "unanswered"
        remark = "HTTP 401" if is_bad else "HTTP 200"
        say(number, begun + 3, "CONFIRMED", no, "w2", "", remark)
    path = folder / "history.csv"
    path.write_text("\n".join(rows) + "\n")
    return investigate([str(path)], Options(folder=str(folder)))


def test_a_remark_tells_what_a_receiver_answered(tmp_path: Path) -> None:
    findings = found_in(tmp_path, "unanswered")
    assert (findings.dropped, findings.hypothesis.mechanism) == (len(LOST), "D5")


def test_a_renewal_that_came_late_wrote_the_plan_over(tmp_path: Path) -> None:
    findings = found_in(tmp_path, "late")
    assert (findings.dropped, findings.hypothesis.mechanism) == (len(LOST), "D6")


def test_a_history_without_either_is_clean(tmp_path: Path) -> None:
    assert found_in(tmp_path, "").books == {Verdict.DELIVERED: COUNT}


# --- which column is a state, and which its beginning


def test_states_before_are_found_by_what_they_lead_to() -> None:
    states = ("LANDED", "ON_RACK", "IN_HAND", "SIGNED")
    rows = [
        {
            "ref": f"PX{n:05}",
            "was": before,
            "now": now,
            "hand": f"h{n % 3}",
            "at": 1_780_000_000 + n,
        }
        for n in range(COUNT)
        for before, now in zip((None, *states), states, strict=False)
    ]
    columns = guess([flat(row) for row in rows]).columns
    assert (columns["from_state"].path, columns["to_state"].path) == ("was", "now")
    assert "op" not in columns


def test_when_a_state_began_is_when_its_row_was_changed() -> None:
    rows = [
        {
            "delivery_id": n,
            "created_at": f"2026-05-28T10:00:{n % 60:02}Z",
            "state": ("delivered", "failed")[n % 9 == 0],
            "state_since": f"2026-05-28T11:00:{n % 60:02}Z",
        }
        for n in range(100, 400)
    ]
    assert guess([flat(row) for row in rows]).columns["changed_at"].path == "state_since"


def test_a_column_varies_only_where_it_is_filled() -> None:
    rows = [
        {"d": "a", "x": 1},
        {"d": "a", "x": 2},
        {"d": "b", "x": 1},
        {"d": "b", "x": 1},
        {"d": "c", "x": None},
        {"x": 5},
        {"x": 6},
    ]
    assert look([flat(row) for row in rows])["x"].filled == 6
    assert varies_within([flat(row) for row in rows], ["d"], "x") == 0.5
