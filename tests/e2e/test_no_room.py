"""A full disk under PostgreSQL, and a file system that turns read-only under SQLite's file.

Nobody is told 2xx for what is not on disk, readiness says why, and everything goes on when there is
room again. Both take a file system of their own, so they are skipped where this user may not mount.
"""

from __future__ import annotations

import asyncio
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import httpx
import pytest
from support import postgres
from support.processes import Homing, serving, shop
from support.publishing import (
    Publisher,
    all_delivered,
    check_refusals,
    one_endpoint,
    received,
    wait_until_received,
)
from support.receiver import Receiver

_BLOCK = 1 << 16
_SMALL_MB = 160


def mounted(folder: Path, *what: str) -> None:
    """Mount there, or skip the test."""
    folder.mkdir(exist_ok=True)
    command = ["mount", *what, str(folder)]
    if (
        shutil.which("mount") is None
        or subprocess.run(command, capture_output=True, timeout=120).returncode
    ):
        pytest.skip("file systems: this user may not mount one")


@pytest.fixture
def small_server(missing: Callable[[str, str], NoReturn]) -> Iterator[postgres.Server]:
    """A PostgreSQL server whose data folder is a small file system."""
    try:
        postgres.find_programs()
    except postgres.Absent as absent:
        missing("postgres", str(absent))
    folder = Path(tempfile.mkdtemp(prefix="homing-no-room-"))
    folder.chmod(0o755)
    try:
        mounted(folder / "small", "-t", "tmpfs", "-o", f"size={_SMALL_MB}m", "homing-test")
        server = postgres.create(folder / "small" / "server")
        server.launch()
        yield server
        server.halt()
    finally:
        subprocess.run(["umount", "-l", str(folder / "small")], capture_output=True, timeout=120)
        shutil.rmtree(folder, ignore_errors=True)


async def unready(homing: Homing) -> str:
    """Why it says that it accepts nothing."""
    async with httpx.AsyncClient() as http:
        answer = await http.get(f"{homing.url}/ready", timeout=60)
    assert (answer.status_code, answer.json()["status"]) == (503, "unready"), answer.text
    return str(answer.json()["accepting"]["detail"])


async def wait_until_ready(homing: Homing) -> None:
    async with httpx.AsyncClient() as http, asyncio.timeout(60):
        while True:
            with suppress(httpx.HTTPError):
                if (await http.get(f"{homing.url}/ready")).status_code == 200:
                    return
            await asyncio.sleep(0.1)


def fill(ballast: Path) -> None:
    """Write until there is no room left, or skip the test where it never ends."""
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        for _ in range(2 * _SMALL_MB * 2**20 // _BLOCK):
            if file.write(bytes(_BLOCK)) != _BLOCK:
                return
        pytest.skip("file systems: the small one does not keep to its size here")


@pytest.mark.postgres
async def test_a_full_disk_under_postgresql_is_a_503_until_there_is_room(
    tmp_path: Path, small_server: postgres.Server
) -> None:
    fast = {"lease_s": 12, "total_s": 2, "first_byte_s": 1, "database_url": small_server.url}
    async with one_endpoint(tmp_path, **fast) as (homing, publisher, receiver):
        await publisher.send(20)
        ballast = small_server.folder / "ballast"
        fill(ballast)
        # What does not compress, until a table or the write-ahead log has to grow.
        async with asyncio.timeout(90):
            while len(publisher.refused) < 5:
                payload = {"noise": secrets.token_hex(60_000)}
                answer = await publisher.shop.http.post(
                    "/app/shop/msg", json={"eventType": "payment.captured", "payload": payload}
                )
                if answer.status_code == 202:
                    publisher.accepted.append(answer.json()["id"])
                else:
                    publisher.refused.append(answer)
        check_refusals(publisher)
        assert "be used now" in await unready(homing)
        ballast.unlink()
        if not (small_server.folder / "data" / "postmaster.pid").exists():
            small_server.launch()  # it gives up when the write-ahead log has no room
        await wait_until_ready(homing)
        before = len(publisher.accepted)
        await publisher.send_until(lambda: len(publisher.accepted) >= before + 20)
        await wait_until_received(receiver, publisher, 60)
        await all_delivered(tmp_path, len(publisher.accepted), **fast)


async def test_a_file_system_that_turns_read_only_under_sqlite_is_a_503_until_it_is_mended(
    tmp_path: Path,
) -> None:
    """As ext4 does when its device fails. Once that is mended the process is started anew."""
    image, folder = tmp_path / "image", tmp_path / "disk"
    with image.open("wb") as file:
        file.truncate(64 << 20)
    if shutil.which("mkfs.ext4") is None:
        pytest.skip("file systems: there is no mkfs.ext4")
    subprocess.run(["mkfs.ext4", "-q", str(image)], check=True, timeout=120)
    mounted(folder, "-o", "loop", str(image))
    fast = {"lease_s": 12, "total_s": 2, "first_byte_s": 1}
    try:
        async with Receiver() as receiver:
            async with serving(folder, **fast) as homing, shop(homing, folder) as owner:
                await owner.add_endpoint(receiver.url("/hook"))
                publisher = Publisher(owner)
                await publisher.send(20)
                abort = ["mount", "-o", "remount,abort", str(folder)]
                subprocess.run(abort, check=True, capture_output=True, timeout=120)
                await publisher.send_until(lambda: len(publisher.refused) >= 5)
                check_refusals(publisher)
                assert "be used now" in await unready(homing)
                homing.signal(signal.SIGKILL)
                await homing.wait()
            subprocess.run(["umount", str(folder)], check=True, timeout=120)
            subprocess.run(["fsck.ext4", "-y", str(image)], capture_output=True, timeout=120)
            mounted(folder, "-o", "loop", str(image))
            async with serving(folder, **fast) as homing, shop(homing, folder) as owner:
                again = Publisher(owner)
                again.accepted = list(publisher.accepted)
                await again.send(20)
                await wait_until_received(receiver, again, 60)
                await all_delivered(folder, len(again.accepted))
            assert received(receiver) == set(again.accepted)
    finally:
        subprocess.run(["umount", "-l", str(folder)], capture_output=True, timeout=120)
