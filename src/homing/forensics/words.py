"""What each kind of line of a log means, from its words and from what such lines do. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping as Map
from collections.abc import Set
from typing import Final, NamedTuple

from homing.forensics.habits import Habits, Kind, is_taken_by_state
from homing.forensics.letters import is_letter, is_not_stored
from homing.forensics.machines import NO_PERSON
from homing.forensics.operations import RESULT_OF_OP, STAND_OF_OP, UNKNOWN, Op, Stand, Word
from homing.forensics.vocabulary import awaits_callback, declared, is_provisional, meaning, normal

#: the result of a line that says "delivered" and shows no answer of the receiver
SAID = 2


class Behaviour(NamedTuple):
    """How the lines with a word behave, for words that say nothing to us."""

    rows: int
    is_first: float  #: share of its lines that are their delivery's first
    is_last: float  #: share that are the last
    ok: float  #: share with a status of 2xx
    bad: float  #: share with another status
    ends: float  #: share of all deliveries that end with it
    due: float = 0.0  #: share with a due time
    held: float | None = None  #: share with a worker; None: no line of the log has one
    #: share with the number of an attempt; None: no answer of the log has one
    numbered: float | None = None
    #: share that name a person or a rule that did it
    signed: float = 0.0
    starts: float = 0.0  #: share of all deliveries that begin with it
    due_usual: float = 1.0  #: share of all lines with a due time


class Line(NamedTuple):
    """What a kind of line means."""

    op: Op
    stand: Stand
    before: Stand
    result: int  #: 1 the receiver answered 2xx, SAID, -1 it failed, 0 it does not say


#: a word that has a due time so many times as often as others plans something, even if nothing follows
_PLANNED: Final = 5.0


def by_behaviour(seen: Behaviour) -> Word:
    """The meaning of a word that no list has, from what its lines do; UNKNOWN if they do not tell."""
    if seen.ok + seen.bad > 0.8 and seen.numbered is not None and seen.numbered < 0.1:
        return Word(Op.NOTED, Stand.NONE)  # a status, and of no attempt: the service's own
    if seen.ok > 0.8:  # an answer, whose status says how, is followed by what comes of it
        is_answer = seen.is_last < 0.5
        return (
            Word(Op.ATTEMPTED, Stand.NONE) if is_answer else Word(Op.SUCCEEDED, Stand.DELIVERED, 1)
        )
    if seen.signed > 0.9 and seen.is_last > 0.9 and seen.ends < 0.05:
        return Word(Op.CANCELLED, Stand.CANCELLED)  # by whom it was ended is said, and of few
    if seen.bad > 0.8:
        is_planned = seen.due > 0.5 and seen.is_last < 0.5
        return Word(Op.RETRY, Stand.WAITING) if is_planned else Word(Op.FAILED, Stand.FAILED, -1)
    if seen.is_first > 0.8 and seen.is_last < 0.5:
        return Word(Op.ACCEPTED, Stand.WAITING)
    if seen.ends > 0.5:
        return Word(Op.SUCCEEDED, Stand.DELIVERED, 1)
    if seen.due > 0.5 and (seen.is_last < 0.5 or seen.due > _PLANNED * seen.due_usual):
        return Word(Op.RETRY, Stand.WAITING)
    if seen.is_last < 0.2 and seen.ok + seen.bad < 0.1:
        if seen.held is not None and seen.held < 0.1:
            return Word(
                Op.QUEUED, Stand.WAITING
            )  # where workers sign what they do, nobody did this
        return Word(Op.CLAIMED, Stand.LEASED)
    return UNKNOWN


_IN_PROGRESS: Final = re.compile(
    r"in_?progress|in_?flight|(^|_)lock_(row_)?(present|exists)(_|$)|^(delivery_|job_|message_)?is_(claimed|leased|locked)(_|$)|(^|_)in_(hand|work)(_|$)|being_|marker_(present|exists|found)|(^|_)busy($|_elsewhere)|(^|_)(somebody|someone|another_[a-z]+)_(else_)?(is|has|holds)_|(lock|guard|key|marker|mutex|token)_(is_)?held|^locked$|(^|_)skipped_locked$|not_acquired|already_(in_)?(process(?!ed)|running|locked|claimed|taken|started)"
)
_ATTEMPT_OPS = frozenset(
    {
        Op.SENT,
        Op.ATTEMPTED,
        Op.FAILED,
        Op.SUCCEEDED,
        Op.RETRY,
        Op.DEAD,
        Op.WRITTEN,
        Op.NOTED,
        Op.UNKNOWN,
        Op.EXHAUSTED,
        Op.POSTPONED,
    }
)
#: what the row of a request may be taken for by the state beside it
_OF_REQUEST: Final = frozenset({Op.UNKNOWN, Op.SENT, Op.ATTEMPTED, Op.CLAIMED, Op.SUCCEEDED})
_ON_THE_WAY: Final = frozenset({Op.QUEUED, Op.RETRY, Op.RELEASED, Op.RESUMED})
#: outcomes that say nothing of how a turn ended
_TELLS_NO_END: Final = frozenset(
    {Op.UNKNOWN, Op.QUEUED, Op.ACCEPTED, Op.CLAIMED, Op.SENT, Op.STARTED}
)
#: outcomes of a turn that was settled, other than delivered
_NOT_DELIVERED: Final = frozenset(
    {Op.FAILED, Op.RETRY, Op.DEAD, Op.EXHAUSTED, Op.CANCELLED, Op.DISCARDED, Op.SKIPPED}
)
_OP_OF_STAND = {
    Stand.WAITING: Op.QUEUED,
    Stand.LEASED: Op.CLAIMED,
    Stand.DELIVERED: Op.SUCCEEDED,
    Stand.DEAD: Op.DEAD,
    Stand.CANCELLED: Op.CANCELLED,
    Stand.PARKED: Op.PARKED,
    Stand.FAILED: Op.FAILED,
    Stand.EXHAUSTED: Op.EXHAUSTED,
    Stand.GONE: Op.DISCARDED,
}


#: that the way to a receiver stands, whatever code says so, is no answer of it
_TUNNEL: Final = re.compile(r"^(proxy_)?tunnel(_|$)|^proxy_connect(ed)?(_|$)")
#: the state of what is kept for the record alone
_PUT_AWAY: Final = re.compile(r"(^|_)archived?$")


_NO_HABITS: Final = Habits()


def _put_by(op: Op, kind: Kind, to_word: Word) -> Word | None:
    """What a good answer says by which a receiver only puts the request by, and tells later what came
    of it; None: this one is an end."""
    if op in _OF_REQUEST and is_provisional(kind.outcome):
        return Word(Op.NOTED, Stand.NONE)
    return Word(Op.ATTEMPTED, to_word.stand) if awaits_callback(kind.to_state) else None


def _of_no_step(kind: Kind, before: Stand, outcome: Word, words: Map[str, str]) -> Line | None:
    """What a line means that is no step of the way: a request that was put by, what its receiver reports
    later, the way to it, and that it was put away, whether it had ended or not."""
    if kind.status == "put":
        return Line(Op.ATTEMPTED, Stand.NONE, before, 0)
    if kind.status == "report":
        is_bad = outcome.result < 0 or _tells_of_failure(kind.reason)
        return Line(Op.FAILED if is_bad else Op.SUCCEEDED, Stand.NONE, before, -1 if is_bad else 1)
    if kind.op and _TUNNEL.search(normal(kind.op)) and kind.op not in words:
        return Line(Op.NOTED, Stand.NONE, before, 0)
    if kind.to_state and _PUT_AWAY.search(normal(kind.to_state)) and kind.to_state not in words:
        # a row that only says how it stands does not say how it had ended
        op, stand = (Op.PURGED, Stand.GONE) if before else (Op.NOTED, Stand.NONE)
        return Line(op, stand, before, 0)
    return None


#: why a queue did not take what was given to it
_OF_BROKER: Final = re.compile(
    r"(channel|broker|exchange|queue|stream)_.{0,24}(not_open|closed|gone|full|missing|down|refused)|no_exchange|"
    r"unroutable|no_route|(redis|kafka|amqp|rabbit\w*|sqs|nats|broker)_.{0,24}(error|fail|timed?_?out|refused|lost|unreachable)"
)


#: what a word may be taken for by where its lines stand, between others
_ON_ITS_WAY: Final = frozenset({Op.QUEUED, Op.CLAIMED, Op.NOTED})


def _if_known(word: Word, kind: Kind, outcome: Word, learned: Map[str, Word]) -> Word:
    """The word of an operation; UNKNOWN for one that no list has, where what it came to says more than
    how its lines behave."""
    is_guess = kind.op in learned and meaning(kind.op).op is Op.UNKNOWN
    is_told = outcome.op is not Op.UNKNOWN and word.op in _ON_ITS_WAY
    return UNKNOWN if is_guess and is_told else word


def _at_once(op: Op, kind: Kind, outcome: Word, to_word: Word) -> Op:
    """The operation, or what the same line says became of it."""
    if op is Op.PURGED and outcome.op is Op.CANCELLED:
        return Op.CANCELLED  # a request to delete it, and what that did
    if op is Op.QUEUED and _OF_BROKER.search(normal(kind.reason or "")):
        return Op.NOT_QUEUED
    if op is Op.CLAIMED and to_word.op in (Op.DISCARDED, Op.SKIPPED):
        return to_word.op  # taken, and thrown away at once
    return op


def line_of(
    kind: Kind, words: Map[str, str], learned: Map[str, Word], about: Habits = _NO_HABITS
) -> Line:
    """What lines of a kind mean.

    Args:
        words: declared by the mapping: the log's word → ours.
        learned: words of no list, by how their lines behave.
        about: what holds for all lines.
    """

    def look_up(text: str | None, *, is_state: bool = False) -> Word:
        if not text:
            return UNKNOWN
        ours = words.get(text) or words.get(normal(text))
        if not ours and text in learned:
            return learned[text]
        return (declared(ours) if ours else None) or meaning(text, is_state=is_state)

    op_word, to_word = look_up(kind.op), look_up(kind.to_state, is_state=True)
    before = look_up(kind.from_state, is_state=True).stand
    outcome = look_up(kind.outcome, is_state=True)
    if (apart := _of_no_step(kind, before, outcome, words)) is not None:
        return apart
    op_word = _if_known(op_word, kind, outcome, learned)
    status = {"ok": 1, "bad": -1}.get(kind.status, 0)
    # a turn that is over, whatever came of it, and the state beside it says what did
    is_over = op_word.op is Op.NOTED and kind.op in learned
    is_told = to_word.op is not Op.UNKNOWN and (is_over or op_word.op in (Op.UNKNOWN, Op.WRITTEN))
    op = _from_states(kind, before, to_word, status) if is_told else op_word.op
    if op_word.op is Op.WRITTEN:
        op = Op.WRITTEN if is_of_another_field(kind.op) else _of_write(op, about)
    if op is Op.UNKNOWN and outcome.op is not Op.UNKNOWN:
        is_begun = kind.op and outcome.op in (Op.QUEUED, Op.ACCEPTED, Op.CLAIMED, Op.SENT)
        op = Op.NOTED if is_begun else outcome.op  # that it was handed on says nothing of its end
    op = _by_outcome(_at_once(op, kind, outcome, to_word), outcome.op)
    if op is Op.SUCCEEDED and status <= 0:  # settled or closed, and what stands beside it says how
        told = (outcome.op, to_word.op if kind.op else Op.UNKNOWN)
        op = next((one for one in told if one in _NOT_DELIVERED), op)
    if status > 0 and (put_by := _put_by(op, kind, to_word)) is not None:
        return Line(put_by.op, put_by.stand, before, 0)
    if op is Op.UNKNOWN and kind.pending is not None:
        op = Op.QUEUED if kind.pending else Op.SUCCEEDED
    if status <= 0:  # what a receiver took is no duplicate, whatever the text says
        op = op if _is_answered_late(op, status, kind.reason) else _by_reason(op, kind.reason)
    if op is Op.NOTED and kind.op in learned and _is_passed_over(kind, outcome):
        op = Op.SKIPPED  # a turn that is over, and beside it stands that it did nothing
    if op is Op.DEAD and is_not_stored(kind.op, kind.reason, about.unexplained, about.tried):
        return Line(Op.DEAD_FAILED, Stand.NONE, before, 0)
    if op is Op.DEAD and outcome.result and (kind.op in learned or is_letter(kind.op)):
        if outcome.result < 0 and to_word.stand is not Stand.DEAD:  # whether it was stored
            return Line(Op.DEAD_FAILED, Stand.NONE, before, 0)
        outcome = UNKNOWN
    result = _result(op, kind, status, outcome, to_word)
    is_elsewhere = not status and about.showing and kind.op not in about.showing
    if result == 1 and (is_elsewhere or kind.op in about.repeating):
        result = SAID  # the answer has a line of its own
    if kind.layout == "attempts" and _has_failed(kind, op, status, outcome):
        op, result = Op.FAILED, -1
    if result == SAID and _is_said_of_failure(op, kind, to_word):
        result = -1  # the state stays, and beside it stands what its request came to
    if (
        op in (Op.ATTEMPTED, Op.SENT, Op.UNKNOWN)
        and result
        and kind.status + str(kind.outcome) != "noneNone"
    ):
        op = Op.SUCCEEDED if result > 0 else Op.FAILED
    if op is Op.ATTEMPTED and not status and _is_skipped(kind, outcome):
        stand = Stand.GONE if _is_only_over(kind.to_state) else to_word.stand
        return Line(Op.SKIPPED, stand, before, 0)  # what becomes of it is not said by this
    if _ended_without_answer(op, kind, about.answering):
        op, result = Op.FAILED, -1
    op = Op.EXHAUSTED if op is Op.DEAD and to_word.op is Op.EXHAUSTED else op
    if op is Op.DEAD and not result and kind.reason and meaning(kind.reason).op is Op.EXHAUSTED:
        result = -1
    if op in (Op.FAILED, Op.PARKED) and to_word.stand is Stand.DEAD:
        op = Op.DEAD
    if op is Op.NOTED:  # a late result that was ignored came all the same
        return Line(op, Stand.NONE, before, 0 if kind.op in learned else max(result, 0))
    own = op_word.stand if op is op_word.op else STAND_OF_OP.get(op, Stand.NONE)
    stand = own if to_word.op is Op.UNKNOWN else to_word.stand
    is_lapse = op is Op.LAPSED and op_word.op in (Op.FAILED, Op.DEAD)
    if stand is Stand.NONE and (op is Op.FAILED or is_lapse):
        stand = Stand.FAILED  # a lease that ran out is called the failure
    is_bare = not (kind.from_state or kind.to_state)
    if about.has_states and is_bare and result and op in (Op.FAILED, Op.SUCCEEDED):
        stand = Stand.NONE  # an answer came; what becomes of it is a line of its own
    op, stand = _at_its_end(kind, op, stand, to_word, result)
    return Line(op, stand, before, result)


def _is_skipped(kind: Kind, outcome: Word) -> bool:
    """Whether an attempt was made of nothing, as its outcome or its reason says."""
    return outcome.op is Op.SKIPPED or normal(kind.reason or "").startswith("skipped")


def _by_outcome(op: Op, outcome: Op) -> Op:
    """What was done where the row is of a whole turn, or says what it found."""
    if op is Op.CLAIMED and outcome not in _TELLS_NO_END:
        return Op.NOTED if outcome is Op.LAPSED else outcome
    if op in _ON_THE_WAY and outcome in (Op.PURGED, Op.DISCARDED):
        return outcome  # found to be gone as it was to go on
    if op is Op.PURGED and outcome is Op.LAPSED:
        return outcome  # not it, but somebody's hold on it has expired
    return op


def _at_its_end(kind: Kind, op: Op, stand: Stand, to_word: Word, result: int) -> tuple[Op, Stand]:
    """What was done and where a delivery stands by it, where one of the two says more of its end."""
    if op in (Op.DISCARDED, Op.CANCELLED) and stand is Stand.DELIVERED:
        stand = STAND_OF_OP[op]  # the state says closed, and the reason how
    is_ended = op in (Op.SKIPPED, Op.PURGED) and stand is Stand.DELIVERED
    if is_ended and _is_only_over(kind.to_state):
        stand = Stand.GONE  # it is over, and not because it was delivered
    if op is Op.PURGED and stand in (Stand.WAITING, Stand.LEASED, Stand.FAILED):
        stand = Stand.GONE  # the state is the one in which it was deleted
    if op is Op.DEAD and stand is Stand.FAILED:
        stand = Stand.DEAD  # failed for good, says the operation
    if op is Op.DISCARDED and to_word.op is op and _tells_of_failure(kind.reason):
        op, stand = Op.DEAD, Stand.DEAD  # the last state of jobs whose attempts are used up
    if op is Op.FAILED and to_word.op is Op.DISCARDED and result < 0:
        op, stand = Op.EXHAUSTED, Stand.EXHAUSTED  # and the attempt after which a job is
    is_passed = op is Op.SKIPPED and (is_in_progress(kind.reason) or is_in_progress(kind.op))
    if is_passed and stand in (Stand.DELIVERED, Stand.LEASED):
        stand = Stand.GONE  # another was said to be at it: nobody has delivered it by this
    if to_word.op is Op.LAPSED:
        op = Op.LAPSED if op is Op.UNKNOWN else op
    return op, stand


#: states of what is over, however that came about
_ONLY_OVER: Final = re.compile(r"closed?|done|finished|completed?|ended|handled|processed")


def _is_only_over(state: str | None) -> bool:
    return state is not None and _ONLY_OVER.fullmatch(normal(state)) is not None


def _is_said_of_failure(op: Op, kind: Kind, to_word: Word) -> bool:
    """Whether a line calls a delivery delivered, by its state, and what its request came to a failure."""
    is_state = not kind.op or (kind.layout == "events" and to_word.stand is Stand.DELIVERED)
    return op is Op.SUCCEEDED and is_state and _tells_of_failure(kind.reason)


def _is_passed_over(kind: Kind, outcome: Word) -> bool:
    """Whether a turn passed a delivery over, as something else is at it or its endpoint is no more."""
    if kind.status != "none" or outcome.op not in (Op.UNKNOWN, Op.SKIPPED, Op.NOTED):
        return False
    why = meaning(kind.reason).op if kind.reason else outcome.op
    return why is Op.SKIPPED or is_in_progress(kind.reason)


_ANOTHER_FIELD: Final = re.compile(
    r"(^|_)(priorit(y|ies)|weights?|labels?|tags?|notes?|metadata|headers?|urls?|owner|region|shard)_"
    r"(was_|were_)?(updat|chang|set|sav|writ|adjust)"
)


def is_of_another_field(word: str | None) -> bool:
    """Whether a write is of something else than how a delivery stands (`priority_updated`): it plans
    nothing, whatever state the row has that it saves."""
    return word is not None and _ANOTHER_FIELD.search(normal(word)) is not None


def _of_write(op: Op, about: Habits) -> Op:
    """What a write is, by the state that it saves, where other words tell of acceptances and turns."""
    if op is Op.ACCEPTED and about.accepts:
        return Op.RETRY
    return Op.WRITTEN if op in (Op.CLAIMED, Op.SENT) and about.takes else op


def _ended_without_answer(op: Op, kind: Kind, answering: Set[str]) -> bool:
    """Whether a request ended by this row, with an error in place of a status."""
    if kind.status != "none" or kind.layout != "events" or not _tells_of_failure(kind.reason):
        return False
    return op is Op.ATTEMPTED or (op is Op.SENT and kind.op in answering)


def _has_failed(kind: Kind, op: Op, status: int, outcome: Word) -> bool:
    """Whether the row of a request tells that it failed, whatever state of its delivery stands beside."""
    if status:
        return status < 0 and op is Op.CLAIMED
    return op in _OF_REQUEST and not outcome.result and _tells_of_failure(kind.reason)


def _from_states(kind: Kind, before: Stand, to_word: Word, status: int) -> Op:
    """The operation that leads from one state to the other, where the log names none."""
    to = to_word.stand
    if kind.layout in ("deliveries", "jobs"):
        failed = status < 0 or (status == 0 and _tells_of_failure(kind.reason))
        if to is Stand.WAITING:
            return Op.FAILED if failed else Op.QUEUED
        if to is Stand.LEASED and failed:
            return Op.FAILED  # still marked as in progress, and its last answer was bad
        return to_word.op if to_word.op is not Op.SENT else Op.CLAIMED
    if to is Stand.WAITING:
        if before is Stand.NONE and not kind.from_state and to_word.op is not Op.POSTPONED:
            return Op.RETRY if status < 0 or to_word.op is Op.RETRY else Op.ACCEPTED
        if status < 0:
            return Op.FAILED
        if before is Stand.LEASED:
            return Op.RETRY
        if status > 0 and kind.from_state == kind.to_state:
            return Op.NOTED  # a late answer, after which it waits as before
        if before in (Stand.DEAD, Stand.CANCELLED, Stand.PARKED, Stand.DELIVERED):
            return Op.RESUMED
        return to_word.op if to_word.op in (Op.RETRY, Op.POSTPONED) else Op.QUEUED
    if to is Stand.LEASED and status and before in (Stand.LEASED, Stand.NONE) and kind.from_state:
        return Op.FAILED if status < 0 else Op.ATTEMPTED
    is_same = kind.layout == "events" and kind.from_state == kind.to_state and kind.reason
    if to is Stand.LEASED and is_same:
        return _within_turn(kind.reason)
    if to is Stand.LEASED and kind.layout == "attempts" and _tells_of_failure(kind.reason):
        return Op.FAILED  # a request that ended, of a delivery still marked as in progress
    if is_taken_by_state(kind):
        return Op.CLAIMED
    if to is Stand.LEASED:
        begun = Op.SENT if to_word.op is Op.SENT else Op.CLAIMED
        return _within_turn(kind.reason, begun) if before is to and kind.reason else begun
    return to_word.op if to_word.op not in (Op.UNKNOWN,) else _OP_OF_STAND.get(to, Op.UNKNOWN)


def _within_turn(reason: str | None, otherwise: Op = Op.WRITTEN) -> Op:
    """What happened where a delivery was in progress before and is so still: its request began or
    failed, or it was saved again for another reason than a turn."""
    if _tells_of_failure(reason) or _is_answered_late(Op.FAILED, 0, reason):
        return Op.FAILED
    why = meaning(reason).op if reason else Op.UNKNOWN
    if is_in_progress(reason):
        return Op.SKIPPED
    if why is Op.SENT:
        return why
    return Op.WRITTEN if why in (Op.UNKNOWN, Op.WRITTEN, Op.NOTED) else otherwise


#: that there is nobody to send to
_OF_ENDPOINT: Final = re.compile(
    r"(^|_)no_(such_)?(endpoint|subscription|hook)$|(endpoint|target|subscri\w*|destination|hook|receiver)_(is_|was_|has_been_)?"
    r"((being_)?(updat|chang|replac|migrat|reconfigur)(ing|ed)|in_maintenance|inactive|not_active|disabled|deleted|gone|missing|removed|not_found|suspended|unknown|switched_off|"
    r"not_(registered|known|there|in_(the_)?(registry|directory|table|list|cache|config)))"
)
#: a text that only names who or what did it: a person, or a rule
_BY: Final = re.compile(r"\s*((by|rule|policy)\s*[:=]\s*|(rule|policy)\s+)\S", re.IGNORECASE)


#: by whom an endpoint was switched off, and what is no person
_BY_PERSON: Final = re.compile(
    r"(paused|disabled|deleted|suspended|deactivated|stopped|switched off|removed) by "
    rf"(?!{NO_PERSON})\w",
    re.IGNORECASE,
)


#: what libraries say of a request that had no answer, where no word of failure is in it
_OF_NETWORK: Final = re.compile(
    r"econn|enotfound|ehost|incomplete|truncat|premature|unreach|hang_?up|(^|_)dns|no_such_host|name_resol|tls|ssl|certificate|"
    r"handshake|(^|_)eof(_|$)|(name|host)_or_service|broken_pipe|deadline|connection_(closed|aborted|lost|refused|reset)|read_time|no_answer|no_response|"
    r"(malformed|garbled|invalid|unreadable|empty)_(http_)?(response|answer|status|reply)"
)


def is_of_network(reason: str | None) -> bool:
    """Whether a reason is what a library says of a request that found nobody to answer it."""
    return reason is not None and _OF_NETWORK.search(normal(reason)) is not None


def _tells_of_failure(reason: str | None) -> bool:
    """Whether a table's last error is one of an attempt: `HTTP 503`, `connection refused`."""
    if not reason:
        return False
    if meaning(reason).op is Op.FAILED or re.search(r"\b[45]\d\d\b", reason) is not None:
        return True
    return is_of_network(reason)


