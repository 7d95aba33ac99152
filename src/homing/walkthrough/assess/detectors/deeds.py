"""Who did what: agency, handing off, specific work, passives, and reaching over a team's head."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from homing.walkthrough.assess.answer import Answer, is_own
from homing.walkthrough.assess.clauses import Actor, Clause
from homing.walkthrough.assess.detectors.seen import Seen, Setting, heads, quoted, whole
from homing.walkthrough.assess.rule import Rule, State, rules
from homing.walkthrough.assess.words import forms, lists, places

#: shorter words are prepositions
_NOUN_MIN: Final = 3
_AT: Final = frozenset(("at", "in", "of", "to"))


def is_act(clause: Clause) -> bool:
    """A clause about doing something, whoever did it; not a state, a thought or a telling."""
    acts, verb = lists()["acts"] | lists()["solves"], clause.verb
    is_loose = clause.form == "ing" and not clause.subject and clause.join != "by"
    if verb is None or verb in lists()["vague"] or is_loose:
        return False
    if verb in ("be", "have", "do"):
        return False
    return verb in acts or (verb not in forms() and clause.form == "past")


def own_acts(clauses: Sequence[Clause]) -> list[Clause]:
    """What the speaker did, in whole statements, each verb once."""
    kept: dict[tuple[str, frozenset[str]], Clause] = {}
    for one in clauses:
        if is_own(one) and is_act(one) and one.is_whole and not is_request(one):
            key = (one.verb or "", frozenset(one.objects[:4]))
            kept.setdefault(key, one)
    return list(kept.values())


def is_request(clause: Clause) -> bool:
    """Giving it to somebody: "sent it to the team", "opened a ticket"; a change is no request."""
    objects = set(clause.objects)
    if objects & lists()["changes"]:
        return False
    if clause.verb in lists()["asks_by"]:
        return bool(objects & lists()["requests"])
    return clause.verb in lists()["hands_off"]


def agency(answer: Answer, rule: Rule, setting: Setting) -> list[Seen]:
    clauses = answer.clauses_in(rule.stages)
    own = own_acts(clauses)
    verbs = {one.verb for one in own}
    said = [one for one in clauses if one.is_said and is_act(one)]
    shared = [one for one in said if one.doer is Actor.WE and _is_work(one)]
    others = [one for one in said if one.doer is Actor.OTHER]
    # that owners review, release or adopt takes nothing from whoever made it
    mending = [
        one for one in others_solution(answer)
        if one.doer is Actor.OTHER and one.verb not in lists()["releases"]
    ]  # fmt: skip
    nobody = [one for one in said if one.actor is Actor.NONE and one.is_whole]
    if len(verbs) >= rule.limit("own_min") and len(own) >= len(shared) + len(mending):
        return [Seen(State.MET, heads(own), f"yours: {quoted(answer, heads(own))}")]
    rest = heads([*shared, *others, *nobody])
    told = [one for one in clauses if is_own(one) and one.verb and one.verb not in ("be", "have")]
    whose = f"; not yours: {quoted(answer, rest)}" if rest else ""
    if own or told or shared:
        mine = quoted(answer, heads(own or told))
        what = f"yours: {mine}{whose}" if mine else whose.removeprefix("; ")
        return [Seen(State.WEAK, rest or heads(own or told), what)]
    if not clauses or sum(one.length for one in clauses) < 4:
        return [Seen(State.MISSING)]
    return [Seen(State.MISSING, rest, whose.removeprefix("; "))]


def _is_work(clause: Clause) -> bool:
    """Not the company's daily doings: "we process payments"."""
    return clause.form != "present" or clause.stage == "action"


def own_solution(answer: Answer, doer: Actor = Actor.SPEAKER) -> list[Clause]:
    """Where the speaker, or a group that they are in, is said to have mended it."""
    mending, made = lists()["solves"] - lists()["makes"], lists()["makes"]
    return [
        one
        for one in answer.clauses
        if one.is_said
        and one.doer is doer
        and one.objects[:1] != ("sure",)
        and (
            one.verb in mending
            or (one.verb in made and set(one.objects) & lists()["mends"] and not is_request(one))
            or _is_altering(one)
        )
    ]


def _is_altering(clause: Clause) -> bool:
    """Changing a technical thing that is there: "I changed the field to the revision"."""
    if clause.verb not in lists()["alters"]:
        return False
    things = lists()["things"] | lists()["mends"]
    return any(word in things or singular(word) in things for word in clause.objects[:3])


def others_solution(answer: Answer) -> list[Clause]:
    """Where somebody else, or nobody who is named, is said to have mended it.

    What is said of things in a lesson ("a cast switches off the index") is no mend.
    """
    lesson = rules()["generic_reflection"].phrases("lesson")
    return [
        one
        for one in answer.clauses
        if one.is_said
        and _is_mended_by_others(one)
        and not (
            one.form == "present" and places(answer.text, lesson, *answer.sentence_at(one.start))
        )
    ]


