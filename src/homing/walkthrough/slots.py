"""Figures in a story: how each is said, and where the record of an incident has it. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

import msgspec

from homing.review.facts import Facts, Missing, count, moment, percent, plain
from homing.review.incident import Incident

_SLOT: Final = re.compile(r"\{\{|\}\}|\{([a-z0-9_]+)\}")
_DAY_S: Final = 86_400


class Slot(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One figure, name or time of a story."""

    text: str  #: as it is said of the scenario's own incident
    source: str | None = None  #: "result:path" in a record; None: no command measures it
    form: Literal["words", "count", "percent", "money", "days", "day"] = "words"
    digits: int = 3  #: so many digits count; the rest is rounded away, and "about" is for the text
    #: measured: a command counts it; estimate: a command works it out from assumptions;
    #: declared: a person wrote it into the record; told: nobody recorded it
    kind: Literal["measured", "estimate", "declared", "told"] = "measured"


def names_in(text: str) -> list[str]:
    """The slots that a text has, in order."""
    return [match[1] for match in _SLOT.finditer(text) if match[1]]


def fill(text: str, values: Mapping[str, str]) -> str:
    """A text with its slots filled and its lines joined; an empty line parts paragraphs.

    Raises:
        KeyError: a slot without a value.
    """

    def one(match: re.Match[str]) -> str:
        return values[match[1]] if match[1] else match[0][0]

    paragraphs = re.split(r"\n\s*\n", text.strip())
    return "\n\n".join(" ".join(_SLOT.sub(one, part).split()) for part in paragraphs)


def values_of(slots: Mapping[str, Slot], incident: Incident) -> dict[str, str]:
    """What a record has for the slots, as it is said; what it does not have is left out."""
    facts = Facts(incident, "record", None)
    found = {}
    for name, slot in slots.items():
        try:
            found[name] = said(slot, facts)
        except Missing:
            continue
    return found


def said(slot: Slot, facts: Facts) -> str:
    """One slot, from a record.

    Raises:
        Missing: the record does not have it.
    """
    if slot.source is None:
        raise Missing(slot.text)
    values = [facts.get(*one.strip().split(":", 1)) for one in slot.source.split(" - ")]
    if slot.form == "days":
        seconds = (moment(values[0]) - moment(values[1])).total_seconds()
        return plain(seconds / _DAY_S, slot.digits)
    return _FORMS[slot.form](values[0], slot.digits)


def _rounded(value: Any, digits: int) -> float:
    return float(f"{float(value):.{digits}g}")


_FORMS: Final[dict[str, Callable[[Any, int], str]]] = {
    "words": lambda value, digits: str(value),
    "count": lambda value, digits: count(_rounded(value, digits)),
    "percent": lambda value, digits: percent(_rounded(value, digits)),
    "money": lambda value, digits: f"${_rounded(value, digits):,.0f}",
    "day": lambda value, digits: moment(value).strftime("%A"),
}
