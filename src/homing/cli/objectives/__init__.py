"""`homing slo`: reliability promises, how much of their budgets is left, and who notices what."""

from __future__ import annotations

import click

from homing.cli.objectives.explain import explain


@click.group()
def slo() -> None:
    """Objectives: what is promised, what may still go wrong, and when a drop would be noticed."""


slo.add_command(explain)

__all__ = ["slo"]
