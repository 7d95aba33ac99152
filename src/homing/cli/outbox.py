"""`homing outbox`: carry what applications wrote in their own transactions to Homing."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Any

import click
import msgspec

from homing.cli.client import connect
from homing.cli.output import as_json as json_option
from homing.cli.output import print_json, say, say_error, time_text
from homing.client import Client
from homing.core.errors import ConfigError
from homing.outbox.relay import Round
from homing.system import SystemClock

if TYPE_CHECKING:
    from homing.outbox.sqlalchemy import SqlRows

_EXIT_FINDINGS = 1

database_option = click.option(
    "--database",
    envvar="HOMING_OUTBOX_URL",
    required=True,
    metavar="URL",
    help="The application's database, as SQLAlchemy names it: sqlite:///shop.db.",
)


def open_rows(database_url: str) -> SqlRows:
    """The outbox there.

    Raises:
        ConfigError: it cannot be reached, or has no outbox.
    """
    from homing.outbox.sqlalchemy import SqlRows

    rows = SqlRows.open(database_url)
    try:
        found = rows.is_there()
    except Exception as error:  # whatever its driver raises
        reason = str(error).partition("\n")[0]
        raise ConfigError([f"--database: the database cannot be used: {reason}"]) from error
    if not found:
        raise ConfigError(
            [
                "--database: it has no table homing_outbox; make it with the application's own "
                "migrations, or with `homing outbox prepare`"
            ]
        )
    return rows


@click.group()
def outbox() -> None:
    """Messages that an application wrote in its own transactions: hand them over, look at them."""


@outbox.command()
@database_option
@click.option(
    "--application",
    envvar="HOMING_APPLICATION",
    required=True,
    metavar="NAME",
    help="Whose messages they are: an application's id or uid.",
)
@click.option("--every", type=click.FloatRange(0.01, 60), default=1.0, show_default=True)
@click.option("--once", is_flag=True, help="Until it is empty.")
@click.option("--create", is_flag=True, help="Make the application where there is none.")
@click.option("--server-url", envvar="HOMING_SERVER_URL", metavar="URL", help="Where to ask.")
@click.option("--token", envvar="HOMING_TOKEN", metavar="TOKEN", help="Whom to ask as.")
def relay(
    database: str,
    application: str,
    every: float,
    once: bool,
    create: bool,
    server_url: str | None,
    token: str | None,
) -> None:
    """Hand over what is in an outbox until SIGTERM or Ctrl-C, each row accepted exactly once.

    It may be killed at any moment, and several may work side by side.
    Exit code 1, with --once: Homing refused some for good; `homing outbox status` names them.

    \b
    Examples:
      homing outbox relay --database sqlite:///shop.db --application shop
      homing outbox relay --database postgresql+psycopg://shop@db/shop --application shop --once
    """
    from homing.outbox.relay import relay as work

    rows = open_rows(database)
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    api = connect(server_url, token)
    refused = 0

    def tell(told: Round | Exception) -> None:
        nonlocal refused
        if isinstance(told, Exception):
            say_error(f"will try again: {told}")
            return
        refused += told.refused
        say(f"accepted {told.accepted}, refused {told.refused}, to try again {told.left}")

    with Client(api.server_url, api.token) as client:
        if create:
            client.ensure_application(application)
        work(
            rows,
            client,
            application,
            now_us=SystemClock().now_us,
            every_s=every,
            once=once,
            tell=tell,
            wait=over.wait,
            is_over=over.is_set,
        )
    if once and refused:
        raise click.exceptions.Exit(_EXIT_FINDINGS)


@outbox.command()
@database_option
@json_option
def status(database: str, as_json: bool) -> None:
    """Count what waits, what was accepted and what was refused for good.

    Exit code 1: something was refused.

    \b
    Example:
      homing outbox status --database sqlite:///shop.db
    """
    found = open_rows(database).counts()
    if as_json:
        told: dict[str, Any] = msgspec.structs.asdict(found)
        print_json(told)
    else:
        oldest = "" if found.oldest_at_us is None else f", since {time_text(found.oldest_at_us)}"
        say(f"{found.pending} wait{oldest}; {found.accepted} accepted; {found.refused} refused")
    if found.refused:
        raise click.exceptions.Exit(_EXIT_FINDINGS)


@outbox.command()
@database_option
def prepare(database: str) -> None:
    """Make the outbox's table where it is missing.

    \b
    Example:
      homing outbox prepare --database sqlite:///shop.db
    """
    from homing.outbox.sqlalchemy import SqlRows

    SqlRows.open(database).prepare()
    say("the table homing_outbox is there")


@outbox.command()
@database_option
@click.option("--older-than-d", type=click.IntRange(1, 3_650), default=7, show_default=True)
def forget(database: str, older_than_d: int) -> None:
    """Delete rows that were accepted long ago; what waits or was refused stays.

    \b
    Example:
      homing outbox forget --database sqlite:///shop.db --older-than-d 30
    """
    before_us = SystemClock().now_us() - older_than_d * 86_400_000_000
    say(f"deleted {open_rows(database).forget(before_us):,}")
