"""Mock: the question, one clock, probes at what was missing, and the verdict card. Pure.

Before the card there is no hint, no example and no word about the answer.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from homing.core.errors import Invalid, Problem
from homing.walkthrough.assess import TEXT_MAX, Assessment, Finding, State
from homing.walkthrough.clock import elapsed_s, spoken_s
from homing.walkthrough.packs import Level, Principle, Probe, Scenario
from homing.walkthrough.rehearse import Attempt, Judge, fixes, words_of

PROBES_MIN: Final = 2
PROBES_MAX: Final = 4
#: a reply of this length is listened to; informational, as every time here
REPLY_S: Final = 45
_FIXES: Final = 3

Phase = Literal["answer", "probes", "card"]


class Mock(msgspec.Struct, frozen=True, kw_only=True):
    """Where somebody is."""

    scenario: str
    version: int
    level: str
    lens: str
    begun_at_us: int
    at_us: int
    started_at_us: int | None = None  #: the clock runs since then
    draft: str = ""  #: words that were not handed in yet
    answer: Attempt | None = None
    probes: tuple[str, ...] = ()  #: ids, chosen when the answer was given
    replies: tuple[Attempt, ...] = ()  #: one for each probe that was answered, in order

    @property
    def phase(self) -> Phase:
        if self.answer is None:
            return "answer"
        return "probes" if len(self.replies) < len(self.probes) else "card"


def begin(scenario: Scenario, level: Level, lens: Principle, *, at_us: int) -> Mock:
    return Mock(
        scenario=scenario.id,
        version=scenario.version,
        level=level.id,
        lens=lens.id,
        begun_at_us=at_us,
        at_us=at_us,
    )


def keep(state: Mock, draft: str, *, at_us: int) -> Mock:
    """Words that are not handed in yet, so that somebody can go on with them later."""
    return msgspec.structs.replace(state, draft=draft, at_us=at_us)


def start(state: Mock, *, at_us: int) -> Mock:
    """The clock begins, for the answer or for a reply."""
    return msgspec.structs.replace(state, started_at_us=at_us, at_us=at_us)


def answer(state: Mock, judge: Judge, text: str, *, at_us: int, is_said: bool = False) -> Mock:
    """The whole answer; the probes follow from what it lacks.

    Raises:
        Invalid: there are no words, or it was given already.
    """
    if state.answer is not None:
        raise Invalid([Problem(("answer",), "expected one answer; this mock has it already")])
    attempt = _attempt(state, text, at_us, is_said)
    chosen = probes_for(judge.of(attempt.text), judge)
    return msgspec.structs.replace(
        state,
        answer=attempt,
        probes=tuple(one.id for one in chosen),
        started_at_us=None,
        draft="",
        at_us=at_us,
    )


def reply(state: Mock, text: str, *, at_us: int, is_said: bool = False) -> Mock:
    """The reply to the probe that is asked.

    Raises:
        Invalid: there are no words, or no probe is asked.
    """
    if state.phase != "probes":
        raise Invalid([Problem(("reply",), f"expected a probe to be asked; it is {state.phase}")])
    attempt = _attempt(state, text, at_us, is_said)
    return msgspec.structs.replace(
        state, replies=(*state.replies, attempt), started_at_us=None, draft="", at_us=at_us
    )


def asked(state: Mock, scenario: Scenario) -> Probe | None:
    """The probe to reply to; None: none is."""
    if state.phase != "probes":
        return None
    return _probe(scenario, state.probes[len(state.replies)])


def _attempt(state: Mock, text: str, at_us: int, is_said: bool) -> Attempt:
    took = None
    if is_said and state.started_at_us is not None:
        took = elapsed_s(state.started_at_us, at_us)
    return Attempt(text=words_of(text, TEXT_MAX), at_us=at_us, took_s=took)


def _probe(scenario: Scenario, id: str) -> Probe:
    return next(one for one in scenario.probes if one.id == id)


def probes_for(found: Assessment, judge: Judge) -> list[Probe]:
    """Two to four probes, at what was missing and matters most.

    A probe is worth what the weightiest rule is worth that it is asked for and that was not met:
    its weight under the lens, and 2 more where the level requires it. With fewer than two such
    probes, those follow that ask for what the lens weighs most.
    """

    def weight(rule: str) -> int:
        return judge.lens.weights.get(rule, 1) + 2 * (rule in judge.level.requires)

    def worth(probe: Probe, *, missing: bool) -> int:
        return max(
            (
                weight(rule)
                for rule in probe.asked_when
                if not missing or found.states.get(rule, State.MISSING) is not State.MET
            ),
            default=0,
        )

    probes = judge.scenario.probes
    lacking = sorted(
        (one for one in probes if worth(one, missing=True) > 1),
        key=lambda one: -worth(one, missing=True),
    )
    others = sorted(
        (one for one in probes if one not in lacking), key=lambda one: -worth(one, missing=False)
    )
    return (lacking + others[: max(0, PROBES_MIN - len(lacking))])[:PROBES_MAX]


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a probe."""

    probe: Probe
    text: str
    because: dict[str, State]  #: rules that it is asked for and that the answer did not meet
    now: dict[str, State]  #: what the reply makes of the rules that it is asked for
    findings: tuple[Finding, ...]  #: what is wrong with the reply, by the rule a weak one breaks
    took_s: float
    is_estimate: bool


