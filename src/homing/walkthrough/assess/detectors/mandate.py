"""Whose problem it was: the boundary that was crossed, that nobody asked, and what spoils that."""

from __future__ import annotations

from collections.abc import Sequence

from homing.walkthrough.assess.answer import Answer
from homing.walkthrough.assess.clauses import Actor, quotes_of
from homing.walkthrough.assess.detectors.deeds import own_acts
from homing.walkthrough.assess.detectors.seen import Place, Seen, Setting, quoted, whole
from homing.walkthrough.assess.rule import Rule, State
from homing.walkthrough.assess.words import lists, places


def stated(answer: Answer, rule: Rule, name: str) -> list[Place]:
    """Where phrases of a list are said in earnest: in a sentence, not denied, not quoted."""
    quotes = quotes_of(answer.text)
    kept = []
    for place in answer.phrases(rule.phrases(name), rule.stages):
        if any(a < place[0] < b for a, b in quotes) or is_denied(answer, rule, place):
            continue
        start, end = answer.sentence_at(place[0])
        if not any(one.verb or one.length >= 4 for one in answer.in_sentence(start, end)):
            continue
        kept.append(place)
    return kept


def is_denied(answer: Answer, rule: Rule, place: Place) -> bool:
    """Whether the sentence takes it back: "it is not true that nobody asked"."""
    start, _ = answer.sentence_at(place[0])
    return any(
        not set(",;:") & set(answer.text[end : place[0]])
        for _, end in places(answer.text, rule.phrases("denials"), start, place[1])
    )


def scope_boundary(answer: Answer, rule: Rule, setting: Setting) -> list[Seen]:
    found = stated(answer, rule, "outside")
    own = answer.phrases(rule.phrases("inside"), rule.stages)
    own = [place for place in own if not is_denied(answer, rule, place)]
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


def _is_early(answer: Answer, place: int) -> bool:
    """In the first half of what was said."""
    return place < len(answer.text) * 0.5


def unassigned(answer: Answer, rule: Rule, setting: Setting) -> list[Seen]:
    found = stated(answer, rule, "nobody")
    if found:
        return [Seen(State.MET, tuple(found), quoted(answer, found))]
    given = assignments(answer)
    if given:
        return [Seen(State.CONTRADICTED, tuple(given), quoted(answer, given))]
    near = stated(answer, rule, "own_will")
    return [Seen(State.WEAK if near else State.MISSING, tuple(near), quoted(answer, near))]


def disqualifier(answer: Answer, rule: Rule, setting: Setting) -> list[Seen]:
    found: Sequence[Place] = assignments(answer)
    found = [*found, *stated(answer, rule, "together")]
    if found:
        return [Seen(State.CONTRADICTED, tuple(sorted(found)), quoted(answer, sorted(found)))]
    return [Seen(State.MET)]


_GIVES = frozenset(("ask", "tell", "assign", "suggest", "request", "want", "task", "instruct",
                    "direct", "order", "give", "hand", "delegate", "asked", "tasked", "instructed",
                    "directed", "ordered", "advise", "advised", "recommend", "recommended",
                    "encouraged", "pass", "forward"))  # fmt: skip
_ABOVE = frozenset(("manager", "lead", "boss", "director", "supervisor", "cto", "vp", "head",
                    "senior", "leadership", "management", "architect", "mentor", "principal",
                    "owner", "team", "he", "she", "they", "colleague", "teammate"))  # fmt: skip


def assignments(answer: Answer) -> list[Place]:
    """Where somebody gave the work to the speaker, before the speaker had done anything."""
    acts = own_acts(answer.clauses)
    first = min((one.start for one in acts), default=len(answer.text))
    found = []
    for at, one in enumerate(answer.clauses):
        if not one.is_said or one.verb is None or one.start > first:
            continue
        follows = answer.clauses[at + 1] if at + 1 < len(answer.clauses) else None
        next_to = follows is not None and follows.join == "to" and follows.sentence == one.sentence
        if one.is_passive and one.actor in (Actor.SPEAKER, Actor.WE) and one.verb in _GIVES:
            if one.verb in ("give", "tell", "hand", "pass", "forward") and not (
                next_to or set(one.objects) & {"ticket", "task", "job", "investigation", "it", "to"}
            ):
                continue
            found.append((one.start, follows.end if next_to and follows else one.end))
            continue
        if one.actor is not Actor.OTHER or one.is_passive or one.verb not in _GIVES:
            continue
        subject = set(one.subject.split())
        if subject and not subject & _ABOVE and not subject & lists()["people"]:
            continue
        objects = one.objects[:3]
        to_me = bool(set(objects) & {"me", "us"}) or (
            follows is not None and follows.actor is Actor.SPEAKER and follows.join in ("that", "")
            and follows.sentence == one.sentence and one.verb in ("suggest", "recommend", "advise", "request", "recommended")
        )  # fmt: skip
        if one.verb in ("suggest", "recommend") and objects[:1] == ("i",):
            to_me = True
        works = next_to or bool(
            set(one.objects) & {"ticket", "task", "job", "investigation", "look", "project", "this"}
        ) or one.verb in ("assign", "task", "suggest", "recommend", "tasked", "instructed")  # fmt: skip
        if to_me and works:
            end = (
                follows.end if follows is not None and follows.sentence == one.sentence else one.end
            )
            found.append((whole(one)[0], end))
    return found
