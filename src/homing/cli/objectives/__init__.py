"""`homing slo`: reliability promises, how much of their budgets is left, and who notices what."""

from __future__ import annotations

import click

from homing.cli.groups import Group
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
from homing.cli.objectives.fired import fired


@click.group(cls=Group)
def slo() -> None:
    """Objectives: what is promised, what may still go wrong, and when a drop would be noticed.

    \b
    Examples:
      homing slo report
      homing slo add delivered --sli delivered --target 99.9 --period 28d
      homing slo explain --target 99.9 --drop-rate 0.3% --traffic 10/s
    """


for command in (
    list_objectives,
    show_objective,
    add_objective,
    remove_objective,
    report_objectives,
    explain,
    fired,
    propose,
    rules,
    export_openslo,
    check_openslo,
    import_openslo,
):
    slo.add_command(command)

__all__ = ["slo"]
