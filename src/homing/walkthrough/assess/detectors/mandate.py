"""Whose problem it was: the boundary that was crossed, that nobody asked, and what spoils that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from homing.walkthrough.assess.answer import Answer
from homing.walkthrough.assess.clauses import Actor, Clause, is_within
from homing.walkthrough.assess.detectors.deeds import own_acts
from homing.walkthrough.assess.detectors.seen import Place, Seen, Setting, quoted
from homing.walkthrough.assess.rule import Rule, State, rules
from homing.walkthrough.assess.words import lists, places

#: "No ticket." is a keyword, "No ticket existed." a statement
_WORDS_MIN: Final = 3


def stated(answer: Answer, rule: Rule, name: str) -> list[Place]:
    """Where phrases of a list are said in earnest: in a sentence, not denied, not quoted."""
    kept = []
    for place in answer.phrases(rule.phrases(name), rule.stages):
        if answer.is_quoted(place[0]) or is_denied(answer, rule, place):
            continue
        if answer.is_unsaid(place[0]) or answer.is_unsaid(place[1] - 1):
            continue
        start, end = answer.sentence_at(place[0])
        if sum(one.length for one in answer.in_sentence(start, end)) < _WORDS_MIN:
            continue
        kept.append(place)
    return kept


def is_denied(answer: Answer, rule: Rule, place: Place) -> bool:
    """Whether the sentence takes it back: "it is not true that nobody asked"."""
    start, _ = answer.sentence_at(place[0])
    return any(
        end <= place[0] and not set(",;:") & set(answer.text[end : place[0]])
        for _, end in places(answer.text, rule.phrases("denials"), start, place[1])
    )


def scope_boundary(answer: Answer, rule: Rule, setting: Setting) -> list[Seen]:
    found = sorted({*stated(answer, rule, "outside"), *_owned_by_others(answer, rule)})
    own = answer.phrases(rule.phrases("inside"), rule.stages)
    own = [
        place
        for place in own
        if not is_denied(answer, rule, place) and not is_within(place[0], answer.untrue)
    ]
    if found:
        acts = [one for one in own_acts(answer.clauses) if one.stage == "action"]
        first = min((one.start for one in acts), default=len(answer.text))
        if answer.only is None and found[0][0] > first and not _is_early(answer, found[0][0]):
            return [Seen(State.WEAK, tuple(found), "only after what you did")]
        return [Seen(State.MET, tuple(found), quoted(answer, found))]
    if own:
        return [Seen(State.CONTRADICTED, tuple(own), quoted(answer, own))]
    near = stated(answer, rule, "near")
    return [Seen(State.WEAK if near else State.MISSING, tuple(near), quoted(answer, near))]


def _owned_by_others(answer: Answer, rule: Rule) -> list[Place]:
    """Where somebody else is said to own or to look after something.

    "The security group look after certificates". Where the speaker says in which team they are,
    "payments has the billing job" is enough.
    """
    is_placed = bool(stated(answer, rule, "placed"))
    found = []
    for one in answer.clauses_in((*rule.stages, "action")):
        if not one.is_said or one.verb is None or not one.subject:
            continue
        words = one.subject.split()
        after = " ".join(one.objects[:2])
        is_owning = one.verb in rule.phrases("owning") or f"{one.verb} {after}".startswith(
            ("look after", "take care of", "care for")
        )
        is_having = one.verb == "have" and is_placed and "the" in one.objects[:1]
        is_other = one.actor in (Actor.OTHER, Actor.THING) and not set(words) & _NOT_OTHERS
        if (is_owning or is_having) and is_other and one.objects and not one.is_passive:
            found.append((one.start, one.end))
    return found


#: subjects that are nobody else: "our team owns", "a true owner owns", "nobody owned"
_NOT_OTHERS: Final = frozenset(
    ("my", "our", "we", "i", "nobody", "none", "no", "it", "that", "which", "this", "a", "an",
     "there", "what", "everybody", "everyone", "you", "neither", "who")
)  # fmt: skip


def _is_early(answer: Answer, place: int) -> bool:
    """In the first half of what was said."""
    return place < len(answer.text) * 0.5


def unassigned(answer: Answer, rule: Rule, setting: Setting) -> list[Seen]:
    found = stated(answer, rule, "nobody")
    claims = answer.phrases(rule.phrases("nobody"), rule.stages)
    denied = [one for one in claims if is_within(one[0], answer.untrue)]
    if found and not denied:
        return [Seen(State.MET, tuple(found), quoted(answer, found))]
    given = [*assignments(answer), *stated(answer, rules()["disqualifier"], "given")]
    if given:
        return [Seen(State.CONTRADICTED, tuple(given), quoted(answer, given))]
    if denied:
        return [Seen(State.MISSING, tuple(denied), f"{quoted(answer, denied)}: taken back")]
    near = stated(answer, rule, "own_will")
    return [Seen(State.WEAK if near else State.MISSING, tuple(near), quoted(answer, near))]


def disqualifier(answer: Answer, rule: Rule, setting: Setting) -> list[Seen]:
    found: Sequence[Place] = assignments(answer)
    found = [*found, *stated(answer, rule, "given"), *stated(answer, rule, "together")]
    if found:
        return [Seen(State.CONTRADICTED, tuple(sorted(found)), quoted(answer, sorted(found)))]
    return [Seen(State.MET)]


#: by which work is given
_GIVES_WORK: Final = frozenset(
    ("assign", "task", "suggest", "recommend", "instruct", "tasked", "instructed", "recommended",
     "advised", "encouraged", "request")
)  # fmt: skip
#: by which anything may be given: it must be work, or something to do
_GIVES_ANYTHING: Final = frozenset(("give", "tell", "hand", "pass", "forward"))
_GIVES: Final = _GIVES_WORK | _GIVES_ANYTHING | frozenset(
    ("ask", "want", "direct", "directed", "order", "ordered", "delegate", "asked")
)  # fmt: skip
_TASKS: Final = frozenset(
    ("ticket", "task", "job", "investigation", "look", "project", "this", "assignment")
)
_ABOVE: Final = frozenset(("he", "she", "they", "head", "principal", "supervisor"))


def assignments(answer: Answer) -> list[Place]:
    """Where somebody gave the work to the speaker, before the speaker had done anything."""
    first = min((one.start for one in own_acts(answer.clauses)), default=len(answer.text))
    found = []
    for at, one in enumerate(answer.clauses):
        if not one.is_said or one.verb not in _GIVES or one.start > first:
            continue
        follows = answer.clauses[at + 1] if at + 1 < len(answer.clauses) else None
        if follows is not None and follows.sentence != one.sentence:
            follows = None
        is_task = (follows is not None and follows.join == "to") or bool(_TASKS & set(one.objects))
        if one.is_passive:
            is_given = one.actor in (Actor.SPEAKER, Actor.WE)
            is_given &= is_task or one.verb not in _GIVES_ANYTHING
        else:
            is_given = _is_from_above(one) and _is_to_speaker(one, follows)
            is_given &= is_task or one.verb in _GIVES_WORK
        if is_given:
            found.append((one.start, (follows or one).end))
    return found


def _is_from_above(clause: Clause) -> bool:
    """Whether it is somebody who may give work."""
    subject = set(clause.subject.split())
    return clause.actor is Actor.OTHER and (not subject or bool(subject & _above()))


def _is_to_speaker(clause: Clause, follows: Clause | None) -> bool:
    if {"me", "us"} & set(clause.objects[:3]) or clause.objects[:1] == ("i",):
        return True
    return (
        follows is not None
        and follows.actor is Actor.SPEAKER
        and follows.join in ("that", "")
        and clause.verb in _GIVES_WORK
    )


def _above() -> frozenset[str]:
    return lists()["people"] | _ABOVE
