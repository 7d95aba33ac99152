"""What words of a log mean that no list has, or that mean one thing beside another, from what the lines
with them do: Ibis, any engine."""

from __future__ import annotations

import functools
import operator
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import ibis

from homing.forensics.acks import acked_anyway, are_told_apart, ends_turns, of_queue, of_requests
from homing.forensics.reading.files import Raw
from homing.forensics.rows import row, rows
from homing.forensics.vocabulary import Op, Stand, Word, meaning, normal
from homing.forensics.words import Behaviour, by_behaviour

_WORDS_MAX: Final = 5_000


def learn(raw: Raw, table: Any) -> tuple[dict[str, Word], list[str]]:
    """The meaning of words that no list has, by how their lines behave."""
    declared_words = {w for m in raw.mappings.values() for w in m.words}
    learned: dict[str, Word] = {}
    assumed: list[str] = []
    told: dict[str, list[str]] = {}
    some = table.filter(table["rowid"] < _LOOKED_THROUGH)
    said = _states_said(some)
    for column in ("op_raw", "to_raw"):
        words = table.select(word=table[column]).distinct()
        words = words.filter(words.word.notnull()).order_by("word").limit(_WORDS_MAX)
        texts = [one.word for one in rows(words)]
        unknown = [
            t
            for t in texts
            if meaning(t, is_state=column == "to_raw").op is Op.UNKNOWN and t not in declared_words
        ]
        if column == "to_raw" and texts and all(t.lstrip("-").isdigit() for t in texts):
            unknown = [t for t in texts if t not in declared_words]
        ours = [t for t in texts if t not in declared_words]
        if column == "op_raw":
            asked = _asked_first(table, ours)
            learned |= dict.fromkeys(asked, Word(Op.ACCEPTED, Stand.WAITING))
            begun = _begun_by(some, ours)
            learned |= dict.fromkeys(begun, Word(Op.ACCEPTED, Stand.WAITING))
            listed = _listed_by(some, [t for t in ours if t not in begun])
            learned |= dict.fromkeys(listed, Word(Op.QUEUED, Stand.WAITING))
            taken = _taken_later(table, ours, asked)
            learned |= {text: _taken_as(text) for text in taken}
            learned |= dict.fromkeys(_answered(table, ours), Word(Op.FAILED, Stand.FAILED, -1))
            seen_ends = _behaviours(some, column, [t for t in ours if meaning(t).op in _ENDING])
            given = _given_to_receiver(seen_ends)
            learned |= dict.fromkeys(given, Word(Op.SUCCEEDED, Stand.DELIVERED, 1))
            learned |= dict.fromkeys(_own_answers(seen_ends), Word(Op.NOTED, Stand.NONE))
            learned |= dict.fromkeys(_deleted_at_once(some, ours), Word(Op.NOTED, Stand.NONE))
            learned |= dict.fromkeys(
                acked_anyway(some, name_of(some), ours), Word(Op.NOTED, Stand.NONE)
            )
            ignored = _ignored_answers(some, ours)
            learned |= dict.fromkeys(ignored, Word(Op.NOTED, Stand.NONE))
            lapsed = _expired_and_on(some, ours)
            learned |= dict.fromkeys(lapsed, Word(Op.LAPSED, Stand.NONE))
            requests = of_requests(some, name_of(some), ours)
            learned |= dict.fromkeys(requests, Word(Op.ATTEMPTED, Stand.NONE))
            learned |= dict.fromkeys(_said_again(some, ours, said), Word(Op.NOTED, Stand.NONE))
            learned |= dict.fromkeys(
                of_queue(some, name_of(some), ours, said), Word(Op.NOTED, Stand.NONE)
            )
        else:
            learned |= _states_of(ours, learned)
            if not (raw.has("op") or raw.has("from_state")):  # states alone tell what happened
                learned |= dict.fromkeys(_waiting_again(table, ours), Word(Op.RETRY, Stand.WAITING))
        told[column] = ours
        away = _put_away(some, column, texts) if unknown else set()
        for text, seen in _behaviours(table, column, unknown).items():
            word = by_behaviour(seen)
            is_end = word.op is Op.SUCCEEDED and not seen.ok
            if is_end and column == "op_raw" and _is_of_turns(some, text, ours, said):
                word = Word(Op.NOTED, Stand.NONE)
            if is_end and text in away:
                word = Word(Op.PURGED, Stand.GONE)
            if word.op is not Op.UNKNOWN:
                learned[text] = word
                assumed.append(
                    f"{text!r} was taken for {word.op.name.lower()} by what its {seen.rows} lines do "
                    f"({seen.ends:.0%} of the deliveries end with it)"
                )
    learned |= _within_turns(some, told["op_raw"], learned)
    stored = _stored_after(table, told["op_raw"])
    learned |= dict.fromkeys(stored, Word(Op.DEAD, Stand.DEAD))
    unstored = [t for t in stored if _NOT.search(normal(t))]
    learned |= dict.fromkeys(unstored, Word(Op.DEAD_FAILED, Stand.NONE))
    states = [t for t in told["to_raw"] if meaning(t, is_state=True).op is Op.DEAD]
    ended = [*stored.values(), *states] if stored else _ended_first(table, told)
    learned |= dict.fromkeys(ended, Word(Op.EXHAUSTED, Stand.EXHAUSTED))
    return learned, assumed


