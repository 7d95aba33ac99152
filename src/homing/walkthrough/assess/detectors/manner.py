"""How it is told: hedges, lessons, length, order, and whether there are sentences at all."""

from __future__ import annotations

from typing import Final

from homing.core.plurals import plural
from homing.walkthrough.assess.answer import Answer, cues, is_own
from homing.walkthrough.assess.clauses import Actor, Clause
from homing.walkthrough.assess.detectors.mandate import stated
from homing.walkthrough.assess.detectors.seen import Place, Seen, Setting, quoted, whole
from homing.walkthrough.assess.quantities import Unit
from homing.walkthrough.assess.rule import STAGES, Rule, State, rules
from homing.walkthrough.assess.words import lists, places, tokens_of

#: shorter words tie a lesson to nothing
_TIE_MIN: Final = 4
#: of a text, where a lesson is told before the story
_FIRST: Final = 0.25
_SENTENCES_MIN: Final = 4


def hedging(answer: Answer, rule: Rule, setting: Setting) -> list[Seen]:
    found = [
        place
        for place in answer.phrases(rule.phrases("hedges"), rule.stages)
        if not _is_honest(answer, rule, place)
    ]
    words = max(1, answer.words(answer.only))
    share = 100 * len(found) / words
    is_rare = len(found) < rule.limit("weak_min") or share < rule.limit("weak_share")
    if is_rare and not (found and words < 20):
        return [Seen(State.MET, tuple(found), quoted(answer, found))]
    is_much = len(found) >= rule.limit("missing_min") and share > rule.limit("missing_share")
    return [Seen(State.MISSING if is_much else State.WEAK, tuple(found), quoted(answer, found))]


def _is_honest(answer: Answer, rule: Rule, place: Place) -> bool:
    """Doubt about an estimate, "just" of time or of one thing, or somebody else's words."""
    start, end = place
    word = answer.text[start:end].lower()
    after = answer.text[end : end + 40]
    before = answer.text[max(0, start - 40) : start]
    if places(before + answer.text[start:end] + after, rule.phrases("estimates")):
        return True
    if any(end <= one.start <= end + 25 and one.unit is not Unit.BARE for one in answer.quantities):
        return word != "just"
    if word == "just":
        near = " ".join([*before.split()[-1:], word, *after.split()[:1]])
        return bool(places(near, rule.phrases("just_honest")))
    clause = answer.clause_at(start)
    return clause is not None and clause.is_quoted


def generic_reflection(answer: Answer, rule: Rule, setting: Setting) -> list[Seen]:
    clauses = _reflecting(answer, rule)
    if not clauses:
        generic = answer.phrases(rule.phrases("generic"), rule.stages)
        return [Seen(State.MISSING, tuple(generic), quoted(answer, generic))]
    start, end = clauses[0].start, clauses[-1].end
    generic = places(answer.text, rule.phrases("generic"), start, end)
    # a lesson that is told first is about what comes after it
    before = answer.text[:start] if start >= len(answer.text) * 0.4 else answer.text[end:]
    told = {
        token.text
        for one in clauses
        if not any(a < one.end and one.start < b for a, b in generic) and not one.is_listed
        for token in tokens_of(answer.text, one.start, one.end)
    }
    things = lists()["things"] | rule.phrases("matters") | setting.terms
    specific = {word.removesuffix("s") for word in told & things}
    if not answer.only:
        # what the story was about ties to it as well as a listed word
        earlier = {_stem(token.text) for token in tokens_of(before) if token.is_word}
        specific |= {
            word.removesuffix("s")
            for word in told
            if len(word) >= _TIE_MIN and _stem(word) in earlier and not _is_small(rule, word)
        }
    detail = ", ".join(sorted(specific))
    if len(specific) >= rule.limit("things_min"):
        return [Seen(State.MET, tuple(whole(one) for one in clauses), detail)]
    shown = tuple(generic) or tuple(whole(one) for one in clauses)
    state = State.WEAK if specific or not generic else State.MISSING
    return [Seen(state, shown, quoted(answer, shown))]


