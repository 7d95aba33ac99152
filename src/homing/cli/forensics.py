"""The analysis of logs as commands use it: it needs packages of an extra, so it is loaded late."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import click

from homing.cli.progress import progress_bar
from homing.core.errors import ConfigError

#: the engine of this process, which reads files
HERE: Final = "duckdb"

#: what the extra `forensics` brings; an import is not needed to see that it is there
_PACKAGES: Final = ("ibis", "duckdb", "numpy", "pyarrow")

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
        raise ConfigError([_missing(error.name)]) from error


def expect_forensics(besides: str = "") -> None:
    """Find out whether logs can be analysed here, before anything else is done.

    Args:
        besides: another way to have what is missing, to say after the usual one.

    Raises:
        ConfigError: packages are not installed; says how to.
    """
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError([_missing(", ".join(missing)) + besides])


def _missing(names: str | None) -> str:
    install = "`pip install 'homing[forensics]'`"
    return f"`homing {_asked()}` needs more packages ({names}): {install}"


def _asked() -> str:
    """The command that was typed, without the name of the program."""
    context = click.get_current_context(silent=True)
    names: list[str] = []
    while context is not None and (context.parent is not None or not names):
        names.insert(0, context.info_name or "")
        context = context.parent
    return " ".join(names) or "investigate"


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
