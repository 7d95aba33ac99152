"""`homing dead-letters`: deliveries that were given up, and the way back."""

from __future__ import annotations

from typing import Any

import click

from homing.cli.client import Api, api_options, limit_option
from homing.cli.output import as_json, note, print_json, print_table, say

_EXIT_FINDINGS = 1


@click.group("dead-letters")
def dead_letters() -> None:
    """Dead letters: deliveries that were given up, each with its reason. None is ever lost.

    DELIVERY is a delivery's id, msg_….ep_….
    """


@dead_letters.command("list")
@click.argument("application")
@click.option("--endpoint", metavar="ID", help="Only of this endpoint.")
@limit_option
@as_json
@api_options
def list_dead_letters(
    api: Api, application: str, endpoint: str | None, limit: int, as_json: bool
) -> None:
    """List dead letters, those of the newest messages first. Exit code 1: there are some.

    \b
    Examples:
      homing dead-letters list shop
      homing dead-letters list shop --json | jq -r '.[].id'
    """
    found = api.pages("app", application, "dead-letter", limit=limit, endpoint_id=endpoint)
    if as_json:
        print_json(found)
    else:
        for one in found:
            _show_line(one)
        if not found:
            note("no dead letters")
    if found:
        raise click.exceptions.Exit(_EXIT_FINDINGS)


def _show_line(letter: dict[str, Any]) -> None:
    """Two short lines: the id alone is wider than half a screen."""
    say(letter["id"])
    say(
        f"  {letter['reason']} after {letter['attempts']} attempts, "
        f"{(letter['finishedAt'] or '')[:19]}; last: {letter['lastError'] or 'no error'}"
    )


@dead_letters.command("show")
@click.argument("application")
@click.argument("delivery")
@as_json
@api_options
def show_dead_letter(api: Api, application: str, delivery: str, as_json: bool) -> None:
    """Show one dead letter: why, when, and its first and last error.

    \b
    Example:
      homing dead-letters show shop msg_2Zx….ep_2Zx…
    """
    found = api.get("app", application, "dead-letter", delivery)
    if as_json:
        print_json(found)
        return
    print_table(("", ""), [(name, "" if v is None else str(v)) for name, v in found.items()])


@dead_letters.command("redrive")
@click.argument("application")
@click.argument("deliveries", nargs=-1)
@click.option("--all", "all_of_them", is_flag=True, help="Every one of the application.")
@click.option("--endpoint", metavar="ID", help="With --all: only of this endpoint.")
@api_options
def redrive_dead_letters(
    api: Api,
    application: str,
    deliveries: tuple[str, ...],
    all_of_them: bool,
    endpoint: str | None,
) -> None:
    """Give dead letters their whole retry schedule again, the first attempt now.

    \b
    Examples:
      homing dead-letters redrive shop msg_2Zx….ep_2Zx…
      homing dead-letters redrive shop --all --endpoint ep_2Zx…
    """
    if bool(deliveries) == all_of_them:
        raise click.UsageError("expected either deliveries by id, or --all")
    if all_of_them:
        deliveries = _all_ids(api, application, endpoint)
    for delivery in deliveries:
        api.call("POST", "app", application, "dead-letter", delivery, "redrive")
    say(f"redriven: {len(deliveries)}")


def _all_ids(api: Api, application: str, endpoint: str | None) -> tuple[str, ...]:
    found = api.pages("app", application, "dead-letter", limit=1_000_000, endpoint_id=endpoint)
    return tuple(one["id"] for one in found)


@dead_letters.command("discard")
@click.argument("application")
@click.argument("delivery")
@click.option("--reason", required=True, help="Why; kept with it.")
@api_options
def discard_dead_letter(api: Api, application: str, delivery: str, reason: str) -> None:
    """Withdraw a dead letter; the books keep it as cancelled, with who did it and why.

    \b
    Example:
      homing dead-letters discard shop msg_2Zx….ep_2Zx… --reason "paid by phone"
    """
    body = {"reason": reason}
    api.call("POST", "app", application, "dead-letter", delivery, "discard", body=body)
    say(f"discarded {delivery}")