#: fewer lines of a word than this share begin a delivery: it is no acceptance
_FIRST_MIN: Final = 0.2
#: of the lines of a state of waiting for a retry, so many have a due time
_DUE_MIN: Final = 0.5


#: a request to the service itself, as the sentences of a log have it
_OWN_REQUEST: Final = re.compile(r"(POST|PUT) /\S*$|.*[Rr]equested$")


def _asked_first(table: Any, texts: Sequence[str]) -> list[str]:
    """The requests to the service itself by which deliveries begin, and hardly any ends."""
    seen = _behaviours(table, "op_raw", [t for t in texts if _OWN_REQUEST.match(t)])
    return [t for t, one in seen.items() if one.is_first > 0.8 and one.is_last < 0.5]


def _taken_later(table: Any, texts: Sequence[str], asked: Sequence[str]) -> list[str]:
    """Of several words that sound like an acceptance (`event accepted`, `record received`), those
    that hardly ever come first: by them a worker takes what another accepted."""
    accepting = [t for t in texts if meaning(t, is_state=False).op is Op.ACCEPTED]
    accepting += asked
    if len(accepting) < 2:
        return []
    seen = _behaviours(table, "op_raw", accepting)
    later = [text for text, one in seen.items() if one.is_first < _FIRST_MIN]
    return later if len(later) < len(seen) else []


#: of a word's lines, so many come first, and so many deliveries begin with it
_BEGINS_MIN: Final = 0.95
_BEGUN_MIN: Final = 0.5


def _begun_by(table: Any, texts: Sequence[str]) -> list[str]:
    """What sounds like a worker's turn (`taken in`), or like any write (`saved`), and is how nearly all
    deliveries begin: beside another turn, that never comes first, it is their acceptance."""
    turns = [t for t in texts if meaning(t).op in (Op.CLAIMED, Op.WRITTEN, Op.QUEUED)]
    seen = _behaviours(table, "op_raw", turns) if turns else {}
    firsts = [
        t for t, one in seen.items() if one.is_first > _BEGINS_MIN and one.starts > _BEGUN_MIN
    ]
    accepted = [t for t in texts if meaning(t).op is Op.ACCEPTED]
    if len(firsts) != 1 or any(
        one.is_first > _FIRST_MIN for one in _behaviours(table, "op_raw", accepted).values()
    ):
        return []
    return firsts


def _listed_by(table: Any, texts: Sequence[str]) -> list[str]:
    """What sounds like a worker's turn (`picked`), and is always followed by a hand-over to the queue,
    from which another takes it: the turn of a relay."""
    turns = [t for t in texts if meaning(t).op is Op.CLAIMED]
    queues = [t for t in texts if meaning(t).op is Op.QUEUED]
    if not turns or not queues:
        return []
    next_to = _followers(table, turns)
    return [
        text
        for text, after in next_to.items()
        if sum(after[q] for q in queues) > _LISTED_MIN * after.total()
    ]


