"""Rules as data: what each asks, what its states mean, its words, and the tests beside it.

A rule is a file of `rules/`; its detector is a function of this package. Changing what a rule
finds raises its `version`, so that an old finding can be told from a new one.
"""

from __future__ import annotations

import tomllib
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import Any, Final

import msgspec

STAGES: Final = ("situation", "task", "action", "result", "reflection")


class State(StrEnum):
    """What a rule says of an answer."""

    MET = "met"
    WEAK = "weak"
    MISSING = "missing"
    CONTRADICTED = "contradicted"  #: the text, or the record, says the opposite
    NOT_CHECKABLE = "not checkable"  #: there is not enough to tell by


class Meaning(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one state of a rule means."""

    means: str  #: in words that a person can label by, without knowing how it is found
    why: str = ""  #: why it matters, said beside the words of an answer
    fix: str = ""  #: what to do; empty: nothing


class Case(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A test of a rule: a text, and the state it must get."""

    text: str
    state: State
    stage: str | None = None  #: None: a whole answer
    span: str | None = None  #: words that the finding must point at
    level: str = "sde2"
    note: str = ""  #: the trap it is about


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing that an answer is asked for."""

    id: str
    version: int
    title: str
    question: str  #: what it asks of an answer
    stages: tuple[str, ...]  #: where it looks; all five: anywhere
    states: dict[str, Meaning]
    detector: str = ""  #: a function of `detectors`; empty: of the same name
    needs_record: bool = False
    #: content: what is said. form: how it is said
    kind: str = "content"
    limits: dict[str, float] = {}
    words: dict[str, tuple[str, ...]] = {}
    tests: tuple[Case, ...] = ()

    def phrases(self, name: str) -> frozenset[str]:
        return frozenset(self.words.get(name, ()))

    def limit(self, name: str) -> float:
        return self.limits[name]


@cache
def rules() -> dict[str, Rule]:
    """All rules by id, in the order in which they are shown.

    Raises:
        msgspec.ValidationError: a file of ours is not as it must be.
    """
    found = {}
    for file in sorted(resources.files("homing.walkthrough").joinpath("rules").iterdir(), key=str):
        if file.name.endswith(".toml") and file.name not in ("words.toml", "verdict.toml"):
            rule = _rule(file.read_text("utf-8"), file.name)
            found[rule.id] = rule
    order = verdict_document()["order"]
    return {name: found[name] for name in order}


def _rule(text: str, name: str) -> Rule:
    rule = msgspec.convert(tomllib.loads(text), Rule)
    unknown = set(rule.states) - {state.value for state in State}
    assert not unknown, (name, unknown)
    assert set(rule.stages) <= set(STAGES), (name, rule.stages)
    return rule


@cache
def verdict_document() -> dict[str, Any]:
    """`rules/verdict.toml` as it stands."""
    text = resources.files("homing.walkthrough").joinpath("rules/verdict.toml").read_text("utf-8")
    return tomllib.loads(text)
