"""Which words of a log tell of an answer, a receiver's or the service's own, although they sound like
something else. Ibis."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from homing.forensics.behaviours import Behaviours
from homing.forensics.operations import Op, Stand, Word
from homing.forensics.vocabulary import meaning
from homing.forensics.words import Behaviour


def of_answers(log: Behaviours, some: Behaviours, texts: Sequence[str]) -> dict[str, Word]:
    """What such words mean.

    Args:
        some: of so many rows as tell how its words follow one another.
    """
    noted = Word(Op.NOTED, Stand.NONE)
    seen = some.of("op_raw", [t for t in texts if meaning(t).op in _ENDING])
    found = dict.fromkeys(_answered(log, texts), Word(Op.FAILED, Stand.FAILED, -1))
    found |= dict.fromkeys(_given_to_receiver(seen), Word(Op.SUCCEEDED, Stand.DELIVERED, 1))
    found |= dict.fromkeys(_own_answers(seen), noted)
    found |= dict.fromkeys(_answered_first(seen), Word(Op.ACCEPTED, Stand.WAITING))
    found |= dict.fromkeys(_said_before(some, seen, texts), noted)
    found |= dict.fromkeys(_asking(some, seen, texts), Word(Op.SENT, Stand.LEASED))
    return found | dict.fromkeys(_ignored_answers(some, texts), noted)


#: of the lines of a hand-over that failed, so many with a status are no hand-over to a queue
_ANSWERED_MIN: Final = 0.2


def _answered(log: Behaviours, texts: Sequence[str]) -> list[str]:
    """What sounds like a hand-over that failed (`push failed`), and tells what a receiver answered."""
    failed = [t for t in texts if meaning(t, is_state=False).op is Op.NOT_QUEUED]
    seen = log.of("op_raw", failed)
    return [text for text, one in seen.items() if one.ok + one.bad > _ANSWERED_MIN]


#: what words say that may be another's end than the receiver's answer
_ENDING: Final = frozenset({Op.QUEUED, Op.SUCCEEDED, Op.ATTEMPTED, Op.SKIPPED})
#: of the lines by which it was given to a receiver, so many have an answer of 2xx, and so many are
#: the last of their delivery
_GIVEN_OK_MIN: Final = 0.8
_GIVEN_LAST_MIN: Final = 0.5


def _given_to_receiver(seen: dict[str, Behaviour]) -> list[str]:
    """What sounds like a hand-over to a queue (`handed over`), and tells that a receiver answered well,
    with which most deliveries end: what else comes of a queue's answer comes after it."""
    return [
        text
        for text, one in seen.items()
        if meaning(text).op is Op.QUEUED
        if one.ok > _GIVEN_OK_MIN and one.is_last > _GIVEN_LAST_MIN and one.ends > _GIVEN_LAST_MIN
    ]


#: of the lines of an answer to whoever brought the event, so few are of an attempt, or the last
_OWN_NUMBERED_MAX: Final = 0.1
_OWN_LAST_MAX: Final = 0.2


def _own_answers(seen: dict[str, Behaviour]) -> list[str]:
    """What sounds like a receiver's answer (`request completed`, with 202), is of no attempt where the
    others are, and is followed by more: what the service itself answered whoever brought the event."""
    return [
        text
        for text, one in seen.items()
        if meaning(text).op is not Op.QUEUED and one.ok + one.bad > _GIVEN_OK_MIN
        # an event that is brought once more may be so after all is over
        if one.is_last < _OWN_LAST_MAX or meaning(text).op is Op.SKIPPED
        if one.numbered is not None and one.numbered < _OWN_NUMBERED_MAX
    ]


#: of the lines of what the service answered, so many begin a delivery; or so many, if it says "accepted"
_FIRST: Final = 0.95
_FIRST_SOME: Final = 0.2


