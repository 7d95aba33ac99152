"""The benches still run, and refuse to tell a figure when their counts differ."""

from __future__ import annotations

import asyncio

import pytest

from bench import scenarios


async def test_a_small_measurement_tells_its_figures() -> None:
    figures = await asyncio.to_thread(scenarios.throughput, "SQLite", 200, endpoints=2)
    assert figures.deliveries == 400
    assert figures.per_second > 0
    assert figures.cpu_us > 0
    assert 0 < figures.round_trips < 1
    assert 0 < figures.p50_ms <= figures.p99_ms


@pytest.mark.slow
async def test_a_small_backlog_is_drained_by_whoever_starts() -> None:
    figures = await asyncio.to_thread(scenarios.backlog, "SQLite", 500)
    assert figures.deliveries == 500


async def test_a_message_that_did_not_arrive_is_an_error_and_no_figure() -> None:
    def measure() -> None:
        with scenarios.fresh("SQLite") as database, scenarios.Stage(database) as stage:
            stage.warm(20)
            del stage.sent[0]
            stage.check()

    with pytest.raises(RuntimeError, match="accepted 19, received 20"):
        await asyncio.to_thread(measure)
