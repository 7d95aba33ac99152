"""Deliveries of other people's logs, line by line, as the rules of the analysis see them."""

from __future__ import annotations

from homing.forensics.judging import Verdict, Why
from homing.forensics.operations import RESULT_OF_OP, STAND_OF_OP, Op, Stand
from homing.forensics.traces import Step, Trace


def make_step(act: Op, at_us: int, **about: object) -> Step:
    """A line; it has what it is given, and what its operation means."""
    told: dict[str, object] = dict.fromkeys(Step._fields)
    told |= {"at_us": at_us, "act": act, "stand": STAND_OF_OP.get(act, Stand.NONE), "line": at_us}
    told |= {"before": Stand.NONE, "result": min(0, RESULT_OF_OP.get(act, 0))}
    return Step(**(told | {"word": act.name.lower()} | about))  # type: ignore[arg-type]


def make_dropped(
    why: Why, *steps: Step, crossings: tuple[str, ...] = (), name: str = "d-1", accepted_us: int = 0
) -> Trace:
    """A dropped delivery of one endpoint."""
    crossed = frozenset(crossings)
    return Trace(name, why, Verdict.DROPPED, crossed, steps, False, accepted_us, "ep_1")