#: so soon after what a turn came to its entry is deleted from the queue, in so many of its lines; what
#: is swept away is so hours later
_AT_ONCE_US: Final = 5_000_000
_AT_ONCE_MIN: Final = 0.9
#: of the deliveries, so many have such a line
_DELETED_MIN: Final = 0.5


def _deleted_at_once(table: Any, texts: Sequence[str]) -> list[str]:
    """What sounds like a deletion (`message deleted`), and comes to most deliveries as soon as a turn is
    over: an entry of the queue is done with, whatever came of it."""
    words = [t for t in texts if meaning(t).op is Op.PURGED]
    if not words:
        return []
    lines, window = _in_order(table)
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


#: of the lines of a word, so many come right after an answer
_OF_ANSWERS_MIN: Final = 0.8


def _ignored_answers(table: Any, texts: Sequence[str]) -> list[str]:
    """What sounds as if a delivery were passed over (`ignored`), and follows right after what a receiver
    answered: it is the answer that is not written."""
    words = [t for t in texts if meaning(t).op is Op.SKIPPED]
    if not words:
        return []
    seen = _behaviours(table, "op_raw", texts)
    answers = [
        t for t, one in seen.items() if one.ok + one.bad > _GIVEN_LAST_MIN and t not in words
    ]
    next_to = _followers(table, answers) if answers else {}
    return [
        word
        for word in words
        if sum(after[word] for after in next_to.values()) >= _OF_ANSWERS_MIN * seen[word].rows
    ]


_EXPIRED: Final = re.compile(r"expir")


def _expired_and_on(table: Any, texts: Sequence[str]) -> list[str]:
    """What sounds as if a delivery were too old (`expired`), and is mostly followed by more of it: a
    lease ran out."""
    words = [t for t in texts if meaning(t).op is Op.PURGED and _EXPIRED.search(normal(t))]
    seen = _behaviours(table, "op_raw", words)
    return [text for text, one in seen.items() if one.is_last < _FOLLOWED_MAX]


#: of the lines of an end, fewer are followed by others
_FOLLOWED_MAX: Final = 0.5


#: so many rows tell which habits a log has: how its words follow one another
_LOOKED_THROUGH: Final = 1_000_000


def _in_order(table: Any, column: str = "op_raw") -> tuple[Any, Any]:
    """The words of the lines, and the window of each delivery's in their order."""
    at = ibis.coalesce(table.changed_us, table.at_us, 0)
    lines = table.select(k=name_of(table), word=table[column], at=at, row=table["rowid"])
    return lines, ibis.window(group_by="k", order_by=["at", "row"])


def _followers(
    table: Any, texts: Sequence[str], column: str = "op_raw"
) -> dict[str, Counter[str | None]]:
    """Word → what its delivery's next line says, and how often; None: it was the last."""
    lines, window = _in_order(table, column)
    lines = lines.mutate(after=lines.word.lead().over(window))
    lines = lines.filter(lines.word.isin(texts))
    found: dict[str, Counter[str | None]] = {text: Counter() for text in texts}
    for one in rows(lines.group_by(["word", "after"]).aggregate(n=lines.count())):
        found[one.word][one.after] += int(one.n)
    return found


def _put_away(table: Any, column: str, texts: Sequence[str]) -> set[str]:
    """What follows most lines of the words for delivered (`archived`): by it a delivery is put away,
    however it ended."""
    told = [t for t in texts if meaning(t, is_state=column == "to_raw").op is Op.SUCCEEDED]
    next_to: Counter[str | None] = Counter()
    for after in _followers(table, told, column).values() if told else ():
        next_to += after
    total = sum(next_to.values())
    return {t for t, n in next_to.items() if t is not None and t not in told and 2 * n > total}


#: of the lines that say delivered, so many are followed at once by another that says done
_AGAIN_MIN: Final = 0.95
_AGAIN_FEWEST: Final = 50


