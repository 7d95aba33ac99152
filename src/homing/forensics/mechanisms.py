"""Which of the ways to get lost, D1 to D12, a dropped delivery looks like. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import dropwhile
from typing import Final

from homing.forensics.catalogue import MECHANISMS, Match
from homing.forensics.facts import LogFacts, has_field, number_of, twins_of
from homing.forensics.false_success import falsely_delivered
from homing.forensics.judging import Why
from homing.forensics.lives import Life, life
from homing.forensics.operations import Op, Stand
from homing.forensics.overwriting import counts_fewer, has_cleared_retry, wrote_after_lapse
from homing.forensics.passing import (
    has_answer,
    is_failed_by_lapse,
    is_left_for_endpoint,
    is_of_dead_worker,
    is_passed_since_crossed,
    is_said_of_endpoint,
    is_said_of_work,
    left_in_progress,
    names_endpoint,
    passed_as_in_progress,
)
from homing.forensics.traces import Step, Trace
from homing.forensics.turns import (
    UNDER_WAY_US,
    failed_under_way,
    given_up_open,
    has_thrown,
    is_done_idle,
    is_idle,
    is_left_by_worker,
    is_let_go,
    is_put_off,
    is_take,
    is_unanswered,
    plans_retry,
    skips,
    without_refused,
)
from homing.forensics.vocabulary import meaning, normal
from homing.forensics.words import is_of_network

#: of what was delivered, so much has its row in a table from which nothing is deleted
_IN_TABLE_MIN: Final = 0.98
#: nothing that is shorter is a retention of what is not finished
_RETENTION_MIN_US: Final = 3_600_000_000


Rule = Callable[[Trace, LogFacts], Match | None]

_CLEARED: Final = Match(
    "D6", 0.9, "its retry was cleared by a write that crossed another worker's turn"
)


def _early_end(trace: Trace, log: LogFacts) -> Match | None:
    if trace.why is not Why.GIVEN_UP_EARLY:
        return None
    one = life(trace)
    if one.races and not one.lapses:
        return Match("D6", 0.6, "ended by a write that crossed another worker's turn")
    return Match("D7", 0.9, "ended for good with attempts left and no answer from the last one")


def _no_dead_letter(trace: Trace, log: LogFacts) -> Match | None:
    if trace.why is not Why.NO_DEAD_LETTER:
        return None
    if has_cleared_retry(trace):
        return _CLEARED
    if "late_attempt" in trace.crossings and trace.steps[-1].act is Op.ACCEPTED:
        return Match("D6", 0.7, "fewer attempts are counted than were made: it was written over")
    return _left_early(trace, log) or Match(
        "D10", 0.9, "its attempts came to their end, and there is no dead letter"
    )


def _left_early(trace: Trace, log: LogFacts) -> Match | None:
    """Failed for good, by its state, with fewer attempts than whatever has a dead letter."""
    last = next((s for s in reversed(trace.steps) if s.stand and not s.is_refused), None)
    made = max((s.attempt or 0 for s in trace.steps), default=0)
    is_end = log.buries_failed and last is not None and last.stand is Stand.FAILED
    if not is_end or not 0 < made < log.dead_from or last is None:
        return None
    if last.status is not None and not (last.is_row and is_unanswered(trace.steps, made)):
        return None
    what = "failed for good with attempts left, and no answer of the last one shows"
    return Match("D7", 0.8, what, twins_of("D7", log, ("D6",)))


def _under_way(trace: Trace, log: LogFacts) -> Match | None:
    tells = {"has_table": log.has_table, "has_workers": "worker" in log.fields}
    ended = failed_under_way(trace, log.attempts_last, **tells) or given_up_open(
        trace.steps, log.attempts_last
    )
    return Match("D7", *ended) if ended else None


#: of whom it is said that there is none
_OF_RECEIVER: Final = re.compile(r"(?i)endpoint|subscription|destination|receiver|\bno hook\b")


def _deleted(trace: Trace, log: LogFacts) -> Match | None:
    if trace.why is Why.PURGED:
        one = life(trace)
        purged = [f"{s.word} {s.reason}" for s in trace.steps if s.act is Op.PURGED]
        if any(map(_OF_RECEIVER.search, purged)):
            return Match("D9", 0.92, "thrown away because its endpoint was not found")
        by_turn = any(s.act is Op.PURGED and s.attempt and s.worker for s in trace.steps)
        if by_turn and has_cleared_retry(trace):
            return _CLEARED
        is_tried = one.takes or one.sent or one.failures or one.reasons
        return Match("D11", 0.9, "deleted before it was finished", () if is_tried else ("D9",))
    if trace.why is Why.NEVER_DUE:
        return Match("D11", 0.8, "due later than anything is kept")
    return None


def _passed_over(trace: Trace, log: LogFacts) -> Match | None:
    one = life(trace)
    if trace.why is Why.DISCARDED and is_left_by_worker(trace, log.attempts_last):
        return Match("D7", 0.85, "discarded with attempts left and no answer from the last one")
    if trace.why is Why.DISCARDED and is_of_dead_worker(trace, log):
        return Match("D7", 0.95, "discarded with attempts left, as its worker was no more")
    if trace.why is Why.DISCARDED and has_cleared_retry(trace) and not is_said_of_endpoint(trace):
        return _CLEARED
    if trace.why is Why.DISCARDED:
        return Match("D9", 0.9, "discarded, and nobody is named for it")
    is_idle = not (one.takes or one.sent or one.failures)
    if trace.why is Why.SILENT and is_idle and is_said_of_endpoint(trace):
        return Match("D9", 0.9, "discarded because of its endpoint, and nobody is named for it")
    last = max((i for i, s in enumerate(trace.steps) if not s.is_row), default=0)
    left = trace.steps[last]
    if trace.why is Why.SILENT and is_left_for_endpoint(trace, left):
        return Match("D9", 0.9, "left with no request, because of its endpoint")
    if trace.why is not Why.SKIPPED:
        return None
    if has_cleared_retry(trace):
        return _CLEARED
    if any(s.act is Op.NOT_QUEUED for s in trace.steps) and not (one.takes or one.sent):
        what = "its hand-over to the queue failed, and it was passed over as queued"
        return Match("D3", 0.95, what)
    in_work = passed_as_in_progress(trace)
    is_of_endpoint = names_endpoint(one.reasons) and not (in_work and one.takes)
    if is_of_endpoint or is_said_of_endpoint(trace):
        return Match("D9", 0.85, "passed over because of its endpoint")
    if is_passed_since_crossed(trace):
        return Match("D6", 0.9, "passed over since an earlier attempt's late result was written")
    if left_in_progress(trace):
        # a marker beside the state may have been left as well
        return Match("D2", 0.9, "passed over, as a failed attempt left it in progress", ("D8",))
    if one.takes or one.sent or has_answer(trace) or in_work:
        # of a request that nobody ended, it is the marker that was met, whatever its endpoint
        is_of_work = in_work or one.reasons or is_said_of_work(trace)
        twins = () if is_of_work else ("D9",)
        return Match("D8", 0.9, "a later turn passed it over as in progress", twins)
    is_of_work = is_said_of_work(trace)
    if one.queued and not (is_of_work or left.reason):
        return Match("D9", 0.6, "passed over with no reason given, by who had it next", ("D8",))
    twins = () if left.reason or is_of_work else ("D9",)
    return Match("D3", 0.9, "passed over as a duplicate although it was never queued", twins)


def _failed_by_later_turn(trace: Trace, log: LogFacts) -> Match | None:
    """Silent since a later turn called it failed, with no request of its own and with attempts left: the
    first one's time was up."""
    one = life(trace)
    if trace.why is not Why.SILENT or len(one.takes) < 2 or not one.failures:
        return None
    if "late_attempt" in trace.crossings:
        return None  # what came late is the first one's own result
    failed = trace.steps[one.failures[-1]]
    is_asked = any(i > one.takes[-1] for i in one.sent)
    is_bare = failed.status is None and failed.total_us is None and failed.due_us is None
    is_bare = is_bare and not is_of_network(failed.reason)  # so a request was made
    made = max((s.attempt or 0 for s in trace.steps), default=0)
    is_left = made < (log.attempts_last or 0)
    if one.failures[-1] < one.takes[-1] or is_asked or not is_bare or not is_left:
        return None
    is_planned = any(plans_retry(s) for s in trace.steps[one.failures[-1] :])
    if failed.stand is not Stand.FAILED or is_planned:
        return None
    return Match("D7", 0.95, "called failed by a later turn, with no request and attempts left")


