"""`homing endpoint`: URLs that want some of an application's messages."""

from __future__ import annotations

from typing import Any

import click
from rich.text import Text

from homing.cli.client import Api, api_options, given_only, limit_option, parse_pairs
from homing.cli.groups import Group
from homing.cli.output import as_json, print_json, print_table, say

_EVENT_TYPE_HELP = "Wanted; may be repeated. None: all."
_CHANNEL_HELP = "Wanted; may be repeated. None: all."


@click.group(cls=Group)
def endpoint() -> None:
    """Endpoints: URLs that want some of an application's messages.

    APPLICATION and ENDPOINT are ids (app_…, ep_…) or uids.

    \b
    Examples:
      homing endpoint create shop https://shop.example/hooks
      homing endpoint list shop
    """


def _show(found: list[dict[str, Any]]) -> None:
    print_table(
        ("endpoint", "url", "wants", "state"),
        [
            (
                e["id"],
                e["url"],
                ",".join(e.get("eventTypes") or e.get("filterTypes") or ["all"]),
                Text("disabled", style="magenta") if e.get("disabled") else "enabled",
            )
            for e in found
        ],
        empty="no endpoints; `homing endpoint create APPLICATION URL` makes one",
    )


@endpoint.command("list")
@click.argument("application")
@limit_option
@as_json
@api_options
def list_endpoints(api: Api, application: str, limit: int, as_json: bool) -> None:
    """List an application's endpoints.

    \b
    Example:
      homing endpoint list shop
    """
    found = api.pages("app", application, "endpoint", limit=limit)
    print_json(found) if as_json else _show(found)


@endpoint.command("get")
@click.argument("application")
@click.argument("endpoint")
@as_json
@api_options
def get_endpoint(api: Api, application: str, endpoint: str, as_json: bool) -> None:
    """Show one endpoint.

    \b
    Example:
      homing endpoint get shop ep_2Zx… --json
    """
    found = api.get("app", application, "endpoint", endpoint)
    print_json(found) if as_json else _show([found])


@endpoint.command("create")
@click.argument("application")
@click.argument("url")
@click.option("--uid", help="Your own name for it.")
@click.option("--description", help="One line for people.")
@click.option("--event-type", "event_types", multiple=True, help=_EVENT_TYPE_HELP)
@click.option("--channel", "channels", multiple=True, help=_CHANNEL_HELP)
@click.option("--secret", help="whsec_… or whsk_…; default: a new one.")
@click.option("--header", "headers", multiple=True, metavar="NAME=VALUE", help="Sent along.")
@as_json
@api_options
def create_endpoint(
    api: Api,
    application: str,
    url: str,
    uid: str | None,
    description: str | None,
    event_types: tuple[str, ...],
    channels: tuple[str, ...],
    secret: str | None,
    headers: tuple[str, ...],
    as_json: bool,
) -> None:
    """Create an endpoint. Messages accepted from now on are sent to it.

    \b
    Examples:
      homing endpoint create shop https://shop.example/hooks
      homing endpoint create shop https://shop.example/refunds --event-type refund.created
    """
    body = given_only(
        url=url,
        uid=uid,
        description=description,
        eventTypes=list(event_types),
        channels=list(channels),
        secret=secret,
        headers=parse_pairs(headers),
    )
    made = api.call("POST", "app", application, "endpoint", body=body)
    print_json(made) if as_json else _show([made])


@endpoint.command("update")
@click.argument("application")
@click.argument("endpoint")
@click.option("--url", help="The new URL.")
@click.option("--uid", help="The new uid; empty to remove it.")
@click.option("--description", help="One line for people.")
@click.option("--event-type", "event_types", multiple=True, help="Replaces what was wanted.")
@click.option("--all-event-types", is_flag=True, help="Wants all of them again.")
@click.option("--channel", "channels", multiple=True, help="Replaces what was wanted.")
@click.option("--enable/--disable", "enabled", default=None, help="Disabled: deliveries park.")
@as_json
@api_options
def update_endpoint(
    api: Api,
    application: str,
    endpoint: str,
    url: str | None,
    uid: str | None,
    description: str | None,
    event_types: tuple[str, ...],
    all_event_types: bool,
    channels: tuple[str, ...],
    enabled: bool | None,
    as_json: bool,
) -> None:
    """Change what is given and leave the rest.

    Deliveries of a disabled endpoint are parked; they are sent when it is enabled again.

    \b
    Examples:
      homing endpoint update shop ep_2Zx… --disable
      homing endpoint update shop ep_2Zx… --enable --event-type payment.captured
    """
    body = given_only(
        url=url,
        uid=uid,
        description=description,
        eventTypes=list(event_types),
        channels=list(channels),
        disabled=None if enabled is None else not enabled,
    )
    if all_event_types:
        body["eventTypes"] = None
    changed = api.call("PATCH", "app", application, "endpoint", endpoint, body=body)
    print_json(changed) if as_json else _show([changed])


@endpoint.command("delete")
@click.argument("application")
@click.argument("endpoint")
@click.confirmation_option(prompt="Delete this endpoint?")
@api_options
def delete_endpoint(api: Api, application: str, endpoint: str) -> None:
    """Delete an endpoint. What still waits for it is cancelled, and the books say so.

    \b
    Example:
      homing endpoint delete shop ep_2Zx… --yes
    """
    api.call("DELETE", "app", application, "endpoint", endpoint)
    say(f"deleted {endpoint}")


@endpoint.command("secret")
@click.argument("application")
@click.argument("endpoint")
@click.option("--rotate", is_flag=True, help="Make a new one first.")
@click.option(
    "--grace-s",
    type=click.IntRange(0, 604_800),
    default=86_400,
    show_default=True,
    help="How long the old one still signs, in seconds.",
)
@as_json
@api_options
def endpoint_secret(
    api: Api, application: str, endpoint: str, rotate: bool, grace_s: int, as_json: bool
) -> None:
    """Show what a receiver verifies with; with --rotate, replace it without a gap.

    \b
    Examples:
      homing endpoint secret shop ep_2Zx…
      homing endpoint secret shop ep_2Zx… --rotate --grace-s 3600
    """
    path = ("app", application, "endpoint", endpoint, "secret")
    if rotate:
        api.call("POST", *path, "rotate", body={"gracePeriodSeconds": grace_s})
    found = api.get(*path)
    print_json(found) if as_json else say(found["key"])


@endpoint.command("stats")
@click.argument("application")
@click.argument("endpoint")
@as_json
@api_options
def endpoint_stats(api: Api, application: str, endpoint: str, as_json: bool) -> None:
    """Count an endpoint's attempts by what came of them.

    \b
    Example:
      homing endpoint stats shop ep_2Zx…
    """
    found = api.get("app", application, "endpoint", endpoint, "stats")
    if as_json:
        print_json(found)
    else:
        print_table(tuple(f"{name}#" for name in found), [[str(n) for n in found.values()]])
