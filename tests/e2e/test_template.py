"""What `homing template` writes: its own tests pass, its alert among them, for each framework."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest
from support.processes import kill, run

from homing.template.scaffold import FRAMEWORKS


@pytest.mark.parametrize("framework", FRAMEWORKS)
async def test_the_project_s_own_tests_pass(tmp_path: Path, framework: str) -> None:
    code, out, err = await run(tmp_path, "template", "shop", "--framework", framework)
    assert code == 0, err
    # in a checkout, the project's Homing is the checkout
    assert re.fullmatch(r"cd shop && make setup( HOMING=\S+)? && make test && make try\n", out)
    # Of our own test run nothing must reach the project's: it is tested as its owner would.
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTEST_", "HOMING_", "DJANGO_", "COV_"))
    }
    process = await asyncio.create_subprocess_exec(
        "make",
        "test",
        f"PYTHON={sys.executable}",
        cwd=tmp_path / "shop",
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        told, _ = await asyncio.wait_for(process.communicate(), 300)
    finally:
        if process.returncode is None:
            await kill(process, is_leader=True)
    assert process.returncode == 0, told.decode()
    assert "19 passed" in told.decode() or "Ran 13 tests" in told.decode(), told.decode()


async def test_an_update_of_a_fresh_project_changes_nothing(tmp_path: Path) -> None:
    await run(tmp_path, "template", "shop")
    code, out, err = await run(tmp_path / "shop", "template", "--update")
    assert (code, out) == (0, ""), err
    code, _, err = await run(tmp_path, "template")
    assert (code, "expected a NAME" in err) == (2, True)
