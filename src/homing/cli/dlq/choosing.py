"""Options that say which dead letters a command is about."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import click

from homing.cli.client import given_only
from homing.cli.moments import iso_moment
from homing.cli.output import note, print_json, print_table, say

REASONS: Final = (
    "attempts_exhausted",
    "dns_failed",
    "tls_invalid",
    "ssrf_blocked",
    "sign_failed",
    "poison_worker_crash",
    "payload_gone",
)

_OPTIONS: Final = (
    click.option("--issue", metavar="ISSUE", help="All of this issue."),
    click.option("--all", "all_of_them", is_flag=True, help="All of the application that match:"),
    click.option("--endpoint", metavar="ID", help="With --all: of this endpoint."),
    click.option("--event-type", "event_types", multiple=True, help="With --all: of these."),
    click.option(
        "--since",
        type=iso_moment,
        metavar="TIME",
        help="With --all: accepted since: 2026-11-23T10:00Z, or 6h ago.",
    ),
    click.option("--until", type=iso_moment, metavar="TIME", help="With --all: accepted before."),
    click.option("--reason", type=click.Choice(REASONS), help="Given up for this."),
    click.option("--status", type=click.IntRange(100, 599), help="Last answered with this status."),
)


def choosing(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options; the function gets their values, for `chosen`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def chosen(
    deliveries: tuple[str, ...],
    issue: str | None,
    all_of_them: bool,
    *,
    endpoint: str | None,
    event_types: tuple[str, ...],
    since: str | None,
    until: str | None,
    reason: str | None,
    status: int | None,
) -> dict[str, Any]:
    """The API's form of which dead letters.

    Raises:
        click.UsageError: no way of saying which, or more than one.
    """
    ways = [bool(deliveries), issue is not None, all_of_them]
    if sum(ways) != 1:
        raise click.UsageError(
            "expected one of: deliveries by id, --issue, or --all with what they have in common"
        )
    narrowed = given_only(
        endpointId=endpoint, eventTypes=list(event_types), since=since, until=until
    )
    if narrowed and not all_of_them:
        raise click.UsageError("--endpoint, --event-type, --since and --until go with --all")
    return narrowed | given_only(
        deliveryIds=list(deliveries), issueId=issue, reason=reason, status=status
    )


def money_text(at_stake: list[dict[str, str]]) -> str:
    """Amounts as people read them: 1,250.00 EUR + 3.00 USD; empty when there are none."""
    return " + ".join(f"{_grouped(one['amount'])} {one['currency']}" for one in at_stake)


def _grouped(amount: str) -> str:
    whole, dot, rest = amount.partition(".")
    return f"{int(whole):,}{dot}{rest}" if whole not in ("", "-0") else amount


def show_preview(found: dict[str, Any], verb: str, *, as_json: bool) -> None:
    """What a command would be about."""
    if as_json:
        print_json(found)
        return
    more = "at least " if found["atLeast"] else ""
    say(f"would be {verb}: {more}{found['count']:,}")
    if money := money_text(found["atStake"]):
        say(f"at stake: {money}")
    if found["estimatedS"] is not None and found["count"]:
        say(f"takes at least {duration_text(found['estimatedS'])}, if its receivers are well")
    if len(found["endpoints"]) > 1:
        rows = [(one["endpointId"], f"{one['count']:,}") for one in found["endpoints"]]
        print_table(("endpoint", "dead letters#"), rows)
    for one in found["sample"]:
        note(f"such as {one['id']}: {one['lastError'] or one['reason']}")


def duration_text(seconds: float) -> str:
    """A length of time in at most two units: 4 s, 2 min 30 s, 3 h 5 min."""
    whole = max(round(seconds), 1)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"
