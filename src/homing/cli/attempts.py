"""`homing attempt`: the HTTP requests that were made."""

from __future__ import annotations

from typing import Any, Final

import click

from homing.cli.client import Api, api_options, limit_option
from homing.cli.groups import Group
from homing.cli.messages import status_text
from homing.cli.output import as_json, note, print_json, print_table, say
from homing.core.outcome import Reason
from homing.insight.timeline import reason_words

#: enough of the other id to tell rows apart; two whole ids do not fit into 80 columns
_ID_END: Final = 8


@click.group(cls=Group)
def attempt() -> None:
    """Attempts: every HTTP request made, and what came back.

    \b
    Examples:
      homing attempt list shop --message msg_2Zx…
      homing attempt get shop msg_2Zx… atmpt_2Zx…
    """


@attempt.command("list")
@click.argument("application")
@click.option("--message", metavar="ID", help="Of this message.")
@click.option("--endpoint", metavar="ID", help="To this endpoint.")
@click.option("--failed", is_flag=True, help="Only those that failed.")
@limit_option
@as_json
@api_options
def list_attempts(
    api: Api,
    application: str,
    message: str | None,
    endpoint: str | None,
    failed: bool,
    limit: int,
    as_json: bool,
) -> None:
    """List attempts of a message or to an endpoint, the newest first.

    \b
    Examples:
      homing attempt list shop --message msg_2Zx…
      homing attempt list shop --endpoint ep_2Zx… --failed
    """
    if message is None and endpoint is None:
        raise click.UsageError("expected --message or --endpoint")
    path = ("msg", message) if message else ("endpoint", endpoint or "")
    found = api.pages(
        "app",
        application,
        "attempt",
        *path,
        limit=limit,
        endpoint_id=endpoint if message else None,
        status=2 if failed else None,
        with_content=str(as_json).lower(),
    )
    print_json(found) if as_json else _show(found, other="endpointId" if message else "msgId")


def _show(found: list[dict[str, Any]], *, other: str) -> None:
    print_table(
        ("attempt", "began", "came to", "answer", "ms#", other.removesuffix("Id")),
        [
            (
                a["id"],
                a["timestamp"][11:19],
                status_text(a.get("statusText") or str(a["status"])),
                answer_text(a),
                str(a["responseDurationMs"]),
                f"…{a[other][-_ID_END:]}",
            )
            for a in found
        ],
        empty="no attempts",
    )


def answer_text(one: dict[str, Any]) -> str:
    """The status, or why there is none."""
    reason = one["response"].partition(":")[0]
    if one["responseStatusCode"] or reason not in list(Reason):
        return str(one["responseStatusCode"] or "")
    return reason_words(Reason(reason))


@attempt.command("get")
@click.argument("application")
@click.argument("message")
@click.argument("attempt")
@as_json
@api_options
def get_attempt(api: Api, application: str, message: str, attempt: str, as_json: bool) -> None:
    """Show one attempt with what the receiver answered.

    \b
    Example:
      homing attempt get shop msg_2Zx… atmpt_2Zx…
    """
    found = api.get("app", application, "msg", message, "attempt", attempt)
    if as_json:
        print_json(found)
        return
    _show([found], other="endpointId")
    say(found["response"] or "(empty response)")


@attempt.command("expunge")
@click.argument("application")
@click.argument("message")
@click.argument("attempt")
@click.confirmation_option(prompt="Delete this response for good?")
@api_options
def expunge_attempt(api: Api, application: str, message: str, attempt: str) -> None:
    """Delete what a receiver answered; that it was asked stays in the books.

    \b
    Example:
      homing attempt expunge shop msg_2Zx… atmpt_2Zx… --yes
    """
    api.call("DELETE", "app", application, "msg", message, "attempt", attempt, "content")
    note(f"the response of {attempt} is gone")
