"""Svix's JavaScript SDK, as published, does here what it does with Svix's own server.

What arrives is verified with npm's `standardwebhooks`, too.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
from support.packages import install, run
from support.serving import Served

SCENARIO = Path(__file__).with_name("scenario.mjs")


@pytest.mark.slow
@pytest.mark.node
@pytest.mark.parametrize("version", ["1.99.1", "2.5.0"])
async def test_the_javascript_sdk_works(
    served: Served, environments: Path, missing: Callable[[str, str], NoReturn], version: str
) -> None:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        missing("node", "no node and npm on PATH")
    packages = [f"svix@{version}", "standardwebhooks@1.1.1"]
    folder = await install(
        environments / f"javascript-{version}",
        [[npm, "init", "-y"], [npm, "install", "--silent", "--no-audit", "--no-fund", *packages]],
        missing,
    )
    code, said = await run(node, SCENARIO, served.url, served.token, cwd=folder)
    assert code == 0, said
    assert said.splitlines()[-1] == "done"
