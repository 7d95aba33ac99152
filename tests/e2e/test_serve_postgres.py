"""The same service on PostgreSQL: workers, a dispatcher beside them, the doctor."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path

import pytest
from support.processes import audit, environment, run, serving, shop
from support.receiver import Receiver, respond

pytestmark = pytest.mark.postgres


async def test_two_workers_deliver_and_the_books_balance(
    tmp_path: Path, postgres_empty_url: str
) -> None:
    async with (
        Receiver() as receiver,
        serving(tmp_path, "--workers", "2", database_url=postgres_empty_url) as homing,
        shop(homing, tmp_path) as publisher,
    ):
        receiver.script("/hook", respond(200))
        await publisher.add_endpoint(receiver.url("/hook"))
        accepted = set(await asyncio.gather(*(publisher.send(n) for n in range(50))))
        await receiver.wait_for(50)
        homing.signal(signal.SIGTERM)
        assert await homing.wait() == 0
    assert {r.headers["webhook-id"] for r in receiver.requests} == accepted
    report = await audit(tmp_path, database_url=postgres_empty_url)
    assert (report["balanced"], report["total"]["delivered"]) == (True, 50)


async def test_a_dispatcher_without_an_api_takes_over_what_is_left(
    tmp_path: Path, postgres_empty_url: str
) -> None:
    """The service is killed after it accepted and before it could send: somebody else must."""
    fast = {"lease_s": 12, "total_s": 2, "first_byte_s": 1}
    hang = asyncio.Event()

    async def hangs(exchange: object) -> bool:
        await hang.wait()
        return False

    async with Receiver() as receiver:
        receiver.script("/hook", hangs)
        async with (
            serving(tmp_path, database_url=postgres_empty_url, **fast) as homing,
            shop(homing, tmp_path) as publisher,
        ):
            await publisher.add_endpoint(receiver.url("/hook"))
            message_id = await publisher.send(1)
            await receiver.wait_for(1)
            homing.signal(signal.SIGKILL)
            await homing.wait()
        receiver.script("/hook", respond(200))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "homing.cli", "dispatch"),
            cwd=tmp_path,
            env=environment(postgres_empty_url, **fast),
        )
        await receiver.wait_for(2, within_s=60)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 60) == 0
        hang.set()
    assert receiver.requests[1].headers["webhook-id"] == message_id
    report = await audit(tmp_path, database_url=postgres_empty_url)
    assert report["total"]["delivered"] == 1


async def test_the_doctor_asks_the_database_for_its_clock_and_its_durability(
    tmp_path: Path, postgres_url: str
) -> None:
    code, out, err = await run(tmp_path, "doctor", "--json", database_url=postgres_url)
    saw = {finding["check"]: finding["saw"] for finding in json.loads(out)}
    assert "the database's clock" in saw["clock"], err
    assert "PostgreSQL" in saw["durability"]
    assert code in (0, 1)


async def test_a_database_that_is_away_is_one_sentence(tmp_path: Path) -> None:
    url = "postgresql://nobody@127.0.0.1:1/homing"
    code, out, err = await run(tmp_path, "serve", database_url=url)
    assert (code, out) == (2, "")
    assert "Traceback" not in err
    code, out, _ = await run(tmp_path, "doctor", "--json", database_url=url)
    assert code == 1
    assert [f["check"] for f in json.loads(out) if not f["is_fine"]] == ["database"]
