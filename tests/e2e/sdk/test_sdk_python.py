"""Svix's Python SDK, as published, does here what it does with Svix's own server."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
from support.packages import install, run
from support.serving import Served

PIP = (
    *(sys.executable, "-m", "pip", "--python", "venv/bin/python"),
    *("install", "--quiet", "--no-compile"),
)
SCENARIO = Path(__file__).with_name("scenario.py")


@pytest.mark.slow
@pytest.mark.parametrize("version", ["1.99.1", "2.0.0", "2.9.1"])
async def test_the_python_sdk_works(
    served: Served, environments: Path, missing: Callable[[str, str], NoReturn], version: str
) -> None:
    folder = await install(
        environments / f"python-{version}",
        [
            # our pip installs there: one of its own would take longer than the package
            [sys.executable, "-m", "venv", "--without-pip", "venv"],
            [*PIP, f"svix=={version}"],
        ],
        missing,
    )
    python = folder / "venv/bin/python"
    code, said = await run(python, SCENARIO, served.url, served.token)
    assert code == 0, said
    assert said.splitlines()[-1] == "done"