def _reflecting(answer: Answer, rule: Rule) -> list[Clause]:
    """The clauses of the reflection: of its own stage, or those after words of looking back."""
    if answer.is_divided:
        return [one for one in answer.clauses_of_stage("reflection") if one.length >= 3]
    marks = answer.phrases(rule.phrases("lesson"), rule.stages)
    late = [one for one in marks if one[0] >= len(answer.text) * 0.4]
    if late:
        start, _ = answer.sentence_at(late[0][0])
        return [one for one in answer.clauses if one.start >= start and one.length >= 3]
    closing = _closing(answer, rule)
    told = [one for one in marks if _is_said_at(answer, one)]
    if closing or not told:
        return closing
    # told before the story: whether it is in order is another rule's question
    start, end = answer.sentence_at(told[0][0])
    return [one for one in answer.in_sentence(start, end) if one.length >= 3]


def _is_said_at(answer: Answer, place: Place) -> bool:
    clause = answer.clause_at(place[0])
    return clause is not None and clause.is_said and not answer.is_unsaid(place[0])


def _closing(answer: Answer, rule: Rule) -> list[Clause]:
    """A lesson that is not called one: a general statement at the end.

    "A job that reports only failure is silent when it does not start." In the present tense, of
    anybody or anything, without an act of the speaker's, a number or the state of things now.
    """
    found: list[Clause] = []
    for start, end, _ in reversed(answer.sentences[-3:]):
        clauses = answer.in_sentence(start, end)
        is_act = any(is_own(one) and one.verb in lists()["acts"] for one in clauses)
        is_general = bool(places(answer.text, rule.phrases("general"), start, end))
        is_now = bool(places(answer.text, rule.phrases("state"), start, end))
        # what is denied or supposed is no lesson, in whatever words
        unsaid = (*answer.untrue, *answer.unreal, *answer.rows, *answer.quotes)
        is_unsaid = any(a < end and start < b for a, b in unsaid)
        if is_act or is_now or is_unsaid or not is_general or answer.numbers_in(start, end):
            if found:
                break
            continue
        found = [*(one for one in clauses if one.length >= 3), *found]
    return found


