"""`homing lab`: a service that loses webhooks, to find, reproduce, fix, verify and price."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import subprocess
import sys
from importlib import resources
from pathlib import Path
from typing import IO, Any, Final

import click
from rich.console import Console
from rich.text import Text

from homing.cli.impact_assumptions import EXAMPLE
from homing.cli.incidents import POINTER, VARIABLE
from homing.cli.output import as_json, note, print_json, print_table, say
from homing.cli.progress import progress_bar
from homing.core.errors import ConfigError, Invalid, Problem
from homing.core.plurals import plural
from homing.lab.dialects import FIELD_SETS
from homing.lab.founding import SEED, SIZE, have_week, load_worker
from homing.lab.incidents import INCIDENTS, write_incident
from homing.lab.service.worker import RetryWorker
from homing.lab.tour import CLOSING, INTRODUCTION, STEPS, Step, filled, steps_for
from homing.lab.traffic import WEEK_S

_FILE = click.Path(dir_okay=False, path_type=Path)
#: the incident, as the walk opens it
RECORD: Final = "record.json"
_NOTE: Final = "lab.json"  #: what the folder was made with


@click.command()
@click.argument("name", required=False)
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default="homing-lab",
    help="Where the lab is built.",
)
@click.option("--play", is_flag=True, help="Run every step without waiting for Enter.")
@click.option("--step", "only", metavar="STEP", help="This step only, of a lab that is there.")
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=SEED,
    show_default=True,
    metavar="N",
    help="Of the week that is built; the same seed gives the same week.",
)
@click.option("--size", type=click.IntRange(1_000), metavar="N", help="Payments, about.")
@click.option("--again", type=_FILE, metavar="WORKER", help="The week after, with this worker.py.")
@click.option("--list", "is_list", is_flag=True, help="Other incidents, and what is wrong there.")
@click.option("--log", type=_FILE, metavar="FILE", help="Of NAME or --again: where the log goes.")
@click.option("--truth", type=_FILE, metavar="FILE", help="Of NAME: what really happened.")
@click.option("--mended", is_flag=True, help="Of NAME: the same time without the fault.")
@click.option(
    "--fields",
    type=click.Choice(FIELD_SETS),
    default="service/usual",
    metavar="SET",
    help="How the log calls things, and how much it tells; see --list.",
)
@as_json
def lab(
    name: str | None,
    folder: Path,
    play: bool,
    only: str | None,
    seed: int,
    size: int | None,
    again: Path | None,
    is_list: bool,
    log: Path | None,
    truth: Path | None,
    mended: bool,
    fields: str,
    as_json: bool,
) -> None:
    """Walk through an incident from the first suspicion to its price.

    \b
    Builds, in a folder, a simulated week of a payment notification service whose retry worker
    loses three webhooks in a thousand, and goes through it with you: every step is a command that
    you could type yourself, and its real output. About ten minutes.

    \b
    With NAME, writes the log of another incident instead, to practise on.
    --fields says how much it tells: DIALECT/LEVEL, of service, camel, queue, homing
    and full, usual, thin. --mended writes the log that `homing verify` compares it with.

    \b
    Examples:
      homing lab
      homing lab --play
      homing lab --play --json > lab.json
      homing lab --step price
      homing lab --list
      homing lab stuck-processing --seed 5 --log log.csv.gz --truth truth.json
      homing lab stuck-processing --seed 5 --log after.csv.gz --mended

    Exit codes: 0 done, 1 a step did not end as it should, 2 it cannot be built.
    """
    if is_list:
        _list(as_json)
    elif again is not None:
        _again(again, log, as_json=as_json)
    elif name is not None:
        given = {"seed": seed, "size": size or 20_000, "fields": fields, "is_mended": mended}
        _other(name, log, truth, given, as_json=as_json)
    else:
        _walk(folder, seed, size or SIZE, only, is_playing=play or as_json, as_json=as_json)


def _list(as_json: bool) -> None:
    rows = [(one.name, one.mechanism or "none", one.title) for one in INCIDENTS]
    if as_json:
        keys = ("name", "mechanism", "title")
        print_json([dict(zip(keys, row, strict=True)) for row in rows])
        return
    print_table(("name", "mechanism", "what is wrong"), rows)
    note("homing lab NAME --log FILE writes a log of one; another --seed, another week")


def _other(
    name: str, log: Path | None, truth: Path | None, given: dict[str, Any], *, as_json: bool
) -> None:
    """The log of another incident."""
    log = log or Path(f"{name}.jsonl.gz")
    form = next(
        (
            form
            for form in ("jsonl.gz", "jsonl", "csv.gz", "csv", "parquet")
            if log.name.endswith(form)
        ),
        None,
    )
    if form is None:
        text = f"expected a name that ends in .jsonl, .csv (or these with .gz) or .parquet: {log}"
        raise Invalid([Problem(("--log",), text)])
    told = write_incident(name, log=log, truth=truth, form=form, **given)
    if as_json:
        told_of = {"seed": given["seed"], "fields": given["fields"], "mended": given["is_mended"]}
        print_json({"log": str(log), "accepted": told.accepted, **told_of})
        return
    if given["is_mended"]:
        say(f"{plural(told.accepted, 'delivery')} in {log}, without the fault; is it gone?")
        say(f"homing verify BEFORE {log}")
    else:
        say(f"{plural(told.accepted, 'delivery')} in {log}; how many are missing, and why?")
        say(f"homing investigate {log}")
    if truth is not None:
        note(f"the truth is in {truth}")


def _again(worker: Path, log: Path | None, *, as_json: bool) -> None:
    """The first whole week with somebody's worker deployed."""
    if log is None:
        raise click.UsageError("--again: expected --log FILE for the new log")
    made = worker.parent / _NOTE
    if not made.exists():
        raise ConfigError([f"{worker}: expected it in a folder that `homing lab` has built"])
    given = json.loads(made.read_text())
    what = "the week with the fix"
    with progress_bar(what, given["size"]) as show:
        truth = have_week(
            load_worker(worker),
            log=log,
            seed=given["seed"],
            size=given["size"],
            is_later=True,
            on_progress=lambda payments: show(payments, what),
        )
    if as_json:
        print_json({"log": str(log), "accepted": truth.accepted})
        return
    say(f"{plural(truth.accepted, 'delivery')} in {log}: the first whole week with {worker}")


