"""What is in an answer and what is not: findings on exact words, and a verdict by a table. Pure.

Deterministic: the same text, level, lens and record give the same assessment. Rules can be gamed;
what a record is for is to say when they were.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from homing.core.errors import Invalid, Problem
from homing.review.incident import Incident
from homing.walkthrough.assess.answer import Answer, read
from homing.walkthrough.assess.assessment import Assessment, Finding, Row, Span, Verdict
from homing.walkthrough.assess.detectors import DETECTORS
from homing.walkthrough.assess.detectors.held import held
from homing.walkthrough.assess.detectors.seen import Seen, Setting
from homing.walkthrough.assess.detectors.unrecorded import unrecorded
from homing.walkthrough.assess.rule import STAGES, Rule, State, rules, verdict_document
from homing.walkthrough.assess.verdict import SCALE, verdict_of
from homing.walkthrough.packs import Level, Principle
from homing.walkthrough.record import Record

__all__ = ["SCALE", "STAGES", "Assessment", "Finding", "Row", "Span", "State", "Verdict", "assess"]

#: seconds of a stage where no scenario says: shares of 175
TARGETS: Final = {"situation": 30, "task": 20, "action": 90, "result": 20, "reflection": 15}
WPM: Final = 150.0
#: three quarters of an hour of speech
TEXT_MAX: Final = 40_000
#: of several findings of a rule, the one that counts
_ORDER: Final = (State.CONTRADICTED, State.MISSING, State.WEAK, State.MET, State.NOT_CHECKABLE)
#: asked for at every level and under every lens
_ALWAYS: Final = ("hand_off", "disqualifier", "overreach", "record")
_RECORD: Final = "record"
_WEIGHED_MIN: Final = 2
_NOT_A_SENTENCE: Final = "there are too few sentences to tell by"


def assess(
    text: str,
    stage: str | None,
    level: Level,
    lens: Principle,
    record: Record | Incident | None = None,
    *,
    me: str = "",
    targets: Mapping[str, float] | None = None,
    wpm: float = WPM,
    terms: Collection[str] = (),
) -> Assessment:
    """What the rules say of an answer.

    Args:
        text: as typed or transcribed; at most TEXT_MAX characters. Headings with the names of the
            stages divide a whole answer; without them the stages are guessed.
        stage: the text is this stage alone, and there is no verdict; None: a whole answer.
        level: its required rules and its times.
        lens: its weights.
        record: of the incident that is told; None: nothing is held against one.
        me: the speaker, as the record names them; empty: who opened the incident.
        targets: seconds of each stage; None: 30/20/90/20/15 scaled to the level.
        wpm: words a minute of the speaker, > 0.
        terms: the incident's own words in lower case, beside the general technical ones.

    Raises:
        Invalid: there is no such stage, or the text is too long.
    """
    if stage is not None and stage not in STAGES:
        raise Invalid(
            [Problem(("stage",), f"expected one of {', '.join(STAGES)}; found {stage!r}")]
        )
    if len(text) > TEXT_MAX:
        problem = f"expected at most {TEXT_MAX:,} characters, found {len(text):,}"
        raise Invalid([Problem(("text",), problem)])
    answer = read(text, stage)
    setting = Setting(
        level=level.id,
        lens=lens.id,
        wpm=wpm,
        targets=dict(targets) if targets else scaled(level),
        terms=frozenset(terms),
    )
    against = Record(record) if isinstance(record, Incident) else record
    speaker = me or (against.opener if against is not None else "")
    findings = _findings(answer, setting, against, speaker)
    states: dict[str, State] = {}
    for one in findings:
        before = states.get(one.rule)
        if before is None or _ORDER.index(one.state) < _ORDER.index(before):
            states[one.rule] = one.state
    verdict: Verdict | None = None
    rows: tuple[Row, ...] = ()
    words = answer.words()
    if stage is None and words:
        verdict, rows = verdict_of(
            states, findings, level=level.id, required=level.requires, weights=lens.weights
        )
    return Assessment(
        stage=stage,
        level=level.id,
        lens=lens.id,
        findings=tuple(findings),
        states=states,
        verdict=verdict,
        rows=rows,
        words=words,
        spoken_s=round(60 * words / wpm, 1),
        weights={rule: lens.weights.get(rule, 1) for rule in states},
        required=level.requires,
        asked=tuple(rule for rule in states if _is_asked(rule, level, lens)),
    )


def _is_asked(rule: str, level: Level, lens: Principle) -> bool:
    """Whether a level and a lens want a rule to be met."""
    if rule in verdict_document()["allows"].get(level.id, ()):
        return False
    return (
        rule in level.requires
        or lens.weights.get(rule, 1) >= _WEIGHED_MIN
        or rules()[rule].kind == "form"
        or rule in _ALWAYS
    )


def scaled(level: Level) -> dict[str, float]:
    """Seconds of each stage and of all at a level."""
    factor = level.told_s / sum(TARGETS.values())
    return {**{name: s * factor for name, s in TARGETS.items()}, "total": float(level.time_max_s)}


def _findings(answer: Answer, setting: Setting, record: Record | None, me: str) -> list[Finding]:
    seen_by: dict[str, Sequence[Seen]] = {}
    for rule in rules().values():
        if not _applies(rule, answer):
            continue
        if not rule.needs_record:
            seen_by[rule.id] = DETECTORS[rule.id](answer, rule, setting)
        elif record is not None:
            seen_by[rule.id] = held(answer, rule, record, me)
    if record is not None:
        against = [*seen_by.get(_RECORD, ())]
        lacking = [*unrecorded(answer, seen_by, against, record)]
        if lacking:
            told = [one for one in against if one.state is not State.NOT_CHECKABLE]
            seen_by[_RECORD] = [*told, *lacking]
    is_prose = State.MISSING not in {one.state for one in seen_by.get("sentences", ())}
    found: list[Finding] = []
    for name, seen in seen_by.items():
        rule = rules()[name]
        if not is_prose and rule.kind == "content":
            seen = [Seen(State.NOT_CHECKABLE, (), _NOT_A_SENTENCE)]
        found += [_finding(rule, one, answer) for one in seen]
    return found


def _applies(rule: Rule, answer: Answer) -> bool:
    return answer.only is None or answer.only in rule.stages


def _finding(rule: Rule, seen: Seen, answer: Answer) -> Finding:
    meaning = rule.states.get(seen.state.value)
    spans = tuple(Span(a, b, answer.text[a:b]) for a, b in seen.places)
    stage = answer.only
    if stage is None and spans:
        stage = next((name for a, b, name in answer.sentences if a <= spans[0].start < b), None)
    return Finding(
        rule=rule.id,
        version=rule.version,
        title=rule.title,
        state=seen.state,
        stage=stage,
        span=spans[0] if spans else None,
        spans=spans,
        detail=seen.detail,
        why=meaning.why if meaning else "",
        fix=meaning.fix if meaning else "",
        reference=seen.reference,
    )
