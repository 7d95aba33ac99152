"""`homing verify --watch`: counts a log again and again until a zero is worth something."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from homing.cli.client import ApiError
from homing.cli.counted_logs import count_logs
from homing.cli.following import LiveLog, is_live
from homing.core.errors import ConfigError, StoreError
from homing.core.plurals import plural
from homing.insight.rates import deliveries_to_exclude, exact
from homing.insight.verification import Arm, Verdict, Verification, percent
from homing.system import SystemClock

Say = Callable[[str], None]
_US: Final = 1_000_000


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What is watched, and from when."""

    log: str  #: a file, a glob, a database of Homing or its server
    mapping: str | None = None
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
    say = say or (lambda text: None)
    needed = deliveries_to_exclude(exact(before.all.k, before.all.n).low)
    with tempfile.TemporaryDirectory(prefix="homing-") as folder:
        live = None
        if is_live(asked.log):
            live = LiveLog(asked.log, Path(folder) / "live.jsonl", asked.since_us or 0)
            live.read()
            say(plan_line(needed, live.earlier_per_s))
        while True:
            found = _look(asked, live, before, judge, say)
            if found is not None:
                return found
            time.sleep(asked.every_s)
            if live is not None:
                try:
                    live.read()
                except (ApiError, StoreError) as error:
                    say(f"{asked.log} is away: {error}; looking again in {asked.every_s:g} s")


def _look(
    asked: Asked,
    live: LiveLog | None,
    before: Arm,
    judge: Callable[[Arm], Verification],
    say: Say,
) -> Verification | None:
    """What there is to say by now; None: it takes more deliveries."""
    if live is not None and not live.kept:
        say("nothing was accepted since then")
        return None
    log = asked.log if live is None else str(live.target)
    counted = count_logs([log], mapping=asked.mapping, since_us=asked.since_us)
    found = judge(counted.arm)
    if found.verdict is not Verdict.UNPROVEN or found.all.after.k or _is_hopeless(found):
        return found
    until_us = counted.last_us if live is None else SystemClock().now_us()
    say(progress_line(found, (until_us - counted.first_us) / _US))
    return None


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
