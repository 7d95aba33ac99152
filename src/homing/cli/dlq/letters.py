"""`homing dlq list`, `discard` and `undo`."""

from __future__ import annotations

from typing import Any, Final

import click

from homing.cli.client import Api, api_options, given_only, limit_option
from homing.cli.dlq.choosing import choosing, chosen, money_text, show_preview
from homing.cli.output import as_json, note, print_json, say
from homing.cli.tasks import follow, watching
from homing.core.plurals import plural

_EXIT_FINDINGS: Final = 1


@click.command("list")
@click.argument("application")
@click.option("--issue", metavar="ISSUE", help="Only of this issue.")
@click.option("--endpoint", metavar="ID", help="Only of this endpoint.")
@click.option("--discarded", is_flag=True, help="What was discarded and can be brought back.")
@limit_option
@as_json
@api_options
def list_letters(
    api: Api,
    application: str,
    issue: str | None,
    endpoint: str | None,
    discarded: bool,
    limit: int,
    as_json: bool,
) -> None:
    """List dead letters, those of the newest messages first. Exit code 1: there are some.

    \b
    Examples:
      homing dlq list shop
      homing dlq list shop --issue iss_2Zx… --json | jq -r '.[].id'
    """
    found = api.pages(
        "app",
        application,
        "dead-letter",
        limit=limit,
        endpoint_id=endpoint,
        issue_id=issue,
        discarded="true" if discarded else None,
    )
    if as_json:
        print_json(found)
    else:
        for one in found:
            _show_lines(one)
        if not found:
            note("nothing was discarded" if discarded else "no dead letters")
    if found and not discarded:
        raise click.exceptions.Exit(_EXIT_FINDINGS)


def _show_lines(letter: dict[str, Any]) -> None:
    """Two short lines: the id alone is wider than half a screen."""
    say(letter["id"])
    money = f"; {money_text([letter['money']])}" if letter["money"] else ""
    say(
        f"  {letter['reason']} after {plural(letter['attempts'], 'attempt')}, "
        f"{(letter['finishedAt'] or '')[:19]}; last: {letter['lastError'] or 'no error'}{money}"
    )


@click.command("discard")
@click.argument("application")
@click.argument("deliveries", nargs=-1)
@choosing
@click.option("--why", required=True, metavar="TEXT", help="The reason; kept with each of them.")
@click.option("--dry-run", is_flag=True, help="Only count them.")
@click.option("--yes", is_flag=True, help="Do not ask for their number first.")
@watching
def discard(
    api: Api,
    application: str,
    deliveries: tuple[str, ...],
    why: str,
    dry_run: bool,
    yes: bool,
    watch: bool,
    as_json: bool,
    **which: Any,
) -> None:
    """Withdraw dead letters: nobody wants them any more. The books keep who did it, and why.

    Each can be brought back for a time: `homing dlq undo`.

    \b
    Examples:
      homing dlq discard shop msg_2Zx….ep_2Zx… --why "paid by phone"
      homing dlq discard shop --issue iss_2Zx… --why "test data" --dry-run
    """
    body = chosen(deliveries, **which) | {"why": why}
    path = ("app", application, "dead-letter", "discard")
    if dry_run:
        found = api.call("POST", *path, body=body | {"dryRun": True})
        show_preview(found, "discarded", as_json=as_json)
        return
    if not deliveries and not yes:
        count = api.call("POST", *path, body=body | {"dryRun": True})["count"]
        _confirm(count)
    follow(api, api.call("POST", *path, body=body), watch=watch, as_json=as_json)


def _confirm(count: int) -> None:
    """Have the number typed.

    Raises:
        click.UsageError: another was.
    """
    typed = click.prompt(
        f"type {count} to discard {plural(count, 'dead letter')}", type=int, err=True
    )
    if typed != count:
        raise click.UsageError(f"expected {count}, found {typed}; nothing was discarded")


@click.command("undo")
@click.argument("application")
@click.argument("deliveries", nargs=-1)
@click.option("--issue", metavar="ISSUE", help="All that was discarded of this issue.")
@click.option("--all", "all_of_them", is_flag=True, help="All that was discarded.")
@watching
def undo(
    api: Api,
    application: str,
    deliveries: tuple[str, ...],
    issue: str | None,
    all_of_them: bool,
    watch: bool,
    as_json: bool,
) -> None:
    """Bring back what was discarded in the last days (HOMING_UNDO_D): dead letters again.

    \b
    Examples:
      homing dlq undo shop msg_2Zx….ep_2Zx…
      homing dlq undo shop --issue iss_2Zx… --watch
    """
    if sum([bool(deliveries), issue is not None, all_of_them]) != 1:
        raise click.UsageError("expected one of: deliveries by id, --issue, or --all")
    path = ("app", application, "dead-letter")
    if not deliveries:
        started = api.call("POST", *path, "undo", body=given_only(issueId=issue))
        follow(api, started, watch=watch, as_json=as_json)
        return
    found = [api.call("POST", *path, delivery, "undo") for delivery in deliveries]
    print_json(found) if as_json else say(f"brought back: {len(found)}")