def _is_of_turns(table: Any, text: str, texts: Sequence[str], states: Sequence[str]) -> bool:
    """Whether a word with which deliveries end says that a turn is over: it does so after any, or what is
    delivered is called so besides."""
    if ends_turns(table, name_of(table), text):
        return True
    firm = [t for t in texts if meaning(t).op is Op.SUCCEEDED]
    return are_told_apart(table, name_of(table), [text], firm, states)


def _states_said(table: Any) -> list[str]:
    """The states that say delivered, of lines that have a word beside them."""
    worded = table.filter(table.op_raw.notnull() & table.to_raw.notnull())
    states = [one.to_raw for one in rows(worded.select("to_raw").distinct().limit(_WORDS_MAX))]
    return sorted(t for t in states if meaning(t, is_state=True).op is Op.SUCCEEDED)


def _said_again(table: Any, texts: Sequence[str], states: Sequence[str]) -> list[str]:
    """What says done (`job completed`) right after each line that says delivered, by its word or by
    the state beside it: that the turn is over, whatever came of it."""
    done = [t for t in texts if meaning(t).op is Op.SUCCEEDED]
    if not done:
        return []
    seen = _behaviours(table, "op_raw", done)
    said = [t for t, one in seen.items() if one.ok + one.bad < _GIVEN_LAST_MIN]
    table = table.filter(table.op_raw.notnull())
    if states:  # beside a word that says less (`status updated`)
        is_said = table.to_raw.isin(states) & ~table.op_raw.isin(done)
        table = table.mutate(op_raw=ibis.ifelse(is_said, table.to_raw, table.op_raw))
    found = set()
    for text, after in _followers(table, sorted({*said, *states})).items():
        again, n = max(
            ((t, n) for t, n in after.items() if t in said), key=lambda one: one[1], default=("", 0)
        )
        if again != text and n >= max(_AGAIN_FEWEST, _AGAIN_MIN * after.total()):
            found.add(str(again))
    return sorted(found)


def _within_turns(table: Any, texts: Sequence[str], learned: dict[str, Word]) -> dict[str, Word]:
    """What looks like a turn and follows right after the line by which one begins is its request; and
    what a dead letter always follows is the end of the attempts."""
    ops = {text: learned.get(text, meaning(text)).op for text in texts}
    turns = [t for t, op in ops.items() if op is Op.CLAIMED]
    ours = [t for t in turns if t in learned]
    if not ours:
        return {}
    next_to = _followers(table, turns)
    total = {t: after.total() for t, after in next_to.items()}
    ends = {
        t: Word(Op.EXHAUSTED, Stand.EXHAUSTED)
        for t in ours
        if sum(n for text, n in next_to[t].items() if ops.get(str(text)) is Op.DEAD)
        > _LISTED_MIN * total[t]
    }
    if Op.SENT in ops.values():
        return ends
    # of a chain of turns, the last before the answer is the request
    sent = {
        t: Word(Op.SENT, Stand.LEASED)
        for t in ours
        if t not in ends
        and sum(after[t] for one, after in next_to.items() if one != t) > _LISTED_MIN * total[t]
        and not any(next_to[t][one] > _LISTED_MIN * total[t] for one in turns)
    }
    return ends | sent


#: of a relay's turns, so many are followed by the hand-over
_LISTED_MIN: Final = 0.9

#: what makes a row of its own, rather than that somebody has got something
_MAKING: Final = re.compile(r"insert|creat|(^|_)add(ed)?$|publish|submit|emit|stored|regist")


def _taken_as(text: str) -> Word:
    """What a word that sounds like an acceptance, and is none, is: a job that is made of it, or a turn."""
    is_made = _MAKING.search(normal(text))
    return Word(Op.QUEUED, Stand.WAITING) if is_made else Word(Op.CLAIMED, Stand.LEASED)


#: of the lines of a hand-over that failed, so many with a status are no hand-over to a queue
_ANSWERED_MIN: Final = 0.2


