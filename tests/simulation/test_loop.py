"""The virtual loop: no time passes outside, none is lost inside, and nothing is overlooked."""

from __future__ import annotations

import asyncio
import time

import pytest

from homing.sim.draws import AtRandom, ByPriority, FirstInFirstOut, Order
from homing.sim.loop import Deadlock, VirtualLoop


def make_loop(order: Order | None = None) -> VirtualLoop:
    return VirtualLoop(order or FirstInFirstOut())  # type: ignore[abstract]


def test_twenty_sleepers_sleep_through_a_day_at_once() -> None:
    async def main() -> float:
        await asyncio.gather(*(asyncio.sleep(86_400) for _ in range(20)))
        return asyncio.get_running_loop().time()

    began = time.monotonic()
    assert make_loop().run(main()) == 86_400
    assert time.monotonic() - began < 300  # of 86,400


def test_timeouts_are_virtual() -> None:
    async def main() -> float:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 3_600)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(60):
                await asyncio.sleep(61)
        return asyncio.get_running_loop().time()

    assert make_loop().run(main()) == 3_660


def test_a_deadlock_is_an_error_at_once() -> None:
    async def main() -> None:
        await asyncio.Event().wait()

    with pytest.raises(Deadlock):
        make_loop().run(main())


def test_an_error_that_nobody_looks_at_is_found() -> None:
    async def fail() -> None:
        raise ValueError("unseen")

    async def main() -> None:
        task = asyncio.create_task(fail())
        await asyncio.sleep(1)
        del task

    loop = make_loop()
    loop.run(main())
    assert loop.orphans == ["ValueError: unseen"]


async def order_of_five() -> list[int]:
    seen: list[int] = []

    async def note(number: int) -> None:
        await asyncio.sleep(0)
        seen.append(number)

    await asyncio.gather(*(note(number) for number in range(5)))
    return seen


def test_first_in_first_out_except_where_told() -> None:
    loop = make_loop()
    assert loop.run(order_of_five()) == [0, 1, 2, 3, 4]
    last_steps = loop.steps
    orders = {
        tuple(make_loop(FirstInFirstOut({step: 1})).run(order_of_five()))
        for step in range(last_steps)
    }
    assert len(orders) > 3


@pytest.mark.parametrize("strategy", [AtRandom, ByPriority])
def test_a_seed_gives_an_order_that_its_turns_give_again(
    strategy: type[AtRandom] | type[ByPriority],
) -> None:
    orders = set()
    for seed in range(40):
        order = strategy(seed)
        seen = make_loop(order).run(order_of_five())
        assert make_loop(FirstInFirstOut(order.turns)).run(order_of_five()) == seen
        orders.add(tuple(seen))
    assert len(orders) > 5
