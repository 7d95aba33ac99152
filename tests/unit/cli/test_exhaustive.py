"""What the command line says of a search of every order."""

from __future__ import annotations

import json

import click
import pytest

from homing.cli.exhaustive import exhaust
from homing.core.errors import Invalid
from homing.sim.tiny_world import Bounds

TINY = Bounds(mishaps=0, acts=0, changes=0)


def test_a_world_in_which_all_is_well_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    exhaust(TINY, without=None, as_json=True)
    report = json.loads(capsys.readouterr().out)
    assert report["is_closed"]
    assert report["violations"] == []


def test_harm_is_told_step_by_step_and_ends_in_exit_code_1(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(click.exceptions.Exit) as ended:
        exhaust(TINY, without="fence", as_json=False)
    assert ended.value.exit_code == 1
    told = capsys.readouterr()
    assert "is_no_stale_write" in told.out + told.err
    assert "dispatcher B takes over the lease, which ran out" in told.out + told.err


def test_an_unknown_safeguard_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(Invalid) as refused:
        exhaust(TINY, without="fense", as_json=False)
    assert "written-ahead-lease" in str(refused.value.problems)
