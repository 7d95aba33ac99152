"""Where the incident at hand is kept, a file or a service, and how commands add to it.

The incident that is open here is the one that HOMING_INCIDENT names or, without it, the file
`.homing-incident` in this folder, which `homing incident open` writes and `close` removes.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shlex
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from glob import glob
from pathlib import Path
from typing import Any, Final, Protocol

import click
import msgspec

from homing.cli.client import Api, connect
from homing.cli.moments import moment
from homing.cli.output import note, note_prose, say_error, time_text, why
from homing.core.errors import ConfigError, HomingError
from homing.review.incident import Change, Digest, Found, Incident, Result, add
from homing.review.results import condensed, found
from homing.system import SystemClock

VARIABLE: Final = "HOMING_INCIDENT"
POINTER: Final = Path(".homing-incident")
#: what the lab's folder is told by
LAB_NOTE: Final = Path("lab.json")
ID_PREFIX: Final = "inc_"
_CHUNK: Final = 1 << 20
_HASHED_MAX: Final = 200
#: a worker, assumptions, a saved investigation; not a log
_KEPT_BYTES_MAX: Final = 131_072


at_option = click.option(
    "--at",
    "at_us",
    type=moment,
    metavar="TIME",
    help="In the incident's record, as if it were this time (ISO 8601); default: now.",
)


def say_if_ahead(incident: Incident | None, at_us: int | None, option: str = "--at") -> None:
    """A time that is yet to come is most often a slip; it is said, and kept as it was given.

    Once: a record that is ahead of the clock already tells of simulated days. Not in the lab's
    folder, whose story has days of its own.
    """
    if LAB_NOTE.is_file():
        return
    now_us = SystemClock().now_us()
    is_ahead = incident is not None and any(one.at_us > now_us for one in incident.timeline)
    if at_us is not None and at_us > now_us and not is_ahead:
        note(f"{option} {time_text(at_us)} is yet to come; kept as it is")


class Place(Protocol):
    """Keeps one incident."""

    name: str  #: what commands call it

    def load(self) -> Incident: ...

    def change(self, change: Callable[[Incident], Change], actor: str) -> Incident: ...


class InFile:
    """An incident as a JSON file."""

    def __init__(self, path: Path, name: str = "") -> None:
        self.path = path
        self.name = name or str(path)

    def load(self) -> Incident:
        """
        Raises:
            ConfigError: there is no incident in it.
        """
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=Incident)
        except FileNotFoundError as error:
            text = f"{self.path}: there is no such file; homing incident open TITLE --file FILE"
            raise ConfigError([text]) from error
        except (OSError, msgspec.DecodeError) as error:
            text = f"{self.path}: expected an incident as `homing incident` writes it; {error}"
            raise ConfigError([text]) from error

    def change(self, change: Callable[[Incident], Change], actor: str) -> Incident:
        with self._alone():
            before = self.load()
            after = add(before, change(before), at_us=SystemClock().now_us(), actor=actor)
            self.save(after)
        return after

    def save(self, incident: Incident) -> None:
        """Write it whole or not at all.

        Raises:
            ConfigError: it cannot be written there.
        """
        text = msgspec.json.format(msgspec.json.encode(incident), indent=2)
        beside = None
        try:
            with tempfile.NamedTemporaryFile(
                dir=self.path.parent, prefix=".incident-", delete=False
            ) as file:
                beside = Path(file.name)
                file.write(text + b"\n")
                file.flush()
                os.fsync(file.fileno())
            beside.chmod(0o644)
            beside.replace(self.path)
        except OSError as error:  # which would name the file beside it
            if beside is not None:
                beside.unlink(missing_ok=True)
            problem = f"{self.path}: expected a file that can be written here: {why(error)}"
            raise ConfigError([problem]) from error

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Two commands at once: one after the other, so that neither entry is lost."""
        try:
            folder = os.open(self.path.parent, os.O_RDONLY)
        except OSError as error:
            raise ConfigError([f"{self.path}: its folder cannot be read: {why(error)}"]) from error
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)


def service_here() -> Api:
    """The API of the running service, as other commands find it."""
    return connect(os.environ.get("HOMING_SERVER_URL"), os.environ.get("HOMING_TOKEN"))


class InService:
    """An incident in the store of a running Homing."""

    def __init__(self, name: str) -> None:
        self.name = name

    def load(self) -> Incident:
        answer = service_here().get("incident", self.name)
        return msgspec.convert(answer["record"], Incident)

    def change(self, change: Callable[[Incident], Change], actor: str) -> Incident:
        wanted = msgspec.to_builtins(change(self.load()))
        kind = wanted.pop("type")
        answer = service_here().call(
            "POST",
            "incident",
            self.name,
            "change",
            body={"type": kind, "fields": wanted, "actor": actor},
        )
        return msgspec.convert(answer["record"], Incident)


