"""`homing reproduce`: somebody's own retry worker in worlds whose time and order are ours."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from homing.cli.incidents import at_option, record
from homing.cli.output import as_json, note, print_json, say
from homing.cli.reproduce_display import (
    report_document,
    show_report,
    show_story,
    story_document,
)
from homing.cli.reproduce_incident import Asked, reproduce_incident
from homing.sim.schedule import PYTHON
from homing.sim.workers import pages
from homing.sim.workers.case import STORES, declared
from homing.sim.workers.explore import Plan, explore
from homing.sim.workers.loading import load_worker
from homing.sim.workers.prepare import prepare, watchdog
from homing.sim.workers.schedule import Schedule, parse_token
from homing.sim.workers.story import Story, tell

_EXIT_FOUND: Final = 1
_JOBS_FROM: Final = 20_000
_Command = TypeVar("_Command", bound=Callable[..., Any])


def _file(name: str, help_: str) -> Callable[[_Command], _Command]:
    path = click.Path(dir_okay=False, writable=True, path_type=Path)
    return click.option(name, type=path, metavar="FILE", help=help_)


@click.command()
@click.argument("what", required=False)
@click.option(
    "--runs",
    type=click.IntRange(1),
    default=5_000,
    show_default=True,
    metavar="N",
    help="How many runs at random; as many near to calm, and two fifths by priorities, are added.",
)
@click.option("--workers", type=click.IntRange(1, 4), metavar="N", help="Workers; 2 if absent.")
@click.option("--deliveries", type=click.IntRange(1, 5), metavar="N", help="2 if absent.")
@click.option("--store", type=click.Choice(STORES), help="What the worker's first argument is.")
@click.option("--timeout", "timeout_s", type=float, metavar="S", help="Of a request, in seconds.")
@click.option("--delays", metavar="S,S", help="Slow answers and standstills, in seconds.")
@click.option("--from", "first", type=click.IntRange(0), default=0, metavar="N", help="First seed.")
@click.option("--jobs", type=click.IntRange(1), metavar="N", help="Processes; all cores if absent.")
@click.option("--fixed", metavar="WORKER", help="Have what was found again with this one.")
@click.option("--worker", metavar="WORKER", help="With an incident: yours.")
@click.option(
    "--times",
    type=click.IntRange(1),
    default=20,
    show_default=True,
    metavar="K",
    help="With an incident: worlds that are held to its schedule.",
)
@click.option("--replay", metavar="TOKEN", help="Have one schedule again.")
@click.option("--trace", is_flag=True, help="Every event of the schedule, too.")
@_file("--html", "Write the schedule that was found as a page.")
@_file("--mermaid", "As a sequence diagram.")
@_file("--pytest", "As a test.")
@at_option
@as_json
def reproduce(
    what: str | None,
    runs: int,
    workers: int | None,
    deliveries: int | None,
    store: str | None,
    timeout_s: float | None,
    delays: str | None,
    first: int,
    jobs: int | None,
    fixed: str | None,
    worker: str | None,
    times: int,
    replay: str | None,
    trace: bool,
    html: Path | None,
    mermaid: Path | None,
    pytest: Path | None,
    at_us: int | None,
    as_json: bool,
) -> None:
    """Find the schedule in which a retry worker loses a delivery, or sends after success.

    \b
    WHAT is package.module:Worker or path/to/file.py:Worker: an asyncio worker of yours, made as
    Worker(store, sender, clock, chance, name) and run by its `run()`. Two of them share a store
    under virtual time. Every call they make is a place where the other may go first, where the
    process may die, stand still or lose its answer; receivers answer 2xx, 5xx, late or never.
    What breaks is made as small as it gets and shown on one screen, with a token to have it again.

    \b
    WHAT may also be the file that `homing investigate LOG --save FILE` wrote: then the worker is
    held to the schedule of the mechanism that the log shows, so many times, each with other
    workers, deliveries, order and jitter. --worker names yours; without it the worker is a model
    of Homing's own that has the fault, which shows the mechanism and says nothing of your service.

    \b
    Exit codes: 0 nothing found, 1 something found, 2 the worker cannot be imported or run.

    \b
    Examples:
      homing reproduce incident.json --worker shop.retries:Worker --fixed shop.retries:Fixed
      homing reproduce incident.json
      homing reproduce shop.retries:Worker
      homing reproduce worker.py:Worker --runs 50000 --workers 3
      homing reproduce worker.py:Worker --fixed worker.py:Fixed --pytest test_retries.py
      homing reproduce --replay w1.…
    """
    if replay is not None:
        story = _replay(parse_token(replay), fixed or "", as_json=as_json, trace=trace)
    elif what is not None:
        given: dict[str, Any] = {
            "workers": workers,
            "deliveries": deliveries,
            "store": store,
            "timeout_s": timeout_s,
            "delays_s": _seconds(delays),
        }
        plan = Plan(
            runs=runs,
            priority_runs=max(runs * 2 // 5, 1),
            small_runs=runs,
            first=first,
            jobs=jobs or (os.cpu_count() or 1 if runs >= _JOBS_FROM else 1),
        )
        if ":" in what and not Path(what).is_file():
            shown = {"as_json": as_json, "trace": trace}
            story = _explore(what, given, plan, fixed or "", at_us=at_us, **shown)
        else:
            asked = Asked(
                times=times, first=first, worker=worker, fixed=fixed, given=given, at_us=at_us
            )
            story = reproduce_incident(Path(what), asked, as_json=as_json)
    else:
        raise click.UsageError(
            "expected package.module:Worker, the file of an incident, or --replay TOKEN; see --help"
        )
    if story is not None:
        _write(story, html, mermaid, pytest)
        raise click.exceptions.Exit(_EXIT_FOUND)


def _seconds(text: str | None) -> tuple[float, ...] | None:
    if text is None:
        return None
    try:
        found = tuple(float(part) for part in text.split(","))
    except ValueError:
        found = ()
    if not found or min(found) <= 0:
        raise click.BadParameter(f"expected seconds such as 5,40; found {text!r}")
    return found


def _progress(total: int, *, as_json: bool) -> Progress | None:
    """A bar on a terminal, on standard error."""
    stderr = Console(file=sys.stderr)  # this one: what workers write to it later is not ours
    if as_json or not stderr.is_terminal:
        return None
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=stderr,
        transient=True,
    )


def _explore(
    name: str,
    given: dict[str, Any],
    plan: Plan,
    fixed: str,
    *,
    at_us: int | None,
    as_json: bool,
    trace: bool,
) -> Story | None:
    if fixed:
        load_worker(fixed)
    case = declared(load_worker(name), name, **given)
    case = prepare(case, note)
    total = plan.runs + plan.priority_runs + plan.small_runs
    progress = _progress(total, as_json=as_json)
    with watchdog(), progress or nullcontext():
        bar = progress.add_task("runs", total=total) if progress else None

        def on_runs(runs: int) -> None:
            if progress and bar is not None:
                progress.update(bar, completed=runs)

        def on_found() -> None:
            if progress and bar is not None:
                progress.update(bar, description="found; making it small", total=None)

        report = explore(case, plan, on_runs, on_found)
        story, found = None, report.found
        if found is not None:
            story = tell(
                found.schedule,
                found.breach.invariant,
                runs=found.runs,
                shrink_runs=found.shrink_runs,
                shrinks=found.shrinks,
                fixed=fixed,
            )
    told = report_document(report, story)
    if as_json:
        print_json(told)
    else:
        show_report(report)
        if found is not None and story is not None:
            if trace:
                _show_events(found.schedule)
            show_story(story)
    record("reproduce", told, inputs=[name.rpartition(":")[0]], at_us=at_us)
    return story


def _replay(schedule: Schedule, fixed: str, *, as_json: bool, trace: bool) -> Story | None:
    if schedule.python != PYTHON:
        note(f"this token was made on Python {schedule.python}; here the order may differ")
    with watchdog():
        story = tell(schedule, fixed=fixed)
    if as_json:
        print_json({"broken": story is not None, "story": story and story_document(story)})
        return story
    if trace:
        _show_events(schedule)
    if story is None:
        say("this schedule breaks nothing")
    else:
        show_story(story)
    return story


def _show_events(schedule: Schedule) -> None:
    for event in schedule.run(trace=True).events:
        say(f"{event.at_s:9.3f}  {event.lane:10} {event.delivery:3} {event.what}  {event.state}")


def _write(story: Story, html: Path | None, mermaid: Path | None, pytest: Path | None) -> None:
    for path, text in (
        (html, pages.html),
        (mermaid, pages.mermaid),
        (pytest, pages.pytest_file),
    ):
        if path is not None:
            path.write_text(text(story), encoding="utf-8")
            note(f"written: {path}")
