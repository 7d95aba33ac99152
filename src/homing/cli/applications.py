"""`homing application`: the tenants, each with its endpoints."""

from __future__ import annotations

from typing import Any

import click

from homing.cli.client import Api, api_options, given_only, limit_option, parse_pairs
from homing.cli.groups import Group
from homing.cli.output import as_json, print_json, print_table, say


@click.group(cls=Group)
def application() -> None:
    """Applications: whoever owns a set of endpoints; your customers, as a rule.

    Wherever an application is asked for, its id (app_…) or its uid will do.

    \b
    Examples:
      homing application create Shop --uid shop
      homing application list
    """


#: the API's names of what can be kept for a time of its own
_KEPT = {
    "payload": "payloadDays",
    "attempts": "attemptDays",
    "log": "logDays",
    "dead-letters": "deadLetterDays",
}

retain_option = click.option(
    "--retain",
    multiple=True,
    metavar="WHAT=DAYS",
    help=f"How long to keep its {', '.join(_KEPT)}; 0: for ever, `default`: as the service does. "
    "May be repeated.",
)


def parse_retention(pairs: tuple[str, ...]) -> dict[str, int | None]:
    """The API's fields for `payload=30`, `log=default`, …"""
    fields: dict[str, int | None] = {}
    for pair in pairs:
        what, _, days = pair.partition("=")
        if what not in _KEPT or not (days.isdecimal() or days == "default"):
            raise click.BadParameter(
                f"expected one of {', '.join(_KEPT)} and days, such as payload=30, found {pair!r}",
                param_hint="--retain",
            )
        fields[_KEPT[what]] = None if days == "default" else int(days)
    return fields


def retention_text(application: dict[str, Any]) -> str:
    """What it keeps for a time of its own: `payload 30 d, log for ever`."""
    own = application.get("retention") or {}
    return ", ".join(
        f"{what} {f'{own[name]} d' if own[name] else 'for ever'}"
        for what, name in _KEPT.items()
        if own.get(name) is not None
    )


def show_applications(found: list[dict[str, Any]]) -> None:
    print_table(
        ("application", "uid", "name", "created", "keeps"),
        [
            (a["id"], a.get("uid") or "", a["name"], a["createdAt"][:19], retention_text(a))
            for a in found
        ],
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
@retain_option
@click.option("--if-missing", is_flag=True, help="Fine if the uid exists already.")
@as_json
@api_options
def create_application(
    api: Api,
    name: str,
    uid: str | None,
    metadata: tuple[str, ...],
    retain: tuple[str, ...],
    if_missing: bool,
    as_json: bool,
) -> None:
    """Create an application.

    \b
    Examples:
      homing application create "The Shop" --uid shop
      homing application create shop --uid shop --if-missing --metadata plan=pro
      homing application create clinic --uid clinic --retain payload=7 --retain attempts=7
    """
    body = given_only(
        name=name,
        uid=uid,
        metadata=parse_pairs(metadata),
        retention=parse_retention(retain) or None,
    )
    query = {"get_if_exists": "true"} if if_missing else {}
    made = api.call("POST", "app", query=query, body=body)
    print_json(made) if as_json else show_applications([made])


@application.command("update")
@click.argument("application")
@click.option("--name", help="The new name.")
@click.option("--uid", help="The new uid; empty to remove it.")
@click.option("--metadata", multiple=True, metavar="NAME=VALUE", help="Replaces all of it.")
@retain_option
@as_json
@api_options
def update_application(
    api: Api,
    application: str,
    name: str | None,
    uid: str | None,
    metadata: tuple[str, ...],
    retain: tuple[str, ...],
    as_json: bool,
) -> None:
    """Change what is given and leave the rest.

    \b
    Examples:
      homing application update shop --name "The Shop, Ltd."
      homing application update shop --retain payload=30 --retain log=default
    """
    body = given_only(name=name, metadata=parse_pairs(metadata))
    if retain:
        present = api.get("app", application).get("retention") or {}
        body["retention"] = {**present, **parse_retention(retain)}
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
