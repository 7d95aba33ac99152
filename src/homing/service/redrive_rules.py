"""How a redrive goes on. Pure: how things stand, and the time, are arguments.

Some are sent, their next outcomes are awaited, and only so many are under way at a time: so a
redrive knows of each dead letter whether it helped, never floods a receiver that is barely up
again, and a canary that does badly ends it while the rest is still safe among the dead.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import msgspec

from homing.core.lifecycle import Delivery, State
from homing.core.tasks import RedrivePlan

#: under way at a time when the plan does not say: their ids are written with each chunk
WINDOW: Final = 500
#: how long to wait for outcomes, seconds: what a receiver takes, and a commit
WAIT_S: Final = 0.2
#: how much of a second's rate may go at once
_BURST_S: Final = 0.25


class Fate(StrEnum):
    """What became of a redriven delivery, as soon as that can be said."""

    UNDER_WAY = "under_way"  #: not attempted yet, or just now
    DELIVERED = "delivered"
    FAILED = "failed"  #: dead again, or failed once and being retried by its schedule
    ASIDE = "aside"  #: parked, withdrawn or gone: its receiver was not asked


def fate_of(delivery: Delivery | None) -> Fate:
    """What became of a delivery since it was redriven, which set its failures to 0.

    Args:
        delivery: None: its row is gone.
    """
    if delivery is None or delivery.state in (State.PARKED, State.CANCELLED):
        return Fate.ASIDE
    if delivery.state is State.DELIVERED:
        return Fate.DELIVERED
    if delivery.state is State.DEAD or delivery.failures:
        return Fate.FAILED
    return Fate.UNDER_WAY


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What to do next."""

    release: int = 0  #: at most so many more now
    canary_passed: bool = False
    verdict: str | None = None  #: why nothing more must be sent
    is_done: bool = False
    wait_s: float = 0.0  #: nothing to do before, unless something was released


def next_step(
    plan: RedrivePlan,
    counts: Mapping[str, int],
    *,
    under_way: int,
    is_exhausted: bool,
    canary_passed: bool,
    next_at_us: int,
    at_us: int,
) -> Step:
    """What to do next, given what became of those that were sent.

    Args:
        plan: what was asked for.
        counts: "sent" so far, of these "delivered", "failed" and "aside", each >= 0.
        under_way: of those sent, the ones whose outcome is not known.
        is_exhausted: there are no more to send.
        canary_passed: it was decided earlier that the canary did well.
        next_at_us: by its rate nothing is sent before.
        at_us: now.
    """
    left = None
    if plan.canary and not canary_passed:
        judged = _judge(plan, counts, under_way=under_way, is_exhausted=is_exhausted)
        if judged is not None:
            return judged
        left = plan.canary - counts.get("sent", 0)
    if is_exhausted:
        return Step(is_done=under_way == 0, wait_s=WAIT_S if under_way else 0.0)
    room = (plan.concurrency or WINDOW) - under_way
    if left is not None:
        room = min(room, left)
    if plan.rate_per_s is not None:
        if at_us < next_at_us:
            return Step(wait_s=min((next_at_us - at_us) / 1_000_000, 1.0))
        room = min(room, max(int(plan.rate_per_s * _BURST_S), 1))
    return Step(release=room) if room > 0 else Step(wait_s=WAIT_S)


def _judge(
    plan: RedrivePlan, counts: Mapping[str, int], *, under_way: int, is_exhausted: bool
) -> Step | None:
    """The end of the canary; None: it goes on."""
    sent, failed = counts.get("sent", 0), counts.get("failed", 0)
    tried = failed + counts.get("delivered", 0)
    bound = f"more than the {plan.failure_ratio_max:.0%} that were borne"
    if failed > plan.failure_ratio_max * plan.canary:  # whatever becomes of the rest of it
        return Step(verdict=f"the canary failed: {failed} of {tried} failed again, {bound}")
    if under_way or (sent < plan.canary and not is_exhausted):
        return None
    if sent and not tried:
        return Step(verdict="the canary failed: its endpoints are disabled, so nothing was tried")
    if failed > plan.failure_ratio_max * tried:
        return Step(verdict=f"the canary failed: {failed} of {tried} failed again, {bound}")
    return Step(canary_passed=True)


def next_release_us(plan: RedrivePlan, released: int, next_at_us: int, at_us: int) -> int:
    """From when on the plan's rate permits more, after so many were released now."""
    if plan.rate_per_s is None:
        return 0
    return max(next_at_us, at_us) + round(released / plan.rate_per_s * 1_000_000)


def duration_s(
    counts: Mapping[str, int],
    limits: Mapping[str, int | None],
    *,
    plan: RedrivePlan,
    process_rate_per_s: float,
) -> float:
    """How long a redrive takes at least, in seconds, if receivers are well.

    Args:
        counts: dead letters by endpoint id.
        limits: attempts a second that each endpoint takes; None: no limit.
        plan: what was asked for.
        process_rate_per_s: what all tasks of a process may send together.
    """
    total = sum(counts.values())
    rate = min(plan.rate_per_s or process_rate_per_s, process_rate_per_s)
    slowest = max(
        (count / limit for name, count in counts.items() if (limit := limits.get(name))), default=0
    )
    return max(total / rate, slowest) + (WAIT_S if plan.canary else 0.0)
