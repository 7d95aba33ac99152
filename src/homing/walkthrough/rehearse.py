"""Rehearse: your own story, stage by stage, with hints, findings and another try. Pure.

`Rehearsal` is all that there is to keep. What an attempt is worth is not kept but asked of
`assess` again, so that better rules see old attempts, too.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Final, Literal

import msgspec

from homing.core.errors import Invalid, Problem
from homing.core.plurals import plural
from homing.review.incident import Incident
from homing.walkthrough.assess import TEXT_MAX, Assessment, Finding, State, assess
from homing.walkthrough.claims import Draft, draft
from homing.walkthrough.clock import elapsed_s
from homing.walkthrough.packs import (
    WORDS_PER_MINUTE,
    ByLevel,
    Level,
    Principle,
    Scenario,
    Stage,
    seconds_of,
)
from homing.walkthrough.record import Record
from homing.walkthrough.slots import values_of

#: characters of one stage: minutes of speech, and five of them with headings can be judged still
WORDS_MAX: Final = TEXT_MAX // 5 - 100


class Judge(msgspec.Struct, frozen=True, kw_only=True):
    """What an answer is held against: one scenario, level, lens, speaker and perhaps a record."""

    scenario: Scenario
    level: Level
    lens: Principle
    words_per_minute: float = WORDS_PER_MINUTE  #: of the speaker, > 0
    record: Incident | None = None
    record_name: str = "record.json"  #: what commands call it
    me: str = ""  #: the speaker, as the record names them; empty: who opened the incident

    def __post_init__(self) -> None:
        # every text is this level's from here on
        msgspec.structs.force_setattr(self, "scenario", self.scenario.at(self.level.id))

    def seconds(self) -> dict[str, int]:
        return seconds_of(self.scenario.stages, self.level)

    def of(self, text: str, stage: str | None = None) -> Assessment:
        """What the rules say of one stage, or of a whole answer."""
        return assess(
            text,
            stage,
            self.level,
            self.lens,
            self._held(),
            me=self.me,
            targets={**self.seconds(), "total": float(self.level.time_max_s)},
            wpm=self.words_per_minute,
            terms=self.scenario.terms,
        )

    def told(self, text: ByLevel) -> str:
        """A text of the story, with the figures of the record where there is one."""
        record = self.record
        values = None if record is None else values_of(self.scenario.slots, record)
        return self.scenario.told(text, values)

    def draft(self) -> Draft | None:
        """The story as the record allows it to be told; None: there is no record."""
        held = self._held()
        if held is None:
            return None
        speaker = self.me or held.opener
        return draft(held, speaker, self.level, self.lens, self.words_per_minute)

    def _held(self) -> Record | None:
        return None if self.record is None else Record(self.record, self.record_name)


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """Words of a person, as they were typed or said."""

    text: str
    at_us: int
    took_s: float | None = None  #: by the clock, where it was said aloud; None: it was typed
    hints: int = 0  #: so many had been asked for


class Rehearsal(msgspec.Struct, frozen=True, kw_only=True):
    """Where somebody is."""

    scenario: str
    version: int
    level: str
    lens: str
    begun_at_us: int
    at_us: int
    stage: int = 0  #: place of the stage, from 0; behind the last: it is over
    hints: int = 0  #: shown of this stage, since the last attempt
    started_at_us: int | None = None  #: the clock runs since then
    draft: str = ""  #: words that were not handed in yet
    attempts: dict[str, tuple[Attempt, ...]] = {}  #: by stage, the oldest first

    def of(self, stage: str) -> tuple[Attempt, ...]:
        return self.attempts.get(stage, ())

    def answer(self) -> str:
        """The latest attempt of each stage, with headings that part them."""
        parts = [
            f"## {name.capitalize()}\n\n{tries[-1].text}" for name, tries in self.attempts.items()
        ]
        return "\n\n".join(parts)


def begin(scenario: Scenario, level: Level, lens: Principle, *, at_us: int) -> Rehearsal:
    return Rehearsal(
        scenario=scenario.id,
        version=scenario.version,
        level=level.id,
        lens=lens.id,
        begun_at_us=at_us,
        at_us=at_us,
    )


def current(state: Rehearsal, scenario: Scenario) -> Stage | None:
    """The stage to tell; None: all were told."""
    return scenario.stages[state.stage] if state.stage < len(scenario.stages) else None


def keep(state: Rehearsal, draft: str, *, at_us: int) -> Rehearsal:
    """Words that are not handed in yet, so that somebody can go on with them later."""
    return msgspec.structs.replace(state, draft=draft, at_us=at_us)


def start(state: Rehearsal, *, at_us: int) -> Rehearsal:
    """The clock begins; a second start begins it again."""
    return msgspec.structs.replace(state, started_at_us=at_us, at_us=at_us)


def hint(state: Rehearsal, scenario: Scenario, *, at_us: int) -> tuple[Rehearsal, str | None]:
    """One more hint; None: there are no more."""
    stage = current(state, scenario)
    if stage is None or state.hints >= len(stage.hints):
        return state, None
    found = scenario.told(stage.hints[state.hints])
    return msgspec.structs.replace(state, hints=state.hints + 1, at_us=at_us), found


def submit(
    state: Rehearsal, scenario: Scenario, text: str, *, at_us: int, is_said: bool = False
) -> Rehearsal:
    """An attempt at the current stage. It is kept; nothing that was tried is lost.

    Args:
        is_said: it was said aloud, so the clock counts; what was typed is timed by its words.

    Raises:
        Invalid: there are no words or too many, or all stages were told.
    """
    stage = current(state, scenario)
    if stage is None:
        raise Invalid([Problem(("text",), "expected a stage to tell; all were told")])
    took = None
    if is_said and state.started_at_us is not None:
        took = elapsed_s(state.started_at_us, at_us)
    attempt = Attempt(text=words_of(text), at_us=at_us, took_s=took, hints=state.hints)
    attempts = {**state.attempts, stage.id: (*state.of(stage.id), attempt)}
    return msgspec.structs.replace(
        state,
        attempts=_in_order(attempts, scenario),
        hints=0,
        started_at_us=None,
        draft="",
        at_us=at_us,
    )


def go_to(state: Rehearsal, scenario: Scenario, stage: int, *, at_us: int) -> Rehearsal:
    """To a stage, from 0; behind the last one it is over."""
    place = min(max(stage, 0), len(scenario.stages))
    return msgspec.structs.replace(
        state, stage=place, hints=0, started_at_us=None, draft="", at_us=at_us
    )


def words_of(text: str, most: int = WORDS_MAX) -> str:
    """Words that can be judged, without what stands around them.

    Raises:
        Invalid: there are none, or more than anybody says.
    """
    if not text.strip():
        raise Invalid([Problem(("text",), "expected some words, found none")])
    if len(text) > most:
        problem = f"expected at most {plural(most, 'character')}, found {len(text):,}"
        raise Invalid([Problem(("text",), problem)])
    return text.strip()


def _in_order(
    attempts: Mapping[str, tuple[Attempt, ...]], scenario: Scenario
) -> dict[str, tuple[Attempt, ...]]:
    return {one.id: attempts[one.id] for one in scenario.stages if one.id in attempts}


# --- what is said of an attempt ---

#: whose job a rule is; at another stage its absence is no fault
HOME: Final = {
    "scope_boundary": "task",
    "unassigned": "task",
    "disqualifier": "task",
    "agency": "action",
    "hand_off": "action",
    "specificity": "action",
    "overreach": "action",
    "quantified_result": "result",
    "business_translation": "result",
    "verification": "result",
    "second_order": "result",
    "generic_reflection": "reflection",
    "organisational_cause": "reflection",
}


def concerns(finding: Finding, stage: str, found: Assessment) -> bool:
    """Whether a finding on one stage is this stage's business.

    What is contradicted always is. Otherwise a rule has its home stage, and one of the cause behind
    the cause only where the level requires it; a rule about form has every stage as its home.
    """
    if finding.state is State.CONTRADICTED:
        return finding in found.faults
    if finding.rule == "organisational_cause" and finding.rule not in found.required:
        return False
    return HOME.get(finding.rule, stage) == stage


#: what is said first
_WORST_FIRST = (State.CONTRADICTED, State.MISSING, State.WEAK, State.NOT_CHECKABLE, State.MET)


def in_order(found: Assessment) -> list[Finding]:
    """Findings, what matters most first: the state, the level's demand, the lens's weight."""
    return sorted(
        found.findings,
        key=lambda one: (
            _WORST_FIRST.index(one.state),
            one.rule not in found.required,
            -found.weights.get(one.rule, 1),
        ),
    )


def fixes(found: Assessment, count: int) -> list[Finding]:
    """What to mend first: one fault a rule, at most `count`, each with something to do."""
    chosen: dict[str, Finding] = {}
    for one in in_order(found):
        if one.fix and one in found.faults:
            chosen.setdefault(one.rule, one)
    return list(chosen.values())[:count]


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """Words that stayed, went, or came."""

    kind: Literal["same", "gone", "new"]
    text: str


def diff(before: str, after: str) -> list[Piece]:
    """What changed between two attempts, word by word."""
    old, new = re.findall(r"\S+", before), re.findall(r"\S+", after)
    pieces: list[Piece] = []

    def add(kind: Literal["same", "gone", "new"], words: Sequence[str]) -> None:
        if words:
            pieces.append(Piece(kind=kind, text=" ".join(words)))

    for what, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if what == "equal":
            add("same", old[a:b])
        else:
            add("gone", old[a:b])
            add("new", new[c:d])
    return pieces


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A rule whose state another try has changed."""

    rule: str
    before: str
    after: str
    is_better: bool


def changes(before: Assessment, after: Assessment) -> list[Change]:
    """Rules that another try has moved, the better ones first."""
    order = {state: place for place, state in enumerate(_WORST_FIRST)}
    found = [
        Change(
            rule=rule,
            before=before.states[rule].value,
            after=state.value,
            is_better=order[state] > order[before.states[rule]],
        )
        for rule, state in after.states.items()
        if rule in before.states and before.states[rule] is not state
    ]
    return sorted(found, key=lambda one: not one.is_better)