def place_of(name: str) -> Place:
    """Where an incident is, from a file's name or an id."""
    is_id = name.startswith(ID_PREFIX) and not Path(name).exists()
    return InService(name) if is_id else InFile(Path(name))


def open_here() -> str | None:
    """The incident that is open here; None: none is."""
    given = os.environ.get(VARIABLE)
    if given is not None:
        return given or None
    try:
        return POINTER.read_text(encoding="utf-8").strip() or None
    except OSError:
        return None


def the_place(name: str | None) -> Place:
    """The incident that was named, or the one that is open here.

    Raises:
        ConfigError: neither.
    """
    found = name or open_here()
    if not found:
        text = (
            "expected an incident: --file FILE or an id, HOMING_INCIDENT, or one that was opened "
            "in this folder (homing incident open TITLE --file FILE)"
        )
        raise ConfigError([text])
    return place_of(found)


def actor_here() -> str:
    """Who is at the keyboard, as far as the machine knows."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "somebody"


def digest_of(path: Path) -> Digest:
    """A file's hash and size.

    Raises:
        OSError: it cannot be read.
    """
    hashed = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            hashed.update(chunk)
    return Digest(name=str(path), sha256=hashed.hexdigest(), size_bytes=path.stat().st_size)


def files_of(names: Sequence[str]) -> list[str]:
    """The files that arguments name, globs among them; at most some hundred are hashed."""
    found: list[str] = []
    for name in names:
        found += sorted(glob(name)) if any(letter in name for letter in "*?[") else [name]
    return found[:_HASHED_MAX]


def _digests(
    names: Sequence[str | Path | None], kept: dict[str, str] | None = None
) -> tuple[Digest, ...]:
    """Those that are files; a database or a server has no hash.

    Args:
        kept: gets the texts of small ones, by hash.
    """
    paths = [Path(name) for name in names if name is not None]
    found = []
    for path in dict.fromkeys(paths):
        if not path.is_file():
            continue
        digest = digest_of(path)
        text = _small_text(path) if kept is not None else None
        if text is not None and kept is not None:
            kept[digest.sha256] = text
            digest = msgspec.structs.replace(digest, is_kept=True)
        found.append(digest)
    return tuple(found)


def _small_text(path: Path) -> str | None:
    if path.stat().st_size > _KEPT_BYTES_MAX:
        return None
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None
    return None if "\x00" in text else text


def record(
    step: str,
    values: Mapping[str, Any],
    *,
    inputs: Sequence[str | Path | None] = (),
    files: Sequence[Path | None] = (),
    at_us: int | None = None,
) -> None:
    """Add what a command found to the incident that is open here; nothing if none is.

    The same command on the same files, with the same result, is no news and adds nothing. That
    it cannot be added is said and does not undo what the command has done.

    Args:
        step: the command's name.
        values: its JSON.
        inputs: files that it rests on.
        files: that it wrote.
        at_us: when; None: now.
    """
    name = open_here()
    if name is None:
        return
    kept: dict[str, str] = {}
    result = Result(
        step=step,
        command=shlex.join(["homing", *(one for one in sys.argv[1:] if one != "--json")]),
        at_us=at_us or SystemClock().now_us(),
        by=actor_here(),
        inputs=_digests(inputs, kept),
        files=_digests(files),
        values=msgspec.to_builtins(dict(values)),
    )

    def change(incident: Incident) -> Found:
        say_if_ahead(incident, at_us)
        return msgspec.structs.replace(found(incident, result), kept=kept)

    place = place_of(name)
    try:
        if _is_known(place.load(), result):
            note(f"the incident {name} has that already")
            return
        after = place.change(change, result.by)
    except (ConfigError, HomingError) as error:
        say_error(f"not added to the incident {name}: {error}")
        return
    note_prose(f"added to the incident {name}: {after.timeline[-1].text}")


def _is_known(incident: Incident, result: Result) -> bool:
    """Whether the incident has the result of that command, of the same files, as it is."""
    values = msgspec.json.decode(msgspec.json.encode(condensed(result.step, result.values)))
    return any(
        (one.step, one.command, one.inputs) == (result.step, result.command, result.inputs)
        and one.values == values
        for one in incident.results.values()
    )


def name_of(given: str | None, named: str | None) -> str | None:
    """The incident of a command that takes it as its argument and as `--incident`.

    Raises:
        UsageError: they are two.
    """
    if given is not None and named is not None and given != named:
        raise click.UsageError(f"expected one incident; found {given} and --incident {named}")
    return given if given is not None else named


incident_option = click.option(
    "--file",
    "--incident",
    "name",
    metavar="FILE|ID",
    help="The incident; default: HOMING_INCIDENT, or the one opened in this folder.",
)
