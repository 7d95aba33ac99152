"""One board over real processes and a real Prometheus; one of them is killed."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
from support.processes import Homing, run, serving, shop
from support.prometheus import missing_programs, prometheus
from support.receiver import Receiver, respond

QUICK = {"audit_every_s": 1, "slo_every_s": 0.3, "board_every_s": 0.3}


async def shown(
    http: httpx.AsyncClient, holds: Callable[[dict[str, dict[str, Any]]], bool]
) -> dict[str, dict[str, Any]]:
    """The board's rows by name, once something holds of them."""
    found: dict[str, dict[str, Any]] = {}
    try:
        async with asyncio.timeout(60):
            while True:
                answer = await http.get("/board")
                answer.raise_for_status()
                found = {one["name"]: one for one in answer.json()["data"]}
                if holds(found):
                    return found
                await asyncio.sleep(0.2)
    except TimeoutError:
        raise AssertionError(json.dumps(found, indent=1)) from None


async def command(homing: Homing, folder: Path, *arguments: str, code: int | None = 0) -> str:
    found, out, err = await run(folder, *arguments, server_url=homing.url)
    assert code in (None, found), (arguments, out, err)
    return out + err


async def start(stack: AsyncExitStack, folder: Path, **settings: object) -> Homing:
    folder.mkdir()
    return await stack.enter_async_context(serving(folder, **QUICK | settings))


async def test_one_board_shows_three_services_and_keeps_the_one_that_is_killed(
    tmp_path: Path,
) -> None:
    central_at, payments_at, factory_at = (tmp_path / name for name in ("c", "p", "f"))
    async with AsyncExitStack() as stack:
        receiver = await stack.enter_async_context(Receiver())
        receiver.script("/refuses", respond(500))
        central, payments, factory = await asyncio.gather(
            start(stack, central_at, name="central", owner="platform"),
            start(
                stack,
                payments_at,
                name="payments",
                owner="payments team",
                retry_delays_s="0.1",
            ),
            start(stack, factory_at, name="factory"),
        )
        board = (await stack.enter_async_context(shop(central, central_at))).http

        # A dead letter with money in it.
        publisher = await stack.enter_async_context(shop(payments, payments_at))
        paths = {"amount": "amount", "currencyCode": "EUR"}
        made = await publisher.http.post(
            "/event-type", json={"name": "payment.captured", "description": "x", "money": paths}
        )
        assert made.status_code == 201, made.text
        await publisher.add_endpoint(receiver.url("/refuses"))
        body = {"eventType": "payment.captured", "payload": {"amount": "12.50"}}
        (await publisher.http.post("/app/shop/msg", json=body)).raise_for_status()

        token = await command(payments, payments_at, "token", "--read-only")
        await command(
            central, central_at, "board", "add", "payments", "--url", payments.url,
            "--token", token.strip(), "--stale-after", "3s",
        )  # fmt: skip
        key = json.loads(await command(factory, factory_at, "board", "key", "--json"))["publicKey"]
        refused = await command(factory, factory_at, "board", "push", central.url, code=2)
        assert "does not take it" in refused
        await command(central, central_at, "board", "add", "factory", "--public-key", key)
        await command(factory, factory_at, "board", "push", central.url)

        found = await shown(
            board, lambda rows: "payments" in rows and rows["payments"]["money"] != {}
        )
        assert set(found) == {"central", "payments", "factory"}
        assert found["payments"]["owner"] == "payments team"
        assert (found["payments"]["dead"], found["payments"]["money"]) == (1, {"EUR": "12.50"})
        assert found["factory"]["at"] is not None
        await shown(board, lambda rows: rows["payments"]["light"] == "letters")
        said = await command(central, central_at, "board", "status", code=1)
        assert "12.50 EUR" in said

        payments.signal(signal.SIGKILL)
        found = await shown(
            board,
            lambda rows: (
                rows["payments"]["stale"]
                and any("cannot be reached" in why for why in rows["payments"]["why"])
            ),
        )
        gone = found["payments"]
        assert (gone["light"], gone["was"], gone["dead"]) == ("unknown", "letters", 1)
        assert not found["central"]["stale"]
        page = (await board.get(f"{central.url}/board")).text
        assert "it was: dead letters" in page
        assert "this is what it said then" in page


async def test_a_service_is_on_the_board_through_a_real_prometheus(
    tmp_path: Path, missing: Callable[[str, str], None]
) -> None:
    if absent := missing_programs():
        missing("prometheus", absent)
    central_at, legacy_at, rules = tmp_path / "c", tmp_path / "l", tmp_path / "rules"
    async with AsyncExitStack() as stack:
        receiver = await stack.enter_async_context(Receiver())
        receiver.script("/hook", respond(200))
        central, legacy = await asyncio.gather(
            start(stack, central_at, name="central"), start(stack, legacy_at, name="legacy")
        )
        publisher = await stack.enter_async_context(shop(legacy, legacy_at))
        await publisher.add_endpoint(receiver.url("/hook"))
        await command(legacy, legacy_at, "slo", "rules", "--to", str(rules), "--every", "1s")
        client = await stack.enter_async_context(
            prometheus(
                tmp_path, scrape=legacy.url, rules=rules, alertmanager_url="http://127.0.0.1:9"
            )
        )
        board = (await stack.enter_async_context(shop(central, central_at))).http
        (central_at / "other.toml").write_text(
            'owner = "legacy team"\ndead = "sum(homing_deliveries_dead_total)"\n'
            "money = \"label_replace(vector(3), 'currency', 'EUR', '', '')\"\n"
            'target = "vector(0.99)"\n'
        )
        place = str(client.base_url).rstrip("/")
        add = ("board", "add", "legacy", "--prometheus", place, "--stale-after", "3s")
        await command(central, central_at, *add)
        await command(
            central, central_at, "board", "add", "other", "--prometheus", place,
            "--queries", "other.toml",
        )  # fmt: skip

        def is_measured(rows: dict[str, dict[str, Any]]) -> bool:
            objectives = {one["name"]: one for one in rows["legacy"]["objectives"]}
            is_whole = "delivered" in objectives and objectives["delivered"]["budgetLeft"] == "1"
            return is_whole and rows["other"]["dead"] is not None

        async def publish() -> None:
            for number in range(10_000):
                await publisher.send(number)
                await asyncio.sleep(0.2)

        publishing = asyncio.create_task(publish())
        found = await shown(board, is_measured)
        publishing.cancel()
        objectives = {one["name"]: one for one in found["legacy"]["objectives"]}
        assert objectives["delivered"]["targetText"] == "99.5% over 30d"
        assert (found["legacy"]["unaccounted"], found["legacy"]["dead"]) == (0, None)
        assert (found["other"]["owner"], found["other"]["dead"]) == ("legacy team", 0)
        assert found["other"]["money"] == {"EUR": "3"}

        # The service dies; its Prometheus lives, and has no series of it any more.
        legacy.signal(signal.SIGKILL)
        await shown(
            board,
            lambda rows: (
                rows["legacy"]["light"] == "unknown"
                and "no series for the query of 'unaccounted'" in "".join(rows["legacy"]["why"][:1])
            ),
        )
