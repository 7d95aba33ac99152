"""What is put off to a later time, by whoever took it up, or given back when its lease ran out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.dropped import make_dropped, make_step

pytest.importorskip("duckdb")
pytest.importorskip("ibis")

from homing.forensics.facts import LogFacts
from homing.forensics.hypothesis import form
from homing.forensics.investigation import Findings, investigate
from homing.forensics.judging import Verdict, Why
from homing.forensics.mechanisms import recognise
from homing.forensics.neighbours import Block, Neighbours
from homing.forensics.operations import Op, Stand
from homing.forensics.options import Options
from homing.forensics.traces import Step

COUNT = 300
BEGIN = 1_790_000_000.0
HOUR_S = 3_600.0
Say = Callable[..., None]
LOG = LogFacts(
    fields=frozenset({"op", "status", "attempt", "worker", "due"}),
    ops=frozenset({Op.ACCEPTED, Op.QUEUED, Op.CLAIMED, Op.LAPSED, Op.FAILED, Op.SUCCEEDED}),
    usual={Op.ACCEPTED: 1.0, Op.QUEUED: 1.0, Op.CLAIMED: 1.0},
    attempts_last=8,
)


def step(act: Op, second: float, **about: object) -> Step:
    return make_step(act, int(1_000_000 * second), **about)


ACCEPTED, QUEUED = step(Op.ACCEPTED, 0), step(Op.QUEUED, 1)


@pytest.mark.parametrize(
    ("act", "due_s", "mechanism"),
    [
        (Op.QUEUED, 60, "D1"),
        (Op.QUEUED, 2, "D4"),
        (Op.QUEUED, None, "D4"),
        (Op.POSTPONED, 60, "D1"),
    ],
)
def test_what_is_queued_for_later_and_never_taken_is_a_retry_that_nobody_made(
    act: Op, due_s: float | None, mechanism: str
) -> None:
    due = None if due_s is None else int(1_000_000 * due_s)
    last = step(act, 3, due_us=due)
    assert recognise(make_dropped(Why.SILENT, ACCEPTED, QUEUED, last), LOG).mechanism == mechanism


@pytest.mark.parametrize(
    ("last", "mechanism"), [(Op.QUEUED, "D1"), (Op.POSTPONED, "D1"), (Op.RETRY, "D9")]
)
def test_what_a_worker_put_off_was_not_left_out_with_its_endpoint(last: Op, mechanism: str) -> None:
    """A retry that falls due while its endpoint is left out is not made for that."""
    steps = [ACCEPTED, step(Op.CLAIMED, 1, attempt=1, worker="a")]
    if last is Op.RETRY:
        steps.append(step(Op.FAILED, 2, attempt=1, worker="a", result=-1, status=503))
    steps.append(step(last, 3, attempt=1, worker="a", due_us=60_000_000))
    lost = [make_dropped(Why.SILENT, *steps, name=f"d-{n}") for n in range(20)]
    blocks = (Block("ep_1", 50_000_000, 90_000_000, 1),)
    near = Neighbours(own=1.0, others=0.0, blocks=blocks)
    found = form(lost, [], [], LOG, busiest_share=0.1, near=near)
    assert [share.mechanism for share in found.shares] == [mechanism]


def test_what_another_worker_looked_at_after_its_lease_ran_out_may_have_been_passed_over() -> None:
    taken = step(Op.CLAIMED, 1, attempt=1, worker="a")
    back = step(Op.LAPSED, 30, attempt=1, worker="reaper", stand=Stand.WAITING)

    def match(lapse: Step, *who: str | None) -> tuple[str, tuple[str, ...]]:
        looks = [step(Op.UNKNOWN, 31, worker=one, word="peeked") for one in who]
        found = recognise(make_dropped(Why.SILENT, ACCEPTED, taken, lapse, *looks), LOG)
        return found.mechanism, found.twins

    assert match(back, "b") == ("D8", ("D7",))
    for who in ("a", "reaper", None):
        assert match(back, who) == ("D7", ())
    assert match(back) == ("D7", ())
    assert match(back._replace(stand=Stand.NONE), "b") == ("D7", ())


def is_hit(number: int) -> bool:
    return number > COUNT // 3 and number % 15 == 5 and number < COUNT - 15


def found_in(folder: Path, tell: Callable[[int, Say], None]) -> Findings:
    rows: list[dict[str, Any]] = []
    for number in range(COUNT):

        def say(event: str, second: float, number: int = number, **told: Any) -> None:
            name = f"dlv_{number * 7919 % 10_007:05}"
            rows.append(
                {"ts": BEGIN + 60 * number + second, "event": event, "delivery_id": name} | told
            )

        tell(number, say)
    rows.sort(key=lambda row: float(row["ts"]))
    path = folder / "log.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return investigate([str(path)], Options(folder=str(folder)))


def test_how_long_what_was_put_off_waited_is_no_measure_of_the_others(tmp_path: Path) -> None:
    """A few are to be sent two hours later; what was lost since then is lost all the same."""

    def tell(number: int, say: Say) -> None:
        say("accepted", 0)
        is_later = number % 50 == 1 and number < COUNT // 2
        at = 2 * HOUR_S if is_later else 0.0
        due = {"next_attempt_at": BEGIN + 60 * number + at} if is_later else {}
        say("queued", 0.2, **due)
        if not is_hit(number):
            who = {"attempt": 1, "worker": f"w-{number % 3}"}
            say("claimed", at + 1, **who)
            say("response", at + 1.5, status=200, **who)

    assert found_in(tmp_path, tell).books[Verdict.DROPPED] == sum(map(is_hit, range(COUNT)))
