"""`homing serve` as a process: start, deliver, drain, die and come back."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path

import httpx
from support.processes import audit, run, serving, shop
from support.receiver import Receiver, respond


async def test_a_fresh_folder_serves_delivers_and_stops_with_exit_code_0(tmp_path: Path) -> None:
    async with Receiver() as receiver, serving(tmp_path) as homing:
        receiver.script("/hook", respond(503), respond(200))
        async with shop(homing, tmp_path) as publisher:
            await publisher.add_endpoint(receiver.url("/hook"))
            message_id = await publisher.send(1)
            await receiver.wait_for(2)
        assert {r.headers["webhook-id"] for r in receiver.requests} == {message_id}
        assert json.loads(receiver.requests[1].body) == {"number": 1}
        homing.signal(signal.SIGTERM)
        assert await homing.wait() == 0
    report = await audit(tmp_path)
    assert report["balanced"]
    assert report["total"]["delivered"] == 1


async def test_sigterm_finishes_what_is_in_flight(tmp_path: Path) -> None:
    release = asyncio.Event()

    async def held(exchange: object) -> bool:
        await release.wait()
        return await respond(200)(exchange)  # type: ignore[arg-type]

    async with Receiver() as receiver, serving(tmp_path, drain_s=20) as homing:
        receiver.script("/hook", held)
        async with shop(homing, tmp_path) as publisher:
            await publisher.add_endpoint(receiver.url("/hook"))
            for number in range(5):
                await publisher.send(number)
            await receiver.wait_for(5)
        homing.signal(signal.SIGTERM)
        await homing.wait_for_line("draining")
        release.set()
        assert await homing.wait() == 0
    report = await audit(tmp_path)
    assert (report["total"]["delivered"], len(receiver.requests)) == (5, 5)


async def test_sigkill_and_a_restart_lose_nothing(tmp_path: Path) -> None:
    fast = {"lease_s": 12, "total_s": 2, "first_byte_s": 1}
    async with Receiver() as receiver:
        receiver.script("/hook", respond(200))
        async with serving(tmp_path, **fast) as homing, shop(homing, tmp_path) as publisher:
            await publisher.add_endpoint(receiver.url("/hook"))
            accepted = [await publisher.send(number) for number in range(50)]
            burst = [asyncio.create_task(publisher.send(number)) for number in range(50, 150)]
            await asyncio.wait(burst, return_when=asyncio.FIRST_COMPLETED)
            homing.signal(signal.SIGKILL)
            await homing.wait()
            for answer in await asyncio.gather(*burst, return_exceptions=True):
                if isinstance(answer, str):
                    accepted.append(answer)
                else:
                    assert isinstance(answer, httpx.TransportError), answer
        assert (await audit(tmp_path))["balanced"]
        async with serving(tmp_path, **fast) as homing, asyncio.timeout(60):
            while not _all_finished(report := await audit(tmp_path)):
                await asyncio.sleep(0.5)
    assert report["balanced"]
    received = {r.headers["webhook-id"] for r in receiver.requests}
    assert set(accepted) <= received, "what was answered 2xx has arrived"


def _all_finished(report: dict[str, object]) -> bool:
    total = report["total"]
    assert isinstance(total, dict)
    return bool(total["accepted"] == total["delivered"])


async def test_the_probes_say_what_is_going_on(tmp_path: Path) -> None:
    async with serving(tmp_path) as homing, httpx.AsyncClient(trust_env=False) as http:
        ready = await http.get(f"{homing.url}/ready")
        assert (ready.status_code, ready.json()["status"]) == (200, "ready")
        metrics = (await http.get(f"{homing.url}/metrics")).text
        assert "homing_messages_accepted_total 0.0" in metrics
        assert 'homing_attempts_total{reason="ok"} 0.0' in metrics


async def test_a_taken_port_is_one_sentence_and_exit_code_2(tmp_path: Path) -> None:
    async with serving(tmp_path) as homing:
        taken = homing.url.removeprefix("http://")
        code, out, err = await run(tmp_path, "serve", "--listen", taken)
    assert (code, out) == (2, "")
    assert err.startswith(f"homing: cannot listen on {taken}: Address already in use")
    assert "Traceback" not in err


async def test_json_logs_are_one_object_a_line(tmp_path: Path) -> None:
    async with serving(tmp_path, log_format="json", listen="127.0.0.1:0") as homing:
        homing.signal(signal.SIGTERM)
        assert await homing.wait() == 0
    lines = [json.loads(line) for line in homing.log]
    assert {"at", "level", "logger", "message", "process"} <= lines[0].keys()
    assert [line["message"] for line in lines][-1] == "stopped"
