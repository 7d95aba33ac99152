"""The publishing end of a chaos run: numbered messages, in batches, to every node.

Each message has an event id made of its number, so that sending it again can only be the same
message. A batch whose answer is not known is sent again until it is known, but for one in ten: a
publisher that gave up never knows, and neither may the count. After SIGTERM nothing new is sent.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import time
from collections import deque
from pathlib import Path

import httpx
import msgspec
import uvloop

from bench.chaos.layout import Layout
from bench.receiver import open_files_max

#: between a failure and the next try, seconds
_AGAIN_S = 0.3
#: an answer that takes longer counts as unknown, seconds
_ANSWER_MAX_S = 8.0
#: one batch in this many is not sent again
_GIVES_UP = 10
_PAYLOAD_BYTES = 600


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent, and how."""

    layout: Layout
    urls: tuple[str, ...]
    app: str
    token: str
    run: str
    messages: int
    batch: int = 50
    rate: float = 0.0  #: messages per second; 0: as fast as they are taken
    connections: int = 4  #: to each node


class Report(msgspec.Struct, kw_only=True):
    """What a publisher saw. Times are µs of the machine's monotonic clock."""

    #: message number → (id, when it was known to be accepted)
    ok: dict[int, tuple[str, int]] = {}
    fail: list[int] = []
    #: sent at least once, and nobody knows
    info: list[int] = []
    tries: int = 0
    #: why a try told nothing → how often
    silences: dict[str, int] = {}
    began_us: int = 0
    ended_us: int = 0


class Source:
    """Runs one plan."""

    def __init__(self, plan: Plan, progress: Path) -> None:
        self.plan = plan
        self.report = Report()
        self.stopping = False
        self._progress = progress
        self._numbers = iter(range(0, plan.messages, plan.batch))
        self._again: deque[range] = deque()
        self._open = 0
        filler = "x" * (_PAYLOAD_BYTES - 70)
        self._rest = f'"run":"{plan.run}","amount":4200,"filler":"{filler}"'

    async def run(self) -> Report:
        self.report.began_us = _now_us()
        async with asyncio.TaskGroup() as group:
            writer = group.create_task(self._write_progress())
            senders = [
                group.create_task(self._send_on(url))
                for url in self.plan.urls
                for _ in range(self.plan.connections)
            ]
            await asyncio.wait(senders)
            writer.cancel()
        self.report.ended_us = _now_us()
        return self.report

    async def _send_on(self, url: str) -> None:
        """One connection's work."""
        path = f"{url}/api/v1/app/{self.plan.app}/msg/batch"
        headers = {
            "authorization": f"Bearer {self.plan.token}",
            "content-type": "application/json",
        }
        async with httpx.AsyncClient(
            headers=headers, timeout=_ANSWER_MAX_S, trust_env=False
        ) as http:
            while True:
                batch = await self._next()
                if batch is None:
                    return
                self._open += 1
                try:
                    await self._send(http, path, batch)
                finally:
                    self._open -= 1

    async def _next(self) -> range | None:
        """What to send now; None: nothing more."""
        while True:
            if self._again:
                return self._again.popleft()
            if not self.stopping:
                start = next(self._numbers, None)
                if start is not None:
                    await self._pace(start)
                    return range(start, min(start + self.plan.batch, self.plan.messages))
            if not self._open and not self._again:
                return None
            await asyncio.sleep(0.05)

    async def _pace(self, start: int) -> None:
        if self.plan.rate:
            due_us = self.report.began_us + start * 1_000_000 / self.plan.rate
            await asyncio.sleep(max(0.0, (due_us - _now_us()) / 1_000_000))

    async def _send(self, http: httpx.AsyncClient, path: str, batch: range) -> None:
        self.report.tries += 1
        try:
            answer = await http.post(path, content=self._body(batch))
        except (httpx.ConnectError, httpx.ConnectTimeout):
            # Nothing was sent, so there is nothing that is not known.
            await asyncio.sleep(_AGAIN_S)
            self._again.append(batch)
            return
        except httpx.HTTPError as error:
            await self._unknown(batch, type(error).__name__)
            return
        if answer.status_code == 202:
            await self._read(batch, answer.content)
        elif answer.status_code < 500 and answer.status_code not in (409, 429):
            raise SystemExit(f"the bench is wrong: {answer.status_code} {answer.text[:300]}")
        else:
            await self._unknown(batch, str(answer.status_code))

    async def _read(self, batch: range, content: bytes) -> None:
        now_us = _now_us()
        left = []
        for number, item in zip(batch, json.loads(content)["data"], strict=True):
            if item["status"] == 202:
                self.report.ok[number] = (item["id"], now_us)
            elif item["status"] < 500 and item["status"] not in (409, 429):
                self.report.fail.append(number)
            else:
                left.append(number)
        if left:
            # Their neighbours are the same messages when they are sent again.
            await self._unknown(batch, f"item {len(left)} of {len(batch)}")

    async def _unknown(self, batch: range, why: str) -> None:
        self.report.silences[why] = self.report.silences.get(why, 0) + 1
        if (batch.start // self.plan.batch) % _GIVES_UP == 0:
            self.report.info += [n for n in batch if n not in self.report.ok]
            return
        await asyncio.sleep(_AGAIN_S)
        self._again.append(batch)

    def _body(self, batch: range) -> str:
        items = [
            f'{{"eventType":"group.{self.plan.layout.group_of(n)}",'
            f'"eventId":"{self.plan.run}-{n}","payload":{{"number":{n},{self._rest}}}}}'
            for n in batch
        ]
        return f'{{"messages":[{",".join(items)}]}}'

    async def _write_progress(self) -> None:
        while True:
            self._progress.write_text(f"{len(self.report.ok)}\n")
            await asyncio.sleep(0.5)


def _now_us() -> int:
    return time.monotonic_ns() // 1_000


async def publish(plan: Plan, report: Path) -> None:
    source = Source(plan, report.with_suffix(".so-far"))

    def stop() -> None:
        source.stopping = True

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop)
    report.write_bytes(msgspec.json.encode(await source.run()))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--plan", type=Path, required=True, help="a Plan as JSON")
    arguments.add_argument("--report", type=Path, required=True)
    options = arguments.parse_args()
    open_files_max()
    plan = msgspec.json.decode(options.plan.read_bytes(), type=Plan)
    uvloop.run(publish(plan, options.report))


if __name__ == "__main__":
    main()
