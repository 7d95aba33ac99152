"""`homing slo`: reliability promises, how much of their budgets is left, and who notices what."""

from __future__ import annotations

import click

from homing.cli.objectives.ask import (
    add_objective,
    list_objectives,
    propose,
    remove_objective,
    report_objectives,
    show_objective,
)
from homing.cli.objectives.explain import explain
from homing.cli.objectives.files import check_openslo, export_openslo, import_openslo, rules


@click.group()
def slo() -> None:
    """Objectives: what is promised, what may still go wrong, and when a drop would be noticed."""


for command in (
    list_objectives,
    show_objective,
    add_objective,
    remove_objective,
    report_objectives,
    explain,
    propose,
    rules,
    export_openslo,
    check_openslo,
    import_openslo,
):
    slo.add_command(command)

__all__ = ["slo"]
