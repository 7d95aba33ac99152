"""A Homing to talk to over HTTP, on each kind of store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from support.receiver import Receiver
from support.serving import Served, serving

from homing.store import open_store
from homing.system import SystemClock


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A fresh store of each kind."""
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite:///{tmp_path}/homing.db" if request.param == "sqlite" else "memory:"


@pytest.fixture
async def served(store_url: str) -> AsyncIterator[Served]:
    """Accepts and dispatches."""
    store = await open_store(store_url)
    async with serving(store, retry_delays_s=(0.05,), retry_jitter=0.0) as served:
        yield served


class ShiftedClock(SystemClock):
    """The machine's clock, and some hours."""

    def __init__(self) -> None:
        super().__init__()
        self.shift_us = 0

    def now_us(self) -> int:
        return super().now_us() + self.shift_us

    def shift(self, seconds: float) -> None:
        self.shift_us += round(seconds * 1_000_000)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> ShiftedClock:
    """Of every Homing that is started from now on: name it before that."""
    clock = ShiftedClock()
    monkeypatch.setattr("homing.cli.runtime.SystemClock", lambda: clock)
    return clock


@pytest.fixture
async def quiet(tmp_path: Path) -> AsyncIterator[Served]:
    """Accepts, and sends nothing."""
    async with serving(await open_store("memory:"), dispatching=False) as served:
        yield served


@pytest.fixture
async def client(quiet: Served) -> AsyncIterator[httpx.AsyncClient]:
    """Of the quiet one, with a token of the organisation."""
    async with quiet.client() as client:
        yield client


@pytest.fixture
async def app(client: httpx.AsyncClient) -> str:
    """The path of an application of the quiet one, whose uid is "shop"."""
    await client.post("/api/v1/app", json={"name": "Shop", "uid": "shop"})
    return "/api/v1/app/shop"


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as receiver:
        yield receiver
