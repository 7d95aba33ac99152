"""The relay is killed again and again while rows are written: each is accepted exactly once."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from support.processes import Homing, environment, read_until, run, serving, shop

from homing.outbox.row import Settled

SUPPORT = Path(__file__).parents[1] / "support"
RELAY = ("-m", "homing.cli")
SHOP = "sqlite:///shop.db"
DJANGO = (str(SUPPORT / "django_relay.py"),)


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


async def _relay(
    folder: Path, homing: Homing, program: tuple[str, ...], url: str, *more: str
) -> Any:
    database = ("--database", url, "--application", "shop", "--every", "0.01")
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
    folder: Path, kills: int, program: tuple[str, ...] = RELAY, url: str = SHOP
) -> tuple[dict[str, set[str]], set[str], set[str]]:
    """Kill a relay so often while a shop writes, let it finish, and compare."""
    async with serving(folder) as homing, shop(homing, folder) as publisher:
        writer = await _start(
            folder,
            homing,
            *(str(SUPPORT / "shop_writer.py"), url),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            await read_until(writer.stdout, "ready", 60)
            lines = asyncio.create_task(writer.stdout.read())
            for number in range(kills):
                before = len(await _accepted(publisher))
                relay = await _relay(folder, homing, program, url)
                async with asyncio.timeout(60):  # it works: kill it in the midst of that
                    while len(await _accepted(publisher)) == before:
                        await asyncio.sleep(0.005)
                await asyncio.sleep(0.013 * (number % 7))
                relay.kill()
                await asyncio.wait_for(relay.communicate(), 60)
            writer.stdin.close()
            told = (await asyncio.wait_for(lines, 60)).decode().splitlines()
        finally:
            if writer.returncode is None:
                writer.kill()
            await asyncio.wait_for(writer.wait(), 60)
        last = await _relay(folder, homing, RELAY, url, "--once")
        _, err = await asyncio.wait_for(last.communicate(), 240)
        assert last.returncode == 0, err.decode()
        committed = {line.split()[1] for line in told if line.startswith("committed")}
        rolled_back = {line.split()[1] for line in told if line.startswith("rolled-back")}
        found = wrongs(committed, rolled_back, await _accepted(publisher))
        return found, committed, rolled_back


@pytest.mark.parametrize("kills", [3, pytest.param(40, marks=pytest.mark.explore)])
@pytest.mark.parametrize("program", [RELAY, DJANGO], ids=["sqlalchemy", "django"])
async def test_every_committed_row_is_accepted_once_and_no_other(
    tmp_path: Path, kills: int, program: tuple[str, ...]
) -> None:
    found, committed, rolled_back = await _crash(tmp_path, kills, program)
    assert not any(found.values()), found
    assert len(committed) > 100
    assert rolled_back
    code, out, err = await run(
        tmp_path, "outbox", "status", "--database", "sqlite:///shop.db", "--json"
    )
    assert code == 0, err
    assert f'"accepted": {len(committed)}' in out


@pytest.mark.postgres
async def test_every_committed_row_of_a_shop_on_postgresql_is_accepted_once(
    tmp_path: Path, postgres_empty_url: str
) -> None:
    url = "postgresql+psycopg://" + postgres_empty_url.partition("://")[2]
    found, committed, rolled_back = await _crash(tmp_path, 3, url=url)
    assert not any(found.values()), found
    assert len(committed) > 100
    assert rolled_back
    code, out, err = await run(tmp_path, "outbox", "status", "--database", url, "--json")
    assert code == 0, err
    assert f'"accepted": {len(committed)}' in out


async def test_what_was_refused_is_named_and_retried_by_commands(tmp_path: Path) -> None:
    from homing.outbox import sqlalchemy as outbox

    rows = outbox.SqlRows.open(f"sqlite:///{tmp_path}/shop.db")
    rows.prepare()
    engine = sa.create_engine(f"sqlite:///{tmp_path}/shop.db")
    with engine.begin() as connection:
        names = [outbox.add(connection, kind, {}) for kind in ("a", "b", "b")]
    rows.settle([Settled(id=name, problem="422 does not fit its schema") for name in names], 1)
    where = ("--database", SHOP)
    code, out, err = await run(tmp_path, "outbox", "refused", *where)
    assert (code, out.count("422 does not fit its schema")) == (1, 3), err
    code, out, err = await run(tmp_path, "outbox", "retry", *where, names[0], "out_nobody")
    assert code == 2
    assert "1 of these ids were not refused; 2 others were" in err
    code, out, err = await run(tmp_path, "outbox", "retry", *where, "--all", "--event-type", "b")
    assert (code, out) == (0, "2 will be offered again by the relay\n"), err
    code, out, err = await run(tmp_path, "outbox", "refused", *where)
    assert (code, "nothing was refused" in out + err) == (0, True)
    assert rows.counts().pending == 3


@pytest.mark.parametrize(("bug", "wrong"), [("marks_first", "lost"), ("forgets_the_id", "twice")])
async def test_a_planted_bug_is_seen(tmp_path: Path, bug: str, wrong: str) -> None:
    found, _, _ = await _crash(tmp_path, 3, (str(SUPPORT / "faulty_relay.py"), bug))
    assert found[wrong], f"nobody saw that it {bug.replace('_', ' ')}"
