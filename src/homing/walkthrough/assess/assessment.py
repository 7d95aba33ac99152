"""What an assessment says: findings on exact words, the rules' states, a verdict's rows."""

from __future__ import annotations

import msgspec

from homing.walkthrough.assess.rule import State


class Span(msgspec.Struct, frozen=True):
    """Words of an answer: offsets in characters, the end not included, and the words."""

    start: int
    end: int
    text: str


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What one rule says of an answer, and of which words."""

    rule: str
    version: int
    title: str
    state: State
    stage: str | None  #: of the words; None: the answer as a whole
    span: Span | None  #: the words it is most about; None: about what is not there
    spans: tuple[Span, ...] = ()  #: all of them, the first included
    detail: str = ""  #: what was seen: which words, which numbers
    why: str = ""
    fix: str = ""
    reference: str = ""  #: of a number or an act: where the record has it


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the verdict's table."""

    verdict: str
    says: str
    holds: bool
    decides: bool  #: the first that holds
    because: tuple[str, ...] = ()  #: rules and states by which it holds or does not


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """A step of the scale, by a table."""

    step: str  #: "Strong No" … "Strong Yes"
    says: str
    label: str  #: what a verdict is, and is not
    version: int


class Assessment(msgspec.Struct, frozen=True, kw_only=True):
    """All that is said of an answer."""

    stage: str | None
    level: str
    lens: str
    findings: tuple[Finding, ...]
    states: dict[str, State]  #: of each rule that applies, in order
    verdict: Verdict | None  #: None: a single stage, or nothing to judge
    rows: tuple[Row, ...]  #: the whole table
    words: int
    spoken_s: float  #: at the speaker's rate; an estimate where the answer was typed
    weights: dict[str, int] = {}  #: of each rule under the lens: 0, 1 or 2
    required: tuple[str, ...] = ()  #: of the level
    #: rules that this level and lens ask for; what the others lack is no fault here
    asked: tuple[str, ...] = ()

    @property
    def faults(self) -> tuple[Finding, ...]:
        """What is there to be mended: of rules that are asked for, whatever is not met."""
        bad = (State.CONTRADICTED, State.MISSING, State.WEAK)
        return tuple(one for one in self.findings if one.state in bad and one.rule in self.asked)

    def of(self, rule: str) -> tuple[Finding, ...]:
        return tuple(one for one in self.findings if one.rule == rule)
