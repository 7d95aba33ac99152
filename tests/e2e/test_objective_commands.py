"""`homing slo` as an operator types it, against a running service."""

from __future__ import annotations

import json
from pathlib import Path

from support.processes import run, serving, shop
from support.receiver import Receiver, respond


async def test_an_objective_is_written_reported_proposed_and_goes_through_openslo(
    tmp_path: Path,
) -> None:
    async with Receiver() as receiver, serving(tmp_path, slo_every_s=0.2) as homing:
        receiver.script("/hook", respond(200))

        async def slo(*arguments: str, code: int = 0) -> str:
            found, out, err = await run(tmp_path, "slo", *arguments, server_url=homing.url)
            assert found == code, (arguments, out, err)
            return out + (err if code else "")

        async with shop(homing, tmp_path) as publisher:
            await publisher.add_endpoint(receiver.url("/hook"))
            for number in range(3):
                await publisher.send(number)
            await receiver.wait_for(3)
        await slo("add", "delivered", "--sli", "delivered", "--target", "99.95", "--period", "28d")
        assert "99.95%" in await slo("list")
        assert "expected a target" in await slo(
            "add", "x", "--sli", "delivered", "--target", "100", code=2
        )
        await slo("export", "-o", str(tmp_path / "slo.yaml"))
        assert "nothing is wrong" in await slo("check", str(tmp_path / "slo.yaml"))
        await slo("remove", "delivered")
        await slo("import", str(tmp_path / "slo.yaml"))
        assert json.loads(await slo("show", "delivered", "--json"))["target"] == "0.9995"

        page = await slo("propose", "--team", "payments", "--over", "7d")
        assert "| payments | | |" in page
        assert "0.3% at" in page
        for _ in range(50):
            report = json.loads(await slo("report", "delivered", "--json"))[0]
            if report["good"] == 3:
                break
        assert (report["good"], report["bad"], report["met"]) == (3, 0, True)

        broken = (tmp_path / "slo.yaml").read_text().replace("isRolling: true", "isRolling: 1", 1)
        (tmp_path / "broken.yaml").write_text(broken)
        said = await slo("check", str(tmp_path / "broken.yaml"), code=1)
        assert "expected true or false, found the number 1" in said
        assert "cannot" not in await slo("check", str(tmp_path / "nothing.yaml"), code=2)
