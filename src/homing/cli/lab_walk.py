"""The walk through the lab: step by step with a person, or by itself, or as JSON."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, Final

import click
import msgspec
from rich.console import Console
from rich.text import Text

from homing.cli.forensics import expect_forensics
from homing.cli.incidents import VARIABLE
from homing.cli.lab_folder import Made, build, folder_here, put_record_aside, reset
from homing.cli.lab_known import measured, told
from homing.cli.output import note, note_prose, print_json, say, say_prose
from homing.core.errors import Invalid, Problem
from homing.lab.incidents import INCIDENTS
from homing.lab.tour import (
    CLOSING,
    INTRODUCTION,
    KEYS,
    Command,
    Step,
    blocks,
    filled,
    steps_for,
)

#: what to do where a program of the system is missing
_WITHOUT: Final = {
    "patch": "write the two lines of fix.patch into worker.py by hand, and go on",
    "zgrep": "`gzip -cd FILE | grep -c WORD` counts the same",
}


#: how long an answer on a pipe is waited for, before each command
_PIPE_S: Final = 0.1
#: what reads logs, for which an extra must be installed
_READS_LOGS: Final = {"investigate", "verify", "impact"}


class Walk(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for."""

    folder: Path | None
    seed: int | None
    size: int | None
    only: str | None  #: this step
    first: str | None  #: from this step on
    is_playing: bool
    is_json: bool


class Manner(msgspec.Struct, frozen=True, kw_only=True):
    """How the walk is gone through."""

    is_waiting: bool  #: somebody at a terminal is asked before each command
    is_piped: bool  #: answers may come through a pipe; where there are none, it goes on


class _Stopped(Exception):
    """The user has had enough for now."""


def walk(asked: Walk) -> None:
    """Go through the steps that are asked for.

    Raises:
        Invalid: there is no such step.
        ConfigError: packages are missing, or there is something else in the folder.
        Exit: 1: a step did not end as it should.
    """
    from homing.cli.main import COMMANDS

    steps = steps_for(COMMANDS)
    chosen = _chosen(steps, asked)
    if any(one.needs in _READS_LOGS for step in chosen for one in step.commands):
        expect_forensics("; in a checkout, `make lab` does it all")
    is_whole = asked.only is None and asked.first is None
    folder = folder_here(asked.folder)
    made = build(folder, asked.seed, asked.size)
    if is_whole:
        reset(folder)
    if asked.is_json:
        document = _document(_told_quietly(chosen, folder), folder, made)
        print_json(document)
        is_fine = document["is_fine"]
    else:
        manner = _manner(is_playing=asked.is_playing)
        if is_whole:
            _introduce(folder, manner.is_waiting)
        is_fine = _tell_steps(chosen, [] if asked.only else steps, folder, manner)
        if asked.only is None and is_fine:
            _tell(CLOSING.format(others=len(INCIDENTS)))
            _by_hand(folder, "homing lab --list")
    if not is_fine:
        raise click.exceptions.Exit(1)


def _manner(*, is_playing: bool) -> Manner:
    is_terminal = sys.stdin.isatty()
    return Manner(
        is_waiting=not is_playing and is_terminal and sys.stdout.isatty(),
        is_piped=not is_playing and not is_terminal,
    )


def _tell_steps(
    chosen: Sequence[Step], steps: Sequence[Step], folder: Path, manner: Manner
) -> bool:
    """Whether all of them ended as they should. Where nobody can be asked, the first that did
    not is the last: the next ones rest on it.

    Args:
        steps: all there are, to say which of them it is; empty: that is not said.
    """
    is_fine = True
    for step in chosen:
        if _has_ended_well(step, steps, folder, manner):
            continue
        is_fine = False
        if not manner.is_waiting:
            note(f"stopped: the step {step.name!r} did not end as it should")
            if steps:
                note("once that is mended, to go on from there:")
                _by_hand(folder, f"homing lab --from {step.name}")
            break
    return is_fine


def _has_ended_well(step: Step, steps: Sequence[Step], folder: Path, manner: Manner) -> bool:
    """Say a step, and what to do later if the user stops in it.

    Raises:
        Exit: the user stops.
        KeyboardInterrupt: by Ctrl-C.
    """
    place = f"{steps.index(step) + 1} of {len(steps)}" if steps else ""
    try:
        return _say_step(step, place, folder, manner)
    except (KeyboardInterrupt, EOFError, _Stopped) as why:
        say()
        note(f"stopped in the step {step.name!r}; to go on from there:")
        _by_hand(folder, f"homing lab --from {step.name}")
        if isinstance(why, KeyboardInterrupt):
            raise
        raise click.exceptions.Exit(0) from None


