"""Commands that have commands below them."""

from __future__ import annotations

from typing import Final

import click

#: longer than any first sentence: click would cut them at 45 characters
_WHOLE: Final = 400


class Group(click.Group):
    """A group that lists its commands with the whole of their first sentence."""

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(
                [
                    (name, command.get_short_help_str(_WHOLE))
                    for name, command in sorted(self.commands.items())
                ]
            )
