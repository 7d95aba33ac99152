"""The publishing end of a bench: sends messages as fast as they are taken, or at a fixed rate.

Each message has a number and an idempotency key made of it. Where the answer is not known (the
connection broke, the service said 5xx) the same message is sent again with the same key, as every
SDK does, until it is answered 2xx or the run ends.

    python -m bench.load --report FILE --token … --app … --count 1000 http://127.0.0.1:8000 …
"""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import msgspec
import uvloop

from bench.receiver import length_of, open_files_max

#: waits before the same message is sent again, seconds: short, since a killed node is soon back
_AGAIN_S = 0.2
#: an answer that takes longer counts as unknown, seconds
_ANSWER_MAX_S = 30.0
_TICK_S = 0.001
#: bytes of the whole payload, as in the bars
PAYLOAD_BYTES = 600


class Sent(msgspec.Struct, array_like=True):
    """One accepted message. Times are microseconds of the machine's monotonic clock."""

    number: int
    id: str
    due_us: int  #: when it was to be sent: waiting for a free connection counts
    answered_us: int  #: when the 2xx had arrived
    tries: int


class Report(msgspec.Struct, kw_only=True):
    """What a publisher saw."""

    sent: list[Sent]
    refused: dict[str, int]  #: status, or "broken" → answers of that kind, each followed by a retry
    unresolved: list[int]  #: numbers of messages whose fate the publisher does not know
    began_us: int
    ended_us: int
    cpu_s: float = 0.0


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent, and how."""

    urls: tuple[str, ...]
    app: str
    token: str
    count: int
    event_types: tuple[str, ...] = ("payment.captured",)  #: taken in turn, by number
    connections: int = 64
    rate: float = 0.0  #: messages per second; 0: each connection sends the next at once
    keys: bool = False  #: with idempotency keys
    first: int = 0  #: the first message's number
    seconds_max: float = 600.0


class _Id(msgspec.Struct):
    id: str


_decode = msgspec.json.Decoder(_Id).decode


class _Try:
    """One message on its way."""

    __slots__ = ("due_us", "number", "sent_us", "tries")

    def __init__(self, number: int, due_us: int) -> None:
        self.number = number
        self.due_us = due_us
        self.sent_us = 0
        self.tries = 0


class Load:
    """Runs one plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.report = Report(sent=[], refused={}, unresolved=[], began_us=0, ended_us=0)
        self._next = plan.first
        self._again: deque[_Try] = deque()
        self._due: deque[_Try] = deque()  # fixed rate: waiting for a connection
        self._left = plan.count
        self._idle: deque[_Connection] = deque()
        self._open: dict[int, _Try] = {}
        self._done = asyncio.Event()
        self._key = os.urandom(6).hex()
        filler = "x" * (PAYLOAD_BYTES - 58)
        self._heads = []
        for url in plan.urls:
            host = urlsplit(url).netloc
            self._heads.append(
                f"POST /api/v1/app/{plan.app}/msg HTTP/1.1\r\nhost: {host}\r\n"
                f"authorization: Bearer {plan.token}\r\ncontent-type: application/json\r\n"
            )
        self._bodies = [
            (
                f'{{"eventType":"{event_type}","payload":{{"number":',
                f',"amount":4200,"currency":"EUR","filler":"{filler}"}}}}',
            )
            for event_type in plan.event_types
        ]

    async def run(self) -> Report:
        loop = asyncio.get_running_loop()
        self.report.began_us = _now_us()
        connections = [
            _Connection(self, number % len(self.plan.urls))
            for number in range(self.plan.connections)
        ]
        tasks = [loop.create_task(self._watch(connections))]
        if self.plan.rate:
            tasks.append(loop.create_task(self._pace()))
        for connection in connections:
            connection.open()
        try:
            await asyncio.wait_for(self._done.wait(), self.plan.seconds_max)
        except TimeoutError:
            self.report.unresolved = sorted(self._open)
        for task in tasks:
            task.cancel()
        for connection in connections:
            connection.close()
        self.report.ended_us = _now_us()
        self.report.cpu_s = time.process_time()
        return self.report

    # ── called by connections ──

    def ready(self, connection: _Connection) -> None:
        """A connection can send."""
        one = self._take()
        if one is None:
            self._idle.append(connection)
        else:
            self._send(connection, one)

    def answered(self, one: _Try, status: int, body: bytes) -> None:
        if status < 300:
            sent = Sent(one.number, _decode(body).id, one.due_us, _now_us(), one.tries)
            self.report.sent.append(sent)
            self._open.pop(one.number, None)
            self._left -= 1
            if self._left == 0:
                self._done.set()
        else:
            self.failed(one, str(status))

    def failed(self, one: _Try, why: str) -> None:
        self.report.refused[why] = self.report.refused.get(why, 0) + 1
        if why.startswith("4") and why not in ("409", "429"):
            raise SystemExit(f"message {one.number} was refused with {why}: the bench is wrong")
        asyncio.get_running_loop().call_later(_AGAIN_S, self._queue_again, one)

    # ── inside ──

    def _queue_again(self, one: _Try) -> None:
        self._again.append(one)
        self._feed()

    def _feed(self) -> None:
        while self._idle and (self._again or self._due):
            connection = self._idle.popleft()
            if connection.is_free:
                one = self._again.popleft() if self._again else self._due.popleft()
                self._send(connection, one)

    def _take(self) -> _Try | None:
        if self._again:
            return self._again.popleft()
        if self._due:
            return self._due.popleft()
        if self.plan.rate:
            return None
        return self._new(_now_us())

    def _new(self, due_us: int) -> _Try | None:
        if self._next >= self.plan.first + self.plan.count:
            return None
        one = _Try(self._next, due_us)
        self._next += 1
        self._open[one.number] = one
        return one

    def _send(self, connection: _Connection, one: _Try) -> None:
        one.tries += 1
        one.sent_us = _now_us()
        begin, end = self._bodies[one.number % len(self._bodies)]
        body = f"{begin}{one.number:9d}{end}"
        key = f"idempotency-key: {self._key}-{one.number}\r\n" if self.plan.keys else ""
        head = f"{self._heads[connection.node]}{key}content-length: {len(body)}\r\n\r\n"
        connection.send(one, (head + body).encode())

    async def _watch(self, connections: Sequence[_Connection]) -> None:
        while True:
            await asyncio.sleep(1.0)
            for connection in connections:
                connection.give_up_if_late(_now_us())

    async def _pace(self) -> None:
        began_us, made = _now_us(), 0
        gap_us = 1_000_000 / self.plan.rate
        while made < self.plan.count:
            due = int((_now_us() - began_us) / gap_us) + 1
            while made < min(due, self.plan.count):
                one = self._new(began_us + int(made * gap_us))
                assert one is not None
                self._due.append(one)
                made += 1
            self._feed()
            await asyncio.sleep(_TICK_S)