def _stem(word: str) -> str:
    for ending in ("ing", "ed", "es", "s", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            return word[: -len(ending)]
    return word


def _is_small(rule: Rule, word: str) -> bool:
    """A word that stands in every story."""
    small = lists()["ties"] | lists()["joins"] | lists()["adverbs"] | lists()["determiners"]
    small |= lists()["modals"] | lists()["negations"] | lists()["pronouns"] | lists()["have"]
    return word in small | rule.phrases("everywhere") or _stem(word) in rule.phrases("everywhere")


def organisational_cause(answer: Answer, rule: Rule, setting: Setting) -> list[Seen]:
    found = []
    for place in stated(answer, rule, "lacks"):
        start, end = answer.sentence_at(place[0])
        if places(answer.text, rule.phrases("bodies"), start, end):
            found.append(place)
    if found:
        return [Seen(State.MET, tuple(found), quoted(answer, found))]
    stock = rules()["generic_reflection"].phrases("generic")
    near = [
        place
        for place in stated(answer, rule, "near")
        if not places(answer.text, stock, *answer.sentence_at(place[0]))
    ]
    return [Seen(State.WEAK if near else State.MISSING, tuple(near), quoted(answer, near))]


def length(answer: Answer, rule: Rule, setting: Setting) -> list[Seen]:
    seen = []
    for stage, target_s in setting.targets.items():
        if answer.only is not None and stage != answer.only:
            continue
        if answer.only is None and stage != "total" and not answer.is_divided:
            continue
        words = answer.words(None if stage == "total" else stage)
        seconds = 60 * words / setting.wpm
        name = "in all" if stage == "total" else stage
        detail = f"{name}: {plural(words, 'word')}, about {seconds:.0f} s of {target_s:.0f} s"
        spans = () if stage == "total" else tuple(answer.spans.get(stage, ()))
        if not words:
            seen.append(Seen(State.MISSING, (), f"{name}: nothing"))
        elif seconds > target_s * rule.limit("ceiling"):
            seen.append(
                Seen(
                    State.WEAK,
                    spans,
                    f"{detail}; {plural(words - int(target_s * setting.wpm / 60), 'word')} over",
                )
            )
        elif seconds < target_s * rule.limit("floor"):
            seen.append(Seen(State.WEAK, spans, f"{detail}; short"))
        else:
            seen.append(Seen(State.MET, spans, detail))
    return seen


def order(answer: Answer, rule: Rule, setting: Setting) -> list[Seen]:
    """Stages that come back: a result told before the work, once a headline is let pass."""
    if answer.only is not None:
        return []
    told: list[tuple[int, Place]] = []
    for number, (start, end, stage) in enumerate(answer.sentences):
        if answer.is_divided:
            told.append((STAGES.index(stage), (start, end)))
            continue
        count = cues(answer.text, start, end, is_sure=True)
        best = max(count, key=count.__getitem__)
        if count[best] >= 1 and sum(value == count[best] for value in count.values()) == 1:
            if number == 0 and best == "result":
                continue
            told.append((STAGES.index(best), (start, end)))
    first = _lesson_first(answer)
    if first:
        return [Seen(State.WEAK, tuple(first), quoted(answer, first, 2))]
    if len({stage for stage, _ in told}) < 3:
        if _is_told_through(answer):
            return [Seen(State.MET)]
        return [Seen(State.NOT_CHECKABLE, (), "too few stages can be told apart")]
    back = []
    highest = 0
    for index, place in told:
        if highest - index >= 2:
            back.append(place)
        highest = max(highest, index)
    if len(back) > rule.limit("back_max"):
        return [Seen(State.WEAK, tuple(back), quoted(answer, back, 2))]
    return [Seen(State.MET)]


def _lesson_first(answer: Answer) -> list[Place]:
    """A lesson that is told in the first quarter, with most of the work behind it."""
    if answer.is_divided:
        return []
    marks = answer.phrases(rules()["order"].phrases("lesson"), STAGES)
    early = [one for one in marks if one[0] < len(answer.text) * _FIRST]
    acts = [one.start for one in answer.clauses if is_own(one) and one.verb in lists()["acts"]]
    behind = [one for one in acts if early and one > early[0][0]]
    return early if early and len(behind) >= 2 and len(behind) > len(acts) / 2 else []


def _is_told_through(answer: Answer) -> bool:
    """Whether work and an end stand one behind the other in a flowing text.

    It may begin with the first act ("I went looking for a backup, and there was none"), if more
    work follows in another sentence; the end stands behind most of it.
    """
    if len(answer.sentences) < _SENTENCES_MIN:
        return False
    acts = [
        one.start
        for one in answer.clauses
        if one.is_said and one.doer in (Actor.SPEAKER, Actor.WE) and one.verb in lists()["acts"]
    ]
    if not acts:
        return False
    marks = [
        start
        for start, _ in answer.phrases(rules()["generic_reflection"].phrases("lesson"), STAGES)
    ]
    ends = [start for start, _, _ in answer.changes(STAGES)] + marks
    ends += [one.start for one in _closing(answer, rules()["generic_reflection"])]
    places_ = {answer.sentence_at(one)[0] for one in acts}
    is_begun = min(acts) > answer.sentences[0][0] or len(places_) >= 2
    middle = sorted(acts)[len(acts) // 2]
    return is_begun and bool(ends) and max(ends) > middle


def sentences(answer: Answer, rule: Rule, setting: Setting) -> list[Seen]:
    """The share of words that stand in statements: a subject or a past verb, and four words."""
    lone: list[Place] = []
    all_words, kept = 0, 0
    for start, end, _ in answer.sentences:
        clauses = answer.in_sentence(start, end)
        words = sum(one.length for one in clauses)
        all_words += words
        in_rows = sum(one.length for one in clauses if one.is_listed)
        is_statement = any(
            one.verb is not None and (one.form != "ing" or one.subject) for one in clauses
        )
        if is_statement and words >= rule.limit("words_min"):
            kept += words - in_rows
            if in_rows:
                lone.append((start, end))
        else:
            lone.append((start, end))
    if not all_words:
        return [Seen(State.MISSING)]
    share = kept / all_words
    detail = (
        f"{len(lone)} of {plural(len(answer.sentences), 'part')} are no sentences" if lone else ""
    )
    if share < rule.limit("missing_share"):
        return [Seen(State.MISSING, tuple(lone), detail)]
    if share < rule.limit("weak_share"):
        return [Seen(State.WEAK, tuple(lone), detail)]
    return [Seen(State.MET)]
