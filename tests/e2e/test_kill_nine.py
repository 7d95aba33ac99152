"""Killed again and again under load, Homing loses nothing; and if it did, we would see it.

The larger runs of the same are in docs/explanation/no-loss.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
from pathlib import Path

import msgspec
import pytest

from bench.chaos.judge import Judgement, judge
from bench.chaos.plan import Kind
from bench.chaos.run import Trial, run
from bench.processes import Setup, homing

FAULTY = str(Path(__file__).parents[1] / "support" / "faulty_node.py")
CALM = Trial(store="sqlite", deliveries=400, nodes=1, faults=(), batch=10)


async def outcome_of(trial: Trial, folder: Path) -> Judgement:
    return await asyncio.to_thread(run, trial, folder, lambda evidence: judge(evidence, trial))


@pytest.mark.slow
async def test_nothing_is_lost_when_two_processes_on_one_file_are_killed(tmp_path: Path) -> None:
    trial = Trial(store="sqlite", deliveries=6_000, rate=600, every_s=1.5, hanging=0.05, batch=10)
    judged = await outcome_of(trial, tmp_path)
    assert judged.verdict.valid is True, judged.verdict
    assert judged.figures["faults"] >= 3
    assert judged.silences, "no kill hit a publication"


@pytest.mark.slow
@pytest.mark.postgres
async def test_nothing_is_lost_when_three_nodes_and_their_database_are_killed(
    tmp_path: Path,
    postgres_admin: str,  # asked for, so that a machine without the programs skips
) -> None:
    faults = (Kind.KILL, Kind.KILL, Kind.CRASH)
    trial = Trial(
        store="postgres", deliveries=6_000, rate=600, nodes=3, faults=faults, every_s=1.5, batch=10
    )
    judged = await outcome_of(trial, tmp_path)
    assert judged.verdict.valid is True, judged.verdict
    assert judged.figures["faults"] >= 3
    assert judged.silences, "no kill hit a publication"


@pytest.mark.slow
async def test_a_retry_that_is_forgotten_is_seen_at_both_ends(tmp_path: Path) -> None:
    trial = msgspec.structs.replace(CALM, program=(FAULTY, "forgetful"))
    verdict = (await outcome_of(trial, tmp_path)).verdict
    assert verdict.valid is False
    assert verdict.figures["lost"] > 0
    assert any("neither received nor dead" in problem for problem in verdict.problems)
    assert any("does not balance" in problem for problem in verdict.problems)


@pytest.mark.slow
async def test_a_success_that_was_none_is_seen_at_the_receiver_although_the_books_balance(
    tmp_path: Path,
) -> None:
    trial = msgspec.structs.replace(CALM, program=(FAULTY, "boastful"))
    verdict = (await outcome_of(trial, tmp_path)).verdict
    assert verdict.valid is False
    (problem,) = verdict.problems
    assert "neither received nor dead" in problem


@pytest.mark.slow
async def test_what_is_sent_twice_is_counted_as_duplicated_and_has_no_attempt_to_tell_of_it(
    tmp_path: Path,
) -> None:
    trial = msgspec.structs.replace(CALM, program=(FAULTY, "stuttering"))
    verdict = (await outcome_of(trial, tmp_path)).verdict
    assert verdict.figures["duplicated"] > verdict.figures["ok"] / 2
    assert verdict.valid is False
    (problem,) = verdict.problems
    assert "every_2xx_leaves_a_trace" in problem


@pytest.mark.slow
async def test_leases_that_are_numbered_wrongly_are_named_by_the_audit(tmp_path: Path) -> None:
    trial = msgspec.structs.replace(CALM, program=(FAULTY, "miscounting"))
    verdict = (await outcome_of(trial, tmp_path)).verdict
    assert verdict.valid is False
    (problem,) = verdict.problems
    assert problem.startswith("leases_are_numbered is broken")


@pytest.mark.slow
async def test_what_comes_to_another_endpoint_is_unexpected_there_and_lost_here(
    tmp_path: Path,
) -> None:
    trial = msgspec.structs.replace(CALM, program=(FAULTY, "misdirected"))
    verdict = (await outcome_of(trial, tmp_path)).verdict
    assert verdict.valid is False
    assert verdict.figures["unexpected"] > 0
    assert verdict.figures["lost"] > 0


@pytest.mark.slow
async def test_a_run_without_a_fault_that_it_was_to_have_is_not_valid(tmp_path: Path) -> None:
    trial = msgspec.structs.replace(CALM, faults=(Kind.KILL,), every_s=10_000)
    verdict = (await outcome_of(trial, tmp_path)).verdict
    assert verdict.valid == "unknown"
    assert verdict.doubts == ["vacuous: no `kill` succeeded (0 begun)"]


@pytest.mark.slow
async def test_a_row_that_somebody_deleted_is_named_by_the_audit(tmp_path: Path) -> None:
    database = tmp_path / "homing.db"
    assert (await outcome_of(CALM, tmp_path)).verdict.valid is True
    with contextlib.closing(sqlite3.connect(database)) as db, db:
        (last,) = db.execute("SELECT MAX(message_id) FROM history").fetchone()
        db.execute("DELETE FROM history WHERE message_id = ?", (last,))
    audited = await asyncio.to_thread(homing, Setup(f"sqlite:///{database}"), "audit", "--json")
    assert audited.returncode == 1
    assert last in json.loads(audited.stdout)["misfits"][0]["delivery"]
