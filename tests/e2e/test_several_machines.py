"""Three nodes on a replicated PostgreSQL, each a network namespace of its own: all of it breaks.

A longer run is `make chaos`; docs/explanation/no-loss.md has what it showed.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest
from conftest import Missing
from support.processes import kill

from bench.chaos import network
from bench.chaos.plan import Kind
from bench.chaos.stage import find_faketime
from tests.support import postgres

ROOT = Path(__file__).parents[2]
#: a plan in which each kind comes, the primary vanishes without a word, and a clock falls behind
SEED, EVERY_S, DURATION_S = 2, 3.5, 40
_RUN_S = 400


@pytest.fixture
def several_machines(missing: Missing) -> None:
    """What this needs: root, namespaces, libfaketime, PostgreSQL."""
    lacking = network.missing()
    if lacking is None and find_faketime() is None:
        lacking = "libfaketime is missing: apt-get install libfaketime"
    if lacking is not None:
        missing("netns", lacking)
    try:
        postgres.find_programs()
    except postgres.Absent as absent:
        missing("postgres", str(absent))


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.netns
@pytest.mark.usefixtures("several_machines")
async def test_nothing_is_lost_whatever_breaks(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.chaos", "--json"),
        *("--seed", str(SEED), "--every-s", str(EVERY_S), "--duration", str(DURATION_S)),
        *("--rate", "150", "--plot", str(tmp_path / "curve")),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), _RUN_S)
    finally:
        if process.returncode is None:
            await kill(process)
    assert out, err.decode()
    shown = json.loads(out)
    assert shown["valid"] is True, (shown, err.decode())
    assert shown["deliveries"]["accepted"] > 1_000
    assert shown["faults"].keys() == set(Kind)
    assert all(shown["faults"].values())
    curve = (tmp_path / "curve.csv").read_text().splitlines()
    assert curve[-1].endswith(",0"), "the curve comes down to nothing"
    assert (tmp_path / "curve.svg").read_text().startswith("<svg")
