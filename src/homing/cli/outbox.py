"""`homing outbox`: carry what applications wrote in their own transactions to Homing."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Any

import click
import msgspec

from homing.cli.client import connect
from homing.cli.groups import Group
from homing.cli.output import as_json as json_option
from homing.cli.output import print_json, print_table, say, say_error, time_text
from homing.client import Client
from homing.core.errors import ConfigError
from homing.outbox.relay import Round
from homing.system import SystemClock

if TYPE_CHECKING:
    from homing.outbox.sqlalchemy import SqlRows

_EXIT_FINDINGS = 1
_ALL = 1_000_000_000
#: ids in one statement; SQLite takes 32,766
_AT_ONCE = 1_000

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
        ConfigError: there is no such dialect, or no outbox.
        Unavailable: it cannot be reached.
    """
    from homing.outbox.sqlalchemy import SqlRows

    rows = SqlRows.open(database_url)
    if not rows.is_there():
        raise ConfigError(
            [
                "--database: it has no table homing_outbox; make it with the application's own "
                "migrations, or with `homing outbox prepare`"
            ]
        )
    return rows


@click.group(cls=Group)
def outbox() -> None:
    """Messages that an application wrote in its own transactions: hand them over, look at them.

    \b
    Examples:
      homing outbox relay --database sqlite:///shop.db --application shop
      homing outbox status --database sqlite:///shop.db
    """


@outbox.command()
@database_option
@click.option(
    "--application",
    envvar="HOMING_APPLICATION",
    required=True,
    metavar="NAME",
    help="Whose messages they are: an application's id or uid.",
)
@click.option(
    "--every",
    type=click.FloatRange(0.01, 60),
    default=1.0,
    show_default=True,
    help="How often the table is looked at, seconds.",
)
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
    Exit code 1, with --once: Homing refused some for good; `homing outbox refused` names them.

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


@outbox.command("refused")
@database_option
@click.option(
    "--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="At most."
)
@json_option
def list_refused(database: str, limit: int, as_json: bool) -> None:
    """List what Homing refused for good, the oldest first, each with the reason.

    Exit code 1: there is some.

    \b
    Examples:
      homing outbox refused --database sqlite:///shop.db
      homing outbox refused --database sqlite:///shop.db --json | jq -r '.[].payload'
    """
    found = open_rows(database).refused(limit)
    if as_json:
        print_json([msgspec.structs.asdict(one) for one in found])
    else:
        print_table(
            ("id", "written", "event type", "why"),
            [(one.id, time_text(one.created_at_us), one.event_type, one.problem) for one in found],
            empty="nothing was refused",
        )
    if found:
        raise click.exceptions.Exit(_EXIT_FINDINGS)


@outbox.command()
@database_option
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--all", "all_", is_flag=True, help="Everything that was refused.")
@click.option("--event-type", metavar="NAME", help="With --all: only of this type.")
def retry(database: str, ids: tuple[str, ...], all_: bool, event_type: str | None) -> None:
    """Have the relay offer again what was refused, once what was wrong with it is mended.

    A payload that is wrong itself is mended in the table, by whoever owns it; its id stays.

    \b
    Examples:
      homing outbox retry --database sqlite:///shop.db out_5f2c…
      homing outbox retry --database sqlite:///shop.db --all --event-type order.paid
    """
    if bool(ids) == all_ or (event_type is not None and not all_):
        raise click.UsageError("expected ids, or --all with or without --event-type")
    rows = open_rows(database)
    if not all_:
        again = rows.retry(ids)
        if again < len(set(ids)):
            known = {one.id for one in rows.refused(_ALL)}
            raise ConfigError([_missing(len(set(ids)) - again, again, known)])
    else:
        which = [
            one.id
            for one in rows.refused(_ALL)
            if event_type is None or one.event_type == event_type
        ]
        again = sum(
            rows.retry(which[first : first + _AT_ONCE]) for first in range(0, len(which), _AT_ONCE)
        )
    say(f"{again:,} will be offered again by the relay")


def _missing(missing: int, again: int, others: set[str]) -> str:
    there = f"; {len(others):,} others were" if others else ""
    return (
        f"{missing} of these ids were not refused{there}; `homing outbox refused` lists them "
        f"({again} will be offered again)"
    )


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
@click.option(
    "--older-than-d",
    type=click.IntRange(1, 3_650),
    default=7,
    show_default=True,
    help="Accepted so many days ago or earlier.",
)
def forget(database: str, older_than_d: int) -> None:
    """Delete rows that were accepted long ago; what waits or was refused stays.

    \b
    Example:
      homing outbox forget --database sqlite:///shop.db --older-than-d 30
    """
    before_us = SystemClock().now_us() - older_than_d * 86_400_000_000
    say(f"deleted {open_rows(database).forget(before_us):,}")
