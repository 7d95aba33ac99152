"""`homing send` and `homing message`: what publishers send, and what became of it."""

from __future__ import annotations

import json
import time
from typing import Any, Final

import click
from rich.text import Text

from homing.cli.client import Api, api_options, given_only, limit_option, read_text
from homing.cli.groups import Group
from homing.cli.output import as_json, note, print_json, print_table, say
from homing.cli.tasks import follow, watching

#: colours of the API's words for a delivery
_STATUS_STYLES: Final = {
    "success": "green",
    "pending": "yellow",
    "sending": "blue",
    "fail": "bold red",
    "canceled": "dim",
}
_WAIT_POLL_S: Final = 0.1
_UNFINISHED: Final = frozenset({"pending", "sending"})


def status_text(status: str) -> Text:
    return Text(status, style=_STATUS_STYLES.get(status, ""))


@click.command()
@click.argument("application")
@click.argument("event_type")
@click.argument("payload", default="{}")
@click.option("--event-id", help="Your own id: a second message with it is not stored.")
@click.option("--channel", "channels", multiple=True, help="May be repeated.")
@click.option("--wait", "wait_s", type=float, default=0.0, metavar="SECONDS", help="See it arrive.")
@as_json
@api_options
def send(
    api: Api,
    application: str,
    event_type: str,
    payload: str,
    event_id: str | None,
    channels: tuple[str, ...],
    wait_s: float,
    as_json: bool,
) -> None:
    """Send a message. PAYLOAD is JSON, @FILE, or - for standard input.

    It is on disk, with all of its deliveries, when this returns. With --wait, exit code 1 means
    that some delivery had not arrived in time (it goes on being tried).

    \b
    Examples:
      homing send shop payment.captured '{"amount": 4200, "currency": "EUR"}'
      homing send shop payment.captured @payment.json --wait 5
      echo '{"amount": 1}' | homing send shop payment.captured - --event-id pay-17
    """
    body = {
        "eventType": event_type,
        "payload": _parse_payload(payload),
        **given_only(eventId=event_id, channels=list(channels)),
    }
    message = api.call("POST", "app", application, "msg", body=body)
    if not wait_s:
        print_json(message) if as_json else say(f"accepted {message['id']}")
        return
    destinations = _wait(api, application, message["id"], wait_s)
    if as_json:
        print_json({**message, "deliveries": destinations})
    else:
        say(f"accepted {message['id']}")
        _show_destinations(destinations)
    if any(d["statusText"] != "success" for d in destinations):
        raise click.exceptions.Exit(1)


def _parse_payload(argument: str) -> Any:
    try:
        return json.loads(read_text(argument))
    except json.JSONDecodeError as error:
        raise click.BadParameter(f"the payload is not JSON: {error}") from error


def _wait(api: Api, application: str, message_id: str, wait_s: float) -> list[dict[str, Any]]:
    """The message's deliveries once all are finished, or when the time is up."""
    deadline = time.monotonic() + wait_s
    while True:
        found = api.pages("app", application, "msg", message_id, "endpoint", limit=250)
        if time.monotonic() > deadline or not any(d["statusText"] in _UNFINISHED for d in found):
            return found
        time.sleep(_WAIT_POLL_S)


def _show_destinations(found: list[dict[str, Any]]) -> None:
    print_table(
        ("endpoint", "status", "next attempt", "url"),
        [
            (d["id"], status_text(d["statusText"]), (d.get("nextAttempt") or "")[:19], d["url"])
            for d in found
        ],
        empty="no endpoint wanted it",
    )


@click.group(cls=Group)
def message() -> None:
    """Messages: what publishers sent, and what became of them.

    \b
    Examples:
      homing message list shop
      homing message get shop msg_2Zx…
    """


@message.command("list")
@click.argument("application")
@click.option("--event-type", "event_types", multiple=True, help="Only these.")
@click.option("--channel", help="Only with this one.")
@limit_option
@as_json
@api_options
def list_messages(
    api: Api,
    application: str,
    event_types: tuple[str, ...],
    channel: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List messages, the newest first.

    \b
    Example:
      homing message list shop --event-type payment.failed --limit 10
    """
    found = api.pages(
        "app",
        application,
        "msg",
        limit=limit,
        event_types=",".join(event_types) or None,
        channel=channel,
        with_content=str(as_json).lower(),
    )
    if as_json:
        print_json(found)
        return
    print_table(
        ("message", "event type", "accepted", "event id"),
        [(m["id"], m["eventType"], m["timestamp"][:19], m.get("eventId") or "") for m in found],
        empty="no messages; `homing send` sends one",
    )


@message.command("get")
@click.argument("application")
@click.argument("message")
@as_json
@api_options
def get_message(api: Api, application: str, message: str, as_json: bool) -> None:
    """Show one message, and where each of its deliveries stands. MESSAGE: its id or event id.

    \b
    Example:
      homing message get shop msg_2Zx…
    """
    found = api.get("app", application, "msg", message)
    destinations = api.pages("app", application, "msg", found["id"], "endpoint", limit=1000)
    if as_json:
        print_json({**found, "deliveries": destinations})
        return
    say(f"{found['id']}  {found['eventType']}  {found['timestamp'][:19]}")
    say(json.dumps(found["payload"], ensure_ascii=False))
    _show_destinations(destinations)


@message.command("resend")
@click.argument("application")
@click.argument("message")
@click.argument("endpoint")
@api_options
def resend_message(api: Api, application: str, message: str, endpoint: str) -> None:
    """Attempt one delivery now. Retries that were due stay due, whatever comes of it.

    \b
    Example:
      homing message resend shop msg_2Zx… ep_2Zx…
    """
    api.call("POST", "app", application, "msg", message, "endpoint", endpoint, "resend")
    say(f"resending {message} to {endpoint}")


@message.command("expunge")
@click.argument("application")
@click.argument("message")
@click.confirmation_option(prompt="Delete this payload for good?")
@api_options
def expunge_message(api: Api, application: str, message: str) -> None:
    """Delete a message's payload; that it existed, and what became of it, stays in the books.

    \b
    Example:
      homing message expunge shop msg_2Zx… --yes
    """
    api.call("DELETE", "app", application, "msg", message, "content")
    note(f"the payload of {message} is gone")


@message.command("expunge-all")
@click.argument("application")
@click.option("--keep-unfinished", is_flag=True, help="Not what is still to be sent.")
@click.confirmation_option(prompt="Delete all payloads of this application for good?")
@watching
def expunge_all(
    api: Api, application: str, keep_unfinished: bool, watch: bool, as_json: bool
) -> None:
    """Delete the payloads of everything that an application has sent until now.

    What was still to be sent of them is dead at once, with the reason payload_gone.

    \b
    Example:
      homing message expunge-all shop --keep-unfinished --yes --watch
    """
    path = ("app", application, "msg", "expunge-all-contents")
    started = api.call("POST", *path, query={"keep_unfinished": keep_unfinished})
    follow(api, started, watch=watch, as_json=as_json)
