"""`homing event-type`: the kinds of messages."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import click

from homing.cli.client import Api, api_options, given_only, limit_option, read_text
from homing.cli.groups import Group
from homing.cli.output import as_json, print_json, print_table, say


@click.group(cls=Group)
def event_type() -> None:
    """Event types: the kinds of messages, with a JSON Schema where you have one.

    \b
    Examples:
      homing event-type create payment.captured --amount data.amount --currency data.currency
      homing event-type list
    """


def _show(found: list[dict[str, Any]]) -> None:
    print_table(
        ("event type", "archived", "description"),
        [(e["name"], "yes" if e.get("archived") else "", e["description"]) for e in found],
        empty="no event types; messages may have any type until you list some",
    )


def _schemas(schema: str | None) -> dict[str, Any] | None:
    """The API's form of one schema.

    Raises:
        click.BadParameter: not JSON.
    """
    if schema is None:
        return None
    try:
        return {"1": json.loads(read_text(schema))}
    except json.JSONDecodeError as error:
        raise click.BadParameter(f"--schema: not JSON: {error}") from error


def _money(
    amount: str | None, currency: str | None, currency_code: str | None, minor_units: bool
) -> dict[str, Any] | None:
    """The API's form of where payloads say what is at stake.

    Raises:
        click.UsageError: half of it.
    """
    if amount is None and currency is None and currency_code is None:
        return None
    if amount is None or (currency is None) == (currency_code is None):
        raise click.UsageError("expected --amount, and one of --currency and --currency-code")
    return given_only(
        amount=amount, currency=currency, currencyCode=currency_code, minorUnits=minor_units
    )


def money_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options that say where payloads tell what is at stake."""
    for option in (
        click.option("--minor-units", is_flag=True, help="The amount counts cents or their like."),
        click.option("--currency-code", metavar="CODE", help="Or the code itself, such as EUR."),
        click.option("--currency", metavar="PATH", help="Where the currency's code is."),
        click.option("--amount", metavar="PATH", help="Where a payload says what is at stake."),
    ):
        command = option(command)
    return command


@event_type.command("list")
@click.option("--archived", is_flag=True, help="Archived ones too.")
@limit_option
@as_json
@api_options
def list_event_types(api: Api, archived: bool, limit: int, as_json: bool) -> None:
    """List event types.

    \b
    Example:
      homing event-type list --archived
    """
    found = api.pages(
        "event-type", limit=limit, include_archived=str(archived).lower(), with_content="true"
    )
    print_json(found) if as_json else _show(found)


@event_type.command("get")
@click.argument("name")
@as_json
@api_options
def get_event_type(api: Api, name: str, as_json: bool) -> None:
    """Show one event type.

    \b
    Example:
      homing event-type get payment.captured --json
    """
    found = api.get("event-type", name)
    print_json(found) if as_json else _show([found])


@event_type.command("create")
@click.argument("name")
@click.option("--description", default="", help="What it means, for those who receive it.")
@click.option("--schema", metavar="JSON|@FILE|-", help="JSON Schema of its payload, draft 7.")
@money_options
@as_json
@api_options
def create_event_type(
    api: Api, name: str, description: str, schema: str | None, as_json: bool, **money: Any
) -> None:
    """Create an event type.

    \b
    Examples:
      homing event-type create payment.captured --description "Money has been taken"
      homing event-type create payment.failed --schema @payment-failed.json
      homing event-type create invoice.paid --amount data.total --currency data.currency
    """
    more = given_only(schemas=_schemas(schema), money=_money(**money))
    body = {"name": name, "description": description, **more}
    made = api.call("POST", "event-type", body=body)
    print_json(made) if as_json else _show([made])


@event_type.command("update")
@click.argument("name")
@click.option("--description", help="What it means, for those who receive it.")
@click.option("--schema", metavar="JSON|@FILE|-", help="JSON Schema of its payload, draft 7.")
@click.option("--archived/--not-archived", default=None, help="Archived ones cannot be chosen.")
@money_options
@as_json
@api_options
def update_event_type(
    api: Api,
    name: str,
    description: str | None,
    schema: str | None,
    archived: bool | None,
    as_json: bool,
    **money: Any,
) -> None:
    """Change what is given and leave the rest.

    \b
    Examples:
      homing event-type update payment.captured --archived
      homing event-type update payment.captured --amount amount --currency-code EUR --minor-units
    """
    body = given_only(
        description=description,
        schemas=_schemas(schema),
        archived=archived,
        money=_money(**money),
    )
    changed = api.call("PATCH", "event-type", name, body=body)
    print_json(changed) if as_json else _show([changed])


@event_type.command("delete")
@click.argument("name")
@click.option("--expunge", is_flag=True, help="Remove it for good instead of archiving it.")
@api_options
def delete_event_type(api: Api, name: str, expunge: bool) -> None:
    """Archive an event type, or remove it.

    \b
    Examples:
      homing event-type delete payment.captured
      homing event-type delete payment.captured --expunge
    """
    api.call("DELETE", "event-type", name, query={"expunge": "true" if expunge else None})
    say(f"{'removed' if expunge else 'archived'} {name}")
