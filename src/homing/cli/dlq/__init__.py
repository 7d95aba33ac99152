"""`homing dlq`: what was given up, by what it died of, and the way back."""

from __future__ import annotations

import click

from homing.cli.dlq.issues import (
    acknowledge,
    list_issues,
    merge,
    mute,
    reopen,
    resolve,
    show,
)
from homing.cli.dlq.letters import discard, list_letters, undo
from homing.cli.dlq.redrives import cancel, pause, redrive, resume, status
from homing.cli.groups import Group


@click.group(cls=Group)
def dlq() -> None:
    """Dead letters: deliveries that were given up, each with its reason. None is ever lost.

    They come in issues: what died of the same thing at the same endpoint. DELIVERY is a delivery's
    id, msg_….ep_…; ISSUE is an issue's, iss_…; TASK is that of a redrive, qtask_….

    \b
    Examples:
      homing dlq issues shop
      homing dlq show shop iss_2Zx…
      homing dlq redrive shop --issue iss_2Zx… --canary 20 --watch
    """


for command in (
    list_issues,
    list_letters,
    show,
    redrive,
    status,
    pause,
    resume,
    cancel,
    discard,
    undo,
    acknowledge,
    mute,
    resolve,
    reopen,
    merge,
):
    dlq.add_command(command)
