"""What the report of an investigation says, so that nobody needs a table of codes beside it."""

from __future__ import annotations

import pytest
from rich.text import Text

pytest.importorskip("ibis")

from homing.cli.investigate_report import _explained, _why
from homing.forensics.catalogue import MECHANISMS

D3, D4 = MECHANISMS["D3"].name, MECHANISMS["D4"].name


def told(*lines: str) -> list[str]:
    return [line.plain for line in _explained([Text(line) for line in lines])]


def test_a_mechanism_is_named_where_its_code_is_said_first_and_not_again() -> None:
    assert told("either D3 or D4", "D4 it is") == [f"either D3 ({D3}) or D4 ({D4})", "D4 it is"]


def test_one_that_is_named_already_is_not_named_twice() -> None:
    lines = (f"suspect  D4 {D4}: taken", f"not D3 ({D3}): no")
    assert told(*lines) == list(lines)


def test_a_name_goes_into_the_brackets_that_are_there() -> None:
    assert told("at work: D4 (84%), D3 (16%)") == [f"at work: D4 ({D4}, 84%), D3 ({D3}, 16%)"]
    assert told("no letter (D4) is seen") == [f"no letter (D4: {D4}) is seen"]


def test_what_is_no_code_of_a_mechanism_is_left_alone() -> None:
    assert told("D99 D1x dlv_D4") == ["D99 D1x dlv_D4"]


def test_one_that_came_through_has_no_reason_of_being_dropped() -> None:
    assert _why({"why": "none"}) == ""
    assert _why({"why": "given_up_early"}) == ", given up early"
