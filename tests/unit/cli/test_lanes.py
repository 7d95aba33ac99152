"""The lanes of a delivery fit the screen, and say of each row who did it."""

from __future__ import annotations

from typing import Any

import pytest
from support.dropped import make_dropped, make_step

from homing.cli.lanes import lanes_text
from homing.forensics.judging import Why
from homing.forensics.lanes import lane_rows
from homing.forensics.operations import Op

TOLD = (
    ("", "accepted", "pending", False),
    ("A", "claimed · attempt 1", "processing", True),
    ("B", "claimed · attempt 2", "processing", True),
    ("B", "succeeded · attempt 2 · status 200", "delivered", False),
    ("A", "failed · attempt 1 · after 30 s · timeout", "pending", True),
)


def row(at: int, lane: str, what: str, state: str, is_crossing: bool) -> dict[str, Any]:
    told = {"after_s": at * 10.0, "lane": lane, "what": what, "state": state, "line": 96_164 + at}
    return {**told, "epoch": "", "is_crossing": is_crossing}


ROWS = [row(at, *one) for at, one in enumerate(TOLD)]


@pytest.mark.parametrize("width", [80, 120, 160])
def test_every_row_fits_the_screen_and_is_told_whole(width: int) -> None:
    head, *lines = (line.plain for line in lanes_text(ROWS, width))
    assert max(map(len, (head, *lines))) <= width
    assert "status 200" in lines[3]
    assert "96167" in lines[3]
    assert [line[0] == "▶" for line in lines] == [one[3] for one in TOLD]


def test_where_there_is_room_each_worker_has_a_column_and_who_only_accepted_is_none() -> None:
    head, accepted, first, second, *_ = (line.plain for line in lanes_text(ROWS, 160))
    columns = [head.index(name) for name in ("worker A", "worker B", "others")]
    assert [line.index(what) for line, what in ((first, "claimed"), (second, "claimed"))] == (
        columns[:2]
    )
    assert accepted.index("accepted") == columns[2]


def test_where_there_is_none_the_letter_stands_before_what_was_done() -> None:
    lines = [line.plain for line in lanes_text(ROWS, 80)]
    assert "A claimed #1" in lines[2]
    assert "B claimed #2" in lines[3]
    assert lines[2].index("A ") < lines[3].index("B ")


def test_the_rows_of_a_fourth_worker_are_not_given_to_the_first() -> None:
    rows = [*ROWS, row(5, "C", "claimed", "x", False), row(6, "D", "claimed", "x", False)]
    head, *lines = (line.plain for line in lanes_text(rows, 200))
    assert lines[-1].index("D claimed") == head.index("others")


def test_a_log_that_names_no_worker_has_one_column() -> None:
    rows = [row(0, "", "accepted", "", False), row(1, "", "failed · status 500", "", False)]
    head, *_ = (line.plain for line in lanes_text(rows, 80))
    assert "log" in head
    assert "worker" not in head


def test_how_a_row_of_a_table_came_out_stands_at_its_last_time_and_not_where_it_began() -> None:
    told = {"line": 7, "state": "failed", "reason": "read timeout", "total_us": 30_000_000}
    begun, ended = make_step(Op.SENT, 1, **told), make_step(Op.FAILED, 30, **told)
    first, last = lane_rows(make_dropped(Why.SILENT, begun, ended))
    assert (first.what, first.state, first.line) == ("sent", "leased", 7)
    assert (last.what, last.state) == ("failed · after 30 s · read timeout", "failed")