def _chosen(steps: Sequence[Step], asked: Walk) -> Sequence[Step]:
    names = [step.name for step in steps]
    for option, name in (("--step", asked.only), ("--from", asked.first)):
        if name is not None and name not in names:
            text = f"expected one of {', '.join(names)}; found {name!r}"
            raise Invalid([Problem((option,), text)])
    if asked.only is not None:
        return [steps[names.index(asked.only)]]
    return steps if asked.first is None else steps[names.index(asked.first) :]


def _introduce(folder: Path, is_waiting: bool) -> None:
    say(Text(f"The lab is in {folder}/", style="bold"))
    say()
    _tell(INTRODUCTION)
    if is_waiting:
        _tell(KEYS)
        _by_hand(folder)


def _by_hand(folder: Path, *lines: str) -> None:
    """What to type in another terminal to be where the commands of the walk run."""
    say(f"  cd {shlex.quote(str(folder.resolve()))}")
    programs = Path(sys.executable).parent
    if os.environ.get("VIRTUAL_ENV") != sys.prefix and shutil.which("homing") == str(
        programs / "homing"
    ):
        say(f'  export PATH="{programs}:$PATH"')
    for line in lines:
        say(f"  {line}")
    say()


def _tell(text: str, style: str = "") -> None:
    """Prose as wide as the terminal, at most 100; what is set in is left as it is."""
    for block in blocks(text):
        if block.startswith("  "):
            say(block)
        else:
            say_prose(Text(block, style=style), width_max=100)
    say()


def _say_step(step: Step, place: str, folder: Path, manner: Manner) -> bool:
    """Whether each of its commands ended as it should, in the end."""
    is_fine = True
    say(Text.assemble(("━━ ", "dim"), (step.title, "bold cyan"), (f"  {place}", "dim")))
    say()
    _tell(step.before)
    for command in step.commands:
        is_fine = _say_command(command, folder, manner) and is_fine
        if not is_fine and not manner.is_waiting:
            break
    say()
    if is_fine:
        _tell(told(step.after, folder), style="italic")
    else:
        note("what there is to see is left out, as this step did not end as it should")
        say()
    return is_fine


def _say_command(command: Command, folder: Path, manner: Manner) -> bool:
    """Run a command: whether it ended as it should. Who is there is asked what to do if not.

    Raises:
        _Stopped: the user stops here.
    """
    line = filled(command.line, measured(folder))
    prompt = Text.assemble(("$ ", "dim"), (line, "bold"))
    is_fine = True
    while True:
        if not manner.is_waiting:
            say(prompt)
        if not (_wants(prompt) if manner.is_waiting else _goes_on(manner)):
            return is_fine
        if command.is_opening:
            put_record_aside(folder)
        sys.stdout.flush()
        code = _run(line, folder)
        if code in command.codes:
            return True
        is_fine = False
        told = f"that ended with {code}, which was not expected here"
        note_prose(command.remedy if code == 1 and command.remedy else told)
        if not manner.is_waiting:
            return False
        note("Enter runs it again, s goes on without it, q stops here")


def _wants(prompt: Text) -> bool:
    """Show a command and wait: whether it is to run.

    Raises:
        _Stopped: the user stops here.
    """
    Console(highlight=False).print(prompt, end="", soft_wrap=True)
    while True:
        is_typed_ahead = bool(select.select([sys.stdin], [], [], 0)[0])
        answer = input("   [Enter] ").strip().lower()
        if is_typed_ahead:  # the terminal has shown it long ago, above
            say(answer)
        if answer in ("", "s"):
            return not answer
        if answer == "q":
            raise _Stopped
        note("Enter runs the command, s skips it, q stops here")


def _goes_on(manner: Manner) -> bool:
    """Whether a command is to run where nobody is at a terminal: yes, unless a pipe says no.

    Raises:
        _Stopped: it says q.
    """
    answer = _piped_line().strip().lower() if manner.is_piped else ""
    if answer == "q":
        raise _Stopped
    return answer != "s"