def named_solution(answer: Answer) -> list[Clause]:
    """Where somebody is said to have mended it who is not the speaker.

    A mend of which nobody is named ("a fix was prepared") is theirs to whom it was handed over;
    where it was not, it is nobody's.
    """
    solved = others_solution(answer)
    is_given = any(
        one.is_said and one.doer is Actor.SPEAKER and is_request(one) for one in answer.clauses
    )
    return solved if is_given else [one for one in solved if not one.is_passive or one.by]


def _is_mended_by_others(clause: Clause) -> bool:
    objects = set(clause.objects)
    if clause.verb in lists()["makes"]:
        is_mend = bool(objects & lists()["mended"])
    elif clause.verb in ("take", "deal", "sort", "care"):
        is_mend = clause.verb != "take" or bool(objects & {"care", "over"})
    else:
        is_mend = clause.verb in lists()["solves"]
    if clause.is_passive:
        is_mended = clause.verb in lists()["ends"] or bool(
            clause.verb in lists()["makes"] and set(clause.subject.split()) & lists()["mended"]
        )
        return is_mended and clause.by in (Actor.OTHER, None)
    return is_mend and (clause.actor is Actor.OTHER or _is_somebody(clause))


def _is_somebody(clause: Clause) -> bool:
    """Whether a subject that no list knows must be somebody: "the processor shipped a change"."""
    words = clause.subject.split()
    if clause.actor is not Actor.THING or clause.verb not in lists()["people_mend"] or not words:
        return False
    things = lists()["things"] | lists()["nouns"] | lists()["mends"] | lists()["mended"]
    return words[-1] not in things | lists()["pronouns"] | {"which", "there", "it's"}


def hand_off(answer: Answer, rule: Rule, setting: Setting) -> list[Seen]:
    given = [
        one
        for one in answer.clauses
        if one.is_said
        and one.doer is Actor.SPEAKER
        and is_request(one)
        and one.stage != "reflection"
    ]
    solved = list(others_solution(answer))
    own = own_solution(answer)
    if own:
        return [Seen(State.MET, heads(own[:1]), f"your fix: {quoted(answer, [whole(own[0])])}")]
    # "a fix was implemented": by whom? Where it was handed over, by those
    unnamed = [] if given else [one for one in solved if one.is_passive and one.by is None]
    solved = [one for one in solved if one not in unnamed]
    if solved:
        places = tuple(whole(one) for one in [*given[-1:], *solved])
        return [Seen(State.CONTRADICTED, places[::-1], quoted(answer, places))]
    shared = own_solution(answer, Actor.WE)
    if given or shared or unnamed:
        places = tuple(whole(one) for one in [*given, *shared, *unnamed])
        return [Seen(State.WEAK, places, quoted(answer, places))]
    if answer.only in (None, "action") and own_acts(answer.clauses):
        return [Seen(State.WEAK, (), "no words about who mended it")]
    return [Seen(State.MISSING)]


def specificity(answer: Answer, rule: Rule, setting: Setting) -> list[Seen]:
    pairs: dict[tuple[str, str], Clause] = {}
    loose: dict[tuple[str, str], Clause] = {}
    things = lists()["things"] | setting.terms
    for one in answer.clauses_in(rule.stages):
        if not (one.is_said and one.is_whole and is_act(one)) or is_request(one):
            continue
        if one.doer not in (Actor.SPEAKER, Actor.WE) and not one.is_passive:
            continue
        thing = _thing(one, things)
        named = _named(one) if thing is None else []
        thing = thing or next((it for it in named if _is_of_the_story(answer, it, one)), None)
        if thing is not None:
            pairs.setdefault((one.verb or "", thing), one)
        elif named:
            loose.setdefault((one.verb or "", named[0]), one)
    verbs, nouns = {verb for verb, _ in pairs}, {thing for _, thing in pairs}
    least = int(rule.limit("pairs_min"))
    is_enough = len(nouns) >= least and len(verbs) >= rule.limit("verbs_min")
    if not is_enough and len(nouns) >= least - 1:
        # things of this incident that no list knows stand in for one that is missing
        others = {thing for _, thing in loose} - nouns
        is_enough = (
            len(others) >= rule.limit("loose_min")
            and len(verbs | {verb for verb, _ in loose}) >= least
        )
    places = tuple(whole(one) for one in pairs.values())
    detail = ", ".join(f"{verb} {thing}" for verb, thing in pairs)
    if is_enough:
        return [Seen(State.MET, places, detail)]
    return [Seen(State.WEAK if pairs else State.MISSING, places, detail)]


def _is_of_the_story(answer: Answer, word: str, clause: Clause) -> bool:
    """Whether another sentence speaks of it as well, so that it is a thing of this incident."""
    if answer.only is not None or len(word) <= _NOUN_MIN:
        return False
    start, end = answer.sentence_at(clause.start)
    again = re.compile(rf"\b{re.escape(singular(word))}s?\b", re.IGNORECASE)
    return any(
        again.search(answer.text, one.start, one.end)
        for one in answer.clauses
        if one.is_said and not start <= one.start < end
    )


