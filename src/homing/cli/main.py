"""The command `homing`: its list of commands, and the one place where an error ends a process."""

from __future__ import annotations

import errno
import importlib
import sys
import traceback
from difflib import get_close_matches
from typing import Final, NamedTuple

import click

from homing import __version__
from homing.cli.output import Patient, say_error, say_no_more
from homing.core.errors import ConfigError, HomingError


class Where(NamedTuple):
    """A command: the module that has it under its name, and what it is for."""

    module: str
    summary: str


#: commands by what they are for. A module is imported only when its command is asked for, so that
#: `--help` is quick and a missing extra stops only the command that needs it.
SECTIONS: Final = {
    "Run it": {
        "serve": Where("homing.cli.serve", "API and dispatcher, until SIGTERM or Ctrl-C"),
        "dispatch": Where("homing.cli.serve", "the dispatcher alone: more hands"),
        "migrate": Where("homing.cli.admin", "bring the database up to date"),
        "settings": Where("homing.cli.admin", "every setting, and what is in force here"),
        "token": Where("homing.cli.admin", "make a token for the API"),
        "secrets": Where("homing.cli.sealing", "seal what is stored with a new key"),
    },
    "Look at it": {
        "audit": Where("homing.cli.audit", "recount every delivery; name what is missing"),
        "alerts": Where("homing.cli.alerts", "what is the matter, and who has been told"),
        "doctor": Where("homing.cli.doctor", "find what will make trouble, with its mend"),
        "tail": Where("homing.cli.tail", "follow the delivery log"),
        "slo": Where("homing.cli.objectives", "objectives: budgets, burn rates, who notices what"),
        "board": Where("homing.cli.board", "the services of all teams, and which needs somebody"),
        "export": Where("homing.cli.export", "write the delivery log as JSON lines or Parquet"),
    },
    "Prove it": {
        "investigate": Where(
            "homing.cli.investigate", "find the drop in any delivery log, and why"
        ),
        "verify": Where("homing.cli.verify", "whether it is fixed, and what a zero is worth"),
        "impact": Where("homing.cli.impact", "what the drop costs a week, and how sure that is"),
        "incident": Where("homing.cli.incident", "what was noticed, found and done, as it happens"),
        "review": Where("homing.cli.review", "the document; each number with its source"),
        "simulate": Where("homing.cli.simulate", "worlds by a seed; the smallest loss, if any"),
        "reproduce": Where(
            "homing.cli.reproduce", "your own retry worker; the smallest loss, if any"
        ),
    },
    "Tell it": {
        "walkthrough": Where(
            "homing.cli.walkthrough", "the story in three minutes: learn, rehearse, mock"
        ),
    },
    "Try it": {
        "lab": Where("homing.cli.lab", "a service that loses webhooks: find it, mend it, price it"),
        "demo": Where("homing.cli.demo", "a payment service, two receivers, live books"),
        "listen": Where("homing.cli.listen", "receive webhooks here, verify and print them"),
        "send": Where("homing.cli.messages", "send a message"),
    },
    "Send again": {
        "recover": Where("homing.cli.replays", "what an endpoint never got: its dead letters"),
        "replay-missing": Where("homing.cli.replays", "what it wants and never had"),
        "replay": Where("homing.cli.replays", "what it had, whatever became of it"),
        "tasks": Where("homing.cli.tasks", "bulk work in the background, and how far it is"),
    },
    "Build on it": {
        "template": Where("homing.cli.template", "a service that sends webhooks, and a receiver"),
        "reconcile": Where("homing.cli.reconcile", "a receiver's own books against what was sent"),
        "outbox": Where("homing.cli.outbox", "carry what an application wrote in its transactions"),
    },
    "Ask the API": {
        "application": Where("homing.cli.applications", "whoever owns a set of endpoints"),
        "endpoint": Where("homing.cli.endpoints", "URLs that want some of the messages"),
        "event-type": Where("homing.cli.event_types", "the kinds of messages"),
        "message": Where("homing.cli.messages", "what was sent, and what became of it"),
        "attempt": Where("homing.cli.attempts", "the requests made, and what came back"),
        "dlq": Where("homing.cli.dlq", "dead letters: issues of them, and the way back"),
    },
}
COMMANDS: Final = {name: where for some in SECTIONS.values() for name, where in some.items()}

EXIT_FINE: Final = 0
EXIT_FINDINGS: Final = 1
EXIT_BAD_INPUT: Final = 2
#: not 1, which `audit` and `doctor` say something by
EXIT_BUG: Final = 3
EXIT_INTERRUPTED: Final = 130


#: commands that come to an end and say by their exit code what they found: a reader that leaves
#: early does not stop them. Those that follow something stop with their reader.
FINDING: Final = frozenset(
    {"investigate", "verify", "impact", "review", "simulate", "reproduce"}
    | {"audit", "doctor", "reconcile"}
)


class LazyGroup(click.Group):
    """A group that imports a command's module when the command is asked for."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module = importlib.import_module(COMMANDS[name].module)
        command = getattr(module, name.replace("-", "_"))
        assert isinstance(command, click.Command), name
        return command

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        near = [] if args[0] in COMMANDS else get_close_matches(args[0], COMMANDS, n=3)
        if near:
            context.fail(f"No such command {args[0]!r}. Did you mean {' or '.join(near)}?")
        name, command, rest = super().resolve_command(context, args)
        if name in FINDING and not isinstance(sys.stdout, Patient):
            sys.stdout = Patient(sys.stdout)
        return name, command, rest

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name, where.summary) for name, where in commands.items()])


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
    configuration, or something that is needed is away, 3 a bug.

    With --json, what the API has too (messages, dead letters, objectives, …) has its names, which
    are camelCase as Svix's; lines of the delivery log, incidents and what is worked out from them
    (audit, doctor, investigate, …) have the names of those files, which are snake_case.
    """


def main() -> None:
    """Run one command; every error raised on purpose becomes a sentence on stderr."""
    try:
        code = homing.main(standalone_mode=False)
    except click.exceptions.Abort:
        code = EXIT_INTERRUPTED
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
        code = EXIT_INTERRUPTED
    except SystemExit as stop:
        # click's own answer to a reader that has left is an exit with 1, which here means findings.
        left = isinstance(stop.__context__, BrokenPipeError)
        code = _reader_left() if left else stop.code
    except BrokenPipeError:
        code = _reader_left()
    except OSError as error:
        code = _file_trouble(error)
    except Exception:
        code = _bug()
    sys.exit(code or EXIT_FINE)


def _reader_left() -> int:
    """The reader of our output has left, as in `homing tail | head`; that is fine."""
    say_no_more(sys.stdout)
    return EXIT_FINE


def _file_trouble(error: OSError) -> int:
    """A file that was named cannot be used; anything else of the system's is a bug of ours."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        say_error(f"{error.strerror}: make room, or name a place that has some, and start again")
        return EXIT_BAD_INPUT
    if error.filename is None:
        return _bug()
    say_error(f"{error.filename}: {error.strerror}; name another place, or give access to this one")
    return EXIT_BAD_INPUT


def _bug() -> int:
    traceback.print_exc()
    say_error("this is a bug in Homing; please report it with the lines above")
    return EXIT_BUG


if __name__ == "__main__":
    main()
