"""Several processes on one database: workers behind one socket, and strangers on one file."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from support.processes import audit, serving, shop
from support.receiver import Receiver, respond


def _children(pid: int) -> list[int]:
    """Process ids of a process's children. Source: proc_pid_task(5)."""
    return [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def test_two_workers_share_one_socket_and_a_dead_one_is_replaced(tmp_path: Path) -> None:
    async with Receiver() as receiver, serving(tmp_path, "--workers", "2") as homing:
        receiver.script("/hook", respond(200))
        await homing.wait_for_line("worker 2 started")
        async with shop(homing, tmp_path) as publisher:
            await publisher.add_endpoint(receiver.url("/hook"))
            accepted = set(await asyncio.gather(*(publisher.send(n) for n in range(40))))
            await receiver.wait_for(40)
            first, second = _children(homing.process.pid)
            os.kill(first, signal.SIGKILL)
            await homing.wait_for_line("starting another")
            accepted |= {await publisher.send(n) for n in range(40, 50)}
            await receiver.wait_for(50)
        homing.signal(signal.SIGTERM)
        assert await homing.wait() == 0
    assert accepted <= {r.headers["webhook-id"] for r in receiver.requests}
    assert (await audit(tmp_path))["balanced"]
    assert not Path(f"/proc/{second}").exists(), "no worker outlives its supervisor"


async def test_workers_are_not_made_to_call_their_own_api(tmp_path: Path) -> None:
    async with serving(tmp_path, "--workers", "2", listen="0.0.0.0:0") as homing:
        port = homing.url.rpartition(":")[2]
        homing.url = f"http://127.0.0.1:{port}"
        async with shop(homing, tmp_path) as publisher:
            for host in ("127.0.0.1", "127.1.2.3", "[::ffff:127.0.0.1]"):
                with pytest.raises(httpx.HTTPStatusError, match="422"):
                    await publisher.add_endpoint(f"http://{host}:{port}/metrics")
            await publisher.add_endpoint("http://127.0.0.1:9/")


async def test_workers_drain_when_their_supervisor_is_killed(tmp_path: Path) -> None:
    async with serving(tmp_path, "--workers", "2") as homing:
        await homing.wait_for_line("worker 2 started")
        async with asyncio.timeout(60):
            while len(workers := _children(homing.process.pid)) < 2:
                await asyncio.sleep(0.05)
        homing.signal(signal.SIGKILL)
        await homing.process.wait()
        async with asyncio.timeout(60):
            while any(_is_alive(pid) for pid in workers):
                await asyncio.sleep(0.1)


async def test_a_configuration_broken_later_stops_no_worker_that_serves(tmp_path: Path) -> None:
    async with serving(tmp_path, "--workers", "2") as homing:
        await homing.wait_for_line("worker 2 started")
        async with shop(homing, tmp_path) as publisher:
            first, second = _children(homing.process.pid)
            # "started" is said before a worker has read its configuration: if the second one found
            # the broken file, nobody would serve once the first is killed.
            async with asyncio.timeout(60):
                while not all(_has_open(pid, "homing.db") for pid in (first, second)):
                    await asyncio.sleep(0.05)
            (tmp_path / "homing.toml").write_text("lease_s = 'long'")
            os.kill(first, signal.SIGKILL)
            await homing.wait_for_line("ended with 2; starting another")
            await publisher.send(1)
            (tmp_path / "homing.toml").unlink()
            async with asyncio.timeout(60):
                while sum("started" in line for line in homing.log) < 4:
                    await asyncio.sleep(0.05)
        homing.signal(signal.SIGTERM)
        assert await homing.wait() == 0


def _has_open(pid: int, name: str) -> bool:
    """Whether a process has a file of this name open."""
    found = []
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            found.append(Path(os.readlink(fd)).name)
    return name in found


def _is_alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


async def test_two_services_on_one_sqlite_file_share_the_work(tmp_path: Path) -> None:
    async with (
        Receiver() as receiver,
        serving(tmp_path) as one,
        serving(tmp_path) as two,
        shop(one, tmp_path) as publisher_one,
        shop(two, tmp_path) as publisher_two,
    ):
        receiver.script("/hook", respond(200))
        await publisher_one.add_endpoint(receiver.url("/hook"))
        sends = [p.send(n) for n in range(30) for p in (publisher_one, publisher_two)]
        accepted = set(await asyncio.gather(*sends))
        await receiver.wait_for(60)
        one.signal(signal.SIGTERM)
        two.signal(signal.SIGTERM)
        assert [await one.wait(), await two.wait()] == [0, 0]
    assert {r.headers["webhook-id"] for r in receiver.requests} == accepted
    report = await audit(tmp_path)
    assert (report["balanced"], report["total"]["delivered"]) == (True, 60)
