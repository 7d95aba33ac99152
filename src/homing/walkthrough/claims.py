"""A draft of the story from the record: only what the record shows, each sentence with where. Pure.

Rule 1: figures, money, days and names stand in a draft only where a slot puts them.
Rule 2: “I” is written only where the record says that the speaker did it.
Rule 3: what is not shown is not written; it is a gap, listed with the command that would fill it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import Final

import msgspec

from homing.review.facts import Missing
from homing.walkthrough.assess import WPM, scaled
from homing.walkthrough.assess.rule import STAGES
from homing.walkthrough.assess.words import count_of_words
from homing.walkthrough.packs import Level, Principle
from homing.walkthrough.record import RECORD, Record, Reference, is_group

_SLOT: Final = re.compile(r"\{(\w+)\}")
#: what being required by the level is worth beside the weight of a lens, 0 to 3
_REQUIRED_WORTH: Final = 2
#: the line of an exported draft that says which record it is of
STAMP: Final = re.compile(r"<!-- homing draft of (\S+) at ([0-9a-f]{64})")
_DIGIT: Final = re.compile(r"\d")


class ClaimState(StrEnum):
    """What the record says of a claim."""

    SUPPORTED = "supported"  #: it is in the record
    ESTIMATE = "estimate"  #: worked out from assumptions, and said so
    ATTESTED = "self-attested"  #: only the speaker can know; marked as such
    UNSUPPORTED = "unsupported"  #: not in the record: not written
    CONTRADICTED = "contradicted"  #: the record says otherwise: not written


class Spec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A sentence that a draft may have, as `claims.toml` has it."""

    id: str
    stage: str
    says: str
    rules: tuple[str, ...]
    gap: str  #: empty: nothing is missed without it
    command: str = ""
    others: str = ""
    mine: str = ""
    slots: dict[str, str] = {}
    needs: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    zero: tuple[str, ...] = ()
    differs: tuple[str, ...] = ()
    between: str = ""
    state: ClaimState = ClaimState.SUPPORTED
    at: tuple[str, ...] = ()  #: levels; none named: all


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """A value in a claim's text."""

    name: str
    start: int  #: in the claim's text
    end: int
    reference: Reference


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """One sentence, what it rests on, and how firmly."""

    id: str
    stage: str
    state: ClaimState
    text: str  #: empty where it is not written
    rules: tuple[str, ...]
    weight: int  #: under the lens
    slots: tuple[Slot, ...] = ()
    references: tuple[Reference, ...] = ()  #: of the slots, and of who did it
    doer: str = ""  #: whom the record names
    is_mine: bool = False
    says: str = ""  #: why it is not written, or what a mark means


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """Something that the story lacks because the record lacks it."""

    claim: str
    stage: str
    state: ClaimState  #: unsupported or contradicted
    text: str  #: what is missing, or what the record says instead
    command: str  #: that would add it
    rules: tuple[str, ...]


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """All claims in the order in which they are told, and what is missing."""

    incident: str
    sha256: str  #: of the record: another hash, and the draft is of an older record
    me: str
    level: str
    lens: str
    claims: tuple[Claim, ...]  #: those that are written
    left_out: tuple[Claim, ...]  #: supported, but there is no time for them
    gaps: tuple[Gap, ...]

    def text(self, stage: str | None = None) -> str:
        """What is told in a stage; None: all, a paragraph for each stage."""
        if stage is not None:
            return " ".join(one.text for one in self.claims if one.stage == stage)
        paragraphs = (self.text(name) for name in STAGES)
        return "\n\n".join(one for one in paragraphs if one)


