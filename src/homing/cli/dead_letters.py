"""`homing dead-letters`: deliveries that were given up, and the way back."""

from __future__ import annotations

from typing import Any

import click

from homing.cli.client import Api, api_options, given_only, limit_option
from homing.cli.output import as_json, note, print_json, print_table, say
from homing.cli.tasks import follow, watching

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
@click.option("--all", "all_of_them", is_flag=True, help="All of the application that match.")
@click.option("--endpoint", metavar="ID", help="With --all: only of this endpoint.")
@click.option("--event-type", "event_types", multiple=True, help="With --all: only of these.")
@click.option(
    "--reason",
    type=click.Choice(["attempts_exhausted", "poison_worker_crash"]),
    help="With --all: only those given up for this.",
)
@click.option("--dry-run", is_flag=True, help="With --all: only count them.")
@watching
def redrive_dead_letters(
    api: Api,
    application: str,
    deliveries: tuple[str, ...],
    all_of_them: bool,
    endpoint: str | None,
    event_types: tuple[str, ...],
    reason: str | None,
    dry_run: bool,
    watch: bool,
    as_json: bool,
) -> None:
    """Give dead letters their whole retry schedule again, the first attempt now.

    \b
    Examples:
      homing dead-letters redrive shop msg_2Zx….ep_2Zx…
      homing dead-letters redrive shop --all --endpoint ep_2Zx… --dry-run
      homing dead-letters redrive shop --all --watch
    """
    if bool(deliveries) == all_of_them:
        raise click.UsageError("expected either deliveries by id, or --all")
    if all_of_them:
        which = given_only(
            endpointId=endpoint, eventTypes=list(event_types), reason=reason, dryRun=dry_run
        )
        done = api.call("POST", "app", application, "dead-letter", "redrive", body=which)
        if dry_run:
            more = "at least " if done["atLeast"] else ""
            print_json(done) if as_json else say(f"would be redriven: {more}{done['count']:,}")
        else:
            follow(api, done, watch=watch, as_json=as_json)
        return
    for delivery in deliveries:
        api.call("POST", "app", application, "dead-letter", delivery, "redrive")
    say(f"redriven: {len(deliveries)}")


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