class VerdictCard(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a mock."""

    assessment: Assessment
    fixes: tuple[Finding, ...]
    #: figures and acts that the record does not have; empty where no record was given
    unsupported: tuple[Finding, ...]
    has_record: bool
    took_s: float
    is_estimate: bool  #: the time is worked out from the words
    time_min_s: int
    time_max_s: int
    replies: tuple[Reply, ...]


def card(state: Mock, judge: Judge) -> VerdictCard:
    """The verdict card of a mock that is over.

    Raises:
        Invalid: it is not.
    """
    if state.answer is None or state.phase != "card":
        raise Invalid([Problem(("phase",), f"expected an end, found {state.phase}")])
    found = judge.of(state.answer.text)
    took, is_estimate = taken_s(state.answer, found.words, judge)
    replies = tuple(
        _judged(_probe(judge.scenario, id), one, judge, found)
        for id, one in zip(state.probes, state.replies, strict=True)
    )
    unsupported = tuple(
        one for one in found.findings if one.rule == "record" and one.state is not State.MET
    )
    return VerdictCard(
        assessment=found,
        fixes=tuple(fixes(found, _FIXES)),
        unsupported=unsupported if judge.record is not None else (),
        has_record=judge.record is not None,
        took_s=took,
        is_estimate=is_estimate,
        time_min_s=judge.level.time_min_s,
        time_max_s=judge.level.time_max_s,
        replies=replies,
    )


def taken_s(attempt: Attempt, words: int, judge: Judge) -> tuple[float, bool]:
    """How long an answer took, and whether that is an estimate from its words."""
    if attempt.took_s is not None:
        return attempt.took_s, False
    return spoken_s(words, judge.words_per_minute), True


def _judged(probe: Probe, attempt: Attempt, judge: Judge, answer: Assessment) -> Reply:
    found = judge.of(attempt.text)
    took, is_estimate = taken_s(attempt, found.words, judge)
    bad = (State.CONTRADICTED, State.MISSING, State.WEAK)
    wrong = [one for one in found.of(probe.weak.rule) if one.state in bad]
    because = {
        rule: answer.states[rule]
        for rule in probe.asked_when
        if answer.states.get(rule, State.MET) is not State.MET
    }
    return Reply(
        probe=probe,
        text=attempt.text,
        because=because,
        now={rule: found.states[rule] for rule in probe.asked_when if rule in found.states},
        findings=tuple(wrong),
        took_s=took,
        is_estimate=is_estimate,
    )
