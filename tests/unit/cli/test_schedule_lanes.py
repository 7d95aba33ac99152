"""The schedule of an explored worker fits a screen, and says beside each call what it changed."""

from __future__ import annotations

import pytest

from homing.cli.schedule_lanes import calls, schedule_lines
from homing.sim.story import Row
from homing.sim.workers.story import Story
from homing.sim.workers.watch import Breach

_HELD = "attempts=1 due_at=None holder=A lease_until=t+10.0"
_BACK = "attempts=2 due_at=t+68.1 holder=None lease_until=None"


def row(
    at_s: float, lane: int, what: str, state: str, fields: str, *, crossing: bool = False
) -> Row:
    cells = tuple(what if place == lane else "" for place in range(3))
    return Row(at_s=at_s, cells=cells, state=state, version=fields, is_crossing=crossing)


STORY = Story(
    worker="retries.py:Worker",
    verdict="",
    lanes=("worker A", "worker B", "others"),
    rows=(
        row(0.0, 2, "d1 is accepted", "pending", "attempts=0 due_at=t+0.0"),
        row(0.0, 2, "… 3 more", "", ""),
        row(0.1, 0, "sends d1, attempt 1: 500 will take 12 s", "processing", _HELD),
        row(10.0, 1, "find: d1", "processing", _HELD),
        row(10.1, 1, "put d1: state=pending due_at=t+68.1", "pending", _BACK, crossing=True),
        row(12.0, 0, "sees 500", "pending", _BACK, crossing=True),
        row(230.6, 2, "faults have stopped; a fresh worker starts", "pending", _BACK),
    ),
    breach=Breach(invariant="nothing_is_lost", delivery="d1", text="", before="", after=""),
    mishaps=(),
    token="",
    size=1,
    workers=2,
    deliveries=1,
    runs=1,
    shrink_runs=1,
    shrinks=1,
    reproduced=5,
)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_line_is_wider_than_the_screen_and_nothing_is_cut(width: int) -> None:
    lines = [line.plain.rstrip() for line in schedule_lines(STORY, width)]
    assert max(map(len, lines)) <= width
    words = " ".join(" ".join(lines).split())
    for word in ("accepted", "500", "12", "put", "due_at=t+68.1", "faults", "starts"):
        assert word in words, word


def test_a_row_says_what_it_changed_and_what_is_left_out_is_marked() -> None:
    head, accepted, sends, put, sees, calm = (x.plain for x in schedule_lines(STORY, 240))
    assert [line[0] for line in (accepted, sends, put, sees, calm)] == [" ", "⋮", "▶", "▶", " "]
    assert sends.index("sends") == head.index("worker A")
    assert put.index("put d1") == head.index("worker B")
    assert put.rstrip().endswith("pending attempts=2 due_at=t+68.1 holder=None lease_until=None")
    assert sees.rstrip().endswith("sees 500"), "the row is as it was"


def test_a_verdict_names_calls_without_their_fields() -> None:
    told = "“B put d1: state=pending due_at=t+1.0” and “A sees 500” crossed: d1 stays"
    assert calls(told) == "“B put d1” and “A sees 500” crossed: d1 stays"
    refused = "A put_if d1 refused: holder is None, expected A"
    assert calls(refused) == refused