#: who watches over leases, and sends nothing
_REAPER: Final = re.compile(r"reap|watch_?dog|sweep|lease|stall")


def _failed_by_reaper(trace: Trace, log: LogFacts) -> Match | None:
    """Silent since one who watches over leases called it failed, with attempts left."""
    one = life(trace)
    if trace.why is not Why.SILENT or not one.failures:
        return None
    failed = trace.steps[one.failures[-1]]
    made = max((s.attempt or 0 for s in trace.steps), default=0)
    is_bare = failed.status is None and failed.due_us is None and failed.stand is Stand.FAILED
    if not is_bare or made >= (log.attempts_last or 0):
        return None
    if not _REAPER.search(normal(failed.worker or "")):
        return None
    return Match("D7", 0.95, "called failed by the one who watches over leases, with attempts left")


def _failed_by_lapse(trace: Trace, log: LogFacts) -> Match | None:
    if trace.why not in (Why.SILENT, Why.SKIPPED) or not is_failed_by_lapse(trace, log):
        return None
    return Match("D7", 0.97, "called failed with attempts left, as its lease ran out")


def _swallowed(trace: Trace, log: LogFacts) -> Match | None:
    """Silent, and after a first turn another was given up because somebody seemed to be at it."""
    if trace.why is not Why.SILENT:
        return None
    one, over = life(trace), sorted({*passed_as_in_progress(trace), *skips(trace.steps)})
    begun = min((*one.takes, *one.sent, *one.failures), default=len(trace.steps))
    if not over or begun > over[-1] or names_endpoint(trace.steps[over[-1]].reason or ""):
        return None
    after = trace.steps[over[-1] + 1 :]
    if any(is_take(s) or s.act in (Op.SENT, Op.RETRY) for s in after):
        return None
    return Match("D8", 0.95, "a later turn passed it over as in progress, and the first one failed")


