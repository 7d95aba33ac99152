"""What words of a log mean that no list has, or that mean one thing beside another, from what the lines
with them do: Ibis, any engine."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

import ibis

from homing.forensics.acks import acked_anyway, are_told_apart, ends_turns, of_queue, of_requests
from homing.forensics.answers import of_answers
from homing.forensics.behaviours import WORDS_MAX, Behaviours
from homing.forensics.giving_up import ends_given_up
from homing.forensics.operations import Op, Stand, Word
from homing.forensics.reading.files import Raw
from homing.forensics.row_letters import row_letters
from homing.forensics.rows import row, rows
from homing.forensics.vocabulary import meaning, normal
from homing.forensics.words import Behaviour, by_behaviour


def learn(raw: Raw, whole: Behaviours) -> tuple[dict[str, Word], list[str]]:
    """The meaning of words that no list has, by how their lines behave."""
    declared_words = {w for m in raw.mappings.values() for w in m.words}
    learned: dict[str, Word] = {}
    assumed: list[str] = []
    told: dict[str, list[str]] = {}
    some = whole.first()
    said = _states_said(some.table)
    for column in ("op_raw", "to_raw"):
        texts = whole.words(column)
        letters = row_letters(texts) if column == "op_raw" else {}
        learned |= {t: word for t, word in letters.items() if t not in declared_words}
        unknown = [
            t
            for t in texts
            if meaning(t, is_state=column == "to_raw").op is Op.UNKNOWN
            if t not in declared_words and t not in letters
        ]
        if column == "to_raw" and texts and all(t.lstrip("-").isdigit() for t in texts):
            unknown = [t for t in texts if t not in declared_words]
        ours = [t for t in texts if t not in declared_words]
        if column == "op_raw":
            learned |= _operations(whole, some, ours, said)
            learned |= _published(raw, whole, ours)
        else:
            learned |= _states_of(ours, learned) | _passed_through(some, ours)
            learned |= _begun_in_turns(some, ours)
            learned |= dict.fromkeys(_cut_short(whole, ours), Word(Op.LAPSED, Stand.NONE))
            if not (raw.has("op") or raw.has("from_state")):  # states alone tell what happened
                learned |= dict.fromkeys(_waiting_again(whole, ours), Word(Op.RETRY, Stand.WAITING))
        unsigned = _unsigned(whole, column, ours)
        learned |= dict.fromkeys(unsigned, Word(Op.DISCARDED, Stand.GONE))
        told[column] = ours
        away = _put_away(some, column, texts) if unknown else set()
        for text, seen in whole.of(column, unknown).items():
            word = by_behaviour(seen)
            is_end = word.op is Op.SUCCEEDED and not seen.ok
            if is_end and column == "op_raw" and _is_of_turns(some, text, ours, said):
                word = Word(Op.NOTED, Stand.NONE)
            elif is_end and text in away:
                word = Word(Op.PURGED, Stand.GONE)
            elif column == "op_raw" and _is_step(word.op, some, text, ours, learned):
                word = Word(Op.NOTED, Stand.NONE)
            if word.op is not Op.UNKNOWN:
                learned[text] = word
                assumed.append(
                    f"{text!r} was taken for {word.op.name.lower()} by what its {seen.rows} lines do "
                    f"({seen.ends:.0%} of the deliveries end with it)"
                )
    learned |= _within_turns(some, told["op_raw"], learned)
    learned |= ends_given_up(whole.table, told)
    return learned, assumed


def _operations(
    log: Behaviours, some: Behaviours, texts: Sequence[str], said: Sequence[str]
) -> dict[str, Word]:
    """The words of operations that mean another thing beside what is around them; the last one counts.

    Args:
        some: of so many rows as tell how its words follow one another.
        said: the states that say delivered.
    """
    noted, accepted = Word(Op.NOTED, Stand.NONE), Word(Op.ACCEPTED, Stand.WAITING)
    asked, begun = _asked_first(log, texts), _begun_by(some, texts)
    listed = _listed_by(some, [t for t in texts if t not in begun])
    learned = dict.fromkeys([*asked, *begun], accepted)
    learned |= dict.fromkeys([*listed, *_handed_on(some, texts)], Word(Op.QUEUED, Stand.WAITING))
    later = _taken_later(log, texts, [*asked, *begun])
    learned |= {text: _taken_as(text, seen) for text, seen in later.items()}
    learned |= of_answers(log, some, texts)
    learned |= dict.fromkeys(_handed_over(log, some, texts), Word(Op.SUCCEEDED, Stand.DELIVERED))
    done = (*_deleted_at_once(some, texts), *acked_anyway(some.table, texts))
    learned |= dict.fromkeys(done, noted)
    learned |= dict.fromkeys(_expired_and_on(some, texts), Word(Op.LAPSED, Stand.NONE))
    learned |= dict.fromkeys(_called_off(some, texts), Word(Op.CANCELLED, Stand.CANCELLED))
    requests = of_requests(some.table, texts)
    learned |= dict.fromkeys(requests, Word(Op.ATTEMPTED, Stand.NONE))
    again = (*_said_again(some, texts, said), *of_queue(some.table, texts, said))
    return learned | dict.fromkeys(again, noted)


#: of what was published, a table must have so many rows to tell of acceptances
_STORED_MIN: Final = 0.5
_PUBLISHED: Final = re.compile(r"(^|_)(re_?)?publish(ed|ing)?$")


def _published(raw: Raw, log: Behaviours, texts: Sequence[str]) -> dict[str, Word]:
    """What sounds like an acceptance (`publish`), where the table of an outbox has that of most: the relay
    handed it to the queue."""
    found = [t for t in texts if _PUBLISHED.search(normal(t)) and meaning(t).op is Op.ACCEPTED]
    if not found:
        return {}
    begins = [*raw.starts, (raw.rows, "")]
    stored = sum(
        after - row
        for (row, path), (after, _) in pairwise(begins)
        if (mapping := raw.mappings[path]).layout == "deliveries"
        if "accepted_at" in mapping.columns
    )
    published = max(one.rows for one in log.of("op_raw", found).values())
    is_stored = stored > _STORED_MIN * published
    return dict.fromkeys(found, Word(Op.QUEUED, Stand.WAITING)) if is_stored else {}


#: what a turn begins after, and what it begins with; of its lines, so many must have one of them beside
_WAITING_OPS: Final = (
    Op.ACCEPTED,
    Op.QUEUED,
    Op.LAPSED,
    Op.RETRY,
    Op.RELEASED,
    Op.RESUMED,
    Op.POSTPONED,
)
_BEGIN_OPS: Final = (Op.CLAIMED, Op.SENT, Op.ATTEMPTED)
_OPENS_MIN: Final = 0.5


def _is_step(
    op: Op, log: Behaviours, text: str, texts: Sequence[str], learned: dict[str, Word]
) -> bool:
    """Whether a word that may be a turn, or a hand-over to the queue, is but a step of a turn."""
    if op is Op.CLAIMED:
        return not _opens(log, text, texts, learned)
    return op is Op.QUEUED and _is_within(log, text, learned)


def _opens(log: Behaviours, text: str, texts: Sequence[str], learned: dict[str, Word]) -> bool:
    """Whether a word that may be a worker's turn begins one, where another word is known for that: it comes
    before what a turn begins with, or after what waits, if nothing tells what a turn begins with."""
    ops = {t: learned.get(t, meaning(t)).op for t in texts if t != text}
    if Op.CLAIMED not in ops.values():
        return True
    after = log.followers([text])[text]
    if Op.SENT in ops.values():
        sent = sum(n for t, n in after.items() if ops.get(str(t)) is Op.SENT)
        return sent >= _OPENS_MIN * after.total() and not _is_within(log, text, learned)
    before = log.preceders([text])[text]
    return any(
        sum(n for t, n in near.items() if ops.get(str(t)) in wanted) >= _OPENS_MIN * near.total()
        for near, wanted in ((before, _WAITING_OPS), (after, _BEGIN_OPS))
    )


#: of the lines of a word, so many follow right after the beginning of a turn
_WITHIN_MIN: Final = 0.8


def _is_within(log: Behaviours, text: str, learned: dict[str, Word]) -> bool:
    """Whether the lines of a word come right after the beginning of a turn."""
    before = log.preceders([text])[text]
    turns = sum(n for t, n in before.items() if t and learned.get(t, meaning(t)).op is Op.CLAIMED)
    return turns > _WITHIN_MIN * before.total()


#: fewer lines of a word than this share begin a delivery: it is no acceptance
_FIRST_MIN: Final = 0.2
#: of the lines of a state of waiting for a retry, so many have a due time
_DUE_MIN: Final = 0.5


#: a request to the service itself, as the sentences of a log have it
_OWN_REQUEST: Final = re.compile(r"(POST|PUT) /\S*$|.*[Rr]equested$")


def _asked_first(log: Behaviours, texts: Sequence[str]) -> list[str]:
    """The requests to the service itself by which deliveries begin, and hardly any ends."""
    seen = log.of("op_raw", [t for t in texts if _OWN_REQUEST.match(t)])
    return [t for t, one in seen.items() if one.is_first > 0.8 and one.is_last < 0.5]


def _taken_later(
    log: Behaviours, texts: Sequence[str], asked: Sequence[str]
) -> dict[str, Behaviour]:
    """Of several words that sound like an acceptance (`event accepted`, `record received`), those
    that hardly ever come first: by them a worker takes what another accepted.

    Args:
        asked: others by which deliveries are known to begin.
    """
    accepting = [t for t in texts if meaning(t, is_state=False).op is Op.ACCEPTED]
    accepting += [t for t in asked if t not in accepting]
    # what is stored in an outbox is accepted by that
    accepting = [t for t in accepting if t in asked or "outbox" not in normal(t)]
    if len(accepting) < 2:
        return {}
    seen = log.of("op_raw", accepting)
    later = {text: one for text, one in seen.items() if one.is_first < _FIRST_MIN}
    return later if len(later) < len(seen) else {}


#: of a word's lines, so many come first, and so many deliveries begin with it
_BEGINS_MIN: Final = 0.95
_BEGUN_MIN: Final = 0.5


def _begun_by(log: Behaviours, texts: Sequence[str]) -> list[str]:
    """What sounds like a worker's turn (`taken in`), or like any write (`saved`), and is how nearly all
    deliveries begin: beside another turn, that never comes first, it is their acceptance."""
    turns = [t for t in texts if meaning(t).op in (Op.CLAIMED, Op.WRITTEN, Op.QUEUED)]
    seen = log.of("op_raw", turns) if turns else {}
    firsts = [
        t for t, one in seen.items() if one.is_first > _BEGINS_MIN and one.starts > _BEGUN_MIN
    ]
    accepted = [t for t in texts if meaning(t).op is Op.ACCEPTED]
    if len(firsts) != 1 or any(
        one.is_first > _FIRST_MIN for one in log.of("op_raw", accepted).values()
    ):
        return []
    return firsts


def _listed_by(log: Behaviours, texts: Sequence[str]) -> list[str]:
    """What sounds like a worker's turn (`picked`), and is always followed by a hand-over to the queue,
    from which another takes it: the turn of a relay."""
    turns = [t for t in texts if meaning(t).op is Op.CLAIMED]
    queues = [t for t in texts if meaning(t).op is Op.QUEUED]
    if not turns or not queues:
        return []
    next_to = log.followers(turns)
    return [
        text
        for text, after in next_to.items()
        if sum(after[q] for q in queues) > _LISTED_MIN * after.total()
    ]


#: of the lines by which it was handed on, so many are followed by a worker's turn, or nothing
_HANDED_MIN: Final = 0.9


def _handed_on(log: Behaviours, texts: Sequence[str]) -> list[str]:
    """What sounds like a request (`dispatched`), and is followed by the turn of a worker: it was handed on
    to those who send."""
    sent = [t for t in texts if meaning(t).op is Op.SENT]
    turns = [t for t in texts if meaning(t).op is Op.CLAIMED]
    if not sent or not turns:
        return []
    next_to = log.followers(sent)
    shown = log.of("op_raw", sent)
    return [
        text
        for text, after in next_to.items()
        # what shows an answer was a request
        if shown[text].ok + shown[text].bad < _SHOWN_MAX
        and sum(after[t] for t in turns) > _HANDED_MIN * (after.total() - after[None]) > 0
    ]


#: of the lines of what most deliveries end with, so many are the last, and so many follow an answer
_LAST_MIN: Final = 0.5
_MOST_END_MIN: Final = 0.5
_AFTER_ANSWER_MIN: Final = 0.9


def _handed_over(log: Behaviours, some: Behaviours, texts: Sequence[str]) -> list[str]:
    """What sounds like a hand-over to the queue (`handed over`), and comes after an answer, as the last of
    most deliveries: it was handed to its receiver."""
    handed = log.of("op_raw", [t for t in texts if meaning(t).op is Op.QUEUED])
    last = [t for t, one in handed.items() if one.is_last > _LAST_MIN and one.ends > _MOST_END_MIN]
    if not last:
        return []
    shown = {t for t, one in log.of("op_raw", texts).items() if one.ok + one.bad > _SHOWN_MAX}
    return [
        text
        for text, before in some.preceders(last).items()
        if sum(n for t, n in before.items() if t in shown) > _AFTER_ANSWER_MIN * before.total()
    ]


#: of the lines of a state, so few are the last of their delivery, where it is on the way to another
_PASSED_LAST_MAX: Final = 0.2


def _passed_through(log: Behaviours, states: Sequence[str]) -> dict[str, Word]:
    """The states that sound like the end (`dispatched`), and are left for another of these."""
    done = [t for t in states if meaning(t, is_state=True).op is Op.SUCCEEDED]
    if len(done) < 2:
        return {}
    # how rows of a table stand has no order among them
    seen = Behaviours(log.table.filter(log.table.layout == "events")).of("to_raw", done)
    passed = [t for t, one in seen.items() if one.is_last < _PASSED_LAST_MAX and not one.ok]
    waiting = Word(Op.QUEUED, Stand.WAITING)
    return dict.fromkeys(passed, waiting) if len(passed) < len(seen) else {}


#: of the lines of a state, so many follow that of a turn, where it is the turn's request
_IN_TURN_MIN: Final = 0.9


def _begun_in_turns(log: Behaviours, states: Sequence[str]) -> dict[str, Word]:
    """Of the states that sound like a worker's turn, those that nearly always follow another of them: in
    these the request is made."""
    ops = {t: meaning(t, is_state=True).op for t in states}
    turns = [t for t, op in ops.items() if op is Op.CLAIMED]
    if len(turns) < 2 or Op.SENT in ops.values():
        return {}
    near = Behaviours(log.table.filter(log.table.to_raw.notnull())).preceders(turns, "to_raw")
    begun = [
        t
        for t, before in near.items()
        if sum(before[one] for one in turns if one != t) >= _IN_TURN_MIN * before.total() > 0
    ]
    return dict.fromkeys(begun, Word(Op.SENT, Stand.LEASED)) if len(begun) < len(turns) else {}


#: so soon after what a turn came to its entry is deleted from the queue, in so many of its lines; what
#: is swept away is so hours later
_AT_ONCE_US: Final = 5_000_000
_AT_ONCE_MIN: Final = 0.9
#: of the deliveries, so many have such a line
_DELETED_MIN: Final = 0.5


def _deleted_at_once(log: Behaviours, texts: Sequence[str]) -> list[str]:
    """What sounds like a deletion (`message deleted`), and comes to most deliveries as soon as a turn is
    over: an entry of the queue is done with, whatever came of it."""
    words = [t for t in texts if meaning(t).op is Op.PURGED]
    if not words:
        return []
    lines, window = log.in_order()
    lines = lines.mutate(gap=lines.at - lines.at.lag().over(window))
    total = int(row(lines.aggregate(n=lines.k.nunique())).n or 0)
    lines = lines.filter(lines.word.isin(words))
    found = lines.group_by("word").aggregate(
        n=lines.count(),
        deliveries=lines.k.nunique(),
        soon=(lines.gap <= _AT_ONCE_US).fill_null(False).cast("int64").sum(),
    )
    return [
        one.word
        for one in rows(found.order_by("word"))
        if one.deliveries > _DELETED_MIN * total and one.soon > _AT_ONCE_MIN * one.n
    ]


_EXPIRED: Final = re.compile(r"expir")


def _expired_and_on(log: Behaviours, texts: Sequence[str]) -> list[str]:
    """What sounds as if a delivery were too old (`expired`), and is mostly followed by more of it: a
    lease ran out."""
    words = [t for t in texts if meaning(t).op is Op.PURGED and _EXPIRED.search(normal(t))]
    seen = log.of("op_raw", words)
    return [text for text, one in seen.items() if one.is_last < _FOLLOWED_MAX]


def _called_off(log: Behaviours, texts: Sequence[str]) -> list[str]:
    """What sounds as if the plan of a retry were taken away (`retry cancelled`), and names who did it:
    it is the delivery that was withdrawn."""
    words = [t for t in texts if meaning(t).op is Op.WRITTEN and "cancel" in normal(t)]
    seen = log.of("op_raw", words)
    return [text for text, one in seen.items() if one.signed > _SIGNED_MIN]


def _unsigned(log: Behaviours, column: str, texts: Sequence[str]) -> list[str]:
    """What sounds as if somebody had withdrawn a delivery (`void`), and never names anybody, where what
    people withdraw does: nobody decided it."""
    words = [t for t in texts if meaning(t, is_state=column == "to_raw").op is Op.CANCELLED]
    seen = log.of(column, words) if len(words) > 1 else {}
    if not any(one.signed > _ALL_SIGNED_MIN for one in seen.values()):
        return []
    return [t for t, one in seen.items() if not one.signed and one.rows >= _ENDS_FEWEST]


def _cut_short(log: Behaviours, texts: Sequence[str]) -> list[str]:
    """What sounds like the end of a delivery, of rows of attempts (`abandoned`), and is hardly ever the last
    of one: an attempt ended so, and nobody waited for its answer."""
    attempts = Behaviours(log.table.filter(log.table.layout == "attempts"))
    words = [t for t in texts if meaning(t, is_state=True).op is Op.DEAD]
    seen = attempts.of("to_raw", words) if words else {}
    return [
        t
        for t, one in seen.items()
        if one.is_last < _FOLLOWED_MAX and one.rows >= _ENDS_FEWEST and not one.bad
    ]


_ALL_SIGNED_MIN: Final = 0.9
_ENDS_FEWEST: Final = 5
_SIGNED_MIN: Final = 0.5
#: of the lines of an end, fewer are followed by others
_FOLLOWED_MAX: Final = 0.5


def _put_away(log: Behaviours, column: str, texts: Sequence[str]) -> set[str]:
    """What follows most lines of the words for delivered (`archived`): by it a delivery is put away,
    however it ended."""
    told = [t for t in texts if meaning(t, is_state=column == "to_raw").op is Op.SUCCEEDED]
    next_to: Counter[str | None] = Counter()
    for after in log.followers(told, column).values() if told else ():
        next_to += after
    total = sum(next_to.values())
    return {t for t, n in next_to.items() if t is not None and t not in told and 2 * n > total}


#: of the lines that say delivered, so many are followed at once by another that says done
_AGAIN_MIN: Final = 0.95
_AGAIN_FEWEST: Final = 50
#: and fewer of its own lines show an answer
_SHOWN_MAX: Final = 0.5


def _is_of_turns(log: Behaviours, text: str, texts: Sequence[str], states: Sequence[str]) -> bool:
    """Whether a word with which deliveries end says that a turn is over: it does so after any, or what is
    delivered is called so besides."""
    if ends_turns(log.table, text):
        return True
    firm = [t for t in texts if meaning(t).op is Op.SUCCEEDED]
    return are_told_apart(log.table, [text], firm, states)


def _states_said(table: Any) -> list[str]:
    """The states that say delivered, of lines that have a word beside them."""
    worded = table.filter(table.op_raw.notnull() & table.to_raw.notnull())
    states = [one.to_raw for one in rows(worded.select("to_raw").distinct().limit(WORDS_MAX))]
    return sorted(t for t in states if meaning(t, is_state=True).op is Op.SUCCEEDED)


def _said_again(log: Behaviours, texts: Sequence[str], states: Sequence[str]) -> list[str]:
    """What says done (`job completed`) right after each line that says delivered, by its word or by
    the state beside it: that the turn is over, whatever came of it."""
    done = [t for t in texts if meaning(t).op is Op.SUCCEEDED]
    if not done:
        return []
    seen = log.of("op_raw", done)
    said = [t for t, one in seen.items() if one.ok + one.bad < _SHOWN_MAX]
    table = log.table.filter(log.table.op_raw.notnull())
    if states:  # beside a word that says less (`status updated`)
        is_said = table.to_raw.isin(states) & ~table.op_raw.isin(done)
        table = table.mutate(op_raw=ibis.ifelse(is_said, table.to_raw, table.op_raw))
    found = set()
    for text, after in Behaviours(table).followers(sorted({*said, *states})).items():
        again, n = max(
            ((t, n) for t, n in after.items() if t in said), key=lambda one: one[1], default=("", 0)
        )
        if again != text and n >= max(_AGAIN_FEWEST, _AGAIN_MIN * after.total()):
            found.add(str(again))
    return sorted(found)


def _within_turns(
    log: Behaviours, texts: Sequence[str], learned: dict[str, Word]
) -> dict[str, Word]:
    """What sounds or looks like a turn and follows right after the line by which one begins is its request;
    and what looks like one, and a dead letter always follows, is the end of the attempts."""
    ops = {text: learned.get(text, meaning(text)).op for text in texts}
    turns = [t for t, op in ops.items() if op is Op.CLAIMED]
    if not any(t in learned for t in turns) and len(turns) < 2:
        return {}
    next_to = log.followers(turns)
    total = {t: after.total() for t, after in next_to.items()}
    ends = {
        t: Word(Op.EXHAUSTED, Stand.EXHAUSTED)
        for t in turns
        if t in learned
        and sum(n for text, n in next_to[t].items() if ops.get(str(text)) is Op.DEAD)
        > _LISTED_MIN * total[t]
    }
    if Op.SENT in ops.values():
        return ends
    # of a chain of turns, the last before the answer is the request
    sent = {
        t: Word(Op.SENT, Stand.LEASED)
        for t in turns
        if t not in ends
        and sum(after[t] for one, after in next_to.items() if one != t) > _LISTED_MIN * total[t]
        and not any(next_to[t][one] > _LISTED_MIN * total[t] for one in turns)
    }
    return ends | sent if len(sent) < len(turns) else ends


#: of a relay's turns, so many are followed by the hand-over
_LISTED_MIN: Final = 0.9

#: what makes a row of its own, rather than that somebody has got something
_MAKING: Final = re.compile(r"insert|creat|(^|_)add(ed)?$|publish|submit|emit|stored|regist")


#: of the lines of an acceptance by whoever sends for the service, so many have a status of 2xx
_BY_SENDER_MIN: Final = 0.8


def _taken_as(text: str, seen: Behaviour) -> Word:
    """What a word that sounds like an acceptance, and is none, is: a job that is made of it, or a turn; or,
    with a good status, what a gateway says that has only put the request by."""
    if seen.ok > _BY_SENDER_MIN:
        return Word(Op.NOTED, Stand.NONE)
    is_made = _MAKING.search(normal(text))
    return Word(Op.QUEUED, Stand.WAITING) if is_made else Word(Op.CLAIMED, Stand.LEASED)


def _states_of(states: Sequence[str], learned: dict[str, Word]) -> dict[str, Word]:
    """The states that are called as a line by which a delivery is given to its receiver."""
    told = [normal(t) for t, word in learned.items() if word.op is Op.SUCCEEDED]
    waiting = [t for t in states if meaning(t, is_state=True).op is Op.QUEUED]
    return {
        text: Word(Op.SUCCEEDED, Stand.DELIVERED, 1)
        for text in waiting
        if any(f"_{one}".endswith(f"_{normal(text)}") for one in told)
    }


def _waiting_again(log: Behaviours, texts: Sequence[str]) -> list[str]:
    """Of the states of waiting, those with a due time that hardly ever come first: after a failure."""
    waits = [t for t in texts if meaning(t, is_state=True).stand is Stand.WAITING]
    seen = log.of("to_raw", waits)
    return [t for t, one in seen.items() if one.is_first < _FIRST_MIN and one.due > _DUE_MIN]