class _Connection(asyncio.Protocol):
    """One kept-alive connection to one node; opened again when it breaks."""

    def __init__(self, load: Load, node: int) -> None:
        self._load = load
        self.node = node
        self._one: _Try | None = None
        self._transport: asyncio.Transport | None = None
        self._closed = False
        self._held = b""
        url = urlsplit(load.plan.urls[node])
        assert url.hostname is not None
        self._address = (url.hostname, url.port)

    @property
    def is_free(self) -> bool:
        return self._transport is not None and self._one is None

    def open(self) -> None:
        self._opening = asyncio.get_running_loop().create_task(self._open())

    async def _open(self) -> None:
        while not self._closed:
            try:
                await asyncio.get_running_loop().create_connection(lambda: self, *self._address)
                return
            except OSError:
                await asyncio.sleep(_AGAIN_S)

    def close(self) -> None:
        self._closed = True
        self._opening.cancel()
        if self._transport is not None:
            self._transport.abort()

    def send(self, one: _Try, content: bytes) -> None:
        assert self._one is None
        assert self._transport is not None
        self._one = one
        self._transport.write(content)

    def give_up_if_late(self, now_us: int) -> None:
        """Break the connection when its answer takes too long."""
        late_us = now_us - _ANSWER_MAX_S * 1_000_000
        if self._transport is not None and self._one is not None and self._one.sent_us < late_us:
            self._transport.abort()

    # ── asyncio.Protocol ──

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one only by its ways
        self._load.ready(self)

    def data_received(self, data: bytes) -> None:
        if self._held:
            data = self._held + data
        head_bytes = data.find(b"\r\n\r\n") + 4
        if head_bytes < 4 or len(data) < head_bytes + length_of(data):
            self._held = data
            return
        self._held = b""
        one, self._one = self._one, None
        assert one is not None
        self._load.answered(one, int(data[9:12]), data[head_bytes:])
        self._load.ready(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self._held = b""
        one, self._one = self._one, None
        if not self._closed:
            if one is not None:
                self._load.failed(one, "broken")
            self.open()


def _now_us() -> int:
    return time.monotonic_ns() // 1_000


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--plan", type=Path, required=True, help="a Plan as JSON")
    arguments.add_argument("--report", type=Path, required=True)
    options = arguments.parse_args()
    open_files_max()
    plan = msgspec.json.decode(options.plan.read_bytes(), type=Plan)
    options.report.write_bytes(msgspec.json.encode(uvloop.run(Load(plan).run())))


if __name__ == "__main__":
    main()
