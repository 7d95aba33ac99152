"""`homing verify --watch`: counts a log again and again until a zero is worth something."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from homing.cli.client import ApiError
from homing.cli.counted_logs import count_logs
from homing.cli.following import LiveLog, is_live
from homing.cli.forensics import HERE
from homing.core.errors import ConfigError, HomingError, StoreError
from homing.core.plurals import plural
from homing.insight.rates import deliveries_to_exclude, exact
from homing.insight.verification import Arm, Verdict, Verification, percent
from homing.system import SystemClock

if TYPE_CHECKING:
    from homing.forensics.counting import Counted

Say = Callable[[str], None]
_US: Final = 1_000_000


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What is watched, and from when."""

    log: str  #: a file, a glob, a database of Homing or its server; or a table of the engine
    mapping: str | None = None
    engine: str = HERE
    since_us: int | None = None
    every_s: float = 30.0


def watch_log(
    asked: Asked, before: Arm, judge: Callable[[Arm], Verification], say: Say | None = None
) -> Verification:
    """Count again and again. The number to reach is fixed beforehand, so looking often is fair.

    A service that is away for a while is asked again; what was read of it is not read twice.

    Args:
        judge: compares what came before with what has come since.
        say: told how far it is; None: nobody listens.

    Returns:
        At the first drop, or when as many deliveries as were needed have shown none.

    Raises:
        ConfigError: no number of zeros would prove anything, or the log is not there at all.
    """
    if before.all.k == 0:
        raise ConfigError(
            ["--watch: nothing was dropped before, so no number of zeros proves more"]
        )
    if asked.log == "-" and asked.engine == HERE:
        raise ConfigError(["--watch: expected a log that can be read again; standard input cannot"])
    say = say or (lambda text: None)
    needed = deliveries_to_exclude(exact(before.all.k, before.all.n).low)
    with tempfile.TemporaryDirectory(prefix="homing-") as folder:
        looks: _LiveLooks | _FileLooks
        if asked.engine == HERE and is_live(asked.log):
            looks = _LiveLooks(asked, Path(folder) / "live.jsonl", say)
        else:
            looks = _FileLooks(asked, say)
        say(plan_line(needed, looks.earlier_per_s))
        while True:
            seen = looks.look()
            if seen is not None:
                found = judge(seen.counted.arm)
                if _is_settled(found):
                    return found
                say(progress_line(found, seen.span_s))
            time.sleep(asked.every_s)


class _Seen(NamedTuple):
    """What one look saw."""

    counted: Counted
    span_s: float  #: in which it was accepted


class _LiveLooks:
    """At a database or a server: what is new is fetched each time, and kept."""

    def __init__(self, asked: Asked, target: Path, say: Say) -> None:
        self._asked, self._say = asked, say
        self._live = LiveLog(asked.log, target, asked.since_us or 0)
        self._read_at_us = 0
        self._read()
        self.earlier_per_s = self._live.earlier_per_s
        self._is_first = True

    def _read(self) -> None:
        """What is new by now; the time is taken before, as counting may take long."""
        self._read_at_us = SystemClock().now_us()
        self._live.read()

    def look(self) -> _Seen | None:
        """What there is by now; None: nothing yet."""
        asked = self._asked
        if not self._is_first:
            try:
                self._read()
            except (ApiError, StoreError) as error:
                self._say(f"{asked.log} is away: {error}; looking again in {asked.every_s:g} s")
                return None
        self._is_first = False
        if not self._live.kept:
            self._say("nothing was accepted since then")
            return None
        counted = count_logs(
            [str(self._live.target)], mapping=asked.mapping, since_us=asked.since_us
        )
        return _Seen(counted, (self._read_at_us - counted.first_us) / _US)


class _FileLooks:
    """At a file, or a glob: all of it is read again each time."""

    earlier_per_s = 0.0

    def __init__(self, asked: Asked, say: Say) -> None:
        self._asked, self._say = asked, say
        self._accepted: int | None = None  #: at the last look

    def look(self) -> _Seen | None:
        """What there is by now; None: it cannot be read just now.

        Raises:
            HomingError: it could not be read at the first look, and is not just empty.
        """
        asked, log = self._asked, self._asked.log
        try:
            counted = count_logs(
                [log], mapping=asked.mapping, engine=asked.engine, since_us=asked.since_us
            )
        except HomingError as error:
            is_empty = Path(log).is_file() and not Path(log).stat().st_size
            if self._accepted is None and not is_empty:
                raise
            why = "nothing is in it" if is_empty else f"it cannot be read now: {error}"
            self._say(f"{log}: {why}; looking again in {asked.every_s:g} s")
            return None
        before, self._accepted = self._accepted or 0, counted.accepted
        if counted.accepted < before:
            self._say(
                f"{log}: {counted.accepted:,} deliveries, and {before:,} at the last look: it was "
                f"rotated or cut; to count all of them, name its parts together, as '{log}*'"
            )
        return _Seen(counted, (counted.last_us - counted.first_us) / _US)


def _is_settled(found: Verification) -> bool:
    """More deliveries are not waited for."""
    return found.verdict is not Verdict.UNPROVEN or found.all.after.k > 0 or _is_hopeless(found)


def _is_hopeless(found: Verification) -> bool:
    """No number of deliveries will change the answer."""
    return found.model is not None and found.model.violations > 0


def plan_line(needed: int, per_s: float) -> str:
    """What it will take, before the first look.

    Args:
        needed: deliveries without a drop.
        per_s: deliveries accepted per second before the deployment; 0.0: not known.
    """
    text = f"it takes {plural(needed, 'delivery')} without a drop to exclude the rate before at 95%"
    if not per_s:
        return f"{text}; how long that is shows with the first of them"
    pace = f"{per_s:,.1f} a second" if per_s >= 1 else f"{per_s * 3_600:,.0f} an hour"
    return f"{text}: about {length_text(needed / per_s)} at the {pace} of before"


def progress_line(found: Verification, span_s: float) -> str:
    """How far it is, and how long it will take at the pace so far."""
    parts = []
    remaining = 0.0
    for what, one in (("deliveries", found.all), ("where the fault lives", found.guilty)):
        if one is None or one.zero is None:
            continue
        n, need = one.zero.deliveries, one.zero.needed_95
        bound = f"excludes {percent(one.zero.excludes_95)}" if n else "excludes nothing yet"
        parts.append(f"{n:,} of {need:,} {what} ({bound})")
        if n < need:
            remaining = max(
                remaining, (need - n) * span_s / n if n and span_s > 0 else float("inf")
            )
    if remaining == float("inf"):
        left = "no pace yet"
    elif remaining:
        left = f"about {length_text(remaining)} to go"
    else:
        left = found.reasons[0] if found.reasons else "done"
    return f"none dropped so far: {'; '.join(parts)}; {left}"


def length_text(seconds: float) -> str:
    """A length of time in one unit."""
    for size, word in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {word}"
    return f"{seconds:.0f} seconds"
