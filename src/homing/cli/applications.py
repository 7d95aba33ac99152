"""`homing application`: the tenants, each with its endpoints."""

from __future__ import annotations

from typing import Any

import click

from homing.cli.client import Api, api_options, given_only, limit_option, parse_pairs
from homing.cli.output import as_json, print_json, print_table, say


@click.group()
def application() -> None:
    """Applications: whoever owns a set of endpoints; your customers, as a rule.

    Wherever an application is asked for, its id (app_…) or its uid will do.
    """


def show_applications(found: list[dict[str, Any]]) -> None:
    print_table(
        ("application", "uid", "name", "created"),
        [(a["id"], a.get("uid") or "", a["name"], a["createdAt"][:19]) for a in found],
        empty="no applications; `homing application create NAME` makes one",
    )


@application.command("list")
@limit_option
@as_json
@api_options
def list_applications(api: Api, limit: int, as_json: bool) -> None:
    """List applications.

    \b
    Examples:
      homing application list
      homing application list --json | jq -r '.[].id'
    """
    found = api.pages("app", limit=limit)
    print_json(found) if as_json else show_applications(found)


@application.command("get")
@click.argument("application")
@as_json
@api_options
def get_application(api: Api, application: str, as_json: bool) -> None:
    """Show one application.

    \b
    Example:
      homing application get shop --json
    """
    found = api.get("app", application)
    print_json(found) if as_json else show_applications([found])


@application.command("create")
@click.argument("name")
@click.option("--uid", help="Your own name for it, such as your customer's number.")
@click.option("--metadata", multiple=True, metavar="NAME=VALUE", help="May be repeated.")
@click.option("--if-missing", is_flag=True, help="Fine if the uid exists already.")
@as_json
@api_options
def create_application(
    api: Api, name: str, uid: str | None, metadata: tuple[str, ...], if_missing: bool, as_json: bool
) -> None:
    """Create an application.

    \b
    Examples:
      homing application create "The Shop" --uid shop
      homing application create shop --uid shop --if-missing --metadata plan=pro
    """
    body = given_only(name=name, uid=uid, metadata=parse_pairs(metadata))
    query = {"get_if_exists": "true"} if if_missing else {}
    made = api.call("POST", "app", query=query, body=body)
    print_json(made) if as_json else show_applications([made])


@application.command("update")
@click.argument("application")
@click.option("--name", help="The new name.")
@click.option("--uid", help="The new uid; empty to remove it.")
@click.option("--metadata", multiple=True, metavar="NAME=VALUE", help="Replaces all of it.")
@as_json
@api_options
def update_application(
    api: Api,
    application: str,
    name: str | None,
    uid: str | None,
    metadata: tuple[str, ...],
    as_json: bool,
) -> None:
    """Change what is given and leave the rest.

    \b
    Example:
      homing application update shop --name "The Shop, Ltd."
    """
    body = given_only(name=name, metadata=parse_pairs(metadata))
    if uid is not None:
        body["uid"] = uid or None
    changed = api.call("PATCH", "app", application, body=body)
    print_json(changed) if as_json else show_applications([changed])


@application.command("delete")
@click.argument("application")
@click.confirmation_option(prompt="Delete it with all of its endpoints?")
@api_options
def delete_application(api: Api, application: str) -> None:
    """Delete an application and its endpoints. What waits for them is cancelled, and says so.

    \b
    Example:
      homing application delete shop --yes
    """
    api.call("DELETE", "app", application)
    say(f"deleted {application}")
