"""Nothing an evil receiver does holds the sender up, fills its memory or makes it send twice."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import resource
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from support.authority import Authority
from support.deadlines import LONG_S, SLOW, deadlines_for, is_within_bounds
from support.evil_receiver import MISDEEDS, OK, EvilReceiver, Misdeed, answer, tls_misdeeds

from homing.core.outcome import Reason
from homing.core.ports import Request
from homing.dispatch.connection import Bounds, Deadlines
from homing.dispatch.egress import Egress
from homing.dispatch.sender import HttpSender

LOOPBACK = Egress([ipaddress.ip_network("127.0.0.0/8")])
TLS_NAMES = (
    "an expired certificate",
    "a certificate signed by itself",
    "a certificate of another host",
    "a protocol of 2006",
)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("evil"))


@asynccontextmanager
async def sending(authority: Authority, *reasons: Reason) -> AsyncIterator[HttpSender]:
    """A sender that leaves nothing open.

    Args:
        reasons: what its requests are expected to end with, as far as deadlines go.
    """
    tls = authority.client_context()
    sender = HttpSender(LOOPBACK, deadlines=deadlines_for(*reasons), tls=tls)
    yield sender
    await until_no_more_than_the_idle_are_open(sender)
    await sender.close()
    assert sender.open_connections == 0


async def until_no_more_than_the_idle_are_open(sender: HttpSender) -> None:
    """What is closed is gone in one of the loop's next turns."""
    async with asyncio.timeout(60):
        while sender.open_connections != sender.idle_connections:
            await asyncio.sleep(0.01)


@pytest.fixture
async def sender(authority: Authority) -> AsyncIterator[HttpSender]:
    async with sending(authority) as sender:
        yield sender


def request_to(url: str, misdeed: Misdeed) -> Request:
    return Request(url=url, headers=(), body=bytes(misdeed.body_bytes), pool="ep_1")


def test_there_are_many_ways_to_be_evil() -> None:
    assert len(MISDEEDS) + len(TLS_NAMES) >= 60


def test_the_certificates_are_those_that_are_tried(authority: Authority) -> None:
    assert set(tls_misdeeds(authority)) == set(TLS_NAMES)


@pytest.mark.parametrize("name", [*MISDEEDS, *TLS_NAMES])
async def test_an_evil_receiver(authority: Authority, name: str) -> None:
    misdeed = (MISDEEDS | tls_misdeeds(authority))[name]
    async with sending(authority, *misdeed.reasons) as sender, EvilReceiver(misdeed) as evil:
        for attempt in (1,) if misdeed.reasons & SLOW else (1, 2):
            began = time.monotonic()
            outcome = await sender.send(request_to(evil.url(), misdeed))
            took_s = time.monotonic() - began
            assert outcome.reason in misdeed.reasons, outcome
            assert outcome.status in misdeed.statuses, outcome
            assert is_within_bounds(took_s, misdeed.reasons)
            assert len(outcome.body) <= Bounds().body_bytes_max
            assert len(outcome.headers) <= 64
            assert len(outcome.detail) <= 200
            assert evil.whole_requests <= attempt  # never sent twice
            assert evil.connections <= attempt
        if not misdeed.may_be_kept:
            await evil.wait_until_left()
            assert sender.idle_connections == 0


async def test_a_kept_connection_that_was_closed_meanwhile_carries_nothing_and_nothing_is_resent(
    sender: HttpSender,
) -> None:
    misdeed = MISDEEDS["closes at once what it promised to keep"]
    async with EvilReceiver(misdeed) as evil:
        outcomes = []
        for _ in range(30):
            outcomes.append(await sender.send(request_to(evil.url(), misdeed)))
            await asyncio.sleep(0)
        # A close that crosses a request on its way is a reset, and the retry belongs to the
        # schedule. Whatever came whole was answered.
        assert {outcome.reason for outcome in outcomes} <= {Reason.OK, Reason.RESET}
        succeeded = sum(outcome.reason is Reason.OK for outcome in outcomes)
        assert evil.whole_requests == succeeded <= 30


