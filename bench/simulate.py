"""How fast worlds are simulated, and how soon each missing safeguard loses something.

    python bench/simulate.py                  both
    python bench/simulate.py --only speed     attempts per second of one core
    python bench/simulate.py --only ablation  the table of safeguards
    python bench/simulate.py --write          and put the table into docs/explanation/no-loss.md

Seconds are of the processor, in this process alone: what else the machine does matters less.
Exit code 1 where a bar is missed.
"""

from __future__ import annotations

import argparse
import gc
import re
import sys
import time
from pathlib import Path

import msgspec

from homing.sim.runs import Plan, hunt, run_some
from homing.sim.safeguards import SAFEGUARDS, Safeguard
from homing.sim.schedule import PYTHON

PAGE = Path(__file__).resolve().parents[1] / "docs/explanation/no-loss.md"
BEGIN, END = "<!-- ablation:begin -->", "<!-- ablation:end -->"

#: simulated attempts per second of one core
SPEED_MUST = 20_000
#: seconds until a missing safeguard's loss is found
ABLATION_MUST_S = 60.0


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the table."""

    safeguard: Safeguard
    seed: int | None
    seconds: float  #: until it was found, made small, and told


def speed(worlds: int, rounds: int) -> float:
    """Attempts per second of one core; the best round, as the others were disturbed."""
    best = 0.0
    for _ in range(rounds):
        gc.collect()
        began = time.process_time()
        tally = run_some(1, worlds, Plan())
        best = max(best, tally.attempts / (time.process_time() - began))
        assert not tally.broken, tally.broken[0]
    return best


def ablate(safeguard: Safeguard) -> Found:
    """Take it out and look."""
    began = time.process_time()
    found = hunt(safeguard.name, finds=1)
    return Found(safeguard=safeguard, seed=found.seed, seconds=time.process_time() - began)


def table(lines: list[Found]) -> str:
    """As Markdown."""
    head = (
        f"Seeds are those of Python {PYTHON}; seconds are of the processor, from the start of the "
        "search to the schedule shown.\n\n"
        "| safeguard | against | production … | taken out … | breaks | seed | s |\n"
        "|---|---|---|---|---|---|---|\n"
    )
    return head + "".join(
        f"| `{one.safeguard.name}` | {one.safeguard.against} | {one.safeguard.does} "
        f"| {one.safeguard.instead} | `{one.safeguard.breaks}` | {one.seed} "
        f"| {one.seconds:.1f} |\n"
        for one in lines
    )


def rows_in(text: str) -> dict[str, tuple[str, str, int]]:
    """What a page's table says: (against, breaks, seed) by safeguard."""
    rows = re.findall(
        r"^\| `([\w-]+)` \| ([^|]+) \|[^|]*\|[^|]*\| `(\w+)` \| (\d+) \| [\d.]+ \|$", text, re.M
    )
    return {name: (against, breaks, int(seed)) for name, against, breaks, seed in rows}


def write(text: str) -> None:
    """Put the table between the page's markers."""
    page = PAGE.read_text()
    before, rest = page.split(BEGIN)
    after = rest.split(END)[1]
    PAGE.write_text(f"{before}{BEGIN}\n{text}{END}{after}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", choices=("speed", "ablation"))
    parser.add_argument("--worlds", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    missed = False
    if given.only != "ablation":
        attempts_s = speed(given.worlds, given.rounds)
        missed = attempts_s < SPEED_MUST
        print(f"{attempts_s:,.0f} simulated attempts per second of one core (must: {SPEED_MUST:,})")
    if given.only != "speed":
        lines = []
        for safeguard in SAFEGUARDS:
            found = ablate(safeguard)
            lines.append(found)
            missed = missed or found.seed is None or found.seconds > ABLATION_MUST_S
            print(f"{safeguard.name:30} seed {found.seed!s:>5}  {found.seconds:5.1f} s")
        if given.write:
            write(table(lines))
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
