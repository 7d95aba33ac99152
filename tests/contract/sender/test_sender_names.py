"""An application whose names are not answered holds nobody up but itself."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator

import pytest

from homing.dispatch.resolver import Resolver


class NameServer:
    """Never answers names that begin with "hung", until it is released."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.released = threading.Event()

    def __call__(self, host: str) -> tuple[str, ...]:
        self.asked.append(host)
        if host.startswith("hung"):
            self.released.wait(600)
        if host.startswith("gone"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return ("127.0.0.1",)


@pytest.fixture
def names() -> Iterator[NameServer]:
    names = NameServer()
    yield names
    names.released.set()


async def test_a_thousand_hung_names_of_one_application_hold_up_no_other(
    names: NameServer,
) -> None:
    resolver = Resolver(names)
    hung = [
        asyncio.create_task(resolver.addresses(f"hung{number}.example", "app_evil"))
        for number in range(1_000)
    ]
    await asyncio.sleep(0)
    for number in range(200):
        async with asyncio.timeout(60):
            found = await resolver.addresses(f"good{number}.example", f"app_{number % 7}")
        assert found == ("127.0.0.1",)
    assert sum(host.startswith("hung") for host in names.asked) < 64 / 2
    await resolver.close()
    assert {type(e) for e in await asyncio.gather(*hung, return_exceptions=True)} == {
        socket.gaierror
    }


async def test_several_hung_applications_still_leave_room(names: NameServer) -> None:
    resolver = Resolver(names)
    hung = [
        asyncio.create_task(resolver.addresses(f"hung{number}.example", f"app_evil{number % 5}"))
        for number in range(500)
    ]
    await asyncio.sleep(0)
    async with asyncio.timeout(60):
        assert await resolver.addresses("good.example", "app_good") == ("127.0.0.1",)
    await resolver.close()
    await asyncio.gather(*hung, return_exceptions=True)


async def test_a_look_up_that_nobody_waits_for_any_more_is_not_begun(names: NameServer) -> None:
    resolver = Resolver(names, lookups_max=1)
    held = asyncio.create_task(resolver.addresses("hung.example", "app_1"))
    await asyncio.sleep(0)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await resolver.addresses("good.example", "app_2")
    names.released.set()
    assert await held == ("127.0.0.1",)
    assert await resolver.addresses("other.example", "app_2") == ("127.0.0.1",)
    assert names.asked == ["hung.example", "other.example"]
    await resolver.close()


async def test_the_same_name_asked_by_another_does_not_stand_in_the_first_one_s_line(
    names: NameServer,
) -> None:
    resolver = Resolver(names)
    hung = [
        asyncio.create_task(resolver.addresses(f"hung{number}.example", "app_evil"))
        for number in range(100)
    ]
    hung.append(asyncio.create_task(resolver.addresses("shared.example", "app_evil")))
    await asyncio.sleep(0)
    async with asyncio.timeout(60):
        assert await resolver.addresses("shared.example", "app_good") == ("127.0.0.1",)
    await resolver.close()
    await asyncio.gather(*hung, return_exceptions=True)


async def test_a_name_that_failed_is_not_asked_again_at_once(names: NameServer) -> None:
    resolver = Resolver(names, failed_s=600)
    for _ in range(50):
        with pytest.raises(socket.gaierror, match="not known"):
            await resolver.addresses("gone.example", "app_1")
    assert names.asked == ["gone.example"]
    await resolver.close()
    forgetful = Resolver(names, failed_s=0.01)
    for _ in range(2):
        with pytest.raises(socket.gaierror, match="not known"):
            await forgetful.addresses("gone.example", "app_1")
        await asyncio.sleep(0.05)
    assert names.asked == ["gone.example"] * 3
    await forgetful.close()


async def test_after_closing_nothing_is_asked(names: NameServer) -> None:
    resolver = Resolver(names)
    await resolver.close()
    with pytest.raises(socket.gaierror, match="closed"):
        await resolver.addresses("good.example", "app_1")
    assert names.asked == []
