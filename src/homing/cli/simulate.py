"""`homing simulate`: the production parts in worlds that a seed owns, and what they lose."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from homing.cli.exhaustive import exhaust
from homing.cli.output import as_json, console, note, print_json, print_table, say
from homing.cli.simulate_display import (
    hunt_document,
    show_events,
    show_story,
    show_tally,
    story_document,
    tally_document,
)
from homing.core.errors import Invalid, Problem
from homing.core.plurals import plural
from homing.sim import pages
from homing.sim.goals import unmet
from homing.sim.runs import (
    STORES,
    STRATEGIES,
    Plan,
    Tally,
    explain,
    hunt,
    run_all,
    run_one,
)
from homing.sim.safeguards import BY_NAME, SAFEGUARDS
from homing.sim.schedule import PYTHON, Schedule, parse_token
from homing.sim.story import Story, tell
from homing.sim.tiny_world import Bounds

_EXIT_LOST: Final = 1
_Command = TypeVar("_Command", bound=Callable[..., Any])


def _file(name: str, help_: str) -> Callable[[_Command], _Command]:
    path = click.Path(dir_okay=False, writable=True, path_type=Path)
    return click.option(name, type=path, metavar="FILE", help=help_)


@click.command()
@click.option(
    "--seeds",
    type=click.IntRange(1),
    default=1_000,
    show_default=True,
    metavar="N",
    help="How many worlds.",
)
@click.option("--from", "first", type=click.IntRange(0), default=1, metavar="N", help="First seed.")
@click.option("--seed", type=click.IntRange(0), metavar="N", help="This one only.")
@click.option("--trace", is_flag=True, help="With --seed or --replay: every event of it.")
@click.option("--jobs", type=click.IntRange(1), metavar="N", help="Processes; all cores if absent.")
@click.option(
    "--strategy",
    type=click.Choice(STRATEGIES),
    default="random",
    show_default=True,
    help="How the order of events is drawn.",
)
@click.option(
    "--store",
    type=click.Choice(STORES),
    default="both",
    show_default=True,
    help="The store that the worlds run on.",
)
@click.option("--without", metavar="SAFEGUARD", help="Take one out; find what is then lost.")
@click.option("--exhaustive", is_flag=True, help="Every order of a tiny world instead.")
@click.option("--list-safeguards", is_flag=True, help="What can be taken out.")
@click.option("--replay", metavar="TOKEN", help="Have one schedule again.")
@_file("--html", "Write the schedule that was found as a page.")
@_file("--mermaid", "As a sequence diagram.")
@_file("--pytest", "As a test.")
@as_json
def simulate(
    seeds: int,
    first: int,
    seed: int | None,
    trace: bool,
    jobs: int | None,
    strategy: str,
    store: str,
    without: str | None,
    exhaustive: bool,
    list_safeguards: bool,
    replay: str | None,
    html: Path | None,
    mermaid: Path | None,
    pytest: Path | None,
    as_json: bool,
) -> None:
    """Run production's own parts in worlds where a seed owns time, order and faults.

    \b
    Two to five dispatchers, faulty receivers, crashes at every call to the database and around
    every request, clocks that jump, a database that vanishes or loses its answer, people who
    resend, disable and delete meanwhile. Everything is checked after each commit and at rest.
    What breaks is made as small as it gets and shown on one screen, with a token to have it again.

    \b
    Exit codes: 0 nothing lost, 1 something lost, or nothing interesting happened, 2 bad input.

    \b
    Examples:
      homing simulate --seeds 1000
      homing simulate --seed 7 --trace
      homing simulate --without fence --html fence.html --pytest test_fence.py
      homing simulate --replay h1.…
      homing simulate --exhaustive --without fence
    """
    if list_safeguards:
        _list(as_json)
        return
    if exhaustive:
        exhaust(Bounds(), without=without, as_json=as_json)
        return
    if replay is not None:
        story = _replay(parse_token(replay), as_json=as_json, trace=trace)
    elif without is not None:
        story = _hunt(_known(without), first, max(seeds, 5_000), as_json=as_json)
    elif seed is not None:
        story = _one(seed, Plan(strategy=strategy, store=store), as_json=as_json, trace=trace)
    else:
        plan = Plan(first=first, seeds=seeds, strategy=strategy, store=store)
        story = _many(plan, jobs or os.cpu_count() or 1, as_json=as_json)
    if story is not None:
        _write(story, html, mermaid, pytest)
        raise click.exceptions.Exit(_EXIT_LOST)


def _known(name: str) -> str:
    if name not in BY_NAME:
        text = f"expected one of {', '.join(BY_NAME)}; found {name!r}"
        raise Invalid([Problem(("--without",), text)])
    return name


def _list(as_json: bool) -> None:
    if as_json:
        print_json([_safeguard_document(one.name) for one in SAFEGUARDS])
        return
    print_table(
        ("safeguard", "against", "what production does", "without it"),
        [(one.name, one.against, one.does, one.instead) for one in SAFEGUARDS],
    )


def _safeguard_document(name: str) -> dict[str, str]:
    one = BY_NAME[name]
    return {
        "name": one.name,
        "against": one.against,
        "does": one.does,
        "instead": one.instead,
        "breaks": one.breaks,
    }


def _progress(as_json: bool) -> Progress | None:
    """A bar on a terminal; nothing in a pipe or before JSON."""
    if as_json or not console().is_terminal:
        return None
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console(),
        transient=True,
    )


def _many(plan: Plan, jobs: int, *, as_json: bool) -> Story | None:
    total = Tally()
    progress = _progress(as_json)
    with progress or nullcontext():
        bar = progress.add_task("worlds", total=plan.seeds) if progress else None
        for tally in run_all(plan, jobs):
            total.add(tally)
            if progress and bar is not None:
                progress.update(bar, completed=total.worlds)
            if total.broken:
                break
    missing = unmet(total.met, total.worlds) if not total.broken else []
    story = None
    if total.broken:
        if not as_json:
            note("something was broken; making it small …")
        story = explain(min(total.broken)[0], plan, worlds=total.worlds)
    if as_json:
        print_json(tally_document(total, missing, story))
    else:
        show_tally(total, missing)
        if story is not None:
            show_story(story)
    if missing or (total.broken and story is None):
        raise click.exceptions.Exit(_EXIT_LOST)
    return story


def _one(seed: int, plan: Plan, *, as_json: bool, trace: bool) -> Story | None:
    result = run_one(seed, plan, trace=trace)
    story = explain(seed, plan) if result.breaches else None
    if as_json:
        tally = Tally.of(result)
        print_json({**tally_document(tally, [], story), "digest": result.digest})
        return story
    if trace:
        show_events(result)
    show_tally(Tally.of(result), [])
    if story is not None:
        show_story(story)
    return story


def _replay(schedule: Schedule, *, as_json: bool, trace: bool) -> Story | None:
    if schedule.python != PYTHON:
        note(f"this token was made on Python {schedule.python}; here the order may differ")
    story = tell(schedule, "")
    if as_json:
        print_json({"broken": story is not None, "story": story and story_document(story)})
        return story
    if trace:
        show_events(schedule.run(trace=True))
    if story is None:
        say("this schedule breaks nothing")
    else:
        show_story(story)
    return story


def _hunt(name: str, first: int, seeds: int, *, as_json: bool) -> Story | None:
    progress = _progress(as_json)
    with progress or nullcontext():
        bar = progress.add_task(f"worlds without {name}", total=None) if progress else None

        def on_world(worlds: int) -> None:
            if progress and bar is not None:
                progress.update(bar, completed=worlds)

        found = hunt(name, first=first, seeds=seeds, on_world=on_world)
    if as_json:
        print_json(hunt_document(found))
    elif found.story is None:
        say(f"without {name} nothing was lost in {plural(found.worlds, 'world')}")
    else:
        show_story(found.story)
    return found.story


def _write(story: Story, html: Path | None, mermaid: Path | None, pytest: Path | None) -> None:
    for path, text in (
        (html, pages.html),
        (mermaid, pages.mermaid),
        (pytest, pages.pytest_file),
    ):
        if path is not None:
            path.write_text(text(story), encoding="utf-8")
            note(f"written: {path}")
