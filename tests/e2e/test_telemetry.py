"""Traces, metrics and log lines, as a collector hears them over real HTTP."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from support.collector import attributes, log_lines, metrics, spans
from support.receiver import Receiver, respond
from support.serving import Served, serving

from homing.core.trace import read_traceparent
from homing.store import open_store

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"


async def _application(served: Served, url: str) -> str:
    async with served.client() as client:
        app = (await client.post("/api/v1/app", json={"name": "a"})).json()["id"]
        await client.post(f"/api/v1/app/{app}/endpoint", json={"url": url})
    return f"/api/v1/app/{app}/msg"


async def _send(served: Served, path: str, **headers: str) -> str:
    async with served.client() as client:
        body = {"eventType": "x", "payload": {"a": 1}}
        sent = await client.post(path, json=body, headers=headers)
        assert sent.status_code == 202, sent.text
        return str(sent.json()["id"])


def _by_name(told: list[Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for span in told:
        found.setdefault(span.name, []).append(span)
    return found


async def test_a_trace_goes_from_the_publisher_through_each_attempt_to_the_receiver() -> None:
    async with Receiver() as collector, Receiver() as receiver:
        receiver.script("/hook", respond(503), respond(200))
        store = await open_store("memory:")
        fields = {"otlp_url": collector.url(""), "retry_delays_s": (0.05,), "trace_share": 0.0}
        async with serving(store, **fields) as served:
            path = await _application(served, receiver.url("/hook"))
            message = await _send(served, path, traceparent=f"00-{TRACE}-{SPAN}-01")
            await receiver.wait_for(2)
        told = _by_name(spans(collector.requests))
    [accepted] = told["accept x"]
    assert accepted.trace_id.hex() == TRACE
    assert accepted.parent_span_id.hex() == SPAN
    assert attributes(accepted)["homing.message.id"] == message
    first, second = sorted(told["attempt"], key=lambda span: span.start_time_unix_nano)
    assert [attributes(span)["http.response.status_code"] for span in (first, second)] == [503, 200]
    assert attributes(first)["error.type"] == "503"
    assert (first.status.code, second.status.code) == (2, 0)  # an error; nothing to say
    for span, request in zip((first, second), receiver.requests, strict=True):
        assert span.parent_span_id == accepted.span_id
        assert request.headers["traceparent"] == f"00-{TRACE}-{span.span_id.hex()}-01"


async def test_what_fails_is_told_although_its_trace_is_not_sampled() -> None:
    async with Receiver() as collector, Receiver() as receiver:
        receiver.script("/good", respond(200))
        receiver.script("/bad", respond(500), respond(200))
        store = await open_store("memory:")
        fields = {"otlp_url": collector.url(""), "retry_delays_s": (0.05,), "trace_share": 0.0}
        async with serving(store, **fields) as served:
            good = await _application(served, receiver.url("/good"))
            bad = await _application(served, receiver.url("/bad"))
            await _send(served, good)
            failing = await _send(served, bad)
            await receiver.wait_for(3)
        told = _by_name(spans(collector.requests))
    assert [attributes(span)["homing.message.id"] for span in told["accept x"]] == [failing]
    assert [attributes(span)["homing.message.id"] for span in told["attempt"]] == [failing] * 2
    for request in receiver.requests:  # the receiver can go on with the trace all the same
        assert request.headers["traceparent"].endswith("-00")


async def test_without_a_collector_a_publishers_trace_is_handed_on_as_it_came() -> None:
    async with Receiver() as receiver:
        receiver.script("/hook", respond(200))
        async with serving(await open_store("memory:")) as served:
            path = await _application(served, receiver.url("/hook"))
            await _send(served, path, traceparent=f"00-{TRACE}-{SPAN}-01")
            await receiver.wait_for(1)
            await _send(served, path, traceparent="nonsense")
            await receiver.wait_for(2)
    first, second = receiver.requests
    assert first.headers["traceparent"] == f"00-{TRACE}-{SPAN}-01"
    assert "traceparent" not in second.headers


async def test_a_batch_and_the_general_way_keep_the_trace_too() -> None:
    async with Receiver() as receiver:
        receiver.script("/hook", respond(200))
        async with serving(await open_store("memory:")) as served:
            path = await _application(served, receiver.url("/hook"))
            given = {"traceparent": f"00-{TRACE}-{SPAN}-00"}
            async with served.client() as client:
                one = {"eventType": "x", "payload": {}}
                await client.post(f"{path}/batch", json={"messages": [one, one]}, headers=given)
                await client.post(path, json=one, headers=given | {"origin": "http://a.example"})
            await receiver.wait_for(3)
    assert {request.headers["traceparent"] for request in receiver.requests} == set(given.values())


def _are_told(requests: Any) -> bool:
    """Whether the collector has heard of an attempt, and of the line."""
    attempts = metrics(requests).get("homing_attempt_seconds")
    counts = [point.count for point in attempts.histogram.data_points] if attempts else []
    return any(counts) and any(one.body.string_value == "look here" for one in log_lines(requests))


async def test_metrics_and_log_lines_are_told(caplog: pytest.LogCaptureFixture) -> None:
    async with Receiver() as collector, Receiver() as receiver:
        receiver.script("/hook", respond(200))
        fields = {"otlp_url": collector.url("")}
        async with serving(await open_store("memory:"), **fields) as served:
            telemetry = served.runtime.telemetry
            assert telemetry is not None
            often = asyncio.create_task(telemetry.run(lambda: 2_000_000_000 * 10**9, every_s=0.05))
            path = await _application(served, receiver.url("/hook"))
            await _send(served, path)
            await receiver.wait_for(1)
            with caplog.at_level(logging.WARNING, "homing"):
                logging.getLogger("homing").warning("look here", extra={"endpoint": "ep_1"})
            async with asyncio.timeout(60):
                while not _are_told(collector.requests):
                    await asyncio.sleep(0.05)
            often.cancel()
        told = metrics(collector.requests)
        lines = log_lines(collector.requests)
    [point] = told["homing_messages_accepted_total"].sum.data_points
    assert point.as_double == 1
    assert told["homing_messages_accepted_total"].sum.is_monotonic
    [line] = [one for one in lines if one.body.string_value == "look here"]
    assert attributes(line)["endpoint"] == "ep_1"
    [attempts] = told["homing_attempt_seconds"].histogram.data_points
    assert attempts.count == sum(attempts.bucket_counts) == 1
    assert len(attempts.bucket_counts) == len(attempts.explicit_bounds) + 1


async def test_a_collector_that_is_away_costs_no_delivery() -> None:
    async with Receiver() as receiver:
        receiver.script("/hook", respond(500), respond(200))
        fields = {"otlp_url": "http://127.0.0.1:9", "retry_delays_s": (0.05,)}
        async with serving(await open_store("memory:"), **fields) as served:
            path = await _application(served, receiver.url("/hook"))
            await _send(served, path)
            await receiver.wait_for(2)
            assert read_traceparent(receiver.requests[0].headers["traceparent"])
