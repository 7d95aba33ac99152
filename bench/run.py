"""The performance promises, with numbers: runs the scenarios and compares them with the bars.

    make bench                                  a few minutes, smaller counts
    python bench/run.py --full                  all of it
    python bench/run.py --only throughput slow  some of it
    python bench/run.py --full --json out.json  with every figure

Load generator, receiver and Homing are separate processes on this machine and share its cores;
fsync is on. Every run ends with `homing audit` and a count at the receiver; a difference is an
error, and no figure. Exit code 1 where a bar that must be held is not.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import msgspec

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench import celery_rival, scenarios
from bench.scenarios import Figures

STORES = ("SQLite", "PostgreSQL")


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """How much is measured."""

    messages: int
    rounds: int  #: of which the median is taken
    latency_s: float
    slow: int
    hold_s: float
    due: int
    stored: int
    fanouts: tuple[int, ...]
    tasks: int


QUICK = Size(
    messages=15_000,
    rounds=1,
    latency_s=5,
    slow=2_000,
    hold_s=5,
    due=30_000,
    stored=200_000,
    fanouts=(1, 10),
    tasks=1_000,
)
FULL = Size(
    messages=60_000,
    rounds=3,
    latency_s=20,
    slow=10_000,
    hold_s=30,
    due=1_000_000,
    stored=10_000_000,
    fanouts=(1, 10, 100),
    tasks=3_000,
)


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table."""

    what: str
    value: float
    unit: str
    must: float | None = None  #: the bar; None: told, not judged
    aim: float | None = None
    at_least: bool = True  #: whether more is better
    detail: str = ""

    @property
    def verdict(self) -> str:
        if self.must is None:
            return ""
        if self._holds(self.aim):
            return "aim"
        return "ok" if self._holds(self.must) else "MISSED"

    def _holds(self, bar: float | None) -> bool:
        if bar is None:
            return False
        return self.value >= bar if self.at_least else self.value <= bar


