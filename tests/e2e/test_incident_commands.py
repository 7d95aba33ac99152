"""`homing incident` against a running service: opened, added to by commands, carried out and in."""

from __future__ import annotations

import json
from pathlib import Path

from support.processes import run, serving


async def test_an_incident_of_the_service_is_added_to_by_commands_and_carried(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path) as homing:

        async def ask(*arguments: str, code: int = 0) -> str:
            found, out, err = await run(tmp_path, *arguments, server_url=homing.url)
            assert found == code, (arguments, out, err)
            return out + (err if code else "")

        await ask("incident", "open", "webhooks are missing", "--noticed-by", "ana")
        name = (tmp_path / ".homing-incident").read_text().strip()
        assert name.startswith("inc_")
        await ask("incident", "note", "nobody was told", "--about", "alerts", "--by", "bo")
        await ask("verify", "--before", "30/10000", "--after", "0/2000")
        assert "webhooks are missing" in await ask("incident", "list")
        one = json.loads(await ask("incident", "show", "--json"))
        assert one["results"]["verify"]["command"].endswith("--before 30/10000 --after 0/2000")
        assert [entry["actor"] for entry in one["timeline"]][1:3] == ["ana", "bo"]
        page = await ask("review")
        assert '[0](#source-verify "all.after.k") of [2,000](#source-verify "all.after.n")' in page

        await ask("incident", "export", "-o", "record.json")
        await ask("incident", "note", "in the file", "--file", "record.json")
        await ask("incident", "import", "record.json")
        assert "in the file" in await ask("incident", "show", name)
        await ask("incident", "close", "told")
        assert not (tmp_path / ".homing-incident").exists()
        assert "is closed" in await ask("incident", "note", "x", "--file", name, code=2)
        assert "no incident" in await ask("incident", "show", "inc_nothing", code=2)
