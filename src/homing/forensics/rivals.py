"""Why a drop is not put down to what leaves much the same lines: counted in the log at hand. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from homing.forensics.hypothesis import Hypothesis
from homing.forensics.judging import Why
from homing.forensics.lives import RACES
from homing.forensics.operations import Op, Stand
from homing.forensics.traces import Trace
from homing.forensics.turns import is_take

#: lines that do not say that anybody had begun with a delivery
_BEFORE_A_TURN: Final = frozenset({Op.ACCEPTED, Op.QUEUED, Op.SKIPPED, Op.NOTED, Op.NOT_QUEUED})
#: crossings by which a worker wrote to what was another's
_WRITTEN_OVER: Final = RACES - {"second_result"}
#: a sign that more of the drops have than this does not tell a rival from the suspect
_SIGN_MAX: Final = 0.05


def _is_waiting(trace: Trace) -> bool:
    last = trace.steps[-1]
    is_planned = last.result < 0 or last.act is Op.RETRY
    return is_planned and last.stand is not Stand.LEASED and not trace.crossings & _WRITTEN_OVER


def _is_in_progress(trace: Trace) -> bool:
    return trace.steps[-1].stand is Stand.LEASED or is_take(trace.steps[-1])


def _is_untouched(trace: Trace) -> bool:
    return all(s.act in _BEFORE_A_TURN and not is_take(s) for s in trace.steps)


def _is_untried(trace: Trace) -> bool:
    is_begun = any(is_take(s) or s.act is Op.QUEUED for s in trace.steps)
    return is_begun and not any(s.result or s.act is Op.SENT for s in trace.steps)


def _is_ended_by_lapse(trace: Trace) -> bool:
    last = trace.steps[-1]
    is_open = is_take(last) and last.lease_us is not None
    return last.act is Op.LAPSED or trace.why is Why.GIVEN_UP_EARLY or is_open


def _is_passed_over(trace: Trace) -> bool:
    return trace.why in (Why.SKIPPED, Why.DISCARDED) or _is_untouched(trace)


def _is_deleted(trace: Trace) -> bool:
    return trace.why in (Why.PURGED, Why.NEVER_DUE)


#: mechanism → what a delivery that it lost would show, and whether one does
_SIGNS: Final[dict[str, tuple[str, Callable[[Trace], bool]]]] = {
    "D1": ("were due for a retry that nobody made", _is_waiting),
    "D2": ("were left marked as in progress", _is_in_progress),
    "D3": ("have no line of a worker", _is_untouched),
    "D4": ("were handed over or taken, and never tried", _is_untried),
    "D5": (
        "are called delivered with no success",
        lambda trace: trace.why is Why.FALSE_DELIVERED,
    ),
    "D6": (
        "were written to by a worker after another had taken them",
        lambda trace: bool(trace.crossings & _WRITTEN_OVER),
    ),
    "D7": ("ended when a lease ran out", _is_ended_by_lapse),
    "D8": (
        "ended on a later turn with no request",
        lambda trace: "instant_end" in trace.crossings or trace.why is Why.SKIPPED,
    ),
    "D9": ("were passed over or never taken", _is_passed_over),
    "D10": (
        "failed as often as is allowed, with no dead letter",
        lambda trace: trace.why is Why.NO_DEAD_LETTER,
    ),
    "D11": ("were deleted, or due later than anything is kept", _is_deleted),
    "D12": ("have no line of a worker", _is_untouched),
}


def weighed(found: Hypothesis, dropped: Sequence[Trace]) -> list[dict[str, str]]:
    """The rivals of a hypothesis, each with its figure: how many of the dropped look as it would leave
    them.

    Args:
        dropped: deliveries that were read line by line, those that the hypothesis was formed of.
    """
    own = _counted(found.shares[0].mechanism, dropped) if found.shares else 0
    alike = {share.mechanism: share.drops for share in found.shares}
    return [
        rival | {"figure": _figure(code, alike.get(code, 0), own, dropped)}
        for rival in found.rivals
        for code in (rival["mechanism"],)
    ]


def _figure(code: str, alike: int, own: int, dropped: Sequence[Trace]) -> str:
    """How many look like a rival: by its sign, or where others have that as well by all their lines."""
    count = _counted(code, dropped)
    tells = count <= _SIGN_MAX * len(dropped) and own > count
    words = _SIGNS[code][0] if tells and not alike else "look like it, line by line"
    number = count if tells and not alike else alike
    return f"of the {len(dropped):,} drops that were read, {number:,} {words}"


def _counted(code: str, dropped: Sequence[Trace]) -> int:
    return sum(_SIGNS[code][1](trace) for trace in dropped) if code in _SIGNS else 0