def _silent_race(trace: Trace, log: LogFacts) -> Match | None:
    """Silent, and two turns had crossed before."""
    if trace.why is not Why.SILENT:
        return None
    one = life(trace)
    if one.lapses and wrote_after_lapse(trace.steps, one.lapses[-1]):
        return Match("D6", 0.9, "silent since a worker wrote to it whose lease had run out")
    if one.lapses and one.lapses[-1] > max((*one.takes, *one.sent, *one.failures), default=-1):
        return None  # it ended with the lease, whoever wrote that down
    if any(trace.steps[i].is_row and trace.steps[i].stand is Stand.FAILED for i in one.lapses):
        what = "failed since its lease ran out, says its row, which no late answer has changed"
        return Match("D7", 0.85, what)
    if counts_fewer(trace):
        return Match("D6", 0.92, "its row counts fewer attempts than answered, one of them late")
    if one.races or has_cleared_retry(trace):
        return Match("D6", 0.9, "silent since a write that crossed another worker's turn")
    if "two_holders" in trace.crossings and one.failures and not one.lapses:
        return Match("D6", 0.5, "silent since two workers held it")
    return None


def _unsaid(trace: Trace, log: LogFacts) -> tuple[str, ...]:
    """What a turn without an answer may be as well, in a log with no line for a failure as such."""
    if log.tells_failures:
        return ()
    made = max((s.attempt or 0 for s in trace.steps), default=0)
    is_last = log.attempts_last is not None and made >= log.attempts_last
    lapses = () if Op.LAPSED in log.ops else ("D6", "D7")
    marked = ("D8",) if len(life(trace).takes) > 1 and Op.SENT not in log.ops else ()
    return ("D2", *lapses, *marked, *(("D10",) if is_last else ()))


