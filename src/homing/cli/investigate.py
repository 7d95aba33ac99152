"""`homing investigate`: find the drop in anybody's delivery log, and what most likely causes it."""

from __future__ import annotations

import importlib
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from homing.cli.incidents import files_of, record
from homing.cli.investigate_sources import as_files
from homing.cli.output import as_json, note, print_json, say
from homing.core.errors import ConfigError

if TYPE_CHECKING:
    from homing.forensics.investigation import Findings, Options

_EXIT_DROPPED: Final = 1
#: the steps that report their progress, with the share of the time that is over when they begin
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
@click.option("--html", type=_FILE, metavar="FILE", help="Write one page with plots.")
@click.option("--save", type=_FILE, metavar="FILE", help="Write the JSON, for `homing reproduce`.")
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
@click.option(
    "--engine",
    type=click.Choice(["duckdb", "spark"]),
    default="duckdb",
    show_default=True,
    help="What computes; spark is for more than one machine holds.",
)
@as_json
def investigate(
    logs: tuple[str, ...],
    mapping: str | None,
    explain_mapping: bool,
    horizon: int | None,
    life: Path | None,
    html: Path | None,
    save: Path | None,
    memory: str,
    threads: int,
    work_folder: str | None,
    engine: str,
    as_json: bool,
) -> None:
    """Say how many deliveries a log lost, since when, whose, and by which mechanism.

    \b
    LOG is the delivery log of any webhook service: JSON lines, JSON, CSV, Parquet or key=value
    lines; files, folders, globs, .gz, .zst. A row per change, per attempt or per delivery.
    It may also be a database of Homing (sqlite:…, postgresql://…) or its server (http://…).

    \b
    Examples:
      homing investigate log.jsonl
      homing investigate 'logs/*.csv.gz' --html report.html --save incident.json
      homing investigate attempts.csv --explain-mapping > mapping.toml
      homing investigate attempts.csv --mapping mapping.toml
      homing investigate events.json --mapping stripe-events
      homing export > log.jsonl && homing investigate log.jsonl

    Exit codes: 0 nothing was dropped (and the bound that this proves), 1 something was, 2 the log
    cannot be read.
    """
    if not logs:
        raise click.UsageError("expected LOG: a file, a glob, a database URL or a server URL")
    module = _module("investigation")
    with tempfile.TemporaryDirectory(prefix="homing-", dir=work_folder) as folder:
        files = as_files(logs, folder)
        options: Options = module.Options(
            mapping=_mapping(mapping),
            horizon_us=horizon,
            legal=_life(life),
            memory=memory,
            threads=threads,
            folder=work_folder,
            engine=engine,
        )
        if explain_mapping:
            _explain(files, options)
            return
        with _progress() as progress:
            findings: Findings = module.investigate(files, options, progress)
    document = _deliver(findings, as_json=as_json, html=html, save=save)
    record("investigate", document, inputs=files_of(logs), files=[save, html])
    if findings.dropped:
        raise click.exceptions.Exit(_EXIT_DROPPED)


def _module(name: str) -> Any:
    """A part of the forensics, which needs packages of an extra.

    Raises:
        ConfigError: they are not installed; says how to.
    """
    try:
        return importlib.import_module(f"homing.forensics.{name}")
    except ImportError as error:
        raise _missing(error) from error


def _missing(error: ImportError) -> ConfigError:
    return ConfigError(
        [
            f"`homing investigate` needs more packages ({error.name}): `pip install 'homing[forensics]'`"
        ]
    )


def _mapping(name: str | None) -> Any:
    if name is None:
        return None
    mapping = _module("mapping")
    if name in mapping.SHIPPED:
        return mapping.shipped(name)
    if not Path(name).exists():
        raise ConfigError(
            [f"--mapping {name}: expected a file or one of {', '.join(mapping.SHIPPED)}"]
        )
    return mapping.parse(Path(name).read_text(), name)


def _life(path: Path | None) -> Any:
    if path is None:
        return None
    if not path.exists():
        raise ConfigError([f"--life {path}: there is no such file"])
    return _module("variants").parse_life(path.read_text(), str(path))


def _explain(files: Sequence[str], options: Options) -> None:
    explained = _module("explaining").explain(files, options)
    for path, text in explained:
        click.echo(f"# {path}")
        click.echo(text)


def _deliver(
    findings: Findings, *, as_json: bool, html: Path | None, save: Path | None
) -> dict[str, Any]:
    document: dict[str, Any] = _module("document").document(findings)
    if save is not None:
        text = msgspec.json.format(msgspec.json.encode(document), indent=2)
        save.write_bytes(text + b"\n")
    if html is not None:
        html.write_text(_module("page").page(document), encoding="utf-8")
    if as_json:
        print_json(document)
    else:
        _module_report(document, save=save, html=html)
    return document


def _module_report(document: dict[str, Any], *, save: Path | None, html: Path | None) -> None:
    from homing.cli.investigate_report import report

    for line in report(document, saved=str(save) if save else None):
        say(line)
    if html is not None:
        note(f"page written to {html}")


@contextmanager
def _progress() -> Iterator[Callable[[str, float], None]]:
    """A bar on standard error, only where a person looks."""
    if not sys.stderr.isatty():
        yield lambda step, share: None
        return
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task("reading", total=1.0)
        yield lambda step, share: bar.update(task, description=f"{step:28}", completed=share)
