"""`homing walkthrough list`: what there is to tell, at which levels, for whom."""

from __future__ import annotations

import click

from homing.cli.output import as_json, print_json
from homing.cli.walkthrough.choosing import plain
from homing.cli.walkthrough.screen import Screen
from homing.core.plurals import plural
from homing.walkthrough.clock import minutes
from homing.walkthrough.packs import Library, seconds_of, shipped


@click.command("list")
@plain
@as_json
def list_command(plain: bool, as_json: bool) -> None:
    """The stories, the levels and the principles.

    \b
    Examples:
      homing walkthrough list
      homing walkthrough list --json
    """
    library = shipped()
    if as_json:
        print_json(_document(library))
        return
    screen = Screen(is_plain=plain)
    screen.heading("Stories")
    for scenario in library.scenarios.values():
        screen.label(scenario.id)
        screen.say(scenario.title, indent="  ")
        screen.say(f"“{scenario.question}”", indent="  ")
        counts = (
            f"{plural(len(scenario.probes), 'probe')}, "
            f"{plural(len(scenario.quiz), 'quiz question')}; "
            f"the incident: {scenario.incident.command} ({scenario.incident.mechanism})"
        )
        screen.say(counts, style="dim", indent="  ")
    screen.heading("Levels")
    for level in library.levels.values():
        screen.label(f"{level.id}: {level.name}, {_range(level.time_min_s, level.time_max_s)}")
        screen.say(level.focus, indent="  ")
    screen.heading("Principles")
    for principle in library.principles.values():
        screen.label(f"{principle.id}: {principle.name}")
        screen.say(principle.asks, indent="  ")
    screen.say()
    screen.say("Begin with: homing walkthrough learn")


def _range(low_s: int, high_s: int) -> str:
    return f"{minutes(low_s)} to {minutes(high_s)} minutes"


def _document(library: Library) -> dict[str, object]:
    return {
        "scenarios": [
            {
                "id": one.id,
                "version": one.version,
                "title": one.title,
                "question": one.question,
                "primary": one.primary,
                "incident": one.incident,
                "probes": len(one.probes),
                "quiz": len(one.quiz),
                "seconds": {
                    level.id: seconds_of(one.stages, level) for level in library.levels.values()
                },
            }
            for one in library.scenarios.values()
        ],
        "levels": list(library.levels.values()),
        "principles": list(library.principles.values()),
    }