def _is_answered_late(op: Op, status: int, reason: str | None) -> bool:
    """Whether a failure says that its lease was lost beside what its request came to (`HTTP 504, lease
    lost`): it is the answer of a turn, and not the end of its lease."""
    if op is not Op.FAILED or not reason or meaning(reason).op is not Op.LAPSED:
        return False
    parts = [part for part in reason.split(",") if meaning(part).op is not Op.LAPSED]
    return status < 0 or any(map(_tells_of_failure, parts))


#: because of which a delivery fails or waits again, and nobody takes it
_OF_LEASE: Final = frozenset({"lease", "lse", "visibility"})


def _by_reason(op: Op, reason: str | None) -> Op:
    """A reason that names something more exact than the operation does."""
    if not reason:
        return op
    why = meaning(reason).op
    if op in (Op.FAILED, Op.QUEUED, Op.RETRY) and normal(reason) in _OF_LEASE:
        return Op.LAPSED
    by_person = op is Op.CANCELLED and _BY_PERSON.search(reason)
    if op in (Op.SUCCEEDED, Op.CANCELLED) and _OF_ENDPOINT.search(normal(reason)) and not by_person:
        return Op.DISCARDED  # closed, because there was nobody to send it to
    if op is not Op.NOTED and op not in _ATTEMPT_OPS - {Op.SUCCEEDED} and _BY.match(reason):
        return Op.CANCELLED  # ended by whom the text names
    if op is Op.SUCCEEDED and why is Op.LAPSED:
        return Op.NOTED  # a turn is over, whose worker held nothing any more
    if op is Op.SUCCEEDED and why in (Op.DISCARDED, Op.PURGED):
        return why  # done with, as there was nobody to send it to, or nothing to send
    if op is Op.SUCCEEDED and normal(reason).startswith(("fail", "gave_up", "given_up")):
        return Op.DEAD  # closed, and not because it was delivered
    may_lapse = (Op.FAILED, Op.UNKNOWN, Op.RELEASED, Op.WRITTEN, Op.RETRY, Op.QUEUED)
    if op in may_lapse and why is Op.LAPSED:
        return Op.LAPSED
    if op in (Op.FAILED, Op.UNKNOWN) and why is Op.NOT_QUEUED:
        return Op.NOT_QUEUED
    if op is Op.DISCARDED and _BY_PERSON.search(reason):
        return Op.CANCELLED
    if op in (Op.PURGED, Op.DISCARDED) and why is Op.CANCELLED:
        return Op.CANCELLED  # by a person, or withdrawn
    if op is Op.POSTPONED and _tells_of_failure(reason):
        return Op.RETRY  # put off because it failed
    if op in (Op.FAILED, Op.CLAIMED, Op.DISCARDED, Op.RELEASED, Op.QUEUED) and is_in_progress(
        reason
    ):
        return Op.SKIPPED
    is_passed = why is Op.SKIPPED or (op is Op.SUCCEEDED and is_in_progress(reason))
    if op in (Op.SUCCEEDED, Op.RELEASED, Op.UNKNOWN) and is_passed:
        return Op.SKIPPED
    return op


def is_in_progress(reason: str | None) -> bool:
    """Whether a reason says that somebody else is at work on the delivery."""
    return bool(reason) and _IN_PROGRESS.search(normal(str(reason))) is not None


def _result(op: Op, kind: Kind, status: int, outcome: Word, to_word: Word) -> int:
    if op not in _ATTEMPT_OPS:
        return 0
    if (
        status > 0
        and op is Op.FAILED
        and kind.layout == "events"
        and _tells_of_failure(kind.reason)
    ):
        return -1  # it was answered, and the answer could not be read to its end
    is_refused = min(outcome.result, to_word.result) < 0
    if status > 0 and is_refused and kind.layout == "attempts":
        return -1  # taken for later, and refused then: what came of it stands in the same row
    if status:
        return status
    if op is Op.RETRY and outcome.result > 0:
        return 0  # that it was put off, or back into the queue, succeeded
    if outcome.result:
        is_unfit = outcome.result > 0 and kind.layout == "attempts"
        return -1 if is_unfit and _tells_of_failure(kind.reason) else outcome.result
    if kind.layout == "attempts" and _tells_of_failure(kind.reason):
        return -1  # called delivered, and its request failed
    said = RESULT_OF_OP.get(op, 0)
    return SAID if said > 0 else said
