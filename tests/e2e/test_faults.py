"""A full disk, a database that cannot be written or comes and goes, a clock that is set back.

Each is a clear error for whoever publishes, and no accepted delivery is lost: counted at the
receiver.
"""

from __future__ import annotations

import asyncio
import resource
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import asyncpg
import httpx
import pytest
from support.postgres import Server
from support.processes import audit, serving, shop
from support.publishing import (
    Publisher,
    all_delivered,
    check_refusals,
    one_endpoint,
    received,
    wait_until_received,
)
from support.receiver import Receiver, respond

_FAKETIME = (
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
)


async def test_a_full_disk_is_a_503_and_what_was_accepted_arrives(tmp_path: Path) -> None:
    """No file may grow any more, as on a disk without room."""
    async with one_endpoint(tmp_path) as (homing, publisher, receiver):
        await publisher.send(20)
        largest = max(path.stat().st_size for path in tmp_path.glob("homing.db*"))
        no_more = (largest + 65_536, resource.RLIM_INFINITY)
        resource.prlimit(homing.process.pid, resource.RLIMIT_FSIZE, no_more)
        await publisher.send_until(lambda: len(publisher.refused) >= 5, padding=10_000)
        check_refusals(publisher)
        for_ever = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        resource.prlimit(homing.process.pid, resource.RLIMIT_FSIZE, for_ever)
        before = len(publisher.accepted)
        await publisher.send_until(lambda: len(publisher.accepted) >= before + 20)
        await wait_until_received(receiver, publisher, 60)
        await all_delivered(tmp_path, len(publisher.accepted))
        assert received(receiver) == set(publisher.accepted)  # what was refused was not sent


async def test_killed_on_a_full_disk_it_comes_back_with_everything(tmp_path: Path) -> None:
    fast = {"lease_s": 12, "total_s": 2, "first_byte_s": 1}
    async with one_endpoint(tmp_path, **fast) as (homing, publisher, receiver):
        largest = max(path.stat().st_size for path in tmp_path.glob("homing.db*"))
        no_more = (largest + 65_536, resource.RLIM_INFINITY)
        resource.prlimit(homing.process.pid, resource.RLIMIT_FSIZE, no_more)
        await publisher.send_until(lambda: len(publisher.refused) >= 3, padding=10_000)
        homing.signal(signal.SIGKILL)
        await homing.wait()
        async with serving(tmp_path, **fast):
            await wait_until_received(receiver, publisher, 60)
            await all_delivered(tmp_path, len(publisher.accepted))
        assert received(receiver) == set(publisher.accepted)


async def test_a_file_system_without_room_is_a_503(tmp_path: Path) -> None:
    """The same on a small file system of its own, where this user may mount one."""
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "homing-test", str(small)]
    if (
        shutil.which("mount") is None
        or subprocess.run(mount, capture_output=True, timeout=120).returncode
    ):
        pytest.skip("file systems: this user may not mount one")
    try:
        async with one_endpoint(small) as (_, publisher, receiver):
            await publisher.send_until(lambda: len(publisher.refused) >= 5, padding=50_000)
            check_refusals(publisher)
            grow = ["mount", "-o", "remount,size=100m", str(small)]
            subprocess.run(grow, check=True, timeout=120)
            before = len(publisher.accepted)
            await publisher.send_until(lambda: len(publisher.accepted) >= before + 10)
            await wait_until_received(receiver, publisher, 60)
            await all_delivered(small, len(publisher.accepted))
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True, timeout=120)


@pytest.mark.postgres
async def test_a_database_that_may_only_be_read_is_a_503(tmp_path: Path, postgres_url: str) -> None:
    async with one_endpoint(tmp_path, database_url=postgres_url) as (_, publisher, receiver):
        await publisher.send(20)
        await set_read_only(postgres_url, "on")
        await publisher.send_until(lambda: len(publisher.refused) >= 5)
        check_refusals(publisher)
        await set_read_only(postgres_url, "off")
        before = len(publisher.accepted)
        await publisher.send_until(lambda: len(publisher.accepted) >= before + 20)
        await wait_until_received(receiver, publisher, 60)
        await all_delivered(tmp_path, len(publisher.accepted), database_url=postgres_url)


async def set_read_only(url: str, value: str) -> None:
    """For every session from now on; those that exist end."""
    connection = await asyncpg.connect(
        url, server_settings={"default_transaction_read_only": "off"}
    )
    name = await connection.fetchval("SELECT quote_ident(current_database())")
    await connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = {value}")
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    await connection.close()