def _silent_untried(trace: Trace, log: LogFacts) -> Match | None:
    """Silent, and no worker had tried it."""
    one = life(trace)
    if trace.why is not Why.SILENT or one.failures or one.sent:
        return None
    if not log.tells_attempts:
        others = tuple(code for code in MECHANISMS if code not in ("D3", "D5"))
        return Match("D3", 0.3, "accepted, and not delivered", others)
    if one.lapses and one.lapses[-1] > max(one.takes, default=-1):
        return _since_lapse(trace, one)
    if (one.last_act is Op.RETRY and one.takes) or (
        one.last_act in (Op.PARKED, Op.POSTPONED, Op.QUEUED) and is_put_off(one.last)
    ):
        return Match("D1", 0.85, "a retry was planned, and nothing came of it")
    if is_done_idle(trace.steps):
        if len(one.takes) == 1:
            return Match("D4", 0.8, "its job was done, and no request was made", ("D9",))
        return Match("D8", 0.9, "a later turn was done at once, with no request")
    if len(one.takes) > 1 and is_let_go(trace.steps, one.takes[-1]):
        return Match("D8", 0.85, "a later turn let go of it at once, with no request")
    if any(_is_turned_away(trace.steps, i) for i in one.skips):
        return Match("D8", 0.85, "given out again after a first turn, and passed over at once")
    if any((trace.steps[i].attempt or 0) > 1 for i in one.skips):
        return Match("D8", 0.9, "a later attempt was passed over, and the first never ended")
    if one.takes and has_thrown(trace.steps[one.takes[-1] :]):
        what = "its turn ended with an error that nobody caught, and it is marked as in progress"
        return Match("D2", 0.7, what, ("D4",))
    if one.takes:
        # who lists it for the others is no worker, where workers have names
        names = [trace.steps[i].worker for i in one.takes]
        turns = list(dropwhile(lambda name: name is None, names)) or names
        if len(turns) > log.takes_usual and not one.lapses:
            return Match("D8", 0.5, "a later turn was taken and made no request")
        is_popped = log.shows(Op.SENT) or log.shows(Op.CLAIMED)
        # a second turn changes no state: it has no row where changes of state are all there is
        marked = twins_of("D4", log, ("D8",)) if log.is_table or log.is_of_states else ()
        if log.has_table and not log.is_table and not any(s.is_row for s in trace.steps):
            marked = (*marked, "D7")  # the row that would say how it ended is gone
        twins = (*_unsaid(trace, log), *marked) if not log.is_table else marked
        twins = tuple(dict.fromkeys(twins))
        return Match(
            "D4", 0.8 if is_popped else 0.6, "taken by a worker that never tried it", twins
        )
    if passed_as_in_progress(trace):
        return Match("D8", 0.9, "a later turn passed it over as in progress")
    if log.has_table and any(s.is_row and s.worker for s in trace.steps):
        return Match("D4", 0.7, "its row names a worker that took it, and nothing was tried")
    if one.skips and not is_said_of_endpoint(trace):
        return Match("D3", 0.95, "never queued, and its duplicate was skipped")
    if any(s.act is Op.NOT_QUEUED or _is_failed_hand_over(s) for s in trace.steps):
        return Match("D3", 0.95, "its hand-over to the queue failed, and was not repeated")
    if trace.of_message and "endpoint" in log.fields:
        # where requests alone have rows, a delivery that was never taken up has none either
        twins = ("D3", *twins_of("D3", log, ("D4", "D12"))) if log.is_of_requests else ()
        return Match("D9", 0.6, "accepted, and no delivery was made of it", twins)
    if log.is_of_requests and any(s.attempt for s in trace.steps):
        what = "an attempt was begun, and nothing came of it"
        return Match("D4", 0.6, what, twins_of("D4", log, ("D8",)))
    if one.queued and (log.shows(Op.QUEUED) or Op.CLAIMED in log.ops):
        # a state is written by whoever hands it over, perhaps before the queue has it
        is_state = log.is_of_states or ("from_state" in log.fields and one.last.state is not None)
        written = ("D3",) if is_state and log.shows(Op.CLAIMED) else ()
        rows = {s.line for s in trace.steps if s.is_row}
        if all(s.line in rows for s in trace.steps if s.act is Op.QUEUED):
            written = ("D3",)  # so is the time in its row
        return Match("D4", 0.8, "queued, and never tried", written)
    if log.shows(Op.QUEUED):
        is_pushed = trace.steps[0].word in log.queued_by_acceptor
        polled = () if is_pushed else twins_of("D3", log, ("D12",))
        return Match("D3", 0.8, "accepted, and never queued as the others are", polled)
    # an endpoint that others name says nothing of those that do not
    over = () if trace.endpoint or one.reasons else ("D9",)
    twins = twins_of("D3", log, ("D4", "D12"))
    twins = tuple(sorted({*twins, *(over or twins_of("D3", log, ("D9",)))}, key=number_of))
    return Match("D3", 0.4, "accepted, and nothing after it", twins)


#: so long after a hand-over whoever got it has looked at it
_AT_ONCE_US: Final = 1_000_000