# --- the walk ---


def build(folder: Path, seed: int, size: int) -> None:
    """Make the folder, or leave it as it is when it was made with the same seed and size.

    Raises:
        ConfigError: there is something else in it.
    """
    made = folder / _NOTE
    want = {"seed": seed, "size": size, "format": 1}
    if made.exists() and json.loads(made.read_text()) == want:
        return
    if folder.exists() and any(folder.iterdir()) and not made.exists():
        raise ConfigError([f"{folder}: expected an empty folder, or one of the lab; --folder DIR"])
    folder.mkdir(parents=True, exist_ok=True)
    made.unlink(missing_ok=True)
    what = "a week of payments"
    with progress_bar(what, size) as show:
        have_week(
            RetryWorker,
            log=folder / "deliveries.jsonl.gz",
            payments=folder / "payments.jsonl.gz",
            seed=seed,
            size=size,
            on_progress=lambda payments: show(payments, what),
        )
    reset(folder)
    made.write_text(json.dumps(want))


def reset(folder: Path) -> None:
    """Put the faulty worker, its patch and the assumptions there, as at the beginning."""
    ours = resources.files("homing.lab.service")
    for name in ("worker.py", "fix.patch"):
        (folder / name).write_text(ours.joinpath(name).read_text(encoding="utf-8"))
    for name in (RECORD, POINTER.name):
        (folder / name).unlink(missing_ok=True)
    if not (folder / "impact.toml").exists():
        (folder / "impact.toml").write_text(EXAMPLE)


def _walk(
    folder: Path, seed: int, size: int, only: str | None, *, is_playing: bool, as_json: bool
) -> None:
    from homing.cli.main import COMMANDS

    steps = steps_for(COMMANDS)
    if only is not None:
        steps = tuple(step for step in steps if step.name == only)
        if not steps:
            known = ", ".join(step.name for step in STEPS)
            raise Invalid([Problem(("--step",), f"expected one of {known}; found {only!r}")])
    build(folder, seed, size)
    if only is None:
        reset(folder)
    is_waiting = not is_playing and sys.stdin.isatty() and sys.stdout.isatty()
    results = []
    is_fine = True
    if not as_json and only is None:
        say(Text(f"The lab is in {folder}/", style="bold"))
        say()
        say(INTRODUCTION)
    for number, step in enumerate(steps, 1):
        if as_json:
            results.append(_run_quietly(step, folder))
            continue
        place = f"{number} of {len(steps)}" if only is None else ""
        is_fine &= _say_step(step, place, folder, is_waiting)
    if as_json:
        document = _document(results, folder, seed, size)
        print_json(document)
        is_fine = document["is_fine"]
    elif only is None:
        say(CLOSING.format(others=len(INCIDENTS)))
    if not is_fine:
        raise click.exceptions.Exit(1)