@cache
def specs() -> tuple[Spec, ...]:
    """The sentences that a draft may have, in the order in which they are told."""
    text = resources.files("homing.walkthrough").joinpath("claims.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(text)["claims"], tuple[Spec, ...])


def draft(record: Record, me: str, level: Level, lens: Principle, wpm: float = WPM) -> Draft:
    """The story as the record allows it to be told.

    Args:
        record: of the incident.
        me: the actor whose story it is, as the record names them.
        level: its time bounds what is told; some claims are for some levels only.
        lens: its weights say which claims are told first where time is short.
    """
    written: list[Claim] = []
    gaps: list[Gap] = []
    for spec in specs():
        if spec.at and level.id not in spec.at:
            continue
        one = _claim(spec, record, me, lens)
        if one.state in (ClaimState.UNSUPPORTED, ClaimState.CONTRADICTED):
            if spec.gap:
                gaps.append(_gap(spec, one))
        else:
            assert not unslotted(one), (one.id, one.text)
            written.append(one)
    told, left_out = _fitted(written, level, wpm)
    return Draft(
        incident=record.incident.id,
        sha256=record.sha256,
        me=me,
        level=level.id,
        lens=lens.id,
        claims=tuple(told),
        left_out=tuple(left_out),
        gaps=tuple(gaps),
    )


def unslotted(claim: Claim) -> list[int]:
    """Where figures stand in a claim that no slot put there."""
    return [
        match.start()
        for match in _DIGIT.finditer(claim.text)
        if not any(one.start <= match.start() < one.end for one in claim.slots)
    ]


def _claim(spec: Spec, record: Record, me: str, lens: Principle) -> Claim:
    """A claim as the record lets it stand."""
    weight = max((lens.weights.get(rule, 1) for rule in spec.rules), default=1)

    def made(state: ClaimState, says: str = "", **more: object) -> Claim:
        given = {"id": spec.id, "stage": spec.stage, "rules": spec.rules, "weight": weight}
        return msgspec.convert({"state": state, "says": says, "text": "", **given, **more}, Claim)

    if any(record.has(one) for one in spec.unless):
        return made(ClaimState.UNSUPPORTED, "the record says otherwise")
    against = _against(spec, record)
    if against:
        return made(ClaimState.CONTRADICTED, against)
    try:
        _require(spec, record)
        doer = str(record.get(spec.mine)) if spec.mine else ""
        is_mine = doer == me
        says = spec.says if is_mine or not spec.mine else spec.others
        if not says:
            return made(ClaimState.CONTRADICTED, f"the record says that {doer} did it")
        text, slots = _filled(says, spec.slots, record, doer, spec.mine)
    except Missing as missing:
        return made(ClaimState.UNSUPPORTED, f"the record has no {_name(missing)}")
    references = [one.reference for one in slots]
    references += [record.reference(one) for one in (*spec.needs, *spec.zero)]
    if spec.mine:
        references.append(record.reference(spec.mine))
    if spec.unless and not references:
        references.append(record.reference("record:id"))
    return Claim(
        id=spec.id,
        stage=spec.stage,
        state=spec.state,
        text=text,
        rules=spec.rules,
        weight=weight,
        slots=tuple(slots),
        references=tuple(references),
        doer=doer,
        is_mine=is_mine and bool(spec.mine),
    )


def _against(spec: Spec, record: Record) -> str:
    """What the record says against a claim; empty: nothing."""
    for address in spec.zero:
        if record.has(address) and record.get(address) != 0:
            source, path = record.place(address)
            return f"it says “zero”, and the record has {record.get(address)} at {source}:{path}"
    if len(spec.differs) == 2 and all(record.has(one) for one in spec.differs):
        first, second = (str(record.get(one)) for one in spec.differs)
        if first.casefold() == second.casefold():
            return (
                f"it says that the service was another team's, and the record has {first} for both"
            )
    return ""


def _require(spec: Spec, record: Record) -> None:
    """
    Raises:
        Missing: something that must be there.
    """
    for address in (*spec.needs, *spec.zero, *spec.differs):
        record.get(address)
    if spec.between and not record.is_between(spec.between):
        raise Missing("deployment of the fix between the windows")


def _filled(
    says: str, addresses: Mapping[str, str], record: Record, doer: str, mine: str
) -> tuple[str, list[Slot]]:
    """A text with its slots filled, and where they stand in it.

    Raises:
        Missing: a value that is not there.
    """
    parts: list[str] = []
    slots: list[Slot] = []
    at, length = 0, 0
    for match in _SLOT.finditer(says):
        plain = says[at : match.start()]
        parts.append(plain)
        length += len(plain)
        name = match[1]
        if name == "who" and name not in addresses:
            reference = record.reference(mine)
        else:
            address, _, form = addresses[name].partition("|")
            reference = record.reference(address, form or "words")
        value = reference.text.rstrip(".")
        if name == "who" and not is_group(value) and parts[-1].lower().endswith("the "):
            parts[-1] = parts[-1][:-4]  # "the payments team", but "ana"
            length -= 4
        parts.append(value)
        slots.append(Slot(name=name, start=length, end=length + len(value), reference=reference))
        length += len(value)
        at = match.end()
    parts.append(says[at:])
    return "".join(parts), slots


def _gap(spec: Spec, claim: Claim) -> Gap:
    is_against = claim.state is ClaimState.CONTRADICTED
    return Gap(
        claim=spec.id,
        stage=spec.stage,
        state=claim.state,
        text=claim.says if is_against else spec.gap,
        command=spec.command,
        rules=spec.rules,
    )


def _fitted(claims: Sequence[Claim], level: Level, wpm: float) -> tuple[list[Claim], list[Claim]]:
    """Those that fit the time of their stages: what the story can best do without goes first."""
    seconds = scaled(level)
    told, left_out = list(claims), []
    for stage in STAGES:
        budget = seconds[stage] * wpm / 60
        while True:
            here = [one for one in told if one.stage == stage]
            if len(here) <= 1 or sum(count_of_words(one.text) for one in here) <= budget:
                break
            # of equal worth the later one goes, since the first sentences carry the stage
            least = min(reversed(here), key=lambda one: _worth(one, here, level))
            told.remove(least)
            left_out.append(least)
    return told, sorted(left_out, key=claims.index)


def _worth(claim: Claim, here: Sequence[Claim], level: Level) -> tuple[int, int]:
    """What it alone serves in its stage, and then all that it serves, by the lens and the level."""
    elsewhere = {rule for one in here if one is not claim for rule in one.rules}
    alone = [rule for rule in claim.rules if rule not in elsewhere]

    def worth(rules: Sequence[str]) -> int:
        is_required = bool(set(rules) & set(level.requires))
        return (claim.weight + _REQUIRED_WORTH * is_required) if rules else 0

    return worth(alone), worth(claim.rules)


def _name(missing: Missing) -> str:
    return str(missing.args[0]).removeprefix(f"{RECORD}: ") if missing.args else "value"


def exported(made: Draft, record: Record) -> str:
    """A draft as Markdown to edit and to check: a stamp, a heading for each stage, the gaps."""
    lines = [
        f"# {record.incident.title}",
        "",
        f"<!-- homing draft of {made.incident} at {made.sha256}",
        f"{made.level}, {made.lens}. Claims that are not plainly in the record:",
    ]
    marked = [one for one in made.claims if one.state is not ClaimState.SUPPORTED]
    lines += [f"- {one.state}: {one.text}" for one in marked] or ["- none"]
    lines += ["Gaps:"]
    lines += [f"- {one.stage}: {one.text}" for one in made.gaps] or ["- none"]
    lines += ["-->", ""]
    for stage in STAGES:
        lines += [f"## {stage.capitalize()}", "", made.text(stage), ""]
    return "\n".join(lines)
