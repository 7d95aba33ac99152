"""`homing simulate`: what it prints, what it writes, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from homing.cli.main import homing
from homing.core.errors import Invalid
from homing.sim.safeguards import SAFEGUARDS


def run(*args: str) -> Result:
    return CliRunner().invoke(homing, ["simulate", *args])


def test_a_few_worlds_lose_nothing_and_say_so() -> None:
    done = run("--seeds", "5", "--jobs", "1")
    assert done.exit_code == 0, done.output
    assert "0 lost in" in done.output
    assert "overlapping leases" in done.output
    assert "a clock jumped back" in done.output


def test_json_has_the_counts_and_the_goals() -> None:
    done = run("--seeds", "3", "--jobs", "1", "--json")
    found = json.loads(done.output)
    assert found["lost"] == 0
    assert found["worlds"] == 3
    assert found["deliveries"] > 0
    assert "clock_jumped_back" in found["goals"]


def test_one_seed_prints_its_trace() -> None:
    done = run("--seed", "7", "--trace")
    assert done.exit_code == 0
    assert "accepted" in done.output
    digest = json.loads(run("--seed", "7", "--trace", "--json").output)["digest"]
    assert f"trace {digest}" in done.output


def test_a_missing_safeguard_is_shown_and_written_for_others(tmp_path: Path) -> None:
    page, diagram, test = tmp_path / "a.html", tmp_path / "a.mmd", tmp_path / "test_a.py"
    done = run(
        *("--without", "born-in-one-transaction"),
        *("--html", str(page), "--mermaid", str(diagram), "--pytest", str(test)),
    )
    assert done.exit_code == 1
    for part in ("BROKEN", "invariant", "before", "after", "with it", "--replay h1.", "5/5"):
        assert part in done.output
    assert page.read_text().startswith("<!doctype html>")
    assert diagram.read_text().startswith("sequenceDiagram")
    assert "def test_without_born_in_one_transaction" in test.read_text()


def test_a_token_has_it_again() -> None:
    found = json.loads(run("--without", "settle-twice", "--json").output)
    token = found["story"]["token"]
    again = json.loads(run("--replay", token, "--json").output)
    assert again["broken"]
    assert again["story"]["breach"] == found["story"]["breach"]


def test_every_safeguard_is_listed() -> None:
    done = run("--list-safeguards", "--json")
    assert [one["name"] for one in json.loads(done.output)] == [one.name for one in SAFEGUARDS]


@pytest.mark.parametrize("args", [("--without", "luck"), ("--replay", "h1.nothing")])
def test_what_cannot_be_asked_is_said(args: tuple[str, str]) -> None:
    done = run(*args)
    assert isinstance(done.exception, Invalid)
