"""What a person is shown and asked, without a word about how it looks: cards of blocks. Pure.

A terminal prints cards, a page renders them; both say the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Literal, TypeVar

import msgspec

from homing.walkthrough.packs import Level, Scenario, Stage, finds


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """A place of a text, and what it is an example of."""

    start: int  #: in characters
    end: int  #: not included
    label: str
    tone: Literal["good", "bad", "more", "less"] = "good"
    note: str = ""


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to read."""

    kind: Literal["text", "quote", "list", "note"]
    text: str = ""
    label: str = ""
    items: tuple[str, ...] = ()
    marks: tuple[Mark, ...] = ()  #: of a quote, in the order of its text
    tone: Literal["", "good", "bad"] = ""


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """One answer to choose, and what is said when it was chosen."""

    text: str
    why: str
    is_right: bool


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """One screen: something to read, and perhaps something to choose."""

    id: str  #: stable, so that an answer can be kept by it
    part: str  #: of the walk: "Overview", a stage's name, "Probes", "Quiz"
    title: str
    blocks: tuple[Block, ...] = ()
    choices: tuple[Choice, ...] = ()  #: none: only to read
    after: tuple[Block, ...] = ()  #: to read when something was chosen

    @property
    def right(self) -> int:
        """The place of the right choice, from 0."""
        return next(place for place, one in enumerate(self.choices) if one.is_right)


_T = TypeVar("_T")


def shuffled(items: Sequence[_T], seed: int, name: str) -> tuple[_T, ...]:
    """An order by chance that the same seed and name repeat."""

    def rank(place: int) -> bytes:
        return hashlib.sha256(f"{seed}/{name}/{place}".encode()).digest()

    return tuple(items[place] for place in sorted(range(len(items)), key=rank))


def example(
    scenario: Scenario,
    stage: Stage,
    level: Level,
    lens: str,
    values: dict[str, str] | None = None,
) -> Block:
    """The strong example of a stage with its signals, weighed as a lens does."""
    text = scenario.strong(stage, level, values)
    turns = scenario.lenses[lens]
    more = {one.signal: one.how for one in turns.emphasise}
    less = {one.signal: one.how for one in turns.downplay}
    marks = []
    for signal in stage.signals:
        place = finds(signal, text) if not signal.at or level.id in signal.at else None
        if place is None:
            continue
        tone: Literal["good", "more", "less"] = "good"
        if signal.id in more:
            tone = "more"
        elif signal.id in less:
            tone = "less"
        note = more.get(signal.id) or less.get(signal.id) or ""
        marks.append(Mark(start=place[0], end=place[1], label=signal.label, tone=tone, note=note))
    return Block(
        kind="quote",
        text=text,
        tone="good",
        label="told well",
        marks=tuple(sorted(marks, key=lambda one: one.start)),
    )


def weak_answer(scenario: Scenario, values: dict[str, str] | None = None) -> Block:
    """The answer told badly, each fault on its words."""
    text = scenario.told(scenario.weak.text, values)
    marks = []
    for fault in scenario.weak.faults:
        start = text.find(fault.quote) if fault.quote else -1
        if start >= 0:
            marks.append(
                Mark(
                    start=start,
                    end=start + len(fault.quote),
                    label=fault.rule.replace("_", " "),
                    tone="bad",
                    note=fault.why,
                )
            )
    return Block(
        kind="quote",
        text=text,
        tone="bad",
        label="told badly",
        marks=tuple(sorted(marks, key=lambda one: one.start)),
    )