async def test_all_of_them_at_once_over_and_over_leave_no_memory_no_sockets_and_no_tasks(
    authority: Authority,
) -> None:
    """Forty rounds of every misdeed at once: after the first ten, nothing grows."""
    # One that answers twice may leave the next request on its connection without an answer.
    deadlines = deadlines_for(Reason.FIRST_BYTE_TIMEOUT)
    sender = HttpSender(LOOPBACK, deadlines=deadlines, tls=authority.client_context())
    misdeeds = {**MISDEEDS, **tls_misdeeds(authority)}
    quick = {n: m for n, m in misdeeds.items() if not (m.reasons & SLOW) and m.accepts}
    grown: list[int] = []
    async with contextlib.AsyncExitStack() as stack:
        evils = [await stack.enter_async_context(EvilReceiver(m)) for m in quick.values()]
        for round_ in range(40):
            began = time.monotonic()
            await asyncio.gather(*(sender.send(request_to(e.url(), e.misdeed)) for e in evils))
            assert time.monotonic() - began < LONG_S
            await until_no_more_than_the_idle_are_open(sender)
            if round_ % 10 == 9:
                for evil in evils:
                    if not evil.misdeed.may_be_kept:
                        await evil.wait_until_left()
                grown.append(_resident_bytes())
        descriptors = len(os.listdir("/proc/self/fd"))
        tasks = len(asyncio.all_tasks())
        for _ in range(2):
            await asyncio.gather(*(sender.send(request_to(e.url(), e.misdeed)) for e in evils))
        await asyncio.sleep(0.1)
        assert len(os.listdir("/proc/self/fd")) <= descriptors + 2 * len(evils)
        assert len(asyncio.all_tasks()) <= tasks + 2 * len(evils)
        assert evils
    await sender.close()
    assert sender.open_connections == 0
    assert grown[-1] - grown[0] < 12 * 2**20, grown


async def test_an_answer_that_floods_is_read_up_to_its_bound_and_no_further(
    sender: HttpSender,
) -> None:
    """What the receiver could write is what we read, and what two sockets hold."""
    written = 0

    async def flood(peer: object) -> None:
        nonlocal written
        while True:
            await peer.write(b"z" * 65_536)  # type: ignore[attr-defined]
            written += 65_536

    head = b"HTTP/1.1 200 OK\r\n\r\n"
    async with EvilReceiver(
        Misdeed(answer(head, then=flood), frozenset({Reason.OK}), frozenset({200}))
    ) as evil:
        await sender.send(request_to(evil.url(), evil.misdeed))
        await evil.wait_until_left()
    assert written < 16 * 2**20


async def test_a_good_receiver_beside_hanging_ones_does_not_wait(authority: Authority) -> None:
    slow = Deadlines(connect_s=9, tls_s=9, first_byte_s=9, idle_s=9, total_s=10)
    sender = HttpSender(LOOPBACK, deadlines=slow, tls=authority.client_context())
    hanging = [m for m in MISDEEDS.values() if m.reasons & SLOW]
    good = Misdeed(answer(OK), frozenset({Reason.OK}))
    async with contextlib.AsyncExitStack() as stack:
        evils = [await stack.enter_async_context(EvilReceiver(m)) for m in hanging]
        held = [
            asyncio.create_task(sender.send(request_to(e.url(), e.misdeed)))
            for e in evils
            for _ in range(10)
        ]
        await asyncio.sleep(0.3)
        kind = await stack.enter_async_context(EvilReceiver(good))
        for _ in range(20):
            began = time.monotonic()
            outcome = await sender.send(request_to(kind.url(), good))
            assert outcome.reason in (Reason.OK, Reason.RESET)
            assert time.monotonic() - began < 6
        assert not all(task.done() for task in held)
        for task in held:
            task.cancel()
        await asyncio.gather(*held, return_exceptions=True)
    await sender.close()


def _resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()
