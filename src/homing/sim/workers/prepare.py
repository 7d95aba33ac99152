"""Before a worker is explored: does it work at all, and how long are its leases?"""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from inspect import iscoroutinefunction
from itertools import zip_longest
from pathlib import Path
from types import FrameType
from typing import Final
from warnings import catch_warnings, simplefilter

import msgspec

from homing.sim.draws import FirstInFirstOut
from homing.sim.loop import STEPS_MAX, VirtualLoop
from homing.sim.workers.case import Case
from homing.sim.workers.loading import (
    NotExplorable,
    is_homings,
    is_theirs,
    load_worker,
    shown,
    unusable,
)
from homing.sim.workers.outside import Seen, looking_on
from homing.sim.workers.schedule import run_world
from homing.sim.workers.trace import Event
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
#: how much longer it may take in real time; and the share of it in which it must have wanted the
#: processor to be no idler, or used it, where nobody counts how long it waited for its turn
_IDLE_TIMES: Final = 6
_WANTED_SHARE: Final = 0.5
_USED_SHARE: Final = 0.02
#: Linux: nanoseconds on the processor, nanoseconds in its queue, turns
_SCHEDULED: Final = Path("/proc/self/schedstat")


def prepare(case: Case, on_note: Callable[[str], None] = lambda text: None) -> Case:
    """The case, with delays that fit the worker, where nobody gave any.

    They are chosen a little longer than what the worker plans ahead (its leases and backoffs), and
    the request timeout so that slow answers come.

    Args:
        on_note: told what may be harmless, and is worth a look.

    Raises:
        Invalid: the worker does nothing useful even in a calm world, asks for what no world has,
            or is not deterministic.
    """
    with watchdog():
        with looking_on() as seen, catch_warnings(record=True) as warned:
            simplefilter("always")
            calm = run_world(case, 0, order=FirstInFirstOut(), choices={}, trace=True)
            _must_deliver(case, calm, [str(warning.message) for warning in warned])
            probes = [run_world(case, seed) for seed in range(_PROBES)]
        if seen.refused:
            raise unusable(seen.refused)
        for seed in range(_COMPARED):
            _must_repeat(case, seed, seen)
        again = run_world(case, 0, order=FirstInFirstOut(), choices={}, trace=True)
        _must_be_same(calm, again, seen)
    for text in seen.told:
        on_note(text)
    return case if case.are_delays_given else _with_delays(case, probes)


def _must_deliver(case: Case, result: Result, warned: Sequence[str]) -> None:
    if any(breach.invariant not in _AT_REST for breach in result.breaches):
        return  # a finding, and it works
    states = {name: state for name, state in result.states.items() if state is not None}
    delivered = [name for name, state in states.items() if state in case.ends.delivered]
    if result.died_of and len(delivered) < len(result.states):
        run = getattr(load_worker(case.worker), "run", None)
        hint = "" if run is None or iscoroutinefunction(run) else "; its run is no async def"
        raise unusable(f"in a calm world it {result.died_of}{hint}")
    for text in warned:
        if "was never awaited" in text:
            raise unusable(f"in a calm world {text}: each call of a port is awaited")
    if result.met.get("endless"):
        raise unusable(
            f"in a calm world it had done {STEPS_MAX:,} steps after {result.virtual_s:.0f} s and "
            "went on; does it ask again and again without waiting in between?"
        )
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


def _must_repeat(case: Case, seed: int, seen: Seen) -> None:
    first, second = (run_world(case, seed, trace=True) for _ in range(2))
    _must_be_same(first, second, seen)


def _must_be_same(first: Result, second: Result, seen: Seen) -> None:
    for one, other in zip_longest(first.events, second.events):
        if one != other:
            asks = "; ".join(seen.told) or (
                "does it use random or a global variable, or a query without a complete ORDER BY?"
            )
            raise unusable(
                f"it does not do the same in the same world: {_done(one)}, and the second time "
                f"{_done(other)}; {asks}"
            )


def _done(event: Event | None) -> str:
    if event is None:
        return "nothing more"
    return f"at {event.at_s:.1f} s {event.lane} “{event.what}”"


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
    only for a step in which it neither used the processor nor waited for its turn there.

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
    share = _USED_SHARE if _waited_s() is None else _WANTED_SHARE

    def ring_busy(_: int, frame: FrameType | None) -> None:
        if busy.is_still(frame):
            raise NotExplorable(
                f"{_place(frame)}: one step took {seconds:g} s of processor time and had not come "
                "back; does it loop without awaiting anything?"
            )

    def ring_idle(_: int, frame: FrameType | None) -> None:
        before_s = idle.wanted_s
        if idle.is_still(frame) and idle.wanted_s - before_s < share * seconds * _IDLE_TIMES:
            raise NotExplorable(
                f"{_place(frame)}: one step took {seconds * _IDLE_TIMES:g} s and wanted next to no "
                "processor time; does it wait in the machine's own time, as for a lock, a file or "
                "the network?"
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
        self.wanted_s = 0.0
        self._seen: object = None

    def is_still(self, frame: FrameType | None) -> bool:
        """The world that runs is in the step that it was in before.

        Args:
            frame: what was interrupted; the loop below it knows its step.
        """
        self.wanted_s = time.process_time() + (_waited_s() or 0.0)
        while frame is not None and frame.f_code is not VirtualLoop._run_until.__code__:
            frame = frame.f_back
        # interrupted before its first step it has none
        now = frame and (frame.f_locals["self"], frame.f_locals.get("step"))
        before, self._seen = self._seen, now
        return now is not None and now == before


def _place(frame: FrameType | None) -> str:
    """Where somebody's code was interrupted; or that it waited for its database."""
    while frame is not None:
        filename = frame.f_code.co_filename
        if is_theirs(filename):
            return f"{shown(filename)}:{frame.f_lineno}"
        if is_homings(filename) and Path(filename).parent.name == "adapters":
            return "in its database"
        frame = frame.f_back
    return "in a world"


def _waited_s() -> float | None:
    """For how long this process was ready to run and others ran instead; None: nobody counts."""
    try:
        used_ns, waited_ns, _ = _SCHEDULED.read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return None
    return float(waited_ns) / 1e9 if float(used_ns) else None
