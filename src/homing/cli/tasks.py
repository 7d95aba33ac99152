"""`homing tasks`: bulk work that goes on in the background, and how far it has got."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any, Final

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.text import Text

from homing.cli.client import Api, api_options, limit_option
from homing.cli.groups import Group
from homing.cli.output import as_json, note, print_json, print_table, say

_EXIT_FINDINGS: Final = 1
_POLL_S: Final = 0.25
_STATUS_STYLES: Final = {"running": "blue", "finished": "green", "failed": "bold red"}
#: members of a task's data that are counts, and how people call them
_COUNTS: Final = {
    "messagesSent": "sent again",
    "messagesDelivered": "delivered",
    "messagesFailedAgain": "failed again",
    "deliveriesDiscarded": "discarded",
    "deliveriesRestored": "brought back",
    "deliveriesLookedAt": "looked at",
    "messagesSkipped": "left alone",
    "messagesPurged": "forgotten",
    "messagesKept": "kept",
    "deliveriesLost": "dead because of it",
    "messagesLookedAt": "looked at",
}

watch_option = click.option("--watch", is_flag=True, help="Wait for its end, with a progress bar.")


@click.group(cls=Group)
def tasks() -> None:
    """Background tasks: recover, replay, redrive, expunge. They survive whoever does them.

    TASK is an id, qtask_…

    \b
    Examples:
      homing tasks list --status running
      homing tasks show qtask_2Zx… --watch
    """


@tasks.command("list")
@click.option("--status", type=click.Choice(["running", "finished", "failed"]), help="Only these.")
@limit_option
@as_json
@api_options
def list_tasks(api: Api, status: str | None, limit: int, as_json: bool) -> None:
    """List background tasks, newest first.

    \b
    Examples:
      homing tasks list
      homing tasks list --status running --json
    """
    found = api.pages("background-task", limit=limit, status=status)
    if as_json:
        print_json(found)
        return
    print_table(
        ("task", "does", "status", "done#", "result"),
        [(t["id"], t["action"], _status(t), f"{t['progress']:.0%}", _result(t)) for t in found],
        empty="no background tasks",
    )


@tasks.command("show")
@click.argument("task")
@watch_option
@as_json
@api_options
def show_task(api: Api, task: str, watch: bool, as_json: bool) -> None:
    """Show one task and how far it has got. Exit code 1: it failed.

    \b
    Examples:
      homing tasks show qtask_2Zx…
      homing tasks show qtask_2Zx… --watch
    """
    found = api.get("background-task", task)
    if watch:
        found = _watched(api, found)
    if as_json:
        print_json(found)
    else:
        rows = {**found, **found["data"]}
        del rows["data"]
        print_table(("", ""), [(n, "" if v is None else str(v)) for n, v in rows.items()])
    _exit(found)


@tasks.command("cancel")
@click.argument("task")
@as_json
@api_options
def cancel_task(api: Api, task: str, as_json: bool) -> None:
    """End a task where it has got to. What it has done stays done.

    \b
    Example:
      homing tasks cancel qtask_2Zx…
    """
    found = api.call("POST", "background-task", task, "cancel")
    print_json(found) if as_json else say(f"cancelled {task}: {_result(found)}")


def follow(api: Api, started: dict[str, Any], *, watch: bool, as_json: bool) -> None:
    """Tell of a task that was started, or wait for its end and tell of that."""
    if not watch:
        hint = f"`homing tasks show {started['id']} --watch` shows how far it has got"
        print_json(started) if as_json else say(f"started {started['id']}; {hint}")
        return
    found = _watched(api, api.get("background-task", started["id"]))
    print_json(found) if as_json else say(f"{found['status']} {found['id']}: {_result(found)}")
    _exit(found)


def watching(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options of every command that starts a task; the function gets `watch` and `as_json`."""
    return watch_option(as_json(api_options(command)))


def _watched(api: Api, task: dict[str, Any]) -> dict[str, Any]:
    """The task once it has ended; until then a bar on standard error, for people."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    console = Console(file=sys.stderr, highlight=False)
    with Progress(*columns, console=console, disable=not sys.stderr.isatty()) as progress:
        bar = progress.add_task(str(task["action"]), total=1.0)
        while True:
            progress.update(bar, completed=task["progress"])
            if task["status"] != "running":
                return task
            time.sleep(_POLL_S)
            task = api.get("background-task", task["id"])


def _status(task: dict[str, Any]) -> Text:
    return Text(task["status"], style=_STATUS_STYLES.get(task["status"], ""))


def _result(task: dict[str, Any]) -> str:
    """What a task has done, in few words."""
    data = task["data"]
    told = [f"{data[name]:,} {words}" for name, words in _COUNTS.items() if data.get(name)]
    return "; ".join([*([task["error"]] if task["error"] else []), ", ".join(told) or "nothing"])


def _exit(task: dict[str, Any]) -> None:
    if task["status"] == "failed":
        note(task["error"] or "it failed")
        raise click.exceptions.Exit(_EXIT_FINDINGS)
