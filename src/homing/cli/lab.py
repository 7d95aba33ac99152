"""`homing lab`: a service that loses webhooks, to find, reproduce, fix, verify and price."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from homing.cli.lab_folder import made_with
from homing.cli.lab_walk import Walk, walk
from homing.cli.output import as_json, note, print_json, print_table, say
from homing.cli.progress import progress_bar
from homing.core.errors import ConfigError, Invalid, Problem
from homing.core.plurals import plural
from homing.lab.dialects import FIELD_SETS
from homing.lab.founding import SEED, have_week, load_worker
from homing.lab.incidents import INCIDENTS, write_incident

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("name", required=False)
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the lab is: homing-lab, or this folder if it is one.",
)
@click.option("--play", is_flag=True, help="Run every step without waiting for Enter.")
@click.option("--step", "only", metavar="STEP", help="This step only, of a lab that is there.")
@click.option("--from", "first", metavar="STEP", help="From this step on, of a lab that is there.")
@click.option(
    "--seed",
    type=click.IntRange(0),
    metavar="N",
    help=f"Of the week; the same one gives the same week.  [default: {SEED}]",
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
    folder: Path | None,
    play: bool,
    only: str | None,
    first: str | None,
    seed: int | None,
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
    you could type yourself, and its real output. About ten minutes. Enter runs the command that
    is shown, s skips it, q stops; --from STEP goes on from there.

    \b
    With NAME, writes the log of another incident instead, to practise on.
    --fields says how much it tells: DIALECT/LEVEL, of service, camel, queue, homing
    and full, usual, thin. --mended writes the log that `homing verify` compares it with.

    \b
    Examples:
      homing lab
      homing lab --play
      homing lab --play --json > lab.json
      homing lab --from fix
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
        given = {"size": size or 20_000, "fields": fields, "is_mended": mended}
        given["seed"] = SEED if seed is None else seed
        _other(name, log, truth, given, as_json=as_json)
    else:
        asked = Walk(
            folder=folder,
            seed=seed,
            size=size,
            only=only,
            first=first,
            is_playing=play,
            is_json=as_json,
        )
        walk(asked)


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
    before = Path(f"{name}.jsonl.gz")
    log = log or (Path(f"{name}-mended.jsonl.gz") if given["is_mended"] else before)
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
        say(f"homing verify {before if before.is_file() else 'BEFORE'} {log}")
    else:
        say(f"{plural(told.accepted, 'delivery')} in {log}; how many are missing, and why?")
        say(f"homing investigate {log}")
    if truth is not None:
        note(f"the truth is in {truth}")


def _again(worker: Path, log: Path | None, *, as_json: bool) -> None:
    """The first whole week with somebody's worker deployed."""
    if log is None:
        raise click.UsageError("--again: expected --log FILE for the new log")
    given = made_with(worker.parent)
    if given is None:
        raise ConfigError([f"{worker}: expected it in a folder that `homing lab` has built"])
    what = "the week with the fix"
    with progress_bar(what, given.size) as show:
        truth = have_week(
            load_worker(worker),
            log=log,
            seed=given.seed,
            size=given.size,
            is_later=True,
            on_progress=lambda payments: show(payments, what),
        )
    if as_json:
        print_json({"log": str(log), "accepted": truth.accepted})
        return
    say(f"{plural(truth.accepted, 'delivery')} in {log}: the first whole week with {worker}")