def _is_turned_away(steps: Sequence[Step], place: int) -> bool:
    """Whether a line that passes it over is of a second turn: it was just handed out again, to another
    worker than the first."""
    before, step = steps[:place], steps[place]
    taken = next((i for i, s in enumerate(before) if is_take(s)), None)
    if taken is None or step.worker in (None, steps[taken].worker):
        return False
    given = [s for s in before[taken + 1 :] if s.act in (Op.QUEUED, Op.LAPSED)]
    return bool(given) and step.at_us - given[-1].at_us <= _AT_ONCE_US


def _is_failed_hand_over(step: Step) -> bool:
    """Whether a line of the hand-over to the queue, of what was never tried, tells of a failure."""
    why = meaning(step.reason).op
    return step.act is Op.QUEUED and why in (Op.FAILED, Op.NOT_QUEUED, Op.EXHAUSTED)


def _silent_sent(trace: Trace, log: LogFacts) -> Match | None:
    """Silent in the middle of an attempt."""
    one = life(trace)
    if trace.why is not Why.SILENT or not one.sent:
        return None
    if one.lapses and one.lapses[-1] > one.sent[-1]:
        if one.takes and one.takes[-1] > one.lapses[-1]:
            what = "taken again after its lease ran out, and no request was made"
            # whoever died of it wrote nothing more
            return Match("D8", 0.7, what, () if one.takes[-1] < len(trace.steps) - 1 else ("D4",))
        return _since_lapse(trace, one)
    if given_up := given_up_open(trace.steps, log.attempts_last):
        return Match("D7", *given_up)
    if log.fields >= {"status", "reason"} and is_idle(trace):
        return Match("D8", 0.95, "a later turn ended at once, with no request")
    if not one.failures or one.failures[-1] < one.sent[-1]:
        if len(one.takes) > 1 and one.takes[-1] > one.sent[-1] and is_done_idle(trace.steps):
            return Match("D8", 0.9, "a later turn was done at once, with no request")
        touched = one.last.at_us - trace.steps[one.sent[-1]].at_us >= UNDER_WAY_US
        if log.has_table and touched and one.last.stand is Stand.LEASED:
            what = "its row was written again after its worker fell silent, and no request made"
            return Match("D8", 0.6, what, twins_of("D8", log, ("D4",)))
        # where states alone are told, it may as well have failed, and its state was left as it was
        is_told_apart = log.shows(Op.CLAIMED) and log.shows(Op.SENT)
        twins = ("D2",) if log.is_of_states and is_told_apart else ()
        return Match("D4", 0.5, "its worker fell silent during the request", twins)
    return None


def _not_in_table(trace: Trace, log: LogFacts) -> Match | None:
    """Its attempts are on record, and the table has no row of it: deleted, if those of others are there;
    else what the table tells of others says nothing of it. None: it has one."""
    if log.rows_from_us and not any(s.is_row for s in trace.steps):
        # what is not finished is kept; but the table may have been written of the latest ones only
        is_old = trace.accepted_us < log.rows_from_us
        what = "not finished, and its row is gone from the table, which has those of others"
        return Match("D11", 0.8 if is_old else 0.92, what, ("D1", "D2") if is_old else ())
    if any(s.act is Op.ACCEPTED for s in trace.steps):
        return None
    if log.usual.get(Op.ACCEPTED, 0.0) > _IN_TABLE_MIN:
        return Match("D11", 0.9, "its attempts are on record, and its row is gone from the table")
    twins = ("D1", "D4", "D5", "D6", "D7", "D8", "D11")
    return Match("D2", 0.45, "nothing after a failed attempt, and no row in the table", twins)


def _silent_failed(trace: Trace, log: LogFacts) -> Match | None:
    """Silent after a failed attempt: D1 where a retry was planned, D2 where it was not."""
    one = life(trace)
    if trace.why is not Why.SILENT or not one.failures:
        return None
    is_tried = bool(one.takes or one.sent)
    if not (log.shows(Op.CLAIMED) or log.shows(Op.SENT)):
        is_tried = is_tried or any(s.attempt or s.status for s in trace.steps)
    if not is_tried and names_endpoint(one.reasons):
        return Match("D9", 0.85, "turned away because of its endpoint, before any attempt")
    if ended := _left_early(trace, log) or _under_way(trace, log):
        return ended
    if log.has_table and (gone := _not_in_table(trace, log)):
        return gone
    if log.usual.get(Op.QUEUED, 0.0) >= _QUEUED_MIN and _is_put_back(trace, log):
        return _PUT_BACK
    if one.takes and one.takes[-1] > one.failures[-1]:
        if one.lapses and one.lapses[-1] > one.takes[-1]:
            return _since_lapse(trace, one)
        if is_done_idle(trace.steps):
            what = "its last turn was over with no request, and it is not planned again"
            return Match("D9", 0.7, what, ("D4", "D8"))
        what = "taken again by a worker that never said what came of it"
        return Match("D4", 0.6, what, _unsaid(trace, log))
    if _is_ended_by_lapse(trace, one):
        lapse = trace.steps[one.lapses[-1]]
        if one.lapses[-1] > one.failures[-1] and lapse.stand is Stand.LEASED:
            what = "still marked as in progress after a failed attempt, and when its lease ran out"
            return Match("D2", 0.85, what, ("D7",))
        return _since_lapse(trace, one)
    return _waiting(trace, log, one)


