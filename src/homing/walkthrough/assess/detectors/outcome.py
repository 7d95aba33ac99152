"""What came of it: the change in numbers, what it was worth, who took it up, and who looked."""

from __future__ import annotations

import re
from typing import Final

from homing.walkthrough.assess.answer import Answer
from homing.walkthrough.assess.clauses import Actor, Clause
from homing.walkthrough.assess.detectors.deeds import named_solution, others_solution, own_solution
from homing.walkthrough.assess.detectors.seen import Place, Seen, Setting, heads, quoted, whole
from homing.walkthrough.assess.quantities import Quantity, Unit
from homing.walkthrough.assess.rule import Rule, State
from homing.walkthrough.assess.words import lists, places

#: fewer cases than this are no volume behind a zero
_VOLUME_MIN: Final = 100
_CASES_MIN: Final = 10
_PUTS: Final = ("put", "add", "build", "include", "copy", "move", "make", "take", "roll")
#: characters within which what is counted stands behind its number
_NEAR: Final = 45
_WORDS_NEAR: Final = 4
#: of a text without a mend, where looking begins to be looking afterwards
_LATE: Final = 0.6
_NO: Final = re.compile(r"(?:no|none|zero|not (?:one|a single))\b", re.I)
_NOT: Final = re.compile(r"\b(?:not|never|\w+n['\u2019]t)\b", re.I)
_CREDITS: Final = frozenset(("after", "once", "when", "because", "since", "as"))


def _hosts(answer: Answer, place: int) -> list[Clause]:
    """The clauses of the sentence in which a place is."""
    start, end = answer.sentence_at(place)
    return answer.in_sentence(start, end)


def is_told(answer: Answer, place: Place) -> bool:
    """In a statement of the speaker's that is said to be so."""
    if answer.is_quoted(place[0]) or answer.is_unsaid(place[0]):
        return False
    clause = answer.clause_at(place[0])
    if clause is None or clause.is_quoted or clause.is_possible:
        return False
    hosts = _hosts(answer, place[0])
    return any(one.verb is not None for one in hosts) and sum(one.length for one in hosts) >= 4


def is_others_merit(answer: Answer, place: int) -> bool:
    """Whether the text gives the outcome to what somebody else did.

    It does where the sentence says so ("after they patched it"), and where the last mend that is
    told before the outcome is another's.
    """
    solved, own = named_solution(answer), own_solution(answer)
    if own:  # that others deployed one's change takes nothing away
        solved = [one for one in solved if not _is_taking_up(one)]
    if not solved:
        return False
    here = {one.start for one in _hosts(answer, place)}
    if any(one.start in here and (one.join in _CREDITS or one.by is Actor.OTHER) for one in solved):
        return not any(one.start in here for one in own)
    if not own:
        return answer.only is None
    before = [one.start for one in own if one.start < place]
    theirs = [one.start for one in solved if one.start < place]
    return bool(theirs) and max(theirs) > max(before, default=-1)


def _is_taking_up(clause: Clause) -> bool:
    """What owners do with a change that is there: "shipped it", and not "shipped a change"."""
    is_release = clause.verb in lists()["releases"] or clause.verb in _PUTS
    return is_release and not set(clause.objects[:2]) & lists()["new"]


def quantified_result(answer: Answer, rule: Rule, setting: Setting) -> list[Seen]:
    found = list(answer.changes(rule.stages))
    found = [one for one in found if not _is_denied(answer, one[0])]
    told = [(a, b) for a, b, is_full in found if is_full and is_told(answer, (a, b))]
    # a change of anything is enough; one without its beginning is half of one
    half = [(a, b) for a, b, _ in found if (a, b) not in told and _is_claimed(answer, a)]
    mine = [place for place in told if not is_others_merit(answer, place[0])]
    if mine:
        return [Seen(State.MET, tuple(mine), quoted(answer, mine))]
    if told:
        credit = named_solution(answer)
        detail = f"{quoted(answer, told)}, after {quoted(answer, map(whole, credit))}"
        return [Seen(State.WEAK, tuple(told), detail)]
    if half:
        return [Seen(State.WEAK, tuple(half), f"{quoted(answer, half)}: no number before it")]
    bare = [
        (one.start, one.end)
        for one in answer.quantities
        if one.unit in (Unit.RATIO, Unit.COUNT)
        and any(a <= one.start < b for a, b in answer.looked_at(rule.stages))
        and is_told(answer, (one.start, one.end))
        and not _is_denied(answer, one.start)
    ]
    if bare:
        return [Seen(State.WEAK, tuple(bare), f"{quoted(answer, bare)}: a number, and no change")]
    return [Seen(State.MISSING)]


