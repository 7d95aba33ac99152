"""`homing listen`: a local receiver that verifies, prints and can be told to fail."""

from __future__ import annotations

import asyncio
import socket

import click
from rich.text import Text

from homing.cli.client import Api, connect, given_only
from homing.cli.output import as_json, clock_text, note, print_json_line, say
from homing.cli.receiver import Arrival, Manners, Receiver
from homing.cli.server import address_of, bind, make_server, stop_signals
from homing.system import SystemChance, SystemClock

_EXIT_UNVERIFIED = 1


@click.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=9_000,
    show_default=True,
    help="The port to listen on; 0: any that is free.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--secret", help="Verify with this whsec_….")
@click.option(
    "--application",
    metavar="NAME",
    help="Make (if missing) this application and an endpoint of it for as long as this runs.",
)
@click.option("--event-type", "event_types", multiple=True, help="What that endpoint wants.")
@click.option("--keep", is_flag=True, help="Leave that endpoint when this ends.")
@click.option("--status", type=click.IntRange(200, 599), help="Answer this; default 200.")
@click.option("--fail", type=click.FloatRange(0, 1), default=0.0, help="Share that is refused.")
@click.option("--then-ok", type=click.IntRange(0), metavar="N", help="Refuse each N times first.")
@click.option("--delay", type=click.FloatRange(0), default=0.0, help="Seconds before each answer.")
@click.option("--count", type=click.IntRange(1), metavar="N", help="Stop after N webhooks.")
@click.option("--server-url", envvar="HOMING_SERVER_URL", metavar="URL", help="Where to ask.")
@click.option("--token", envvar="HOMING_TOKEN", metavar="TOKEN", help="Whom to ask as.")
@as_json
def listen(
    port: int,
    host: str,
    secret: str | None,
    application: str | None,
    event_types: tuple[str, ...],
    keep: bool,
    status: int | None,
    fail: float,
    then_ok: int | None,
    delay: float,
    count: int | None,
    server_url: str | None,
    token: str | None,
    as_json: bool,
) -> None:
    """Receive webhooks here: verify each with the Standard Webhooks library, and print it.

    Refused means --status, or 503. Exit code 1: some signature was wrong.
    The service only calls local addresses if HOMING_EGRESS_ALLOW=127.0.0.0/8 is set for it.

    \b
    Examples:
      homing listen --application shop
      homing listen --secret whsec_… --then-ok 2      # refused twice
      homing listen --application shop --fail 0.2 --status 500 --delay 0.5
    """
    refuses = bool(fail or then_ok)
    manners = Manners(
        status=200 if refuses or status is None else status,
        refusal=status or 503,
        refused_ratio=fail,
        refused_first=then_ok or 0,
        delay_s=delay,
    )
    receiver = Receiver(manners, SystemChance(), secret=secret)
    api = connect(server_url, token) if application is not None else None
    listener = bind(f"{host}:{port}")
    url = f"{address_of(listener)}/"
    if api is None or application is None:
        note(f"listening on {url}")
        if secret is None:
            note("no --secret and no --application: signatures are not checked")
        unverified = asyncio.run(_listen(receiver, listener, count, as_json))
    else:
        endpoint = _register(api, application, url, event_types)
        note(f"listening on {url}")
        receiver.secret = api.get("app", application, "endpoint", endpoint, "secret")["key"]
        note(f"endpoint {endpoint} of application {application}; Ctrl-C stops")
        try:
            unverified = asyncio.run(_listen(receiver, listener, count, as_json))
        finally:
            if not keep:
                api.call("DELETE", "app", application, "endpoint", endpoint)
                note(f"endpoint {endpoint} removed")
    if unverified:
        raise click.exceptions.Exit(_EXIT_UNVERIFIED)


def _register(api: Api, application: str, url: str, event_types: tuple[str, ...]) -> str:
    """The id of a new endpoint at `url`; the application is made where it is missing."""
    if not application.startswith("app_"):
        body = {"name": application, "uid": application}
        api.call("POST", "app", query={"get_if_exists": "true"}, body=body)
    wanted = given_only(url=url, description="homing listen", eventTypes=list(event_types))
    made: dict[str, str] = api.call("POST", "app", application, "endpoint", body=wanted)
    return made["id"]


async def _listen(
    receiver: Receiver, listener: socket.socket, count: int | None, as_json: bool
) -> int:
    """Until Ctrl-C, or `count` webhooks; how many had a wrong signature."""
    stop = stop_signals()
    seen = unverified = 0

    def show(arrival: Arrival) -> None:
        nonlocal seen, unverified
        seen += 1
        unverified += arrival.complaint is not None
        _print(arrival, as_json, verified=receiver.secret is not None)
        if count is not None and seen >= count:
            stop.set()

    receiver.on_arrival = show
    server = make_server(receiver)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    await stop.wait()
    server.should_exit = True
    await serving
    return unverified


def _print(arrival: Arrival, as_json: bool, *, verified: bool) -> None:
    body = arrival.body.decode("utf-8", "replace")
    if as_json:
        print_json_line(
            {
                "message_id": arrival.message_id,
                "verified": verified and arrival.complaint is None,
                "complaint": arrival.complaint,
                "times": arrival.times,
                "status": arrival.status,
                "body": body,
            }
        )
        return
    line = Text(clock_text(SystemClock().now_us()), style="dim")
    line.append(f" {arrival.message_id or '(no id)'} ", style="default")
    if arrival.complaint is not None:
        line.append(f"not verified: {arrival.complaint}", style="bold red")
    elif verified:
        line.append("verified", style="green")
    else:
        line.append("not checked", style="yellow")
    line.append(f" → {arrival.status}", style="green" if arrival.status < 300 else "yellow")
    if arrival.times > 1:
        line.append(f"  (time {arrival.times})")
    line.append(f"\n  {body}", style="default")
    say(line)