def _since_lapse(trace: Trace, one: Life) -> Match:
    """Nothing came of it since its lease ran out; but perhaps another worker looked at it, and left it."""
    lapse = one.lapses[-1]
    if any(i > lapse for i in passed_as_in_progress(trace)):
        return Match("D8", 0.9, "put back when its lease ran out, and passed over as in progress")
    holder = next((s.worker for s in reversed(trace.steps[:lapse]) if is_take(s)), None)
    looked = any(
        s.act in (Op.UNKNOWN, Op.NOTED, Op.SKIPPED)
        and s.worker not in (None, holder, trace.steps[lapse].worker)
        for s in trace.steps[lapse + 1 :]
    )
    if looked and trace.steps[lapse].stand is Stand.WAITING:
        return Match(
            "D8", 0.7, "put back when its lease ran out, and left by a later turn", ("D7",)
        )
    return Match("D7", 0.8, "nothing since its lease ran out")


def _is_ended_by_lapse(trace: Trace, one: Life) -> bool:
    """Whether nothing came after its lease ran out but the late answer of the one whose lease it was."""
    if not one.lapses:
        return False
    lapse, failed = one.lapses[-1], trace.steps[one.failures[-1]]
    if lapse > one.failures[-1]:
        return True
    is_of_turn = bool(one.takes) and lapse > one.takes[-1]
    if not one.takes and trace.steps[lapse].stand is Stand.FAILED and failed.due_us is None:
        is_of_turn = failed.attempt == trace.steps[lapse].attempt is not None
    return is_of_turn and not any(s.act is Op.RETRY for s in trace.steps[lapse:])


_PUT_BACK: Final = Match(
    "D6", 0.9, "put back in progress after its retry was planned, by no new turn"
)
#: of what was delivered, so much was queued, where that is on the way
_QUEUED_MIN: Final = 0.98


def _is_put_back(trace: Trace, log: LogFacts) -> bool:
    """Whether a line after the plan of a retry says that the same attempt is in progress, and nobody had
    queued or taken it: a renewal that came late, and wrote the state of the row over."""
    plans = [i for i, s in enumerate(trace.steps) if s.due_us is not None and s.attempt]
    if not plans:
        return False
    plan, rest = trace.steps[plans[-1]], trace.steps[plans[-1] + 1 :]
    is_taken = any(s.act in (Op.QUEUED, Op.ACCEPTED, Op.RESUMED) for s in rest)
    if log.usual.get(Op.QUEUED, 0.0) < _QUEUED_MIN:  # else nobody takes what is not queued before
        is_taken = is_taken or any(s.act is Op.CLAIMED for s in rest)
    return not is_taken and any(s.stand is Stand.LEASED and s.attempt == plan.attempt for s in rest)


