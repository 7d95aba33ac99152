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


@click.group()
def dlq() -> None:
    """Dead letters: deliveries that were given up, each with its reason. None is ever lost.

    They come in issues: what died of the same thing at the same endpoint. DELIVERY is a delivery's
    id, msg_….ep_…; ISSUE is an issue's, iss_…; TASK is that of a redrive, qtask_….
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
