"""`homing reconcile` with a real Homing and a receiver that forgets."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import time
from pathlib import Path
from typing import Any

from support.processes import run, serving, shop
from support.receiver import Receiver, respond


async def _reconcile(folder: Path, url: str, *arguments: str) -> tuple[int, str, str]:
    place = ("--server-url", url)
    return await run(folder, "reconcile", "shop", "main", "--since", "1h", *place, *arguments)


async def _until(publisher: Any, states: list[str]) -> list[str]:
    """The ids of what was sent, once it stands so."""
    async with asyncio.timeout(60):
        while True:
            answer = await publisher.http.get("/app/shop/endpoint/main/sent")
            found = answer.json()["data"]
            if [one["state"] for one in found] == states:
                return [one["id"] for one in found]
            await asyncio.sleep(0.05)


async def test_what_a_receiver_lost_and_never_got_is_named_and_sent_again(tmp_path: Path) -> None:
    async with (
        Receiver() as receiver,
        serving(tmp_path, retry_delays_s="0.1") as homing,
        shop(homing, tmp_path) as publisher,
    ):
        receiver.script("/hook", respond(200, b"thanks"))
        body = {"url": receiver.url("/hook"), "uid": "main"}
        (await publisher.http.post("/app/shop/endpoint", json=body)).raise_for_status()
        for number in range(2):
            await publisher.send(number)
        await _until(publisher, ["delivered"] * 2)
        receiver.script("/hook", respond(500, b"no"))
        await publisher.send(2)
        kept, lost, dead = await _until(publisher, ["delivered", "delivered", "dead"])
        database = sqlite3.connect(tmp_path / "shop.db")
        database.execute("CREATE TABLE seen (id TEXT)")
        database.execute("INSERT INTO seen VALUES (?)", (kept,))
        database.commit()
        database.close()
        seen = ("--seen", "shop.db", "--query", "SELECT id FROM seen")

        code, out, err = await _reconcile(tmp_path, homing.url, *seen, "--json")
        assert code == 1, err
        # Delivered a moment ago: it may yet be written down. The dead letter is missing for sure.
        assert [(one["id"], one["gap"]) for one in json.loads(out)["missing"]] == [
            (lost, "coming"),
            (dead, "dead"),
        ]

        receiver.script("/hook", respond(200, b"thanks"))
        code, out, err = await _reconcile(tmp_path, homing.url, *seen, "--again")
        assert code == 1
        assert "3 sent, 1 of them known, 2 missing" in out
        assert "homing recover shop main --since" in out
        assert "recovering the dead letters" in err
        await _until(publisher, ["delivered"] * 3)

        (tmp_path / "inbox.csv").write_text(f"at,webhook_id\n1,{kept}\n2,{lost}\n3,{dead}\n")
        code, out, err = await _reconcile(tmp_path, homing.url, "--seen", "inbox.csv")
        assert (code, out) == (0, "3 sent, 3 of them known, 0 missing\n"), err

        for arguments, words in (
            (("--seen", "nowhere.txt"), "No such file"),
            (("--seen", "shop.db"), "--query"),
            (("--seen", "shop.db", "--query", "SELECT x FROM seen"), "no such column"),
            (("--seen", "shop.db", "--query", "DELETE FROM seen"), "readonly"),
            (("--seen", "inbox.csv", "--column", "name"), "found at, webhook_id"),
        ):
            code, _, err = await _reconcile(tmp_path, homing.url, *arguments)
            assert (code, words in err) == (2, True), err
            assert "Traceback" not in err


async def test_what_was_answered_with_2xx_and_is_not_known_is_lost_and_sent_again(
    tmp_path: Path,
) -> None:
    async with (
        Receiver() as receiver,
        serving(tmp_path) as homing,
        shop(homing, tmp_path) as publisher,
    ):
        body = {"url": receiver.url("/hook"), "uid": "main"}
        (await publisher.http.post("/app/shop/endpoint", json=body)).raise_for_status()
        await publisher.send(1)
        [lost] = await _until(publisher, ["delivered"])
        (tmp_path / "ids.txt").write_text("")
        later = time.time() + 3_600
        os.utime(tmp_path / "ids.txt", (later, later))
        code, out, err = await _reconcile(
            tmp_path, homing.url, "--seen", "ids.txt", "--again", "--json"
        )
        assert code == 1, err
        assert [(one["id"], one["gap"]) for one in json.loads(out)["missing"]] == [(lost, "lost")]
        async with asyncio.timeout(60):
            while len(receiver.requests) < 2:
                await asyncio.sleep(0.05)
        assert {request.headers["webhook-id"] for request in receiver.requests} == {lost}
