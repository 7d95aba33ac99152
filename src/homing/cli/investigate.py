"""`homing investigate`: find the drop in anybody's delivery log, and what most likely causes it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
import msgspec

from homing.cli.forensics import HERE, as_engine, forensics, forensics_progress, mapping_of
from homing.cli.incidents import at_option, files_of, record
from homing.cli.investigate_sources import as_files
from homing.cli.output import as_json, console, note, print_json, say_prose
from homing.core.errors import ConfigError

if TYPE_CHECKING:
    from homing.forensics.investigation import Findings
    from homing.forensics.options import Options

_EXIT_DROPPED: Final = 1
#: too little of the log can be read to say that something was dropped, or that nothing was
_EXIT_IN_DOUBT: Final = 2
#: of a length of time, in seconds
_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_FILE = click.Path(dir_okay=False, path_type=Path)


def _length(_context: click.Context, _parameter: click.Parameter, text: str | None) -> int | None:
    if text is None:
        return None
    number, unit = text[:-1], text[-1:]
    if unit not in _UNITS or not number.isdecimal():
        raise click.BadParameter(
            f"expected a length of time such as 90s, 15m, 6h, 2d; found {text!r}"
        )
    return int(number) * _UNITS[unit] * 1_000_000


def _place(_context: click.Context, _parameter: click.Parameter, path: Path | None) -> Path | None:
    """Where a result goes, looked at before the work and not after it."""
    if path is not None and not path.parent.is_dir():
        raise click.BadParameter(
            f"{path}: there is no folder {path.parent}; make it, or name another"
        )
    return path


@click.command()
@click.argument("logs", metavar="LOG...", nargs=-1)
@click.option(
    "--mapping",
    metavar="FILE",
    help="How columns are named: a TOML file, or the name of a shipped one.",
)
@click.option(
    "--explain-mapping", is_flag=True, help="Print the mapping as TOML, to edit, and stop."
)
@click.option(
    "--horizon",
    callback=_length,
    metavar="TIME",
    help="A longer silence is a drop (6h); default: as the log shows.",
)
@click.option("--life", type=_FILE, metavar="FILE", help="The legal life of that system, as TOML.")
@click.option(
    "--html", type=_FILE, callback=_place, metavar="FILE", help="Write one page with plots."
)
@click.option(
    "--save",
    type=_FILE,
    callback=_place,
    metavar="FILE",
    help="Write the JSON, for `homing reproduce`.",
)
@click.option(
    "--drops",
    type=_FILE,
    callback=_place,
    metavar="FILE",
    help="Write the name of every dropped delivery, a line each.",
)
@click.option(
    "--memory",
    default="1400MB",
    show_default=True,
    metavar="SIZE",
    help="Beyond it, work goes to disk.",
)
@click.option(
    "--threads",
    type=click.IntRange(1),
    default=2,
    show_default=True,
    metavar="N",
    help="How many work at once.",
)
@click.option(
    "--work-folder",
    type=click.Path(file_okay=False, exists=True),
    metavar="DIR",
    help="Where it spills; default: the system's.",
)
@as_engine
@at_option
@as_json
def investigate(
    logs: tuple[str, ...],
    mapping: str | None,
    explain_mapping: bool,
    horizon: int | None,
    life: Path | None,
    html: Path | None,
    save: Path | None,
    drops: Path | None,
    memory: str,
    threads: int,
    work_folder: str | None,
    engine: str,
    at_us: int | None,
    as_json: bool,
) -> None:
    """Say how many deliveries a log lost, since when, whose, and by which mechanism.

    \b
    LOG is the delivery log of any webhook service: JSON lines, JSON, CSV, Parquet, key=value
    lines, text or a dump of a database; files, folders, globs, .gz, .zst. A row per change, per
    attempt or per delivery.
    It may also be a database of Homing (sqlite:…, postgresql://…) or its server (http://…).

    \b
    Examples:
      homing investigate log.jsonl
      homing investigate 'logs/*.csv.gz' --html report.html --save incident.json --drops ids.txt
      homing investigate attempts.csv --explain-mapping > mapping.toml
      homing investigate attempts.csv --mapping mapping.toml
      homing investigate events.json --mapping stripe-events
      homing export > log.jsonl && homing investigate log.jsonl
      homing investigate --engine postgresql://reader@db/logs webhooks.attempts
      homing investigate --engine spark 'lake/attempts/*.parquet'

    Exit codes: 0 nothing was dropped (and the bound that this proves), 1 something was, 2 the log
    cannot be read, or so little of it that neither can be said: a file is cut off and shows no
    drop up to there, or the damaged rows may be all that is missing of what looks dropped.
    """
    if not logs:
        raise click.UsageError("expected LOG: a file, a glob, a database URL or a server URL")
    module = forensics("investigation")
    with tempfile.TemporaryDirectory(prefix="homing-", dir=work_folder) as folder:
        files = as_files(logs, folder) if engine == HERE else list(logs)
        options: Options = module.Options(
            mapping=mapping_of(mapping),
            horizon_us=horizon,
            legal=_life(life),
            memory=memory,
            threads=threads,
            folder=work_folder,
            drops=drops,
            engine=engine,
        )
        if explain_mapping:
            _explain(files, options)
            return
        with forensics_progress() as on_progress:
            findings: Findings = module.investigate(files, options, on_progress)
    document = _deliver(findings, as_json=as_json, html=html, save=save)
    written = [save, html, drops]
    record("investigate", document, inputs=files_of(logs), files=written, at_us=at_us)
    if document.get("doubt"):
        raise click.exceptions.Exit(_EXIT_IN_DOUBT)
    if findings.dropped:
        raise click.exceptions.Exit(_EXIT_DROPPED)


def _life(path: Path | None) -> Any:
    if path is None:
        return None
    if not path.exists():
        raise ConfigError([f"--life {path}: there is no such file"])
    return forensics("variants").parse_life(path.read_text(), str(path))


def _explain(files: Sequence[str], options: Options) -> None:
    explained = forensics("explaining").explain(files, options)
    for path, text in explained:
        click.echo(f"# {path}")
        click.echo(text)


def _deliver(
    findings: Findings, *, as_json: bool, html: Path | None, save: Path | None
) -> dict[str, Any]:
    document: dict[str, Any] = forensics("document").document(findings)
    if save is not None:
        text = msgspec.json.format(msgspec.json.encode(document), indent=2)
        save.write_bytes(text + b"\n")
    if html is not None:
        html.write_text(forensics("page").page(document), encoding="utf-8")
    if as_json:
        print_json(document)
    else:
        _report(document, save=save, html=html)
    return document


def _report(document: dict[str, Any], *, save: Path | None, html: Path | None) -> None:
    from homing.cli.investigate_report import SET_IN, report

    for line in report(document, saved=str(save) if save else None, width=console().width):
        say_prose(line, indent=SET_IN)
    if html is not None:
        note(f"page written to {html}")
