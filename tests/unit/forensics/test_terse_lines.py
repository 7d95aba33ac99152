"""Terse logs: a level of one letter, a time in seconds, and `op=take try=2/7`; and words that end a
request in one log and a delivery in another."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("duckdb")
pytest.importorskip("ibis")

from homing.forensics.investigation import Findings, investigate
from homing.forensics.judging import Verdict
from homing.forensics.operations import Op
from homing.forensics.options import Options
from homing.forensics.reading.lines import listed_in, logfmt, text_row
from homing.forensics.reading.sentences import is_level, pairs, stamped
from homing.forensics.vocabulary import meaning

COUNT = 300
BEGIN = 1_790_000_000.0


def is_hit(number: int) -> bool:
    return number > COUNT // 3 and number % 12 == 5


HITS = sum(map(is_hit, range(COUNT)))


@pytest.mark.parametrize(
    ("line", "iso"),
    [
        ("I 1790000000.000 op=take msg=a", "1790000000.000"),
        ("WARN 1790000000123 op=take msg=a", "1790000000123"),
        ("1790000000.5 op=take msg=a", "1790000000.5"),
        ("row 1790000000.000 op=take", None),
    ],
)
def test_a_time_in_seconds_may_come_after_the_level(line: str, iso: str | None) -> None:
    stamp = stamped(line)
    assert (stamp.iso if stamp else None) == iso


def test_a_level_is_no_text() -> None:
    for row in (
        logfmt("W 1790000000.000 op=post err=refused"),
        text_row("W 1790000000.0 op=a b=c"),
    ):
        assert row is not None
        assert row["level"] == "W"
        assert "text" not in row
    assert is_level("WARN")
    assert not is_level("take")


def test_which_attempt_it_is_and_of_how_many() -> None:
    assert pairs("op=take try=2/7 path=1/7") == {
        "op": "take",
        "try": "2",
        "max_try": "7",
        "path": "1/7",
    }


@pytest.mark.parametrize(
    ("text", "listed"),
    [('["dlv_103852"]', ["dlv_103852"]), ("[INFO] text", None), ("[1, 2]", [1, 2]), (None, None)],
)
def test_a_list_in_a_column_of_text(text: str | None, listed: list[Any] | None) -> None:
    assert listed_in(text) == listed


def test_a_dead_letter_that_was_driven_again_lives() -> None:
    assert meaning("deadletter.redriven").op is Op.RESUMED
    assert meaning("deadletter.redrive_failed").op is Op.DEAD_FAILED


class Life:
    """The lines of one delivery, as such a service writes them."""

    def __init__(self, draw: random.Random, number: int) -> None:
        self.number, self.draw = number, draw
        self.name = f"01KK{number * 7919 % 10_007:08}MSG"
        self.at = BEGIN + 60 * number + draw.uniform(0, 5)
        self.lines: list[tuple[float, str]] = []
        self.proc = f"wk{number % 4}/{1_000 + number % 4}"

    def say(self, op: str, rest: str = "", after: float = 0.01, level: str = "I") -> None:
        self.at += after
        self.lines.append(
            (self.at, f"{level} {self.at:.3f} op={op} msg={self.name} {rest}".strip())
        )

    def accept(self) -> None:
        self.say("ingest", f"url=https://r{self.number % 5}.test/in user=u{self.number % 30}")
        self.say("feed", after=0.5)

    def take(self, attempt: int = 1, proc: str = "") -> None:
        proc = proc or self.proc
        self.say("pop", f"proc={proc}", level="D")
        self.say("take", f"proc={proc} try={attempt}/7 ttl=25s")

    def post(self, code: int, attempt: int = 1, after: float = 0.2, proc: str = "") -> None:
        told = f"proc={proc or self.proc} try={attempt}/7 code={code} took={after * 1000:.0f}ms"
        self.say("post", told, after=after, level="I" if code < 300 else "W")

    def later(self, attempt: int = 1, wait: float = 30.0, proc: str = "") -> None:
        self.say("later", f"proc={proc or self.proc} try={attempt}/7 in={wait}s")

    def done(self, attempt: int = 1) -> None:
        self.say("done", f"proc={self.proc} try={attempt}/7")

    def lapse(self) -> None:
        self.take()
        self.say("expired", "holder=wk9", after=26, level="W")
        self.say("requeue")

    def deliver(self) -> None:
        self.take()
        attempt = 1
        if self.number % 10 == 7:
            self.post(503)
            self.later()
            self.say("wake", after=30.5)
            attempt = 2
            self.take(2)
        self.post(200, attempt)
        self.done(attempt)


def found(folder: Path, tell: Callable[[Life], None]) -> tuple[Findings, int]:
    draw = random.Random(11)
    lives = [Life(draw, number) for number in range(COUNT)]
    for one in lives:
        one.accept()
        tell(one)
    lines = sorted(line for one in lives for line in one.lines)
    path = folder / "worker.log"
    path.write_text("".join(f"{text}\n" for _, text in lines))
    findings = investigate([str(path)], Options(folder=str(folder)))
    return findings, findings.books.get(Verdict.DROPPED, 0)


def test_a_retry_of_which_nobody_thought(tmp_path: Path) -> None:
    def tell(one: Life) -> None:
        if is_hit(one.number):
            one.take()
            one.say("post", f'proc={one.proc} try=1/7 err="unexpected EOF" took=600ms', 0.6, "W")
            return
        one.deliver()

    findings, dropped = found(tmp_path, tell)
    assert dropped == HITS
    assert findings.hypothesis.mechanism == "D2"


def test_a_clean_up_by_a_late_turn_clears_the_retry(tmp_path: Path) -> None:
    def tell(one: Life) -> None:
        if is_hit(one.number):
            one.lapse()
            one.take(2, "wk8/1008")
            one.post(500, 2, proc="wk8/1008")
            one.later(2, 60.0, "wk8/1008")
            one.post(502, 1, after=5)
            one.say("lost_lease", f"proc={one.proc} try=1/7", level="W")
            one.say("cleanup", f"proc={one.proc} try=1/7 timers=1")
            return
        if one.number % 9 == 4:  # and what expired goes on
            one.lapse()
        one.deliver()

    findings, dropped = found(tmp_path, tell)
    assert dropped == HITS
    assert findings.hypothesis.mechanism == "D6"


def test_an_answer_that_is_ignored_passes_nothing_over(tmp_path: Path) -> None:
    def tell(one: Life) -> None:
        if is_hit(one.number):
            one.take()
            one.say("expired", "holder=wk9", after=26, level="W")
            one.say("fail", 'tries=1/7 why="worker lost"', level="W")
            one.post(504, after=6)
            one.say("ignored", f"proc={one.proc} try=1/7")
            return
        if one.number % 9 == 4:
            one.lapse()
        one.deliver()

    findings, dropped = found(tmp_path, tell)
    assert dropped == HITS
    assert findings.hypothesis.mechanism == "D7"


def test_done_with_for_want_of_a_route_is_thrown_away(tmp_path: Path) -> None:
    def tell(one: Life) -> None:
        if is_hit(one.number):
            one.say("pop", f"proc={one.proc}", level="D")
            one.say("ack", f'proc={one.proc} took=0ms note="no route"')
            return
        one.deliver()

    findings, dropped = found(tmp_path, tell)
    assert dropped == HITS
    assert findings.hypothesis.mechanism == "D9"


def test_what_finished_badly_and_went_on_was_a_request(tmp_path: Path) -> None:
    """`dispatch finished` with 503 ends a request; with the same word and 200 it was delivered."""

    def tell(one: Life) -> None:
        def finish(code: int, attempt: int) -> None:
            told = f"proc={one.proc} try={attempt}/7 code={code}"
            one.say("dispatch_finished", told, 0.2)

        one.take()
        if one.number % 10 == 7 or is_hit(one.number):
            finish(503, 1)
            one.later()
            if is_hit(one.number):
                return
            one.say("wake", after=30.5)
            one.take(2)
        finish(200, 2 if one.number % 10 == 7 else 1)

    findings, dropped = found(tmp_path, tell)
    assert dropped == HITS
    assert findings.hypothesis.shares[0].mechanism == "D1"
