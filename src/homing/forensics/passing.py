"""Why a delivery was passed over, or thrown away: what the lines of it say of that. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from homing.forensics.facts import LogFacts
from homing.forensics.lives import life
from homing.forensics.operations import Op, Stand
from homing.forensics.traces import Step, Trace
from homing.forensics.vocabulary import meaning, normal
from homing.forensics.words import is_in_progress

_ABOUT_ENDPOINT: Final = (
    "endpoint",
    "target",
    "subscri",
    "disabled",
    "destination",
    "not_found",
    "missing",
    "inactive",
    "circuit",
    "breaker",
    "route",
    "not_active",
    "no_active",
    "paused",
    "suspended",
)

#: the same in short: `ep_off`
_SHORTLY: Final = re.compile(r"(^|_)(ep|dest|dst)_(is_)?(off|gone|dis|del|inact)|(^|_)moved(_|$)")
_IS_KNOWN: Final = re.compile(
    r"(^|_)(already|before)_(been_)?(accepted|stored|received|created|known|recorded)(_|$)|"
    r"(accepted|stored|received|created)_(already|before|earlier)(_|$)|(^|_)duplicate_event(_|$)"
)


def names_endpoint(text: str) -> bool:
    """Whether a reason speaks of an endpoint."""
    said = normal(text)
    if _IS_KNOWN.search(said):
        return False  # it is a duplicate, to whichever endpoint
    if any(word in said for word in _ABOUT_ENDPOINT) or _SHORTLY.search(said):
        return True
    return meaning(text).op is Op.PARKED and not is_in_progress(text)


#: a job that ends because its worker is lost ends that soon after it was found so
_AS_IT_LAPSED_US: Final = 1_000_000


def is_of_dead_worker(trace: Trace, log: LogFacts) -> bool:
    """Whether it was discarded, with attempts left, for what became of its worker: it says so, or its
    lease ran out in that moment, and no endpoint is named."""
    made = max((s.attempt or 0 for s in trace.steps), default=0)
    ends = [
        s
        for s in trace.steps
        if s.act is Op.DISCARDED or (s.act is Op.LAPSED and s.stand is Stand.GONE)
    ]
    is_told = any(
        meaning(s.reason).op is Op.LAPSED or meaning(s.word).op is Op.LAPSED for s in ends
    )
    lapsed_us = max((s.at_us for s in trace.steps if s.act is Op.LAPSED), default=None)
    if ends and lapsed_us is not None and not is_said_of_endpoint(trace):
        is_told |= 0 <= ends[-1].at_us - lapsed_us <= _AS_IT_LAPSED_US
    return is_told and made < (log.attempts_last or 0)


def is_failed_by_lapse(trace: Trace, log: LogFacts) -> bool:
    """Whether it was called failed with attempts left, as its lease ran out, and what passed it over came
    later: a queue's entry that was found to be at its end."""
    made = max((s.attempt or 0 for s in trace.steps), default=0)
    failed = [
        i for i, s in enumerate(trace.steps) if s.act is Op.LAPSED and s.stand is Stand.FAILED
    ]
    over = max((i for i, s in enumerate(trace.steps) if s.act is Op.SKIPPED), default=0)
    return bool(failed) and failed[-1] < over and made < (log.attempts_last or 0)


def is_said_of_endpoint(trace: Trace) -> bool:
    """Whether a line that ends it names its endpoint as the reason."""
    last = max(life(trace).takes, default=0)  # held for its endpoint and then passed over at once
    held = [s for s in trace.steps[last:] if s.act is Op.PARKED and s.due_us is None]
    ends = [s for s in trace.steps if s.act in (Op.DISCARDED, Op.SKIPPED)] + held
    return any(names_endpoint(normal(f"{s.word} {s.reason or ''}")) for s in ends)


#: what leaves a delivery as it is, or puts it off
_LEAVES: Final = frozenset({Op.SKIPPED, Op.QUEUED, Op.RELEASED, Op.UNKNOWN, Op.NOTED})
#: where a hand-over goes to is no reason: `dest=ep-cobalt`
_GOES_TO: Final = re.compile(r"\b(dest(ination)?|to|endpoint|target|for)\s*[=:]", re.IGNORECASE)


def is_left_for_endpoint(trace: Trace, step: Step) -> bool:
    """Whether a line that makes no attempt gives an endpoint as its reason, or calls that of the delivery."""
    if step.act is Op.SKIPPED and names_endpoint(step.reason or ""):
        return True
    is_called = trace.endpoint is not None and bool(
        re.search(rf"(^|\W){re.escape(trace.endpoint)}(\W|$)", step.reason or "")
    )
    is_place = step.act is Op.QUEUED and bool(_GOES_TO.search(step.reason or ""))
    return step.act in _LEAVES and step.due_us is None and is_called and not is_place


def left_in_progress(trace: Trace) -> bool:
    """Whether the last state that is told of a delivery which was passed over is that it is in progress, by
    the turn whose failure came next: nobody had told another."""
    last = max((i for i, s in enumerate(trace.steps) if s.act is Op.SKIPPED), default=0)
    told = [i for i, s in enumerate(trace.steps[:last]) if s.state and not s.is_row]
    if not told or trace.steps[told[-1]].stand is not Stand.LEASED or is_said_of_work(trace):
        return False
    if trace.steps[told[-1]].was is None:
        return False  # only what is told of each change tells that there was none
    return any(s.result < 0 for s in trace.steps[told[-1] : last])


def has_answer(trace: Trace) -> bool:
    """Whether some request of it was answered, by its status, its number or the time that it took."""
    told = (s for s in trace.steps if s.result)
    return any(s.status or s.attempt or s.total_us is not None for s in told)


def passed_as_in_progress(trace: Trace) -> list[int]:
    """The places of the lines that pass it over because somebody else is at it."""
    return [
        i
        for i, s in enumerate(trace.steps)
        if s.act is Op.SKIPPED
        if is_in_progress(f"{s.word} {s.reason}") or _is_under_way(trace.steps[:i])
    ]


def _is_under_way(steps: Sequence[Step]) -> bool:
    """Whether a request had begun, and no answer of it had come."""
    last = next((s for s in reversed(steps) if s.result or s.act is Op.SENT), None)
    return last is not None and last.act is Op.SENT


_OF_WORK: Final = re.compile(r"dup|already|progress|in_?flight|running|locked|marker|again")


def is_said_of_work(trace: Trace) -> bool:
    """Whether the line that passes it over speaks of a twin, or of somebody at work."""
    return any(_OF_WORK.search(normal(s.word or "")) for s in trace.steps if s.act is Op.SKIPPED)


#: what writes how a delivery stands, if it plans nothing
_WRITES: Final = (Op.WRITTEN, Op.RETRY)


def is_passed_since_crossed(trace: Trace) -> bool:
    """Whether the turn that passed it over did so after the result of an earlier attempt had come late, and
    does not speak of a twin: what it found was that result, which was written over the later one's."""
    places = [i for i, s in enumerate(trace.steps) if s.act is Op.SKIPPED]
    before = [s for s in trace.steps[: max(places, default=0)] if s.attempt]
    told = [
        s.attempt
        for s in before
        if s.result or (s.act in _WRITES and (s.stand or s.act is Op.WRITTEN) and s.due_us is None)
    ]
    made = max((s.attempt or 0 for s in before if s.result or s.act is Op.SENT), default=0)
    return bool(told) and (told[-1] or 0) < made and not is_said_of_work(trace)