def _answered(table: Any, texts: Sequence[str]) -> list[str]:
    """What sounds like a hand-over that failed (`push failed`), and tells what a receiver answered."""
    failed = [t for t in texts if meaning(t, is_state=False).op is Op.NOT_QUEUED]
    seen = _behaviours(table, "op_raw", failed)
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


def _states_of(states: Sequence[str], learned: dict[str, Word]) -> dict[str, Word]:
    """The states that are called as a line by which a delivery is given to its receiver."""
    told = [normal(t) for t, word in learned.items() if word.op is Op.SUCCEEDED]
    waiting = [t for t in states if meaning(t, is_state=True).op is Op.QUEUED]
    return {
        text: Word(Op.SUCCEEDED, Stand.DELIVERED, 1)
        for text in waiting
        if any(f"_{one}".endswith(f"_{normal(text)}") for one in told)
    }


#: words for the dead letter itself, rather than for giving up
_LETTER: Final = re.compile(
    r"dead(?!_?line)|dlq|dlx|dlt|bury|buried|quarantin|undeliver|morte|muert"
)
#: the same where a bare `dead` is how a delivery stands
_LETTER_ITSELF: Final = re.compile(r"dead_?letter|dlq|dlx|dlt|bury|buried|quarantin")
#: of the dead letters, so many follow a line that gives up: then it is no end by itself
_GIVEN_UP_MIN: Final = 0.8


def _ended_first(table: Any, texts: dict[str, list[str]]) -> list[str]:
    """Of the words of an end, those that give up (`giving up`) where a dead letter follows: it is
    expected after them, and they are none.

    Args:
        texts: the words of each column.
    """
    ends = {
        text
        for column, some in texts.items()
        for text in some
        if meaning(text, is_state=column != "op_raw").op is Op.DEAD
    }
    letters = {t for t in ends if _LETTER_ITSELF.search(normal(t))}
    letters = letters or {t for t in ends if _LETTER.search(normal(t))}
    others = ends - letters
    if not letters or not others:
        return []

    def says(words: set[str]) -> Any:
        found = [table[column].isin(sorted(words)).fill_null(False) for column in texts]
        return functools.reduce(operator.or_, found)

    # the state beside a dead letter's word is no other line
    lines = table.mutate(letter=says(letters), end=says(others) & ~says(letters))
    lines = lines.filter(lines.letter | lines.end)
    by_delivery = lines.group_by(k=name_of(lines)).aggregate(
        letter=lines.letter.max(), end=lines.end.max()
    )
    buried = by_delivery.filter(by_delivery.letter)
    counted = row(buried.aggregate(n=buried.count(), both=buried.end.cast("int64").sum()))
    follows = int(counted.both or 0) >= _GIVEN_UP_MIN * max(1, int(counted.n or 0))
    return sorted(others) if follows else []


#: what was not done
_NOT: Final = re.compile(r"(^|_)(not|fail\w*|unable|lost|refused|rejected|could_n\w*)(_|$)")
#: of the lines that give up, so many are followed by one word, at least; and of that word's lines so
#: many follow them
_STORED_MIN: Final = 0.1
_STORED_OWN_MIN: Final = 0.9
_STORED_FEWEST: Final = 5


def _stored_after(table: Any, texts: Sequence[str]) -> dict[str, str]:
    """Where no word speaks of dead letters: what is put away (`parked`) right after a delivery was given
    up, and never else, with the word that gives up."""
    ends = [t for t in texts if meaning(t).op in (Op.DEAD, Op.EXHAUSTED)]
    if not ends or any(_LETTER.search(normal(t)) for t in ends):
        return {}
    given_up = table.filter(table.op_raw.isin(ends)).select(k=name_of(table)).distinct()
    # that a turn is over comes between
    between = [t for t in texts if meaning(t).op in (Op.RELEASED, Op.NOTED)]
    named = table.filter(~table.op_raw.isin(between).fill_null(False)) if between else table
    named = named.mutate(k_=name_of(named))
    followers = _followers(named.semi_join(given_up, named.k_ == given_up.k), ends)
    found = {}
    for end, after in followers.items():
        for text, n in after.items():
            is_put_away = text is not None and meaning(text).op in (Op.PARKED, Op.WRITTEN)
            if is_put_away and n >= max(_STORED_FEWEST, _STORED_MIN * after.total()):
                found[str(text)] = end
    if not found:
        return {}
    words = table.filter(table.op_raw.isin(list(found)))
    counted = {
        one.w: int(one.n) for one in rows(words.group_by(w="op_raw").aggregate(n=words.count()))
    }
    return {
        text: end
        for text, end in found.items()
        if followers[end][text] >= _STORED_OWN_MIN * counted[text]
    }


