"""`homing verify --watch` follows a real `homing serve` from a deployment on."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from support.ports import free_port
from support.processes import environment, kill, read_until, run, serving, shop
from support.receiver import Receiver, respond

pytest.importorskip("ibis", reason="needs the extra `forensics`")

BEFORE = ("--before", "30/600")  # 5%: 85 deliveries without a drop exclude its low end, 3.4%
EVERY = ("--watch", "--every", "0.3")


@asynccontextmanager
async def watching(folder: Path, url: str, *arguments: str) -> AsyncIterator[Any]:
    """`homing verify --watch` in a process; its lines come as they are written."""
    token = json.loads((await run(folder, "token", "--json"))[1])["token"]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "homing.cli", "verify", *BEFORE, url, *arguments, *EVERY,
        cwd=folder,
        env=environment("sqlite:///homing.db") | {"HOMING_TOKEN": token},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        await kill(process)


async def publish(publisher: Any, count: int) -> None:
    for first in range(0, count, 10):
        await asyncio.gather(*(publisher.send(first + n) for n in range(10)))


@pytest.mark.slow
async def test_a_server_is_followed_from_the_deployment_on_even_if_it_is_away_for_a_while(
    tmp_path: Path,
) -> None:
    async with Receiver() as receiver:
        receiver.script("/hook", respond(200, b"thanks"))
        listen = f"127.0.0.1:{free_port()}"
        async with (
            serving(tmp_path, listen=listen) as homing,
            shop(homing, tmp_path) as publisher,
        ):
            await publisher.add_endpoint(receiver.url("/hook"))
            await publish(publisher, 20)
            async with watching(tmp_path, homing.url, "--since", "now") as process:
                line = await read_until(
                    process.stdout, "it takes 87 deliveries without a drop", 180
                )
                assert "of before" in line, "the pace before the deployment says how long"
                await publish(publisher, 40)
                line = await read_until(process.stdout, "40 of 87 deliveries", 180)
                assert "to go" in line
                homing.signal(signal.SIGTERM)
                await homing.wait()
                await read_until(process.stdout, "is away", 180)
                async with (
                    serving(tmp_path, listen=listen) as again,
                    shop(again, tmp_path) as another,
                ):
                    await publish(another, 50)
                    out, err = await asyncio.wait_for(process.communicate(), 180)
                    assert process.returncode == 0, err.decode()
                    assert out.decode().splitlines()[-1]
                    assert "fixed: " in out.decode()
                    # It ends at the 87th, or with as many more as it sees at that look.
                    assert re.search(r"\b0/(8[7-9]|90)\b", out.decode())


@pytest.mark.slow
async def test_a_drop_ends_the_watch_and_it_is_not_called_fixed(tmp_path: Path) -> None:
    async with (
        Receiver() as receiver,
        serving(tmp_path) as homing,
        shop(homing, tmp_path) as publisher,
    ):
        receiver.script("/hook", respond(200, b"thanks"))
        await publisher.add_endpoint(receiver.url("/hook"))
        await publish(publisher, 40)
        async with watching(tmp_path, "sqlite:///homing.db") as process:
            await read_until(process.stdout, "40 of 87 deliveries", 180)
            _forget_one(tmp_path / "homing.db")
            await publish(publisher, 10)
            out, err = await asyncio.wait_for(process.communicate(), 180)
            assert process.returncode == 1, (out.decode(), err.decode())
            assert "not fixed: 1 of " in out.decode()


def _forget_one(path: Path) -> None:
    """A faulty service's line: accepted an hour ago, and nothing after it."""
    database = sqlite3.connect(path, timeout=60)
    database.row_factory = sqlite3.Row
    row = dict(database.execute("SELECT * FROM delivery_log WHERE op = 'accepted'").fetchone())
    del row["line"]
    hour_us = 3_600_000_000
    row |= {"at_us": row["at_us"] - hour_us, "ready_at_us": row["ready_at_us"] - hour_us}
    row["message_id"] = row["message_id"][:-3] + "xyz"
    names = ", ".join(row)
    marks = ", ".join("?" * len(row))
    database.execute(f"INSERT INTO delivery_log ({names}) VALUES ({marks})", [*row.values()])
    database.commit()
    database.close()