@pytest.mark.slow
@pytest.mark.postgres
async def test_a_database_that_is_restarted_in_mid_load_loses_nothing(
    tmp_path: Path, postgres_url: str, postgres_server: Server
) -> None:
    if f":{postgres_server.port}/" not in postgres_url:
        pytest.skip("postgres: the server in HOMING_TEST_POSTGRES is not ours to restart")
    fast = {"lease_s": 12, "total_s": 2, "first_byte_s": 1, "database_url": postgres_url}
    async with one_endpoint(tmp_path, **fast) as (_, publisher, receiver):
        load = asyncio.create_task(publisher.send_until(lambda: len(publisher.accepted) >= 400))
        for how in (signal.SIGQUIT, signal.SIGINT):  # a crash, and an orderly restart
            await asyncio.sleep(0.4)
            await asyncio.to_thread(postgres_server.halt, how)
            postgres_server.launch()
        await load
        await wait_until_received(receiver, publisher, 60)
        await all_delivered(tmp_path, len(set(publisher.accepted)), database_url=postgres_url)


@pytest.mark.slow
async def test_a_clock_that_is_set_back_an_hour_and_forth_again_loses_nothing(
    tmp_path: Path, missing: Callable[[str, str], NoReturn], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was due later than the new time waits for it; what comes is delivered at once."""
    library = next((path for path in _FAKETIME if Path(path).exists()), None)
    if library is None:
        missing("faketime", "the library is not installed (Debian: libfaketime)")
    told = tmp_path / "time"

    def tell(shift: str) -> None:
        """In one step: the library reads it at any moment."""
        (tmp_path / "new").write_text(shift)
        (tmp_path / "new").replace(told)

    tell("+0")
    for name, value in {
        "LD_PRELOAD": library,
        "FAKETIME_TIMESTAMP_FILE": str(told),
        "FAKETIME_NO_CACHE": "1",
        "DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DONT_RESET": "1",
    }.items():
        monkeypatch.setenv(name, value)
    async with one_endpoint(tmp_path, retry_delays_s="1,1,1,1") as (_, publisher, receiver):
        await publisher.send(10)
        await wait_until_received(receiver, publisher, 60)
        receiver.script("/hook", *[respond(503)] * 10, respond(200))
        await publisher.send(10)  # each is refused, and due again in a second …
        await receiver.wait_for(20)
        tell("-3600")  # … which is an hour away now
        fresh = Publisher(publisher.shop)
        await fresh.send(20)
        await wait_until_received(receiver, fresh, 60)
        report = await audit(tmp_path)
        assert report["balanced"]
        tell("+0")
        await wait_until_received(receiver, publisher, 60)
        publisher.accepted += fresh.accepted
        await all_delivered(tmp_path, len(publisher.accepted))
        assert received(receiver) == set(publisher.accepted)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.slow
async def test_sigkill_at_any_moment_loses_nothing_that_was_accepted(
    tmp_path: Path, seed: int
) -> None:
    """Killed at moments spread over the life of a message, from its first byte to its answer."""
    fast = {"lease_s": 12, "total_s": 2, "first_byte_s": 1}
    accepted: set[str] = set()
    async with Receiver() as receiver:
        receiver.otherwise = respond(200, delay_s=0.02)
        for step in range(8):
            async with serving(tmp_path, **fast) as homing, shop(homing, tmp_path) as publisher:
                if not accepted:
                    await publisher.add_endpoint(receiver.url("/hook"))
                burst = [asyncio.create_task(publisher.send(number)) for number in range(20)]
                await asyncio.sleep(0.004 * (step + 8 * seed))
                if step == 7:  # once at least it is killed with answers given
                    await asyncio.wait(burst, return_when=asyncio.FIRST_COMPLETED)
                homing.signal(signal.SIGKILL)
                await homing.wait()
                for answer in await asyncio.gather(*burst, return_exceptions=True):
                    if isinstance(answer, str):
                        accepted.add(answer)
                    else:
                        assert isinstance(answer, httpx.TransportError), answer
                assert (await audit(tmp_path))["balanced"]
        async with serving(tmp_path, **fast), asyncio.timeout(60):
            while not accepted <= received(receiver):
                await asyncio.sleep(0.2)
    assert accepted
