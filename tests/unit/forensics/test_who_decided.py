"""Who ended a delivery: a person, or a machine that nobody told to; and what is said of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("duckdb")
pytest.importorskip("ibis")

from homing.forensics.document import document
from homing.forensics.endings import Ending, unsigned_told
from homing.forensics.habits import Kind
from homing.forensics.investigation import Findings, investigate
from homing.forensics.judging import Verdict
from homing.forensics.operations import Op
from homing.forensics.options import Options
from homing.forensics.telling import endings_told
from homing.forensics.vocabulary import meaning
from homing.forensics.words import line_of

COUNT = 400
BEGIN_S = 1_780_000_000
LOST = range(9, COUNT - 60, 24)
Say = Callable[..., None]


def found_in(folder: Path, *, by: str = "", ended: str = "", late: bool = False) -> Findings:
    """A log in which each delivery goes well, but the lost ones.

    Args:
        by: who switches the endpoint of the lost ones off.
        ended: the word by which these end.
        late: a person ends them, while a request of theirs is on its way.
    """
    rows: list[dict[str, Any]] = []

    def say(at: float, event: str, **more: Any) -> None:
        rows.append({"at": BEGIN_S + at, "event": event, **more})

    for number in range(COUNT):
        at, is_lost = 60.0 * number, number in LOST
        told = {"delivery_id": f"dlv-{number:05}", "endpoint": "shop" if is_lost else "bank"}
        if is_lost and by:
            say(at, "endpoint_paused", endpoint="shop", by=by)
        say(at + 1, "delivery_created", **told)
        say(at + 2, "delivery_queued", **told)
        say(at + 3, "delivery_claimed", worker="w1", **told)
        if is_lost and ended:
            say(at + 4, ended, worker="w1", reason="endpoint_paused", **told)
        elif is_lost and late:
            say(at + 4, "request_sent", worker="w1", attempt=1, **told)
            say(at + 5, "delivery_cancelled", by="ana.diaz", **told)
            say(at + 9, "request_failed", worker="w1", attempt=1, error="read timeout", **told)
            say(
                at + 9,
                "retry_scheduled",
                worker="w1",
                attempt=1,
                retry_at=BEGIN_S + at + 20,
                **told,
            )
        else:
            say(at + 4, "request_sent", worker="w1", attempt=1, **told)
            say(at + 5, "request_answered", worker="w1", attempt=1, status=200, **told)
            say(at + 6, "delivery_succeeded", **told)
        if is_lost and by:
            say(at + 30, "endpoint_resumed", endpoint="shop", by=by)
    path = folder / "log.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return investigate([str(path)], Options(folder=str(folder)))


@pytest.mark.parametrize("by", ["breaker", "health-monitor", "auto-suspend", "circuit"])
def test_what_a_machine_switched_off_nobody_decided(tmp_path: Path, by: str) -> None:
    findings = found_in(tmp_path, by=by, ended="delivery_skipped")
    assert (findings.dropped, findings.hypothesis.mechanism) == (len(LOST), "D9")


def test_what_a_person_switched_off_is_ended_on_purpose(tmp_path: Path) -> None:
    findings = found_in(tmp_path, by="ana.diaz", ended="delivery_skipped")
    assert (findings.dropped, findings.books[Verdict.CANCELLED]) == (0, len(LOST))


def test_a_request_on_its_way_does_not_bring_back_what_a_person_ended(tmp_path: Path) -> None:
    findings = found_in(tmp_path, late=True)
    assert (findings.dropped, findings.books[Verdict.CANCELLED]) == (0, len(LOST))


def test_what_never_names_anybody_is_nobodys_where_the_rest_is_signed(tmp_path: Path) -> None:
    assert meaning("voided").op is Op.CANCELLED
    findings = found_in(tmp_path, ended="voided")
    assert findings.dropped == 0  # nothing in the log is signed but what came through
    signed = tmp_path / "signed"
    signed.mkdir()
    (signed / "log.jsonl").write_text(
        (tmp_path / "log.jsonl").read_text()
        + "".join(
            json.dumps(row) + "\n"
            for number in (5, 6, 7, 8, 10, 11)
            for row in (
                {"at": BEGIN_S - 99, "event": "delivery_created", "delivery_id": f"old-{number}"},
                {
                    "at": BEGIN_S - 98,
                    "event": "delivery_withdrawn",
                    "delivery_id": f"old-{number}",
                    "by": "ana.diaz",
                },
            )
        )
    )
    findings = investigate([str(signed / "log.jsonl")], Options(folder=str(signed)))
    assert findings.dropped == len(LOST)
    assert findings.books[Verdict.CANCELLED] == 6


def test_the_books_say_by_which_line_deliveries_ended(tmp_path: Path) -> None:
    told = document(found_in(tmp_path, ended="voided"))
    (one,) = [one for one in told["ended"] if one["word"] == "voided"]
    assert one == {
        "verdict": "cancelled",
        "word": "voided",
        "by": None,
        "reason": "endpoint_paused",
        "deliveries": len(LOST),
    }
    assert endings_told(told) == [f"cancelled: {len(LOST)} voided (endpoint_paused)"]
    (doubt,) = [text for text in told["cannot_tell"] if "'voided'" in text]
    assert f"{len(LOST)} deliveries" in doubt
    assert "if nobody did, they were dropped" in doubt
    assert endings_told({**told, "ended": []}) == []
    del told["ended"]  # as in documents that were saved before
    assert endings_told(told) == []


def test_what_somebody_signed_is_not_asked_about() -> None:
    ending = Ending(Verdict.CANCELLED, "withdrawn", None, None, 7)
    assert len(unsigned_told([ending])) == 1
    assert unsigned_told([ending._replace(by="ana.diaz")]) == []
    assert unsigned_told([ending._replace(reason="asked for by ana")]) == []
    assert unsigned_told([ending._replace(verdict=Verdict.DEAD)]) == []


def test_more_kinds_of_endings_than_are_told_are_counted_together() -> None:
    ended = [
        {"verdict": "dead", "word": f"w{n}", "by": None, "reason": None, "deliveries": 9 - n}
        for n in range(5)
    ]
    assert endings_told({"ended": ended}) == ["dead: 9 w0; 8 w1; 7 w2; 11 otherwise"]


@pytest.mark.parametrize(
    ("who", "op"), [("maria", Op.CANCELLED), ("breaker", Op.DISCARDED), ("the cron", Op.DISCARDED)]
)
def test_a_reason_tells_a_person_from_a_machine(who: str, op: Op) -> None:
    kind = Kind("events", "discarded", None, None, None, f"endpoint disabled by {who}", "")
    assert line_of(kind, {}, {}).op is op