def _is_claimed(answer: Answer, place: int) -> bool:
    """Neither wished nor quoted."""
    if answer.is_unsaid(place):
        return False
    clause = answer.clause_at(place)
    return clause is None or not (clause.is_possible or clause.is_quoted)


def _is_denied(answer: Answer, place: int) -> bool:
    """Whether a change is said not to have been: "did not go from 3% to zero"."""
    clause = answer.clause_at(place)
    if clause is None or not clause.is_negated or clause.verb_at is None:
        return False
    # in "none of 200 was lost" and "we had no lost order" the denial is the number itself
    if _NO.match(answer.text, place):
        return bool(_NOT.search(answer.text, clause.start, place))
    return clause.verb_at[0] < place


def business_translation(answer: Answer, rule: Rule, setting: Setting) -> list[Seen]:
    amounts = [one for one in answer.quantities if _is_worth(answer, rule, one)]
    here = [one for one in amounts if any(
        a <= one.start < b for a, b in answer.looked_at(rule.stages))]  # fmt: skip
    told = [(one.start, one.end) for one in here if is_told(answer, (one.start, one.end))]
    strong = [place for place in told if _is_outcome(answer, rule, place)]
    if strong:
        return [Seen(State.MET, tuple(strong), quoted(answer, strong))]
    if told:
        return [Seen(State.WEAK, tuple(told), quoted(answer, told))]
    words = [one for one in answer.phrases(rule.phrases("people"), rule.stages)
             if is_told(answer, one) and _is_outcome(answer, rule, one)]  # fmt: skip
    return [Seen(State.WEAK if words else State.MISSING, tuple(words), quoted(answer, words))]


def _is_worth(answer: Answer, rule: Rule, one: Quantity) -> bool:
    if one.unit is Unit.MONEY:
        return True
    _, end = answer.sentence_at(one.start)
    if one.unit in (Unit.COUNT, Unit.RATIO):
        near = answer.text[one.start : min(end, one.end + _NEAR)].split()
        first = 1 if one.unit is Unit.COUNT else len(one.text.split())
        return bool(places(" ".join(near[first : first + _WORDS_NEAR]), rule.phrases("counted")))
    return one.unit is Unit.TIME and bool(
        places(answer.text[one.start : min(end, one.end + _NEAR)], rule.phrases("hours"))
    )


def _is_outcome(answer: Answer, rule: Rule, place: Place) -> bool:
    start, end = answer.sentence_at(place[0])
    if places(answer.text, rule.phrases("outcome"), start, end):
        return True
    # "That was two hundred thousand dollars." says of what in the sentence before
    clause = answer.clause_at(place[0])
    points_back = clause is not None and clause.subject in ("that", "this", "it", "which", "that's")
    before = max((b for _, b, _ in answer.sentences if b <= start), default=0)
    head = max((a for a, b, _ in answer.sentences if b == before), default=0)
    return points_back and bool(places(answer.text, rule.phrases("outcome"), head, before))


def second_order(answer: Answer, rule: Rule, setting: Setting) -> list[Seen]:
    found = []
    for place in answer.phrases(rule.phrases("adopted"), rule.stages):
        clause = answer.clause_at(place[0])
        if clause is None or not is_told(answer, place) or clause.is_negated:
            continue
        # "Adopted by other teams." is a keyword; "I added it to our role" is the speaker's own act
        is_own = clause.actor is Actor.SPEAKER and clause.verb in _PUTS
        if clause.actor is Actor.NONE or is_own:
            continue
        found.append(place)
    named = [place for place in found if _has_adopter(answer, rule, place)]
    named += _taken_up(answer, rule)
    if named:
        return [Seen(State.MET, tuple(named), quoted(answer, named))]
    return [Seen(State.WEAK if found else State.MISSING, tuple(found), quoted(answer, found))]


def _taken_up(answer: Answer, rule: Rule) -> list[Place]:
    """Where somebody who is named does something lasting with it, in whatever words.

    "Payments now demand the test", "Bernice's group runs the scanner now", "facilities picked it
    up": a subject that is neither the speaker nor a thing, a verb of taking up, and a word that
    says that it lasts. Before the speaker has done anything nothing can be taken up.
    """
    acts = [one.start for one in answer.clauses if one.is_said and one.doer is Actor.SPEAKER]
    since = min(acts, default=0) if answer.only is None else -1
    found = []
    for one in answer.clauses_in(rule.stages):
        if not one.is_said or not one.subject or one.is_passive or one.start <= since:
            continue
        if not one.objects or not _is_body(answer, rule, one):
            continue
        said = answer.text[one.start : one.end]
        is_lasting = one.verb in rule.phrases("habit") and bool(
            places(said, rule.phrases("lasting"))
        )
        is_taken = f"{one.verb} {' '.join(one.objects[:3])} "
        if is_lasting or any(is_taken.startswith(f"{each} ") for each in rule.phrases("taking")):
            found.append(whole(one))
    return found


