"""A process from the forge is what a new interpreter would be; most tests here rely on it."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.forged import Forged, start
from support.processes import environment, run, serving

#: fine, findings, bad input, and no such command; with much to print, and with nothing
WORDS = (("settings",), ("doctor", "--json"), ("audit",), ("wander",), ("--help",), ("token", "-h"))
SETTINGS = {"listen": "0.0.0.0:0", "egress_allow": "0.0.0.0/0"}


@pytest.mark.parametrize("words", WORDS)
async def test_a_command_says_the_same_and_ends_the_same(
    words: tuple[str, ...], tmp_path: Path
) -> None:
    forged, anew = [await run(tmp_path, *words, **SETTINGS, anew=anew) for anew in (False, True)]
    if words[0] == "doctor":  # which measures
        forged, anew = (forged[0], forged[2]), (anew[0], anew[2])  # type: ignore[assignment]
    assert forged == anew


async def test_each_has_its_own_process_folder_and_environment(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "other")]
    for folder in folders:
        folder.mkdir()
    async with serving(folders[0]) as one, serving(folders[1], log_format="json") as other:
        assert isinstance(one.process, Forged)
        assert len({one.process.pid, other.process.pid}) == 2
        assert [folder.joinpath("homing.db").exists() for folder in folders] == [True, True]
        assert (one.log[0][0] == "{", other.log[0][0] == "{") == (False, True)
        assert one.url != other.url


async def test_it_is_killed_at_once_and_that_is_told(tmp_path: Path) -> None:
    async with serving(tmp_path) as homing:
        homing.signal(signal.SIGKILL)
        assert await homing.wait() == -signal.SIGKILL
        with pytest.raises(ProcessLookupError):
            homing.signal(signal.SIGTERM)


async def test_what_an_interpreter_reads_once_is_read_by_a_new_one(tmp_path: Path) -> None:
    given = environment("sqlite:///homing.db") | {"TZ": "Asia/Tokyo"}
    process = await start(tmp_path, "--version", environment=given, stdout=subprocess.PIPE)
    assert not isinstance(process, Forged)
    assert (await process.communicate())[0].startswith(b"homing ")


async def test_processes_end_with_whoever_asked_for_them(tmp_path: Path) -> None:
    program = """
import asyncio, os, sys
from pathlib import Path
from support.processes import serving

async def main():
    async with serving(Path(sys.argv[1])) as homing:
        print(homing.process.pid, flush=True)
        os._exit(0)

asyncio.run(main())
"""
    support = Path(__file__).parents[1]
    asker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program, str(tmp_path)), cwd=support, stdout=subprocess.PIPE
    )
    out, _ = await asyncio.wait_for(asker.communicate(), 120)
    async with asyncio.timeout(60):
        while Path(f"/proc/{int(out)}").exists():
            await asyncio.sleep(0.02)
