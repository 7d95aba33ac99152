"""What `homing investigate` found in a log: the mechanism, and the schedule that shows it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from homing.core.errors import Invalid, Problem

_WHERE = ("incident",)


class Step(msgspec.Struct, frozen=True):
    """One line of the skeleton."""

    who: str  #: "A", "B", "receiver", "database" or "publisher"
    op: str
    note: str = ""


class Skeleton(msgspec.Struct, frozen=True):
    """Who does what in which order."""

    steps: tuple[Step, ...] = ()
    settings: dict[str, str | float | int | bool | None] = {}

    def seconds(self, name: str) -> float | None:
        """A time of the settings; None if the log did not have it."""
        value = self.settings.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
            return float(value)
        return None


class Candidate(msgspec.Struct, frozen=True):
    """One of several mechanisms between which the log cannot decide."""

    mechanism: str
    sentence: str = ""
    skeleton: Skeleton | None = None


class Hypothesis(msgspec.Struct, frozen=True):
    """What the log looks like."""

    mechanism: str | None = None
    sentence: str = ""
    skeleton: Skeleton | None = None
    #: where the log cannot decide: the likeliest first
    candidates: tuple[Candidate, ...] = ()

    @property
    def suspects(self) -> tuple[Candidate, ...]:
        """The mechanism that was named, or those between which the log cannot decide."""
        if self.mechanism is None:
            return self.candidates
        return (Candidate(self.mechanism, self.sentence, self.skeleton),)


class Incident(msgspec.Struct, frozen=True):
    """As much of an investigation's file as is needed here; the rest of it is left alone."""

    hypothesis: Hypothesis
    accepted: int = 0
    dropped: int = 0


def read_incident(path: Path) -> Incident:
    """The file that `homing investigate LOG --save FILE` wrote.

    Raises:
        Invalid: it is no such file.
    """
    try:
        text = path.read_bytes()
        if not text.strip():
            save = f"`homing investigate LOG --save {_free_name(path)}`"
            raise Invalid([Problem(_WHERE, f"{path} is empty; expected what {save} writes")])
        return msgspec.json.decode(text, type=Incident)
    except OSError as error:
        told = f"{path} cannot be read: {error.strerror or error}"
        raise Invalid([Problem(_WHERE, told)]) from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        told = (
            f"{path}: expected what `homing investigate LOG --save {_free_name(path)}` writes; "
            f"found {_found_instead(text)}"
        )
        raise Invalid([Problem(_WHERE, told)]) from error


#: fields that every incident record has
_OF_RECORDS: Final = frozenset(("title", "causes", "results", "timeline"))


def _found_instead(text: bytes) -> str:
    """What a file is that is no investigation, in words."""
    try:
        document = msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return "a file that is no JSON"
    if isinstance(document, dict) and document.keys() >= _OF_RECORDS:
        return "the record of an incident, which has no schedule in it"
    if not isinstance(document, dict) or "hypothesis" not in document:
        return "JSON of something else: it has no `hypothesis`"
    return "a `hypothesis` of another form"


def _free_name(path: Path) -> str:
    """A name for the file of an investigation that takes the place of nothing: not of the file
    that was meant for one, which somebody may need."""
    names = ("incident.json", *(f"incident-{number}.json" for number in range(2, 100)))
    beside = (path.with_name(name) for name in names)
    return str(next((one for one in beside if not one.exists()), "NEW.json"))
