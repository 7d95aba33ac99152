"""The relay is killed again and again while rows are written: each is accepted exactly once."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from support.processes import Homing, environment, run, serving, shop

SUPPORT = Path(__file__).parents[1] / "support"
RELAY = ("-m", "homing.cli")


def wrongs(committed: set[str], rolled_back: set[str], accepted: list[str]) -> dict[str, set[str]]:
    """What must be empty: rows lost, accepted twice, or accepted though they were rolled back."""
    times = Counter(name.partition(".")[0] for name in accepted)
    return {
        "lost": committed - times.keys(),
        "twice": {name for name, count in times.items() if count > 1},
        "never committed": times.keys() & rolled_back or times.keys() - committed,
    }


async def _start(folder: Path, homing: Homing, *arguments: str, **more: Any) -> Any:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        cwd=folder,
        env=environment("sqlite:///homing.db", server_url=homing.url) | {"COLUMNS": "100"},
        **more,
    )


async def _relay(folder: Path, homing: Homing, program: tuple[str, ...], *more: str) -> Any:
    database = ("--database", "sqlite:///shop.db", "--application", "shop", "--every", "0.01")
    return await _start(
        folder,
        homing,
        *program,
        *("outbox", "relay", *database, *more),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )


async def _accepted(publisher: Any) -> list[str]:
    """The event ids of all messages that Homing has."""
    found: list[str] = []
    params: dict[str, Any] = {"limit": 250, "with_content": "false"}
    while True:
        page = (await publisher.http.get("/app/shop/msg", params=params)).json()
        found += [one["eventId"] for one in page["data"]]
        if page["done"]:
            return found
        params["iterator"] = page["iterator"]


async def _crash(
    folder: Path, kills: int, program: tuple[str, ...] = RELAY
) -> tuple[dict[str, set[str]], set[str], set[str]]:
    """Kill a relay so often while a shop writes, let it finish, and compare."""
    async with serving(folder) as homing, shop(homing, folder) as publisher:
        writer = await _start(
            folder,
            homing,
            *(str(SUPPORT / "shop_writer.py"), "sqlite:///shop.db", str(kills * 1.2)),
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            assert (await writer.stdout.readline()) == b"ready\n"
            lines = asyncio.create_task(writer.stdout.read())
            for number in range(kills):
                relay = await _relay(folder, homing, program)
                before = len(await _accepted(publisher))
                async with asyncio.timeout(20):  # it works: kill it in the midst of that
                    while len(await _accepted(publisher)) == before and not lines.done():
                        await asyncio.sleep(0.005)
                await asyncio.sleep(0.013 * (number % 7))
                relay.kill()
                await relay.communicate()
            last = await _relay(folder, homing, RELAY, "--once") if lines.done() else None
            told = (await lines).decode().split("\n")
        finally:
            if writer.returncode is None:
                writer.kill()
            await writer.wait()
        last = last or await _relay(folder, homing, RELAY, "--once")
        _, err = await last.communicate()
        assert last.returncode == 0, err.decode()
        committed = {line.split()[1] for line in told if line.startswith("committed")}
        rolled_back = {line.split()[1] for line in told if line.startswith("rolled-back")}
        found = wrongs(committed, rolled_back, await _accepted(publisher))
        return found, committed, rolled_back


@pytest.mark.parametrize("kills", [3, pytest.param(40, marks=pytest.mark.explore)])
async def test_every_committed_row_is_accepted_once_and_no_other(
    tmp_path: Path, kills: int
) -> None:
    found, committed, rolled_back = await _crash(tmp_path, kills)
    assert not any(found.values()), found
    assert len(committed) > 50 * kills
    assert rolled_back
    code, out, err = await run(
        tmp_path, "outbox", "status", "--database", "sqlite:///shop.db", "--json"
    )
    assert code == 0, err
    assert f'"accepted": {len(committed)}' in out


@pytest.mark.parametrize(("bug", "wrong"), [("marks_first", "lost"), ("forgets_the_id", "twice")])
async def test_a_planted_bug_is_seen(tmp_path: Path, bug: str, wrong: str) -> None:
    found, _, _ = await _crash(tmp_path, 3, (str(SUPPORT / "faulty_relay.py"), bug))
    assert found[wrong], f"nobody saw that it {bug.replace('_', ' ')}"
