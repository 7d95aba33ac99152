"""What `verify` and `impact` are pointed at: logs, investigations and plain counts, all counted."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from homing.cli.forensics import HERE, forensics, forensics_progress, mapping_of
from homing.cli.investigate_sources import as_files
from homing.cli.moments import moment
from homing.core.errors import ConfigError
from homing.insight.verification import Arm, Count, Window

if TYPE_CHECKING:
    from homing.forensics.counting import Counted

#: strata that a fix leaves in the log: the conditions of a fault, not the fault itself
_CONDITIONS: Final = (
    "two workers held it at once",
    "the response came after the lease had run out",
    "the result of an earlier attempt came after a later one had begun",
    "it was taken more than once",
    "two or more attempts failed",
    "an attempt failed",
)
#: share of the drops that a stratum must hold to be where the fault lives
_COVERAGE_MIN: Final = 0.8


def as_count(_context: click.Context, _option: click.Parameter, text: str | None) -> Count | None:
    """The callback of an option `k/n`: so many dropped of so many."""
    if text is None:
        return None
    found = re.fullmatch(r"([\d_,]+)/([\d_,]+)", text.strip())
    if found:
        k, n = (int(re.sub("[_,]", "", part)) for part in found.groups())
        if k <= n:
            return Count(n=n, k=k)
    raise click.BadParameter(f"expected dropped/deliveries, as 30/10000; found {text!r}")


def count_logs(
    logs: Sequence[str],
    *,
    mapping: str | None = None,
    engine: str = HERE,
    since_us: int | None = None,
    late_s: float | None = None,
    has_past: bool = False,
    has_names: bool = False,
) -> Counted:
    """Count logs: files, globs, a Homing that runs, or the tables of an engine elsewhere.

    Args:
        engine: where they are read and counted.
        since_us: only what was accepted from then on.
        late_s: also name what was delivered so many seconds after it was accepted, or later.
        has_past: also say what came to its end in each minute.
        has_names: also name all that are counted.

    Raises:
        ConfigError: they cannot be read, or packages are missing.
    """
    counting = forensics("counting")
    with (
        tempfile.TemporaryDirectory(prefix="homing-") as folder,
        forensics_progress() as on_progress,
    ):
        files = as_files(logs, folder) if engine == HERE else list(logs)
        options = forensics("investigation").Options(mapping=mapping_of(mapping), engine=engine)
        try:
            counted: Counted = counting.count(
                files,
                options,
                on_progress,
                since_us=since_us,
                late_s=late_s,
                has_past=has_past,
                has_names=has_names,
            )
        except ConfigError as error:
            raise ConfigError([_with_name(one, logs, files) for one in error.problems]) from error
        return counted


def _with_name(problem: str, logs: Sequence[str], files: Sequence[str]) -> str:
    """A complaint that says which log it is about: two are given as often as one."""
    is_named = any(name in problem for name in (*logs, *files))
    return problem if is_named else f"{', '.join(logs)}: {problem}"


def load_investigation(path: Path) -> dict[str, Any]:
    """What `homing investigate --save` wrote.

    Raises:
        ConfigError: it is not that.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(
            [f"{path}: expected what `homing investigate --save` writes; {error}"]
        ) from error
    if not isinstance(document, dict) or not {"accepted", "dropped"} <= document.keys():
        raise ConfigError(
            [f"{path}: expected what `homing investigate --save` writes; it has no counts"]
        )
    if doubt := document.get("doubt"):
        text = (
            f"{path}: it is in doubt whether anything was dropped, so nothing rests on its counts"
        )
        raise ConfigError([f"{text}: {doubt['sentence']}"])
    return document


def is_investigation(name: str) -> bool:
    """Whether an argument is a saved investigation rather than a log."""
    path = Path(name)
    if path.suffix != ".json" or not path.is_file():
        return False
    head = path.read_bytes()[:4_000]
    return b'"judged"' in head and b'"dropped"' in head


def arm_of(document: dict[str, Any]) -> Arm:
    """The counts of an investigation; it knows the strata that it suspected, and no mix."""
    log = document.get("log") or {}
    window = None
    if log.get("from") and log.get("to"):
        first_us, last_us = (moment(log[end]) for end in ("from", "to"))
        window = Window(first_us=first_us, last_us=last_us)
    judged = document.get("judged", document["accepted"])
    return Arm(
        window=window,
        all=Count(n=judged, k=document["dropped"]),
        too_young=document["accepted"] - judged,
        strata={
            one["name"]: Count(n=one["having"], k=one["dropped"])
            for one in document.get("suspects", ())
        },
    )


def guilty_of(arm: Arm, document: dict[str, Any] | None) -> str | None:
    """The stratum in which the fault lives: most of the drops, at the highest rate.

    Only strata that are conditions of a fault count: what the fault itself does is gone with it,
    and a stratum without deliveries shows nothing.
    """
    strata = dict(arm_of(document).strata) if document else {}
    strata |= {name: one for name, one in arm.strata.items() if one.n}
    fitting = [
        (one.k / one.n, name)
        for name, one in strata.items()
        if name in _CONDITIONS and one.n and one.k >= _COVERAGE_MIN * max(1, arm.all.k)
    ]
    return max(fitting)[1] if fitting and arm.all.k else None
