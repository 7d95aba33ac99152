"""What the report of a wait that took too long tells."""

from __future__ import annotations

import asyncio

import pytest
from support.last_seen import last_seen


async def _wait_for_books(wanted: int) -> None:
    async with asyncio.timeout(0.01):
        while True:
            report = {"delivered": wanted - 1}
            await asyncio.sleep(0)
            assert report


def test_it_tells_what_the_waiting_functions_had_last() -> None:
    with pytest.raises(TimeoutError) as told:
        asyncio.run(_wait_for_books(8))
    lines = last_seen(told).splitlines()
    assert "    report = {'delivered': 7}" in lines
    assert "    wanted = 8" in lines
    assert lines[0].startswith("house/test_last_seen.py:")
