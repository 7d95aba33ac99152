"""Writes a project from the skeleton, and brings one up to date without touching its own changes.

Beside the files goes a note, `.homing-template.json`: the answers, and the hash of each file as it
was written. By it an update tells what the template changed from what the project did.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec

from homing import __version__
from homing.core.errors import ConfigError
from homing.core.objectives import Limits
from homing.insight.objectives import default_objectives
from homing.insight.openslo.bundle import write_bundle
from homing.insight.openslo.mapping import documents_of
from homing.insight.rules.prometheus import rule_files
from homing.insight.rules.unit_tests import unit_test_files

NOTE: Final = ".homing-template.json"
FRAMEWORKS: Final = ("fastapi", "django")
_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,62}")
_SKELETON: Final = Path(__file__).parent / "skeleton"
#: put behind the name of a file that the template changed and the project too
NEW: Final = ".new"


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """What the project was written from."""

    name: str
    framework: str
    homing_version: str
    files: dict[str, str]  #: path to the SHA-256 of what the template last gave


class Change(StrEnum):
    """What an update does with a file."""

    SAME = "same"  #: the template gives what is there
    WRITTEN = "written"  #: new, or nobody but the template ever changed it
    KEPT = "kept"  #: the project changed it (or removed it), the template did not
    CONFLICT = "conflict"  #: both did: the template's goes beside it


def generate(folder: Path, name: str, framework: str) -> list[str]:
    """Write a new project; its files, by path.

    Raises:
        ConfigError: the name cannot be one, the folder has something in it, or Copier is missing.
    """
    if not _NAME.fullmatch(name):
        text = "expected lower-case letters, digits and hyphens, a letter first, at most 63"
        raise ConfigError([f"NAME: {text}; found {name!r}"])
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(
            [f"{folder}: expected a new or an empty folder; choose another by --into"]
        )
    rendered = render(name, framework)
    for path, content in rendered.items():
        _write(folder / path, content)
    _write_note(folder, name, framework, rendered)
    return sorted(rendered)


def update(folder: Path) -> dict[str, Change]:
    """Bring a project up to this version of the template; what was done with each file.

    Raises:
        ConfigError: there is no note in the folder, or none that can be read.
    """
    note = read_note(folder)
    rendered = render(note.name, note.framework)
    done = {}
    for path, content in rendered.items():
        there = (folder / path).read_bytes() if (folder / path).is_file() else None
        done[path] = change = decide(there, content, note.files.get(path))
        if change is Change.WRITTEN:
            _write(folder / path, content)
        elif change is Change.CONFLICT:
            _write(folder / (path + NEW), content)
    _write_note(folder, note.name, note.framework, rendered)
    return done


def decide(there: bytes | None, given: bytes, last: str | None) -> Change:
    """What becomes of one file.

    Args:
        there: what the project has; None: nothing.
        given: what the template gives now.
        last: hash of what it gave before; None: it did not have this file.
    """
    if there == given:
        return Change.SAME
    if there is None:
        return Change.WRITTEN if last is None else Change.KEPT
    if digest(there) == last:
        return Change.WRITTEN
    return Change.KEPT if digest(given) == last else Change.CONFLICT


def digest(content: bytes) -> str:
    """SHA-256, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def read_note(folder: Path) -> Note:
    """What a project was written from.

    Raises:
        ConfigError: there is no note in the folder, or none that can be read.
    """
    try:
        return msgspec.json.decode((folder / NOTE).read_bytes(), type=Note)
    except FileNotFoundError as error:
        text = f"{folder / NOTE}: not there; run this in a project that `homing template` wrote"
        raise ConfigError([text]) from error
    except (OSError, msgspec.DecodeError) as error:
        raise ConfigError([f"{folder / NOTE}: cannot be read: {error}"]) from error


def render(name: str, framework: str) -> dict[str, bytes]:
    """Every file of a project, by its path with slashes.

    Raises:
        ConfigError: Copier is not installed.
    """
    try:
        import copier
    except ImportError as error:
        raise ConfigError(
            ["`homing template` needs Copier: run `pip install 'homing[template]'`"]
        ) from error
    answers = {"name": name, "framework": framework, "homing_version": __version__}
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) / name
        copier.run_copy(str(_SKELETON), root, data=answers, defaults=True, quiet=True)
        files = {
            path.relative_to(root).as_posix(): path.read_bytes()
            for path in root.rglob("*")
            if path.is_file()
        }
    return files | _promises()


def _promises() -> dict[str, bytes]:
    """The objectives, as `homing slo export` and `homing slo rules` write them."""
    objectives = default_objectives("org")
    documents = documents_of(objectives, Limits(), prometheus_url="http://prometheus:9090")
    written = [*rule_files(objectives), *unit_test_files(objectives)]
    files = {f"ops/rules/{file.name}": file.text.encode() for file in written}
    return files | {"ops/objectives.yaml": write_bundle(documents).encode()}


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _write_note(folder: Path, name: str, framework: str, rendered: dict[str, bytes]) -> None:
    note = Note(
        name=name,
        framework=framework,
        homing_version=__version__,
        files={path: digest(content) for path, content in sorted(rendered.items())},
    )
    text = msgspec.json.format(msgspec.json.encode(note), indent=2)
    _write(folder / NOTE, text + b"\n")