def _say_step(step: Step, place: str, folder: Path, is_waiting: bool) -> bool:
    """Whether each of its commands ended as it should."""
    is_fine = True
    say(Text.assemble(("━━ ", "dim"), (step.title, "bold cyan"), (f"  {place}", "dim")))
    say()
    say(step.before)
    say()
    for command in step.commands:
        line = filled(command.line, _known(folder))
        prompt = Text.assemble(("$ ", "dim"), (line, "bold"))
        if is_waiting:
            Console(highlight=False).print(prompt, end="", soft_wrap=True)
            input(Text("   [Enter]").plain)
        else:
            say(prompt)
        sys.stdout.flush()
        code = _run(line, folder)
        if code not in command.codes:
            note(f"that ended with {code}, which was not expected here")
            is_fine = False
    say()
    say(Text(step.after, style="italic"))
    say()
    return is_fine


def _run_quietly(step: Step, folder: Path) -> dict[str, Any]:
    """A step with what its commands printed, as JSON where they can."""
    told = []
    for command in step.commands:
        line = filled(command.line, _known(folder))
        if command.needs is not None and " --to " not in line and " > " not in line:
            line += " --json"
        output, error = folder / ".output", folder / ".error"
        with output.open("w") as out, error.open("w") as complaints:
            code = _run(line, folder, out, complaints)
        result: Any = output.read_text().strip()
        with contextlib.suppress(ValueError):
            result = json.loads(result)
        complaint = error.read_text().strip()
        for file in (output, error):
            file.unlink()
        told.append(
            {
                "command": line,
                "exit_code": code,
                "as_expected": code in command.codes,
                "result": result,
                **({} if code in command.codes else {"error": complaint}),
            }
        )
    return {"name": step.name, "title": step.title, "commands": told}


def _document(results: list[dict[str, Any]], folder: Path, seed: int, size: int) -> dict[str, Any]:
    """Every step's result, and the figures that the story is told by."""

    def result(step: str, at: int = 0) -> dict[str, Any]:
        for one in results:
            if one["name"] == step and isinstance(one["commands"][at]["result"], dict):
                found: dict[str, Any] = one["commands"][at]["result"]
                return found
        return {}

    found, priced, proven = result("investigate"), result("price"), result("verify", 1)
    return {
        "folder": str(folder),
        "seed": seed,
        "size": size,
        "is_fine": all(one["as_expected"] for step in results for one in step["commands"]),
        "accepted": found.get("accepted"),
        "dropped": found.get("dropped"),
        "drop_rate": found.get("rate", {}).get("value"),
        "mechanism": found.get("hypothesis", {}).get("mechanism"),
        "since": (found.get("since") or {}).get("at"),
        "verdict": proven.get("verdict"),
        "p5": priced.get("p5"),
        "p50": priced.get("p50"),
        "p95": priced.get("p95"),
        "currency": priced.get("currency"),
        "at_risk": priced.get("at_risk"),
        "steps": results,
    }


def _known(folder: Path) -> dict[str, str]:
    """What earlier steps have measured, for the command lines of later ones."""
    try:
        document = json.loads((folder / "incident.json").read_text())
        return {
            "rate": f"{document['rate']['value']:.2%}",
            "traffic": f"{document['accepted'] / WEEK_S:.2f}/s",
        }
    except (OSError, ValueError, KeyError):
        return {"rate": "0.3%", "traffic": "0.33/s"}


def _words(line: str) -> list[str]:
    """The command as a list; `homing` is this very one."""
    words = shlex.split(line)
    return [sys.executable, "-m", "homing.cli", *words[1:]] if words[0] == "homing" else words


def _run(line: str, folder: Path, out: IO[str] | None = None, error: IO[str] | None = None) -> int:
    """Run a command line in the folder; `> FILE` at its end is what a shell would make of it.

    Returns:
        Its exit code; 127 when there is no such program.
    """
    line, arrow, target = line.partition(" > ")
    try:
        if arrow:
            with (folder / target.strip()).open("w") as file:
                return _call(_words(line), folder, file, error)
        return _call(_words(line), folder, out, error)
    except FileNotFoundError as missing:
        note(f"{missing.filename} is not installed here")
        return 127


def _call(words: list[str], folder: Path, out: IO[str] | None, error: IO[str] | None) -> int:
    done = subprocess.run(  # noqa: S603 (what the tour says, and nothing that came from outside)
        words, cwd=folder, env=_environment(), check=False, stdout=out, stderr=error
    )
    return done.returncode


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != VARIABLE}
    return {**kept, "PYTHONUNBUFFERED": "1"}
