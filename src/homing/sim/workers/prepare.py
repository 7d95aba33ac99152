"""Before a worker is explored: does it work at all, and how long are its leases?"""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

import msgspec

from homing.sim.draws import FirstInFirstOut
from homing.sim.loop import VirtualLoop
from homing.sim.workers.case import Case
from homing.sim.workers.loading import unusable
from homing.sim.workers.schedule import run_world
from homing.sim.workers.world import Result

#: worlds that are had to learn from, and twice to compare
_PROBES: Final = 16
_COMPARED: Final = 3
#: how much longer than a lease a slow answer takes
_BEYOND: Final = 1.2
_DELAYS_MAX: Final = 3
_DELAY_S: Final = (0.5, 7_200.0)
_TIMEOUT_MIN_S: Final = 30.0
_AT_REST: Final = ("nothing_is_lost", "everything_ends")
#: processor seconds that one step of somebody's may take
STUCK_S: Final = 5.0
#: how much longer it may take in real time, and the share of it that counts as no processor time
_IDLE_TIMES: Final = 6
_IDLE_SHARE: Final = 0.02


def prepare(case: Case, *, derive: bool = True) -> Case:
    """The case, with delays that fit the worker.

    Args:
        derive: choose delays a little longer than what the worker plans ahead (its leases and
            backoffs), and a request timeout that lets the slow answers come.

    Raises:
        Invalid: the worker does nothing useful even in a calm world, or is not deterministic.
    """
    with watchdog():
        _must_deliver(case, run_world(case, 0, order=FirstInFirstOut(), choices={}))
        probes = [run_world(case, seed) for seed in range(_PROBES)]
        for seed in range(_COMPARED):
            _must_repeat(case, seed)
    return _with_delays(case, probes) if derive else case


def _must_deliver(case: Case, result: Result) -> None:
    if any(breach.invariant not in _AT_REST for breach in result.breaches):
        return  # a finding, and it works
    states = {name: state for name, state in result.states.items() if state is not None}
    delivered = [name for name, state in states.items() if state in case.ends.delivered]
    if result.died_of and len(delivered) < len(result.states):
        raise unusable(f"in a calm world it {result.died_of}")
    if not result.sent:
        raise unusable(
            f"in a calm world it sent nothing in {result.virtual_s:.0f} s and {result.calls} calls "
            f"to its store, where there was {_listed(states) or 'no row'}"
        )
    if result.breaches and not delivered and result.taken:
        raise unusable(
            f"in a calm world its receiver took {result.taken}, and it left {_listed(states)}: "
            f"which states are ends? delivered = {case.ends.delivered}, dead = {case.ends.dead}, "
            f"ends = {case.ends.others} are what it says"
        )


def _listed(states: dict[str, str]) -> str:
    return ", ".join(f"{name} {state}" for name, state in states.items())


def _must_repeat(case: Case, seed: int) -> None:
    first, second = (run_world(case, seed, trace=True) for _ in range(2))
    for one, other in zip(first.events, second.events, strict=False):
        if one != other:
            raise unusable(
                f"it does not do the same in the same world: at {one.at_s:.1f} s {one.lane} "
                f"“{one.what}”, and the second time {other.lane} “{other.what}”. Does it use "
                "time, random or a global variable, or a query without a complete ORDER BY?"
            )


def _with_delays(case: Case, probes: list[Result]) -> Case:
    """Slow answers and standstills outlast what the worker plans ahead."""
    plans: Counter[float] = Counter()
    waits: Counter[float] = Counter()
    for result in probes:
        plans.update(result.plans)
        waits.update(result.waits)
    low, high = _DELAY_S
    common = [
        seconds for seconds, _ in (plans or waits).most_common() if low <= seconds * _BEYOND <= high
    ]
    chosen: list[float] = []
    for seconds in common:
        if all(abs(seconds - other) > 0.3 * other for other in chosen):
            chosen.append(seconds)
    delays = tuple(sorted(round(seconds * _BEYOND, 1) for seconds in chosen[:_DELAYS_MAX]))
    if not delays:
        return case
    timeout_s = case.timeout_s
    if not case.is_timeout_given:
        timeout_s = max(_TIMEOUT_MIN_S, round(delays[-1] * _BEYOND, 1))
    return msgspec.structs.replace(case, delays_s=delays, timeout_s=timeout_s)


@contextmanager
def watchdog(seconds: float = STUCK_S) -> Iterator[None]:
    """Stops a worker that never lets go of the processor, or that waits in the machine's own time.

    One step of a world is what is judged, not the run: a good worker may be explored for hours.
    Processor time is counted, so a machine with much else to do blames nobody; real time counts
    only for a step in which next to no processor time was used, as in `time.sleep`.

    Args:
        seconds: of this process's processor time that one step may take, > 0.

    Raises:
        Invalid: one step took longer. Only in the main thread, and where there are such timers.
    """
    if threading.current_thread() is not threading.main_thread() or not hasattr(
        signal, "setitimer"
    ):
        yield
        return
    busy, idle = _Pulse(), _Pulse()

    def ring_busy(_: int, frame: FrameType | None) -> None:
        if busy.is_still(frame):
            raise _Stuck(
                f"one step of it took {seconds:g} s of processor time and had not come back; "
                "does it loop without awaiting anything?"
            )

    def ring_idle(_: int, frame: FrameType | None) -> None:
        before_s = idle.cpu_s
        if idle.is_still(frame) and idle.cpu_s - before_s < _IDLE_SHARE * seconds * _IDLE_TIMES:
            raise _Stuck(
                f"one step of it took {seconds * _IDLE_TIMES:g} s and next to no processor time; "
                "does it wait in the machine's own time, as time.sleep does?"
            )

    timers = (
        (signal.SIGPROF, signal.ITIMER_PROF, seconds, ring_busy),
        (signal.SIGALRM, signal.ITIMER_REAL, seconds * _IDLE_TIMES, ring_idle),
    )
    before = [signal.signal(number, ring) for number, _, _, ring in timers]
    # Somebody else's timers, such as that of a test with a time limit, go on afterwards.
    began_s = [time.process_time(), time.monotonic()]
    others = [signal.setitimer(timer, every_s, every_s) for _, timer, every_s, _ in timers]
    try:
        yield
    except _Stuck as stuck:
        from homing.sim.workers.loading import where

        raise unusable(f"{stuck} It was at {where(stuck).partition(': ')[0]}") from None
    finally:
        ended_s = [time.process_time(), time.monotonic()]
        for place, (number, timer, _, _) in enumerate(timers):
            signal.setitimer(timer, 0)
            signal.signal(number, before[place])
            left_s, every_s = others[place]
            if left_s:
                took_s = ended_s[place] - began_s[place]
                signal.setitimer(timer, max(left_s - took_s, 0.001), every_s)


class _Pulse:
    """Whether a world has taken a step since it was last asked."""

    def __init__(self) -> None:
        self.cpu_s = 0.0
        self._seen: object = None

    def is_still(self, frame: FrameType | None) -> bool:
        """The world that runs is in the step that it was in before.

        Args:
            frame: what was interrupted; the loop below it knows its step.
        """
        self.cpu_s = time.process_time()
        while frame is not None and frame.f_code is not VirtualLoop._run_until.__code__:
            frame = frame.f_back
        now = frame and (frame.f_locals["self"], frame.f_locals["step"])
        before, self._seen = self._seen, now
        return now is not None and now == before


class _Stuck(KeyboardInterrupt):
    """A timer rang. Of this kind, because a task lets it through and does not keep it."""