def _answered_first(seen: dict[str, Behaviour]) -> list[str]:
    """What sounds like a receiver's answer (`event received, answered 202`), is well answered, and is how
    deliveries begin, and hardly any ends: what the service answered whoever brought the event."""
    return [
        text
        for text, one in seen.items()
        if one.ok > _GIVEN_OK_MIN and one.is_last < _OWN_LAST_MAX
        # the clock of who takes it may be ahead of that of who accepts it
        if one.is_first > _FIRST
        or (one.is_first > _FIRST_SOME and meaning(_ANSWERED.sub("", text)).op is Op.ACCEPTED)
    ]


#: what is put behind a sentence with an answer in it
_ANSWERED: Final = re.compile(r"\s+answered$")


#: what comes of a delivery before it is delivered
_BEFORE_ANSWER: Final = (Op.ACCEPTED, Op.QUEUED, Op.CLAIMED, Op.SENT)


#: of the lines of such a step, so many are followed by one of these
_FOLLOWED_MIN: Final = 0.9


def _said_before(log: Behaviours, seen: dict[str, Behaviour], texts: Sequence[str]) -> list[str]:
    """What sounds like a success (`check completed`), shows no answer, and is followed by the hand-over or
    the turn of a delivery that was neither handed over nor taken yet: a step on the way to it."""
    done = [
        text
        for text, one in seen.items()
        if meaning(text).op is Op.SUCCEEDED and one.ok + one.bad < _OWN_NUMBERED_MAX
        if one.is_last < _OWN_LAST_MAX
    ]
    begun = {t for t in texts if meaning(t).op in _BEFORE_ANSWER}
    next_to = log.followers(done) if done else {}
    return [
        text
        for text, after in next_to.items()
        if sum(n for word, n in after.items() if word in begun) > _FOLLOWED_MIN * after.total()
    ]


#: of the lines that say delivered, so many follow right after another that shows that
_REPEATED_MIN: Final = 0.9


def repeating(log: Behaviours, texts: Sequence[str]) -> frozenset[str]:
    """Of the words by which a delivery is called delivered, those whose status is not asked of a receiver:
    another word, of an attempt, nearly always shows it right before them.

    Args:
        log: of the raw rows.
        texts: words whose lines show 2xx.
    """
    done = [t for t in texts if meaning(t).op is Op.SUCCEEDED]
    if len(done) < 2:
        return frozenset()
    seen = log.of("op_raw", done)
    shown = {t for t in done if t in seen and seen[t].ok > _GIVEN_OK_MIN}
    return frozenset(
        text
        for text, before in log.preceders(sorted(shown)).items()
        if sum(n for t, n in before.items() if t in shown and t != text)
        >= _REPEATED_MIN * before.total()
    )


#: of the lines of a word, so many come right after an answer
_OF_ANSWERS_MIN: Final = 0.8


def _ignored_answers(log: Behaviours, texts: Sequence[str]) -> list[str]:
    """What sounds as if a delivery were passed over (`ignored`), and follows right after what a receiver
    answered: it is the answer that is not written."""
    words = [t for t in texts if meaning(t).op is Op.SKIPPED]
    if not words:
        return []
    seen = log.of("op_raw", texts)
    answers = [
        t for t, one in seen.items() if one.ok + one.bad > _GIVEN_LAST_MIN and t not in words
    ]
    next_to = log.followers(answers) if answers else {}
    return [
        word
        for word in words
        if sum(after[word] for after in next_to.values()) >= _OF_ANSWERS_MIN * seen[word].rows
    ]


def _asking(log: Behaviours, seen: dict[str, Behaviour], texts: Sequence[str]) -> list[str]:
    """What sounds like a request that is over (`attempt`), shows no answer, and is followed by a line that
    shows one: by it the request begins."""
    silent = [
        text
        for text, one in seen.items()
        if meaning(text).op is Op.ATTEMPTED and not one.ok + one.bad
    ]
    if not silent:
        return []
    shown = log.of("op_raw", texts)
    answers = {t for t, one in shown.items() if one.ok + one.bad > _GIVEN_LAST_MIN}
    return [
        text
        for text, after in log.followers(silent).items()
        if sum(n for word, n in after.items() if word in answers) > _FOLLOWED_MIN * after.total()
    ]
