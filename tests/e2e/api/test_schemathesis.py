"""Schemathesis makes requests from the served description and finds no broken promise in them."""

from __future__ import annotations

import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.packages import run
from support.serving import Served, serving

from homing.store import open_store

#: what is not asked of us, and why
NOT_CHECKED = {
    # A JSON number such as 5.0 is refused where a whole number is expected, and some rules are
    # not those of a schema: an iterator must be of this listing, a uid that of the path.
    "positive_data_acceptance",
    # An event type that is "deleted" is archived, and can be looked at and brought back.
    "use_after_free",
}


@pytest.fixture
async def furnished(store_url: str) -> AsyncIterator[Served]:
    """Sends nothing, and has one of each thing under names that may be drawn."""
    async with (
        serving(await open_store(store_url), dispatching=False) as served,
        served.client() as client,
    ):
        for path, body in (
            ("/app", {"name": "0", "uid": "0"}),
            ("/event-type", {"name": "0", "description": ""}),
            ("/app/0/endpoint", {"url": "http://127.0.0.1:1/", "uid": "0"}),
            ("/app/0/msg", {"eventType": "0", "payload": {}, "eventId": "0"}),
        ):
            assert (await client.post(f"/api/v1{path}", json=body)).is_success
        yield served


async def _schemathesis(served: Served, folder: Path, *options: str) -> None:
    command = shutil.which("st", path=str(Path(sys.executable).parent))
    assert command is not None, "schemathesis is a development dependency"
    code, said = await run(
        command,
        "run",
        f"{served.url}/api/v1/openapi.json",
        "--header",
        f"Authorization: Bearer {served.token}",
        "--checks",
        "all",
        "--exclude-checks",
        ",".join(sorted(NOT_CHECKED)),
        "--warnings",
        "off",
        "--generation-database",
        "none",
        "--request-timeout",
        "60",
        "--suppress-health-check",
        "too_slow",
        *options,
        cwd=folder,
    )
    assert code == 0, said[-20_000:]


async def test_drawn_requests_find_no_broken_promise(furnished: Served, tmp_path: Path) -> None:
    # The same draws each time: what gates a change must not depend on luck.
    await _schemathesis(
        furnished, tmp_path, "--phases", "fuzzing", "--max-examples", "3", "--seed", "7"
    )


@pytest.mark.explore
async def test_many_drawn_requests_find_no_broken_promise(
    furnished: Served, tmp_path: Path
) -> None:
    await _schemathesis(
        furnished, tmp_path, "--phases", "coverage,fuzzing,stateful", "--max-examples", "10"
    )
