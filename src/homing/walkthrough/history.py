"""What somebody has tried, in files on their own machine: an append-only list, and open sessions.

    attempts.jsonl            one line for each walk that came to an end
    open/MODE-SCENARIO.LEVEL.LENS.json   a walk that is not over

Nothing here leaves the machine, and `wipe` deletes all of it.
"""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from typing import Final, NamedTuple, Protocol, TypeVar

import msgspec

from homing.core.errors import ConfigError

_PRIVATE_FILE: Final = 0o600
_PRIVATE_FOLDER: Final = 0o700


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A walk that came to an end."""

    number: int = 0  #: from 1, in the order of ending
    at_us: int
    mode: str  #: "learn", "rehearse", "mock", "quiz"
    scenario: str
    version: int
    level: str
    lens: str
    text: str = ""  #: of the answer, with headings where it was told in stages
    replies: dict[str, str] = {}  #: probe → words
    states: dict[str, str] = {}  #: rule → state, by the rules of that day
    verdict: str | None = None
    took_s: float | None = None
    right: int | None = None  #: of `asked`, at the first try
    asked: int | None = None


class Walk(Protocol):
    """A walk as its mode has it: a struct of msgspec's."""

    @property
    def scenario(self) -> str: ...
    @property
    def level(self) -> str: ...
    @property
    def lens(self) -> str: ...


class OpenWalk(NamedTuple):
    """Which walk is not over."""

    mode: str
    scenario: str
    level: str
    lens: str


_W = TypeVar("_W", bound=Walk)


class History:
    """One folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def _attempts(self) -> Path:
        return self.folder / "attempts.jsonl"

    def add(self, entry: Entry) -> Entry:
        """Append a walk; it gets its number."""
        numbered = msgspec.structs.replace(entry, number=len(self.entries()) + 1)
        self._make(self.folder)
        with open(self._attempts, "ab", opener=_private) as file:
            file.write(msgspec.json.encode(numbered) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        return numbered

    def entries(self) -> list[Entry]:
        """All walks, the oldest first.

        Raises:
            ConfigError: a line that cannot be read, with its number.
        """
        try:
            lines = self._attempts.read_bytes().splitlines()
        except FileNotFoundError:
            return []
        found = []
        for number, line in enumerate(lines, 1):
            try:
                found.append(msgspec.json.decode(line, type=Entry))
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                text = f"{self._attempts}, line {number}: {error}; remove the line, or wipe"
                raise ConfigError([text]) from error
        return found

    def save(self, mode: str, walk: Walk) -> Path:
        """Keep a walk that is not over, in place of what was kept of it before."""
        path = self._session(mode, walk.scenario, walk.level, walk.lens)
        self._make(path.parent)
        new = path.with_name(path.name + ".new")
        with open(new, "wb", opener=_private) as file:
            file.write(msgspec.json.format(msgspec.json.encode(walk)))
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
        return path

    def load(self, mode: str, scenario: str, level: str, lens: str, kind: type[_W]) -> _W | None:
        """A walk that is not over; None: there is none, or another version has written it."""
        try:
            path = self._session(mode, scenario, level, lens)
            return msgspec.json.decode(path.read_bytes(), type=kind)
        except (FileNotFoundError, msgspec.DecodeError):
            return None

    def drop(self, mode: str, walk: Walk) -> None:
        """Forget a walk that is over."""
        self._session(mode, walk.scenario, walk.level, walk.lens).unlink(missing_ok=True)

    def open_walks(self) -> list[OpenWalk]:
        """Each walk that is not over."""
        found = []
        for path in sorted(self.folder.glob("open/*.json")):
            match = re.fullmatch(r"([a-z]+)-([a-z0-9-]+)\.([a-z0-9-]+)\.([a-z0-9-]+)", path.stem)
            if match:
                found.append(OpenWalk(*match.groups()))
        return found

    def wipe(self) -> int:
        """Delete all that was kept; what else is in the folder stays.

        Returns:
            How many files there were.
        """
        mine = [self._attempts, *self.folder.glob("open/*.json"), *self.folder.glob("open/*.new")]
        files = [path for path in mine if path.is_file()]
        for path in files:
            path.unlink()
        for folder in (self.folder / "open", self.folder):
            with contextlib.suppress(OSError):  # it is not there, or holds what is not ours
                folder.rmdir()
        return len(files)

    def _session(self, mode: str, *names: str) -> Path:
        for name in (mode, *names):
            assert re.fullmatch(r"[a-z0-9-]+", name), name
        return self.folder / "open" / f"{mode}-{'.'.join(names)}.json"

    def _make(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=_PRIVATE_FOLDER)


def _private(path: str, flags: int) -> int:
    """For `open`: nobody else may read what somebody says about their work."""
    return os.open(path, flags, _PRIVATE_FILE)


def folder_of(environment: dict[str, str], home: Path) -> Path:
    """Where histories are kept: XDG_STATE_HOME, or ~/.local/state, and in it homing/walkthrough.

    Source:
        XDG Base Directory Specification 0.8.
    """
    state = environment.get("XDG_STATE_HOME", "")
    base = Path(state) if state.startswith("/") else home / ".local" / "state"
    return base / "homing" / "walkthrough"
