"""The lab's folder: made once, taken up again as it is, mended when something of it is missing."""

from __future__ import annotations

import warnings
from importlib import resources
from itertools import count
from pathlib import Path
from typing import Final

import msgspec

from homing.cli.impact_assumptions import EXAMPLE
from homing.cli.incidents import LAB_NOTE, POINTER
from homing.cli.output import note
from homing.cli.progress import progress_bar
from homing.core.errors import ConfigError
from homing.lab.founding import SEED, SIZE, have_week
from homing.lab.service.worker import RetryWorker

#: the incident, as the walk opens it
RECORD: Final = "record.json"
#: the faulty worker as it was found: it is not edited, so that what it did is found again
DEPLOYED: Final = "worker_1_8_1.py"
#: what the walk begins with, and nobody is to change
_WEEK: Final = ("deliveries.jsonl.gz", "payments.jsonl.gz")
_FOLDER: Final = "homing-lab"


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """What a folder was made with."""

    seed: int
    size: int
    bytes: dict[str, int] = {}  #: of each file of the week; none: it was interrupted


def made_with(folder: Path) -> Made | None:
    """What is noted in a folder; None: it is none of the lab's."""
    try:
        return msgspec.json.decode((folder / LAB_NOTE).read_bytes(), type=Made)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except msgspec.MsgspecError:  # written half
        return Made(seed=SEED, size=SIZE)


def folder_here(given: Path | None) -> Path:
    """The folder that is meant: the one named, else this one if it is a lab, else `homing-lab`."""
    return given or (Path() if made_with(Path()) else Path(_FOLDER))


def build(folder: Path, seed: int | None, size: int | None) -> Made:
    """Make the week, or leave it as it is when it is whole and nothing else is asked for.

    Args:
        seed, size: None: as the folder was made, or the usual ones.

    Raises:
        ConfigError: there is something else in the folder.
    """
    there = made_with(folder)
    if there is None and folder.exists() and any(folder.iterdir()):
        raise ConfigError([f"{folder}: expected an empty folder, or one of the lab; --folder DIR"])
    old = there or Made(seed=SEED, size=SIZE)
    want = Made(
        seed=old.seed if seed is None else seed,
        size=old.size if size is None else size,
        bytes=_bytes(folder),
    )
    if there == want and len(want.bytes) == len(_WEEK):
        (folder / DEPLOYED).write_text(_ours("worker.py"), encoding="utf-8")
        return want
    folder.mkdir(parents=True, exist_ok=True)
    _save(folder, msgspec.structs.replace(want, bytes={}))
    try:
        _have_week(folder, want)
    except KeyboardInterrupt:
        # What was to run in the simulation never will, and Python would complain of each at exit.
        warnings.filterwarnings("ignore", message="coroutine .* was never awaited")
        note("the week is not whole; the same command makes it again")
        raise
    reset(folder)
    want = msgspec.structs.replace(want, bytes=_bytes(folder))
    _save(folder, want)
    return want


def _have_week(folder: Path, want: Made) -> None:
    what = "a week of payments"
    with progress_bar(what, want.size) as show:
        have_week(
            RetryWorker,
            log=folder / _WEEK[0],
            payments=folder / _WEEK[1],
            seed=want.seed,
            size=want.size,
            on_progress=lambda payments: show(payments, what),
        )


def _bytes(folder: Path) -> dict[str, int]:
    files = [folder / name for name in _WEEK]
    return {file.name: file.stat().st_size for file in files if file.exists()}


def _save(folder: Path, made: Made) -> None:
    (folder / LAB_NOTE).write_bytes(msgspec.json.encode(made))


def reset(folder: Path) -> None:
    """Put the faulty worker, its patch and the assumptions there, as at the beginning.

    A worker.py that the user has written is kept beside it, and so is a record.
    """
    worker, patch = _ours("worker.py"), _ours("fix.patch")
    _keep_own(folder / "worker.py", worker, patch)
    for name in ("worker.py", DEPLOYED):
        (folder / name).write_text(worker, encoding="utf-8")
    (folder / "fix.patch").write_text(patch, encoding="utf-8")
    put_record_aside(folder)
    if not (folder / "impact.toml").exists():
        (folder / "impact.toml").write_text(EXAMPLE)


def put_record_aside(folder: Path) -> None:
    """Make room for a new record: one that is there is kept under another name."""
    (folder / POINTER).unlink(missing_ok=True)
    record = folder / RECORD
    if not record.exists():
        return
    kept = next(
        one
        for number in count(1)
        if not (one := folder / f"record.mine{'' if number == 1 else f'-{number}'}.json").exists()
    )
    record.replace(kept)
    note(f"the {RECORD} that was here is kept as {kept}")


def _ours(name: str) -> str:
    return resources.files("homing.lab.service").joinpath(name).read_text("utf-8")


def _keep_own(worker: Path, faulty: str, patch: str) -> None:
    """Move somebody's own fix out of the way of the faulty worker."""
    if not worker.exists():
        return
    found = worker.read_text(encoding="utf-8", errors="replace")
    if found in (faulty, patched(faulty, patch)):
        return
    kept = worker.with_name("worker.mine.py")
    worker.replace(kept)
    note(f"your own worker.py is kept as {kept}")


def patched(text: str, patch: str) -> str:
    """A text with our own patch applied: one hunk, which fits."""
    hunk = [line for line in patch.splitlines() if line[:1] in (" ", "+", "-")][2:]
    before = "\n".join(line[1:] for line in hunk if line[0] != "+")
    after = "\n".join(line[1:] for line in hunk if line[0] != "-")
    return text.replace(before, after)
