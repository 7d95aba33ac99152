"""How fast and how heavy the sender is: requests per second, CPU and memory per request.

    PYTHONPATH=src python bench/sender.py                 # all of it, about half a minute
    PYTHONPATH=src python bench/sender.py --requests 5000 --slow 1000

The receiver, which answers 200 to anything, is a process of its own, on a core of its own where
there are two. Each request is signed (HMAC-SHA256, 600 bytes) and goes over keep-alive connections.
Figures vary with the machine and its hour; what can be compared are the ratios within one run.
"""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import os
import resource
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import contextmanager
from pathlib import Path

import uvloop

from homing.core.outcome import Reason
from homing.core.ports import Request
from homing.core.resources import Endpoint, Secret
from homing.core.sealing import Seals, secret_place
from homing.core.signature import HeaderStyle, generate_secret
from homing.dispatch.connection import Deadlines
from homing.dispatch.egress import Egress
from homing.dispatch.envelope import build_request, prepare
from homing.dispatch.sender import HttpSender

BODY = b'{"amount": 4200, "currency": "EUR", "padding": "' + b"x" * 550 + b'"}'
AT_US = 1_767_225_600_000_000
LOOPBACK = ipaddress.ip_network("127.0.0.0/8")


class _Answering(asyncio.Protocol):
    """200 to every request of a known length; on path /slow only after `hold_s`."""

    hold_s = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.held = b""

    def data_received(self, data: bytes) -> None:
        self.held += data
        head_bytes = self.held.find(b"\r\n\r\n") + 4
        if head_bytes < 4:
            return
        at = self.held.lower().find(b"content-length:") + 15
        length = int(self.held[at : self.held.find(b"\r\n", at)])
        if len(self.held) < head_bytes + length:
            return
        is_slow = self.held.startswith(b"POST /slow")
        self.held = b""
        asyncio.get_running_loop().call_later(self.hold_s, self.answer) if is_slow else (
            self.answer()
        )

    def answer(self) -> None:
        self.transport.write(  # type: ignore[attr-defined]
            b"HTTP/1.1 200 OK\r\nserver: bench\r\ncontent-type: text/plain\r\n"
            b"content-length: 2\r\n\r\nok"
        )


async def receive(hold_s: float) -> None:
    _Answering.hold_s = hold_s
    server = await asyncio.get_running_loop().create_server(
        _Answering, "127.0.0.1", 0, backlog=4096
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)  # until the parent ends


@contextmanager
def receiver(hold_s: float):
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__)), "--receive", str(hold_s)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield int(process.stdout.readline())
    finally:
        process.communicate("", timeout=10)


def requests_to(port: int, path: str) -> Callable[[int], Request]:
    seals = Seals("a secret of the benches")
    key = seals.seal(generate_secret(bytes(24)), secret_place("ep_1"), nonce=bytes(12))
    endpoint = Endpoint(
        scope="app_1",
        id="ep_1",
        org_id="org_1",
        url=f"http://127.0.0.1:{port}{path}",
        secrets=(Secret(key=key),),
        created_at_us=AT_US,
        updated_at_us=AT_US,
    )
    envelope = prepare(endpoint, HeaderStyle.WEBHOOK, "Homing/bench", seals.open)
    return lambda number: build_request(envelope, f"msg_{number:027d}", BODY, AT_US)


async def keep_busy(count: int, in_flight: int, one: Callable[[int], Awaitable[None]]) -> None:
    numbers = iter(range(count))

    async def worker() -> None:
        for number in numbers:
            await one(number)

    await asyncio.gather(*(worker() for _ in range(in_flight)))


async def measure(
    name: str, count: int, in_flight: int, one: Callable[[int], Awaitable[None]]
) -> float:
    await keep_busy(min(count, in_flight * 2), in_flight, one)  # connections open, caches warm
    wall, cpu = time.perf_counter(), time.process_time()
    await keep_busy(count, in_flight, one)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(
        f"{name:<28} {in_flight:>6} in flight  {count / wall:>9,.0f} requests/s"
        f"  {cpu / count * 1e6:>8.1f} µs CPU"
    )
    return cpu / count


async def speed(count: int, rounds: int) -> None:
    with receiver(0.0) as port:
        make = requests_to(port, "/fast")
        sender = HttpSender(Egress([LOOPBACK]))

        async def ours(number: int) -> None:
            outcome = await sender.send(make(number))
            assert outcome.reason is Reason.OK, outcome

        best: dict[int, float] = {}
        for in_flight in (64, 512):
            best[in_flight] = min(
                [await measure("homing", count, in_flight, ours) for _ in range(rounds)]
            )
        await sender.close()
        for name, compare in (("httpx", with_httpx), ("aiohttp", with_aiohttp)):
            theirs = await compare(make, max(200, count // 20))
            if theirs is not None:
                print(f"{'':<28} {name} takes {theirs / best[64]:.1f} times the CPU at 64")


async def with_httpx(make: Callable[[int], Request], count: int) -> float | None:
    import httpx

    async with httpx.AsyncClient(limits=httpx.Limits(max_connections=64)) as client:

        async def one(number: int) -> None:
            request = make(number)
            response = await client.post(
                request.url, content=request.body, headers=list(request.headers)
            )
            assert response.status_code == 200

        return await measure("httpx", count, 64, one)


async def with_aiohttp(make: Callable[[int], Request], count: int) -> float | None:
    try:
        import aiohttp
    except ImportError:
        print("aiohttp: not installed, not compared")
        return None
    async with aiohttp.ClientSession() as session:

        async def one(number: int) -> None:
            request = make(number)
            async with session.post(
                request.url, data=request.body, headers=list(request.headers)
            ) as response:
                await response.read()
                assert response.status == 200

        return await measure("aiohttp", count, 64, one)


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


async def memory(count: int) -> None:
    """What `count` requests in flight to a slow receiver cost."""
    with receiver(10.0) as port:
        make = requests_to(port, "/slow")
        patient = Deadlines(connect_s=30, first_byte_s=60, total_s=120)
        sender = HttpSender(Egress([LOOPBACK]), deadlines=patient)
        before = resident_bytes()
        tasks = [asyncio.create_task(sender.send(make(number))) for number in range(count)]
        while sender.open_connections < count:
            await asyncio.sleep(0.05)
        cpu = time.process_time()
        await asyncio.sleep(1.0)
        cpu = time.process_time() - cpu
        held = resident_bytes() - before
        outcomes = await asyncio.gather(*tasks)
        reasons = {str(outcome.reason) for outcome in outcomes}
        await sender.close()
    print(
        f"{count:,} slow requests in flight: {held / 2**20:.0f} MiB more, "
        f"{held / count / 1024:.1f} KiB each (request of {len(BODY)} bytes and task included); "
        f"{cpu * 100:.1f}% of a core to watch their deadlines; outcomes {sorted(reasons)}"
    )


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--requests", type=int, default=40_000)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--slow", type=int, default=10_000, help="requests held in flight")
    arguments.add_argument("--loop", choices=("uvloop", "asyncio"), default="uvloop")
    arguments.add_argument("--receive", type=float, help=argparse.SUPPRESS)
    options = arguments.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    run = uvloop.run if options.loop == "uvloop" else asyncio.run
    os.sched_setaffinity(0, {0 if options.receive is not None else (os.cpu_count() or 1) - 1})
    if options.receive is not None:
        uvloop.run(receive(options.receive))
        return
    run(speed(options.requests, options.rounds))
    if options.slow:
        run(memory(options.slow))


if __name__ == "__main__":
    main()
