"""Breaks what Homing runs on, under load, and counts at both ends whether anything was lost.

    python -m bench.chaos                                    every fault, three nodes, two minutes
    python -m bench.chaos --faults kill --store sqlite --deliveries 100000
    python -m bench.chaos --deliveries 1000000 --endpoints 1000 --failing 0.05 --hanging 0.01 \\
        --faults kill --nodes 2 --rate 0

Exit code 0: nothing was lost; 1: the verdict is invalid; 2: the run could not show it.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bench.chaos import network
from bench.chaos.curve import to_csv, to_svg
from bench.chaos.judge import Judgement, judge
from bench.chaos.plan import OF_DATABASE, ON_SQLITE, Kind
from bench.chaos.run import Trial, run
from bench.chaos.stage import find_faketime

_EXITS: dict[bool | str, int] = {True: 0, False: 1, "unknown": 2}
#: messages per request, where they come at a rate: a fault should find many requests under way
_BATCH_AT_A_RATE = 10
_BATCH = 100


def main() -> int:
    # Whoever ends a run, even one in the background, gets the machine back as it was.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    options = _parser().parse_args()
    try:
        trial = _trial(options)
        trial.layout  # noqa: B018 (raises where it cannot be)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    lacking = what_is_missing(trial)
    if lacking:
        print(f"error: {lacking}", file=sys.stderr)
        return 2
    if options.plot:  # before the run: what it found must not be lost for want of a folder
        options.plot.parent.mkdir(parents=True, exist_ok=True)
    if trial.is_networked:
        network.enter("bench.chaos", sys.argv[1:])
    folder = Path(tempfile.mkdtemp(prefix="homing-chaos-"))
    progress = _Progress(quiet=options.json)
    judgement = run(trial, folder, lambda evidence: judge(evidence, trial), progress.say)
    progress.end()
    document = _document(judgement, trial)
    print(json.dumps(document, indent=2)) if options.json else _tell(document)
    if options.plot:
        _draw(judgement, trial, options.plot)
    code = _EXITS[judgement.verdict.valid]
    if options.keep or code:
        print(f"logs and reports: {folder}", file=sys.stderr)
    else:
        shutil.rmtree(folder)
    return code


def what_is_missing(trial: Trial) -> str | None:
    """What this machine lacks for a trial, with the remedy."""
    if Kind.SKEW in trial.faults and find_faketime() is None:
        return "libfaketime is missing: apt-get install libfaketime (or leave out `skew`)"
    return network.missing() if trial.is_networked else None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.chaos",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--store", choices=("sqlite", "postgres"), default="postgres")
    parser.add_argument("--deliveries", type=int, help="stop after so many; default: no bound")
    parser.add_argument("--duration", type=float, metavar="S", help="seconds of load and faults")
    parser.add_argument("--rate", type=float, help="deliveries per second; 0: as fast as accepted")
    parser.add_argument("--nodes", type=int, help="default: 2 on SQLite, 3 on PostgreSQL")
    parser.add_argument(
        "--faults",
        default="all",
        help=f"comma-separated: {','.join(Kind)}; `all` the store has, or `none`",
    )
    parser.add_argument("--every-s", type=float, default=4.0, help="from fault to fault, average")
    parser.add_argument("--endpoints", type=int, default=20)
    parser.add_argument("--fanout", type=int, help="endpoints a message goes to")
    parser.add_argument("--failing", type=float, default=0.05, help="share that refuses twice")
    parser.add_argument("--hanging", type=float, default=0.0, help="share that never answers")
    parser.add_argument("--drain-max-s", type=float, default=300.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--plot", type=Path, help="write the curve as FILE.svg and FILE.csv")
    parser.add_argument("--json", action="store_true", help="the result as JSON")
    parser.add_argument("--keep", action="store_true", help="keep logs and reports")
    return parser


def _trial(options: argparse.Namespace) -> Trial:
    possible = ON_SQLITE if options.store == "sqlite" else tuple(Kind)
    named = {"all": possible, "none": ()}.get(options.faults)
    faults = named if named is not None else tuple(map(Kind, options.faults.split(",")))
    if options.store == "sqlite" and not set(faults) <= set(ON_SQLITE):
        wrong = ", ".join(sorted(set(faults) - set(ON_SQLITE)))
        raise ValueError(f"{wrong}: SQLite has no server; expected {', '.join(ON_SQLITE)}")
    rate = options.rate
    if rate is None:
        rate = 0.0 if options.deliveries else 200.0
    if options.duration is None and options.deliveries is None:
        options.duration = 120.0
    return Trial(
        store=options.store,
        deliveries=options.deliveries or 10**9,
        duration_s=options.duration or 3_600.0,
        rate=rate,
        nodes=options.nodes or (2 if options.store == "sqlite" else 3),
        endpoints=options.endpoints,
        fanout=options.fanout or max(1, options.endpoints // 100) * 2,
        failing=options.failing,
        hanging=options.hanging,
        faults=tuple(faults),
        every_s=options.every_s,
        batch=_BATCH_AT_A_RATE if rate else _BATCH,
        drain_max_s=options.drain_max_s,
        seed=options.seed,
    )


def _document(judgement: Judgement, trial: Trial) -> dict[str, Any]:
    verdict = judgement.verdict
    return {
        "valid": verdict.valid,
        "problems": verdict.problems,
        "doubts": verdict.doubts,
        "deliveries": verdict.figures,
        "run": judgement.figures,
        "faults": {
            str(kind): sum(band.kind == kind for band in judgement.bands) for kind in trial.faults
        },
        "publications_without_an_answer": judgement.silences,
        "trial": msgspec.to_builtins(trial),
    }


#: what a figure is, where its name does not say it
_MEANINGS = {
    "accepted": "the publisher was told 2xx",
    "unknown to the publisher": "it was told nothing: counted neither as a success nor a failure",
    "ok": "received, and sent by a publisher",
    "lost": "accepted, and neither received nor a dead letter with a reason",
    "recovered": "received, though its publisher gave up without knowing",
    "unexpected": "received, though nobody sent it there",
    "duplicated": "received more often than once: allowed, and counted",
    "given up, receiver works": "a dead letter that should have arrived",
    "receiver never answers": "can only be accounted for",
}
#: what must be 0
_BAD = {"lost", "unexpected", "given up, receiver works"}


def _tell(document: dict[str, Any]) -> None:
    """The verdict first, then what it rests on."""
    console = Console(highlight=False)
    figures, run = document["deliveries"], document["run"]
    colour, verdict = {
        True: ("green", "valid: not one was lost"),
        False: ("red", "NOT VALID"),
        "unknown": ("yellow", "unknown: the run could not show it"),
    }[document["valid"]]
    faults = sum(document["faults"].values())
    of = f"{figures['accepted']:,} accepted, {faults} faults, {run['seconds']:,.0f} s"
    console.print(Text.assemble((verdict, f"bold {colour}"), f" ({of})"))
    for problem in document["problems"]:
        console.print(Text.assemble(("problem: ", "bold red"), problem))
    for doubt in document["doubts"]:
        console.print(Text.assemble(("doubt: ", "bold yellow"), doubt))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(justify="right")
    table.add_column()
    table.add_column(style="dim")
    for title, part in (("deliveries", figures), ("the run", run), ("faults", document["faults"])):
        table.add_row("", "", "")
        table.add_row("", Text(title, style="bold"), "")
        for name, count in part.items():
            style = "bold red" if count and name in _BAD else ""
            meaning = _MEANINGS.get(name, "") if title == "deliveries" else ""
            table.add_row(Text(f"{count:,}", style=style), Text(name, style=style), meaning)
    console.print(table)


def _draw(judgement: Judgement, trial: Trial, stem: Path) -> None:
    figures = judgement.verdict.figures
    note = (
        f"{trial.nodes} nodes on {trial.store}, seed {trial.seed}: {figures['accepted']:,} "
        f"accepted, {figures['lost']:,} lost, {figures['duplicated']:,} received twice or more"
    )
    if OF_DATABASE.intersection(trial.faults):
        note += "; the database was broken too"
    title = "Accepted and not yet received, while nodes, network and database break"
    stem.with_suffix(".svg").write_text(
        to_svg(judgement.curve, judgement.bands, title=title, note=note)
    )
    stem.with_suffix(".csv").write_text(to_csv(judgement.curve))


class _Progress:
    """One line that changes, on a terminal; otherwise one every few seconds."""

    def __init__(self, *, quiet: bool) -> None:
        self._terminal = sys.stderr.isatty()
        self._quiet = quiet and not self._terminal
        self._every_s = 0.2 if self._terminal else 5.0
        self._said_s = 0.0

    def say(self, line: str) -> None:
        if self._quiet or time.monotonic() - self._said_s < self._every_s:
            return
        self._said_s = time.monotonic()
        if self._terminal:
            width = shutil.get_terminal_size().columns - 1
            print(f"\r\x1b[K{line[:width]}", end="", file=sys.stderr, flush=True)
        else:
            print(line, file=sys.stderr, flush=True)

    def end(self) -> None:
        if self._terminal:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