def _is_body(answer: Answer, rule: Rule, clause: Clause) -> bool:
    """Whether a subject is somebody with a name or a place in the company."""
    words = clause.subject.split()
    if clause.actor is Actor.OTHER:
        return not set(words) & {
            "nobody",
            "somebody",
            "someone",
            "who",
            "you",
            "customers",
            "users",
        }
    if clause.actor is not Actor.THING or words[0] in ("it", "which", "that", "this", "there"):
        return False
    if set(words) & (rule.phrases("adopters") | {"colleague"}):
        return True
    things = lists()["things"] | lists()["nouns"] | lists()["mends"]
    return len(words) <= 3 and words[0] not in lists()["determiners"] and words[-1] not in things


def _has_adopter(answer: Answer, rule: Rule, place: Place) -> bool:
    start, end = answer.sentence_at(place[0])
    return bool(places(answer.text, rule.phrases("adopters"), start, end))


def verification(answer: Answer, rule: Rule, setting: Setting) -> list[Seen]:
    assumed = list(answer.phrases(rule.phrases("assumed"), rule.stages))
    solved = [*own_solution(answer), *others_solution(answer)]
    # where no mend is told, only what stands in the last third is after it
    late = int(len(answer.text) * _LATE) if answer.only is None else 0
    since = min((one.start for one in solved), default=late)
    looked, timed = [], []
    for one in answer.clauses_in(rule.stages):
        if not (one.is_said and _is_looking(one, rule)):
            continue
        if one.doer is Actor.THING and not one.is_passive:
            continue
        start, end = answer.sentence_at(one.start)
        is_after = one.start > since or bool(places(answer.text, rule.phrases("after"), start, end))
        about = bool(places(answer.text, rule.phrases("about"), start, end))
        if not is_after or not (about or one.length >= 4):
            continue
        looked.append(one)
        if _has_window(answer, rule, one.start, start, end):
            timed.append(one)
    counted = [] if timed else _counted_zero(answer, rule)
    if timed:
        return [Seen(State.MET, heads(timed), quoted(answer, [whole(one) for one in timed]))]
    if counted:
        return [Seen(State.MET, tuple(counted), quoted(answer, counted))]
    if assumed and not _outweighs(answer, looked, assumed):
        return [Seen(State.CONTRADICTED, tuple(assumed), quoted(answer, assumed))]
    if looked:
        places_ = heads(looked)
        return [
            Seen(State.WEAK, places_, f"{quoted(answer, places_)}: for how long, over how many?")
        ]
    return [Seen(State.MISSING)]


def _is_looking(clause: Clause, rule: Rule) -> bool:
    """A verb of looking, or the making of a look: "I make a query each Monday"."""
    if clause.verb in rule.phrases("verbs"):
        return True
    return clause.verb in rule.phrases("making") and bool(
        set(clause.objects[:4]) & rule.phrases("looks")
    )


def _outweighs(answer: Answer, looked: list[Clause], assumed: list[Place]) -> bool:
    """Whether somebody looked after the last assumption was said."""
    return bool(looked) and max(one.start for one in looked) > max(start for start, _ in assumed)


def _has_window(answer: Answer, rule: Rule, place: int, start: int, end: int) -> bool:
    following = next((b for a, b, _ in answer.sentences if a >= end), end)
    inside = answer.numbers_in(start, following)
    if any(_is_window(one) for one in inside):
        return True
    return bool(places(answer.text, rule.phrases("window"), start, end))


def _is_window(one: Quantity) -> bool:
    """A length of time, or so many cases."""
    if one.unit is Unit.TIME or one.of >= _VOLUME_MIN:
        return True
    return one.value >= (_CASES_MIN if one.unit is Unit.COUNT else _VOLUME_MIN) and (
        one.unit in (Unit.COUNT, Unit.BARE)
    )


def _is_volume(one: Quantity, start: int, end: int) -> bool:
    """Cases behind a zero: of which it is none, or counted beside it; not what it was before."""
    if one.value == 0:
        return one.of >= _VOLUME_MIN
    is_before = start <= one.start < end
    return not is_before and one.unit is Unit.COUNT and one.value >= _VOLUME_MIN


def _counted_zero(answer: Answer, rule: Rule) -> list[Place]:
    """A zero with its volume: none of 207,114 deliveries over the week after."""
    found = []
    for a, b, _ in answer.changes(rule.stages):
        start, end = answer.sentence_at(a)
        volume = [one for one in answer.numbers_in(start, end) if _is_volume(one, a, b)]
        if volume and is_told(answer, (a, b)) and not is_others_merit(answer, a):
            found.append((a, max(b, volume[-1].end)))
    return found
