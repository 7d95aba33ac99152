"""What a detector returns, and what it is told besides the answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from homing.walkthrough.assess.answer import Answer
from homing.walkthrough.assess.clauses import Clause
from homing.walkthrough.assess.rule import State

Place = tuple[int, int]


class Seen(NamedTuple):
    """A state, and the places in the text that show it."""

    state: State
    places: tuple[Place, ...] = ()
    detail: str = ""
    reference: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What an answer is held against."""

    level: str
    lens: str
    wpm: float = 150.0  #: the speaker's rate, words a minute
    targets: Mapping[str, float] = field(default_factory=dict)  #: seconds of each stage
    terms: frozenset[str] = frozenset()  #: the incident's own words, beside the general ones


def head(clause: Clause) -> Place:
    """A clause's subject and verb: "I traced"; of a carried-over subject, the verb."""
    assert clause.verb_at is not None
    start = clause.start if clause.subject else clause.verb_at[0]
    if clause.verb_at[0] - start > 60:
        start = clause.verb_at[0]
    return start, clause.verb_at[1]


def whole(clause: Clause) -> Place:
    return clause.start, clause.end


def heads(clauses: Iterable[Clause]) -> tuple[Place, ...]:
    return tuple(head(one) for one in clauses if one.verb_at)


def quoted(answer: Answer, places: Iterable[Place], most: int = 4) -> str:
    """Some of the words, for a person: “I traced”, “added”."""
    texts = [" ".join(answer.text[start:end].split()) for start, end in places]
    shown = ", ".join(f"“{one}”" for one in texts[:most])
    return f"{shown} and {len(texts) - most} more" if len(texts) > most else shown