def _waiting(trace: Trace, log: LogFacts, one: Life) -> Match:
    """After a failure with which nobody's turn is open any more: whether its retry was planned."""
    stand = next(
        (s.stand for s in reversed(trace.steps) if s.stand and not s.is_refused), Stand.NONE
    )
    # the plan may stand before the line that tells of the same answer
    begun = max((i for i in (*one.takes, *one.sent) if i < one.failures[-1]), default=-1)
    first, no = min(i for i in one.failures if i > begun), trace.steps[one.failures[-1]].attempt
    planned = any(_is_plan(s, log) for s in trace.steps[one.failures[-1] :]) or any(
        plans_retry(s) and (None in (s.attempt, no) or s.attempt == no) for s in trace.steps[first:]
    )
    if stand is Stand.LEASED and planned and _is_put_back(trace, log):
        return _PUT_BACK
    if stand is Stand.LEASED:
        # a table has no history: who wrote what over whose state cannot be seen in it
        twins = twins_of("D2", log, ("D6",)) if log.is_table else ()
        return Match("D2", 0.9, "still marked as in progress after a failed attempt", twins)
    due = max((s.due_us for s in trace.steps[one.failures[-1] :] if s.due_us), default=0)
    if (
        log.age_kept_us
        and due - trace.accepted_us
        > max(log.age_kept_us, 0 if log.is_age_sharp else _RETENTION_MIN_US)
        and not has_field(log, "purged")
    ):
        # a query that leaves out the later attempts leaves out what is old by then as well
        twins = ("D1",) if log.are_later_attempts and not log.is_age_sharp else ()
        what = "due longer after its acceptance than any that was taken up"
        return Match("D11", 0.92, what, twins)
    made = max((s.attempt or 0 for s in trace.steps), default=0)
    if not planned and stand is Stand.FAILED and log.dead_from > 1 and made >= log.dead_from:
        return Match(
            "D10", 0.75, "as many attempts as others have at their end, and no dead letter"
        )
    if planned and log.swept is not None and log.swept.has(trace):
        # a query that leaves out the later attempts leaves out what is old by then as well
        twins = () if log.swept.is_sure and not log.are_later_attempts else ("D1",)
        return Match("D11", 0.95, "too old at the last clean-up before its retry was due", twins)
    if planned:
        # where requests alone have rows, a worker that took it and made none has left no trace
        twins = twins_of("D1", log, ("D4", "D6", "D7", "D8")) if log.is_of_requests else ()
        is_old = log.is_of_requests and 0 < log.age_kept_us < due - trace.accepted_us
        # what sweeps now and then leaves some that are as old, between two of its turns
        is_swept = log.are_later_attempts and due - trace.accepted_us > _RETENTION_MIN_US
        if is_old or (is_swept and not has_field(log, "purged")):
            twins = (*twins, "D11")
        if trace.steps[-1].act is Op.POSTPONED and "due" in log.fields and not due:
            twins = ("D2", *twins)  # put off until no time: nobody may have planned it
        return Match("D1", 0.9, "a retry was planned, and nothing came of it", twins)
    if stand is Stand.WAITING:
        is_silent = trace.steps[one.failures[-1]].status is None
        twins = twins_of("D1", log, ("D8",) if is_silent else ())
        if "due" in log.fields:  # and it has none, so perhaps nobody planned it
            twins = ("D2", *twins)
        return Match("D1", 0.8, "waiting for a retry that nobody makes", twins)
    if log.plans_retries > 0.5:
        what = "no retry was planned, as it is after other failures"
        return Match("D2", 0.7, what, twins_of("D2", log, ("D5",)))
    twins = twins_of("D2", log, ("D1", "D4", "D5", "D6", "D7", "D8", "D11"))
    if log.plans_due < _PLANS_DUE_MIN and "D1" not in twins:
        twins = ("D1", *twins)  # no plan of a retry is ever told
    if "attempt" not in log.fields:
        twins = (*twins, "D10")  # nor how many there were
    return Match("D2", 0.45, "nothing after a failed attempt", twins)


#: of failures that were followed, so many must tell when the next attempt is due
_PLANS_DUE_MIN: Final = 0.8


def _is_plan(step: Step, log: LogFacts) -> bool:
    """Whether a line plans another attempt; a failure in whose row that has a time does with a time."""
    if step.result < 0 and log.plans_due >= _PLANS_DUE_MIN:
        return step.due_us is not None
    return step.act in (Op.RETRY, Op.QUEUED, Op.POSTPONED) or step.due_us is not None


#: every rule is asked about every dropped delivery; the strongest answer counts
RULES: Final[tuple[Rule, ...]] = (
    falsely_delivered,
    _early_end,
    _no_dead_letter,
    _deleted,
    _passed_over,
    _failed_by_lapse,
    _failed_by_later_turn,
    _failed_by_reaper,
    _swallowed,
    _silent_race,
    _silent_untried,
    _silent_sent,
    _silent_failed,
)


def recognise(trace: Trace, log: LogFacts) -> Match:
    """What a dropped delivery looks like most; its mechanism is "" if like nothing known."""
    trace = without_refused(trace)
    found = [match for rule in RULES if (match := rule(trace, log)) is not None]
    return max(found, key=lambda m: m.strength, default=Match("", 0.0, "like nothing known"))
