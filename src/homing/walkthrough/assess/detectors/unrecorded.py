"""What earns credit and is not in the record: the speaker's own word, and marked as that. Pure.

Rules of words cannot see that a fluent story is invented. With a record whatever a rule of content
credits is looked for there: its numbers, whose service it was, that nobody asked, and the things
that acts, causes and lessons are about. What is not found is not called wrong, but unshown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Final

from homing.walkthrough.assess.answer import Answer
from homing.walkthrough.assess.detectors.held import AN_ACT
from homing.walkthrough.assess.detectors.seen import Place, Seen
from homing.walkthrough.assess.rule import State, rules
from homing.walkthrough.assess.words import lists, tokens_of
from homing.walkthrough.record import Record

#: rules whose credit rests on numbers, and on numbers or a comparison
_OF_NUMBERS: Final = frozenset(("quantified_result", "business_translation"))
_VERIFICATION: Final = "verification"
#: rules whose credit rests on what acts, causes and lessons are about
_OF_THINGS: Final = (
    "agency", "hand_off", "specificity", "second_order", "generic_reflection",
    "organisational_cause",
)  # fmt: skip
_TEAM: Final = re.compile(r"\b([A-Za-z][\w-]*)(?:['\u2019]s)? (?:team|group|squad|department)\b")
#: words before "team" that name none
_NO_NAME: Final = frozenset(
    ("the", "a", "another", "other", "their", "that", "this", "own", "my", "our", "one", "which",
     "every", "each", "no", "whole", "different", "owning", "any", "of", "whose", "other's")
)  # fmt: skip
_WORD_MIN: Final = 4
#: so many things that the record does not know, and more than that it knows, are another story
_FOREIGN_MIN: Final = 2
#: what any record knows of that has a result of that step
_OF_STEPS: Final = {
    "investigate": "log delivery webhook message row lost loss drop rate pattern failure worker "
    "attempt service endpoint hour event column books",
    "reproduce": "test schedule laptop machine race worker code run failing",
    "reproduce_fix": "test fix schedule run",
    "explore_fix": "test fix schedule run thousand",
    "verify": "rate before after zero metric week deployment release production none comparison",
    "impact": "loss cost money week estimate revenue payment payments assumption range dollar",
}
#: when something was, which a record has as times
_DATES: Final = (
    "monday tuesday wednesday thursday friday saturday sunday january february march april june "
    "july august september october november december morning afternoon evening day week month year"
)
_OF_FIX: Final = "fix patch change pull request code worker retry write merge review condition line"
_OF_ALERT: Final = "alert dead letter queue template rule"


def unrecorded(
    answer: Answer,
    seen_by: Mapping[str, Sequence[Seen]],
    found: Sequence[Seen],
    record: Record,
) -> Iterator[Seen]:
    """What was credited and is not in the record.

    Args:
        seen_by: what each rule saw, by its id.
        found: what is already said of the record; a sentence of which it is said that the record
            has something else, or nothing, is not marked twice.
    """
    marked = {
        answer.sentence_at(a)[0]
        for one in found
        if one.state in (State.WEAK, State.CONTRADICTED)
        for a, _ in one.places
    }
    # that an act agrees says nothing of the numbers beside it
    agreeing = {
        answer.sentence_at(a)[0]
        for one in found
        if one.state is State.MET and not one.detail.startswith(AN_ACT)
        for a, _ in one.places
    }
    known = _vocabulary(record)
    for rule, seen in seen_by.items():
        for place in (place for one in seen if one.state is State.MET for place in one.places):
            start, end = answer.sentence_at(place[0])
            if start in marked:
                continue
            detail = _lacking(answer, rule, (start, end), start in agreeing, known, record)
            if detail:
                marked.add(start)
                yield Seen(State.WEAK, (place,), detail)


def _lacking(
    answer: Answer,
    rule: str,
    sentence: Place,
    is_agreeing: bool,
    known: frozenset[str],
    record: Record,
) -> str:
    """What the record lacks of a sentence that a rule credits; empty: nothing."""
    said = answer.text[slice(*sentence)]
    if rule in _OF_NUMBERS:
        return "" if is_agreeing else "the record has no such numbers"
    if rule == _VERIFICATION:
        timed = answer.numbers_in(*sentence)
        return "" if is_agreeing or not timed else "the record has no such time or count"
    if rule == "unassigned":
        return "" if "mandate" in record.places else "the record does not say who was asked"
    if rule == "scope_boundary":
        return _whose(said, record)
    if rule in _OF_THINGS:
        foreign, own = _things(answer, sentence, known)
        if len(foreign) >= _FOREIGN_MIN and len(foreign) > len(own):
            return f"the record has nothing of {', '.join(foreign[:4])}"
    return ""


def _whose(said: str, record: Record) -> str:
    if "owner" not in record.places:
        return "the record does not say whose service it was"
    owners = {
        _stem(word)
        for name in ("owner", "team")
        if name in record.places
        for word in re.findall(r"\w+", str(record.get(f"record:@{name}.text")).lower())
    }
    for match in _TEAM.finditer(said):
        name = match[1].lower()
        if name not in _NO_NAME and _stem(name) not in owners:
            return f"the record has no {match[0]}"
    return ""


def _things(answer: Answer, sentence: Place, known: frozenset[str]) -> tuple[list[str], list[str]]:
    """What a sentence is about that the record does not know, and that it knows."""
    numbers = answer.numbers_in(*sentence)
    foreign: dict[str, str] = {}
    own: dict[str, str] = {}
    for token in tokens_of(answer.text, *sentence):
        word = token.text.lower()
        stem = _stem(word)
        if not token.is_word or len(word) < _WORD_MIN or stem in _about_nothing():
            continue
        if any(one.start <= token.start < one.end for one in numbers):
            continue
        (own if stem in known else foreign).setdefault(stem, word)
    return list(foreign.values()), list(own.values())


@cache
def _about_nothing() -> frozenset[str]:
    """Words that stand in every story, and verbs: what is done tells less than to what."""
    names = (
        "ties", "joins", "adverbs", "determiners", "modals", "negations", "pronouns", "have",
        "people", "perceives", "takes_part", "acts", "solves", "makes", "happens", "vague",
        "hands_off",
    )  # fmt: skip
    everywhere = rules()["generic_reflection"].phrases("everywhere")
    found = {word for name in names for word in lists()[name]} | everywhere | set(_DATES.split())
    return frozenset(map(_stem, found))


def _vocabulary(record: Record) -> frozenset[str]:
    """The words of a record, stemmed."""
    incident = record.incident
    texts: list[str] = [incident.title, incident.service, incident.owner]
    if incident.detection is not None:
        texts += [incident.detection.how, incident.detection.by]
    if incident.fix is not None:
        texts += [incident.fix.text, _OF_FIX]
    texts += [one.text for one in incident.causes] + [one.text for one in incident.actions]
    texts += [f"{one.text} {one.reference or ''}" for one in incident.statements]
    texts += [f"{one.what} {one.by}" for one in incident.adoptions]
    texts += [f"{one.text} {one.actor} {one.reference or ''}" for one in incident.timeline]
    texts += [words for step, words in _OF_STEPS.items() if step in incident.results]
    texts += [_OF_ALERT] if "alert" in record.places else []
    values: dict[str, Any] = getattr(incident.results.get("investigate"), "values", {})
    shape = values.get("hypothesis") or {}
    texts += [str(shape.get("sentence", "")), str(shape.get("name", ""))]
    texts += [str(one.get("name", "")) for one in values.get("suspects", ())]
    return frozenset(_stem(word) for text in texts for word in re.findall(r"[a-z]+", text.lower()))


def _stem(word: str) -> str:
    for ending in ("ing", "ies", "ed", "es", "s", "e", "y"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word
