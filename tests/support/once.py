"""What takes long to make, made once for all processes of a run of the tests."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest


def made_once(temporary: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A folder that the first process to ask for it has filled; others wait, and leave it as it is.

    Args:
        temporary: its parent is shared by the processes of a run (pytest-xdist gives each of them a
            folder in that of the run).
        name: the folder's name, by which processes know that they mean the same.
        make: fills the folder. Where it fails, the next one to ask tries again in another folder.
    """
    base = temporary.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with (shared / f"{name}.made").open("a+") as made:
        fcntl.flock(made, fcntl.LOCK_EX)
        made.seek(0)
        if found := made.read():
            return Path(found)
        number = sum(1 for _ in shared.glob(f"{name}-*"))
        folder = shared / f"{name}-{number}"
        folder.mkdir()
        make(folder)
        made.write(str(folder))
        return folder
