"""Any sequence of requests, to a real process: the API says what a model in plain Python says."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from support import processes
from support.api_machine import ApiMachine, open_api_machine
from support.receiver import Receiver, respond

from homing.service.tokens import sign_org_token
from homing.system import SystemClock

#: the same draws each time: this gates
FIXED = settings(
    derandomize=True,
    max_examples=12,
    stateful_step_count=12,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
#: new draws, for minutes
LONG = settings(FIXED, derandomize=False, max_examples=200, stateful_step_count=30)

FAST = {
    "poll_s": 0.05,
    "retry_delays_s": "0.01",
    "lease_s": 60,
}


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def machine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[type[ApiMachine]]:
    database_url = "sqlite:///homing.db"
    if request.param == "postgres":
        database_url = request.getfixturevalue("postgres_url")
    numbers = itertools.count(1)
    with asyncio.Runner() as runner:
        world = AsyncExitStack()
        receiver = runner.run(world.enter_async_context(Receiver()))
        receiver.script("/good", respond(200))
        receiver.script("/bad", respond(500))
        homing = runner.run(
            world.enter_async_context(
                processes.serving(tmp_path, database_url=database_url, **FAST)
            )
        )

        def client() -> httpx.AsyncClient:
            org_id = f"org_{next(numbers)}"
            token = sign_org_token(processes.SECRET, at_us=SystemClock().now_us(), org_id=org_id)
            headers = {"authorization": f"Bearer {token}"}
            return httpx.AsyncClient(
                base_url=homing.url, headers=headers, timeout=60, trust_env=False
            )

        yield open_api_machine(
            run=runner.run,
            client=client,
            good_url=receiver.url("/good"),
            bad_url=receiver.url("/bad"),
        )
        runner.run(world.aclose())


@pytest.mark.slow
def test_any_sequence_of_requests_is_answered_as_the_model_says(
    machine: type[ApiMachine],
) -> None:
    run_state_machine_as_test(machine, settings=FIXED)


@pytest.mark.explore
def test_any_longer_sequence_of_requests_too(machine: type[ApiMachine]) -> None:
    run_state_machine_as_test(machine, settings=LONG)
