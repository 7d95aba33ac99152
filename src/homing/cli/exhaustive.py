"""What `homing simulate --exhaustive` does: every order of a tiny world, and what it found."""

from __future__ import annotations

import click
import msgspec

from homing.cli.output import print_json, say
from homing.core.errors import Invalid, Problem
from homing.sim.exhaustive import explore, lines_of
from homing.sim.tiny_world import SAFEGUARDS, Bounds


def exhaust(bounds: Bounds, *, without: str | None, as_json: bool) -> None:
    """Explore, and say what was found.

    Args:
        without: a safeguard to leave out, from `sim.tiny_world.SAFEGUARDS`.

    Raises:
        Invalid: no such safeguard.
        Exit: with 1, when an invariant was broken or the search did not come to its end.
    """
    if without is not None and without not in SAFEGUARDS:
        text = f"expected one of {', '.join(SAFEGUARDS)}; found {without!r}"
        raise Invalid([Problem(("--without",), text)])
    report = explore(bounds, without=[] if without is None else [without])
    if as_json:
        print_json(msgspec.to_builtins(report))
    else:
        say("\n".join(lines_of(report)))
    if report.violations or not report.is_closed:
        raise click.exceptions.Exit(1)
