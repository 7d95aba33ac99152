"""How simulated worlds look in a terminal, and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from rich.table import Table
from rich.text import Text

from homing.cli.output import STATE_STYLES, console, print_table, say
from homing.core.plurals import plural
from homing.sim.goals import JUDGED_FROM, Goal
from homing.sim.pages import Told, footnote
from homing.sim.result import Result
from homing.sim.runs import Hunt, Tally
from homing.sim.story import Row, Story


def show_tally(tally: Tally, missing: Sequence[Goal]) -> None:
    """What happened, and the verdict in one line."""
    rows: list[Sequence[str | Text]] = [
        (Text(f"{tally.goals.get(goal, 0):,}", style=_count_style(tally, goal)), str(goal))
        for goal in Goal
    ]
    print_table(("times#", "what happened"), rows)
    say(
        Text(
            f"{plural(tally.worlds, 'world')} ({tally.sqlite_worlds:,} of them on SQLite), "
            f"{plural(tally.attempts, 'attempt')}, {plural(tally.commits, 'commit')}, "
            f"{tally.virtual_s / 3600:,.1f} simulated hours, "
            f"{tally.duplicates:,} received twice",
            style="dim",
        )
    )
    say(verdict(tally, missing))


def verdict(tally: Tally, missing: Sequence[Goal]) -> Text:
    """Green, red, or unknown."""
    scope = (
        f"in {plural(tally.deliveries, 'delivery')}, {plural(tally.crashes, 'crash')}, "
        f"{plural(tally.overlaps, 'overlapping lease')}"
    )
    if tally.broken:
        seed, _, text = min(tally.broken)
        return Text.assemble(
            (f"{tally.lost} of {plural(tally.worlds, 'world')} broken ", "bold red"),
            f"{scope}; first, seed {seed}: {text}",
        )
    if missing:
        return Text.assemble(
            ("this proves nothing: ", "bold red"), "never once " + "; ".join(map(str, missing))
        )
    judged = "" if tally.worlds >= JUDGED_FROM else f" (goals are judged from {JUDGED_FROM} worlds)"
    return Text.assemble(("0 lost ", "bold green"), scope, judged)


def _count_style(tally: Tally, goal: Goal) -> str:
    if tally.goals.get(goal):
        return ""
    return "bold red" if tally.worlds >= JUDGED_FROM else "dim"


def show_events(result: Result) -> None:
    """Every event, one a line."""
    names = result.names
    for event in result.events:
        which = event.delivery
        name = ""
        if which is not None:
            name = f"{names.get(which.message_id, '')}.{names.get(which.endpoint_id, '')}"
        state = f"{event.state} v{event.version}" if event.state else ""
        say(
            Text.assemble(
                (f"{event.at_s:9.3f}  ", "dim"),
                f"{event.lane:10} {name:8} ",
                (f"{event.what}  ", "bold yellow" if event.is_refused else ""),
                (state, STATE_STYLES.get(event.state, "")),
            )
        )
    say(Text(f"trace {result.digest}", style="dim"))


def show_story(story: Story) -> None:
    """The screen: verdict, lanes, invariant, replay, the same with the safeguard, how sure."""
    say()
    say(Text.assemble(("BROKEN ", "bold red"), story.verdict))
    say()
    console().print(lanes_table(story))
    say()
    say(Text.assemble(("invariant  ", "dim"), (story.breach.invariant, "bold")))
    say(Text.assemble(("before     ", "dim"), "it broke: ", story.breach.before))
    say(Text.assemble(("after      ", "dim"), "it broke: ", (story.breach.after, "red")))
    if story.safeguard:
        say(Text.assemble(("without    ", "dim"), f"{story.safeguard}: {story.instead}"))
        say(
            Text.assemble(
                ("with it    ", "dim"),
                (story.refusal, "green"),
                f"; {story.delivery or 'it'} ends {story.ends}",
            )
        )
    say(Text.assemble(("again      ", "dim"), (story.command, "bold")))
    say(Text(footnote(story), style="dim"))


def lanes_table(story: Told, fields: str = "version") -> Table:
    """The schedule, a lane each; `fields` is what the rows' `version` is."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("time", justify="right", no_wrap=True)
    for lane in story.lanes:
        table.add_column(lane, overflow="fold", ratio=1)
    table.add_column("row", no_wrap=True)
    table.add_column(fields, no_wrap=fields == "version", overflow="fold")
    for row in story.rows:
        table.add_row(*_cells(row), style="bold black on yellow" if row.is_crossing else "")
    return table


def _cells(row: Row) -> list[str | Text]:
    mark = "▶" if row.is_crossing else " "
    state = row.state if row.is_crossing else Text(row.state, STATE_STYLES.get(row.state, ""))
    return [f"{mark} {row.at_s:.3f}", *row.cells, state, row.version]


def tally_document(tally: Tally, missing: Sequence[Goal], story: Story | None) -> dict[str, Any]:
    """As JSON."""
    return {
        "lost": tally.lost,
        "worlds": tally.worlds,
        "sqlite_worlds": tally.sqlite_worlds,
        "deliveries": tally.deliveries,
        "attempts": tally.attempts,
        "crashes": tally.crashes,
        "overlapping_leases": tally.overlaps,
        "received_twice": tally.duplicates,
        "commits": tally.commits,
        "virtual_s": round(tally.virtual_s, 3),
        "goals": {goal.name.lower(): tally.goals.get(goal, 0) for goal in Goal},
        "unmet": [goal.name.lower() for goal in missing],
        "broken": [
            {"seed": seed, "invariant": invariant, "text": text}
            for seed, invariant, text in tally.broken
        ],
        "story": story_document(story) if story else None,
    }


def hunt_document(found: Hunt) -> dict[str, Any]:
    """As JSON."""
    return {
        "worlds": found.worlds,
        "seed": found.seed,
        "invariant": found.invariant or None,
        "story": story_document(found.story) if found.story else None,
    }


def story_document(story: Story) -> dict[str, Any]:
    """As JSON, with the command that has it again."""
    document: dict[str, Any] = msgspec.to_builtins(story)
    return {**document, "command": story.command}
