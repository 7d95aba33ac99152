"""The receiving end of a chaos run: one byte a delivery, so that a million fit anywhere.

A process of its own, on one address; endpoint e is the path /e/e. SIGTERM ends it, and it writes
what it saw. `GET /so-far` tells the count of distinct deliveries answered 2xx.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import signal
import time
from array import array
from pathlib import Path
from typing import cast

import msgspec
import uvloop

from bench.chaos.layout import REFUSALS, Layout
from bench.receiver import length_of, open_files_max

_OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-type: text/plain\r\n\r\nok"
_BUSY = b"HTTP/1.1 503 Busy\r\ncontent-length: 4\r\ncontent-type: text/plain\r\n\r\nbusy"
_NUMBER = b'"number":'
_STRAYS_MAX = 1_000
_COUNT_MAX = 255


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How requests are answered."""

    layout: Layout
    host: str
    run: str  #: named in each payload: what is of another run is a stray
    hold_s: float = 0.0  #: before each answer
    flaky: float = 0.0  #: share of requests to working endpoints that are answered 503
    seed: int = 0


class Report(msgspec.Struct, kw_only=True):
    """What was seen. By number of the delivery; times are µs of the machine's monotonic clock."""

    answered: bytes  #: how often answered 2xx, at most 255
    asked: bytes  #: how many requests came, at most 255
    first_us: bytes  #: array("q"): when it was first answered 2xx; 0: never
    ids: dict[int, str]  #: message number → id
    strays: list[str]
    requests: int
    connections: int


class Counting:
    """What all connections share."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.answered = bytearray()
        self.asked = bytearray()
        self.first_us = array("q")
        self.ids: dict[int, str] = {}
        self.strays: list[str] = []
        self.requests = self.connections = self.distinct = 0
        self._draw = random.Random(plan.seed).random
        self._mark = f'"run":"{plan.run}"'.encode()

    def place(self, endpoint: int, message_id: str, body: bytes) -> int | None:
        """The number of the delivery that a request is for; None: a stray."""
        self.requests += 1
        at = body.find(_NUMBER)
        if at < 0 or self._mark not in body:
            self._stray(f"{message_id} at endpoint {endpoint} is not of this run")
            return None
        at += len(_NUMBER)
        message = int(body[at : body.index(b",", at)])
        if self.ids.setdefault(message, message_id) != message_id:
            self._stray(f"message {message} came as {self.ids[message]} and {message_id}")
            return None
        number = self.plan.layout.delivery(message, endpoint)
        if number is None:
            self._stray(f"message {message} came to endpoint {endpoint}")
            return None
        if number >= len(self.asked):
            more = number + 1 + len(self.asked) // 4 - len(self.asked)
            self.answered.extend(bytes(more))
            self.asked.extend(bytes(more))
            self.first_us.extend([0] * more)
        self.asked[number] = min(_COUNT_MAX, self.asked[number] + 1)
        return number

    def answer(self, endpoint: int, number: int) -> bytes:
        """What to say; empty: nothing, for ever."""
        layout = self.plan.layout
        if endpoint in layout.hanging:
            return b""
        if endpoint in layout.failing and self.asked[number] <= REFUSALS:
            return _BUSY
        if self.plan.flaky and self._draw() < self.plan.flaky:
            return _BUSY
        return _OK

    def note_answered(self, number: int) -> None:
        # Counted although the answer may be lost on its way: at least once, then.
        if self.answered[number] == 0:
            self.distinct += 1
            self.first_us[number] = time.monotonic_ns() // 1_000
        self.answered[number] = min(_COUNT_MAX, self.answered[number] + 1)

    def report(self) -> Report:
        return Report(
            answered=bytes(self.answered),
            asked=bytes(self.asked),
            first_us=self.first_us.tobytes(),
            ids=self.ids,
            strays=self.strays,
            requests=self.requests,
            connections=self.connections,
        )

    def _stray(self, what: str) -> None:
        if len(self.strays) < _STRAYS_MAX:
            self.strays.append(what)


class Answering(asyncio.Protocol):
    """One connection, kept alive; it reads just as much HTTP as its sender speaks."""

    def __init__(self, counting: Counting) -> None:
        self._counting = counting
        self._held = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one only by its ways
        self._counting.connections += 1

    def data_received(self, data: bytes) -> None:
        if self._held:
            data = self._held + data
        head_bytes = data.find(b"\r\n\r\n") + 4
        if head_bytes < 4:
            self._held = data
            return
        if data.startswith(b"GET /so-far"):
            self._tell()
            return
        if len(data) < head_bytes + length_of(data):
            self._held = data
            return
        self._held = b""
        endpoint = int(data[8 : data.index(b" ", 8)])
        at = data.find(b"\r\nwebhook-id: ") + 14
        message_id = data[at : data.index(b"\r", at)].decode()
        counting = self._counting
        number = counting.place(endpoint, message_id, data[head_bytes:])
        if number is None:
            self._write(_OK)
            return
        answer = counting.answer(endpoint, number)
        if answer and counting.plan.hold_s:
            loop = asyncio.get_running_loop()
            loop.call_later(counting.plan.hold_s, self._answer, answer, number)
        elif answer:
            self._answer(answer, number)

    def _answer(self, answer: bytes, number: int) -> None:
        if self._transport.is_closing():
            return
        if answer is _OK:
            self._counting.note_answered(number)
        self._write(answer)

    def _write(self, answer: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(answer)

    def _tell(self) -> None:
        self._held = b""
        said = str(self._counting.distinct).encode()
        self._write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(said), said))


async def receive(plan: Plan, report: Path) -> None:
    """Listen until SIGTERM, then write the report."""
    loop = asyncio.get_running_loop()
    counting = Counting(plan)
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    server = await loop.create_server(lambda: Answering(counting), plan.host, 0, backlog=4_096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await stop.wait()
    server.close()
    report.write_bytes(msgspec.msgpack.encode(counting.report()))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--plan", type=Path, required=True, help="a Plan as JSON")
    arguments.add_argument("--report", type=Path, required=True)
    options = arguments.parse_args()
    open_files_max()
    plan = msgspec.json.decode(options.plan.read_bytes(), type=Plan)
    uvloop.run(receive(plan, options.report))


if __name__ == "__main__":
    main()
