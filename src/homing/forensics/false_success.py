"""Why a delivery is called delivered of which no request succeeded. Pure."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from homing.forensics.catalogue import Match
from homing.forensics.facts import LogFacts, twins_of
from homing.forensics.judging import Why
from homing.forensics.lives import life
from homing.forensics.operations import Op, Stand
from homing.forensics.passing import is_said_of_endpoint, passed_as_in_progress
from homing.forensics.traces import Trace
from homing.forensics.turns import is_done_at_once, is_take

#: by this status a receiver says that it has begun
_BEGUN: Final = 202


def falsely_delivered(trace: Trace, log: LogFacts) -> Match | None:
    """Called delivered, and no request succeeded: D8, D6 or D5."""
    if trace.why is not Why.FALSE_DELIVERED:
        return None
    one = life(trace)
    if not (one.sent or one.failures) and is_said_of_endpoint(trace):
        return Match("D9", 0.9, "called done with no request, because of its endpoint")
    if "instant_end" in trace.crossings:
        return Match("D8", 0.9, "a later turn ended at once, with no request")
    if _is_said_too_soon(trace):
        said = next(s for s in trace.steps if s.stand is Stand.DELIVERED and s.result >= 0)
        if said.result == 1 and said.status not in (None, _BEGUN):
            what = "it succeeded, and the failure of another request was written over that"
            return Match("D6", 0.7, what, twins_of("D6", log, ("D5",)))
        return Match("D5", 0.9, "called delivered before its answer came, which was a failure")
    if _is_done_by_next(trace):
        return Match(
            "D8", 0.8, "the next worker called it done at once, with no request of its own"
        )
    if _is_done_as_passed_over(trace):
        return Match("D8", 0.95, "a later turn passed it over and called it done, with no request")
    if one.races and not _is_alone(trace):
        return Match("D6", 0.9, "called delivered by a write that crossed another worker's turn")
    if len(one.takes) > 1 and not one.failures:
        return Match("D8", 0.7, "a later turn called it delivered, with no request on record")
    if one.skips and len(one.sent) > 1 and one.skips[-1] > one.sent[-1] and not one.failures:
        return Match("D8", 0.8, "a later turn passed it over, and the first one never ended")
    if "two_holders" in trace.crossings and len(one.takes) > 1:
        return Match("D6", 0.6, "called delivered while two workers held it")
    if not (one.sent or one.failures) and is_done_at_once(trace):
        return Match("D9", 0.6, "called done as soon as it was taken, with no request", ("D5",))
    # where turns have lines, and each had its answer before the next, nobody was left to write late
    twins = () if _turns_ended(trace, log) else twins_of("D5", log, ("D6",))
    why = "after an attempt that failed" if one.failures else "with no request that succeeded"
    return Match("D5", 0.9, f"called delivered {why}", twins)


#: within so long no request is made
_NO_REQUEST_US: Final = 50_000


def _is_done_as_passed_over(trace: Trace) -> bool:
    """Whether whoever passed it over as in progress called it done at once: so its queue is told."""
    pairs = list(pairwise(trace.steps))
    return any(
        after.result > 0
        and one.worker == after.worker is not None
        and after.at_us - one.at_us < _NO_REQUEST_US
        for place in passed_as_in_progress(trace)
        for one, after in pairs[place : place + 1]
    )


def _is_done_by_next(trace: Trace) -> bool:
    """Whether a worker that made no request called it done, right after the lease of another ran out."""
    lapse, said = next(
        (
            (one, after)
            for one, after in pairwise(trace.steps)
            if one.act is Op.LAPSED and after.result > 0
        ),
        (None, None),
    )
    if lapse is None or said is None or said.worker is None:
        return False
    askers = {s.worker for s in trace.steps if s.act in (Op.SENT, Op.ATTEMPTED, Op.CLAIMED)}
    return said.worker not in askers and said.at_us - lapse.at_us < _NO_REQUEST_US


def _turns_ended(trace: Trace, log: LogFacts) -> bool:
    """Whether each turn has a line, and its answer comes before the next one."""
    if not (log.shows(Op.CLAIMED) or log.shows(Op.SENT)):
        return False
    is_open = False
    for one, after in zip(trace.steps, trace.steps[1:], strict=False):
        is_open = (is_open or is_take(one)) and not one.result
        if is_open and is_take(after) and not is_take(one):
            return False
    return bool(life(trace).takes or life(trace).sent)


def _is_alone(trace: Trace) -> bool:
    """Whether one worker took it, once: who else wrote only brought an answer."""
    return len(life(trace).takes) == 1 and len({s.attempt for s in trace.steps if s.attempt}) == 1


def _is_said_too_soon(trace: Trace) -> bool:
    """Whether an attempt was called delivered first and failed then: by one worker, in one turn."""
    said = next(
        (i for i, s in enumerate(trace.steps) if s.stand is Stand.DELIVERED and s.result >= 0), None
    )
    if said is None:
        return False
    after = [s for s in trace.steps[said + 1 :] if s.result < 0]
    attempts = {s.attempt for s in after}
    workers = {s.worker for s in (trace.steps[said], *after) if s.worker is not None}
    if len(workers) > 1 and not _is_alone(trace):
        return False
    attempt = trace.steps[said].attempt
    if attempt is not None:
        return attempts == {attempt} or (attempts == {None} and _is_alone(trace))
    if any(map(is_take, trace.steps[said:])):
        return False
    turn = next((s for s in reversed(trace.steps[:said]) if is_take(s)), None)
    is_of_turn = turn is None or turn.attempt is None or attempts <= {turn.attempt, None}
    return len(attempts) == 1 and is_of_turn
