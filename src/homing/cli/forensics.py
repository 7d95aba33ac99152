"""The analysis of logs as commands use it: it needs packages of an extra, so it is loaded late."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import click

from homing.cli.progress import progress_bar
from homing.core.errors import ConfigError

#: the engine of this process, which reads files
HERE: Final = "duckdb"

#: the option of every command that reads logs
as_engine: Final = click.option(
    "--engine",
    default=HERE,
    show_default=True,
    metavar="NAME",
    help="What reads and computes: spark, or the URL of a warehouse whose tables LOG names.",
)


def forensics(name: str) -> Any:
    """A part of the forensics, which needs packages of an extra.

    Raises:
        ConfigError: they are not installed; says how to.
    """
    try:
        return importlib.import_module(f"homing.forensics.{name}")
    except ImportError as error:
        raise _missing(error) from error


def _missing(error: ImportError) -> ConfigError:
    install = "`pip install 'homing[forensics]'`"
    return ConfigError([f"`homing investigate` needs more packages ({error.name}): {install}"])


def mapping_of(name: str | None) -> Any:
    """The mapping of that name or in that file; None: it is to be found out.

    Raises:
        ConfigError: there is no such mapping, or packages are missing.
    """
    if name is None:
        return None
    mapping = forensics("reading.mapping")
    if name in mapping.SHIPPED:
        return mapping.shipped(name)
    if not Path(name).exists():
        raise ConfigError(
            [f"--mapping {name}: expected a file or one of {', '.join(mapping.SHIPPED)}"]
        )
    return mapping.parse(Path(name).read_text(), name)


@contextmanager
def forensics_progress() -> Iterator[Callable[[str, float], None]]:
    """What is to be told which step is under way, and what share of the work is done."""
    with progress_bar("reading", 1.0) as show:
        yield lambda step, share: show(share, f"{step:28}")
