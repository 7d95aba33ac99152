"""`homing dlq issues` and what people say to an issue."""

from __future__ import annotations

from typing import Any, Final

import click
from rich.text import Text

from homing.cli.client import Api, api_options, given_only, limit_option
from homing.cli.dlq.choosing import money_text
from homing.cli.output import as_json, note, print_json, print_table, say
from homing.core.plurals import plural

_EXIT_FINDINGS: Final = 1
_STYLES: Final = {"open": "bold red", "acknowledged": "yellow", "muted": "dim", "resolved": "green"}
_NOT_RESOLVED: Final = ("open", "acknowledged", "muted")

note_option = click.option("--note", "said", metavar="TEXT", help="Kept with the decision.")


@click.command("issues")
@click.argument("application")
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice(["open", "acknowledged", "muted", "resolved"]),
    help="Only in this state; by default all that are not resolved.",
)
@click.option("--endpoint", metavar="ID", help="Only of this endpoint.")
@limit_option
@as_json
@api_options
def list_issues(
    api: Api,
    application: str,
    states: tuple[str, ...],
    endpoint: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List issues of dead letters, the newest first. Exit code 1: one of them is open.

    \b
    Examples:
      homing dlq issues shop
      homing dlq issues shop --state resolved --json
    """
    found = api.pages(
        "app",
        application,
        "issue",
        limit=limit,
        state=list(states or _NOT_RESOLVED),
        endpoint_id=endpoint,
    )
    if as_json:
        print_json(found)
    else:
        for issue in found:
            _show_lines(issue)
        if not found:
            note("no issues")
    if any(issue["state"] == "open" for issue in found):
        raise click.exceptions.Exit(_EXIT_FINDINGS)


def cause_of(issue: dict[str, Any]) -> str:
    """What its dead letters died of, in a few words."""
    what = f"status {issue['status']}" if issue["status"] else issue["error"]
    return f"{issue['reason']}: {what}" if what else str(issue["reason"])


def _show_lines(issue: dict[str, Any]) -> None:
    """Three short lines: two ids do not fit beside anything else."""
    state = Text(issue["state"], style=_STYLES.get(issue["state"], ""))
    say(Text.assemble(issue["id"], "  ", state))
    say(f"  {cause_of(issue)}, at {issue['endpointId']}")
    money = money_text(issue["atStake"])
    counts = [plural(issue["count"], "dead letter"), *([f"{money} at stake"] if money else [])]
    if issue["regressions"]:
        counts.append(f"{plural(issue['regressions'], 'time')} back")
    span = f"{_time(issue['firstSeenAt'])} to {_time(issue['lastSeenAt'])}"
    say(f"  {', '.join(counts)}; {span}")


def _time(text: str | None) -> str:
    return "" if text is None else f"{text[:19].replace('T', ' ')}Z"


@click.command("show")
@click.argument("application")
@click.argument("name", metavar="ISSUE|DELIVERY")
@as_json
@api_options
def show(api: Api, application: str, name: str, as_json: bool) -> None:
    """Show one issue, or one dead letter: why, since when, its errors, what is at stake.

    \b
    Examples:
      homing dlq show shop iss_2Zx…
      homing dlq show shop msg_2Zx….ep_2Zx…
    """
    is_issue = name.startswith("iss_")
    found = api.get("app", application, "issue" if is_issue else "dead-letter", name)
    if as_json:
        print_json(found)
        return
    shown = dict(found)
    if is_issue:
        shown["atStake"] = money_text(found["atStake"])
        shown["merged"], shown["sample"] = (" ".join(found[key]) for key in ("merged", "sample"))
    elif found["money"]:
        shown["money"] = money_text([found["money"]])
    rows = [(key, "" if value is None else str(value)) for key, value in shown.items()]
    print_table(("", ""), rows)


def _decide(
    api: Api, application: str, issue: str, verb: str, said: str | None, as_json: bool
) -> None:
    found = api.call("POST", "app", application, "issue", issue, verb, body=given_only(note=said))
    if as_json:
        print_json(found)
    else:
        say(f"{found['state']}: {found['id']}, {plural(found['count'], 'dead letter')}")


@click.command()
@click.argument("application")
@click.argument("issue")
@note_option
@as_json
@api_options
def acknowledge(api: Api, application: str, issue: str, said: str | None, as_json: bool) -> None:
    """Say that somebody is at it.

    \b
    Example:
      homing dlq acknowledge shop iss_2Zx… --note "ada is on the phone with them"
    """
    _decide(api, application, issue, "acknowledge", said, as_json)


@click.command()
@click.argument("application")
@click.argument("issue")
@note_option
@as_json
@api_options
def mute(api: Api, application: str, issue: str, said: str | None, as_json: bool) -> None:
    """Say that it is known and not to be told of. Its dead letters stay where they are.

    \b
    Example:
      homing dlq mute shop iss_2Zx… --note "test receiver"
    """
    _decide(api, application, issue, "mute", said, as_json)


@click.command()
@click.argument("application")
@click.argument("issue")
@note_option
@as_json
@api_options
def resolve(api: Api, application: str, issue: str, said: str | None, as_json: bool) -> None:
    """Say that its cause is mended. The next death opens it again.

    It is resolved by itself when none of its dead letters is left.

    \b
    Example:
      homing dlq resolve shop iss_2Zx… --note "deployed 4f2c"
    """
    _decide(api, application, issue, "resolve", said, as_json)


@click.command()
@click.argument("application")
@click.argument("issue")
@note_option
@as_json
@api_options
def reopen(api: Api, application: str, issue: str, said: str | None, as_json: bool) -> None:
    """Take back that an issue was acknowledged, muted or resolved.

    \b
    Example:
      homing dlq reopen shop iss_2Zx…
    """
    _decide(api, application, issue, "reopen", said, as_json)


@click.command()
@click.argument("application")
@click.argument("issue")
@click.option("--into", required=True, metavar="ISSUE", help="What it becomes part of.")
@as_json
@api_options
def merge(api: Api, application: str, issue: str, into: str, as_json: bool) -> None:
    """Make an issue part of another, with all that is and will be filed under it.

    \b
    Example:
      homing dlq merge shop iss_2Zx… --into iss_2Zy…
    """
    path = ("app", application, "issue", issue, "merge")
    found = api.call("POST", *path, body={"into": into})
    if as_json:
        print_json(found)
    else:
        letters = plural(found["count"], "dead letter")
        say(f"{found['id']} has {letters} of {plural(len(found['merged']) + 1, 'issue')} now")
