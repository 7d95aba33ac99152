"""`homing dlq redrive`, and looking after one that is under way."""

from __future__ import annotations

import sys
import time
from typing import Any, Final

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from homing.cli.client import Api, api_options, given_only
from homing.cli.dlq.choosing import choosing, chosen, show_preview
from homing.cli.incidents import record
from homing.cli.output import as_json, note, print_json, say
from homing.cli.tasks import watch_option

_EXIT_FINDINGS: Final = 1
_POLL_S: Final = 0.25


@click.command("redrive")
@click.argument("application")
@click.argument("deliveries", nargs=-1)
@choosing
@click.option("--rate", type=click.FloatRange(0, min_open=True), metavar="N", help="A second.")
@click.option(
    "--concurrency",
    type=click.IntRange(1, 1_000),
    metavar="N",
    help="At most so many whose next outcome is not known yet.",
)
@click.option(
    "--canary",
    type=click.IntRange(1, 1_000),
    metavar="N",
    help="So many first, and the rest only if these do well.",
)
@click.option(
    "--failures-max",
    type=click.FloatRange(0, 100),
    default=10.0,
    show_default=True,
    metavar="PERCENT",
    help="A canary does well when no more of it fail again.",
)
@click.option("--dry-run", is_flag=True, help="Only count them, and say how long it would take.")
@click.option("--key", metavar="TEXT", help="Makes this request repeatable: it is done once.")
@watch_option
@as_json
@api_options
def redrive(
    api: Api,
    application: str,
    deliveries: tuple[str, ...],
    rate: float | None,
    concurrency: int | None,
    canary: int | None,
    failures_max: float,
    dry_run: bool,
    key: str | None,
    watch: bool,
    as_json: bool,
    **which: Any,
) -> None:
    """Send dead letters again: same id, fresh signature, the whole retry schedule.

    It is a background task that survives whoever does it. Exit code 1, with --watch: the canary
    failed, or it was cancelled.

    \b
    Examples:
      homing dlq redrive shop msg_2Zx….ep_2Zx…
      homing dlq redrive shop --issue iss_2Zx… --dry-run
      homing dlq redrive shop --issue iss_2Zx… --canary 20 --rate 50 --watch
      homing dlq redrive shop --all --status 503 --since 2h
    """
    body = chosen(deliveries, **which) | given_only(
        ratePerS=rate, concurrency=concurrency, canary=canary
    )
    body["failureRatioMax"] = failures_max / 100
    path = ("app", application, "dead-letter", "redrive")
    if dry_run:
        found = api.call("POST", *path, body=body | {"dryRun": True})
        show_preview(found, "redriven", as_json=as_json)
        return
    started = api.call("POST", *path, body=body, key=key)
    if not watch:
        record("redrive", started)
        hint = f"`homing dlq status {started['id']} --watch` shows how far it has got"
        print_json(started) if as_json else say(f"started {started['id']}; {hint}")
        return
    ended = _watched(api, started["id"])
    record("redrive", ended)
    _tell(ended, as_json=as_json)


@click.command("status")
@click.argument("task")
@watch_option
@as_json
@api_options
def status(api: Api, task: str, watch: bool, as_json: bool) -> None:
    """How far a redrive has got, and what became of what it sent. Exit code 1: it failed.

    \b
    Examples:
      homing dlq status qtask_2Zx…
      homing dlq status qtask_2Zx… --watch
    """
    found = _watched(api, task) if watch else api.get("background-task", task)
    _tell(found, as_json=as_json)


@click.command("pause")
@click.argument("task")
@as_json
@api_options
def pause(api: Api, task: str, as_json: bool) -> None:
    """Stop a redrive where it has got to. What was sent goes on; nothing more is.

    \b
    Example:
      homing dlq pause qtask_2Zx…
    """
    _change(api, task, "pause", as_json)


@click.command("resume")
@click.argument("task")
@as_json
@api_options
def resume(api: Api, task: str, as_json: bool) -> None:
    """Have a redrive go on that was paused.

    \b
    Example:
      homing dlq resume qtask_2Zx…
    """
    _change(api, task, "resume", as_json)


@click.command("cancel")
@click.argument("task")
@as_json
@api_options
def cancel(api: Api, task: str, as_json: bool) -> None:
    """End a redrive where it has got to. What it sent stays sent, the rest stays dead.

    \b
    Example:
      homing dlq cancel qtask_2Zx…
    """
    _change(api, task, "cancel", as_json)


def _change(api: Api, task: str, verb: str, as_json: bool) -> None:
    found = api.call("POST", "background-task", task, verb)
    print_json(found) if as_json else say(_line(found))


def _tell(task: dict[str, Any], *, as_json: bool) -> None:
    print_json(task) if as_json else say(_line(task))
    if task["status"] == "failed":
        note(task["error"] or "it failed")
        raise click.exceptions.Exit(_EXIT_FINDINGS)


def _line(task: dict[str, Any]) -> str:
    state = f"paused by {task['pausedBy']}" if task["pausedBy"] else task["status"]
    return f"{state} {task['id']}: {_counts(task)}"


def _counts(task: dict[str, Any]) -> str:
    """What became of what was sent."""
    data = task["data"]
    if "messagesUnderWay" not in data:
        return f"{task['action']}, {task['progress']:.0%} done"
    told = [f"{data['messagesSent']:,} sent", f"{data['messagesDelivered']:,} delivered"]
    for name, words in (
        ("messagesFailedAgain", "failed again"),
        ("messagesUnderWay", "under way"),
        ("messagesSetAside", "set aside"),
        ("messagesSkipped", "left alone"),
    ):
        if data[name]:
            told.append(f"{data[name]:,} {words}")
    if data["canary"]:
        told.append("canary passed" if data["canaryPassed"] else f"canary of {data['canary']:,}")
    return ", ".join(told)


def _watched(api: Api, task_id: str) -> dict[str, Any]:
    """The task once it has ended or is paused; until then a bar on standard error, for people."""
    columns = (
        TextColumn("redrive"),
        BarColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
    )
    console = Console(file=sys.stderr, highlight=False)
    with Progress(*columns, console=console, disable=not sys.stderr.isatty()) as progress:
        bar = progress.add_task("", total=1.0)
        while True:
            task: dict[str, Any] = api.get("background-task", task_id)
            progress.update(bar, completed=task["progress"], description=_counts(task))
            if task["status"] != "running" or task["pausedBy"]:
                return task
            time.sleep(_POLL_S)