def _piped_line() -> str:
    """The next line of a pipe; empty where none has come by now, and at its end.

    Read byte by byte: what a buffer holds, the next look would not see.
    """
    line = b""
    fd = sys.stdin.fileno()
    with contextlib.suppress(OSError):
        while select.select([fd], [], [], _PIPE_S)[0] and (letter := os.read(fd, 1)):
            if letter == b"\n":
                break
            line += letter
    return line.decode(errors="replace")


def _told_quietly(chosen: Sequence[Step], folder: Path) -> list[dict[str, Any]]:
    """What each step came to, up to the first that did not end as it should."""
    results = []
    for step in chosen:
        results.append(_run_quietly(step, folder))
        if not results[-1]["commands"][-1]["as_expected"]:
            break
    return results


def _run_quietly(step: Step, folder: Path) -> dict[str, Any]:
    """A step with what its commands printed, as JSON where they can, up to the first that did not
    end as it should."""
    results = []
    for command in step.commands:
        line = filled(command.line, measured(folder))
        if command.needs is not None and " --to " not in line and " > " not in line:
            line += " --json"
        if command.is_opening:
            put_record_aside(folder)
        output, error = folder / ".output", folder / ".error"
        with output.open("w") as out, error.open("w") as complaints:
            code = _run(line, folder, out, complaints)
        result: Any = output.read_text().strip()
        with contextlib.suppress(ValueError):
            result = json.loads(result)
        complaint = error.read_text().strip()
        for file in (output, error):
            file.unlink()
        results.append(
            {
                "command": line,
                "exit_code": code,
                "as_expected": code in command.codes,
                "result": result,
                **({} if code in command.codes else {"error": complaint}),
            }
        )
        if not results[-1]["as_expected"]:
            break
    return {"name": step.name, "title": step.title, "commands": results}


def _document(results: list[dict[str, Any]], folder: Path, made: Made) -> dict[str, Any]:
    """Every step's result, and the figures that the story is told by."""

    def result(step: str, at: int = 0) -> dict[str, Any]:
        for one in results:
            if one["name"] != step or len(one["commands"]) <= at:
                continue
            found = one["commands"][at]["result"]
            return found if isinstance(found, dict) else {}
        return {}

    failed = (s["name"] for s in results if not all(c["as_expected"] for c in s["commands"]))
    found, priced, proven = result("investigate"), result("price"), result("verify", 1)
    alerted = result("alert", 2)
    return {
        "folder": str(folder),
        "seed": made.seed,
        "size": made.size,
        "is_fine": all(one["as_expected"] for step in results for one in step["commands"]),
        "failed": next(failed, None),
        "accepted": found.get("accepted"),
        "dropped": found.get("dropped"),
        "drop_rate": found.get("rate", {}).get("value"),
        "mechanism": found.get("hypothesis", {}).get("mechanism"),
        "since": (found.get("since") or {}).get("at"),
        "alert": alerted.get("sentence"),
        "verdict": proven.get("verdict"),
        "p5": priced.get("p5"),
        "p50": priced.get("p50"),
        "p95": priced.get("p95"),
        "currency": priced.get("currency"),
        "at_risk": priced.get("at_risk"),
        "steps": results,
    }


def _words(line: str) -> list[str]:
    """The command as a list; `homing` is this very one."""
    words = shlex.split(line)
    return [sys.executable, "-m", "homing.cli", *words[1:]] if words[0] == "homing" else words


def _run(
    line: str,
    folder: Path,
    out: IO[str] | None = None,
    error: IO[str] | None = None,
) -> int:
    """Run a command line in the folder; `> FILE` at its end is what a shell would make of it.

    Returns:
        Its exit code; 127 when there is no such program.
    """
    line, arrow, target = line.partition(" > ")
    surroundings = _environment()
    try:
        if arrow:
            with (folder / target.strip()).open("w") as file:
                return _call(_words(line), folder, surroundings, file, error)
        return _call(_words(line), folder, surroundings, out, error)
    except FileNotFoundError as missing:
        instead = _WITHOUT.get(str(missing.filename))
        note(f"{missing.filename} is not installed here" + (f"; {instead}" if instead else ""))
        return 127


def _call(
    words: list[str],
    folder: Path,
    surroundings: dict[str, str],
    out: IO[str] | None,
    error: IO[str] | None,
) -> int:
    done = subprocess.run(  # noqa: S603 (what the tour says, and nothing that came from outside)
        words, cwd=folder, env=surroundings, check=False, stdout=out, stderr=error
    )
    return done.returncode


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != VARIABLE}
    return {**kept, "PYTHONUNBUFFERED": "1"}
