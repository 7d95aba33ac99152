"""The generated rules in a real Prometheus: a drop in a real Homing reaches a real receiver."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from support.processes import run, serving, shop
from support.prometheus import alertmanager, missing_programs, prometheus
from support.receiver import Receiver, respond


async def wait_for(client: httpx.AsyncClient, query: str, holds: Callable[[float], bool]) -> float:
    """The value of a query, once it holds."""
    value: float | None = None
    async with asyncio.timeout(60):
        while True:
            answer = (await client.get("/api/v1/query", params={"query": query})).json()
            for row in answer["data"]["result"]:
                value = float(row["value"][1])
                if holds(value):
                    return value
            await asyncio.sleep(0.3)


def alerts_in(receiver: Receiver) -> list[dict[str, Any]]:
    return [alert for one in receiver.requests for alert in json.loads(one.body)["alerts"]]


async def test_a_dropped_delivery_becomes_an_alert_that_arrives(
    tmp_path: Path, missing: Callable[[str, str], None]
) -> None:
    if absent := missing_programs():
        missing("prometheus", absent)
    rules = tmp_path / "rules"
    settings = {"audit_every_s": 1, "slo_every_s": 0.3}
    async with Receiver() as pager, Receiver() as receiver:
        receiver.script("/hook", respond(200))
        async with serving(tmp_path, **settings) as homing, shop(homing, tmp_path) as publisher:
            await publisher.add_endpoint(receiver.url("/hook"))
            code, _, said = await run(
                tmp_path, "slo", "rules", "--to", str(rules), "--every", "1s",
                server_url=homing.url,
            )  # fmt: skip
            assert code == 0, said
            async with (
                alertmanager(tmp_path, pager.url("/page")) as alertmanager_url,
                prometheus(
                    tmp_path, scrape=homing.url, rules=rules, alertmanager_url=alertmanager_url
                ) as client,
            ):
                await wait_for(client, 'up{job="homing"}', lambda up: up == 1)
                # Every series is there before anything has happened.
                for series in ("homing_unaccounted", 'homing_sli_bad_total{owner="platform"}'):
                    await wait_for(client, f"count({series})", lambda count: count >= 1)
                for number in range(5):
                    await publisher.send(number)
                await receiver.wait_for(5)
                good = 'homing_sli_good_total{sli="delivered"}'
                await wait_for(client, good, lambda count: count == 5)
                await wait_for(
                    client, 'homing_slo:events:increase5m{slo="delivered"}', lambda n: n >= 0
                )
                await asyncio.sleep(2)
                assert alerts_in(pager) == [], "nothing is wrong yet"

                drop_one(tmp_path / "homing.db")
                async with asyncio.timeout(60):
                    while not alerts_in(pager):
                        await pager.wait_for(len(pager.requests) + 1, within_s=60)

                groups = (await client.get("/api/v1/rules")).json()["data"]["groups"]
                found = [rule for group in groups for rule in group["rules"]]
                assert len(groups) == 8
                assert {rule["health"] for rule in found} == {"ok"}, found
    [first] = alerts_in(pager)[:1]
    assert first["status"] == "firing"
    assert first["labels"]["alertname"] == "HomingDeliveriesUnaccounted"
    assert first["labels"]["severity"] == "page"
    assert "homing audit names them" in first["annotations"]["description"]
    code, out, _ = await run(tmp_path, "audit", "--json")
    assert code == 1
    assert json.loads(out)["unaccounted"] == 1


def drop_one(database: Path) -> None:
    """What must never happen: a delivery that was accepted is in neither table."""
    with sqlite3.connect(database, timeout=60) as db:
        done = db.execute(
            "DELETE FROM history WHERE message_id = (SELECT max(message_id) FROM history)"
        )
        assert done.rowcount == 1
    db.close()
