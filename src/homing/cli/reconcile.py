"""`homing reconcile`: a receiver's own books against what was sent to it."""

from __future__ import annotations

import csv
import sqlite3
import sys
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import click
from rich.text import Text

from homing.cli.client import Api, api_options
from homing.cli.output import as_json as json_option
from homing.cli.output import note, print_json, print_table, say, state_text, why
from homing.cli.replays import spanning
from homing.client import Client
from homing.core.plurals import plural
from homing.reconciliation import Comparison, Gap, Missing, compare
from homing.system import SystemClock

_EXIT_FINDINGS = 1
#: names of a column of message ids, the likeliest first
_COLUMNS: Final = ("webhook-id", "webhook_id", "message_id", "msg_id", "svix-id", "id")
#: what was delivered so shortly before the books were read may not be in them yet, seconds
_SETTLE_S: Final = 60
_SHOWN: Final = 20

_ADVICE: Final = {
    Gap.LOST: "you answered 2xx and do not know them: `--again` sends them once more",
    Gap.DEAD: "given up: `homing recover {app} {endpoint} --since {since}`, or `--again`",
    Gap.PARKED: "kept until it is enabled: `homing endpoint update {app} {endpoint} --enable`",
    Gap.CANCELLED: "withdrawn by their owner; nothing to do, unless you want to ask why",
    Gap.COMING: "will be tried, or came a moment ago; look again later",
}


@click.command()
@click.argument("application")
@click.argument("endpoint")
@spanning
@click.option(
    "--seen",
    required=True,
    metavar="FILE",
    help="Ids of the messages you have: a text of one a line, a .csv, a SQLite file with "
    "--query, or - for standard input.",
)
@click.option("--query", metavar="SQL", help="What selects the ids in a SQLite file.")
@click.option("--column", metavar="NAME", help="Which column of a .csv has the ids.")
@click.option("--again", is_flag=True, help="Have what is lost or dead sent again.")
@json_option
@api_options
def reconcile(
    api: Api,
    application: str,
    endpoint: str,
    since: str,
    until: str | None,
    seen: str,
    query: str | None,
    column: str | None,
    again: bool,
    as_json: bool,
) -> None:
    """Compare a receiver's own books with what was sent to it, delivered or not.

    A token of the application does, also one that may only read; --again needs one that may send.
    Exit code 1: something is missing that will not come by itself.

    \b
    Examples:
      homing reconcile shop ep_2Zx… --since 1d --seen ids.txt
      homing reconcile shop ep_2Zx… --since 2h --seen inbox.csv --column webhook_id --json
      homing reconcile shop ep_2Zx… --since 1d --seen shop.db --query 'SELECT id FROM seen' --again
    """
    now = datetime.fromtimestamp(SystemClock().now_us() / 1_000_000, UTC)
    span = (datetime.fromisoformat(since), datetime.fromisoformat(until) if until else now)
    ids, read_at = read_seen(seen, query, column, now)
    with Client(api.server_url, api.token) as client:
        found = compare(
            client.sent(application, endpoint, since=span[0], until=span[1]),
            ids,
            since=span[0],
            until=span[1],
            read_at=read_at - timedelta(seconds=_SETTLE_S),
        )
        if as_json:
            print_json(_document(found))
        else:
            _show(found, app=application, endpoint=endpoint, since=since)
        if again:
            _send_again(client, found.missing, application, endpoint, span)
    if found.findings:
        raise click.exceptions.Exit(_EXIT_FINDINGS)


def read_seen(
    place: str, query: str | None, column: str | None, now: datetime
) -> tuple[set[str], datetime]:
    """The ids in a receiver's books, and when these were written down.

    Raises:
        click.BadParameter: they cannot be read, or there are none where they should be.
    """
    if place == "-":
        return _clean(sys.stdin), now
    path = Path(place.removeprefix("sqlite:///"))
    try:
        if query is not None:
            return _selected(path, query), now
        written_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        with path.open(encoding="utf-8-sig", newline="") as file:
            ids = _column(file, column) if path.suffix == ".csv" or column else _clean(file)
    except UnicodeDecodeError as error:
        text = f"{path}: expected a text; of a SQLite file, --query says what to select"
        raise click.BadParameter(text, param_hint="--seen") from error
    except (OSError, sqlite3.Error, csv.Error) as error:
        raise click.BadParameter(f"{path}: {why(error)}", param_hint="--seen") from error
    return ids, written_at


def _clean(lines: Iterable[str]) -> set[str]:
    return {line.strip() for line in lines} - {""}


def _selected(path: Path, query: str) -> set[str]:
    """The first column of what is selected; the database is opened for reading alone."""
    database = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
    try:
        return {str(row[0]) for row in database.execute(query)}
    finally:
        database.close()


def _column(file: Iterable[str], column: str | None) -> set[str]:
    rows = csv.DictReader(file)
    names = rows.fieldnames or []
    wanted = [column] if column else _COLUMNS
    name = next((name for name in wanted if name in names), None)
    if name is None:
        text = f"expected a column {' or '.join(wanted)}, found {', '.join(names) or 'none'}"
        raise click.BadParameter(text, param_hint="--column")
    return _clean(row[name] or "" for row in rows)


def _show(found: Comparison, **names: str) -> None:
    say(f"{found.sent:,} sent, {found.known:,} of them known, {len(found.missing):,} missing")
    gaps = Counter(one.gap for one in found.missing)
    for gap in Gap:
        if gaps[gap]:
            what = Text.assemble(
                (f"{gaps[gap]:,} {gap}", "bold"), ": ", _ADVICE[gap].format(**names)
            )
            say(what)
    if found.missing:
        print_table(
            ["message", "event type", "event id", "accepted", "state", "attempts"],
            [_line(one) for one in found.missing[:_SHOWN]],
        )
    if len(found.missing) > _SHOWN:
        note(f"{len(found.missing) - _SHOWN:,} more; --json has all of them")
    if found.strange:
        examples = ", ".join(found.strange[:3])
        ids = plural(len(found.strange), "id")
        say(f"of that time and never for this endpoint: {ids}: {examples}")


def _line(one: Missing) -> list[str | Text]:
    message = one.message
    accepted = message.accepted_at.strftime("%Y-%m-%d %H:%M:%S")
    state = state_text(message.state)
    event = message.event_id or ""
    return [message.id, message.event_type, event, accepted, state, str(message.attempts)]


def _document(found: Comparison) -> dict[str, Any]:
    return {
        "sent": found.sent,
        "known": found.known,
        "findings": found.findings,
        "missing": [
            {
                "id": one.message.id,
                "gap": one.gap,
                "eventType": one.message.event_type,
                "eventId": one.message.event_id,
                "acceptedAt": one.message.accepted_at.isoformat(),
                "state": one.message.state,
                "attempts": one.message.attempts,
            }
            for one in found.missing
        ],
        "strange": found.strange,
    }


def _send_again(
    client: Client,
    missing: list[Missing],
    app: str,
    endpoint: str,
    span: tuple[datetime, datetime],
) -> None:
    lost = [one.message.id for one in missing if one.gap is Gap.LOST]
    for name in lost:
        client.resend(app, name, endpoint)
    if lost:
        note(f"sending {plural(len(lost), 'lost message')} once more")
    if any(one.gap is Gap.DEAD for one in missing):
        task = client.recover(app, endpoint, since=span[0], until=span[1])
        note(f"recovering the dead letters: homing tasks show {task.id}")
