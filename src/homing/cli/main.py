"""The command `homing`: its list of commands, and the one place where an error ends a process."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Final

import click

from homing import __version__
from homing.cli.output import say_error
from homing.core.errors import ConfigError, HomingError

#: command → module that has it under the same name; imported only when asked for, so that `--help`
#: and completion are quick and a missing extra stops only the command that needs it
COMMANDS: Final = {
    "serve": "homing.cli.serve",
    "dispatch": "homing.cli.serve",
    "migrate": "homing.cli.admin",
    "settings": "homing.cli.admin",
    "token": "homing.cli.admin",
    "audit": "homing.cli.audit",
    "doctor": "homing.cli.doctor",
    "export": "homing.cli.export",
    "tail": "homing.cli.tail",
    "listen": "homing.cli.listen",
    "demo": "homing.cli.demo",
    "send": "homing.cli.messages",
    "message": "homing.cli.messages",
    "attempt": "homing.cli.attempts",
    "application": "homing.cli.applications",
    "endpoint": "homing.cli.endpoints",
    "event-type": "homing.cli.event_types",
    "dead-letters": "homing.cli.dead_letters",
}

EXIT_FINE: Final = 0
EXIT_FINDINGS: Final = 1
EXIT_BAD_INPUT: Final = 2


class LazyGroup(click.Group):
    """A group that imports a command's module when the command is asked for."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module = importlib.import_module(COMMANDS[name])
        command = getattr(module, name.replace("-", "_"))
        assert isinstance(command, click.Command), name
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="homing %(version)s")
def homing() -> None:
    """Deliver webhooks, and prove that none was dropped.

    \b
    Start:      homing serve             (SQLite, http://127.0.0.1:8000)
    Try:        homing demo              (publisher, receivers, live books)
    Ask:        homing COMMAND --help    (every command has examples)

    Settings come from the environment (HOMING_…) and ./homing.toml; `homing settings` lists them.

    Exit codes: 0 fine, 1 findings (something is wrong with what was looked at), 2 bad input or
    configuration.
    """


def main() -> None:
    """Run one command; every error raised on purpose becomes a sentence on stderr."""
    try:
        code = homing.main(standalone_mode=False)
    except click.exceptions.Abort:
        code = 130
    except click.exceptions.Exit as stop:
        code = stop.exit_code
    except click.ClickException as error:
        error.show()
        code = EXIT_BAD_INPUT
    except ConfigError as error:
        for problem in error.problems:
            say_error(problem)
        code = EXIT_BAD_INPUT
    except HomingError as error:
        say_error(str(error))
        code = EXIT_BAD_INPUT
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:
        # The reader of our output has left, as in `homing tail | head`. Python would complain
        # when it flushes at exit: https://docs.python.org/3/library/signal.html#note-on-sigpipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = EXIT_FINE
    sys.exit(code or EXIT_FINE)


if __name__ == "__main__":
    main()
