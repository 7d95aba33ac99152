"""An open incident hears of what is done to a running Homing: redrives, and its objectives."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from support.processes import run, serving, shop
from support.receiver import Receiver, respond


async def test_a_redrive_and_the_objectives_are_in_the_review(tmp_path: Path) -> None:
    async with (
        Receiver() as receiver,
        serving(tmp_path, retry_delays_s="0.1") as homing,
        shop(homing, tmp_path) as publisher,
    ):
        receiver.script("/hook", respond(500, b"no"))
        body = {"url": receiver.url("/hook"), "uid": "main"}
        (await publisher.http.post("/app/shop/endpoint", json=body)).raise_for_status()
        for number in range(3):
            await publisher.send(number)
        async with asyncio.timeout(60):
            while True:
                answer = await publisher.http.get("/app/shop/endpoint/main/sent")
                if [one["state"] for one in answer.json()["data"]] == ["dead"] * 3:
                    break
                await asyncio.sleep(0.05)

        server = ("--server-url", homing.url)
        code, _, err = await run(tmp_path, "incident", "open", "refusals", "--file", "i.json")
        assert code == 0, err
        receiver.script("/hook", respond(200, b"thanks"))
        code, _, err = await run(
            tmp_path, "dlq", "redrive", "shop", "--all", "--watch", "--json", *server
        )
        assert code == 0, err
        assert "added to the incident i.json: had dead letters sent again" in err
        await run(tmp_path, "slo", "report", *server)
        incident = json.loads((tmp_path / "i.json").read_text())
        told = [entry["text"] for entry in incident["timeline"]]
        assert told[-2:] == [
            "had dead letters sent again",
            "read how the objectives of the running service stand",
        ]

        code, _, err = await run(tmp_path, "review", "i.json", "--markdown", "r.md")
        assert code == 0, err
        page = (tmp_path / "r.md").read_text()
        assert "## Budget spent, by owner" in page
        assert "A redrive of dead letters sent" in page
        code, out, err = await run(tmp_path, "review", "i.json", "--check", "r.md")
        assert code == 0, out + err
        code, out, err = await run(tmp_path, "review", "i.json", "--json")
        values = json.loads(out)["values"]
        of_objectives = [one for one in values if one["source"] == "objectives"]
        assert "reports.0.at" in {one["path"] for one in of_objectives}
        assert {one["command"] for one in of_objectives} == {
            f"homing slo report {' '.join(server)}"
        }
        code, out, err = await run(tmp_path, "review", "i.json", "--recompute")
        assert code == 0, out + err
        assert "asked a running service; not compared" in err

        code, out, err = await run(
            tmp_path, "review", "i.json", "--objectives", "--json", server_url=homing.url
        )
        assert code == 0, err
        again = {one["command"] for one in json.loads(out)["values"]}
        assert "homing slo report" in again
