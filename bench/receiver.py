"""The receiving end of a bench: counts what arrives, and answers as it is told to.

Runs until SIGTERM, then writes its report. As a process of its own:

    python -m bench.receiver --report FILE [--delay-s 0.1] [--fail 503=0.05] [--hang 0.001] …

It prints the port it listens on. Every path is an endpoint of its own; a path that begins with
`/doomed` is answered 500, always.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import resource
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import cast

import msgspec
import uvloop

_ANSWERS = {
    status: (
        f"HTTP/1.1 {status} As Planned\r\ncontent-length: 2\r\ncontent-type: text/plain\r\n\r\nok"
    ).encode()
    for status in range(200, 600)
}


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How requests are answered."""

    delay_s: float = 0.0  #: before each answer
    failures: tuple[tuple[int, float], ...] = ()  #: (status, share of requests answered with it)
    hang: float = 0.0  #: share of requests that get no answer; the connection stays open
    seed: int = 0


class Receipt(msgspec.Struct, array_like=True):
    """One message at one path. Times are microseconds of the machine's monotonic clock."""

    first_us: int  #: when the first request for it had arrived
    requests: int  #: how many came
    answered: int  #: how many of them were answered 2xx


class Report(msgspec.Struct, kw_only=True):
    """What a receiver saw."""

    #: path → message id → receipt
    receipts: dict[str, dict[str, Receipt]]
    requests: int = 0
    connections: int = 0
    in_flight_max: int = 0
    last_us: int = 0  #: when the last request had arrived


class Counting:
    """What all connections of one receiver share."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.report = Report(receipts={})
        self.in_flight = 0
        self._draw = random.Random(plan.seed).random
        self._plain = not plan.failures and not plan.hang

    def status(self, path: str) -> int:
        """What to answer; 0: nothing at all."""
        if path.startswith("/doomed"):
            return 500
        if self._plain:
            return 200
        drawn = self._draw()
        for status, share in (*self.plan.failures, (0, self.plan.hang)):
            if drawn < share:
                return status
            drawn -= share
        return 200


class Answering(asyncio.Protocol):
    """One connection, kept alive.

    It reads just as much HTTP as its sender speaks (one request at a time, with a length), because
    it shares the processor with what is measured.
    """

    def __init__(self, counting: Counting) -> None:
        self._counting = counting
        self._held = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one only by its ways
        self._counting.report.connections += 1

    def data_received(self, data: bytes) -> None:
        if self._held:
            data = self._held + data
        head_bytes = data.find(b"\r\n\r\n") + 4
        if head_bytes < 4 or len(data) < head_bytes + length_of(data):
            self._held = data
            return
        self._held = b""
        path = data[5 : data.index(b" ", 5)].decode()
        at = max(data.find(b"\r\nwebhook-id: ") + 14, data.find(b"\r\nsvix-id: ") + 11)
        self._count(path, data[at : data.index(b"\r", at)].decode())

    def _count(self, path: str, message_id: str) -> None:
        counting = self._counting
        report = counting.report
        report.requests += 1
        report.last_us = now_us = time.monotonic_ns() // 1_000
        status = counting.status(path)
        receipts = report.receipts.get(path)
        if receipts is None:
            receipts = report.receipts[path] = {}
        receipt = receipts.get(message_id)
        if receipt is None:
            receipt = receipts[message_id] = Receipt(now_us, 0, 0)
        receipt.requests += 1
        counting.in_flight += 1
        if counting.in_flight > report.in_flight_max:
            report.in_flight_max = counting.in_flight
        if counting.plan.delay_s:
            asyncio.get_running_loop().call_later(
                counting.plan.delay_s, self._answer, status, receipt
            )
        else:
            self._answer(status, receipt)

    def _answer(self, status: int, receipt: Receipt) -> None:
        self._counting.in_flight -= 1
        if status == 0 or self._transport.is_closing():
            return
        if status < 300:
            # Counted as answered although the answer may be lost on its way: at least once, then.
            receipt.answered += 1
        self._transport.write(_ANSWERS[status])


def length_of(data: bytes) -> int:
    """Of the body, from the head."""
    at = data.lower().index(b"content-length:") + 15
    return int(data[at : data.index(b"\r", at)])


async def receive(plan: Plan, report: Path, port: int = 0) -> None:
    """Listen until SIGTERM or SIGINT, then write the report."""
    loop = asyncio.get_running_loop()
    counting = Counting(plan)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    # A look at the counters on the way, for whoever waits for the last delivery.
    loop.add_signal_handler(
        signal.SIGUSR1, lambda: report.with_suffix(".so-far").write_text(_so_far(counting))
    )
    server = await loop.create_server(lambda: Answering(counting), "127.0.0.1", port, backlog=4_096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await stop.wait()
    server.close()
    report.write_bytes(msgspec.json.encode(counting.report))


def _so_far(counting: Counting) -> str:
    distinct = sum(len(receipts) for receipts in counting.report.receipts.values())
    return f"{distinct} {counting.in_flight}\n"


def open_files_max() -> None:
    """Allow this process as many sockets as it may have."""
    with suppress(ValueError, OSError):
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--report", type=Path, required=True)
    arguments.add_argument("--port", type=int, default=0)
    arguments.add_argument("--delay-s", type=float, default=0.0)
    arguments.add_argument("--fail", action="append", default=[], metavar="STATUS=SHARE")
    arguments.add_argument("--hang", type=float, default=0.0, metavar="SHARE")
    arguments.add_argument("--seed", type=int, default=0)
    options = arguments.parse_args()
    failures = [text.partition("=") for text in options.fail]
    plan = Plan(
        delay_s=options.delay_s,
        failures=tuple((int(status), float(share)) for status, _, share in failures),
        hang=options.hang,
        seed=options.seed,
    )
    open_files_max()
    uvloop.run(receive(plan, options.report, options.port))


if __name__ == "__main__":
    main()