def _waiting_again(table: Any, texts: Sequence[str]) -> list[str]:
    """Of the states of waiting, those with a due time that hardly ever come first: after a failure."""
    waits = [t for t in texts if meaning(t, is_state=True).stand is Stand.WAITING]
    seen = _behaviours(table, "to_raw", waits)
    return [t for t, one in seen.items() if one.is_first < _FIRST_MIN and one.due > _DUE_MIN]


def name_of(table: Any) -> Any:
    """What a row's delivery is called: itself, or its message and endpoint."""
    whole = table.message + ibis.coalesce("/" + table.endpoint, ibis.literal(""))
    return ibis.coalesce(table.delivery, whole)


#: of the rows with a status, so many tell of which attempt it is
_NUMBERED_MIN: Final = 0.3


def _behaviours(table: Any, column: str, unknown: Sequence[str]) -> dict[str, Behaviour]:
    """What lines with each of the words are like: first or last of a delivery, answered how."""
    if not unknown:
        return {}
    at = ibis.coalesce(table.changed_us, table.at_us, 0)
    lines = table.select(
        k=name_of(table),
        word=table[column],
        status=table.status,
        is_due=table.due_us.notnull(),
        is_held=table.worker.notnull(),
        is_signed=table.actor.notnull(),
        is_numbered=(table.attempt.notnull() | table.retries.notnull()),
        # times and places as texts of one length: their order is that of both, on every engine
        place=at.cast("string").lpad(20, "0") + table["rowid"].cast("string").lpad(20, "0"),
    )
    ends = lines.group_by("k").aggregate(
        first_word=lines.word.argmin(lines.place), last_word=lines.word.argmax(lines.place)
    )
    firsts, lasts = (
        {
            one.word: int(one.n)
            for one in rows(ends.group_by(word=ends[end]).aggregate(n=ends.count()))
        }
        for end in ("first_word", "last_word")
    )
    total = sum(firsts.values())
    is_good = lines.status.between(200, 299)
    seen = lines.filter(lines.word.isin(unknown))
    found = seen.group_by("word").aggregate(
        n=seen.count(),
        ok=is_good.fill_null(False).cast("int64").sum(),
        bad=(~is_good).fill_null(False).cast("int64").sum(),
        due=seen.is_due.cast("int64").sum(),
        held=seen.is_held.cast("int64").sum(),
        numbered=seen.is_numbered.cast("int64").sum(),
        signed=seen.is_signed.cast("int64").sum(),
    )
    answered = lines.status.notnull()
    told = row(
        lines.aggregate(
            held=lines.is_held.cast("int64").sum(),
            answers=answered.cast("int64").sum(),
            numbered=(answered & lines.is_numbered).cast("int64").sum(),
        )
    )
    are_numbered = int(told.numbered or 0) > _NUMBERED_MIN * int(told.answers or 0)
    return {
        one.word: Behaviour(
            int(one.n),
            firsts.get(one.word, 0) / one.n,
            lasts.get(one.word, 0) / one.n,
            one.ok / one.n,
            one.bad / one.n,
            lasts.get(one.word, 0) / max(total, 1),
            one.due / one.n,
            one.held / one.n if told.held else None,
            one.numbered / one.n if are_numbered else None,
            one.signed / one.n,
            firsts.get(one.word, 0) / max(total, 1),
        )
        for one in rows(found.order_by("word"))
    }