def singular(word: str) -> str:
    """Without the s of many: a language without it tells the same."""
    return word.removesuffix("s") if len(word) > _NOUN_MIN + 1 else word


def _named(clause: Clause) -> list[str]:
    """Words for what an act is done to, if it is named at all and is nobody."""
    found: list[str] = []
    empty = lists()["pronouns"] | lists()["people"] | lists()["ties"] | lists()["joins"]
    for word in clause.objects[:5]:
        passed = lists()["determiners"] | lists()["adverbs"] | lists()["particles"]
        if word in passed or not word.isalpha() or word in _AT:
            continue
        if word in empty or len(word) <= _NOUN_MIN:
            break
        found.append(word)
    return found


def _thing(clause: Clause, things: frozenset[str]) -> str | None:
    """What an act is done to: a technical thing; after a technical verb, any that is named."""
    said = (each for word in clause.objects[:10] for each in (word, singular(word), f"{word}s"))
    known = next((word for word in said if word in things), None)
    if known is not None or clause.verb not in lists()["technical"]:
        return known
    for word in clause.objects[:4]:
        if word in lists()["particles"]:  # of "pulled up", "turned over"
            continue
        if word in lists()["pronouns"] | lists()["people"] or len(word) < _NOUN_MIN:
            return None
        if word.isalpha() and word not in lists()["determiners"] | lists()["adverbs"]:
            return word
    return None


def passive(answer: Answer, rule: Rule, setting: Setting) -> list[Seen]:
    clauses = answer.clauses_in(rule.stages)
    own = own_acts(clauses)
    hidden = [
        one
        for one in clauses
        if one.is_said
        and one.is_passive
        and one.by is None
        and one.actor is not Actor.SPEAKER
        and one.verb in lists()["acts"] | lists()["solves"]
        and one.stage in ("action", answer.only)
    ]
    places = heads(hidden)
    if not hidden or (len(hidden) <= rule.limit("hidden_max") and len(own) >= 3):
        return [Seen(State.MET)]
    state = State.WEAK if own else State.MISSING
    return [Seen(state, places, quoted(answer, places))]


def overreach(answer: Answer, rule: Rule, setting: Setting) -> list[Seen]:
    behind = [
        place
        for place in answer.phrases(rule.phrases("behind"), rule.stages)
        if not answer.is_quoted(place[0]) and not answer.is_unsaid(place[0])
    ]
    if behind:
        return [Seen(State.CONTRADICTED, tuple(behind), quoted(answer, behind))]
    outside = rules()["scope_boundary"].phrases("outside") | rule.phrases("theirs")
    theirs = answer.phrases(outside, ("situation", *rule.stages))
    own = own_solution(answer)
    asked = [one for one in answer.clauses if _is_with_owners(answer, rule, one)]
    mended = [one for one in others_solution(answer) if one.doer is Actor.OTHER]
    if not theirs and not (asked and own):
        return [Seen(State.NOT_CHECKABLE, (), "no change of another team's service is told")]
    if asked or (mended and not own):
        return [Seen(State.MET, heads(asked or mended))]
    if not own:
        return [Seen(State.NOT_CHECKABLE, (), "nothing of another team's is said to be changed")]
    if answer.phrases(rule.phrases("offers"), rule.stages):
        return [Seen(State.WEAK, heads(own))]
    return [Seen(State.MISSING, heads(own))]


def _is_with_owners(answer: Answer, rule: Rule, clause: Clause) -> bool:
    """Telling or asking somebody, or their taking part in the change."""
    lesson = rules()["generic_reflection"].phrases("lesson")
    is_lesson = clause.stage == "reflection" and (
        answer.is_divided or bool(places(answer.text, lesson, *answer.sentence_at(clause.start)))
    )
    if not clause.is_said or is_lesson or not clause.verb_at:
        return False
    if clause.doer is Actor.OTHER or _is_body(clause):
        return clause.verb in rule.phrases("owners_part")
    if clause.doer not in (Actor.SPEAKER, Actor.WE) or clause.verb not in rule.phrases("asks"):
        return False
    whom = lists()["people"] | {"them", "their", "him", "her", "owner's"}
    return bool(set(clause.objects) & whom) or _is_to_somebody(answer, clause)


def _is_body(clause: Clause) -> bool:
    """A subject of few words that is no thing: "network security merged it"."""
    words = clause.subject.split()
    if clause.actor is not Actor.THING or not 0 < len(words) <= 3:
        return False
    things = lists()["things"] | lists()["nouns"] | lists()["mends"] | lists()["determiners"]
    return not things & {words[0], words[-1]} and words[0] not in lists()["pronouns"]


def _is_to_somebody(answer: Answer, clause: Clause) -> bool:
    """Whether a name follows: "I rang Trish", "I wrote to Ines of the payments group"."""
    assert clause.verb_at is not None
    return _NAME.search(answer.text, clause.verb_at[1], clause.end) is not None


#: a word with one capital, and not "I": somebody, or something with a name
_NAME: Final = re.compile(r"(?<![.!?]\s)(?<!\w)(?!I\b|I['\u2019])[A-Z][a-z]{2,}\b")
