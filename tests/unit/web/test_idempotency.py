"""A request that is sent twice is done once."""

from __future__ import annotations

import asyncio

import pytest
from support.making import START_US

from homing.core.errors import Conflict, NotFound
from homing.core.records import RequestKey
from homing.store.memory.store import MemoryStore
from homing.web.idempotency import IdempotentRequests
from homing.web.operation import Answer


def _key(fingerprint: bytes = b"f" * 16) -> RequestKey:
    return RequestKey(
        digest=b"d" * 16, fingerprint=fingerprint, expires_at_us=START_US + 60_000_000
    )


class Work:
    """Counts how often it was done."""

    def __init__(self) -> None:
        self.done = 0
        self.may_end = asyncio.Event()
        self.may_end.set()

    async def __call__(self) -> Answer:
        self.done += 1
        await self.may_end.wait()
        return Answer(201, b"%d" % self.done)


async def _once(repeats: IdempotentRequests, work: Work, key: RequestKey | None = None) -> Answer:
    answer = await repeats.once(key or _key(), START_US, work, lambda: False)
    assert isinstance(answer, Answer)
    return answer


async def test_a_repeat_gets_the_first_one_s_reply() -> None:
    repeats, work = IdempotentRequests(MemoryStore()), Work()
    assert await _once(repeats, work) == await _once(repeats, work)
    assert work.done == 1


async def test_a_repeat_while_the_first_is_under_way_waits_for_it() -> None:
    repeats, work = IdempotentRequests(MemoryStore()), Work()
    work.may_end.clear()
    tasks = [asyncio.create_task(_once(repeats, work)) for _ in range(5)]
    await asyncio.sleep(0)
    work.may_end.set()
    assert {(await task).body for task in tasks} == {b"1"}
    assert work.done == 1


async def test_another_body_with_the_same_key_is_a_conflict() -> None:
    repeats, work = IdempotentRequests(MemoryStore()), Work()
    await _once(repeats, work)
    with pytest.raises(Conflict):
        await _once(repeats, work, _key(b"g" * 16))


async def test_what_failed_may_be_tried_again_with_the_same_key() -> None:
    repeats, work = IdempotentRequests(MemoryStore()), Work()

    async def fail() -> Answer:
        raise NotFound("not yet")

    with pytest.raises(NotFound):
        await repeats.once(_key(), START_US, fail, lambda: False)
    assert (await _once(repeats, work)).body == b"1"


async def test_a_key_that_another_process_was_first_with_gives_that_one_s_reply() -> None:
    store = MemoryStore()
    one, other, work = IdempotentRequests(store), IdempotentRequests(store), Work()

    async def too_late() -> Answer:
        await _once(one, work)
        raise Conflict("the key is known already")

    answer = await other.once(_key(), START_US, too_late, lambda: False)
    assert answer == Answer(201, b"1")
