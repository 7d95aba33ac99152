"""`homing walkthrough`: learn to tell an incident, from the first look to the last question."""

from __future__ import annotations

import importlib
from typing import Final

import click

from homing.cli.main import Where

#: in the order in which somebody meets them; a module is imported when its command is asked for
COMMANDS: Final = {
    "list": Where("homing.cli.walkthrough.listing", "the stories, levels and principles there are"),
    "learn": Where(
        "homing.cli.walkthrough.learning", "guess, hear it well and badly told, compare"
    ),
    "rehearse": Where("homing.cli.walkthrough.rehearsing", "your own story, a stage at a time"),
    "mock": Where("homing.cli.walkthrough.mocking", "the question, one clock, probes, a verdict"),
    "draft": Where("homing.cli.walkthrough.drafting", "the story as a record allows it to be told"),
    "rows": Where("homing.cli.walkthrough.rows", "every lost delivery, line by line of the log"),
    "check": Where("homing.cli.walkthrough.checking", "what is in an answer, and what is not"),
    "quiz": Where("homing.cli.walkthrough.learning", "the questions alone"),
    "history": Where("homing.cli.walkthrough.keeping", "what you have tried, and what changed"),
    "wipe": Where("homing.cli.walkthrough.keeping", "delete all of it from this machine"),
    "lint": Where("homing.cli.walkthrough.linting", "find what is wrong with a story's file"),
}


class LazyWalkthrough(click.Group):
    """A group that imports a command's module when the command is asked for."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command = getattr(importlib.import_module(COMMANDS[name].module), f"{name}_command")
        assert isinstance(command, click.Command), name
        return command

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, where.summary) for name, where in COMMANDS.items()])


@click.group(cls=LazyWalkthrough)
def walkthrough() -> None:
    """Learn to tell an incident in three minutes, with the evidence behind it.

    \b
    Examples:
      homing walkthrough list
      homing walkthrough learn --level senior
      homing walkthrough rehearse --incident homing-lab/record.json
      homing walkthrough mock --lens dive-deep

    Everything you type stays in a folder on this machine; `homing walkthrough wipe` deletes it.
    """
