"""Killed again and again under load, Homing loses nothing; and if it did, we would see it.

The larger run of the same is `python bench/chaos.py --deliveries 100000 --store postgres`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
from pathlib import Path

import msgspec
import pytest

from bench import load, receiver
from bench.chaos import Evidence, Finding, Trial, compare, run
from bench.processes import Setup, homing

FAULTY = str(Path(__file__).parents[1] / "support" / "faulty_node.py")
CALM = Trial(store="sqlite", deliveries=330, rate=300, nodes=1, kill_every_s=0)


async def outcome_of(trial: Trial, folder: Path, url: str) -> Finding:
    return compare(await asyncio.to_thread(run, trial, folder, url))


@pytest.mark.slow
async def test_nothing_is_lost_when_two_processes_on_one_file_are_killed(tmp_path: Path) -> None:
    trial = Trial(store="sqlite", deliveries=4_000, rate=400, nodes=2, kill_every_s=1.5)
    finding = await outcome_of(trial, tmp_path, f"sqlite:///{tmp_path}/homing.db")
    assert finding.problems == []
    assert finding.figures["kills"] >= 3
    assert finding.figures["publications repeated"] > 0, "no kill hit a publication"


@pytest.mark.slow
@pytest.mark.postgres
async def test_nothing_is_lost_when_three_nodes_are_killed(
    tmp_path: Path, postgres_empty_url: str
) -> None:
    trial = Trial(store="postgres", deliveries=4_000, rate=400, nodes=3, kill_every_s=1.5)
    finding = await outcome_of(trial, tmp_path, postgres_empty_url)
    assert finding.problems == []
    assert finding.figures["kills"] >= 3
    assert finding.figures["publications repeated"] > 0, "no kill hit a publication"


@pytest.mark.slow
async def test_a_retry_that_is_forgotten_is_seen_at_both_ends(
    tmp_path: Path,
) -> None:
    trial = msgspec.structs.replace(CALM, program=(FAULTY, "forgetful"))
    finding = await outcome_of(trial, tmp_path, f"sqlite:///{tmp_path}/homing.db")
    assert any("neither received nor dead" in problem for problem in finding.problems)
    assert any("does not balance" in problem for problem in finding.problems)


@pytest.mark.slow
async def test_a_success_that_was_none_is_seen_at_the_receiver_although_the_books_balance(
    tmp_path: Path,
) -> None:
    trial = msgspec.structs.replace(CALM, program=(FAULTY, "boastful"))
    finding = await outcome_of(trial, tmp_path, f"sqlite:///{tmp_path}/homing.db")
    (problem,) = finding.problems
    assert "neither received nor dead" in problem


@pytest.mark.slow
async def test_a_row_that_somebody_deleted_is_named_by_the_audit(tmp_path: Path) -> None:
    database = tmp_path / "homing.db"
    evidence = await asyncio.to_thread(run, CALM, tmp_path, f"sqlite:///{database}")
    assert compare(evidence).problems == []
    with contextlib.closing(sqlite3.connect(database)) as db, db:
        (last,) = db.execute("SELECT MAX(message_id) FROM history").fetchone()
        db.execute("DELETE FROM history WHERE message_id = ?", (last,))
    audited = await asyncio.to_thread(homing, Setup(f"sqlite:///{database}"), "audit", "--json")
    assert audited.returncode == 1
    assert last in json.loads(audited.stdout)["misfits"][0]["delivery"]


def evidence_of(**changes: object) -> Evidence:
    """One message, accepted, received and in the books."""
    sent = load.Sent(number=0, id="msg_1", due_us=1, answered_us=2, tries=1)
    total = dict.fromkeys(("delivered", "dead", "waiting", "leased", "parked", "cancelled"), 0)
    evidence = Evidence(
        published=load.Report(sent=[sent], refused={}, unresolved=[], began_us=1, ended_us=2),
        received=receiver.Report(receipts={"/captured": {"msg_1": receiver.Receipt(2, 1, 1)}}),
        audit={"balanced": True, "misfits": [], "total": total | {"accepted": 1, "delivered": 1}},
        audit_exit=0,
        dead={},
    )
    return msgspec.structs.replace(evidence, **changes)


def test_a_message_that_was_received_is_no_problem() -> None:
    assert compare(evidence_of()).problems == []


def test_a_message_that_was_only_ever_refused_is_lost() -> None:
    refused = receiver.Report(receipts={"/captured": {"msg_1": receiver.Receipt(2, 3, 0)}})
    finding = compare(evidence_of(received=refused))
    assert finding.problems == ["1 accepted, but neither received nor dead: /captured msg_1"]


def test_a_message_that_nobody_published_is_a_problem() -> None:
    receipts = {"/captured": {"msg_1": receiver.Receipt(2, 1, 1)}}
    strange = receipts | {"/failed": {"msg_2": receiver.Receipt(2, 1, 1)}}
    finding = compare(evidence_of(received=receiver.Report(receipts=strange)))
    assert finding.problems == ["1 received, but never accepted: /failed msg_2"]


def test_an_audit_that_does_not_balance_is_a_problem() -> None:
    finding = compare(evidence_of(audit_exit=1))
    assert finding.problems == ["1 `homing audit` does not balance: []"]