class Run:
    """Collects lines while the scenarios run.

    Args:
        stores: on which.
    """

    def __init__(self, size: Size, stores: tuple[str, ...]) -> None:
        self.size = size
        self.stores = stores
        self.lines: list[Line] = []
        self.figures: dict[str, object] = {}

    def throughput(self) -> None:
        """Accepted to recorded, as fast as it goes."""
        for store in self.stores:
            figures = self._rate(store)
            command = "serve" if store == "SQLite" else "serve --workers 2"
            self._add(
                f"{store}, `{command}`: delivered and recorded",
                figures.per_second,
                "/s",
                must=5_000,
                aim=10_000,
                detail=f"{figures.deliveries:,} messages, 128 connections; "
                f"others busy on {figures.strangers:.2f} cores",
            )
            self._costs(store, figures)

    def latency(self) -> None:
        """At half of the maximum rate."""
        for store in self.stores:
            rate = self._rate(store).per_second / 2
            figures = scenarios.latency(store, rate, self.size.latency_s)
            self.figures[f"latency {store}"] = figures
            for name, must, aim in (("p50", 10, 5), ("p99", 50, 20)):
                self._add(
                    f"{store}: publisher to receiver, {name}",
                    getattr(figures, f"{name}_ms"),
                    "ms",
                    must=must,
                    aim=aim,
                    at_least=False,
                    detail=f"at {rate:,.0f}/s; 202 to receipt "
                    f"{getattr(figures, f'after_202_{name}_ms'):.1f} ms",
                )

    def slow(self) -> None:
        """Memory with many slow requests in flight."""
        found = scenarios.slow("SQLite", self.size.slow, self.size.hold_s)
        self.figures["slow"] = found
        self._add(
            f"memory with {found['held']:,.0f} slow requests in flight",
            found["peak_bytes"] / 2**20,
            "MiB",
            must=300,
            aim=200,
            at_least=False,
            detail=f"{found['idle_bytes'] / 2**20:.0f} MiB when idle",
        )

    def backlog(self) -> None:
        """What is due and belongs to nobody."""
        for store in self.stores:
            figures = scenarios.backlog(store, self.size.due)
            self.figures[f"backlog {store}"] = figures
            self._add(
                f"{store}: backlog of {figures.deliveries:,} drained",
                figures.per_second,
                "/s",
                must=5_000,
                aim=10_000,
                detail=f"{figures.cpu_us:.0f} µs CPU each",
            )

    def fanout(self) -> None:
        """One message to several endpoints."""
        for store in self.stores:
            for endpoints in self.size.fanouts:
                count = max(self.size.messages // endpoints, 100)
                figures = scenarios.throughput(store, count, endpoints=endpoints)
                self.figures[f"fan-out {endpoints} {store}"] = figures
                self._add(
                    f"{store}: deliveries, fan-out {endpoints}",
                    figures.per_second,
                    "/s",
                    detail=f"{figures.cpu_us:.0f} µs CPU each",
                )

    def stored(self) -> None:
        """With many finished deliveries in the database, against none."""
        for store in self.stores:
            empty = scenarios.throughput(store, self.size.messages)
            full = scenarios.throughput(store, self.size.messages, stored=self.size.stored)
            self.figures[f"stored {store}"] = {"empty": empty, "full": full}
            cost = [figures.cpu_us + figures.database_cpu_us for figures in (empty, full)]
            self._add(
                f"{store}: cost per delivery with {self.size.stored:,} stored",
                cost[1] / cost[0],
                "x",
                must=1.2,
                aim=1.05,
                at_least=False,
                detail=f"CPU {cost[0]:.0f} → {cost[1]:.0f} µs, of which the database "
                f"{empty.database_cpu_us:.0f} → {full.database_cpu_us:.0f}; "
                f"{empty.per_second:,.0f} → {full.per_second:,.0f}/s",
            )

    def rival(self) -> None:
        """What people do instead."""
        rates = {store: self._rate(store).per_second for store in self.stores}
        try:
            versions = celery_rival.versions()
            theirs = [
                celery_rival.measure(self.size.tasks)["rate"] for _ in range(self.size.rounds)
            ]
        except celery_rival.Absent as absent:
            print(f"!!! NOT COMPARED with Celery: {absent}", file=sys.stderr, flush=True)
            return
        self.figures["rival"] = theirs
        for store, ours in rates.items():
            self._add(
                f"{store}: ratio to Celery + Redis + requests",
                ours / median(theirs),
                "x",
                must=12,
                aim=22,
                detail=f"{median(theirs):,.0f}/s; {versions}",
            )

    def _rate(self, store: str) -> Figures:
        """The maximum rate on a store: the run of median speed, measured once."""
        known = self.figures.get(f"throughput {store}")
        if not known:
            known = sorted(
                [scenarios.throughput(store, self.size.messages) for _ in range(self.size.rounds)],
                key=lambda figures: figures.per_second,
            )
            self.figures[f"throughput {store}"] = known
        assert isinstance(known, list)
        figures: Figures = known[len(known) // 2]
        return figures

    def _costs(self, store: str, figures: Figures) -> None:
        server = f", and PostgreSQL {figures.database_cpu_us:.0f} µs"
        self._add(
            f"{store}: CPU of the service per delivery",
            figures.cpu_us,
            "µs",
            must=180,
            aim=100,
            at_least=False,
            detail=server[2:] if figures.database_cpu_us else "",
        )
        self._add(
            f"{store}: round trips per delivery",
            figures.round_trips,
            "",
            must=0.1,
            aim=0.05,
            at_least=False,
            detail=f"{figures.commits:.4f} commits",
        )

    def _add(self, what: str, value: float, unit: str, **more: object) -> None:
        line = Line(what=what, value=value, unit=unit, **more)  # type: ignore[arg-type]
        self.lines.append(line)
        print(_row(line), flush=True)


SCENARIOS: dict[str, Callable[[Run], None]] = {
    "throughput": Run.throughput,
    "latency": Run.latency,
    "slow": Run.slow,
    "fanout": Run.fanout,
    "rival": Run.rival,
    "backlog": Run.backlog,
    "stored": Run.stored,
}


def _row(line: Line) -> str:
    value = f"{line.value:,.0f}" if line.value >= 100 else f"{line.value:,.3g}"
    bar = ""
    if line.must is not None:
        bar = f"{'≥' if line.at_least else '≤'} {line.must:g}, aim {line.aim:g}"
    return (
        f"{line.what:<58} {value:>8} {line.unit:<4} {bar:<22} {line.verdict:<7} {line.detail}"
    ).rstrip()


def machine() -> str:
    """Where and with what this is measured."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    return (
        f"{len(os.sched_getaffinity(0))} cores ({model}), {platform.platform()}, "
        f"CPython {platform.python_version()}, load {os.getloadavg()[0]:.1f} before"
    )


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--full", action="store_true", help="all of it; takes half an hour")
    arguments.add_argument("--only", nargs="+", choices=SCENARIOS, default=list(SCENARIOS))
    arguments.add_argument("--store", choices=STORES, action="append")
    arguments.add_argument("--json", type=Path, metavar="FILE", help="write every figure")
    for field in ("messages", "rounds", "due", "stored"):
        arguments.add_argument(f"--{field}", type=int)
    options = arguments.parse_args()
    size = FULL if options.full else QUICK
    for field in ("messages", "rounds", "due", "stored"):
        if getattr(options, field) is not None:
            size = msgspec.structs.replace(size, **{field: getattr(options, field)})
    print(machine(), flush=True)
    began_s = time.monotonic()
    run = Run(size, tuple(options.store or STORES))
    for name in options.only:
        SCENARIOS[name](run)
    missed = [line.what for line in run.lines if line.verdict == "MISSED"]
    print(f"{time.monotonic() - began_s:.0f} s; missed: {', '.join(missed) or 'none'}")
    if options.json is not None:
        document = {"machine": machine(), "lines": run.lines, "figures": run.figures}
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=2))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
