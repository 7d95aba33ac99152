"""`homing recover`, `homing replay-missing` and `homing replay`: sending again in bulk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from homing.cli.client import Api, given_only
from homing.cli.moments import iso_moment
from homing.cli.tasks import follow, watching


def spanning(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options of a command about what was accepted in a span of time."""
    since = click.option(
        "--since",
        type=iso_moment,
        required=True,
        metavar="TIME",
        help="Accepted since: 2026-11-23T10:00Z, or 90m, 6h, 2d ago.",
    )
    until = click.option(
        "--until", type=iso_moment, metavar="TIME", help="Accepted before; default: now."
    )
    return since(until(command))


def _start(
    api: Api, application: str, endpoint: str, verb: str, watch: bool, as_json: bool, **body: Any
) -> None:
    path = ("app", application, "endpoint", endpoint, verb)
    follow(api, api.call("POST", *path, body=given_only(**body)), watch=watch, as_json=as_json)


@click.command()
@click.argument("application")
@click.argument("endpoint")
@spanning
@watching
def recover(api: Api, application: str, endpoint: str, **given: Any) -> None:
    """Send again what an endpoint never got: its dead letters of the last 14 days at most.

    What still has retries due is left to them. Exit code 1, with --watch: it failed.

    \b
    Examples:
      homing recover shop ep_2Zx… --since 2h --watch
      homing recover shop ep_2Zx… --since 2026-11-22T00:00:00Z --until 2026-11-23T00:00:00Z
    """
    _start(api, application, endpoint, "recover", **given)


@click.command("replay-missing")
@click.argument("application")
@click.argument("endpoint")
@spanning
@watching
def replay_missing(api: Api, application: str, endpoint: str, **given: Any) -> None:
    """Send messages that an endpoint wants and never had: those from before it was made.

    Each goes out once, however often this is asked for. Exit code 1, with --watch: it failed.

    \b
    Example:
      homing replay-missing shop ep_2Zx… --since 3d --watch
    """
    _start(api, application, endpoint, "replay-missing", **given)


@click.command()
@click.argument("application")
@click.argument("endpoint")
@spanning
@click.option("--event-type", "event_types", multiple=True, help="Only of these.")
@click.option("--channel", help="Only of this channel.")
@click.option("--tag", help="Only with this tag.")
@watching
def replay(
    api: Api, application: str, endpoint: str, event_types: tuple[str, ...], **given: Any
) -> None:
    """Send again what an endpoint had, delivered or not: for a receiver that lost its data.

    A receiver sees the same ids again. Retries that are due stay due. Exit code 1, with --watch:
    it failed.

    \b
    Example:
      homing replay shop ep_2Zx… --since 1d --event-type payment.captured --watch
    """
    _start(api, application, endpoint, "bulk-replay", eventTypes=list(event_types), **given)
